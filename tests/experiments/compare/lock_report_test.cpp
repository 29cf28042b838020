#include "experiments/compare/lock_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/synthetic_result.h"

namespace experiments::lock_report_test {
namespace {

using namespace std::chrono_literals;
using models::LockMode;
using models::Phase;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using tests::result_of;

models::Result mapper_that_waited(std::initializer_list<sim::Nanoseconds> waits) {
  models::Result result = result_of({{"mapper", {}}});
  models::LockResult lock;
  lock.process = "db";
  auto& asked = lock.statistics.asked[{0, Phase::munmap, LockMode::write}];
  asked.acquisitions = 100;
  for (const sim::Nanoseconds wait : waits) asked.wait.record(wait);
  lock.statistics.hold[{0, Phase::munmap, LockMode::write}].record(3us);
  result.locks.push_back(lock);
  return result;
}

TEST(LockReport, ShowsHowOftenAndHowLongEachClassWaitedAndHeldInWhichCall) {
  const std::string text = lock_report(mapper_that_waited({1us, 3us, 7s}), 80);
  EXPECT_THAT(text, HasSubstr("mmap_sem of db"));
  EXPECT_THAT(text, HasSubstr("    mapper write munmap            100        3   7.00 s   2.33 s   7.00 s\n"));
  EXPECT_THAT(text, HasSubstr("waits: 1 from 512 ns, 1 from 2.05 us, 1 from 4.29 s"));
  EXPECT_THAT(text, HasSubstr("    mapper write munmap              1           3.00 us  3.00 us  3.00 us\n"));
}

TEST(LockReport, ShowsThoseWhoWaitedStill) {
  models::Result result = mapper_that_waited({});
  auto& asked = result.locks.front().statistics.asked.begin()->second;
  asked.waiting = 2;
  asked.longest_waiting = 12s;
  const std::string text = lock_report(result, 80);
  EXPECT_THAT(text, HasSubstr("       100        2        -        -   12.0 s\n"));
  EXPECT_THAT(text, HasSubstr("2 waited still when the run ended, the longest for 12.0 s"));
}

TEST(LockReport, FitsItsWidth) {
  std::istringstream lines(
      lock_report(mapper_that_waited({1ns, 3ns, 10ns, 100ns, 1us, 10us, 100us, 1ms, 10ms, 7s}), 80));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(LockReport, NamesAMutex) {
  models::Result result = mapper_that_waited({1us});
  result.locks.front().mutex = "heap_lock";
  EXPECT_THAT(lock_report(result, 80), HasSubstr("The mutex heap_lock of db"));
}

models::Policy kernel(int version, int patch_level) {
  models::Policy policy;
  policy.kernel = models::KernelVersion{version, patch_level};
  return policy;
}

TEST(Watchdog, ReportsWhoCannotBeKilled) {
  const models::Result stuck = mapper_that_waited({250s});
  EXPECT_THAT(watchdog_report(kernel(4, 6), stuck),
              HasSubstr("mapper blocked for more than 120 seconds: 250 s in munmap"));
  EXPECT_THAT(watchdog_report(kernel(4, 7), stuck), IsEmpty()) << "munmap waits killably since 4.7";
  EXPECT_THAT(watchdog_report(models::Policy{}, stuck), Not(IsEmpty())) << "of no version";
}

TEST(Watchdog, MayMissWhatLastsForLessThanTwoOfItsRounds) {
  EXPECT_THAT(watchdog_report(kernel(4, 6), mapper_that_waited({120s})), IsEmpty());
  EXPECT_THAT(watchdog_report(kernel(4, 6), mapper_that_waited({121s})), HasSubstr("(if its round came)"));
}

}  // namespace
}  // namespace experiments::lock_report_test
