// Every branch of the mlock and munlock paths, under each hold mode of their walks; then what they cost, and what
// happens in the window between up_read and down_write.
#include "models/mm/mlock.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "models/mm/mmap.h"
#include "models/mm/mmap_lock.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::mlock_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::add_vma;
using tests::check_in_child;
using tests::check_pages;
using tests::map_of;
using tests::SmallMachine;
using tests::SmallMachineSpec;

enum class Call { mlock, munlock };

int make(Call call, Task& task, Mm& mm, std::int64_t start, std::int64_t pages) {
  return call == Call::mlock ? sys_mlock(task, mm, PageIndex(start), PageCount(pages))
                             : sys_munlock(task, mm, PageIndex(start), PageCount(pages));
}

// ---------------------------------------------------------------------------------------------------------------
// Branches.

struct Branch {
  std::string name;
  std::string map;  // before
  Call call;
  std::int64_t start;
  std::int64_t pages;
  int result;
  std::string map_after;
  std::int64_t mlocked;   // pages, afterwards
  std::int64_t resident;  // pages, afterwards
  std::size_t max_map_count = kDefaultMaxMapCount;
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

// L: VM_LOCKED (and its pages are mlocked), I: VM_IO, D: VM_DONTEXPAND, H: hugetlb, G: gate. locked_vm is always the
// pages of the VMAs with L.
const std::vector<Branch> kBranches{
    {"MlockOfAWholeVma", "10-30", Call::mlock, 10, 20, 0, "10-30L", 20, 0},
    {"MlockOfTheHeadSplitsOnce", "10-30", Call::mlock, 10, 5, 0, "10-15L 15-30", 5, 0},
    {"MlockOfTheTailSplitsOnce", "10-30", Call::mlock, 25, 5, 0, "10-25 25-30L", 5, 0},
    {"MlockOfTheMiddleSplitsTwice", "10-30", Call::mlock, 15, 5, 0, "10-15 15-20L 20-30", 5, 0},
    {"MlockOfNothing", "10-30", Call::mlock, 10, 0, 0, "10-30", 0, 0},
    {"MlockBelowAllVmas", "10-30", Call::mlock, 5, 10, -ENOMEM, "10-30", 0, 0},
    {"MlockAboveAllVmas", "10-30", Call::mlock, 30, 10, -ENOMEM, "10-30", 0, 0},
    {"MlockOfAnEmptyMap", "", Call::mlock, 10, 10, -ENOMEM, "", 0, 0},
    {"MlockStartingInAHole", "10-20 30-40", Call::mlock, 25, 10, -ENOMEM, "10-20 30-40", 0, 0},
    {"MlockKeepsWhatLiesBeforeAHole", "10-20 30-40", Call::mlock, 10, 30, -ENOMEM, "10-20L 30-40", 10, 0},
    {"MlockKeepsWhatLiesBeforeTheEndOfTheMap", "10-20", Call::mlock, 10, 15, -ENOMEM, "10-20L", 10, 0},
    {"MlockOfNeighboursMergesThem", "10-20 20-30", Call::mlock, 10, 20, 0, "10-30L", 20, 0},
    {"MlockOfPartsOfNeighbours", "10-20 20-30", Call::mlock, 15, 10, 0, "10-15 15-25L 25-30", 10, 0},
    {"MlockOfWhatIsLockedAlready", "10-20L", Call::mlock, 10, 10, 0, "10-20L", 10, 0},
    {"MlockOfAPartOfWhatIsLocked", "10-20L", Call::mlock, 12, 3, 0, "10-20L", 10, 0},
    {"MlockPassesOverWhatIsLockedAlready", "10-20 20-30L 30-40", Call::mlock, 10, 30, 0, "10-40L", 30, 0},
    {"MlockMergesWithTheVmaBefore", "0-10L 10-20", Call::mlock, 10, 10, 0, "0-20L", 20, 0},
    {"MlockMergesWithTheVmaAfter", "10-20 20-30L", Call::mlock, 10, 10, 0, "10-30L", 20, 0},
    {"MlockMergesWithBothNeighbours", "0-10L 10-20 20-30L", Call::mlock, 10, 10, 0, "0-30L", 30, 0},
    {"MlockOfTheHeadMergesWithTheVmaBefore", "0-10L 10-20", Call::mlock, 10, 4, 0, "0-14L 14-20", 14, 0},
    {"MlockOfTheTailMergesWithTheVmaAfter", "10-20 20-30L", Call::mlock, 15, 5, 0, "10-15 15-30L", 15, 0},
    {"MlockOfAnIoMapping", "10-20I", Call::mlock, 10, 10, 0, "10-20I", 0, 0},
    {"MlockOfADontexpandVmaOnlyMakesItsPagesPresent", "10-20D", Call::mlock, 10, 10, 0, "10-20D", 0, 10},
    {"MlockOfAHugetlbVmaOnlyMakesItsPagesPresent", "10-20H", Call::mlock, 12, 5, 0, "10-20H", 0, 5},
    {"MlockOfTheGateVmaOnlyMakesItsPagesPresent", "10-20G", Call::mlock, 10, 10, 0, "10-20G", 0, 10},
    {"MlockGoesOnBehindASpecialVma", "10-20 20-30D 30-40", Call::mlock, 10, 30, 0, "10-20L 20-30D 30-40L", 20, 10},
    {"MlockStopsWhereTheFirstSplitFails", "10-30", Call::mlock, 15, 5, -ENOMEM, "10-30", 0, 0, 1},
    {"MlockStopsWhereTheSecondSplitFails", "10-30", Call::mlock, 15, 5, -ENOMEM, "10-15 15-30", 0, 0, 2},
    {"MlockThatMergesNeedsNoSplit", "10-20 20-30", Call::mlock, 10, 15, 0, "10-25L 25-30", 15, 0, 2},
    {"MunlockOfAWholeVma", "10-30L", Call::munlock, 10, 20, 0, "10-30", 0, 20},
    {"MunlockOfTheHeadSplitsOnce", "10-30L", Call::munlock, 10, 5, 0, "10-15 15-30L", 15, 5},
    {"MunlockOfTheTailSplitsOnce", "10-30L", Call::munlock, 25, 5, 0, "10-25L 25-30", 15, 5},
    {"MunlockOfTheMiddleSplitsTwice", "10-30L", Call::munlock, 15, 5, 0, "10-15L 15-20 20-30L", 15, 5},
    {"MunlockOfNothing", "10-30L", Call::munlock, 10, 0, 0, "10-30L", 20, 0},
    {"MunlockStartingInAHole", "10-30L", Call::munlock, 5, 10, -ENOMEM, "10-30L", 20, 0},
    {"MunlockKeepsWhatLiesBeforeAHole", "10-20L 30-40L", Call::munlock, 10, 30, -ENOMEM, "10-20 30-40L", 10, 10},
    {"MunlockOfWhatIsNotLocked", "10-20", Call::munlock, 10, 10, 0, "10-20", 0, 0},
    {"MunlockMergesWithBothNeighbours", "0-10 10-20L 20-30", Call::munlock, 10, 10, 0, "0-30", 0, 10},
    {"MunlockOfASpecialVma", "10-20D", Call::munlock, 10, 10, 0, "10-20D", 0, 0},
    {"MunlockStopsWhereTheSplitFails", "10-30L", Call::munlock, 15, 5, -ENOMEM, "10-30L", 20, 0, 1},
    {"MunlockAcrossTablesOfPages", "0-2000L", Call::munlock, 100, 1500, 0, "0-100L 100-1600 1600-2000L", 500, 1500},
    {"MlockAcrossTablesOfPages", "0-2000", Call::mlock, 100, 1500, 0, "0-100 100-1600L 1600-2000", 1500, 0},
};

struct Modes {
  HoldMode populate;
  HoldMode munlock;
};
void PrintTo(const Modes& modes, std::ostream* out) {
  *out << (modes.populate == HoldMode::downgrade ? "PopulateDowngraded" : "PopulateWriteHeld")
       << (modes.munlock == HoldMode::downgrade ? "MunlockDowngraded" : "MunlockWriteHeld");
}

SmallMachineSpec machine(const Modes& modes) {
  SmallMachineSpec spec;
  spec.policy.populate.mode = modes.populate;
  spec.policy.munlock.mode = modes.munlock;
  return spec;
}

class MlockBranch : public testing::TestWithParam<std::tuple<Branch, Modes>> {};
INSTANTIATE_TEST_SUITE_P(, MlockBranch,
                         testing::Combine(testing::ValuesIn(kBranches),
                                          testing::Values(Modes{HoldMode::write_held, HoldMode::write_held},
                                                          Modes{HoldMode::downgrade, HoldMode::write_held},
                                                          Modes{HoldMode::write_held, HoldMode::downgrade},
                                                          Modes{HoldMode::downgrade, HoldMode::downgrade})),
                         [](const auto& each) {
                           return std::get<0>(each.param).name + testing::PrintToString(std::get<1>(each.param));
                         });

TEST_P(MlockBranch, LeavesTheMapThePagesAndTheAccountsAsTheKernelDoes) {
  check_in_child([&] {
    const Branch& branch = std::get<0>(GetParam());
    SmallMachine world(machine(std::get<1>(GetParam())));
    tests::make_map(world, branch.map);
    world.mm.max_map_count = branch.max_map_count;
    world.add([&](Task& task) {
      EXPECT_EQ(make(branch.call, task, world.mm, branch.start, branch.pages), branch.result);
      EXPECT_EQ(map_of(world.mm), branch.map_after);
      check_pages(world, PageCount(branch.mlocked), PageCount(branch.resident));
      // The semaphore is free again.
      world.mm.mmap_sem.down_write(task);
      world.mm.mmap_sem.up_write(task);
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).contended(), 0U);
    });
    world.run();
    EXPECT_EQ(world.mm.vma_changed + world.mm.eagain + world.mm.vma_change_missed, 0U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// The right to lock.

struct Right {
  std::string name;
  bool cap_ipc_lock;
  std::optional<Bytes> rlimit;
  std::int64_t locked_before;
  std::int64_t pages;
  int result;
};
void PrintTo(const Right& right, std::ostream* out) { *out << right.name; }

constexpr Bytes pages_in_bytes(std::int64_t pages) { return Bytes(pages * kPageSize); }

class MlockRight : public testing::TestWithParam<Right> {};
INSTANTIATE_TEST_SUITE_P(, MlockRight,
                         testing::Values(Right{"UpToTheLimit", false, pages_in_bytes(10), 0, 10, 0},
                                         Right{"NotBeyondTheLimit", false, pages_in_bytes(10), 0, 11, -ENOMEM},
                                         Right{"TheLimitIsRoundedDownToPages", false, Bytes(10 * kPageSize - 1), 0, 10,
                                               -ENOMEM},
                                         Right{"WhatIsLockedCounts", false, pages_in_bytes(10), 5, 6, -ENOMEM},
                                         Right{"TheRestOfTheLimitCanBeUsed", false, pages_in_bytes(10), 5, 5, 0},
                                         Right{"WithoutALimit", false, std::nullopt, 5, 10, 0},
                                         Right{"WithCapIpcLockBeyondTheLimit", true, pages_in_bytes(10), 5, 10, 0},
                                         Right{"WithCapIpcLockAndALimitOfZero", true, Bytes(0), 0, 10, 0},
                                         Right{"NotAtAllWithALimitOfZero", false, Bytes(0), 0, 1, -EPERM}),
                         [](const auto& each) { return each.param.name; });

TEST_P(MlockRight, IsCheckedAgainstRlimitMemlock) {
  check_in_child([&] {
    const Right& right = GetParam();
    SmallMachine world;
    if (right.locked_before > 0) add_vma(world, 100, 100 + right.locked_before, {.locked = true});
    add_vma(world, 10, 30, {});
    world.mm.cap_ipc_lock = right.cap_ipc_lock;
    world.mm.rlimit_memlock = right.rlimit;
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(10), PageCount(right.pages)), right.result);
      const std::int64_t gained = right.result == 0 ? right.pages : 0;
      EXPECT_EQ(world.mm.locked_vm, PageCount(right.locked_before + gained));
      check_pages(world, PageCount(right.locked_before + gained), PageCount(0));
      // Without any right the semaphore is not even asked for.
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions == 0, right.result == -EPERM);
    });
    world.run();
  });
}

