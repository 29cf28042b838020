#include "experiments/compare/stalls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/synthetic_result.h"

namespace experiments::stalls_test {
namespace {

using namespace std::chrono_literals;
using models::Cause;
using models::LockMode;
using models::Phase;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::result_of;
using tests::worked;

Comparison comparison_of(const models::Result& result) {
  return {tests::scenario_of({tests::write_held()}), {{result}}};
}

// A mapper whose longest that counts is 20 us, and 7 s before that.
models::Result hidden(sim::Nanoseconds latency) {
  models::Result result = result_of({{"populate", {}}, {"mapper", {{Phase::idle, worked(100, 20us)}}}});
  result.warm_up = 6s;
  models::WorstRequest request;
  request.task = "mapper.0";
  request.latency = latency;
  request.steps = {{sim::Time{}, sim::Time{latency}, Cause::lock_wait,
                    models::LockBlame{.holder = 0, .phase = Phase::madvise, .mode = LockMode::read}}};
  result.classes.back().longest_warm_up = request;
  return result;
}

TEST(HiddenStalls, OfTheWarmUpAreToldWithWhatTheyWaitedFor) {
  const std::string text = hidden_stalls(comparison_of(hidden(7s)));
  EXPECT_THAT(text, HasSubstr("Before measuring began\nDue in the first 6.00 s"));
  EXPECT_THAT(text, HasSubstr("warm_up: none"));
  EXPECT_THAT(text, HasSubstr("mapper 7.00 s: waits for mmap_sem, held for read by populate in madvise"));
  EXPECT_THAT(text, HasSubstr("the longest that counts"));
}

TEST(HiddenStalls, AreFarLongerThanAllThatCountsAndAMillisecond) {
  EXPECT_THAT(hidden_stalls(comparison_of(hidden(900us))), IsEmpty());
  models::Result counted = hidden(7s);
  counted.classes.back().during[Phase::mlock] = worked(1, 8s);
  EXPECT_THAT(hidden_stalls(comparison_of(counted)), IsEmpty());
  counted.classes.back().during[Phase::mlock] = worked(1, 5s);
  EXPECT_THAT(hidden_stalls(comparison_of(counted)), IsEmpty()) << "much the same";
  counted.classes.back().during[Phase::mlock] = worked(1, 4s);
  EXPECT_THAT(hidden_stalls(comparison_of(counted)), HasSubstr("the longest that counts: 4.00 s"));
}

TEST(HiddenStalls, OfRequestsWithoutAnAnswerAreTold) {
  models::Result result = result_of({{"mapper", {{Phase::idle, worked(100, 20us)}}}});
  result.classes.front().longest_cut_off = 12s;
  EXPECT_THAT(hidden_stalls(comparison_of(result)),
              HasSubstr("mapper 12.0 s: due before the run ended, had no answer"));
}

TEST(HiddenStalls, OfALockerThatWaitsStillAreToldWithTheLock) {
  models::Result result = result_of({{"locker", {}}});
  models::LockResult lock;
  lock.process = "db";
  auto& waits = lock.statistics.asked[{0, Phase::munlock, LockMode::write}];
  waits.waiting = 1;
  waits.longest_waiting = 6s;
  result.locks.push_back(lock);
  EXPECT_THAT(hidden_stalls(comparison_of(result)),
              HasSubstr("locker 6.00 s: waited still in munlock for mmap_sem of"));
}

}  // namespace
}  // namespace experiments::stalls_test
