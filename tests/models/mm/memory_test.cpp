// Where the page of a fault comes from: closed forms of times, and where all pages are afterwards.
#include "models/mm/memory.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "models/mm/fault.h"
#include "models/mm/mlock.h"
#include "models/mm/mmap.h"
#include "models/mm/pagewalk.h"
#include "models/mm/rmap.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::memory_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 3ns;
constexpr Nanoseconds kFault = 500ns;
constexpr Nanoseconds kRead = 100'000ns;
constexpr Nanoseconds kTransfer = 1'000ns;
constexpr Nanoseconds kWakeUp = 20ns;
constexpr Nanoseconds kDecompress = 3'000ns;

constexpr PageIndex kEnd{1000};  // of the region, which begins at 0

// From the request to running again.
constexpr Nanoseconds read_of(std::int64_t pages) { return kRead + pages * kTransfer + kWakeUp; }

SmallMachineSpec machine(ReclaimEra era = ReclaimEra::linux_6_1) {
  SmallMachineSpec spec;
  spec.scheduler.wake_up_latency = kWakeUp;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.fault = sim::Constant{kFault};
  spec.memory.era = era;
  spec.memory.device = {.name = "disk",
                        .queue_depth = 4,
                        .nr_requests = 128,
                        .read = sim::Constant{kRead},
                        .write = sim::Constant{kRead},
                        .transfer_page = kTransfer};
  spec.memory.swap = SwapSpec{.size = Bytes(tests::kGiB), .zram = std::nullopt};
  return spec;
}

SmallMachineSpec machine_with_zram() {
  SmallMachineSpec spec = machine();
  spec.memory.swap->zram = ZramSpec{.compress = 1ns, .decompress = kDecompress, .ratio = 2};
  return spec;
}

// A VMA [0, 1000) of a file, nothing of it in memory.
Vma& map_file(SmallMachine& world, PageIndex end = kEnd) {
  world.mm.set_owner(PageIndex(0), end, world.kernel.zone.add_owner({.mm = &world.mm, .file = true}));
  return *world.mm.insert_vma(PageIndex(0), end, {});
}

// One of anonymous memory, all of it swapped out.
Vma& map_swapped(SmallMachine& world, VmFlags flags = {}, PageIndex end = kEnd) {
  EXPECT_EQ(world.kernel.swap.get(end - PageIndex(0)), end - PageIndex(0));
  account_compressed(world.kernel);
  world.mm.page_table.set(PageIndex(0), end, PageState::swapped);
  return *world.mm.insert_vma(PageIndex(0), end, flags);
}

FaultOutcome fault(Task& task, SmallMachine& world, std::int64_t page, IoWait io = IoWait::under_lock) {
  Vma& vma = *world.mm.find_vma(PageIndex(page));
  return handle_mm_fault(task, world.mm, vma, PageIndex(page), io, world.kernel.costs.fault);
}

std::int64_t count(const SmallMachine& world, std::int64_t start, std::int64_t end, PageState state) {
  return world.mm.page_table.count(PageIndex(start), PageIndex(end), state).count();
}

// So many pages of the region are in memory, and nothing is lost.
void check_zone(const SmallMachine& world, std::int64_t evictable, std::int64_t unevictable = 0) {
  const ZoneCounts& counts = world.kernel.zone.counts();
  EXPECT_EQ(counts.evictable(), PageCount(evictable));
  EXPECT_EQ(counts.unevictable, PageCount(unevictable));
  EXPECT_EQ(counts.in_flight, PageCount(0));
  EXPECT_EQ(counts.free + counts.per_cpu + counts.compressed + PageCount(evictable + unevictable),
            world.kernel.zone.size());
  EXPECT_EQ(counts.compressed, world.kernel.swap.compressed());
}