TEST(MlockLimit, CountsPagesThatAreLockedAlreadyTwice) {
  check_in_child([] {
    SmallMachine world;
    add_vma(world, 10, 20, {.locked = true});
    world.mm.cap_ipc_lock = false;
    world.mm.rlimit_memlock = pages_in_bytes(19);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(10), PageCount(10)), -ENOMEM);
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(10), PageCount(9)), 0);
      EXPECT_EQ(world.mm.locked_vm, PageCount(10));
    });
    world.run();
  });
}

// Since 4.9: what the range has locked already is taken off before the second look.
TEST(MlockLimit, CountsThemOnceWhereThePolicySaysSo) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.policy.memlock_counts_twice = false;
    SmallMachine world(spec);
    add_vma(world, 10, 20, {.locked = true});
    add_vma(world, 20, 40, {});
    world.mm.cap_ipc_lock = false;
    world.mm.rlimit_memlock = pages_in_bytes(19);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(10), PageCount(10)), 0);
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(15), PageCount(15)), -ENOMEM) << "5 locked already, 10 more";
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(15), PageCount(14)), 0);
      EXPECT_EQ(world.mm.locked_vm, PageCount(19));
    });
    world.run();
  });
}

// ---------------------------------------------------------------------------------------------------------------
// What it costs. Each step has a cost that no sum of others can be mistaken for.

