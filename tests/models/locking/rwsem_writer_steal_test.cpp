// The rules of 3.10, free of tasks and costs: one by one, and in all their histories.
#include "models/locking/rwsem_writer_steal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <optional>

#include "tests/models/locking/rwsem_exploration.h"

namespace models::rwsem_writer_steal_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using tests::kEarly;
using tests::kLate;

using Rules = WriterStealRwsem<int>;
using Wakes = Rules::Wakes;
using Read = Rules::Read;
using Try = Rules::Try;

class WriterStealRules : public testing::Test {
 protected:
  Read down_read(int task) {
    wakes_ = {};
    return rules_.down_read(task, kEarly, wakes_);
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

  Rules rules_;
  Wakes wakes_;
};

TEST_F(WriterStealRules, AReleaseWakesTheWriterAtTheHeadWithoutGrantingAnything) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  up_write();
  EXPECT_EQ(wakes_.to_try, 1);
  EXPECT_FALSE(rules_.write_held());
  EXPECT_EQ(rules_.try_queued_write(1, kEarly), Try::taken);
  EXPECT_EQ(rules_.queue_length(), 0U);
}

TEST_F(WriterStealRules, AWriterThatComesStealsWhatNobodyHolds) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  up_write();
  EXPECT_FALSE(rules_.down_write());
  EXPECT_EQ(queue_write(2), Try::taken);
  EXPECT_EQ(rules_.try_queued_write(1, kLate), Try::sleep);
  EXPECT_EQ(rules_.head(), 1);
}

TEST_F(WriterStealRules, AWriterThatComesDoesNotStealFromReaders) {
  ASSERT_EQ(down_read(1), Read::taken);
  EXPECT_EQ(queue_write(2), Try::sleep);
}

TEST_F(WriterStealRules, AReaderStealsNothingEvenIfNobodyHoldsIt) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  up_write();
  EXPECT_EQ(down_read(2), Read::queued);
  EXPECT_EQ(wakes_.to_try, 1);
  EXPECT_THAT(wakes_.granted, IsEmpty());
}

TEST_F(WriterStealRules, ReadersAreGrantedItUpToTheFirstWriter) {
  ASSERT_TRUE(rules_.down_write());
  for (const int reader : {1, 2}) ASSERT_EQ(down_read(reader), Read::queued);
  ASSERT_EQ(queue_write(3), Try::sleep);
  ASSERT_EQ(down_read(4), Read::queued);
  up_write();
  EXPECT_THAT(wakes_.granted, ElementsAre(1, 2));
  EXPECT_EQ(wakes_.to_try, std::nullopt);
  up_read();
  EXPECT_EQ(wakes_.to_try, std::nullopt);
  up_read();
  EXPECT_EQ(wakes_.to_try, 3);
}

TEST_F(WriterStealRules, AnyNumberOfReadersEntersAtOnce) {
  ASSERT_TRUE(rules_.down_write());
  for (int reader = 0; reader < 1000; ++reader) ASSERT_EQ(down_read(reader), Read::queued);
  up_write();
  EXPECT_EQ(rules_.readers(), 1000U);
}

TEST_F(WriterStealRules, ReadersStayQueuedIfAWriterWasFaster) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(down_read(1), Read::queued);
  ASSERT_TRUE(rules_.release_write());
  ASSERT_EQ(queue_write(2), Try::taken);
  wakes_ = {};
  rules_.wake(kLate, wakes_);
  EXPECT_THAT(wakes_.granted, IsEmpty());
  EXPECT_EQ(wakes_.to_try, std::nullopt);
  up_write();
  EXPECT_THAT(wakes_.granted, ElementsAre(1));
}

TEST_F(WriterStealRules, ADowngradeLetsTheReadersAtTheHeadInAndNobodyPastAWriter) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(down_read(1), Read::queued);
  ASSERT_EQ(queue_write(2), Try::sleep);
  ASSERT_EQ(down_read(3), Read::queued);
  rules_.downgrade_write(wakes_);
  EXPECT_THAT(wakes_.granted, ElementsAre(1));
  EXPECT_EQ(down_read(4), Read::queued);
  EXPECT_EQ(rules_.readers(), 2U);
}

TEST_F(WriterStealRules, NothingBoundsHowOftenAQueuedWriterIsPassedOver) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  for (int passed_over = 0; passed_over < 10'000; ++passed_over) {
    ASSERT_TRUE(rules_.release_write());
    ASSERT_EQ(queue_write(2), Try::taken);
    ASSERT_EQ(rules_.try_queued_write(1, kLate), Try::sleep);
  }
}

using Exploration = tests::Exploration<WriterStealRwsem<std::size_t>, true>;

TEST(WriterStealRulesInAllHistories, FewerTasksKeepTheRules) { tests::explore_fewer_tasks<Exploration>(true, false); }

TEST(WriterStealRulesInAllHistories, FourTasksWithThreeSectionsKeepTheRules) {
  const Exploration exploration({4, 3, true, false});
  RecordProperty("situations", std::to_string(exploration.situations()));
  EXPECT_GT(exploration.situations(), 10'000U);
  EXPECT_GT(exploration.steals(), 0U);
}

}  // namespace
}  // namespace models::rwsem_writer_steal_test
