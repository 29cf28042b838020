// A lock of user space around system calls.
#include "models/workload/calls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "models/simulation.h"
#include "tests/support/in_child.h"

namespace models::calls_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using tests::check_in_child;
using Call = ScriptStep::Call;

constexpr std::int64_t kMiB = std::int64_t{1} << 20U;

// A munlock of 1 ms by a locker, and one that maps a page of its own in 1 us every 100 us, at CPUs of their own.
Scenario locker_and_mapper(const std::string& mutex_of_locker, const std::string& mutex_of_mapper) {
  Scenario scenario;
  scenario.machine.cpus = 4;
  scenario.machine.scheduler = {1ms, 0ns, 0ns};
  scenario.machine.costs.munlock_page = Constant{1000ns};
  scenario.machine.costs.mmap = scenario.machine.costs.munmap = Constant{1us};
  scenario.memory.size = Bytes(64 * kMiB);
  scenario.memory.free = Bytes(60 * kMiB);
  RegionSpec heap{"heap", Bytes(1000 * kPageSize)};
  heap.pages = RegionSpec::Pages::resident;
  heap.locked = true;
  ThreadSpec locker{"locker", 1, LockerSpec{"heap", {{Call::hold, 1ms}, {Call::munlock}}, 1}};
  locker.mutex = mutex_of_locker;
  ThreadSpec mapper{"mapper", 1, MapperSpec{Bytes(kPageSize), ClosedLoop{Constant{100us}}}};
  mapper.mutex = mutex_of_mapper;
  scenario.processes.push_back({"db", true, {}, {heap}, {locker, mapper}});
  scenario.duration = 10ms;
  scenario.warm_up = false;
  return scenario;
}

sim::Nanoseconds waited_for(const ClassResult& each, LockKind kind) {
  sim::Nanoseconds sum{};
  for (const auto& [blame, time] : each.lock_waits) {
    if (blame.lock == kind) sum += time;
  }
  return sum;
}

TEST(Mutex, KeepsTheOthersWaitingForAsLongAsTheCallLasts) {
  check_in_child([] {
    Policy downgrades;
    downgrades.munlock.mode = HoldMode::downgrade;
    const Result result = simulate(locker_and_mapper("heap_lock", "heap_lock"), downgrades, {});
    const ClassResult& mapper = result.classes.at(1);
    EXPECT_EQ(waited_for(mapper, LockKind::mmap_sem), 0ns) << "it is not let that far";
    EXPECT_GT(waited_for(mapper, LockKind::mutex), 900us);
    EXPECT_GT(mapper.longest(), 900us);
    for (const auto& [blame, time] : mapper.lock_waits) {
      EXPECT_EQ(blame.holder, 0);
      EXPECT_EQ(call_of(blame.phase), Phase::munlock);
    }
    ASSERT_EQ(result.locks.size(), 2U);
    EXPECT_EQ(result.locks.back().mutex, "heap_lock");
    const RwsemStatistics::Waits& waits = result.locks.back().statistics.asked.at({1, Phase::user, LockMode::write});
    EXPECT_EQ(waits.contended(), 1U);
    EXPECT_EQ(waits.lock_wait, waited_for(mapper, LockKind::mutex));
  });
}

TEST(Mutex, IsOfItsNameOnly) {
  check_in_child([] {
    const Result result = simulate(locker_and_mapper("heap_lock", "file_lock"), Policy{}, {});
    EXPECT_EQ(waited_for(result.classes.at(1), LockKind::mutex), 0ns);
    EXPECT_GT(waited_for(result.classes.at(1), LockKind::mmap_sem), 900us);
    EXPECT_EQ(result.locks.size(), 3U);
  });
}

// Who waits for mmap_sem with the mutex held hands its wait on: the third waits for the second, which waits for the
// first.
TEST(Mutex, AHolderThatWaitsForMmapSemIsWaitedFor) {
  check_in_child([] {
    Scenario scenario = locker_and_mapper("", "heap_lock");
    ThreadSpec third = scenario.processes.front().threads.back();
    third.name = "third";
    scenario.processes.front().threads.push_back(third);
    const Result result = simulate(scenario, Policy{}, {});
    sim::Nanoseconds handed_on{};
    for (const auto& each : {result.classes.at(1), result.classes.at(2)}) {
      for (const auto& [blame, time] : each.lock_waits) {
        if (blame.lock == LockKind::mutex && blame.doing == Cause::lock_wait) handed_on += time;
      }
    }
    EXPECT_GT(handed_on, 800us);
  });
}

TEST(SystemCalls, OfMappersAndMadvisersAreCountedByTheirNames) {
  check_in_child([] {
    Scenario scenario = locker_and_mapper("", "");
    scenario.processes.front().threads.push_back(
        {"gc", 1, MadviserSpec{"heap", Advice::normal, Bytes(kPageSize), ClosedLoop{Constant{1ms}}}});
    const Result result = simulate(scenario, Policy{}, {});
    const CallRecords& mapper = result.classes.at(1).calls;
    EXPECT_EQ(mapper.size(), 2U);
    EXPECT_EQ(mapper.at("mmap").duration.count() - mapper.at("munmap").duration.count(), 1U);
    EXPECT_EQ(mapper.at("mmap").duration.min(), 1us);
    EXPECT_EQ(mapper.at("mmap").pages, mapper.at("mmap").duration.count());
    EXPECT_EQ(result.classes.at(2).calls.count("madvise"), 1U);
    EXPECT_EQ(result.calls().count("mmap"), 0U) << "those of scripts only";
    EXPECT_EQ(result.calls().at("munlock").duration.count(), 1U);
  });
}

TEST(WarmUp, NoneCountsEverythingFromTheStart) {
  check_in_child([] {
    Scenario scenario = locker_and_mapper("", "");
    EXPECT_EQ(simulate(scenario, Policy{}, {}).classes.at(1).warm_up, 0U);
    scenario.warm_up = true;
    const Result result = simulate(scenario, Policy{}, {});
    EXPECT_EQ(result.classes.at(1).warm_up, 1U);
    ASSERT_TRUE(result.classes.at(1).longest_warm_up);
    EXPECT_EQ(result.classes.at(1).longest_warm_up->latency, 1us);
  });
}

}  // namespace
}  // namespace models::calls_test