constexpr int kCpus = 4;
constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kFindVma = 100ns;
constexpr Nanoseconds kSplit = 10'000ns;
constexpr Nanoseconds kMerge = 70'000ns;
constexpr Nanoseconds kDrain = 1'000'000ns;  // for each CPU
constexpr Nanoseconds kSystemCall = 100'000'000ns;
constexpr Nanoseconds kPopulate = 1'000'000'000ns;
constexpr Nanoseconds kMlockPage = 7'000'000'000ns;
constexpr Nanoseconds kMunlockPage = 300'000'000ns;
constexpr Nanoseconds kDrains = 2 * kCpus * kDrain;  // before and after the walk

SmallMachineSpec expensive(const Modes& modes, bool stepwise) {
  SmallMachineSpec spec = machine(modes);
  spec.cpus = kCpus;
  spec.stepwise = stepwise;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.find_vma = kFindVma;
  spec.costs.vma_split = kSplit;
  spec.costs.vma_merge = kMerge;
  spec.costs.lru_add_drain_all = kDrain;
  spec.costs.system_call = kSystemCall;
  spec.costs.populate_page = sim::Constant{kPopulate};
  spec.costs.mlock_page = sim::Constant{kMlockPage};
  spec.costs.munlock_page = sim::Constant{kMunlockPage};
  return spec;
}

