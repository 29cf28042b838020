#include "models/mm/page_alloc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::page_alloc_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::all_free;
using tests::at;
using tests::check_in_child;
using tests::kGiB;
using tests::kMiB;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr ReclaimEra kOld = ReclaimEra::linux_2_6_28;
constexpr ReclaimEra kNew = ReclaimEra::linux_6_1;

constexpr Bytes kibibytes(std::int64_t count) { return Bytes(count * 1024); }
constexpr Bytes pages_in_bytes(std::int64_t pages) { return Bytes(pages * kPageSize); }

std::string name_of(ReclaimEra era) { return era == kOld ? "Linux2628" : "Linux61"; }

// ---------------------------------------------------------------------------------------------------------------
// Formulas, by hand.

// sqrt(16 x kbytes): 16 x 131072 = 2097152 = 1448.2^2; 16 x 4194304 = 8192^2; 16 x 67108864 = 32768^2.
TEST(Watermarks, MinFreeFollowsTheKernelsFormula) {
  for (const ReclaimEra era : {kOld, kNew}) {
    EXPECT_EQ(min_free(Bytes(128 * kMiB), era), kibibytes(1448));
    EXPECT_EQ(min_free(Bytes(4 * kGiB), era), kibibytes(8192));
    EXPECT_EQ(min_free(Bytes(64 * kGiB), era), kibibytes(32768));
    EXPECT_EQ(min_free(Bytes(256 * kGiB), era), kibibytes(65536));
  }
}

TEST(Watermarks, MinFreeIsClamped) {
  for (const ReclaimEra era : {kOld, kNew}) {
    EXPECT_EQ(min_free(kibibytes(512), era), kibibytes(128));  // sqrt(8192) = 90.5
    EXPECT_EQ(min_free(kibibytes(1024), era), kibibytes(128));
  }
  EXPECT_EQ(min_free(Bytes(1024 * kGiB), kOld), kibibytes(65536));
  EXPECT_EQ(min_free(Bytes(1024 * kGiB), kNew), kibibytes(131072));  // sqrt(2^34)
  EXPECT_EQ(min_free(Bytes(4096 * kGiB), kNew), kibibytes(262144));  // sqrt(2^36)
  EXPECT_EQ(min_free(Bytes(16384 * kGiB), kNew), kibibytes(262144));
}

Watermarks marks_of(ReclaimEra era, Bytes size, int factor = 10) {
  MemorySpec memory;
  memory.size = size;
  memory.era = era;
  memory.watermark_scale_factor = factor;
  return watermarks(memory);
}

TEST(Watermarks, In2628LowIsFiveFourthsOfMinAndHighThreeHalves) {
  EXPECT_EQ(marks_of(kOld, Bytes(128 * kMiB)), (Watermarks{PageCount(362), PageCount(452), PageCount(543)}));
  EXPECT_EQ(marks_of(kOld, Bytes(4 * kGiB)), (Watermarks{PageCount(2048), PageCount(2560), PageCount(3072)}));
  EXPECT_EQ(marks_of(kOld, Bytes(64 * kGiB)), (Watermarks{PageCount(8192), PageCount(10240), PageCount(12288)}));
  EXPECT_EQ(marks_of(kOld, Bytes(4 * kGiB), 1000), marks_of(kOld, Bytes(4 * kGiB)));
}

// 128 MiB: a quarter of 362 = 90, a thousandth of 32768 = 32. 4 GiB: 2048 / 4 = 512, 1048576 / 1000 = 1048. 64 GiB:
// 8192 / 4 = 2048, 16777216 / 1000 = 16777.
TEST(Watermarks, In61TheDistanceIsAQuarterOfMinOrAShareOfTheMemory) {
  EXPECT_EQ(marks_of(kNew, Bytes(128 * kMiB)), (Watermarks{PageCount(362), PageCount(452), PageCount(542)}));
  EXPECT_EQ(marks_of(kNew, Bytes(4 * kGiB)), (Watermarks{PageCount(2048), PageCount(3096), PageCount(4144)}));
  EXPECT_EQ(marks_of(kNew, Bytes(64 * kGiB)), (Watermarks{PageCount(8192), PageCount(24969), PageCount(41746)}));
}

