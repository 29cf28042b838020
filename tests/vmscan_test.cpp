#include "models/vmscan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "tests/in_child.h"
#include "tests/small_machine.h"

namespace models {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::kMiB;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr std::int64_t kMin = 400;
constexpr std::int64_t kLow = 500;
constexpr std::int64_t kHigh = 600;
constexpr Nanoseconds kDirect = 9000ns;
constexpr Nanoseconds kKswapd = 10'000ns;
constexpr Nanoseconds kWriteback = 70'000ns;
constexpr Nanoseconds kWake = 11ns;
constexpr Nanoseconds kLatency = 30ns;

SmallMachineSpec machine(std::int64_t free, bool with_kswapd) {
  SmallMachineSpec spec;
  spec.memory = {Bytes(64 * kMiB), Bytes(kMin * kPageSize), Bytes(free * kPageSize), 0, {}};
  spec.with_kswapd = with_kswapd;
  spec.scheduler.wake_up_latency = kLatency;
  spec.costs.direct_reclaim = sim::Constant{kDirect};
  spec.costs.kswapd = sim::Constant{kKswapd};
  spec.costs.writeback = sim::Constant{kWriteback};
  spec.costs.rwsem_wake = kWake;
  return spec;
}

std::int64_t free_pages(const SmallMachine& world) { return world.kernel.zone.counts().free.count(); }

// Takes a page and leaves it on the evictable list.
void take_page(Task& task) {
  alloc_page(task);
  task.kernel().zone.move(&ZoneCounts::in_flight, &ZoneCounts::evictable, PageCount(1));
}

TEST(DirectReclaim, BeginsExactlyWhenFreePagesHaveReachedMin) {
  check_in_child([] {
    SmallMachine world(machine(kMin + 3, false));
    world.add([&](Task& task) {
      for (int page = 0; page < 3; ++page) take_page(task);
      EXPECT_EQ(free_pages(world), kMin);
      EXPECT_EQ(world.spent(task, Cause::direct_reclaim), 0ns);
      take_page(task);
      EXPECT_EQ(world.spent(task, Cause::direct_reclaim), kDirect);
      EXPECT_EQ(free_pages(world), kMin + 32 - 1);
      // The batch lasts for 31 more pages.
      for (int page = 0; page < 31; ++page) take_page(task);
      EXPECT_EQ(world.spent(task, Cause::direct_reclaim), kDirect);
      take_page(task);
      EXPECT_EQ(world.spent(task, Cause::direct_reclaim), 2 * kDirect);
    });
    world.run();
    const ZoneStatistics& statistics = world.kernel.zone.statistics();
    EXPECT_EQ(statistics.direct_reclaimed, 64U);
    EXPECT_EQ(statistics.direct_stalls.count(), 2U);
    EXPECT_EQ(statistics.direct_stalls.max(), kDirect);
    EXPECT_EQ(statistics.lowest_free, PageCount(kMin));
    EXPECT_EQ(statistics.allocated, 36U);
  });
}

TEST(DirectReclaim, OfDirtyPagesWaitsForTheDeviceOffTheCpu) {
  check_in_child([] {
    SmallMachineSpec spec = machine(kMin, false);
    spec.memory.dirty = 1;
    spec.cpus = 1;
    SmallMachine world(spec);
    sim::Time other_ran;
    world.add([&](Task& task) {
      const sim::Time began = task.now();
      take_page(task);
      EXPECT_EQ(task.now() - began, kDirect + kWriteback + kLatency);
      EXPECT_EQ(world.spent(task, Cause::direct_reclaim), kDirect);
      EXPECT_EQ(world.spent(task, Cause::device_io), kWriteback);
      EXPECT_EQ(world.spent(task, Cause::wake_up), 2 * kLatency);
    });
    world.add([&](Task& task) { other_ran = task.now(); });
    world.run();
    EXPECT_EQ(other_ran, at(0) + kLatency + kDirect);
  });
}

TEST(DirectReclaim, WithNothingLeftToReclaimEndsTheRun) {
  check_in_child([] {
    SmallMachineSpec spec = machine(kMin, false);
    spec.memory.size = Bytes((kMin + 40) * kPageSize);  // 40 pages can be reclaimed: 32, then 8
    SmallMachine world(spec);
    int taken = 0;
    world.add([&](Task& task) {
      for (;;) {
        alloc_page(task);
        ++taken;
      }
    });
    world.run();
    EXPECT_EQ(taken, 40);
    EXPECT_EQ(world.kernel.outcome, Outcome::out_of_memory);
    EXPECT_EQ(world.kernel.zone.counts().evictable, PageCount(0));
    EXPECT_EQ(free_pages(world), kMin);
  });
}

TEST(Kswapd, IsWokenWhenFreePagesHaveReachedLowAndTheWakerPays) {
  check_in_child([] {
    SmallMachine world(machine(kHigh, true));
    world.add([&](Task& task) {
      task.sleep_until(at(1000));
      const sim::Time began = task.now();
      for (std::int64_t page = kHigh; page > kLow; --page) take_page(task);
      EXPECT_EQ(free_pages(world), kLow);
      EXPECT_EQ(world.kernel.zone.statistics().kswapd_wakeups, 0U);
      EXPECT_EQ(task.now(), began);
      take_page(task);
      EXPECT_EQ(world.kernel.zone.statistics().kswapd_wakeups, 1U);
      EXPECT_EQ(task.now() - began, kWake);
      take_page(task);  // it is awake already
      EXPECT_EQ(task.now() - began, kWake);
    });
    world.run();
    EXPECT_EQ(world.kernel.zone.statistics().kswapd_wakeups, 1U);
  });
}

// From 500 free pages to at least 600 in batches of 32: four.
TEST(Kswapd, ReclaimsUpToTheHighWatermarkAtTheStart) {
  check_in_child([] {
    SmallMachine world(machine(kLow, true));
    world.run();
    EXPECT_EQ(world.kernel.zone.statistics().kswapd_reclaimed, 128U);
    EXPECT_EQ(free_pages(world), kLow + 128);
    EXPECT_EQ(world.now(), at(0) + kLatency + 4 * kKswapd);
  });
}

TEST(Kswapd, TakesItsTimeForEveryBatch) {
  check_in_child([] {
    SmallMachine world(machine(kHigh, true));
    world.add([&](Task& task) {
      task.sleep_until(at(1000'000));
      for (int page = 0; page < 101; ++page) take_page(task);  // the last one finds 500 and wakes it
      EXPECT_EQ(free_pages(world), kLow - 1);
    });
    world.run();
    EXPECT_EQ(world.now(), at(1000'000) + kLatency + kWake + kLatency + 4 * kKswapd);
    EXPECT_EQ(free_pages(world), kLow - 1 + 4 * 32);
  });
}

// It frees 3.2 pages a microsecond, the demand is 1.
TEST(Kswapd, AloneHoldsFreePagesBetweenLowAndHighWhenItIsFasterThanTheDemand) {
  check_in_child([] {
    SmallMachine world(machine(kHigh + 200, true));
    std::int64_t least = kHigh;
    std::int64_t most = 0;
    world.add([&](Task& task) {
      for (int page = 0; page < 20'000; ++page) {
        task.work(1000ns);
        take_page(task);
        least = std::min(least, free_pages(world));
        if (page > 500) most = std::max(most, free_pages(world));
      }
    });
    world.run();
    // Until its first batch is done a dozen more pages are taken.
    EXPECT_GE(least, kLow - 12);
    EXPECT_LT(least, kLow);
    EXPECT_LT(most, kHigh + 32);
    EXPECT_EQ(world.kernel.zone.statistics().direct_reclaimed, 0U);
    EXPECT_GT(world.kernel.zone.statistics().kswapd_wakeups, 50U);
  });
}

// It frees 3.2 pages a microsecond, the demand is 10: the rest is left to direct reclaim.
TEST(Kswapd, CannotKeepUpWithADemandThatIsFasterThanItself) {
  check_in_child([] {
    SmallMachine world(machine(kHigh, true));
    world.add([&](Task& task) {
      for (int page = 0; page < 10'000; ++page) {
        task.work(100ns);
        take_page(task);
        EXPECT_GE(free_pages(world), kMin - 1);
      }
    });
    world.run();
    EXPECT_GT(world.kernel.zone.statistics().direct_reclaimed, 0U);
    EXPECT_EQ(world.kernel.zone.statistics().lowest_free, PageCount(kMin));
  });
}

}  // namespace
}  // namespace models