struct Cost {
  std::string name;
  std::string map;
  std::int64_t resident;  // pages from 10 on that are present before
  Call call;
  std::int64_t start;
  std::int64_t pages;
  Nanoseconds vma_work;  // under the first write hold, find_vma apart
  Nanoseconds walk;
};
void PrintTo(const Cost& cost, std::ostream* out) { *out << cost.name; }

class MlockCost : public testing::TestWithParam<std::tuple<Cost, bool>> {
 protected:
  // The holds of one call by mode: {how many, their sum}.
  void check_holds(HoldMode mode, const std::function<void(const Cost&, SmallMachine&, Nanoseconds)>& check) {
    check_in_child([&] {
      const auto& [cost, stepwise] = GetParam();
      SmallMachine world(expensive({mode, mode}, stepwise));
      tests::make_map(world, cost.map);
      if (cost.resident > 0) tests::make_resident(world, 10, 10 + cost.resident);
      Nanoseconds duration{};
      world.add([&, &each = cost](Task& task) {
        EXPECT_EQ(make(each.call, task, world.mm, each.start, each.pages), 0);
        duration = task.settle() - tests::at(0);
      });
      world.run();
      check(cost, world, duration);
    });
  }
  static const sim::Histogram& holds(const SmallMachine& world, const Cost& cost, LockMode mode) {
    const Phase phase = cost.call == Call::mlock ? Phase::mlock : Phase::munlock;
    return world.mm.mmap_sem.statistics().hold.at({0, phase, mode});
  }
};
INSTANTIATE_TEST_SUITE_P(
    , MlockCost,
    testing::Combine(
        testing::Values(Cost{"AbsentPages", "10-110", 0, Call::mlock, 10, 100, 0ns, kDrains + 100 * kPopulate},
                        Cost{"PresentPages", "10-110", 100, Call::mlock, 10, 100, 0ns, kDrains + 100 * kMlockPage},
                        Cost{"SomePresentPages", "10-110", 30, Call::mlock, 10, 100, 0ns,
                             kDrains + 70 * kPopulate + 30 * kMlockPage},
                        Cost{"OneSplit", "10-110", 0, Call::mlock, 10, 50, kSplit, kDrains + 50 * kPopulate},
                        Cost{"TwoSplits", "10-110", 0, Call::mlock, 20, 3, 2 * kSplit, kDrains + 3 * kPopulate},
                        Cost{"AMerge", "0-10L 10-110", 0, Call::mlock, 10, 9, kMerge, kDrains + 9 * kPopulate},
                        Cost{"Munlock", "10-1110L", 0, Call::munlock, 10, 1100, 0ns, kDrains + 1100 * kMunlockPage},
                        Cost{"MunlockWithTwoSplits", "10-110L", 0, Call::munlock, 20, 7, 2 * kSplit,
                             kDrains + 7 * kMunlockPage}),
        testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(MlockCost, AWriteHoldLastsExactlyItsPagesAndItsFixedParts) {
  check_holds(HoldMode::write_held, [](const Cost& cost, SmallMachine& world, Nanoseconds duration) {
    const Nanoseconds hold = kFindVma + cost.vma_work + cost.walk + kOperation;
    EXPECT_EQ(holds(world, cost, LockMode::write).count(), 1U);
    EXPECT_EQ(holds(world, cost, LockMode::write).max(), hold);
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 0U);
    EXPECT_EQ(duration, kSystemCall + kOperation + hold);
  });
}

TEST_P(MlockCost, DowngradedTheWriteHoldsHaveTheVmaWorkAndTheReadHoldThePages) {
  check_holds(HoldMode::downgrade, [](const Cost& cost, SmallMachine& world, Nanoseconds duration) {
    const Nanoseconds first = kFindVma + cost.vma_work + kOperation;
    const Nanoseconds read = cost.walk + kOperation;
    const Nanoseconds second = kFindVma + kOperation;
    EXPECT_EQ(holds(world, cost, LockMode::write).count(), 2U);
    EXPECT_EQ(holds(world, cost, LockMode::write).min(), second);
    EXPECT_EQ(holds(world, cost, LockMode::write).max(), first);
    EXPECT_EQ(holds(world, cost, LockMode::read).count(), 1U);
    EXPECT_EQ(holds(world, cost, LockMode::read).max(), read);
    EXPECT_EQ(duration, kSystemCall + kOperation + first + read + kOperation + second);
  });
}

// Linux 5.18 mlocks what is present before it walks the range a second time to populate the rest: that one passes over
// pages that are mlocked already.
TEST(MlockallOfManyVmas, CostsForEachThatBecomesLockedOrCeasesToBe) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.costs.mlock_vma = 1'000ns;
    spec.costs.munlock_vma = 7ns;
    spec.policy.populate.mode = HoldMode::drop_and_read;
    SmallMachine world(spec);
    tests::make_map(world, "10-20 20-30R 40-50I 50-60L 70-80D");
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlockall(task, world.mm, {.current = true}), 0);
      EXPECT_EQ(sys_munlockall(task, world.mm), 0);
    });
    world.run();
    const auto& hold = world.mm.mmap_sem.statistics().hold;
    EXPECT_EQ(hold.at({0, Phase::mlock, LockMode::write}).max(), 2'000ns);
    EXPECT_EQ(hold.at({0, Phase::munlock, LockMode::write}).max(), 21ns);
  });
}