// A hundredth of 1048576 = 10485; a ten-thousandth = 104, less than 512; three tenths = 314572.
TEST(Watermarks, In61TheShareIsTheScaleFactor) {
  EXPECT_EQ(marks_of(kNew, Bytes(4 * kGiB), 100), (Watermarks{PageCount(2048), PageCount(12533), PageCount(23018)}));
  EXPECT_EQ(marks_of(kNew, Bytes(4 * kGiB), 1), (Watermarks{PageCount(2048), PageCount(2560), PageCount(3072)}));
  EXPECT_EQ(marks_of(kNew, Bytes(4 * kGiB), 3000), (Watermarks{PageCount(2048), PageCount(316620), PageCount(631192)}));
}

TEST(Watermarks, MinFreeCanBeGiven) {
  MemorySpec memory = all_free(Bytes(4 * kGiB), pages_in_bytes(400));
  memory.era = kOld;
  EXPECT_EQ(watermarks(memory), (Watermarks{PageCount(400), PageCount(500), PageCount(600)}));
  memory.era = kNew;
  EXPECT_EQ(watermarks(memory), (Watermarks{PageCount(400), PageCount(1448), PageCount(2496)}));
}

// Pages / 1024, at most 128 or 256; a quarter of that, at least 1; half as much again, down to a power of two; less
// one.
TEST(ZoneBatchsize, FollowsTheKernelsFormula) {
  for (const ReclaimEra era : {kOld, kNew}) {
    EXPECT_EQ(zone_batchsize(Bytes(8 * kMiB), era), PageCount(1));     // 2 / 4 -> 1 -> 1 -> 0, at least 1
    EXPECT_EQ(zone_batchsize(Bytes(48 * kMiB), era), PageCount(3));    // 12 -> 3 -> 4 -> 4
    EXPECT_EQ(zone_batchsize(Bytes(64 * kMiB), era), PageCount(3));    // 16 -> 4 -> 6 -> 4
    EXPECT_EQ(zone_batchsize(Bytes(300 * kMiB), era), PageCount(15));  // 75 -> 18 -> 27 -> 16
    EXPECT_EQ(zone_batchsize(Bytes(512 * kMiB), era), PageCount(31));  // 128 -> 32 -> 48 -> 32
  }
  EXPECT_EQ(zone_batchsize(Bytes(kGiB), kOld), PageCount(31));  // 128 -> 32
  EXPECT_EQ(zone_batchsize(Bytes(kGiB), kNew), PageCount(63));  // 256 -> 64 -> 96 -> 64
  EXPECT_EQ(zone_batchsize(Bytes(1024 * kGiB), kOld), PageCount(31));
  EXPECT_EQ(zone_batchsize(Bytes(1024 * kGiB), kNew), PageCount(63));
}

// ---------------------------------------------------------------------------------------------------------------
// The zone.

TEST(Zone, StartsWithAllOfItsPagesFree) {
  const Zone zone(all_free(Bytes(4 * kGiB), kibibytes(8192)), 2);
  EXPECT_EQ(zone.size(), PageCount(1048576));
  EXPECT_EQ(zone.counts(), ZoneCounts{.free = PageCount(1048576)});
  EXPECT_EQ(zone.lowest_free(), PageCount(1048576));
}

TEST(Zone, MovingKeepsTheTotal) {
  Zone zone(all_free(Bytes(64 * kMiB), pages_in_bytes(400)), 1);
  zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(100), at(1));
  zone.move(&ZoneCounts::in_flight, &ZoneCounts::unevictable, PageCount(60), at(2));
  zone.move(&ZoneCounts::in_flight, &ZoneCounts::writeback, PageCount(30), at(3));
  zone.move(&ZoneCounts::unevictable, &ZoneCounts::free, PageCount(50), at(4));
  EXPECT_EQ(zone.counts(), (ZoneCounts{.free = PageCount(16384 - 100 + 50),
                                       .unevictable = PageCount(10),
                                       .writeback = PageCount(30),
                                       .in_flight = PageCount(10)}));
  EXPECT_EQ(zone.counts().total(), zone.size());
  EXPECT_EQ(zone.lowest_free(), PageCount(16284));
}