class Memory : public testing::TestWithParam<bool> {
 protected:
  // One task on a machine of its own, which runs `body` from the time 0 on that is charged for waking up.
  static void run(SmallMachineSpec spec, const std::function<void(SmallMachine&)>& prepare,
                  const std::function<void(SmallMachine&, Task&)>& body) {
    spec.stepwise = GetParam();
    check_in_child([&] {
      SmallMachine world(spec);
      prepare(world);
      world.add([&](Task& task) { body(world, task); });
      world.run();
    });
  }
  static void file(SmallMachine& world) { map_file(world); }
  static void swapped(SmallMachine& world) { map_swapped(world); }
};
INSTANTIATE_TEST_SUITE_P(, Memory, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

// ---------------------------------------------------------------------------------------------------------------
// Files.

// 32 pages are read from the one on; 16 around it, aligned, are mapped as far as they are there.
TEST_P(Memory, AFileIsReadAheadAndMappedAround) {
  run(machine(), file, [](SmallMachine& world, Task& task) {
    const sim::Time began = task.now();
    EXPECT_EQ(fault(task, world, 100), FaultOutcome::done);
    EXPECT_EQ(task.now() - began, read_of(32) + kFault);
    EXPECT_EQ(world.spent(task, Cause::device_io), kRead + 32 * kTransfer);
    EXPECT_EQ(count(world, 100, 112, PageState::resident), 12);
    EXPECT_EQ(count(world, 112, 132, PageState::cached), 20);
    EXPECT_EQ(count(world, 0, 1000, PageState::absent), 1000 - 32);
    check_zone(world, 32);
    EXPECT_EQ(world.kernel.device.statistics().read.requests(), 1U);
    EXPECT_EQ(world.kernel.device.statistics().read.pages, 32U);
    EXPECT_EQ(world.kernel.reclaim.statistics.files_read, 32U);
  });
}

TEST_P(Memory, APageThatIsCachedIsMappedWithItsNeighboursAndNotRead) {
  run(machine(), file, [](SmallMachine& world, Task& task) {
    fault(task, world, 100);
    const sim::Time began = task.now();
    fault(task, world, 120);  // of [112, 128)
    EXPECT_EQ(task.now() - began, kFault);
    EXPECT_EQ(count(world, 100, 128, PageState::resident), 28);
    EXPECT_EQ(count(world, 128, 132, PageState::cached), 4);
    fault(task, world, 121);  // mapped already
    EXPECT_EQ(task.now() - began, 2 * kFault);
    check_zone(world, 32);
    EXPECT_EQ(world.kernel.device.statistics().read.requests(), 1U);
  });
}

TEST_P(Memory, ReadaheadEndsWhereAPageIsInMemory) {
  run(machine(), file, [](SmallMachine& world, Task& task) {
    fault(task, world, 100);
    const sim::Time began = task.now();
    fault(task, world, 90);  // [90, 100) is missing; [80, 96) is around it
    EXPECT_EQ(task.now() - began, read_of(10) + kFault);
    EXPECT_EQ(count(world, 90, 96, PageState::resident), 6);
    EXPECT_EQ(count(world, 96, 100, PageState::cached), 4);
    EXPECT_EQ(count(world, 0, 1000, PageState::absent), 1000 - 42);
    check_zone(world, 42);
  });
}

TEST_P(Memory, ReadaheadAndFaultAroundEndWithTheVma) {
  run(
      machine(), [](SmallMachine& world) { map_file(world, PageIndex(10)); },
      [](SmallMachine& world, Task& task) {
        const sim::Time began = task.now();
        fault(task, world, 3);
        EXPECT_EQ(task.now() - began, read_of(7) + kFault);
        EXPECT_EQ(count(world, 3, 10, PageState::resident), 7);
        check_zone(world, 7);
      });
}

TEST_P(Memory, ReadaheadOfOnePageReadsAndMapsOne) {
  SmallMachineSpec spec = machine();
  spec.memory.readahead = PageCount(1);
  spec.memory.fault_around = PageCount(1);
  run(spec, file, [](SmallMachine& world, Task& task) {
    for (std::int64_t page = 0; page < 5; ++page) {
      const sim::Time began = task.now();
      fault(task, world, page);
      EXPECT_EQ(task.now() - began, read_of(1) + kFault);
    }
    EXPECT_EQ(count(world, 0, 1000, PageState::resident), 5);
    check_zone(world, 5);
  });
}

// A file in order: a read for every 32 pages, a fault for every 16.
TEST_P(Memory, AFileThatIsReadInAnyOrderIsNotReadAhead) {
  const auto random = [](SmallMachine& world) { map_file(world).flags.read_ahead = ReadAhead::random; };
  run(machine(), random, [](SmallMachine& world, Task& task) {
    const sim::Time began = task.now();
    EXPECT_EQ(fault(task, world, 100), FaultOutcome::done);
    EXPECT_EQ(task.now() - began, read_of(1) + kFault);
    EXPECT_EQ(count(world, 0, 1000, PageState::resident), 1);
    check_zone(world, 1);
  });
}

TEST_P(Memory, WhatIsReadAheadForARangeThatIsGoneMeanwhileStaysInThePageCache) {
  run(machine(), file, [](SmallMachine& world, Task& task) {
    force_page_cache_readahead(task, world.mm, PageIndex(100), PageIndex(110));
    EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(0), PageCount(1000)), 0);
    task.sleep_until(task.settle() + 2 * kRead);
    EXPECT_EQ(count(world, 100, 110, PageState::cached), 10);
    check_zone(world, 10);
  });
}

