// NUMA balancing's scan: how long it holds mmap_sem, over what, and where the next one goes on.
#include "models/mm/numa_balancing.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "models/mm/cow.h"
#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/memory.h"
#include "models/mm/mm.h"
#include "models/mm/mprotect.h"
#include "models/mm/mremap.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::numa_balancing_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::make_resident;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kEntry = 50ns;
constexpr Nanoseconds kFlush = 700ns;
constexpr std::int64_t kHuge = 512;

// A scan after another of 1,000 pages, with one other CPU that runs a thread of the process: how long each has had
// mmap_sem for read, and where it has stopped.
struct Scanned {
  Nanoseconds hold;
  std::int64_t offset;
  bool operator==(const Scanned&) const = default;
};

std::vector<Scanned> scans(int count, const std::function<void(SmallMachine&)>& before) {
  std::vector<Scanned> scanned;
  SmallMachineSpec spec;
  spec.costs.mprotect_page = kEntry;
  spec.costs.tlb_flush_cpu = kFlush;
  SmallMachine world(spec);
  before(world);
  world.add([&](Task& task) {
    PageIndex offset;
    for (int scan = 0; scan < count; ++scan) {
      const sim::Time began = task.settle();
      task_numa_work(task, world.mm, PageCount(1'000), offset);
      scanned.push_back({task.settle() - began, offset.index()});
    }
  });
  world.add([&](Task& task) { tests::work_in_steps(task, 1ms); }).set_mm(world.mm);
  world.run();
  return scanned;
}

TEST(NumaBalancing, ChangesAsManyEntriesAsItMayUpToTheNextHugePageAndGoesOnThere) {
  check_in_child([] {
    const auto before = [](SmallMachine& world) {
      tests::add_vma(world, 0, 2'000, {});
      make_resident(world, 0, 2'000);
    };
    EXPECT_EQ(scans(4, before), (std::vector<Scanned>{{1'024 * kEntry + kFlush, 1'024},
                                                      {976 * kEntry + kFlush, 0},
                                                      {1'024 * kEntry + kFlush, 1'024},
                                                      {976 * kEntry + kFlush, 0}}));
  });
}

TEST(NumaBalancing, LooksAtEightTimesAsManyAddressesWhereNothingIsPresent) {
  check_in_child([] {
    const auto before = [](SmallMachine& world) {
      tests::add_vma(world, 0, 40'000, {});
      make_resident(world, 8'192, 8'192 + 10);
    };
    // 8,192 in eight stretches of 1,024; then one that has pages counts as a whole.
    EXPECT_EQ(scans(2, before), (std::vector<Scanned>{{0ns, 8'192}, {10 * kEntry + kFlush, 9'216}}));
  });
}

TEST(NumaBalancing, BeginsAtTheFirstVmaWhereThereIsNoneBehindWhatItHasScanned) {
  check_in_child([] {
    const auto before = [](SmallMachine& world) {
      tests::add_vma(world, 0, 1'024, {});
      make_resident(world, 0, 1'024);
    };
    const Scanned all{1'024 * kEntry + kFlush, 1'024};
    EXPECT_EQ(scans(2, before), (std::vector<Scanned>{all, all}));
  });
}

TEST(NumaBalancing, TakesOneStepForAHugePageAndPassesOverWhatCannotMove) {
  check_in_child([] {
    const auto before = [](SmallMachine& world) {
      tests::add_vma(world, 0, 100, {.io_pfnmap = true});
      tests::add_vma(world, 100, 200, {.dontexpand = true});
      make_resident(world, 100, 200);
      tests::add_vma(world, kHuge, 2 * kHuge, {});
      make_resident(world, kHuge, 2 * kHuge);
      world.mm.page_table.put_in_folios(PageIndex(kHuge), PageIndex(2 * kHuge), folio_of(kPmdOrder));
    };
    EXPECT_EQ(scans(1, before), (std::vector<Scanned>{{kEntry + kFlush, 0}}));
  });
}

// With hinting faults an entry is changed once, until somebody has touched its page again.
TEST(NumaBalancing, WithHintingFaultsChangesWhatHasBeenTouchedSince) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.costs.mprotect_page = kEntry;
    spec.costs.fault = sim::Constant{1us};
    SmallMachine world(spec);
    tests::add_vma(world, 0, 2 * kHuge, {});
    make_resident(world, 0, 2 * kHuge);
    world.mm.page_table.put_in_folios(PageIndex(kHuge), PageIndex(2 * kHuge), folio_of(kPmdOrder));
    world.add([&](Task& task) {
      const auto scan = [&] {
        PageIndex offset;
        const sim::Time began = task.settle();
        task_numa_work(task, world.mm, PageCount(2'000), offset, true);
        return task.settle() - began;
      };
      const auto fault_at = [&](std::int64_t page) {
        EXPECT_FALSE(access_page(world.kernel, world.mm, PageIndex(page)));
        do_page_fault(task, world.mm, PageIndex(page), Backing::region);
        task.settle();
        EXPECT_TRUE(access_page(world.kernel, world.mm, PageIndex(page)));
      };
      EXPECT_TRUE(access_page(world.kernel, world.mm, PageIndex(3)));
      EXPECT_EQ(scan(), 512 * kEntry + kEntry);
      EXPECT_EQ(scan(), 0ns) << "nobody has touched anything";
      fault_at(3);
      fault_at(kHuge + 5);
      EXPECT_TRUE(access_page(world.kernel, world.mm, PageIndex(kHuge + 6))) << "one entry maps it";
      EXPECT_FALSE(access_page(world.kernel, world.mm, PageIndex(4)));
      EXPECT_EQ(scan(), 2 * kEntry);
    });
    world.run();
  });
}

TEST(NumaBalancing, WhatIsUnmappedIsNoLongerInaccessibleAndWhatMovesStaysSo) {
  check_in_child([] {
    SmallMachine world;
    tests::add_vma(world, 0, 100, {});
    make_resident(world, 0, 100);
    world.add([&](Task& task) {
      PageIndex offset;
      task_numa_work(task, world.mm, PageCount(2'000), offset, true);
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(10), Advice::dontneed), 0);
      EXPECT_FALSE(access_page(world.kernel, world.mm, PageIndex(5))) << "it is gone";
      do_page_fault(task, world.mm, PageIndex(5), Backing::region);
      EXPECT_TRUE(access_page(world.kernel, world.mm, PageIndex(5)));
      EXPECT_EQ(sys_mremap(task, world.mm, PageIndex(50), PageCount(10), PageIndex(1'000)), 0);
      EXPECT_TRUE(world.mm.numa_hints->is_hidden(PageIndex(1'005)));
      EXPECT_FALSE(world.mm.numa_hints->is_hidden(PageIndex(55)));
    });
    world.run();
  });
}

TEST(NumaBalancing, MprotectMakesPagesAccessibleAndWhatAChildSharesStaysSo) {
  check_in_child([] {
    SmallMachine world;
    tests::add_vma(world, 0, 100, {});
    tests::add_vma(world, 200, 300, {});
    make_resident(world, 0, 100);
    make_resident(world, 200, 300);
    world.mm.cow = std::make_shared<CowPages>(world.kernel);
    world.mm.cow->begin_fork();
    world.mm.cow->share(world.mm, *world.mm.find_vma(PageIndex(200)));
    world.add([&](Task& task) {
      PageIndex offset;
      task_numa_work(task, world.mm, PageCount(2'000), offset, true);
      EXPECT_TRUE(world.mm.numa_hints->is_hidden(PageIndex(5)));
      EXPECT_FALSE(world.mm.numa_hints->is_hidden(PageIndex(205)));
      EXPECT_EQ(sys_mprotect(task, world.mm, PageIndex(0), PageCount(50), true), 0);
      EXPECT_FALSE(world.mm.numa_hints->is_hidden(PageIndex(5)));
      EXPECT_TRUE(world.mm.numa_hints->is_hidden(PageIndex(55)));
    });
    world.run();
  });
}

TEST(NumaBalancing, WaitsForNobody) {
  check_in_child([] {
    SmallMachine world;
    tests::add_vma(world, 0, 2'000, {});
    make_resident(world, 0, 2'000);
    world.add([&](Task& task) {
      task.sleep_until(tests::at(2'000));
      PageIndex offset;
      task_numa_work(task, world.mm, PageCount(1'000), offset);
      EXPECT_EQ(task.settle(), tests::at(2'000));
      EXPECT_EQ(offset, PageIndex(0));
    });
    world.add_at(1'000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      task.work(1ms);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
  });
}

TEST(NumaBalancing, HoldsOffAWriterUntilItHasDoneAllEvenWhereItGivesItsCpuAway) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.costs.mprotect_page = kEntry;
    SmallMachine world(spec);
    tests::add_vma(world, 0, 1'000, {});
    make_resident(world, 0, 1'000);
    world.add([&](Task& task) {
      PageIndex offset;
      task_numa_work(task, world.mm, PageCount(1'000), offset);
    });
    Task& writer = world.add_at(100, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.settle(), tests::at(1'000 * kEntry.count()));
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
    EXPECT_EQ(world.spent(writer, Cause::lock_wait), 1'000 * kEntry - 100ns);
  });
}

}  // namespace
}  // namespace models::numa_balancing_test
