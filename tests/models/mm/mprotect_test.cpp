// Every branch of mprotect: the write hold and its length, map and return value.
#include "models/mm/mprotect.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::mprotect_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::map_of;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kMprotect = 100ns;
constexpr Nanoseconds kSplit = 5'000ns;
constexpr Nanoseconds kMerge = 70'000ns;
constexpr Nanoseconds kSystemCall = 1'000'000ns;

struct Branch {
  std::string name;
  std::string map;
  bool readonly;
  std::int64_t start;
  std::int64_t pages;
  int result;
  std::string map_after;
  Nanoseconds vma_work;
  std::size_t max_map_count = kDefaultMaxMapCount;
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

class Mprotect : public testing::TestWithParam<std::tuple<Branch, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , Mprotect,
    testing::Combine(
        testing::Values(
            Branch{"OfAWholeVma", "10-30", true, 10, 20, 0, "10-30R", 0ns},
            Branch{"OfTheHeadSplitsOnce", "10-30", true, 10, 5, 0, "10-15R 15-30", kSplit},
            Branch{"OfTheTailSplitsOnce", "10-30", true, 25, 5, 0, "10-25 25-30R", kSplit},
            Branch{"OfTheMiddleSplitsTwice", "10-30", true, 15, 5, 0, "10-15 15-20R 20-30", 2 * kSplit},
            Branch{"BackAgainMergesWithBothNeighbours", "10-15 15-20R 20-30", false, 15, 5, 0, "10-30", kMerge},
            Branch{"OfTheHeadMergesWithTheVmaBefore", "10-15R 15-30", true, 15, 5, 0, "10-20R 20-30", kMerge},
            Branch{"OfTheTailMergesWithTheVmaAfter", "10-25 25-30R", true, 20, 5, 0, "10-20 20-30R", kMerge},
            Branch{"OfWhatIsSoAlready", "10-30R", true, 15, 5, 0, "10-30R", 0ns},
            Branch{"KeepsOtherFlags", "10-30L", true, 15, 5, 0, "10-15L 15-20LR 20-30L", 2 * kSplit},
            Branch{"DoesNotMergeALockedVmaWithAnother", "10-20R 20-30L", true, 20, 10, 0, "10-20R 20-30LR", 0ns},
            Branch{"AcrossVmas", "10-20 20-30L", true, 15, 10, 0, "10-15 15-20R 20-25LR 25-30L", 2 * kSplit},
            Branch{"BelowAllVmas", "10-30", true, 5, 10, -ENOMEM, "10-30", 0ns},
            Branch{"AboveAllVmas", "10-30", true, 30, 10, -ENOMEM, "10-30", 0ns},
            Branch{"KeepsWhatLiesBeforeAHole", "10-20 30-40", true, 10, 30, -ENOMEM, "10-20R 30-40", 0ns},
            Branch{"StopsWhereTheFirstSplitFails", "10-30", true, 15, 5, -ENOMEM, "10-30", kSplit, 1},
            Branch{"StopsWhereTheSecondSplitFails", "10-30", true, 15, 5, -ENOMEM, "10-15 15-30", 2 * kSplit, 2}),
        testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(Mprotect, ChangesTheMapInOneWriteHold) {
  check_in_child([&] {
    const auto& [branch, stepwise] = GetParam();
    SmallMachineSpec spec;
    spec.stepwise = stepwise;
    spec.costs.rwsem_operation = kOperation;
    spec.costs.mprotect = sim::Constant{kMprotect};
    spec.costs.vma_split = kSplit;
    spec.costs.vma_merge = kMerge;
    spec.costs.system_call = kSystemCall;
    SmallMachine world(spec);
    tests::make_map(world, branch.map);
    world.mm.max_map_count = branch.max_map_count;
    const Nanoseconds hold = kMprotect + branch.vma_work + kOperation;
    world.add([&, &call = branch](Task& task) {
      EXPECT_EQ(sys_mprotect(task, world.mm, PageIndex(call.start), PageCount(call.pages), call.readonly), call.result);
      EXPECT_EQ(task.settle(), tests::at(0) + kSystemCall + kOperation + hold);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), branch.map_after);
    EXPECT_EQ(world.mm.locked_vm, tests::locked_pages_of(world.mm));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::mprotect, LockMode::write}).count(), 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::mprotect, LockMode::write}).max(), hold);
  });
}