TEST(MlockPresentFirst, MlocksEveryPageOnce) {
  check_in_child([] {
    SmallMachineSpec spec = expensive({HoldMode::drop_and_read, HoldMode::drop_and_read}, false);
    spec.policy.mlock_present_first = true;
    spec.policy.lru_drain = LruDrain::local;
    SmallMachine world(spec);
    tests::make_map(world, "10-110");
    tests::make_resident(world, 10, 40);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(10), PageCount(100)), 0);
      EXPECT_EQ(task.settle(), tests::at(0) + kSystemCall + 2 * kOperation + kFindVma + 30 * kMlockPage +
                                   2 * kOperation + kFindVma + 70 * kPopulate);
    });
    world.run();
    check_pages(world, PageCount(100), PageCount(0));
  });
}

// The second pass finds every page of the range, whoever mlocked it: all of it is a read hold.
TEST(MlockPresentFirst, OfWhatIsLockedAlreadyIsOneReadHold) {
  check_in_child([] {
    constexpr Nanoseconds kFind = 13ns;
    SmallMachineSpec spec = expensive({HoldMode::drop_and_read, HoldMode::drop_and_read}, false);
    spec.policy.mlock_present_first = true;
    spec.policy.lru_drain = LruDrain::local;
    spec.costs.gup_present = kFind;
    SmallMachine world(spec);
    tests::make_map(world, "10-2010L");
    world.add([&](Task& task) { EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(10), PageCount(2000)), 0); });
    world.run();
    const auto& hold = world.mm.mmap_sem.statistics().hold;
    EXPECT_EQ(hold.at({0, Phase::mlock, LockMode::read}).max(), kFindVma + 2000 * kFind + kOperation);
    EXPECT_LE(hold.at({0, Phase::mlock, LockMode::write}).max(), kFindVma + kOperation);
  });
}

