#include "models/workload/background.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::background_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::kMiB;
using tests::SmallMachine;
using tests::SmallMachineSpec;

Bytes pages(std::int64_t count) { return Bytes(count * kPageSize); }

const ZoneCounts& counts(const SmallMachine& world) { return world.kernel.zone.counts(); }

// 100,000 pages: 20,000 anonymous and 30,000 of files in the working set, 40,000 free, the rest page cache.
SmallMachineSpec machine() {
  SmallMachineSpec spec;
  spec.memory.size = pages(100'000);
  spec.memory.free = pages(40'000);
  spec.memory.min_free = pages(100);
  spec.memory.anon = pages(20'000);
  spec.memory.file = pages(30'000);
  SwapSpec swap;
  swap.size = pages(100'000);
  spec.memory.swap = swap;
  return spec;
}

class BackgroundTest : public testing::TestWithParam<bool> {
 protected:
  /// A run of `length` in which only the task `body` of the background and what `test` does at the end happen.
  static void run(SmallMachineSpec spec, Nanoseconds length, const std::function<void(SmallMachine&, Task&)>& body,
                  const std::function<void(SmallMachine&)>& test) {
    spec.stepwise = GetParam();
    check_in_child([&] {
      SmallMachine world(spec);
      world.add([&](Task& task) { body(world, task); });
      sim::Event end(world.engine.calendar(), [&] { world.engine.stop(); });
      end.schedule(at(0) + length);
      world.run();
      EXPECT_EQ(counts(world).total(), pages_of(spec.memory.size));
      test(world);
    });
  }
};
INSTANTIATE_TEST_SUITE_P(, BackgroundTest, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

TEST(Background, LaysTheMemoryOutAtTheStart) {
  check_in_child([] {
    const SmallMachine world(machine());
    EXPECT_EQ(counts(world).active_anon, PageCount(20'000));
    EXPECT_EQ(counts(world).active_file, PageCount(30'000));
    EXPECT_EQ(counts(world).inactive_file, PageCount(10'000));
    EXPECT_EQ(counts(world).inactive_anon, PageCount(0));
    EXPECT_EQ(counts(world).free, PageCount(40'000));
    EXPECT_EQ(counts(world).total(), PageCount(100'000));
    EXPECT_EQ(world.kernel.zone.lowest_free(), PageCount(40'000));
    EXPECT_EQ(world.kernel.zone.series().free.buckets().front().max, 40'000);
    EXPECT_FALSE(world.background.has_working_set());  // nobody touches it
  });
}

TEST(Background, HasAWorkingSetIfSomebodyTouchesIt) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.memory.touched_every = 1s;
    EXPECT_TRUE(SmallMachine(spec).background.has_working_set());
  });
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.memory.touched_every = 1s;
    spec.memory.anon = spec.memory.file = Bytes(0);
    EXPECT_FALSE(SmallMachine(spec).background.has_working_set());
  });
}

// Batches of 32 pages at exponential intervals: their number in a second is Poisson, 800 expected.
TEST_P(BackgroundTest, TheStreamReadsAtItsRate) {
  SmallMachineSpec spec = machine();
  spec.memory.background = Bytes(100 * kMiB);
  run(
      spec, 1s, [](SmallMachine& world, Task& task) { world.background.run_stream(task); },
      [](SmallMachine& world) {
        const auto batches = static_cast<double>(world.kernel.zone.allocated()) / 32;
        EXPECT_NEAR(batches, 800, 4 * std::sqrt(800.0));
        EXPECT_EQ(counts(world).inactive_file.count(),
                  10'000 + static_cast<std::int64_t>(world.kernel.zone.allocated()));
      });
}

// The owner of the working set's pages on `list`.
OwnerId owner_on(SmallMachine& world, LruList list) {
  const LruRun run = world.kernel.zone.isolate(list, PageCount(1), world.now());
  world.kernel.zone.add_to_lru_tail(list, run, world.now());
  return run.owner;
}

// As reclaim does it, at once: `gone` pages from `list` are free.
OwnerId take_away(SmallMachine& world, LruList list, std::int64_t gone) {
  Zone& zone = world.kernel.zone;
  const OwnerId owner = owner_on(world, list);
  for (PageCount taken; taken < PageCount(gone);) {
    taken += zone.isolate(list, PageCount(gone) - taken, world.now()).pages;
  }
  zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, PageCount(gone), world.now());
  zone.owner(owner).evicted += PageCount(gone);
  return owner;
}

// 10,000 pages are gone, each touched once in 20 s on average: 500 misses in a second. One page at a time is read; the
// 500 or so that are back are missed no more, which makes 1 - exp(-1 / 20) of 10,000: 488.
TEST_P(BackgroundTest, PagesThatAreGoneAreMissedAtTheRateThatTheyAreTouchedAt) {
  SmallMachineSpec spec = machine();
  spec.memory.touched_every = 20s;
  spec.memory.readahead = PageCount(1);
  spec.memory.device.read = Constant{1us};
  OwnerId owner = 0;
  run(
      spec, 1s,
      [&](SmallMachine& world, Task& task) {
        owner = take_away(world, LruList::active_file, 10'000);
        world.background.run_working_set(task);
      },
      [&](SmallMachine& world) {
        const double expected = 10'000 * (1 - std::exp(-1.0 / 20));
        const auto misses = static_cast<std::int64_t>(world.kernel.device.statistics().read.requests());
        EXPECT_NEAR(static_cast<double>(misses), expected, 4 * std::sqrt(expected));
        EXPECT_EQ(world.kernel.zone.owner(owner).evicted.count(), 10'000 - misses);
        EXPECT_EQ(counts(world).active_file.count(), 20'000 + misses);
        EXPECT_EQ(counts(world).free.count() + counts(world).per_cpu.count(), 50'000 - misses);
        EXPECT_EQ(world.kernel.reclaim.statistics.refaults, static_cast<std::uint64_t>(misses));
      });
}

TEST_P(BackgroundTest, AMissReadsItsNeighboursToo) {
  SmallMachineSpec spec = machine();
  spec.memory.touched_every = 1ms;
  run(
      spec, 100ms,
      [](SmallMachine& world, Task& task) {
        take_away(world, LruList::active_file, 100);
        world.background.run_working_set(task);
      },
      [](SmallMachine& world) {  // 32 + 32 + 32 + 4
        EXPECT_EQ(world.kernel.device.statistics().read.requests(), 4U);
        EXPECT_EQ(world.kernel.device.statistics().read.pages, 100U);
        EXPECT_EQ(counts(world).active_file, PageCount(30'000));
        EXPECT_EQ(world.kernel.reclaim.file_cost, 100);
        EXPECT_EQ(world.kernel.reclaim.anon_cost, 0);
      });
}

TEST_P(BackgroundTest, NothingIsMissedWhileNothingIsGone) {
  SmallMachineSpec spec = machine();
  spec.memory.touched_every = 1us;
  run(
      spec, 100ms, [](SmallMachine& world, Task& task) { world.background.run_working_set(task); },
      [](SmallMachine& world) {
        EXPECT_EQ(world.kernel.zone.allocated(), 0U);
        EXPECT_EQ(world.kernel.device.statistics().read.requests(), 0U);
      });
}

// 80 pages in clusters of 8.
TEST_P(BackgroundTest, AnAnonymousPageComesFromSwapAndGivesItsSlotBack) {
  for (const bool zram : {false, true}) {
    SmallMachineSpec spec = machine();
    spec.memory.touched_every = 1ms;
    if (zram) spec.memory.swap->zram = ZramSpec{0us, 3us, 2.0};
    run(
        spec, 100ms,
        [](SmallMachine& world, Task& task) {
          take_away(world, LruList::active_anon, 80);
          EXPECT_EQ(world.kernel.swap.get(PageCount(80)), PageCount(80));
          account_compressed(world.kernel);
          world.background.run_working_set(task);
        },
        [&](SmallMachine& world) {
          EXPECT_EQ(world.kernel.device.statistics().read.requests(), zram ? 0U : 10U);
          EXPECT_EQ(world.spent(world.tasks.front(), Cause::cpu), zram ? 80 * 3us : 0us);
          EXPECT_EQ(world.kernel.swap.used(), PageCount(0));
          EXPECT_EQ(counts(world).compressed, PageCount(0));
          EXPECT_EQ(counts(world).active_anon, PageCount(20'000));
          EXPECT_EQ(world.kernel.reclaim.anon_cost, 80);
        });
  }
}

// Reclaim takes what the stream needs, from page cache and working set alike. An anonymous page of the working set is
// in memory, or it is gone and has a slot.
TEST_P(BackgroundTest, NoPageOfTheWorkingSetIsForgotten) {
  for (const bool zram : {false, true}) {
    SmallMachineSpec spec = machine();
    spec.with_kswapd = true;
    spec.memory.size = pages(20'000);
    spec.memory.free = pages(500);
    spec.memory.anon = pages(9000);
    spec.memory.file = pages(9000);
    spec.memory.touched_every = 50ms;
    spec.memory.swappiness = 100;
    spec.memory.background = Bytes(400 * kMiB);
    spec.memory.device.read = spec.memory.device.write = Constant{50us};
    spec.memory.device.queue_depth = 4;
    if (zram) spec.memory.swap->zram = ZramSpec{2us, 1us, 3.0};
    run(
        spec, 500ms,
        [](SmallMachine& world, Task& task) {
          world.add([&](Task& other) { world.background.run_stream(other); });
          world.background.run_working_set(task);
        },
        [&](SmallMachine& world) {
          const ReclaimStatistics& reclaim = world.kernel.reclaim.statistics;
          EXPECT_GT(reclaim.swapped_out, 0U);
          EXPECT_GT(reclaim.refaults, 0U);
          const OwnerId owner = owner_on(world, LruList::active_anon);
          const PageCount being_read = world.kernel.swap.used() - world.kernel.zone.owner(owner).evicted;
          EXPECT_GE(being_read, PageCount(0));
          EXPECT_LE(being_read, spec.memory.swap->readahead);
          // As many as ever were: in memory or gone, unless they are being read or have just been written.
          const ZoneCounts& now = counts(world);
          EXPECT_LE(world.kernel.zone.owner(owner).evicted, PageCount(9000));
          EXPECT_GE(now.inactive_anon + now.active_anon + world.kernel.swap.used() + now.in_flight, PageCount(9000));
        });
  }
}

}  // namespace
}  // namespace models::background_test
