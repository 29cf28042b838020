// The rules of 3.16 to 5.2, free of tasks and costs: what spinning adds to those of 3.10
// (rwsem_writer_steal_test.cpp), and all histories.
#include "models/locking/rwsem_writer_spin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <optional>

#include "tests/models/locking/rwsem_exploration.h"

namespace models::rwsem_writer_spin_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using tests::kEarly;
using tests::kLate;

using Rules = WriterSpinRwsem<int>;
using Wakes = Rules::Wakes;
using Read = Rules::Read;
using Spin = Rules::Spin;
using Try = Rules::Try;

TEST(WriterSpinRules, AWriterSpinsOnAWriterThatRuns) {
  Rules rules;
  ASSERT_TRUE(rules.down_write());
  EXPECT_FALSE(rules.may_spin(false));
  ASSERT_TRUE(rules.may_spin(true));
  rules.join_spinners(1);
  EXPECT_EQ(rules.spin(true), Spin::on_writer);
  EXPECT_EQ(rules.spin(false), Spin::give_up);
  EXPECT_THAT(rules.spinners(), IsEmpty());
}

TEST(WriterSpinRules, NobodySpinsOnReaders) {
  Rules rules;
  Wakes wakes;
  ASSERT_TRUE(rules.down_write());
  rules.join_spinners(1);
  rules.downgrade_write(wakes);
  EXPECT_FALSE(rules.may_spin(true));
  EXPECT_FALSE(rules.spinner_is_ready());
  EXPECT_EQ(rules.spin(true), Spin::give_up);
}

TEST(WriterSpinRules, TheFirstSpinnerGetsAheadOfTheQueueAndNothingBoundsHowOften) {
  Rules rules;
  Wakes wakes;
  ASSERT_TRUE(rules.down_write());
  ASSERT_EQ(rules.queue_write(1, kEarly, wakes), Try::sleep);
  for (int passed_over = 0; passed_over < 10'000; ++passed_over) {
    for (const int spinner : {2, 3}) rules.join_spinners(spinner);
    ASSERT_TRUE(rules.release_write());
    ASSERT_EQ(rules.let_spinner_in(), 2);
    ASSERT_EQ(rules.let_spinner_in(), std::nullopt);
    rules.wake(kLate, wakes);
    ASSERT_EQ(wakes.to_try, 1);
    ASSERT_EQ(rules.try_queued_write(1, kLate), Try::sleep);
    rules.leave_spinners(3);
  }
}

TEST(WriterSpinRules, AReaderQueuesBehindAWaiterAndIsNotHandedIt) {
  Rules rules;
  Wakes wakes;
  ASSERT_TRUE(rules.down_write());
  ASSERT_EQ(rules.down_read(1, kEarly, wakes), Read::queued);
  rules.join_spinners(2);
  ASSERT_TRUE(rules.release_write());
  ASSERT_EQ(rules.let_spinner_in(), 2);
  rules.wake(kLate, wakes);
  EXPECT_THAT(wakes.granted, IsEmpty());
  ASSERT_TRUE(rules.release_write());
  rules.wake(kLate, wakes);
  EXPECT_THAT(wakes.granted, ElementsAre(1));
}

using Exploration = tests::Exploration<WriterSpinRwsem<std::size_t>, true>;

TEST(WriterSpinRulesInAllHistories, FewerTasksKeepTheRules) { tests::explore_fewer_tasks<Exploration>(true, false); }

TEST(WriterSpinRulesInAllHistories, FourTasksWithThreeSectionsKeepTheRules) {
  const Exploration exploration({4, 3, true, false});
  RecordProperty("situations", std::to_string(exploration.situations()));
  EXPECT_GT(exploration.situations(), 10'000U);
  EXPECT_GT(exploration.steals(), 0U);
  EXPECT_GT(exploration.write_spins(), 0U);
}

TEST(WriterSpinRulesInAllHistories, WithoutSpinningTheyAreThoseOf3_10) {
  const Exploration exploration({4, 2, false, false});
  EXPECT_EQ(exploration.write_spins(), 0U);
  EXPECT_EQ(exploration.situations(),
            (tests::Exploration<WriterStealRwsem<std::size_t>, true>({4, 2, false, false}).situations()));
}

}  // namespace
}  // namespace models::rwsem_writer_spin_test