// Under 2.6.28 make_pages_present under write mode; since 2.6.38 with the others under read mode. Never VM_LOCKED.
TEST(MlockOfSpecialVmas, PopulatesThemInTheModeOfTheOthers) {
  for (const HoldMode mode : {HoldMode::write_held, HoldMode::downgrade, HoldMode::drop_and_read}) {
    for (const char* const map : {"10-110H", "10-110D"}) {
      check_in_child([&] {
        SmallMachineSpec spec = expensive({mode, mode}, false);
        SmallMachine world(spec);
        tests::make_map(world, map);
        world.add([&](Task& task) { EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(10), PageCount(100)), 0); });
        world.run();
        check_pages(world, PageCount(0), PageCount(100));
        EXPECT_EQ(map_of(world.mm), map);
        const auto& hold = world.mm.mmap_sem.statistics().hold;
        const LockMode populating = mode == HoldMode::drop_and_read ? LockMode::read : LockMode::write;
        EXPECT_GE(hold.at({0, Phase::mlock, populating}).max(), 100 * kPopulate);
        EXPECT_EQ(hold.at({0, Phase::mlock, LockMode::write}).max() < kPopulate, populating == LockMode::read);
      });
    }
  }
}

// Before 3.0 munlock looks at every other VMA of the page's anon_vma, for each page.
TEST(MunlockRmap, AsksEveryVmaThatSharesTheAnonVma) {
  constexpr Nanoseconds kLook = 70ns;
  const auto time_of = [&](bool walks, bool shared) {
    return Nanoseconds(std::stoll(tests::in_child([&] {
      Nanoseconds took{};
      SmallMachineSpec spec = expensive({}, false);
      spec.costs.rmap_vma = kLook;
      spec.policy.munlock_walks_rmap = walks;
      SmallMachine world(spec);
      tests::make_map(world, shared ? "10-20L 20-30L 30-40L 40-50L" : "10-20L 20-30LA 30-40L 40-50LA");
      for (std::int64_t start = 10; start < 50; start += 10) {
        world.mm.anon_vma_prepare(*world.mm.find_vma(PageIndex(start)));
      }
      world.add([&](Task& task) {
        const sim::Time before = task.settle();
        EXPECT_EQ(sys_munlock(task, world.mm, PageIndex(10), PageCount(40)), 0);
        took = task.settle() - before;
      });
      world.run();
      return std::to_string(took.count());
    })));
  };
  // Each VMA joins the one before, as that is unlocked already, before its pages are munlocked: 3, 2, 1, 0 others.
  EXPECT_EQ(time_of(true, true) - time_of(false, true), 10 * (3 + 2 + 1 + 0) * kLook);
  EXPECT_EQ(time_of(true, false) - time_of(false, false), 0ns);
}

// ---------------------------------------------------------------------------------------------------------------
// The window between up_read and down_write: a writer that queues during the walk gets in there.

struct Window {
  std::string name;
  std::string map;
  Call call;
  std::int64_t start;
  std::int64_t pages;
  std::function<void(Task&, Mm&)> meanwhile;
  int result;
  std::uint64_t vma_changed;
  std::uint64_t eagain;
  std::uint64_t vma_change_missed;
  std::string map_after;
};
void PrintTo(const Window& window, std::ostream* out) { *out << window.name; }

auto unmap(std::int64_t start, std::int64_t pages) {
  return [=](Task& task, Mm& mm) { EXPECT_EQ(sys_munmap(task, mm, PageIndex(start), PageCount(pages)), 0); };
}
auto map(std::int64_t start, std::int64_t pages) {
  return [=](Task& task, Mm& mm) { sys_mmap(task, mm, PageIndex(start), PageCount(pages)); };
}
void only_lock(Task& task, Mm& mm) {
  mm.mmap_sem.down_write(task);
  mm.mmap_sem.up_write(task);
}

