#include "experiments/compare/autopsy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/manual/manual_page.h"
#include "tests/support/synthetic_result.h"

namespace experiments::autopsy_test {
namespace {

using namespace std::chrono_literals;
using models::Cause;
using models::LockBlame;
using models::LockMode;
using models::Phase;
using models::WorstRequest;
using testing::HasSubstr;

sim::Time at(sim::Nanoseconds time) { return sim::Time{time}; }

// A fault that stands behind a mapper, then waits for a locker who reclaims, and is woken.
WorstRequest long_fault() {
  const LockBlame convoy{0, Phase::mlock_populate, LockMode::read, 2};
  const LockBlame reclaiming{0, Phase::mlock_populate, LockMode::write, -1, Cause::direct_reclaim};
  WorstRequest fault{"faulter.1", at(2s), 4s, Phase::mlock_populate, {}, {}};
  fault.steps = {{at(2s), at(3s), Cause::lock_wait, convoy},
                 {at(3s), at(5900ms), Cause::lock_wait, reclaiming},
                 {at(5900ms), at(6s), Cause::wake_up, std::nullopt}};
  fault.rest[static_cast<std::size_t>(Cause::cpu)] = 2us;
  return fault;
}

models::Result result_with(const std::vector<WorstRequest>& faults, const std::vector<WorstRequest>& reads) {
  models::Result result = tests::result_of({{"locker", {}}, {"faulter", {}}, {"mapper", {}}, {"ps", {}}});
  result.classes[1].worst = faults;
  result.classes[3].worst = reads;
  return result;
}

TEST(Autopsy, TellsWhatARequestWaitedForInOrder) {
  EXPECT_EQ(autopsy(result_with({long_fault()}, {}), 1),
            "The longest request: what it went through, and from when on\n"
            "  1. faulter.1: 4.00 s, due at 2.00 s during mlock.populate\n"
            "        +0 ns        1.00 s  stands behind mapper, who wants mmap_sem for write,\n"
            "                             held for read by locker in mlock.populate\n"
            "        +1.00 s      2.90 s  waits for mmap_sem, held for write by locker in\n"
            "                             mlock.populate, who reclaims memory for itself\n"
            "        +3.90 s      100 ms  is being woken\n"
            "        and shorter ones: 2.00 us cpu\n");
}

TEST(Autopsy, SaysWhoHasTheCpuThatAHolderWaitsFor) {
  const LockBlame preempted{3, Phase::idle, LockMode::read, -1, Cause::run_queue, 2};
  const LockBlame throttled{3, Phase::idle, LockMode::read, -1, Cause::throttled};
  WorstRequest fault{"faulter.0", at(0s), 4s, Phase::idle, {}, {}};
  fault.steps = {{at(0s), at(3s), Cause::lock_wait, preempted}, {at(3s), at(4s), Cause::lock_wait, throttled}};
  const std::string text = joined_lines(autopsy(result_with({fault}, {}), 1));
  EXPECT_THAT(text, HasSubstr("held for read by ps in idle, who waits for the CPU that mapper has taken"));
  EXPECT_THAT(text, HasSubstr("held for read by ps in idle, who is throttled: its group has used up its quota"));
}

TEST(Autopsy, TakesTheLongestOfAllClassesTheLongestFirst) {
  const WorstRequest longer{"ps.0", at(1s), 5s, Phase::idle, {}, {}};
  const WorstRequest shorter{"ps.0", at(9s), 3s, Phase::idle, {}, {}};
  const std::string text = autopsy(result_with({long_fault()}, {longer, shorter}), 2);
  EXPECT_THAT(text, HasSubstr("  1. ps.0: 5.00 s"));
  EXPECT_THAT(text, HasSubstr("  2. faulter.1: 4.00 s"));
  EXPECT_THAT(text, testing::Not(HasSubstr("3.00 s,")));
}

TEST(Autopsy, IsContentWithFewerThanItWasAskedFor) {
  EXPECT_EQ(autopsy(result_with({}, {}), 10), "Nobody made a request.\n");
  EXPECT_THAT(autopsy(result_with({long_fault()}, {}), 10), HasSubstr("The longest request:"));
}

TEST(Autopsy, HasWordsForEveryCause) {
  WorstRequest request{"faulter.0", at(0s), 8s, Phase::idle, {}, {}};
  for (std::size_t cause = 0; cause < models::kCauseCount; ++cause) {
    const auto begin = at(static_cast<std::int64_t>(cause) * 1s);
    request.steps.push_back({begin, begin + 1s, static_cast<Cause>(cause), std::nullopt});
  }
  const std::string text = autopsy(result_with({request}, {}), 1);
  for (const char* words :
       {"works", "waits for a CPU", "is throttled", "is being woken", "waits for a lock", "reclaims memory",
        "waits for reclaim to make progress", "waits for the device", "sleeps", "is interrupted"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
}

}  // namespace
}  // namespace experiments::autopsy_test