TEST(Zone, CountsThePagesOfEachList) {
  Zone zone(all_free(Bytes(64 * kMiB), pages_in_bytes(400)), 1);
  const OwnerId anon = zone.add_owner({});
  const OwnerId file = zone.add_owner({.file = true});
  zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(100), at(0));
  const auto run = [](OwnerId owner, std::int64_t start, std::int64_t end) {
    return LruRun{.owner = owner, .addressed = true, .start = PageIndex(start), .pages = PageCount(end - start)};
  };
  zone.add_to_lru(LruList::inactive_anon, run(anon, 0, 10), at(0));
  zone.add_to_lru(LruList::active_anon, run(anon, 10, 30), at(0));
  zone.add_to_lru(LruList::active_file, run(file, 0, 30), at(0));
  zone.add_to_lru_tail(LruList::inactive_file, run(file, 30, 70), at(0));
  EXPECT_EQ(zone.counts(), (ZoneCounts{.free = PageCount(16284),
                                       .inactive_anon = PageCount(10),
                                       .active_anon = PageCount(20),
                                       .inactive_file = PageCount(40),
                                       .active_file = PageCount(30)}));
  EXPECT_EQ(zone.counts().evictable(), PageCount(100));
  EXPECT_EQ(zone.remove_from_lru(anon, PageIndex(5), PageIndex(100), at(0)), PageCount(25));
  EXPECT_EQ(zone.isolate(LruList::active_file, PageCount(7), at(0)), run(file, 0, 7));
  EXPECT_EQ(zone.counts(), (ZoneCounts{.free = PageCount(16284),
                                       .inactive_anon = PageCount(5),
                                       .inactive_file = PageCount(40),
                                       .active_file = PageCount(23),
                                       .in_flight = PageCount(32)}));
}

TEST(Zone, AWatermarkIsMetAboveItOnly) {
  MemorySpec memory = all_free(Bytes(16 * kMiB), pages_in_bytes(400));
  memory.era = kOld;
  Zone zone(memory, 1);
  const auto bring_free_to = [&](std::int64_t pages) {
    zone.move(&ZoneCounts::free, &ZoneCounts::unevictable, zone.counts().free - PageCount(pages), at(0));
  };
  const auto met = [&](std::int64_t free) {
    bring_free_to(free);
    return std::tuple(zone.above_high(), zone.above_low(), zone.above_min(), zone.reserve_is_sound());
  };
  EXPECT_EQ(met(601), std::tuple(true, true, true, true));
  EXPECT_EQ(met(600), std::tuple(false, true, true, true));
  EXPECT_EQ(met(501), std::tuple(false, true, true, true));
  EXPECT_EQ(met(500), std::tuple(false, false, true, true));
  EXPECT_EQ(met(401), std::tuple(false, false, true, true));
  EXPECT_EQ(met(400), std::tuple(false, false, false, true));
  EXPECT_EQ(met(201), std::tuple(false, false, false, true));
  EXPECT_EQ(met(200), std::tuple(false, false, false, false));
}

TEST(Zone, APerCpuListTakesABatchAndGivesItAwayPageByPage) {
  Zone zone(all_free(Bytes(64 * kMiB), pages_in_bytes(400)), 2);  // batches of 3
  EXPECT_FALSE(zone.has_per_cpu_page(0));
  zone.refill(0, at(0));
  EXPECT_EQ(zone.counts(), (ZoneCounts{.free = PageCount(16381), .per_cpu = PageCount(3)}));
  EXPECT_FALSE(zone.has_per_cpu_page(1));
  for (std::uint64_t page = 0; page < 3; ++page) {
    EXPECT_TRUE(zone.has_per_cpu_page(0));
    EXPECT_EQ(zone.allocated(), page);
    zone.take(0);
  }
  EXPECT_FALSE(zone.has_per_cpu_page(0));
  EXPECT_EQ(zone.counts(), (ZoneCounts{.free = PageCount(16381), .in_flight = PageCount(3)}));
}

TEST(Zone, ARefillTakesNoMoreThanThereIs) {
  Zone zone(all_free(Bytes(64 * kMiB), pages_in_bytes(400)), 1);
  zone.move(&ZoneCounts::free, &ZoneCounts::unevictable, PageCount(16382), at(0));
  zone.refill(0, at(0));
  EXPECT_EQ(zone.counts(), (ZoneCounts{.per_cpu = PageCount(2), .unevictable = PageCount(16382)}));
}

TEST(Zone, DrainingGivesTheListsOfAllCpusBack) {
  Zone zone(all_free(Bytes(64 * kMiB), pages_in_bytes(400)), 3);
  zone.refill(0, at(0));
  zone.refill(2, at(0));
  zone.take(2);
  zone.drain_per_cpu_lists(at(0));
  for (const int cpu : {0, 1, 2}) EXPECT_FALSE(zone.has_per_cpu_page(cpu));
  EXPECT_EQ(zone.counts(), (ZoneCounts{.free = PageCount(16383), .in_flight = PageCount(1)}));
}

