// The rules of 5.3 to 5.10, free of tasks and costs: where they differ from those of 6.1
// (rwsem_spin_handoff_test.cpp), and all histories.
#include "models/locking/rwsem_reader_spin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <optional>

#include "tests/models/locking/rwsem_exploration.h"

namespace models::rwsem_reader_spin_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using tests::kEarly;
using tests::kLate;

using Rules = ReaderSpinRwsem<int>;
using Wakes = Rules::Wakes;
using Read = Rules::Read;
using Spin = Rules::Spin;
using Try = Rules::Try;

class ReaderSpinRules : public testing::Test {
 protected:
  // A reader that does not spin.
  Read queue_read(int task) {
    wakes_ = {};
    return rules_.queue_read(task, rules_.seen(), kEarly, wakes_);
  }
  Try queue_write(int task) {
    wakes_ = {};
    return rules_.queue_write(task, kEarly, wakes_);
  }
  void up_read() {
    wakes_ = {};
    if (rules_.release_read()) rules_.wake(kEarly, wakes_);
  }
  void up_write() {
    wakes_ = {};
    if (rules_.release_write()) rules_.wake(kEarly, wakes_);
  }
  Spin spin(int task, LockMode mode) {
    rules_.join_spinners(task, mode);
    return rules_.spin(true);
  }
  // A writer has spun on readers in vain.
  void expire() {
    ASSERT_EQ(spin(0, LockMode::write), Spin::on_readers);
    rules_.reader_spin_expired();
  }

  Rules rules_;
  Wakes wakes_;
};

TEST_F(ReaderSpinRules, AReaderSpinsOnAWriterThatRuns) {
  ASSERT_TRUE(rules_.down_write());
  EXPECT_FALSE(rules_.down_read());
  EXPECT_FALSE(rules_.may_spin_to_read(false));
  EXPECT_TRUE(rules_.may_spin_to_read(true));
  EXPECT_EQ(spin(1, LockMode::read), Spin::on_writer);
  EXPECT_EQ(rules_.spin(false), Spin::give_up);
  EXPECT_THAT(rules_.spinners(), IsEmpty());
}

TEST_F(ReaderSpinRules, ASpinningReaderGetsInPastAWriterThatQueuesAlsoBesideReaders) {
  ASSERT_TRUE(rules_.down_read());
  ASSERT_EQ(queue_write(1), Try::sleep);
  EXPECT_FALSE(rules_.down_read());
  ASSERT_TRUE(rules_.may_spin_to_read(true));
  EXPECT_EQ(spin(2, LockMode::read), Spin::taken);
  EXPECT_EQ(rules_.readers(), 2U);
}

TEST_F(ReaderSpinRules, AReaderThatDoesNotSpinQueuesBehindAWriterAlthoughNobodyHoldsIt) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  up_write();
  EXPECT_EQ(queue_read(2), Read::queued);
  EXPECT_EQ(wakes_.to_try, 1);
}

TEST_F(ReaderSpinRules, SpinnersOfBothModesStandInOneLine) {
  ASSERT_TRUE(rules_.down_write());
  rules_.join_spinners(1, LockMode::read);
  rules_.join_spinners(2, LockMode::read);
  rules_.join_spinners(3, LockMode::write);
  rules_.join_spinners(4, LockMode::read);
  ASSERT_FALSE(rules_.release_write());
  EXPECT_EQ(rules_.let_spinner_in(), 1);
  EXPECT_EQ(rules_.let_spinner_in(), 2);
  EXPECT_EQ(rules_.let_spinner_in(), std::nullopt);
  EXPECT_EQ(rules_.spin(true), Spin::on_readers);
  EXPECT_EQ(rules_.readers(), 2U);
}

TEST_F(ReaderSpinRules, AReaderThatGotItBySpinningBringsTheReadersOfAQueueThatAReaderHeads) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_read(1), Read::queued);
  ASSERT_EQ(queue_write(2), Try::sleep);
  ASSERT_EQ(queue_read(3), Read::queued);
  rules_.join_spinners(4, LockMode::read);
  ASSERT_TRUE(rules_.release_write());
  ASSERT_EQ(rules_.let_spinner_in(), 4);
  wakes_ = {};
  rules_.wake_readers(wakes_);
  EXPECT_THAT(wakes_.granted, ElementsAre(1, 3));
}

TEST_F(ReaderSpinRules, UnderAHandoffNoSpinnerGetsIn) {
  ASSERT_TRUE(rules_.down_read());
  ASSERT_EQ(queue_write(1), Try::sleep);
  ASSERT_EQ(rules_.try_queued_write(1, kLate), Try::spin_on_owner);
  EXPECT_EQ(spin(2, LockMode::read), Spin::on_nobody);
  up_read();
  EXPECT_FALSE(rules_.spinner_is_ready());
  EXPECT_EQ(rules_.try_queued_write(1, kLate), Try::taken);
}

TEST_F(ReaderSpinRules, AWriterThatHasTheHandoffSpinsOnTheOwnerUnlessABitIsSet) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  EXPECT_EQ(rules_.try_queued_write(1, kLate), Try::spin_on_owner);
  up_write();
  ASSERT_EQ(rules_.try_queued_write(1, kLate), Try::taken);
  rules_.downgrade_write(wakes_);
  expire();
  ASSERT_EQ(queue_write(2), Try::sleep);
  up_read();
  ASSERT_EQ(rules_.try_queued_write(2, kEarly), Try::taken);
  ASSERT_EQ(queue_write(3), Try::sleep);
  EXPECT_EQ(rules_.try_queued_write(3, kLate), Try::sleep);
  EXPECT_TRUE(rules_.handoff());
}

