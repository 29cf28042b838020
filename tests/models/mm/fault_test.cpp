#include "models/mm/fault.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>

#include "models/mm/mm.h"
#include "models/mm/swap.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::fault_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
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
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).contended(), 0U);
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
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 1U);
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

// What a fault does while somebody holds mmap_sem for write: whether it waits.
struct Steps {
  VmaLockCovers covers;
  FirstTouch first_touch;
  bool file;
  bool has_anon_vma;
  bool waits;
};

TEST(Fault, WhichStayUnderThePerVmaLockCameInSteps) {
  using enum VmaLockCovers;
  for (const Steps& step :
       {Steps{anonymous, FirstTouch::mmap_sem, false, true, false},
        Steps{anonymous, FirstTouch::mmap_sem, false, false, true},
        Steps{anonymous, FirstTouch::mmap_sem, true, false, true}, Steps{swap, FirstTouch::mmap_sem, true, false, true},
        Steps{files, FirstTouch::mmap_sem, true, false, false}, Steps{files, FirstTouch::mmap_sem, false, false, true},
        Steps{files, FirstTouch::try_mmap_sem, false, false, true},
        Steps{files, FirstTouch::try_mmap_sem, false, true, false}}) {
    check_in_child([&] {
      SmallMachineSpec spec = machine();
      spec.policy.fault = FaultLock::per_vma;
      spec.policy.vma_lock_covers = step.covers;
      spec.policy.first_touch = step.first_touch;
      SmallMachine world(spec);
      map_region(world);
      if (step.file) {
        const OwnerId owner = world.kernel.zone.add_owner({.mm = &world.mm, .file = true});
        world.mm.set_owner(PageIndex(10), PageIndex(20), owner);
      }
      if (step.has_anon_vma) world.mm.anon_vma_prepare(*world.mm.find_vma(kPage));
      world.add([&](Task& task) {
        world.mm.mmap_sem.down_write(task);
        task.work(5000ns);
        world.mm.mmap_sem.up_write(task);
      });
      world.add_at(1000, [&](Task& task) {
        do_page_fault(task, world.mm, kPage, Backing::region);
        EXPECT_EQ(task.settle() > at(5000), step.waits);
      });
      world.run();
    });
  }
}

// Linux 6.10: where nobody is in the way it holds mmap_sem for the anon_vma alone, not for the fault.
TEST(Fault, TheFirstTouchHoldsMmapSemForItsAnonVmaOnly) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.policy.fault = FaultLock::per_vma;
    spec.policy.first_touch = FirstTouch::try_mmap_sem;
    SmallMachine world(spec);
    map_region(world);
    world.add([&](Task& task) {
      do_page_fault(task, world.mm, kPage, Backing::region);
      EXPECT_EQ(task.settle(), at(506));
      do_page_fault(task, world.mm, kPage + PageCount(1), Backing::region);
      EXPECT_EQ(task.settle(), at(1006));
    });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::fault, LockMode::read}).max(), 3ns);
  });
}

TEST(Fault, OfKernelModeTakesMmapSemUnderEveryPolicy) {
  for (const FaultLock lock : {FaultLock::mmap_sem, FaultLock::per_vma}) {
    check_in_child([lock] {
      SmallMachineSpec spec = machine();
      spec.policy.fault = lock;
      SmallMachine world(spec);
      map_region(world);
      world.mm.anon_vma_prepare(*world.mm.find_vma(kPage));
      world.add([&](Task& task) { do_page_fault(task, world.mm, kPage, Backing::region, FaultMode::kernel); });
      world.run();
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 1U);
    });
  }
}

// Linux 6.5: a stack grows under write mode, and the fault goes on downgraded.
TEST(Fault, BelowAStackTakesWriteModeWhereThePolicySaysSo) {
  for (const bool under_write : {false, true}) {
    check_in_child([under_write] {
      SmallMachineSpec spec = machine();
      spec.policy.stack_grows_under_write = under_write;
      SmallMachine world(spec);
      map_region(world, {.growsdown = true});
      world.add([&](Task& task) {
        EXPECT_EQ(do_user_addr_fault(task, world.mm, PageIndex(5), Backing::region), 0);
        EXPECT_EQ(world.mm.find_vma(PageIndex(5))->start, PageIndex(5));
      });
      world.run();
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions, under_write ? 1U : 0U);
      EXPECT_FALSE(world.mm.mmap_sem.write_held());
    });
  }
}

