// Every branch of brk and of stack growth: lock operations and their lengths, map, pages and return value.
#include "models/mm/brk.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "models/mm/mmap.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::brk_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::check_pages;
using tests::map_of;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kFindVma = 100ns;
constexpr Nanoseconds kMerge = 7'000ns;
constexpr Nanoseconds kSystemCall = 100'000ns;
constexpr Nanoseconds kMmap = 5'000'000ns;
constexpr Nanoseconds kPage = 30'000'000ns;  // populate: that it is mlocked adds nothing
constexpr Nanoseconds kFault = 900'000'000ns;

SmallMachineSpec machine(HoldMode grow, bool stepwise = false) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.policy.grow.mode = grow;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.find_vma = kFindVma;
  spec.costs.vma_merge = kMerge;
  spec.costs.system_call = kSystemCall;
  spec.costs.mmap = sim::Constant{kMmap};
  spec.costs.populate_page = sim::Constant{kPage};
  spec.costs.mlock_page = sim::Constant{10'000'000ns};
  spec.costs.fault = sim::Constant{kFault};
  return spec;
}

const sim::Histogram& holds(const SmallMachine& world, Phase phase, LockMode mode) {
  return world.mm.mmap_sem.statistics().hold.at({0, phase, mode});
}

struct Growth {
  std::string name;
  std::string map;  // before; the heap ends at 20
  bool future;      // after mlockall(MCL_FUTURE)
  std::int64_t pages;
  int result;
  std::string map_after;
  std::int64_t gained;  // locked pages
  std::size_t max_map_count = kDefaultMaxMapCount;
  std::optional<Bytes> rlimit = std::nullopt;
};
void PrintTo(const Growth& growth, std::ostream* out) { *out << growth.name; }

std::string name_of(HoldMode mode) {
  if (mode == HoldMode::downgrade) return "Downgrade";
  return mode == HoldMode::drop_and_read ? "DropAndRead" : "WriteHeld";
}

class Brk : public testing::TestWithParam<std::tuple<Growth, HoldMode, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , Brk,
    testing::Combine(
        testing::Values(Growth{"ExtendsTheHeap", "10-20", false, 5, 0, "10-25", 0},
                        Growth{"BeginsAHeapThatIsNotThereYet", "", false, 5, 0, "20-25", 0},
                        Growth{"OfNothingChangesNothing", "10-20", false, 0, 0, "10-20", 0},
                        Growth{"ExtendsALockedHeap", "10-20L", true, 5, 0, "10-25L", 5},
                        Growth{"BeginsALockedVmaBehindAnUnlockedHeap", "10-20", true, 5, 0, "10-20 20-25L", 5},
                        Growth{"OfALockedHeapIsNotLockedByItself", "10-20L", false, 5, 0, "10-20L 20-25", 0},
                        Growth{"UpToTheLimit", "10-20L", true, 5, 0, "10-25L", 5, 9, Bytes(15 * kPageSize)},
                        Growth{"NotBeyondTheLimit", "10-20L", true, 6, -EAGAIN, "10-20L", 0, 9, Bytes(15 * kPageSize)},
                        Growth{"TheLimitIsForLockedMemoryOnly", "10-20", false, 6, 0, "10-26", 0, 9, Bytes(kPageSize)},
                        Growth{"KeepsAPageFromTheNextMapping", "10-20 25-30", false, 5, -ENOMEM, "10-20 25-30", 0},
                        Growth{"UpToAPageFromTheNextMapping", "10-20 26-30", false, 5, 0, "10-25 26-30", 0},
                        Growth{"WithAsManyVmasAsThereMayBe", "10-20", false, 5, 0, "10-25", 0, 1},
                        Growth{"NotWithTooManyVmas", "10-20", false, 5, -ENOMEM, "10-20", 0, 0}),
        testing::Values(HoldMode::write_held, HoldMode::downgrade, HoldMode::drop_and_read), testing::Bool()),
    [](const auto& each) {
      return std::get<0>(each.param).name + name_of(std::get<1>(each.param)) +
             (std::get<2>(each.param) ? "Stepwise" : "Default");
    });

