#include "models/mm/fault.h"

#include <gtest/gtest.h>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models {
namespace {

using namespace std::chrono_literals;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr PageIndex kPage{15};

void map_region(SmallMachine& world, VmFlags flags = {}) { world.mm.insert_vma(PageIndex(10), PageIndex(20), flags); }

SmallMachineSpec machine() {
  SmallMachineSpec spec;
  spec.costs.rwsem_operation = 3ns;
  spec.costs.fault = sim::Constant{500ns};
  return spec;
}

TEST(Fault, TakesItsCostAndTheTwoOperations) {
  check_in_child([] {
    SmallMachine world(machine());
    map_region(world);
    world.add([&](Task& task) {
      const ZoneCounts before = world.kernel.zone.counts();
      do_page_fault(task, world.mm, kPage, Backing::streamed);
      EXPECT_EQ(task.settle(), at(506));
      EXPECT_EQ(world.spent(task, Cause::cpu), 506ns);
      EXPECT_EQ(task.phase(), Phase::user);
      const ZoneCounts& after = world.kernel.zone.counts();
      EXPECT_EQ(after.free + after.per_cpu, before.free - PageCount(1));
      EXPECT_EQ(after.evictable(), before.evictable() + PageCount(1));
      EXPECT_EQ(after.in_flight, PageCount(0));
    });
    world.run();
    // The hold is the whole fault.
    EXPECT_EQ(world.mm.mmap_sem.statistics().hold.at({0, Phase::fault, LockMode::read}).max(), 503ns);
  });
}

TEST(Fault, FaultsOfOneProcessGoOnSideBySide) {
  check_in_child([] {
    SmallMachine world(machine());
    map_region(world);
    for (int number = 0; number < 8; ++number) {
      world.add([&](Task& task) {
        do_page_fault(task, world.mm, kPage, Backing::streamed);
        EXPECT_EQ(task.settle(), at(506));
      });
    }
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().read.contended, 0U);
    EXPECT_EQ(world.kernel.zone.allocated(), 8U);
  });
}

// Free pages are at min: the fault reclaims for itself, and does so under the semaphore. A round of reclaim looks at
// one in 4096 of the pages on the list, at first: at the 32 that it wants, all of them untouched. They cost 310 ns
// each.
TEST(Fault, ReclaimsUnderTheSemaphoreWhenFreePagesAreAtMin) {
  check_in_child([] {
    constexpr std::int64_t kMin = 400;
    SmallMachineSpec spec = machine();
    spec.memory = tests::all_free(bytes_of(PageCount(32 * 4096 + kMin)), bytes_of(PageCount(kMin)));
    spec.memory.free = bytes_of(PageCount(kMin));
    spec.costs.scan_page = sim::Constant{10ns};
    spec.costs.reclaim_page = sim::Constant{300ns};
    SmallMachine world(spec);
    map_region(world);
    world.add([&](Task& task) {
      do_page_fault(task, world.mm, kPage, Backing::streamed);
      EXPECT_EQ(task.settle(), at(9'920 + 506));
      EXPECT_EQ(world.spent(task, Cause::direct_reclaim), 9'920ns);
      EXPECT_EQ(world.spent(task, Cause::cpu), 506ns);
    });
    const Task& writer = world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
    EXPECT_EQ(world.spent(writer, Cause::lock_wait), 9'920ns + 506ns - 1003ns);
    const ZoneCounts& counts = world.kernel.zone.counts();
    EXPECT_EQ(counts.free + counts.per_cpu, PageCount(kMin + 32 - 1));
    EXPECT_EQ(counts.in_flight, PageCount(0));
    EXPECT_EQ(world.kernel.reclaim.statistics.direct_reclaimed, 32U);
  });
}

TEST(Fault, OutsideAnyVmaTakesNoPage) {
  check_in_child([] {
    SmallMachine world(machine());
    world.add([&](Task& task) { do_page_fault(task, world.mm, PageIndex(30), Backing::region); });
    world.run();
    EXPECT_EQ(world.kernel.zone.allocated(), 0U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().read.acquisitions, 1U);
  });
}

TEST(Fault, InARegionMakesThePagePresentOnce) {
  check_in_child([] {
    SmallMachine world(machine());
    map_region(world);
    world.add([&](Task& task) {
      do_page_fault(task, world.mm, kPage, Backing::region);
      do_page_fault(task, world.mm, kPage, Backing::region);
    });
    world.run();
    EXPECT_EQ(world.kernel.zone.allocated(), 1U);
    EXPECT_EQ(world.kernel.zone.counts().evictable(), PageCount(1));
    EXPECT_EQ(world.mm.page_table.count(PageIndex(0), PageIndex(100), PageState::resident), PageCount(1));
    EXPECT_EQ(world.now(), at(2 * 506));
  });
}

TEST(Fault, InALockedRegionMlocksThePage) {
  check_in_child([] {
    SmallMachine world(machine());
    map_region(world, {.locked = true});
    world.add([&](Task& task) { do_page_fault(task, world.mm, kPage, Backing::region); });
    world.run();
    EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(1));
    EXPECT_EQ(world.mm.page_table.count(PageIndex(0), PageIndex(100), PageState::mlocked), PageCount(1));
  });
}

TEST(Fault, OfManyThreadsOnOnePageKeepsOnePage) {
  check_in_child([] {
    SmallMachine world(machine());
    map_region(world);
    for (int number = 0; number < 5; ++number) {
      world.add([&](Task& task) { do_page_fault(task, world.mm, kPage, Backing::region); });
    }
    const ZoneCounts before = world.kernel.zone.counts();
    world.run();
    EXPECT_EQ(world.kernel.zone.counts().evictable(), PageCount(1));
    EXPECT_EQ(world.kernel.zone.counts().free + world.kernel.zone.counts().per_cpu, before.free - PageCount(1));
    EXPECT_EQ(world.kernel.zone.counts().in_flight, PageCount(0));
  });
}

// Linux 6.4: a fault under the VMA's own lock does not care who holds mmap_sem, once the VMA has an anon_vma.
TEST(Fault, UnderThePerVmaLockDoesNotWaitForMmapSem) {
  for (const bool has_anon_vma : {true, false}) {
    check_in_child([has_anon_vma] {
      SmallMachineSpec spec = machine();
      spec.policy.fault = FaultLock::per_vma;
      SmallMachine world(spec);
      map_region(world);
      if (has_anon_vma) world.mm.anon_vma_prepare(*world.mm.find_vma(kPage));
      world.add([&](Task& task) {
        world.mm.mmap_sem.down_write(task);
        task.work(5000ns);
        world.mm.mmap_sem.up_write(task);
      });
      const Task& faulter = world.add_at(1000, [&](Task& task) {
        do_page_fault(task, world.mm, kPage, Backing::region);
        EXPECT_EQ(task.settle(), has_anon_vma ? at(1500) : at(5006 + 503));
      });
      world.run();
      EXPECT_EQ(world.spent(faulter, Cause::lock_wait), has_anon_vma ? 0ns : 5006ns - 1003ns);
    });
  }
}

}  // namespace
}  // namespace models