// ---------------------------------------------------------------------------------------------------------------
// Allocation above the watermarks.

constexpr Nanoseconds kHold = 700ns;

class AllocPage : public testing::TestWithParam<bool> {
 protected:
  // Batches of 63 pages.
  static SmallMachineSpec large_machine(int cpus) {
    SmallMachineSpec spec;
    spec.cpus = cpus;
    spec.stepwise = GetParam();
    spec.costs.zone_lock = kHold;
    return spec;
  }
};
INSTANTIATE_TEST_SUITE_P(, AllocPage, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

TEST_P(AllocPage, AloneTakesNoTimeOfItsOwn) {
  check_in_child([] {
    SmallMachine machine(large_machine(1));
    machine.add([&](Task& task) {
      for (std::uint64_t page = 1; page <= 1000; ++page) {
        alloc_page(task);
        task.work(kHold);  // long enough for the lock to be free again
        EXPECT_EQ(machine.kernel.zone.allocated(), page);
      }
      EXPECT_EQ(task.settle(), at(0) + 1000 * kHold);
      const ZoneCounts& counts = machine.kernel.zone.counts();
      EXPECT_EQ(counts.in_flight, PageCount(1000));
      EXPECT_EQ(counts.per_cpu, PageCount(16 * 63 - 1000));  // 16 refills
      EXPECT_EQ(counts.total(), machine.kernel.zone.size());
    });
    machine.run();
  });
}

TEST_P(AllocPage, RefillsAtOnceQueueForTheZonesLock) {
  check_in_child([] {
    constexpr int kCpus = 6;
    SmallMachine machine(large_machine(kCpus));
    std::vector<sim::Time> done;
    for (int cpu = 0; cpu < kCpus; ++cpu) {
      machine.add([&](Task& task) {
        alloc_page(task);
        done.push_back(task.now());
        EXPECT_EQ(machine.spent(task, Cause::cpu), task.now() - at(0));  // it spins
        for (int page = 1; page < 63; ++page) alloc_page(task);
        EXPECT_EQ(task.now(), done.back());  // the rest of the batch needs no lock
      });
    }
    machine.run();
    ASSERT_EQ(done.size(), static_cast<std::size_t>(kCpus));
    for (int turn = 0; turn < kCpus; ++turn) EXPECT_EQ(done[static_cast<std::size_t>(turn)], at(0) + turn * kHold);
    EXPECT_EQ(machine.kernel.zone.counts().per_cpu, PageCount(0));
  });
}

TEST_P(AllocPage, ALatecomerWaitsForTheRestOfTheQueue) {
  check_in_child([] {
    SmallMachine machine(large_machine(3));
    for (const int cpu : {0, 1}) {
      machine.add([cpu](Task& task) {
        alloc_page(task);
        EXPECT_EQ(task.cpu(), cpu);
        task.work(10 * kHold);  // stays on its CPU
      });
    }
    machine.add_at(kHold.count() + 100, [](Task& task) {
      alloc_page(task);
      EXPECT_EQ(task.now(), at(0) + 2 * kHold);
    });
    machine.run();
  });
}

TEST_P(AllocPage, ConservesThePagesWhateverTasksDo) {
  check_in_child([] {
    SmallMachineSpec spec = large_machine(3);
    spec.memory = all_free(Bytes(64 * kMiB), pages_in_bytes(400));
    spec.memory.free = pages_in_bytes(3000);
    spec.costs.scan_page = sim::Constant{20ns};
    spec.costs.reclaim_page = sim::Constant{100ns};
    spec.with_kswapd = true;
    SmallMachine machine(spec);
    Zone& zone = machine.kernel.zone;
    std::int64_t held = 0;
    for (std::uint32_t number = 0; number < 5; ++number) {
      machine.add([&, number](Task& task) {
        std::mt19937 random(number + 1);
        for (int step = 0; step < 4000; ++step) {
          alloc_page(task);
          task.work(Nanoseconds{random() % 200});
          const sim::Time now = task.settle();
          switch (random() % 4) {
            case 0:
              zone.move(&ZoneCounts::in_flight, &ZoneCounts::unevictable, PageCount(1), now);
              ++held;
              break;
            case 1:
              zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, PageCount(1), now);
              break;
            default:
              zone.add_to_lru(LruList::inactive_file,
                              {.owner = machine.kernel.streamed, .pages = PageCount(1), .since = now}, now);
          }
        }
      });
    }
    machine.run();
    const ZoneCounts& counts = zone.counts();
    EXPECT_EQ(machine.kernel.outcome, Outcome::completed);
    EXPECT_EQ(counts.total(), zone.size());
    EXPECT_EQ(counts.in_flight, PageCount(0));
    EXPECT_EQ(counts.unevictable, PageCount(held));
    EXPECT_EQ(zone.allocated(), 20'000U);
    EXPECT_EQ(counts.evictable(), zone.lru().size(LruList::inactive_file));
    // All that has been reclaimed was taken from the list.
    const ReclaimStatistics& reclaim = machine.kernel.reclaim.statistics;
    EXPECT_GT(reclaim.kswapd_reclaimed + reclaim.direct_reclaimed, 0U);
    EXPECT_LE(zone.lowest_free(), zone.marks().low);
    // A refill takes three pages at most below min, for each task that found the watermark met.
    EXPECT_GT(zone.lowest_free(), zone.marks().min - PageCount(5 * 3));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// At the watermarks. With 512 MiB of page cache a round of reclaim looks at 32 pages of it at first, and gets them.

constexpr std::int64_t kMin = 400;
constexpr std::int64_t kLow = 500;
constexpr std::int64_t kBatch = 31;  // with 133072 pages: 129 -> 32 -> 48 -> 32
constexpr Nanoseconds kScan = 10ns;
constexpr Nanoseconds kTake = 300ns;

SmallMachineSpec at_watermark(std::int64_t free, ReclaimEra era = kOld) {
  SmallMachineSpec spec;
  spec.memory = all_free(pages_in_bytes(32 * 4096 + 2000), pages_in_bytes(kMin));
  spec.memory.free = pages_in_bytes(free);
  spec.memory.era = era;
  spec.costs.scan_page = sim::Constant{kScan};
  spec.costs.reclaim_page = sim::Constant{kTake};
  return spec;
}

TEST(AllocAtWatermark, OnePageAboveMinNothingIsReclaimed) {
  check_in_child([] {
    SmallMachine machine(at_watermark(kMin + 1));
    machine.add([&](Task& task) {
      alloc_page(task);
      EXPECT_EQ(machine.spent(task, Cause::direct_reclaim), 0ns);
    });
    machine.run();
    EXPECT_EQ(machine.kernel.zone.counts().free, PageCount(kMin + 1 - kBatch));
    EXPECT_EQ(machine.kernel.reclaim.statistics.direct_stalls.count(), 0U);
  });
}

// The watermark holds also for a page from a per-CPU list.
TEST(AllocAtWatermark, APerCpuListIsOfNoUseBelowMin) {
  check_in_child([] {
    SmallMachine machine(at_watermark(kMin + 1));
    machine.add([&](Task& task) {
      alloc_page(task);
      EXPECT_EQ(machine.kernel.zone.counts().per_cpu, PageCount(kBatch - 1));
      alloc_page(task);
      EXPECT_EQ(machine.spent(task, Cause::direct_reclaim), 32 * (kScan + kTake));
    });
    machine.run();
    EXPECT_EQ(machine.kernel.zone.counts().free, PageCount(kMin + 1 - kBatch + 32));
    EXPECT_EQ(machine.kernel.zone.counts().per_cpu, PageCount(kBatch - 2));
    EXPECT_EQ(machine.kernel.reclaim.statistics.direct_reclaimed, 32U);
  });
}

TEST(AllocAtWatermark, AtMinItReclaimsABatchAndIsOneStall) {
  check_in_child([] {
    SmallMachine machine(at_watermark(kMin));
    machine.add([&](Task& task) {
      alloc_page(task);
      EXPECT_EQ(task.now(), at(0) + 32 * (kScan + kTake));
      EXPECT_EQ(machine.spent(task, Cause::direct_reclaim), 32 * (kScan + kTake));
      EXPECT_EQ(machine.spent(task, Cause::cpu), 0ns);
    });
    machine.run();
    const sim::Histogram& stalls = machine.kernel.reclaim.statistics.direct_stalls;
    EXPECT_EQ(stalls.count(), 1U);
    EXPECT_EQ(stalls.max(), 32 * (kScan + kTake));
    EXPECT_EQ(machine.kernel.zone.counts().free, PageCount(kMin + 32 - kBatch));
  });
}

// 100 pages are missing, a round brings 32. Draining what other CPUs' lists hold helps in 6.1: 300 + 4 x 32 > 400, or
// 300 + 2 x 32 + 2 x 31 > 400, or at once: 300 + 32 + 3 x 31 > 400. After a round that was not enough 2.6.28 waits for
// 20 ms.
TEST(AllocAtWatermark, ARoundThatWasNotEnoughDrainsThePerCpuListsIn61) {
  for (const auto& [era, lists, rounds] :
       {std::tuple(kNew, 0, 4), std::tuple(kNew, 2, 2), std::tuple(kNew, 3, 1), std::tuple(kOld, 3, 4)}) {
    check_in_child([era = era, lists = lists, rounds = rounds] {
      SmallMachine machine(at_watermark(kMin, era));
      Zone& zone = machine.kernel.zone;
      machine.add([&](Task& task) {
        for (int cpu = 1; cpu <= lists; ++cpu) zone.refill(cpu, task.now());
        const PageCount locked = zone.counts().free - PageCount(kMin - 100);
        zone.move(&ZoneCounts::free, &ZoneCounts::unevictable, locked, task.now());
        alloc_page(task);
        const Nanoseconds waits = era == kOld ? (rounds - 1) * Nanoseconds{20'000'000} : Nanoseconds{0};
        EXPECT_EQ(task.now(), at(0) + rounds * 32 * (kScan + kTake) + waits);
      });
      machine.run();
      EXPECT_EQ(zone.counts().per_cpu, PageCount(kBatch - 1 + (era == kOld ? lists * kBatch : 0)));
      EXPECT_EQ(machine.kernel.reclaim.statistics.direct_stalls.count(), 1U);
    });
  }
}

TEST(AllocAtWatermark, KswapdIsWokenAtLowAndNotAbove) {
  for (const std::int64_t free : {kLow + 1, kLow}) {
    check_in_child([free] {
      SmallMachineSpec spec = at_watermark(free + 200);
      spec.with_kswapd = true;
      SmallMachine machine(spec);
      Zone& zone = machine.kernel.zone;
      machine.add_at(1000, [&](Task& task) {  // kswapd sleeps, for high is met
        zone.move(&ZoneCounts::free, &ZoneCounts::unevictable, zone.counts().free - PageCount(free), task.now());
        alloc_page(task);
        EXPECT_EQ(machine.spent(task, Cause::direct_reclaim), 0ns);
      });
      machine.run();
      EXPECT_EQ(machine.kernel.reclaim.statistics.kswapd_wakeups, free == kLow ? 1U : 0U);
      EXPECT_EQ(machine.kernel.reclaim.statistics.kswapd_reclaimed > 0, free == kLow);
    });
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Out of memory.

enum class Rest { locked, touched };

struct End {
  ReclaimEra era;
  Rest rest;  ///< what the memory is full of
  int futile_rounds;
};

class OutOfMemory : public testing::TestWithParam<End> {};
INSTANTIATE_TEST_SUITE_P(, OutOfMemory,
                         testing::Values(End{kNew, Rest::touched, 1 + 16}, End{kNew, Rest::locked, 1},
                                         End{kOld, Rest::touched, 1}, End{kOld, Rest::locked, 1}),
                         [](const auto& each) {
                           return name_of(each.param.era) + (each.param.rest == Rest::locked ? "Locked" : "Touched");
                         });

TEST_P(OutOfMemory, ComesAfterSoManyFutileRounds) {
  check_in_child([] {
    const End& end = GetParam();
    SmallMachineSpec spec;
    spec.memory = all_free(Bytes(16 * kMiB), pages_in_bytes(kMin));
    spec.memory.era = end.era;
    spec.costs.scan_page = sim::Constant{1000ns};
    SmallMachine machine(spec);
    Zone& zone = machine.kernel.zone;
    // Touched every nanosecond: whenever reclaim looks again, 1 us later at least.
    const OwnerId busy = zone.add_owner({.file = true, .touched_every = 1ns});
    const PageCount rest = zone.counts().free - PageCount(kMin);
    zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, rest, {});
    if (end.rest == Rest::locked) {
      zone.move(&ZoneCounts::in_flight, &ZoneCounts::unevictable, rest, {});
    } else {
      zone.add_to_lru(LruList::active_file, {.owner = busy, .pages = rest}, {});
    }
    machine.add([](Task& task) {
      alloc_page(task);
      ADD_FAILURE() << "there was a page";
    });
    machine.run();
    EXPECT_EQ(machine.kernel.outcome, Outcome::out_of_memory);
    EXPECT_EQ(machine.kernel.reclaim.statistics.futile_rounds, end.futile_rounds);
    EXPECT_EQ(machine.kernel.reclaim.statistics.direct_reclaimed, 0U);
    EXPECT_EQ(machine.kernel.reclaim.statistics.direct_scanned > 0, end.rest == Rest::touched);
    EXPECT_EQ(zone.allocated(), 0U);
  });
}

// With 6.1, what could be reclaimed and is not much does not count: 100 touched pages cannot bring 300 above 400.
TEST(OutOfMemoryOf61, ComesAtOnceWhereReclaimCouldNotReachMin) {
  for (const std::int64_t reclaimable : {100, 101}) {
    check_in_child([reclaimable] {
      SmallMachineSpec spec;
      spec.memory = all_free(Bytes(16 * kMiB), pages_in_bytes(kMin));
      spec.costs.scan_page = sim::Constant{1000ns};
      SmallMachine machine(spec);
      Zone& zone = machine.kernel.zone;
      const OwnerId busy = zone.add_owner({.file = true, .touched_every = 1ns});
      zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(reclaimable), {});
      zone.add_to_lru(LruList::active_file, {.owner = busy, .pages = PageCount(reclaimable)}, {});
      zone.move(&ZoneCounts::free, &ZoneCounts::unevictable, zone.counts().free - PageCount(kMin - 100), {});
      machine.add([](Task& task) { alloc_page(task); });
      machine.run();
      EXPECT_EQ(machine.kernel.reclaim.statistics.futile_rounds, reclaimable == 100 ? 1 : 17);
    });
  }
}

// Two find the last page free, and the second has it no more when it has the zone's lock.
TEST(OutOfMemoryEnd, WhoeverWaitsForTheZonesLockLooksAgainWhetherAPageIsLeft) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.memory = all_free(pages_in_bytes(2048), Bytes(0));
    spec.costs.zone_lock = 100ns;
    SmallMachine machine(spec);
    Zone& zone = machine.kernel.zone;
    zone.move(&ZoneCounts::free, &ZoneCounts::unevictable, zone.counts().free - PageCount(1), {});
    for (int number = 0; number < 2; ++number) machine.add([](Task& task) { alloc_page(task); });
    machine.run();
    EXPECT_EQ(zone.allocated(), 1U);
    EXPECT_EQ(machine.kernel.outcome, Outcome::out_of_memory);
  });
}

// 40 pages that nobody touches, the rest is locked: 6.1 takes them to the last. In 2.6.28 a list has its turn when 32
// pages of it are to be looked at: 1 + 2 + 5 + 10 + 20 are, and are taken, at priority 1, and the last 2 never.
TEST(OutOfMemoryEnd, ComesWhenTheLastPageHasBeenTaken) {
  for (const ReclaimEra era : {kOld, kNew}) {
    check_in_child([era] {
      SmallMachineSpec spec;
      spec.memory = all_free(pages_in_bytes(2048), pages_in_bytes(kMin));  // batches of one
      spec.memory.era = era;
      SmallMachine machine(spec);
      Zone& zone = machine.kernel.zone;
      zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(40), {});
      zone.add_to_lru(LruList::inactive_file, {.owner = machine.kernel.streamed, .pages = PageCount(40)}, {});
      zone.move(&ZoneCounts::free, &ZoneCounts::unevictable, zone.counts().free - PageCount(kMin), {});
      machine.add([](Task& task) {
        for (;;) alloc_page(task);
      });
      machine.run();
      EXPECT_EQ(zone.allocated(), era == kOld ? 38U : 40U);
      EXPECT_EQ(zone.counts().free, PageCount(kMin));
      EXPECT_EQ(zone.counts().evictable(), PageCount(era == kOld ? 2 : 0));
      EXPECT_EQ(machine.kernel.outcome, Outcome::out_of_memory);
      EXPECT_EQ(machine.kernel.reclaim.statistics.futile_rounds, 1);
    });
  }
}

}  // namespace
}  // namespace models::page_alloc_test