// change_protection: what is absent costs nothing, and so do VMAs that are so already.
TEST(MprotectOfPages, CostsForEachThatIsPresentUnderWriteMode) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.costs.mprotect_page = 10ns;
    SmallMachine world(spec);
    tests::make_map(world, "0-2000 2000-4000R");
    tests::make_resident(world, 100, 700);
    tests::make_resident(world, 1000, 1001);
    tests::make_resident(world, 2000, 3000);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mprotect(task, world.mm, PageIndex(0), PageCount(4000), true), 0);
      EXPECT_EQ(task.settle(), tests::at(0) + 601 * 10ns);
      EXPECT_EQ(sys_mprotect(task, world.mm, PageIndex(0), PageCount(4000), false), 0);
      EXPECT_EQ(task.settle(), tests::at(0) + 601 * 10ns + 1601 * 10ns);
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().hold.at({0, Phase::mprotect, LockMode::write}).max(), 1601 * 10ns);
  });
}

// mprotect_fixup since 4.2: what a locked private mapping lacks when it becomes writable is allocated under write mode,
// and what it has is looked at. 40 of 100 pages are there.
struct Locked {
  std::string name;
  VmFlags flags;
  bool readonly;  // what is asked for
  bool populates;
  bool policy = true;
};
void PrintTo(const Locked& each, std::ostream* out) { *out << each.name; }

class MprotectOfLocked : public testing::TestWithParam<Locked> {};
INSTANTIATE_TEST_SUITE_P(
    , MprotectOfLocked,
    testing::Values(Locked{"BecomesWritable", {.locked = true, .readonly = true}, false, true},
                    Locked{"BecomesReadOnly", {.locked = true}, true, false},
                    Locked{"IsNotLocked", {.readonly = true}, false, false},
                    Locked{"IsLockedOnFault", {.locked = true, .lock_on_fault = true, .readonly = true}, false, false},
                    Locked{"IsShared", {.locked = true, .readonly = true, .shared = true}, false, false},
                    Locked{"IsThatOfAnOlderKernel", {.locked = true, .readonly = true}, false, false, false}),
    [](const auto& each) { return each.param.name; });

TEST_P(MprotectOfLocked, PopulatesUnderWriteModeWhatBecomesWritable) {
  check_in_child([] {
    const Locked& each = GetParam();
    SmallMachineSpec spec;
    spec.costs.mprotect_page = 10ns;
    spec.costs.gup_present = 100ns;
    spec.costs.populate_page = sim::Constant{1'000ns};
    spec.policy.populate.mode = HoldMode::drop_and_read;
    spec.policy.mprotect_populates_locked = each.policy;
    SmallMachine world(spec);
    const PageState there = each.flags.locked ? PageState::mlocked : PageState::resident;
    world.mm.insert_vma(PageIndex(0), PageIndex(100), each.flags);
    tests::make_present(world, 0, 40, there);
    const Nanoseconds hold = 40 * 10ns + (each.populates ? 40 * 100ns + 60 * 1'000ns : 0ns);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mprotect(task, world.mm, PageIndex(0), PageCount(100), each.readonly), 0);
      EXPECT_EQ(task.settle(), tests::at(0) + hold);
    });
    world.run();
    EXPECT_EQ(world.mm.page_table.count(PageIndex(0), PageIndex(100), there), PageCount(each.populates ? 100 : 40));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::mprotect, LockMode::write}).max(), hold);
  });
}

TEST(MprotectOfNothing, DoesNotAskForTheSemaphore) {
  check_in_child([] {
    SmallMachine world;
    world.add([&](Task& task) { EXPECT_EQ(sys_mprotect(task, world.mm, PageIndex(10), PageCount(0), true), 0); });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions, 0U);
  });
}

}  // namespace
}  // namespace models::mprotect_test
