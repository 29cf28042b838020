// MADV_COLLAPSE and khugepaged: what they make of each kind of range, under which locks, and what that takes.
#include "models/mm/khugepaged.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <vector>

#include "models/mm/madvise.h"
#include "models/mm/mm.h"
#include "models/mm/vmscan.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::khugepaged_test {
namespace {

using namespace std::chrono_literals;
using tests::check_in_child;
using tests::make_present;
using tests::make_resident;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr std::int64_t kHuge = 512;

SmallMachineSpec where_copying_costs() {
  SmallMachineSpec spec;
  spec.costs.collapse_page = sim::Nanoseconds{1'000};
  spec.costs.collapse_absent = sim::Nanoseconds{100};
  return spec;
}

void collapse(std::int64_t start, std::int64_t pages, int expected, const std::function<void(SmallMachine&)>& before,
              const std::function<void(SmallMachine&, sim::Nanoseconds)>& after) {
  check_in_child([&] {
    SmallMachine world(where_copying_costs());
    before(world);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(start), PageCount(pages), Advice::collapse), expected);
      after(world, task.settle().time_since_epoch());
    });
    world.run();
  });
}

bool is_huge(const SmallMachine& world, std::int64_t index) {
  return world.mm.page_table.folios_at(PageIndex(index), PageIndex(index + 1)).folio.whole;
}

TEST(MadviseCollapse, CopiesWhatIsThereAndClearsTheRest) {
  const auto before = [](SmallMachine& world) {
    tests::add_vma(world, 0, 2 * kHuge, {});
    make_resident(world, 0, 10);
    make_resident(world, kHuge, 2 * kHuge);
  };
  collapse(0, 2 * kHuge, 0, before, [](const SmallMachine& world, sim::Nanoseconds took) {
    EXPECT_EQ(took, 10 * 1us + 502 * 100ns + 512 * 1us);
    EXPECT_TRUE(is_huge(world, 0) && is_huge(world, kHuge));
    EXPECT_EQ(world.kernel.zone.counts().evictable(), PageCount(2 * kHuge));
    EXPECT_EQ(world.kernel.zone.counts().in_flight, PageCount(0));
  });
}

TEST(MadviseCollapse, KeepsLockedPagesLocked) {
  const auto before = [](SmallMachine& world) { tests::add_vma(world, 0, kHuge, {.locked = true}); };
  collapse(0, kHuge, 0, before, [](const SmallMachine& world, sim::Nanoseconds) {
    EXPECT_TRUE(is_huge(world, 0));
    EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(kHuge));
  });
}

TEST(MadviseCollapse, RefusesARangeWithoutPagesOrWithPagesInSwap) {
  const auto before = [](SmallMachine& world) {
    tests::add_vma(world, 0, 2 * kHuge, {});
    make_resident(world, kHuge, kHuge + 1);
    world.mm.page_table.set(PageIndex(kHuge + 1), PageIndex(kHuge + 2), PageState::swapped);
  };
  collapse(0, 2 * kHuge, -EINVAL, before, [](SmallMachine& world, sim::Nanoseconds took) {
    EXPECT_EQ(took, 0ns);
    EXPECT_FALSE(is_huge(world, 0) || is_huge(world, kHuge));
    world.mm.page_table.set(PageIndex(kHuge + 1), PageIndex(kHuge + 2), PageState::absent);
  });
}

TEST(MadviseCollapse, TakesOnlyWhatIsAlignedAndInOneVma) {
  const auto before = [](SmallMachine& world) {
    tests::add_vma(world, 0, kHuge + 100, {});
    tests::add_vma(world, kHuge + 100, 3 * kHuge, {.readonly = true});
    make_resident(world, 0, 3 * kHuge);
  };
  collapse(100, 3 * kHuge - 100, -EINVAL, before, [](const SmallMachine& world, sim::Nanoseconds) {
    EXPECT_FALSE(is_huge(world, 0)) << "begins before the range";
    EXPECT_FALSE(is_huge(world, kHuge)) << "in two VMAs";
    EXPECT_TRUE(is_huge(world, 2 * kHuge));
  });
}

// --- khugepaged ------------------------------------------------------------------------------------------------

constexpr VmFlags kThp{.folio_order = kPmdOrder};

// A machine whose task 0 makes `turns` of khugepaged, one after another, and tells after each how many ranges of the
// first `ranges` are huge.
std::vector<std::int64_t> huge_after_turns(int turns, std::int64_t ranges, const KhugepagedSpec& settings,
                                           const std::function<void(SmallMachine&)>& before,
                                           const std::function<void(const SmallMachine&)>& after = {}) {
  std::vector<std::int64_t> counts;
  SmallMachine world(where_copying_costs());
  before(world);
  world.add([&](Task& task) {
    KhugepagedScan scan;
    for (int turn = 0; turn < turns; ++turn) {
      khugepaged_do_scan(task, world.mm, settings, scan);
      std::int64_t huge = 0;
      for (std::int64_t range = 0; range < ranges; ++range) huge += is_huge(world, range * kHuge) ? 1 : 0;
      counts.push_back(huge);
    }
  });
  world.run();
  if (after) after(world);
  return counts;
}

