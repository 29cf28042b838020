// What a class loses, by each of the three measures, on results that nobody simulated.
#include "experiments/explain/class_change.h"

#include <gtest/gtest.h>

#include <cmath>

#include "experiments/base/judgement.h"
#include "tests/support/synthetic_result.h"

namespace experiments::class_change_test {
namespace {

using namespace std::chrono_literals;
using tests::both;
using tests::result_of;
using tests::waited;
using tests::worked;

std::vector<models::Result> faults(const std::vector<models::Samples>& replications) {
  std::vector<models::Result> results;
  for (const models::Samples& samples : replications)
    results.push_back(result_of({{"faulter", {{models::Phase::idle, samples}}}}));
  return results;
}

TEST(TailChange, IsOfTheHighestPercentileThatEveryReplicationCanTell) {
  const auto many = faults({worked(20'000, 1us), worked(20'000, 1us)});
  const auto fewer = faults({worked(20'000, 10us), worked(2'000, 10us)});
  EXPECT_EQ(tail_change(many, many, "faulter")->statistic.name, "p99.9");
  EXPECT_EQ(tail_change(many, fewer, "faulter")->statistic.name, "p99");
  EXPECT_EQ(tail_change(many, faults({worked(3, 1us), worked(3, 1us)}), "faulter")->statistic.name, "max");
}

TEST(TailChange, RatiosArePairedBySeed) {
  // 2 times and 8 times longer: 4 times, in the geometric mean.
  const auto change =
      tail_change(faults({worked(3, 1us), worked(3, 4us)}), faults({worked(3, 2us), worked(3, 32us)}), "faulter");
  ASSERT_TRUE(change);
  EXPECT_NEAR(change->ratio, 4, 0.01);
  EXPECT_NEAR(change->before, 2'500, 5);
  EXPECT_NEAR(change->after, 17'000, 20);
  ASSERT_TRUE(change->difference);
  EXPECT_LT(change->difference->low, 0) << "two seeds that differ that much show nothing";
}

TEST(TailChange, ThereIsNoneWithoutSamples) {
  EXPECT_FALSE(tail_change(faults({worked(3, 1us)}), faults({{}}), "faulter"));
  EXPECT_FALSE(tail_change(faults({worked(3, 1us)}), faults({worked(3, 1us)}), "nobody"));
}

// Twenty of four thousand: p99 does not see them, and so it is the longest that counts.
TEST(Suffering, IsSeenInAFewRequestsOfThousands) {
  const auto alone = faults({worked(4'000, 1us)});
  const auto together = faults({both(worked(3'980, 1us), waited(20, 2s, {}))});
  const auto suffers = suffering(alone, together, "faulter");
  ASSERT_TRUE(suffers);
  EXPECT_EQ(suffers->by, Loss::longest);
  EXPECT_EQ(suffers->statistic.name, "longest");
  EXPECT_DOUBLE_EQ(suffers->after, 2e9);
  EXPECT_DOUBLE_EQ(suffers->before, 1'000);
}

TEST(Suffering, ByItsTailComesFirst) {
  const auto suffers =
      suffering(faults({worked(4'000, 1us)}), faults({both(worked(3'900, 1us), waited(100, 2s, {}))}), "faulter");
  ASSERT_TRUE(suffers);
  EXPECT_EQ(suffers->by, Loss::tail);
  EXPECT_EQ(suffers->statistic.name, "p99");
}

// Of a millisecond, a hundred times what is usual, three times what it is alone: each is needed.
TEST(Suffering, AStallIsNoneThatIsUsual) {
  const auto with_longest = [](sim::Nanoseconds usual, sim::Nanoseconds longest) {
    return faults({both(worked(4'000, usual), worked(1, longest))});
  };
  const auto alone = with_longest(1us, 100us);
  EXPECT_TRUE(suffering(alone, with_longest(1us, 1ms), "faulter"));
  EXPECT_FALSE(suffering(alone, with_longest(1us, 999us), "faulter"));
  EXPECT_FALSE(suffering(with_longest(20us, 100us), with_longest(20us, 1ms), "faulter"));
  EXPECT_FALSE(suffering(with_longest(1us, 400us), with_longest(1us, 1ms), "faulter"));
}

TEST(Suffering, WhatTheWarmUpLeavesOutCounts) {
  auto together = faults({worked(4'000, 1us)});
  together.front().classes.front().longest_warm_up.emplace().latency = 7s;
  const auto suffers = suffering(faults({worked(4'000, 1us)}), together, "faulter");
  ASSERT_TRUE(suffers);
  EXPECT_DOUBLE_EQ(suffers->after, 7e9);
}

TEST(Suffering, WhatHadNoAnswerCounts) {
  auto together = faults({worked(4'000, 1us)});
  together.front().classes.front().longest_cut_off = 12s;
  EXPECT_DOUBLE_EQ(suffering(faults({worked(4'000, 1us)}), together, "faulter")->after, 12e9);
}

/// 100 ms in each second of one thread, in waits of 10 us.
TEST(Suffering, IsSeenInWhatManyShortWaitsComeTo) {
  auto together = faults({both(worked(90'000, 10us), waited(10'000, 10us, {}))});
  const auto suffers = suffering(faults({worked(90'000, 10us)}), together, "faulter");
  ASSERT_TRUE(suffers);
  EXPECT_EQ(suffers->by, Loss::lost);
  EXPECT_NEAR(suffers->after, 1e8, 1);
  EXPECT_TRUE(std::isinf(suffers->ratio));
}

// A tail six times as long, and one that took a second: it is the second that somebody came for.
TEST(Suffering, AStallCountsMoreThanATailThatIsSomewhatLong) {
  const auto together = faults({both(both(worked(3'900, 1us), worked(99, 6us)), waited(1, 1s, {}))});
  const auto suffers = suffering(faults({worked(4'000, 1us)}), together, "faulter");
  ASSERT_TRUE(suffers);
  EXPECT_EQ(suffers->by, Loss::longest);
  EXPECT_DOUBLE_EQ(suffers->after, 1e9);
}

// What one seed of three has seen is the longest of all, before and after; the others take nothing away from it.
TEST(ClassChange, TheLongestIsThatOfAllSeeds) {
  const auto quiet = worked(4'000, 1us);
  const auto before = faults({quiet, both(worked(3'999, 1us), waited(1, 400ms, {})), quiet});
  const auto suffers = suffering(faults({quiet, quiet, quiet}), before, "faulter");
  ASSERT_TRUE(suffers);
  EXPECT_DOUBLE_EQ(suffers->after, 4e8);
  const auto cured = change_by(Loss::longest, before, faults({quiet, quiet, quiet}), "faulter");
  ASSERT_TRUE(cured);
  EXPECT_EQ(cured->kind(), Change::shorter);
  EXPECT_FALSE(cured->difference);
}

TEST(ClassChange, NothingLeftIsLessThanAnythingLeft) {
  models::Result waits = result_of({{"locker", {}}});
  models::LockResult lock;
  lock.statistics.asked[{0, models::Phase::munlock, models::LockMode::write}].wait.record(28ms);
  const models::Result none = waits;
  waits.locks.push_back(lock);
  EXPECT_DOUBLE_EQ(change_by(Loss::longest, {waits}, {none}, "locker")->ratio, 0);
}

models::Result of_locker(sim::Nanoseconds call, sim::Nanoseconds wait, sim::Nanoseconds lost) {
  models::Result result = result_of({{"locker", {}}});
  models::ClassResult& locker = result.classes.front();
  locker.locker = true;
  locker.calls["munlock"].duration.record(call);
  locker.time[static_cast<std::size_t>(models::Cause::lock_wait)] = lost;
  locker.time[static_cast<std::size_t>(models::Cause::cpu)] = 1s - lost;
  models::LockResult lock;
  lock.process = "db";
  lock.statistics.asked[{0, models::Phase::munlock, models::LockMode::write}].wait.record(wait);
  result.locks.push_back(lock);
  return result;
}

TEST(Suffering, ALockerSuffersWhereItsCallIsMostlyWaiting) {
  const auto suffers = suffering({of_locker(60ms, 40ms, 40ms)}, "locker");
  ASSERT_TRUE(suffers);
  EXPECT_EQ(suffers->by, Loss::longest);
  EXPECT_DOUBLE_EQ(suffers->after, 4e7);
  EXPECT_FALSE(suffering({of_locker(61ms, 40ms, 40ms)}, "locker"));
  EXPECT_EQ(suffering({of_locker(500ms, 40ms, 60ms)}, "locker")->by, Loss::lost);
  EXPECT_FALSE(suffering({of_locker(1ms, 900us, 900us)}, "locker")) << "less than a millisecond";
  models::Result beside_another = of_locker(65ms, 64ms, 10ms);
  beside_another.classes.front().calls["mlock"].duration.record(10s);
  EXPECT_TRUE(suffering({beside_another}, "locker")) << "a longer call of another kind is no excuse";
}

}  // namespace
}  // namespace experiments::class_change_test