TEST_P(Memory, AScanOfAFileTakesAReadForEachWindowAndAFaultForEachAround) {
  run(
      machine(), [](SmallMachine& world) { map_file(world, PageIndex(320)); },
      [](SmallMachine& world, Task& task) {
        const sim::Time began = task.now();
        for (std::int64_t page = 0; page < 320; ++page) {
          if (!is_present(world.mm.page_table.run_at(PageIndex(page), PageIndex(page + 1)).state)) {
            fault(task, world, page);
          }
        }
        EXPECT_EQ(task.now() - began, 10 * read_of(32) + 20 * kFault);
        check_zone(world, 320);
        EXPECT_EQ(count(world, 0, 320, PageState::resident), 320);
      });
}

// ---------------------------------------------------------------------------------------------------------------
// Swap.

TEST_P(Memory, SwapIsReadInAnAlignedClusterAndOnePageOfItMapped) {
  run(machine(), swapped, [](SmallMachine& world, Task& task) {
    const sim::Time began = task.now();
    fault(task, world, 21);
    EXPECT_EQ(task.now() - began, read_of(8) + kFault);
    EXPECT_EQ(count(world, 21, 22, PageState::resident), 1);
    EXPECT_EQ(count(world, 16, 24, PageState::cached), 7);
    EXPECT_EQ(count(world, 0, 1000, PageState::swapped), 1000 - 8);
    check_zone(world, 8);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(999));  // what is in the swap cache keeps its slot
    EXPECT_EQ(world.kernel.reclaim.statistics.swapped_in, 8U);
  });
}

TEST_P(Memory, WhatIsInTheSwapCacheIsNotReadAgain) {
  run(machine(), swapped, [](SmallMachine& world, Task& task) {
    fault(task, world, 21);
    const sim::Time began = task.now();
    fault(task, world, 16);
    fault(task, world, 23);
    EXPECT_EQ(task.now() - began, 2 * kFault);
    EXPECT_EQ(count(world, 16, 24, PageState::resident), 3);
    EXPECT_EQ(count(world, 16, 24, PageState::cached), 5);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(997));
    check_zone(world, 8);
    EXPECT_EQ(world.kernel.device.statistics().read.requests(), 1U);
  });
}

// Of [16, 24) only what is swapped: 17 is mapped and 18 was never touched.
TEST_P(Memory, AClusterIsReadAsFarAsItIsSwapped) {
  run(
      machine(),
      [](SmallMachine& world) {
        map_swapped(world);
        world.kernel.zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(1), {});
        change_pages(world.kernel, world.mm, PageIndex(17), PageIndex(18), PageState::swapped, PageState::resident);
        change_pages(world.kernel, world.mm, PageIndex(18), PageIndex(19), PageState::swapped, PageState::absent);
      },
      [](SmallMachine& world, Task& task) {
        const sim::Time began = task.now();
        fault(task, world, 21);
        EXPECT_EQ(task.now() - began, read_of(6) + kFault);
        EXPECT_EQ(count(world, 16, 24, PageState::cached), 5);
        EXPECT_EQ(count(world, 16, 24, PageState::resident), 2);
        EXPECT_EQ(count(world, 18, 19, PageState::absent), 1);
        check_zone(world, 7);
        EXPECT_EQ(world.kernel.swap.used(), PageCount(1000 - 3));
      });
}