TEST_P(Brk, LeavesTheMapThePagesAndTheAccountsAsTheKernelDoes) {
  check_in_child([&] {
    const auto& [growth, mode, stepwise] = GetParam();
    SmallMachine world(machine(mode, stepwise));
    tests::make_map(world, growth.map);
    const std::int64_t locked = world.mm.locked_vm.count();
    world.mm.brk = PageIndex(20);
    world.mm.locks_future_mappings = growth.future;
    world.mm.max_map_count = growth.max_map_count;
    world.mm.rlimit_memlock = growth.rlimit;
    world.mm.cap_ipc_lock = !growth.rlimit;
    world.add([&, &call = growth](Task& task) {
      EXPECT_EQ(sys_brk(task, world.mm, PageCount(call.pages)), call.result);
      EXPECT_EQ(world.mm.brk, PageIndex(20 + (call.result == 0 ? call.pages : 0)));
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), growth.map_after);
    check_pages(world, PageCount(locked + growth.gained), PageCount(0));
  });
}

class BrkHolds : public testing::TestWithParam<bool> {
 protected:
  void grow_by_five(HoldMode mode, const std::function<void(const SmallMachine&, Nanoseconds)>& check) {
    check_in_child([&] {
      SmallMachine world(machine(mode, GetParam()));
      tests::make_map(world, "10-20L");
      world.mm.brk = PageIndex(20);
      world.mm.locks_future_mappings = true;
      Nanoseconds duration{};
      world.add([&](Task& task) {
        EXPECT_EQ(sys_brk(task, world.mm, PageCount(5)), 0);
        duration = task.settle() - tests::at(0);
      });
      world.run();
      check(world, duration);
    });
  }
};
INSTANTIATE_TEST_SUITE_P(, BrkHolds, testing::Bool(),
                         [](const auto& each) { return each.param ? "Stepwise" : "Default"; });

TEST_P(BrkHolds, WriteHeldOneHoldHasEverything) {
  grow_by_five(HoldMode::write_held, [](const SmallMachine& world, Nanoseconds duration) {
    const Nanoseconds hold = kMmap + kMerge + 5 * kPage + kOperation;
    EXPECT_EQ(holds(world, Phase::brk, LockMode::write).count(), 1U);
    EXPECT_EQ(holds(world, Phase::brk, LockMode::write).max(), hold);
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 0U);
    EXPECT_EQ(duration, kSystemCall + kOperation + hold);
  });
}

TEST_P(BrkHolds, DowngradedThePagesAreUnderReadModeAndTheMapIsRechecked) {
  grow_by_five(HoldMode::downgrade, [](const SmallMachine& world, Nanoseconds) {
    const sim::Histogram& write = holds(world, Phase::brk, LockMode::write);
    EXPECT_EQ(write.count(), 2U);
    EXPECT_EQ(write.max(), kMmap + kMerge + kOperation);
    EXPECT_EQ(write.min(), kFindVma + kOperation);
    EXPECT_EQ(holds(world, Phase::brk, LockMode::read).count(), 1U);
    EXPECT_EQ(holds(world, Phase::brk, LockMode::read).max(), 5 * kPage + kOperation);
  });
}

TEST_P(BrkHolds, DroppedThePagesComeAfterTheWriteHold) {
  grow_by_five(HoldMode::drop_and_read, [](const SmallMachine& world, Nanoseconds) {
    EXPECT_EQ(holds(world, Phase::brk, LockMode::write).count(), 1U);
    EXPECT_EQ(holds(world, Phase::brk, LockMode::write).max(), kMmap + kMerge + kOperation);
    EXPECT_EQ(holds(world, Phase::brk, LockMode::read).max(), kFindVma + 5 * kPage + kOperation);
  });
}