TEST(Khugepaged, CollapsesEightHugePagesATurnAndGoesOnWhereItWas) {
  check_in_child([] {
    const auto before = [](SmallMachine& world) {
      tests::add_vma(world, 0, 20 * kHuge, kThp);
      make_resident(world, 0, 20 * kHuge);
    };
    const auto after = [](const SmallMachine& world) {
      const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
      const sim::Histogram& holds = statistics.hold.at({0, Phase::khugepaged, LockMode::write});
      EXPECT_EQ(holds.count(), 20U);
      EXPECT_EQ(holds.max(), 512us);
      EXPECT_EQ(holds.min(), 512us);
    };
    EXPECT_EQ(huge_after_turns(4, 20, {}, before, after), (std::vector<std::int64_t>{8, 16, 20, 20}));
  });
}

TEST(Khugepaged, HoldsTheLockForWriteByHowManyPagesAreAbsent) {
  check_in_child([] {
    const auto before = [](SmallMachine& world) {
      tests::add_vma(world, 0, kHuge, kThp);
      make_resident(world, 0, 100);
    };
    huge_after_turns(1, 1, {}, before, [](const SmallMachine& world) {
      const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
      EXPECT_EQ(statistics.hold.at({0, Phase::khugepaged, LockMode::write}).max(), 100 * 1us + 412 * 100ns);
    });
  });
}

TEST(Khugepaged, LeavesRangesWithTooManyAbsentPagesAndVmasWithoutHugePages) {
  check_in_child([] {
    const auto before = [](SmallMachine& world) {
      tests::add_vma(world, 0, 3 * kHuge, kThp);
      make_resident(world, 0, kHuge - 64);
      make_resident(world, kHuge, 2 * kHuge - 65);  // one too many is absent; and of the third range all
      tests::add_vma(world, 4 * kHuge, 5 * kHuge, {});
      make_resident(world, 4 * kHuge, 5 * kHuge);
      tests::add_vma(world, 6 * kHuge, 7 * kHuge, {.io_pfnmap = true, .folio_order = kPmdOrder});
    };
    KhugepagedSpec settings;
    settings.max_ptes_none = PageCount(64);
    EXPECT_EQ(huge_after_turns(2, 7, settings, before), (std::vector<std::int64_t>{1, 1}));
  });
}

TEST(Khugepaged, WithoutMemoryForAHugePageWaitsOnceAMinuteAndEndsItsTurnTheSecondTime) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.memory = tests::all_free(Bytes(1'500 * kPageSize), Bytes(10 * kPageSize));  // without swap
    SmallMachine world(spec);
    tests::add_vma(world, 0, 2 * kHuge, kThp);
    make_resident(world, 0, 2 * kHuge);
    world.add([&](Task& task) {
      KhugepagedScan scan;
      khugepaged_do_scan(task, world.mm, {}, scan);
      EXPECT_EQ(task.settle(), tests::at(0) + kKhugepagedAllocSleep);
      EXPECT_EQ(scan.address, PageIndex(2 * kHuge)) << "each time at another range";
    });
    world.run();
    EXPECT_FALSE(is_huge(world, 0) || is_huge(world, kHuge));
    tests::check_pages(world, PageCount(0), PageCount(2 * kHuge));
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions, 0U);
  });
}

// The kernel has isolated the pages from reclaim by then; here they may be gone, and the huge page is given back.
TEST(MadviseCollapse, GivesItsPageBackWherePagesHaveBeenTakenMeanwhile) {
  check_in_child([] {
    SmallMachineSpec spec = where_copying_costs();
    spec.memory.swap = SwapSpec{.size = Bytes(1'000 * kPageSize), .zram = ZramSpec{.compress = 300ns}};
    SmallMachine world(spec);
    tests::add_vma(world, 0, kHuge, {});
    make_resident(world, 0, kHuge);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(kHuge), Advice::collapse), 0);
    });
    PageCount taken;
    world.add_at(100'000, [&](Task& task) { taken = try_to_free_pages(task); });
    world.run();
    EXPECT_FALSE(is_huge(world, 0));
    EXPECT_GE(taken, PageCount(32));
    tests::check_pages(world, PageCount(0), PageCount(kHuge) - taken);
  });
}

TEST(Khugepaged, BeginsAnewWhereItDoesNotGetTheLockAtOnce) {
  check_in_child([] {
    SmallMachine world;
    tests::add_vma(world, 0, 20 * kHuge, kThp);
    make_resident(world, 0, 20 * kHuge);
    world.add([&](Task& task) {
      KhugepagedScan scan;
      khugepaged_do_scan(task, world.mm, {}, scan);
      EXPECT_EQ(scan.address, PageIndex(8 * kHuge));
      task.sleep_until(tests::at(2'000));
      khugepaged_do_scan(task, world.mm, {}, scan);
      EXPECT_EQ(task.settle(), tests::at(2'000)) << "it waits for nobody";
      EXPECT_FALSE(scan.under_way);
      EXPECT_EQ(scan.address, PageIndex(0));
      EXPECT_FALSE(is_huge(world, 8 * kHuge));
    });
    world.add_at(1'000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      task.work(1ms);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
  });
}

}  // namespace
}  // namespace models::khugepaged_test