TEST_P(Memory, ZramTakesTheFaultersCpuInsteadOfTheDevice) {
  run(machine_with_zram(), swapped, [](SmallMachine& world, Task& task) {
    const sim::Time began = task.now();
    const Nanoseconds before = world.spent(task, Cause::cpu);
    EXPECT_EQ(world.kernel.zone.counts().compressed, PageCount(500));
    fault(task, world, 21);
    EXPECT_EQ(task.now() - began, 8 * kDecompress + kFault);
    EXPECT_EQ(world.spent(task, Cause::cpu) - before, 8 * kDecompress + kFault);
    EXPECT_EQ(world.kernel.device.statistics().read.requests(), 0U);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(999));
    fault(task, world, 22);
    EXPECT_EQ(world.kernel.zone.counts().compressed, PageCount(499));  // of 998
    check_zone(world, 8);
  });
}

TEST_P(Memory, APageOfALockedVmaIsMlockedIn61AndLeftToBeFoundIn2628) {
  for (const ReclaimEra era : {ReclaimEra::linux_2_6_28, ReclaimEra::linux_6_1}) {
    const std::int64_t locked = era == ReclaimEra::linux_6_1 ? 1 : 0;
    run(
        machine(era), [](SmallMachine& world) { map_swapped(world, {.locked = true}); },
        [locked](SmallMachine& world, Task& task) {
          fault(task, world, 21);
          EXPECT_EQ(count(world, 21, 22, PageState::mlocked), locked);
          EXPECT_EQ(count(world, 21, 22, PageState::resident), 1 - locked);
          check_zone(world, 8 - locked, locked);
        });
  }
}

TEST_P(Memory, AnAnonymousPageThatWasNeverTouchedNeedsNoDevice) {
  run(
      machine(), [](SmallMachine& world) { tests::make_map(world, "0-1000"); },
      [](SmallMachine& world, Task& task) {
        const sim::Time began = task.now();
        EXPECT_EQ(fault(task, world, 21, IoWait::retry), FaultOutcome::done);
        EXPECT_EQ(task.now() - began, kFault);
        EXPECT_EQ(count(world, 0, 1000, PageState::resident), 1);
        check_zone(world, 1);
      });
}

TEST_P(Memory, ARetryOfASwappedPageComesBackAtOnceWithItsReadUnderWay) {
  run(machine(), swapped, [](SmallMachine& world, Task& task) {
    const sim::Time began = task.now();
    EXPECT_EQ(fault(task, world, 21, IoWait::retry), FaultOutcome::retry);
    EXPECT_EQ(task.now(), began);
    EXPECT_EQ(count(world, 0, 1000, PageState::swapped), 1000);
    EXPECT_EQ(world.kernel.zone.counts().in_flight, PageCount(8));
    // Another fault in what is being read reads nothing.
    EXPECT_EQ(fault(task, world, 22, IoWait::retry), FaultOutcome::retry);
    const Vma& vma = *world.mm.find_vma(PageIndex(21));
    wait_for_page(task, world.mm, vma, PageIndex(21));
    EXPECT_EQ(task.now() - began, read_of(8));
    EXPECT_EQ(count(world, 16, 24, PageState::cached), 8);
    wait_for_page(task, world.mm, vma, PageIndex(21));  // it is there
    EXPECT_EQ(task.now() - began, read_of(8));
    EXPECT_EQ(fault(task, world, 21, IoWait::retry), FaultOutcome::done);
    EXPECT_EQ(task.now() - began, read_of(8) + kFault);
    check_zone(world, 8);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Races.

// Both read the cluster, which the device does side by side; what the slower one has read is freed.
TEST_P(Memory, OfTwoTasksThatNeedOnePageTheSlowerOnesCopyIsFreed) {
  for (const bool of_a_file : {false, true}) {
    for (const std::int64_t behind : {0, 700}) {
      check_in_child([of_a_file, behind] {
        SmallMachineSpec spec = machine();
        spec.stepwise = GetParam();
        spec.memory.device.transfer_page = 0ns;  // or the second would wait for the link
        SmallMachine world(spec);
        of_a_file ? map_file(world) : map_swapped(world);
        const std::int64_t pages = of_a_file ? 32 : 8;
        for (const std::int64_t start : {std::int64_t{1000}, 1000 + behind}) {
          world.add_at(start, [&, start](Task& task) {
            fault(task, world, 32);
            // The second finds the page mapped, or maps it: a fault either way.
            EXPECT_EQ(task.now(), at(start) + read_of(0) + kFault);
          });
        }
        world.run();
        EXPECT_EQ(world.kernel.zone.allocated(), static_cast<std::uint64_t>(2 * pages));
        EXPECT_EQ(count(world, 32, 33, PageState::resident), 1);
        EXPECT_EQ(count(world, 32, 32 + pages, PageState::resident) + count(world, 32, 32 + pages, PageState::cached),
                  pages);
        check_zone(world, pages);
        EXPECT_EQ(world.kernel.swap.used(), PageCount(of_a_file ? 0 : 999));
        const ReclaimStatistics& statistics = world.kernel.reclaim.statistics;
        EXPECT_EQ(statistics.files_read + statistics.swapped_in, static_cast<std::uint64_t>(pages));
      });
    }
  }
}

// The region is zapped while the page is on its way: nothing comes back for what is gone.
TEST_P(Memory, WhatIsReadForARangeThatIsGoneMeanwhileIsFreed) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.stepwise = GetParam();
    SmallMachine world(spec);
    const Vma& vma = map_swapped(world);
    world.add([&](Task& task) { wait_for_page(task, world.mm, vma, PageIndex(21)); });
    world.add_at(5000, [&](Task& task) {
      walk_page_range(task, world.mm, PageIndex(0), kEnd, {PageState::absent, nullptr});
    });
    world.run();
    EXPECT_EQ(count(world, 0, 1000, PageState::absent), 1000);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(0));
    check_zone(world, 0);
  });
}

