// Every branch of mremap to another place: the write hold and its length, map, pages and return value.
#include "models/mm/mremap.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <ostream>
#include <string>
#include <tuple>

#include "models/mm/fault.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::mremap_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::check_pages;
using tests::map_of;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kPage = 170ns;
constexpr Nanoseconds kSplit = 1'000'000ns;

SmallMachineSpec machine(bool stepwise, bool moves_tables = false) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.policy.mremap_moves_tables = moves_tables;
  spec.policy.lru_drain = LruDrain::local;
  spec.costs.remap_page = kPage;
  spec.costs.vma_split = kSplit;
  return spec;
}

struct Branch {
  std::string name;
  std::string map;
  std::int64_t resident_from;
  std::int64_t resident_to;
  std::int64_t start;
  std::int64_t pages;
  std::int64_t to;
  int result;
  std::string map_after;
  std::int64_t moved;   // entries
  std::int64_t splits;  // the new VMA among them
  std::size_t max_map_count = kDefaultMaxMapCount;
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

class Mremap : public testing::TestWithParam<std::tuple<Branch, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , Mremap,
    testing::Combine(
        testing::Values(Branch{"OfAWholeVma", "10-30", 10, 30, 10, 20, 100, 0, "100-120", 20, 1},
                        Branch{"OfItsMiddle", "10-40", 10, 40, 20, 10, 100, 0, "10-20 30-40 100-110", 10, 3},
                        Branch{"MovesOnlyEntriesThatThereAre", "10-30", 15, 18, 10, 20, 100, 0, "100-120", 3, 1},
                        Branch{"AcrossTables", "10-2000", 10, 2000, 10, 1990, 5005, 0, "5005-6995", 1990, 1},
                        Branch{"OverWhatIsThere", "10-20 100-130", 10, 20, 10, 10, 100, 0, "100-110 110-130", 10, 2},
                        Branch{"OfALockedVma", "10-30L", 0, 0, 10, 20, 100, 0, "100-120L", 20, 1},
                        Branch{"OntoItself", "10-30", 10, 30, 10, 20, 25, -EINVAL, "10-30", 0, 0},
                        Branch{"OfAHole", "10-30", 10, 30, 40, 20, 100, -EFAULT, "10-30", 0, 0},
                        Branch{"OfMoreThanAVma", "10-30 30-40R", 10, 30, 10, 25, 100, -EFAULT, "10-30 30-40R", 0, 0},
                        Branch{"NearTheLimitOfTheMap", "10-30", 10, 30, 10, 20, 100, -ENOMEM, "10-30", 0, 0, 4}),
        testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(Mremap, MovesEntriesUnderOneWriteHold) {
  check_in_child([&] {
    const auto& [branch, stepwise] = GetParam();
    SmallMachine world(machine(stepwise));
    tests::make_map(world, branch.map);
    world.mm.max_map_count = branch.max_map_count;
    if (branch.resident_to > 0) tests::make_resident(world, branch.resident_from, branch.resident_to);
    world.add([&, &call = branch](Task& task) {
      EXPECT_EQ(sys_mremap(task, world.mm, PageIndex(call.start), PageCount(call.pages), PageIndex(call.to)),
                call.result);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), branch.map_after);
    check_pages(world, world.mm.locked_vm, PageCount(branch.resident_to - branch.resident_from));
    if (branch.result == 0) {
      const PageIndex to(branch.to);
      EXPECT_EQ(world.mm.page_table.count(to, to + PageCount(branch.pages), PageState::absent).count(),
                branch.pages - branch.moved);
    }
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::mremap, LockMode::write}).max(),
              branch.moved * kPage + branch.splits * kSplit);
  });
}