TEST(BrkWindow, AMapThatChangesInTheWindowIsCountedButNotReported) {
  check_in_child([] {
    SmallMachine world(machine(HoldMode::downgrade));
    tests::make_map(world, "10-20L");
    world.mm.brk = PageIndex(20);
    world.mm.locks_future_mappings = true;
    world.add([&](Task& task) { EXPECT_EQ(sys_brk(task, world.mm, PageCount(5)), 0); });
    world.add_at(6'000'000, [&](Task& task) { sys_munmap(task, world.mm, PageIndex(18), PageCount(7)); });
    world.run();
    EXPECT_EQ(map_of(world.mm), "10-18L");
    EXPECT_EQ(world.mm.eagain, 1U);
    EXPECT_EQ(world.mm.locked_vm, PageCount(8));
  });
}

// --- the stack ----------------------------------------------------------------------------------------------

std::int64_t top() { return kStackTop.index(); }
std::string stack_of(std::int64_t pages, const std::string& letters) {
  return std::to_string(top() - pages) + "-" + std::to_string(top()) + letters;
}

struct StackGrowth {
  std::string name;
  std::string letters;
  std::int64_t pages;
  std::optional<Bytes> rlimit;
  int result;
  std::int64_t stack_after;  // pages
  Nanoseconds under_lock;
};
void PrintTo(const StackGrowth& growth, std::ostream* out) { *out << growth.name; }

class Stack : public testing::TestWithParam<std::tuple<StackGrowth, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , Stack,
    testing::Combine(
        testing::Values(StackGrowth{"AnOrdinaryOneGetsTheFaultsPageOnly", "S", 5, std::nullopt, 0, 6, kFault},
                        StackGrowth{"ALockedOneGetsAllPages", "LS", 5, std::nullopt, 0, 6, 5 * kPage + kFault},
                        StackGrowth{"UpToTheLimit", "LS", 5, Bytes(6 * kPageSize), 0, 6, 5 * kPage + kFault},
                        StackGrowth{"NotBeyondTheLimit", "LS", 5, Bytes(5 * kPageSize), -ENOMEM, 1, 0ns},
                        StackGrowth{"TheLimitIsForLockedMemoryOnly", "S", 5, Bytes(kPageSize), 0, 6, kFault},
                        StackGrowth{"WhatIsNoStackDoesNotGrow", "", 5, std::nullopt, -EFAULT, 1, 0ns}),
        testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(Stack, GrowsUnderTheFaultersReadHold) {
  check_in_child([&] {
    const auto& [growth, stepwise] = GetParam();
    SmallMachine world(machine(HoldMode::downgrade, stepwise));
    tests::make_map(world, stack_of(1, growth.letters));
    world.mm.rlimit_memlock = growth.rlimit;
    world.mm.cap_ipc_lock = !growth.rlimit;
    world.add([&, &call = growth](Task& task) {
      EXPECT_EQ(stack_fault(task, world.mm, PageCount(call.pages)), call.result);
      EXPECT_EQ(task.settle(), tests::at(0) + kOperation + call.under_lock + kOperation);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), stack_of(growth.stack_after, growth.letters));
    EXPECT_EQ(world.mm.locked_vm, tests::locked_pages_of(world.mm));
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions, 0U);
    EXPECT_EQ(holds(world, Phase::stack, LockMode::read).count(), 1U);
    EXPECT_EQ(holds(world, Phase::stack, LockMode::read).max(), growth.under_lock + kOperation);
    const ZoneCounts& counts = world.kernel.zone.counts();
    const bool locked = growth.letters == "LS";
    EXPECT_EQ(counts.unevictable.count(), locked ? growth.stack_after : 0);
    EXPECT_EQ(counts.evictable().count(), !locked && growth.result == 0 ? 1 : 0);
  });
}