// Reclaim, here done by hand, takes the page out of the swap cache before the fault has mapped it.
TEST_P(Memory, APageThatReclaimTookBackBeforeItWasMappedIsReadAgain) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.stepwise = GetParam();
    SmallMachine world(spec);
    map_swapped(world);
    world.add_at(1000, [&](Task& task) {
      fault(task, world, 21);
      EXPECT_EQ(task.now(), at(1000) + 2 * (read_of(8) + kFault));
      EXPECT_EQ(count(world, 21, 22, PageState::resident), 1);
    });
    world.add_at(1000 + (read_of(8) + kFault / 2).count(), [&](Task&) {
      EXPECT_EQ(change_pages(world.kernel, world.mm, PageIndex(0), kEnd, PageState::cached, PageState::swapped),
                PageCount(8));
    });
    world.run();
    check_zone(world, 8);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(999));
  });
}

// A zap whose pages are swapped out while it is under way frees their slots too.
TEST_P(Memory, AZapFreesTheSlotsOfWhatIsSwappedOutMeanwhile) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.stepwise = GetParam();
    SmallMachine world(spec);
    tests::make_map(world, "0-100");
    tests::make_resident(world, 0, 100);
    const sim::Distribution zap = sim::Constant{100ns};
    world.add_at(1000, [&](Task& task) {
      walk_page_range(task, world.mm, PageIndex(0), PageIndex(100), {PageState::absent, &zap});
    });
    world.add_at(1500, [&](Task&) {
      (void)world.kernel.swap.get(PageCount(10));
      change_pages(world.kernel, world.mm, PageIndex(20), PageIndex(30), PageState::resident, PageState::swapped);
    });
    world.run();
    EXPECT_EQ(count(world, 0, 100, PageState::absent), 100);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(0));
    check_zone(world, 0);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// mmap_sem over the I/O.

class MajorFault : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, MajorFault, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Retries" : "UnderTheLock"); });