TEST_F(ReaderSpinRules, AReaderThatSpunInVainTriesOnceMoreIfReadersHaveGotInMeanwhile) {
  ASSERT_TRUE(rules_.down_write());
  const auto seen = rules_.seen();
  EXPECT_FALSE(rules_.reader_phase_trylock(seen));
  rules_.downgrade_write(wakes_);
  EXPECT_TRUE(rules_.reader_phase_trylock(seen));
  EXPECT_EQ(rules_.readers(), 2U);
  // Those who hold it are those whom it has seen.
  EXPECT_FALSE(rules_.reader_phase_trylock(rules_.seen()));
}

TEST_F(ReaderSpinRules, AWriterThatSpinsOnReadersInVainStopsWritersUntilTheyAreGoneAndReadersForLonger) {
  ASSERT_TRUE(rules_.down_read());
  expire();
  EXPECT_FALSE(rules_.may_spin(true));
  EXPECT_FALSE(rules_.may_spin_to_read(true));
  ASSERT_EQ(queue_write(1), Try::sleep);
  up_read();
  EXPECT_TRUE(rules_.may_spin(true));
  EXPECT_FALSE(rules_.may_spin_to_read(true));
}

TEST_F(ReaderSpinRules, AWriterThatQueuedUnderEitherBitHandsTheReadersBitOn) {
  ASSERT_TRUE(rules_.down_read());
  expire();
  ASSERT_EQ(queue_write(1), Try::sleep);
  up_read();
  ASSERT_EQ(rules_.try_queued_write(1, kEarly), Try::taken);
  EXPECT_FALSE(rules_.may_spin_to_read(true));
  EXPECT_TRUE(rules_.may_spin(true));
  // With the writer it goes, unless somebody queued under it.
  up_write();
  EXPECT_TRUE(rules_.may_spin_to_read(true));
}

TEST_F(ReaderSpinRules, AReaderThatQueuedUnderTheReadersBitHandsItOnWhenItIsGrantedIt) {
  ASSERT_TRUE(rules_.down_read());
  expire();
  ASSERT_EQ(queue_write(1), Try::sleep);
  up_read();
  ASSERT_EQ(rules_.try_queued_write(1, kEarly), Try::taken);
  ASSERT_EQ(queue_read(2), Read::queued);
  up_write();
  EXPECT_THAT(wakes_.granted, ElementsAre(2));
  EXPECT_TRUE(rules_.readers_nonspinnable());
  EXPECT_FALSE(rules_.nonspinnable());
}

TEST_F(ReaderSpinRules, AWriterThatTakesItAtOnceEndsTheReadersBit) {
  ASSERT_TRUE(rules_.down_read());
  expire();
  up_read();
  EXPECT_TRUE(rules_.readers_nonspinnable());
  ASSERT_TRUE(rules_.down_write());
  EXPECT_TRUE(rules_.may_spin_to_read(true));
}

TEST_F(ReaderSpinRules, ANewReaderKeepsTheReadersBitAndClearsTheWriters) {
  ASSERT_TRUE(rules_.down_read());
  expire();
  ASSERT_TRUE(rules_.down_read());
  EXPECT_TRUE(rules_.readers_nonspinnable());
  EXPECT_FALSE(rules_.nonspinnable());
  // Under the readers' bit neither is set again.
  expire();
  EXPECT_FALSE(rules_.nonspinnable());
}

TEST_F(ReaderSpinRules, AWakeUpLetsReadersInPastWritersUpTo256) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_read(0), Read::queued);
  ASSERT_EQ(queue_write(-1), Try::sleep);
  for (int reader = 1; reader < 300; ++reader) ASSERT_EQ(queue_read(reader), Read::queued);
  up_write();
  EXPECT_EQ(wakes_.granted.size(), 256U);
  // Only who finds the queue empty wakes beside readers.
  EXPECT_EQ(queue_read(300), Read::queued);
  EXPECT_THAT(wakes_.granted, IsEmpty());
}

TEST_F(ReaderSpinRules, ADowngradeWakesNobodyIfAWriterHeadsTheQueue) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  ASSERT_EQ(queue_read(2), Read::queued);
  wakes_ = {};
  rules_.downgrade_write(wakes_);
  EXPECT_THAT(wakes_.granted, IsEmpty());
  EXPECT_EQ(wakes_.to_try, std::nullopt);
}

using Exploration = tests::Exploration<ReaderSpinRwsem<std::size_t>, false>;

TEST(ReaderSpinRulesInAllHistories, FewerTasksKeepTheRules) { tests::explore_fewer_tasks<Exploration>(true, true); }

TEST(ReaderSpinRulesInAllHistories, FourTasksWithTwoSectionsKeepTheRules) {
  const Exploration exploration({4, 2, true, true});
  RecordProperty("situations", std::to_string(exploration.situations()));
  EXPECT_GT(exploration.situations(), 100'000U);
  EXPECT_GT(exploration.handoffs(), 0U);
  EXPECT_GT(exploration.steals(), 0U);
  EXPECT_GT(exploration.write_spins(), 0U);
  EXPECT_GT(exploration.read_spins(), 0U);
  EXPECT_GT(exploration.second_tries(), 0U);
}

TEST(ReaderSpinRulesInAllHistories, BeforeTheTimeoutNobodyAsksForAHandoff) {
  EXPECT_EQ(Exploration({4, 1, true, false}).handoffs(), 0U);
}

}  // namespace
}  // namespace models::rwsem_reader_spin_test