TEST(StackRace, TheSecondOfTwoFaultsFindsTheStackGrown) {
  check_in_child([] {
    SmallMachine world(machine(HoldMode::downgrade));
    tests::make_map(world, stack_of(1, "S"));
    for (const std::int64_t pages : {3, 5}) {
      world.add([&world, pages](Task& task) { EXPECT_EQ(stack_fault(task, world.mm, PageCount(pages)), 0); });
    }
    world.run();
    EXPECT_EQ(map_of(world.mm), stack_of(6, "S"));
    EXPECT_EQ(world.kernel.zone.counts().evictable(), PageCount(2));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Downwards.

struct Shrinking {
  std::string name;
  std::string map;  // before; the heap is [start, start + 30) from kStartBrk on
  std::int64_t pages;
  int result;
  std::int64_t left;  // present pages
};
void PrintTo(const Shrinking& shrinking, std::ostream* out) { *out << shrinking.name; }

class BrkDownwards : public testing::TestWithParam<std::tuple<Shrinking, HoldMode, bool>> {};
INSTANTIATE_TEST_SUITE_P(, BrkDownwards,
                         testing::Combine(testing::Values(Shrinking{"TakesPagesOffTheEnd", "", 12, 0, 18},
                                                          Shrinking{"ToNothing", "", 30, 0, 0},
                                                          Shrinking{"ByNothing", "", 0, 0, 30},
                                                          Shrinking{"BeyondTheStart", "", 31, -ENOMEM, 30},
                                                          Shrinking{"OfALockedHeap", "L", 12, 0, 18}),
                                          testing::Values(HoldMode::write_held, HoldMode::downgrade), testing::Bool()),
                         [](const auto& each) {
                           return std::get<0>(each.param).name + name_of(std::get<1>(each.param)) +
                                  (std::get<2>(each.param) ? "Stepwise" : "Default");
                         });

TEST_P(BrkDownwards, UnmapsAsMunmapDoesUnderThePolicysMode) {
  check_in_child([&] {
    const auto& [shrinking, mode, stepwise] = GetParam();
    constexpr Nanoseconds kZap = 40ns;
    SmallMachineSpec spec = machine(HoldMode::write_held, stepwise);
    spec.policy.munmap.mode = mode;
    spec.policy.munlock_in_zap = true;
    spec.policy.lru_drain = LruDrain::local;
    spec.costs.zap_page = sim::Constant{kZap};
    SmallMachine world(spec);
    const std::int64_t start = kStartBrk.index();
    const bool locked = shrinking.map == "L";
    tests::add_vma(world, start, start + 30, {.locked = locked});
    if (!locked) tests::make_resident(world, start, start + 30);
    world.mm.brk = PageIndex(start + 30);
    world.add([&, &call = shrinking](Task& task) {
      EXPECT_EQ(sys_brk_shrink(task, world.mm, PageCount(call.pages)), call.result);
    });
    world.run();
    EXPECT_EQ(world.mm.brk, PageIndex(start + shrinking.left));
    EXPECT_EQ(world.mm.total_vm(), PageCount(shrinking.left));
    const ZoneCounts& counts = world.kernel.zone.counts();
    EXPECT_EQ((locked ? counts.unevictable : counts.evictable()).count(), shrinking.left);
    EXPECT_EQ(counts.in_flight, PageCount(0));
    EXPECT_EQ(counts.total(), pages_of(world.spec.memory.size));
    EXPECT_EQ(world.mm.locked_vm.count(), locked ? shrinking.left : 0);
    const std::int64_t zapped = 30 - shrinking.left;
    const bool downgrades = mode == HoldMode::downgrade && zapped > 0;
    if (downgrades) {
      EXPECT_EQ(holds(world, Phase::brk, LockMode::read).max(), zapped * kZap + kOperation);
      EXPECT_LT(holds(world, Phase::brk, LockMode::write).max(), kSystemCall);
    } else {
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 0U);
      EXPECT_GE(holds(world, Phase::brk, LockMode::write).max(), zapped * kZap);
    }
  });
}

}  // namespace
}  // namespace models::brk_test