TEST_P(MajorFault, LetsAWriterInDuringTheIoOnlyIfItRetries) {
  check_in_child([] {
    const bool retries = GetParam();
    SmallMachineSpec spec = machine();
    spec.policy.retry_on_io = retries;
    SmallMachine world(spec);
    map_swapped(world);
    sim::Time done;
    world.add_at(1000, [&](Task& task) {
      do_page_fault(task, world.mm, PageIndex(21), Backing::region);
      done = task.settle();
    });
    const Task& writer = world.add_at(1000 + 10'000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
    // Its first up_read is in the time of the read.
    const Nanoseconds operations = (retries ? 3 : 2) * kOperation;
    EXPECT_EQ(done, at(1000) + operations + read_of(8) + kFault);
    const Nanoseconds waited = done - at(1000 + 10'000) - kOperation;
    EXPECT_EQ(world.spent(writer, Cause::lock_wait), retries ? 0ns : waited);
    EXPECT_EQ(world.mm.mmap_sem.statistics().hold.at({0, Phase::fault, LockMode::read}).count(), retries ? 2U : 1U);
    check_zone(world, 8);
  });
}

// do_swap_page takes its pages before it gives up the lock: at min, they have to be reclaimed.
TEST_P(MajorFault, HoldsTheLockWhileItReclaimsForWhatItReads) {
  check_in_child([] {
    constexpr Nanoseconds kTake = 100ns;
    SmallMachineSpec spec = machine();
    spec.policy.retry_on_io = GetParam();
    spec.costs.reclaim_page = sim::Constant{kTake};
    SmallMachine world(spec);
    map_swapped(world);
    const OwnerId others = world.kernel.streamed;
    Zone& zone = world.kernel.zone;
    const PageCount cache = zone.counts().free - zone.marks().min;
    zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, cache, {});
    zone.add_to_lru(LruList::inactive_file, {.owner = others, .pages = cache}, {});
    world.add_at(1000, [&](Task& task) { do_page_fault(task, world.mm, PageIndex(21), Backing::region); });
    const Task& writer = world.add_at(1000 + 100, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
    const Nanoseconds stall = world.kernel.reclaim.statistics.direct_stalls.max();
    EXPECT_GT(stall, 32 * kTake);
    EXPECT_GE(world.spent(writer, Cause::lock_wait), stall - 1us);
    const bool waits_for_device = world.spent(writer, Cause::lock_wait) > read_of(8);
    EXPECT_EQ(waits_for_device, !GetParam());
  });
}

TEST_P(MajorFault, OfAMappingThatWasUnmappedDuringTheIoIsNone) {
  check_in_child([] {
    const bool retries = GetParam();
    SmallMachineSpec spec = machine();
    spec.policy.retry_on_io = retries;
    SmallMachine world(spec);
    map_swapped(world);
    world.add_at(1000, [&](Task& task) {
      EXPECT_EQ(do_user_addr_fault(task, world.mm, PageIndex(21), Backing::region), retries ? -EFAULT : 0);
    });
    world.add_at(1000 + 10'000, [&](Task& task) { sys_munmap(task, world.mm, PageIndex(0), PageCount(1000)); });
    world.run();
    EXPECT_EQ(count(world, 0, 1000, PageState::absent), 1000);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(0));
    check_zone(world, 0);
  });
}

// Under the VMA's own lock: it is given up, too, and the second try takes mmap_sem.
TEST_P(MajorFault, UnderThePerVmaLockGivesThatUp) {
  check_in_child([] {
    const bool retries = GetParam();
    SmallMachineSpec spec = machine();
    spec.policy.retry_on_io = retries;
    spec.policy.fault = FaultLock::per_vma;
    SmallMachine world(spec);
    world.mm.anon_vma_prepare(map_swapped(world));
    world.add_at(1000, [&](Task& task) {
      do_page_fault(task, world.mm, PageIndex(21), Backing::region);
      EXPECT_EQ(task.settle(), at(1000) + (retries ? 2 * kOperation : 0ns) + read_of(8) + kFault);
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, retries ? 1U : 0U);
    check_zone(world, 8);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Populate of what is swapped out.

constexpr Nanoseconds kMlockPage = 40ns;

struct Populate {
  std::string name;
  HoldMode mode;
  bool retry_on_io;
  bool lets_others_in;
};

SmallMachineSpec machine_for(const Populate& populate, ReclaimEra era = ReclaimEra::linux_6_1) {
  SmallMachineSpec spec = machine(era);
  spec.policy.populate.mode = populate.mode;
  spec.policy.retry_on_io = populate.retry_on_io;
  spec.costs.rwsem_operation = 0ns;
  return spec;
}

class PopulateSwapped : public testing::TestWithParam<Populate> {};
INSTANTIATE_TEST_SUITE_P(, PopulateSwapped,
                         testing::Values(Populate{"DropAndReadWithRetry", HoldMode::drop_and_read, true, true},
                                         Populate{"DropAndReadWithoutRetry", HoldMode::drop_and_read, false, false},
                                         Populate{"Downgrade", HoldMode::downgrade, false, false},
                                         Populate{"DowngradeWithRetry", HoldMode::downgrade, true, false},
                                         Populate{"WriteHeld", HoldMode::write_held, true, false}),
                         [](const auto& each) { return each.param.name; });

// 32 pages in four clusters: four reads, 32 faults, and in 2.6.28 a walk that mlocks 32 pages.
TEST_P(PopulateSwapped, GivesTheLockUpForEachReadOrHoldsItForAll) {
  for (const ReclaimEra era : {ReclaimEra::linux_2_6_28, ReclaimEra::linux_6_1}) {
    check_in_child([era] {
      const Populate& populate = GetParam();
      SmallMachineSpec spec = machine_for(populate, era);
      spec.costs.mlock_page = sim::Constant{kMlockPage};
      SmallMachine world(spec);
      map_swapped(world, {}, PageIndex(32));
      const Nanoseconds mlock = era == ReclaimEra::linux_2_6_28 ? 32 * kMlockPage : 0ns;
      // Where the lock is given up for a read, what has been reached is mlocked in the time of that read.
      const Nanoseconds meanwhile = populate.lets_others_in ? 3 * mlock / 4 : 0ns;
      const sim::Time end = at(1000) + 4 * read_of(8) + 32 * kFault + mlock - meanwhile;
      world.add_at(1000, [&](Task& task) {
        EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(0), PageCount(32)), 0);
        // After a downgrade it needs write mode once more, and the writer is before it.
        EXPECT_EQ(task.settle(), populate.mode == HoldMode::downgrade ? end + 2 * kWakeUp : end);
      });
      // In the middle of the third read.
      const sim::Time arrival = at(1000) + 2 * (read_of(8) + 8 * kFault) + mlock / 2 + kRead / 2;
      world.add_at(arrival.time_since_epoch().count(), [&](Task& task) {
        world.mm.mmap_sem.down_write(task);
        EXPECT_EQ(task.now(), populate.lets_others_in ? arrival : end + kWakeUp);
        world.mm.mmap_sem.up_write(task);
      });
      world.run();
      EXPECT_EQ(world.kernel.device.statistics().read.requests(), 4U);
      EXPECT_EQ(world.kernel.swap.used(), PageCount(0));
      EXPECT_EQ(count(world, 0, 32, PageState::mlocked), 32);
      check_zone(world, 0, 32);
    });
  }
}

// A page that another task touches and reclaim swaps out, while it is being populated with its neighbours: by hand.
TEST_P(PopulateSwapped, LooksAgainAtWhatWasTakenAwayMeanwhile) {
  check_in_child([] {
    SmallMachineSpec spec = machine_for(GetParam());
    spec.costs.populate_page = sim::Constant{100ns};
    SmallMachine world(spec);
    tests::make_map(world, "0-16");
    world.add_at(1000, [&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(0), PageCount(16)), 0);
      EXPECT_EQ(task.settle(), at(1000) + 16 * 100ns + read_of(1) + kFault);
    });
    world.add_at(1800, [&](Task&) {
      (void)world.kernel.swap.get(PageCount(1));
      change_pages(world.kernel, world.mm, PageIndex(5), PageIndex(6), PageState::absent, PageState::swapped);
    });
    world.run();
    EXPECT_EQ(count(world, 0, 16, PageState::mlocked), 16);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(0));
    check_zone(world, 0, 16);
  });
}

// A file that is locked: one fault for 16 pages that are there.
TEST_P(PopulateSwapped, OfAFileFaultsOnceForWhatIsMappedAround) {
  check_in_child([] {
    SmallMachine world(machine_for(GetParam()));
    map_file(world, PageIndex(64));
    world.add_at(1000, [&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(0), PageCount(64)), 0);
      EXPECT_EQ(task.settle(), at(1000) + 2 * read_of(32) + 4 * kFault);
    });
    world.run();
    EXPECT_EQ(count(world, 0, 64, PageState::mlocked), 64);
    check_zone(world, 0, 64);
  });
}

}  // namespace
}  // namespace models::memory_test