// Pages [512, 1536) are two whole tables; the eight before and behind them go one by one.
TEST(MremapOfTables, MovesThemAsOneEntryEachWhereTheyLieAlike) {
  const auto hold_of = [](bool moves_tables, std::int64_t to) {
    Nanoseconds hold{};
    check_in_child([&] {
      SmallMachine world(machine(false, moves_tables));
      tests::make_map(world, "504-1544");
      tests::make_resident(world, 504, 1544);
      world.add([&](Task& task) {
        EXPECT_EQ(sys_mremap(task, world.mm, PageIndex(504), PageCount(1040), PageIndex(to)), 0);
      });
      world.run();
      check_pages(world, PageCount(0), PageCount(1040));
      const std::int64_t entries = moves_tables && (to - 504) % 512 == 0 ? 16 + 2 : 1040;
      EXPECT_EQ(world.mm.mmap_sem.statistics().hold.at({0, Phase::mremap, LockMode::write}).max(),
                kSplit + entries * kPage);
    });
    return hold;
  };
  (void)hold_of(true, 504 + 20 * 512);
  (void)hold_of(true, 505 + 20 * 512);
  (void)hold_of(false, 504 + 20 * 512);
}

TEST(MremapOfSwapAndFiles, TakesSwapEntriesAndTheirSlotsAlong) {
  check_in_child([] {
    SmallMachineSpec spec = machine(false);
    spec.memory.swap = SwapSpec{.size = Bytes(100 * kPageSize), .zram = {}};
    SmallMachine world(spec);
    tests::make_map(world, "10-30");
    world.kernel.swap.get(PageCount(5));
    world.mm.page_table.set(PageIndex(12), PageIndex(17), PageState::swapped);
    world.add(
        [&](Task& task) { EXPECT_EQ(sys_mremap(task, world.mm, PageIndex(10), PageCount(20), PageIndex(100)), 0); });
    world.run();
    EXPECT_EQ(world.mm.page_table.count(PageIndex(102), PageIndex(107), PageState::swapped), PageCount(5));
    EXPECT_EQ(world.mm.page_table.count(PageIndex(10), PageIndex(30), PageState::absent), PageCount(20));
    EXPECT_EQ(world.kernel.swap.used(), PageCount(5));
  });
}

// Who reclaims it finds the page where it is now.
TEST(MremapOfSwapAndFiles, LeavesPagesForReclaimToFindAtTheirNewPlace) {
  check_in_child([] {
    SmallMachine world(machine(false));
    tests::make_map(world, "10-30");
    tests::make_resident(world, 10, 30);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mremap(task, world.mm, PageIndex(10), PageCount(20), PageIndex(100)), 0);
      EXPECT_EQ(world.kernel.zone.remove_from_lru(world.mm.anon_owner, PageIndex(10), PageIndex(30), task.now()),
                PageCount(0));
      EXPECT_EQ(world.kernel.zone.remove_from_lru(world.mm.anon_owner, PageIndex(100), PageIndex(120), task.now()),
                PageCount(20));
    });
    world.run();
  });
}

// A fault there waits for the end; then there is a page.
TEST(MremapUnderVmaLocks, KeepsFaultsOutOfBothPlaces) {
  check_in_child([] {
    SmallMachineSpec spec = machine(false);
    spec.policy.fault = FaultLock::per_vma;
    SmallMachine world(spec);
    tests::make_map(world, "0-1000");
    tests::make_resident(world, 0, 1000);
    world.mm.anon_vma_prepare(*world.mm.find_vma(PageIndex(0)));
    world.add(
        [&](Task& task) { EXPECT_EQ(sys_mremap(task, world.mm, PageIndex(0), PageCount(1000), PageIndex(5000)), 0); });
    const Nanoseconds end = kSplit + 1000 * kPage;
    world.add_at((kSplit + 10 * kPage).count(), [&](Task& task) {
      do_page_fault(task, world.mm, PageIndex(5999), Backing::region);
      EXPECT_GE(task.settle(), tests::at(0) + end);
    });
    world.run();
    check_pages(world, PageCount(0), PageCount(1000));
  });
}

}  // namespace
}  // namespace models::mremap_test