class MlockWindow : public testing::TestWithParam<Window> {
 protected:
  static SmallMachineSpec slow_pages(HoldMode mode) {
    SmallMachineSpec spec = machine({mode, mode});
    spec.costs.populate_page = sim::Constant{1000ns};
    spec.costs.munlock_page = sim::Constant{1000ns};
    return spec;
  }
};
INSTANTIATE_TEST_SUITE_P(
    , MlockWindow,
    testing::Values(
        Window{"AWriterThatChangesNothing", "10-30", Call::mlock, 10, 20, only_lock, 0, 0, 0, 0, "10-30L"},
        Window{"AMappingElsewhere", "10-30", Call::mlock, 10, 20, map(50, 5), 0, 1, 0, 0, "10-30L 50-55"},
        Window{"TheRangeIsGone", "10-30", Call::mlock, 10, 20, unmap(10, 20), -EAGAIN, 1, 1, 0, ""},
        Window{"TheTailIsGone", "10-30", Call::mlock, 10, 20, unmap(25, 5), -EAGAIN, 1, 1, 0, "10-25L"},
        Window{"TheMiddleIsGone", "10-30", Call::mlock, 10, 20, unmap(15, 5), -EAGAIN, 1, 1, 0, "10-15L 20-30L"},
        // find_vma's answer begins after the start, and ends late enough.
        Window{"TheHeadIsGoneUnnoticed", "10-30", Call::mlock, 10, 20, unmap(10, 5), 0, 1, 0, 1, "15-30L"},
        Window{"TheRangeIsGoneUnnoticedBecauseOfALaterVma", "10-30 50-60", Call::mlock, 10, 20, unmap(10, 20), 0, 1, 0,
               1, "50-60"},
        // The caller goes on from the stale VMA, whose vm_next is still right.
        Window{"TheFirstOfTwoVmasIsGone", "10-30 30-40", Call::mlock, 10, 30, unmap(10, 20), 0, 1, 0, 1, "30-40L"},
        // The second VMA is gone, too: what the stale pointer leads to is no longer in the map.
        Window{"BothVmasAreGoneAndOneIsThereInstead", "10-30 30-40R", Call::mlock, 10, 30,
               [](Task& task, Mm& mm) {
                 mm.mmap_sem.down_write(task);
                 EXPECT_EQ(mmap_region(task, mm, PageIndex(10), PageCount(30), {}), 0);
                 mm.mmap_sem.up_write(task);
               },
               -ENOMEM, 1, 0, 1, "10-40"},
        Window{"AMappingElsewhereDuringMunlock", "10-30L", Call::munlock, 10, 20, map(50, 5), 0, 1, 0, 0,
               "10-30 50-55"},
        Window{"TheRangeIsGoneDuringMunlock", "10-30L", Call::munlock, 10, 20, unmap(10, 20), -EAGAIN, 1, 1, 0, ""},
        Window{"TheHeadIsGoneUnnoticedDuringMunlock", "10-30L", Call::munlock, 10, 20, unmap(10, 5), 0, 1, 0, 1,
               "15-30"},
        // mlock of 20-30 has merged it into 0-30. Unmapping 5-8 leaves it 8-30 as far as find_vma can tell, but the
        // kernel's split at the start of a hole (do_munmap: split_vma(mm, vma, start, 0)) makes the upper part new, so
        // the pointer that mlock holds is now 0-5.
        Window{"AHoleInAMergedVmaLeavesAStalePointer", "0-20L 20-30", Call::mlock, 20, 10, unmap(5, 3), 0, 1, 0, 1,
               "0-5L 8-30L"}),
    [](const auto& each) { return each.param.name; });

TEST_P(MlockWindow, ChangesAreNoticedOrMissedAsByTheKernel) {
  check_in_child([&] {
    const Window& window = GetParam();
    SmallMachine world(slow_pages(HoldMode::downgrade));
    tests::make_map(world, window.map);
    world.add(
        [&](Task& task) { EXPECT_EQ(make(window.call, task, world.mm, window.start, window.pages), window.result); });
    world.add_at(1500, [&](Task& task) { window.meanwhile(task, world.mm); });
    world.run();
    EXPECT_EQ(world.mm.vma_changed, window.vma_changed);
    EXPECT_EQ(world.mm.eagain, window.eagain);
    EXPECT_EQ(world.mm.vma_change_missed, window.vma_change_missed);
    EXPECT_EQ(map_of(world.mm), window.map_after);
    EXPECT_EQ(world.mm.locked_vm, tests::locked_pages_of(world.mm));
  });
}

TEST_P(MlockWindow, ThereIsNoneWhileTheSemaphoreIsHeldForWrite) {
  check_in_child([&] {
    const Window& window = GetParam();
    SmallMachine world(slow_pages(HoldMode::write_held));
    tests::make_map(world, window.map);
    world.add([&](Task& task) { EXPECT_EQ(make(window.call, task, world.mm, window.start, window.pages), 0); });
    world.add_at(1500, [&](Task& task) { window.meanwhile(task, world.mm); });
    world.run();
    EXPECT_EQ(world.mm.vma_changed + world.mm.eagain + world.mm.vma_change_missed, 0U);
    EXPECT_EQ(world.mm.locked_vm, tests::locked_pages_of(world.mm));
  });
}

TEST(MlockWindowPages, OthersCannotGetInDuringTheWalkItself) {
  check_in_child([] {
    SmallMachineSpec spec = machine({HoldMode::downgrade, HoldMode::downgrade});
    spec.costs.populate_page = sim::Constant{1000ns};
    SmallMachine world(spec);
    add_vma(world, 10, 30, {});
    world.add([&](Task& task) { sys_mlock(task, world.mm, PageIndex(10), PageCount(20)); });
    world.add_at(1500, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.now(), tests::at(20'000));  // the end of the walk
      world.mm.mmap_sem.up_write(task);
    });
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_read(task);
      EXPECT_EQ(task.now(), tests::at(1000));  // a reader, before that writer has come
      world.mm.mmap_sem.up_read(task);
    });
    world.run();
  });
}