TEST(Fault, BelowAStackThatIsGoneMeanwhileFails) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.policy.stack_grows_under_write = true;
    SmallMachine world(spec);
    map_region(world, {.growsdown = true});
    world.add([&](Task& task) {
      world.mm.mmap_sem.down_read(task);
      task.work(1000ns);
      world.mm.mmap_sem.up_read(task);
    });
    // Takes read mode at 13 and gives it up at 16: at 19 it asks for write mode, and somebody is before it.
    world.add_at(
        10, [&](Task& task) { EXPECT_EQ(do_user_addr_fault(task, world.mm, PageIndex(5), Backing::region), -EFAULT); });
    world.add_at(14, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      world.mm.detach_vma(world.mm.find_vma(kPage));
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
  });
}

// do_swap_page of a synchronous device: the page is there when the fault looks, and whatever lock it has it keeps.
TEST(Fault, OfAPageInZramKeepsItsLock) {
  for (const bool zram : {true, false}) {
    check_in_child([zram] {
      SmallMachineSpec spec = machine();
      spec.policy.fault = FaultLock::per_vma;
      spec.policy.retry_on_io = true;
      spec.memory.device.read = sim::Constant{50'000ns};
      spec.memory.swap = SwapSpec{.size = Bytes(100 * kPageSize), .zram = std::nullopt, .readahead = PageCount(1)};
      if (zram) spec.memory.swap->zram = ZramSpec{.decompress = 4000ns, .ratio = 2};
      SmallMachine world(spec);
      map_region(world);
      world.mm.anon_vma_prepare(*world.mm.find_vma(kPage));
      world.kernel.swap.get(PageCount(1));
      world.mm.page_table.set(kPage, kPage + PageCount(1), PageState::swapped);
      account_compressed(world.kernel);
      world.add([&](Task& task) { do_page_fault(task, world.mm, kPage, Backing::region); });
      world.run();
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, zram ? 0U : 1U);
    });
  }
}

// FAULT_FLAG_TRIED: the second time it waits with the lock held, or it might never get anywhere.
TEST(Fault, GivesTheLockUpForItsPageOnce) {
  check_in_child([] {
    constexpr Nanoseconds kRead = 50'000ns;
    SmallMachineSpec spec = machine();
    spec.costs.rwsem_operation = 1000ns;
    spec.policy.retry_on_io = true;
    spec.memory.device.read = sim::Constant{kRead};
    spec.memory.swap = SwapSpec{.size = Bytes(100 * kPageSize), .zram = std::nullopt, .readahead = PageCount(1)};
    SmallMachine world(spec);
    map_region(world);
    const auto is = [&](PageState state) {
      return world.mm.page_table.count(kPage, kPage + PageCount(1), state) == PageCount(1);
    };
    const auto swap_out = [&] { world.mm.page_table.set(kPage, kPage + PageCount(1), PageState::swapped); };
    world.kernel.swap.get(PageCount(1));
    swap_out();
    world.add([&](Task& task) { do_page_fault(task, world.mm, kPage, Backing::region); });
    world.add([&](Task& task) {  // each time before the fault has the lock again
      for (int times = 0; times < 2;) {
        task.sleep_until(task.now() + 100ns);
        if (is(PageState::resident)) return;
        if (!is(PageState::cached)) continue;
        swap_out();
        ++times;
      }
    });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 2U);
    EXPECT_GT(statistics.hold.at({0, Phase::fault, LockMode::read}).max(), kRead);
  });
}

// Linux 6.4 and 6.5: a swap entry, and the fault begins again under mmap_sem.
TEST(Fault, OfASwappedPageTakesMmapSemWhereTheLocksOfVmasDoNotCoverIt) {
  for (const VmaLockCovers covers : {VmaLockCovers::anonymous, VmaLockCovers::swap}) {
    check_in_child([covers] {
      SmallMachineSpec spec = machine();
      spec.policy.fault = FaultLock::per_vma;
      spec.policy.vma_lock_covers = covers;
      spec.memory.swap = SwapSpec{.size = Bytes(100 * kPageSize), .zram = ZramSpec{.decompress = 10ns, .ratio = 2}};
      SmallMachine world(spec);
      map_region(world);
      world.mm.anon_vma_prepare(*world.mm.find_vma(kPage));
      world.kernel.swap.get(PageCount(1));
      world.mm.page_table.set(kPage, kPage + PageCount(1), PageState::swapped);
      account_compressed(world.kernel);
      world.add([&](Task& task) { do_page_fault(task, world.mm, kPage, Backing::region); });
      world.run();
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions,
                covers == VmaLockCovers::swap ? 0U : 1U);
    });
  }
}

}  // namespace
}  // namespace models::fault_test