SmallMachineSpec in_chunks_of(std::int64_t pages) {
  SmallMachineSpec spec;
  spec.policy.munlock = {.mode = HoldMode::chunked_write, .batch = PageCount(pages)};
  spec.costs.munlock_page = sim::Constant{100ns};
  return spec;
}

// It looks after each page table, at the latest.
TEST(MunlockInChunks, GivesWayAfterEachBatchAndNotAfterEachTable) {
  check_in_child([] {
    SmallMachine world(in_chunks_of(1024));
    add_vma(world, 0, 4096, {.locked = true});
    world.add([&](Task& task) { EXPECT_EQ(sys_munlock(task, world.mm, PageIndex(0), PageCount(4096)), 0); });
    world.run();
    const sim::Histogram& holds = world.mm.mmap_sem.statistics().hold.at({0, Phase::munlock, LockMode::write});
    EXPECT_EQ(holds.count(), 4U);
    EXPECT_EQ(holds.max(), 1024 * 100ns);
  });
}

// Giving mmap_sem up unlocks all VMAs.
TEST(MunlockInChunks, KeepsFaultsOutOfItsVmaInEachChunk) {
  check_in_child([] {
    SmallMachineSpec spec = in_chunks_of(100);
    spec.policy.fault = FaultLock::per_vma;
    SmallMachine world(spec);
    add_vma(world, 0, 400, {.locked = true});
    world.add([&](Task& task) { EXPECT_EQ(sys_munlock(task, world.mm, PageIndex(0), PageCount(400)), 0); });
    for (const std::int64_t when : {5'000, 15'000, 25'000, 35'000, 45'000}) {
      world.add_at(when, [&world, when](Task& task) {
        Vma& vma = *world.mm.find_vma(PageIndex(0));
        const bool entered = vma_start_read(task, world.mm, vma);
        EXPECT_EQ(entered, when > 40'000) << when;
        if (entered) vma_end_read(task, vma);
      });
    }
    world.run();
  });
}

// populate gives mmap_sem up every so many pages, whatever VMAs they lie in.
TEST(MlockInBatches, ABatchGoesOnInTheNextVma) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.policy.populate = {.mode = HoldMode::drop_and_read, .batch = PageCount(100)};
    spec.costs.populate_page = sim::Constant{1000ns};
    SmallMachine world(spec);
    tests::make_map(world, "0-60 60-160Q");
    world.add([&](Task& task) { EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(0), PageCount(160)), 0); });
    world.run();
    const sim::Histogram& holds = world.mm.mmap_sem.statistics().hold.at({0, Phase::mlock, LockMode::read});
    EXPECT_EQ(holds.count(), 2U);
    EXPECT_EQ(holds.max(), 100 * 1000ns);
    EXPECT_EQ(holds.min(), 60 * 1000ns);
  });
}

// A writer that spins sees a release 20 ns later, and the walk takes mmap_sem again at once: unless it hands over.
TEST(MunlockInChunks, LetsASpinnerInOnlyWhereItHandsOver) {
  for (const bool hand_over : {false, true}) {
    check_in_child([&] {
      SmallMachineSpec spec;
      spec.policy.rwsem = RwsemFlavour::spin_handoff;
      spec.policy.munlock = {.mode = HoldMode::chunked_write, .batch = PageCount(100), .hand_over = hand_over};
      spec.costs.cache_line = 20ns;
      spec.costs.munlock_page = sim::Constant{100ns};
      SmallMachine world(spec);
      add_vma(world, 0, 400, {.locked = true});
      sim::Time munlocked{};
      world.add([&](Task& task) {
        EXPECT_EQ(sys_munlock(task, world.mm, PageIndex(0), PageCount(400)), 0);
        munlocked = task.settle();
      });
      sim::Time got{};
      world.add_at(1000, [&](Task& task) {
        world.mm.mmap_sem.down_write(task);
        got = task.now();
        world.mm.mmap_sem.up_write(task);
      });
      world.run();
      if (hand_over) {
        EXPECT_LT(got, tests::at(10'100));
        EXPECT_LT(munlocked, tests::at(42'000)) << "a microsecond's patience each time that somebody waits";
      } else {
        EXPECT_GE(got, munlocked);
      }
      EXPECT_EQ(world.mm.locked_vm, PageCount(0));
    });
  }
}

}  // namespace
}  // namespace models::mlock_test
