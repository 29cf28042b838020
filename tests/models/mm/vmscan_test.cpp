#include "models/mm/vmscan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::vmscan_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::kGiB;
using tests::SmallMachine;
using tests::SmallMachineSpec;

// Of the small machine: 8192 pages, so that the lists of the CPUs hold one page at a time.
constexpr std::int64_t kMin = 400;
constexpr std::int64_t kLow = 500;
constexpr std::int64_t kHigh = 600;
constexpr Nanoseconds kScan = 100ns;
constexpr Nanoseconds kReclaim = 300ns;
constexpr Nanoseconds kPageout = 700ns;
constexpr Nanoseconds kWake = 11ns;

Bytes pages(std::int64_t count) { return Bytes(count * kPageSize); }

SmallMachineSpec machine(std::int64_t size, std::int64_t free) {
  SmallMachineSpec spec;
  spec.memory.size = pages(size);
  spec.memory.free = pages(free);
  spec.memory.min_free = pages(kMin);
  spec.costs.scan_page = Constant{kScan};
  spec.costs.reclaim_page = Constant{kReclaim};
  spec.costs.pageout = Constant{kPageout};
  spec.costs.rwsem_wake = kWake;
  return spec;
}

SmallMachineSpec small(std::int64_t free) { return machine(8192, free); }

/// Nothing in it, and nothing that it does takes time.
SmallMachineSpec empty(std::int64_t size) {
  SmallMachineSpec spec = machine(size, size);
  spec.costs = {};
  return spec;
}

SwapSpec swap_of(std::int64_t size) {
  SwapSpec swap;
  swap.size = pages(size);
  return swap;
}

SwapSpec zram_of(std::int64_t size, const ZramSpec& zram = {}) {
  SwapSpec swap = swap_of(size);
  swap.zram = zram;
  return swap;
}

const ZoneCounts& counts(const SmallMachine& world) { return world.kernel.zone.counts(); }
std::int64_t free_pages(const SmallMachine& world) { return counts(world).free.count(); }
const ReclaimStatistics& statistics(const SmallMachine& world) { return world.kernel.reclaim.statistics; }

/// Free pages become pages of `owner` on `list`, of the present age.
void put(SmallMachine& world, LruList list, OwnerId owner, std::int64_t count) {
  Zone& zone = world.kernel.zone;
  zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(count), world.now());
  zone.add_to_lru(list, {.owner = owner, .pages = PageCount(count), .since = world.now()}, world.now());
}

OwnerId add_owner(SmallMachine& world, bool file, std::optional<Nanoseconds> touched_every = std::nullopt) {
  PageOwner owner;
  owner.file = file;
  owner.touched_every = touched_every;
  return world.kernel.zone.add_owner(owner);
}

void lock_away(SmallMachine& world, std::int64_t count) {
  world.kernel.zone.move(&ZoneCounts::free, &ZoneCounts::unevictable, PageCount(count), world.now());
}

/// Takes a page, which then is page cache that nobody will touch.
void take_page(Task& task) {
  alloc_page(task);
  Kernel& kernel = task.kernel();
  const LruRun run{.owner = kernel.streamed, .pages = PageCount(1), .since = task.now()};
  kernel.zone.add_to_lru(LruList::inactive_file, run, task.now());
}

class VmscanTest : public testing::TestWithParam<bool> {
 protected:
  /// A machine on which `body` is all that happens.
  static void run_alone(SmallMachineSpec spec, const std::function<void(SmallMachine&, Task&)>& body) {
    spec.stepwise = GetParam();
    check_in_child([&] {
      SmallMachine world(spec);
      world.add([&](Task& task) { body(world, task); });
      world.run();
      EXPECT_EQ(counts(world).total(), pages_of(spec.memory.size));
    });
  }
};

std::string mode_of(const testing::TestParamInfo<bool>& mode) { return mode.param ? "Stepwise" : "Default"; }

// ---------------------------------------------------------------------------------------------------------------
// Direct reclaim.

using DirectReclaimTest = VmscanTest;
INSTANTIATE_TEST_SUITE_P(, DirectReclaimTest, testing::Bool(), mode_of);

// 7789 pages are on the list when it begins. It looks at 7789 >> 12 = 1 of them, 7788 >> 11 = 3, 7785 >> 10 = 7,
// 7778 >> 9 = 15, which makes 26, and 7763 >> 8 = 30: 56.
TEST_P(DirectReclaimTest, BeginsWhenFreePagesHaveFallenToMinAndLooksDeeperUntilItHas32) {
  run_alone(small(kMin + 3), [](SmallMachine& world, Task& task) {
    constexpr Nanoseconds kStall = 56 * (kScan + kReclaim);
    for (int page = 0; page < 3; ++page) take_page(task);
    EXPECT_EQ(free_pages(world), kMin);
    EXPECT_EQ(world.spent(task, Cause::direct_reclaim), 0ns);
    take_page(task);
    EXPECT_EQ(world.spent(task, Cause::direct_reclaim), kStall);
    EXPECT_EQ(task.now(), at(0) + kStall);
    EXPECT_EQ(free_pages(world), kMin + 56 - 1);
    for (int page = 0; page < 55; ++page) take_page(task);
    EXPECT_EQ(world.spent(task, Cause::direct_reclaim), kStall);
    EXPECT_EQ(statistics(world).direct_scanned, 56U);
    EXPECT_EQ(statistics(world).direct_reclaimed, 56U);
    EXPECT_EQ(statistics(world).direct_stalls.count(), 1U);
    EXPECT_EQ(statistics(world).direct_stalls.max(), kStall);
    EXPECT_EQ(world.kernel.zone.lowest_free(), PageCount(kMin));
    take_page(task);
    EXPECT_EQ(statistics(world).direct_stalls.count(), 2U);
  });
}

// The first look, at the default priority, goes on to the end of its share: 153,169 >> 12 = 37 pages, and then
// 153,162 >> 12 = 37. The list of a CPU holds 31 pages in 600 MiB: a refill takes the zone down to min, and the next
// page, though there is one, is not to be had.
TEST_P(DirectReclaimTest, TakesAllOfItsShareOfALongListAtATime) {
  run_alone(machine(153'600, kMin + 31), [](SmallMachine& world, Task& task) {
    constexpr std::int64_t kShare = (153'600 - kMin - 31) >> kDefPriority;
    constexpr Nanoseconds kStall = kShare * (kScan + kReclaim);
    take_page(task);
    EXPECT_EQ(free_pages(world), kMin);
    EXPECT_EQ(counts(world).per_cpu, PageCount(30));
    EXPECT_EQ(task.now(), at(0));
    take_page(task);
    EXPECT_EQ(task.now(), at(0) + kStall);
    EXPECT_EQ(free_pages(world), kMin + kShare);
    EXPECT_EQ(counts(world).per_cpu, PageCount(29));
    // What its list has left, a refill to min + 6, and that refill.
    for (int page = 0; page < 29 + 31; ++page) take_page(task);
    EXPECT_EQ(free_pages(world), kMin + kShare - 31);
    EXPECT_EQ(task.now(), at(0) + kStall);
    take_page(task);  // refills to min - 25
    take_page(task);
    EXPECT_EQ(task.now(), at(0) + 2 * kStall);
    EXPECT_EQ(free_pages(world), kMin + kShare - 2 * 31 + kShare);
    EXPECT_EQ(statistics(world).direct_reclaimed, static_cast<std::uint64_t>(2 * kShare));
  });
}

// A 64 GiB machine that is full of clean page cache: the stall is its size >> 12 pages, whatever it takes them for.
TEST_P(DirectReclaimTest, AScansLengthAtTheDefaultPriorityIsItsShareOfTheLists) {
  for (const std::int64_t gibibytes : {4, 16, 60}) {
    const std::int64_t cached = gibibytes << 18;
    SmallMachineSpec spec = machine(cached + kMin, cached + kMin);
    run_alone(spec, [&](SmallMachine& world, Task& task) {
      put(world, LruList::inactive_file, world.kernel.streamed, cached);
      const Nanoseconds stall = (cached >> kDefPriority) * (kScan + kReclaim);
      EXPECT_EQ(try_to_free_pages(task), PageCount(cached >> kDefPriority));
      EXPECT_EQ(task.now(), at(0) + stall);
    });
  }
}

// Deeper than that it has enough with its 32: of 40,000 touched pages at the old end of 200,000, 48 are looked at
// first, then 97 and so on; the priority that comes to the others takes one batch.
TEST_P(DirectReclaimTest, StopsDeeperDownWhenItHas32AndIn2628Never) {
  for (const ReclaimEra era : {ReclaimEra::linux_6_1, ReclaimEra::linux_2_6_28}) {
    SmallMachineSpec spec = empty(1 << 20);
    spec.memory.era = era;
    run_alone(spec, [&](SmallMachine& world, Task& task) {
      put(world, LruList::inactive_file, add_owner(world, true, 1ns), 100);
      put(world, LruList::inactive_file, world.kernel.streamed, 199'900);
      task.sleep_until(at(1000'000));
      // 200,000 >> 12 = 48, all touched; then 97 (or, less what was activated, as many), 52 touched and 45 not.
      const std::int64_t freed = try_to_free_pages(task).count();
      EXPECT_EQ(freed, era == ReclaimEra::linux_6_1 ? 44 : 45);
    });
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Which pages are taken.

using SecondChanceTest = VmscanTest;
INSTANTIATE_TEST_SUITE_P(, SecondChanceTest, testing::Bool(), mode_of);

// 40 mapped pages at the old end, then 8000 that nobody touches; the first 50 that reclaim looks at.
TEST_P(SecondChanceTest, ATouchedPageGoesOnceRoundThenIsTaken) {
  SmallMachineSpec spec = empty(8192);
  spec.memory.swap = zram_of(8192);
  spec.memory.swappiness = 200;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    tests::make_resident(world, 0, 40);
    const PageTable& table = world.mm.page_table;
    const auto resident = [&] { return table.count({}, tests::kEndOfSpace, PageState::resident).count(); };
    const OwnerId others = add_owner(world, false);
    put(world, LruList::inactive_anon, others, 8000);
    // 8040 >> 12 = 1, then 3, 7, 15 and 31: all that are kept and 17 others; then one batch of 8023 >> 7.
    EXPECT_EQ(try_to_free_pages(task), PageCount(17 + 32));
    EXPECT_EQ(statistics(world).kept, 40U);
    EXPECT_EQ(statistics(world).activated, 0U);
    EXPECT_EQ(resident(), 40);
    // Behind the other 8000, untouched since: taken with the rest.
    while (counts(world).inactive_anon > PageCount(40)) (void)try_to_free_pages(task);
    while (counts(world).inactive_anon > PageCount(0)) (void)try_to_free_pages(task);
    EXPECT_EQ(resident(), 0);
    EXPECT_EQ(table.count({}, tests::kEndOfSpace, PageState::swapped), PageCount(40));
    EXPECT_EQ(statistics(world).kept, 40U);
  });
}

// From priority 12 to 1 it looks at 1 + 3 + 7 + 15 + 31 + 62 + 125 + 250 + 500 + 1000 + 2000 + 4000 = 7994 pages, and
// last at all 8000.
TEST_P(SecondChanceTest, APageTouchedAgainOnItsRoundBecomesActive) {
  SmallMachineSpec spec = empty(8192);
  spec.costs.scan_page = Constant{1us};  // so that all have been touched when they are looked at again
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::inactive_file, add_owner(world, true, 1ns), 8000);
    EXPECT_EQ(try_to_free_pages(task), PageCount(0));
    EXPECT_EQ(statistics(world).kept, 8000U);
    EXPECT_EQ(statistics(world).activated, 7994U);
    EXPECT_EQ(counts(world).inactive_file, PageCount(6));
    EXPECT_EQ(counts(world).active_file, PageCount(7994));
  });
}

TEST_P(SecondChanceTest, In2628OneTouchMakesItActive) {
  SmallMachineSpec spec = empty(8192);
  spec.memory.era = ReclaimEra::linux_2_6_28;
  spec.memory.swap = zram_of(8192);
  spec.memory.swappiness = 200;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::inactive_anon, add_owner(world, false, 1ns), 40);
    put(world, LruList::inactive_anon, add_owner(world, false), 8000);
    task.sleep_until(at(1000'000));
    EXPECT_GE(try_to_free_pages(task), PageCount(32));
    EXPECT_EQ(statistics(world).kept, 0U);
    EXPECT_EQ(statistics(world).activated, 40U);
    EXPECT_EQ(counts(world).active_anon, PageCount(40));
  });
}

// 200,000 pages that lie there for `age` x T before the first 32 << 12 of them are looked at.
TEST_P(SecondChanceTest, APageSurvivesWithOneMinusExpOfItsAge) {
  for (const double age : {0.1, 0.7, 2.0}) {
    run_alone(empty(262'144), [&](SmallMachine& world, Task& task) {
      constexpr Nanoseconds kTouchedEvery = 10ms;
      put(world, LruList::inactive_file, add_owner(world, true, kTouchedEvery), 200'000);
      task.sleep_until(at(std::llround(age * static_cast<double>(kTouchedEvery.count()))));
      while (statistics(world).direct_scanned < 50'000) (void)try_to_free_pages(task);
      const auto looked_at = static_cast<double>(statistics(world).direct_scanned);
      const double survives = 1 - std::exp(-age);
      EXPECT_NEAR(static_cast<double>(statistics(world).kept), looked_at * survives,
                  4 * std::sqrt(looked_at * survives * (1 - survives)));
      EXPECT_EQ(statistics(world).kept + statistics(world).direct_reclaimed, statistics(world).direct_scanned);
    });
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Anonymous pages or files.

using ScanBalanceTest = VmscanTest;
INSTANTIATE_TEST_SUITE_P(, ScanBalanceTest, testing::Bool(), mode_of);

void reclaim_from_both(SmallMachine& world, Task& task) {
  put(world, LruList::inactive_anon, add_owner(world, false), 4000);
  put(world, LruList::inactive_file, world.kernel.streamed, 100);
  for (int round = 0; round < 20; ++round) (void)try_to_free_pages(task);
}

TEST_P(ScanBalanceTest, WithoutSwapOnlyFilesAreTaken) {
  run_alone(empty(8192), [](SmallMachine& world, Task& task) {
    reclaim_from_both(world, task);
    EXPECT_EQ(counts(world).inactive_anon, PageCount(4000));
    EXPECT_EQ(counts(world).inactive_file, PageCount(0));
    EXPECT_EQ(statistics(world).direct_scanned, 100U);
  });
}

TEST_P(ScanBalanceTest, WithSwappiness0OnlyFilesAreTakenAsLongAsThereAreEnough) {
  SmallMachineSpec spec = empty(8192);
  spec.memory.swap = zram_of(8192);
  spec.memory.swappiness = 0;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    reclaim_from_both(world, task);
    EXPECT_EQ(counts(world).inactive_anon, PageCount(4000));
    EXPECT_EQ(counts(world).inactive_file, PageCount(0));
  });
}

// file_is_tiny: files and free pages together do not come to the high watermark.
TEST_P(ScanBalanceTest, WithSwappiness0ItSwapsWhereFilesAreNearlyGone) {
  SmallMachineSpec spec = empty(8192);
  spec.memory.swap = zram_of(8192);
  spec.memory.swappiness = 0;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::inactive_anon, add_owner(world, false), 8192 - kMin);
    EXPECT_GE(try_to_free_pages(task), PageCount(32));
    EXPECT_GE(statistics(world).swapped_out, 32U);
  });
}

// A page that came back tells of a new working set: the next scan shrinks the active list, however much is inactive,
// and the scan after that leaves it alone again.
TEST_P(ScanBalanceTest, RefaultsShrinkTheActiveListUntilTheNextScan) {
  run_alone(empty(1 << 20), [](SmallMachine& world, Task& task) {
    put(world, LruList::active_file, world.kernel.streamed, 200'000);
    put(world, LruList::inactive_file, world.kernel.streamed, 300'000);
    (void)try_to_free_pages(task);
    EXPECT_EQ(statistics(world).deactivated, 0U);
    note_refault(world.kernel, true, PageCount(1));
    (void)try_to_free_pages(task);
    EXPECT_EQ(statistics(world).deactivated, 200'000U >> kDefPriority);
    (void)try_to_free_pages(task);
    EXPECT_EQ(statistics(world).deactivated, 200'000U >> kDefPriority);
  });
}

// Where nothing else is found: the second time through all priorities what is active goes as well.
TEST_P(ScanBalanceTest, ActiveListsThatWereLeftAloneAreTriedBeforeItGivesUp) {
  SmallMachineSpec spec = empty(8192);
  spec.costs.scan_page = Constant{1us};  // so that all are touched again until they are looked at again
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::active_file, world.kernel.streamed, 3000);
    put(world, LruList::inactive_file, add_owner(world, true, 1ns), 4000);
    task.sleep_until(at(1000'000));
    EXPECT_GE(try_to_free_pages(task), PageCount(32));
    EXPECT_GT(statistics(world).deactivated, 0U);
  });
}

TEST_P(ScanBalanceTest, WithPlentyOfInactiveFilesOnlyTheseAreTaken) {
  SmallMachineSpec spec = empty(1 << 20);
  spec.memory.swap = zram_of(1 << 20);
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::inactive_anon, add_owner(world, false), 409'600);
    put(world, LruList::inactive_file, world.kernel.streamed, 200'000);
    for (int round = 0; round < 20; ++round) (void)try_to_free_pages(task);
    EXPECT_EQ(statistics(world).swapped_out, 0U);
    EXPECT_EQ(statistics(world).direct_reclaimed, 20 * 48U);
  });
}

// Anonymous: 409600 >> 12 = 100. Files: 81920 >> 12 = 20, fewer than a third of 300000 active ones on 1 GiB.
struct Share {
  int swappiness;
  std::int64_t anon_cost;
  std::int64_t file_cost;
  std::uint64_t anon;  // expected to be looked at
  std::uint64_t file;
};
class ScanRatioTest : public testing::TestWithParam<Share> {};
INSTANTIATE_TEST_SUITE_P(
    , ScanRatioTest,
    testing::Values(Share{60, 0, 0, 30, 14},   // 60 : 140, that is 100 x 60 / 200 and 20 x 140 / 200
                    Share{100, 0, 0, 50, 10},  // 100 : 100
                    // A = 300 + 400, F = 100 + 400, T = 1200: 60 x 1201 / 701 = 102, 140 x 1201 / 501 = 335.
                    Share{60, 300, 100, 23, 15},
                    // A = 100 + 400, F = 300 + 400: 100 x 1201 / 501 = 239, 100 x 1201 / 701 = 171: 58 and 8.
                    Share{100, 100, 300, 58, 8}),
    [](const auto& each) { return "Case" + std::to_string(each.index); });

TEST_P(ScanRatioTest, FollowsSwappinessAndWhatEachHasCost) {
  check_in_child([] {
    SmallMachineSpec spec = empty(1 << 20);
    spec.memory.swap = zram_of(1 << 20);
    spec.memory.swappiness = GetParam().swappiness;
    SmallMachine world(spec);
    world.add([&](Task& task) {
      put(world, LruList::inactive_anon, add_owner(world, false), 409'600);
      put(world, LruList::inactive_file, world.kernel.streamed, 81'920);
      put(world, LruList::active_file, world.kernel.streamed, 300'000);
      world.kernel.reclaim.anon_cost = GetParam().anon_cost;
      world.kernel.reclaim.file_cost = GetParam().file_cost;
      EXPECT_EQ(try_to_free_pages(task).count(), static_cast<std::int64_t>(GetParam().anon + GetParam().file));
      EXPECT_EQ(statistics(world).swapped_out, GetParam().anon);
      EXPECT_EQ(statistics(world).direct_reclaimed, GetParam().anon + GetParam().file);
    });
    world.run();
  });
}

// sqrt(10 x 1 GiB) = 3: 300,000 active pages are left alone while there are 100,000 inactive ones. Some are taken.
TEST_P(ScanBalanceTest, ActiveListsAreShrunkWhenInactiveOnesAreLow) {
  for (const std::int64_t inactive : {100'100, 99'999}) {
    run_alone(empty(1 << 20), [&](SmallMachine& world, Task& task) {
      put(world, LruList::active_file, world.kernel.streamed, 300'000);
      put(world, LruList::inactive_file, world.kernel.streamed, inactive);
      (void)try_to_free_pages(task);
      EXPECT_EQ(statistics(world).deactivated > 0, inactive < 100'000);
      EXPECT_EQ(counts(world).active_file.count() + static_cast<std::int64_t>(statistics(world).deactivated), 300'000);
    });
  }
}

// Where both are small the ratio is 1.
TEST_P(ScanBalanceTest, OfSmallListsTheInactiveOneIsKeptAsLongAsTheActiveOne) {
  run_alone(empty(8192), [](SmallMachine& world, Task& task) {
    put(world, LruList::active_file, world.kernel.streamed, 6000);
    while (counts(world).inactive_file + counts(world).active_file > PageCount(2000)) (void)try_to_free_pages(task);
    EXPECT_GE(counts(world).inactive_file, counts(world).active_file - PageCount(64));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// What taking a page comes to.

using ShrinkTest = VmscanTest;
INSTANTIATE_TEST_SUITE_P(, ShrinkTest, testing::Bool(), mode_of);

TEST_P(ShrinkTest, PagesOfALockedVmaThatMlockHasNotComeToBecomeUnevictable) {
  SmallMachineSpec spec = empty(8192);
  spec.memory.swap = zram_of(8192);
  spec.memory.swappiness = 200;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    world.mm.insert_vma(PageIndex(100), PageIndex(120), {});
    world.mm.insert_vma(PageIndex(120), PageIndex(140), {.locked = true});
    tests::make_resident(world, 100, 140);
    put(world, LruList::inactive_anon, add_owner(world, false), 8000);
    (void)try_to_free_pages(task);
    EXPECT_EQ(statistics(world).culled, 20U);
    EXPECT_EQ(statistics(world).kept, 20U);
    EXPECT_EQ(counts(world).unevictable, PageCount(20));
    EXPECT_EQ(world.mm.page_table.count(PageIndex(120), PageIndex(140), PageState::mlocked), PageCount(20));
    EXPECT_EQ(world.mm.page_table.count(PageIndex(100), PageIndex(120), PageState::resident), PageCount(20));
  });
}

TEST_P(ShrinkTest, ZramTakesCpuTimeAndCompressedPages) {
  SmallMachineSpec spec = machine(153'600, 153'600);
  spec.memory.swap = zram_of(8192, {2us, 1us, 3.0});
  spec.memory.swappiness = 200;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::inactive_anon, add_owner(world, false), 32 << 12);
    const std::int64_t before = free_pages(world);
    EXPECT_EQ(try_to_free_pages(task), PageCount(32));
    EXPECT_EQ(task.now(), at(0) + 32 * (kScan + kReclaim + 2us));
    EXPECT_EQ(counts(world).compressed, PageCount(11));  // 32 / 3
    EXPECT_EQ(free_pages(world), before + 32 - 11);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(32));
    EXPECT_EQ(world.kernel.device.in_queue(), 0U);
  });
}

TEST_P(ShrinkTest, APageWithoutASwapSlotStays) {
  SmallMachineSpec spec = empty(153'600);
  spec.memory.swap = zram_of(20);
  spec.memory.swappiness = 200;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::inactive_anon, add_owner(world, false), 32 << 12);
    EXPECT_EQ(try_to_free_pages(task), PageCount(20));
    EXPECT_EQ(world.kernel.swap.left(), PageCount(0));
    EXPECT_EQ(statistics(world).activated, 12U);
    EXPECT_EQ(try_to_free_pages(task), PageCount(0));  // there is nothing else
    EXPECT_EQ(reclaimable_pages(world.kernel), PageCount(0));
  });
}

TEST_P(ShrinkTest, In61ADirectReclaimerLeavesDirtyFilesToKswapdIn2628ItWritesThemItself) {
  for (const ReclaimEra era : {ReclaimEra::linux_6_1, ReclaimEra::linux_2_6_28}) {
    SmallMachineSpec spec = machine(153'600, 1000);
    spec.memory.era = era;
    spec.memory.dirty = 1;
    run_alone(spec, [&](SmallMachine& world, Task& task) {
      const bool old = era == ReclaimEra::linux_2_6_28;
      (void)try_to_free_pages(task);
      EXPECT_EQ(statistics(world).files_written > 0, old);
      EXPECT_EQ(statistics(world).activated > 0, !old);
    });
  }
}

TEST_P(ShrinkTest, KswapdWritesDirtyFilesAndTakesThemWhenTheyAreClean) {
  SmallMachineSpec spec = machine(153'600, kLow);
  spec.memory.dirty = 1;
  spec.with_kswapd = true;
  spec.stepwise = GetParam();
  check_in_child([&] {
    SmallMachine world(spec);
    world.run();
    EXPECT_GT(free_pages(world), kHigh);
    EXPECT_EQ(statistics(world).files_written, world.kernel.device.statistics().write.pages);
    EXPECT_GE(statistics(world).files_written, statistics(world).kswapd_reclaimed);
    EXPECT_GT(statistics(world).kswapd_reclaimed, 0U);
    EXPECT_EQ(counts(world).writeback, PageCount(0));
    EXPECT_EQ(statistics(world).kswapd_reclaimed, static_cast<std::uint64_t>(free_pages(world) - kLow));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// kswapd.

using KswapdTest = VmscanTest;
INSTANTIATE_TEST_SUITE_P(, KswapdTest, testing::Bool(), mode_of);

TEST_P(KswapdTest, IsWokenWhenFreePagesHaveFallenToLowAndTheWakerPays) {
  SmallMachineSpec spec = small(kHigh + 1);
  spec.with_kswapd = true;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    task.sleep_until(at(1000));
    for (std::int64_t page = kHigh + 1; page > kLow; --page) take_page(task);
    EXPECT_EQ(free_pages(world), kLow);
    EXPECT_EQ(statistics(world).kswapd_wakeups, 0U);
    EXPECT_EQ(task.now(), at(1000));
    take_page(task);
    EXPECT_EQ(statistics(world).kswapd_wakeups, 1U);
    EXPECT_EQ(task.now(), at(1000) + kWake);
    take_page(task);  // it is awake already
    EXPECT_EQ(task.now(), at(1000) + kWake);
    EXPECT_EQ(statistics(world).direct_stalls.count(), 0U);
  });
}

// From 500 free pages to more than 600. Of 7692 on the list it looks at 1, 3, 7, 15 and 29, which makes 55, and
// 7637 >> 7 = 59.
TEST_P(KswapdTest, ReclaimsUpToTheHighWatermarkAndPaysForEveryPage) {
  SmallMachineSpec spec = small(kLow);
  spec.with_kswapd = true;
  spec.stepwise = GetParam();
  check_in_child([&] {
    SmallMachine world(spec);
    world.run();
    EXPECT_EQ(statistics(world).kswapd_scanned, 114U);
    EXPECT_EQ(statistics(world).kswapd_reclaimed, 114U);
    EXPECT_EQ(free_pages(world), kLow + 114);
    EXPECT_EQ(world.now(), at(0) + 114 * (kScan + kReclaim));
  });
}

// In 2.6.28 it looks at none before it comes to 32: 1 + 3 + 7 + 15 + 30 at priority 8, where it naps for 100 ms. Then
// it begins anew: 1 + 3 + 7 + 14 + 29 of 7636, and a nap.
TEST_P(KswapdTest, In2628NapsWhereverItGetsIntoTrouble) {
  SmallMachineSpec spec = small(kLow);
  spec.memory.era = ReclaimEra::linux_2_6_28;
  spec.with_kswapd = true;
  spec.stepwise = GetParam();
  check_in_child([&] {
    SmallMachine world(spec);
    world.run();
    EXPECT_EQ(statistics(world).kswapd_reclaimed, 56U + 54U);
    EXPECT_EQ(world.now(), at(0) + 110 * (kScan + kReclaim) + 2 * 100ms);
  });
}

// It frees 2.5 pages a microsecond, the demand is 1.
TEST_P(KswapdTest, AloneHoldsFreePagesBetweenLowAndHighWhenItIsFasterThanTheDemand) {
  SmallMachineSpec spec = small(kHigh + 200);
  spec.with_kswapd = true;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    std::int64_t least = kHigh;
    std::int64_t most = 0;
    for (int page = 0; page < 20'000; ++page) {
      task.work(1000ns);
      take_page(task);
      least = std::min(least, free_pages(world));
      if (page > 500) most = std::max(most, free_pages(world));
    }
    EXPECT_EQ(least, kLow - 1);    // the first page that it frees takes less time than the next one is away
    EXPECT_LE(most, kHigh + 124);  // the last look, at priority 6, can be at (8192 - 500) >> 6 = 120
    EXPECT_EQ(statistics(world).direct_reclaimed, 0U);
    EXPECT_GT(statistics(world).kswapd_wakeups, 50U);
  });
}

// It frees 2.5 pages a microsecond, the demand is 10: the rest is left to direct reclaim.
TEST_P(KswapdTest, LeavesToDirectReclaimWhatIsBeyondItsSpeed) {
  SmallMachineSpec spec = small(kHigh);
  spec.with_kswapd = true;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    for (int page = 0; page < 10'000; ++page) {
      task.work(100ns);
      take_page(task);
      EXPECT_GE(free_pages(world), kMin - 1);
    }
    EXPECT_GT(statistics(world).direct_reclaimed, 0U);
    EXPECT_EQ(world.kernel.zone.lowest_free(), PageCount(kMin));
  });
}

TEST_P(KswapdTest, GivesUpAfter16FutileRunsUntilADirectReclaimerSucceeds) {
  SmallMachineSpec spec = empty(8192);
  spec.with_kswapd = true;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    lock_away(world, 8192 - kLow);
    wakeup_kswapd(task);
    task.sleep_until(at(1000));
    EXPECT_EQ(world.kernel.reclaim.kswapd_failures, 16);
    EXPECT_TRUE(world.kernel.reclaim.kswapd_sleeps);
    EXPECT_EQ(statistics(world).kswapd_wakeups, 1U);
    wakeup_kswapd(task);
    EXPECT_EQ(statistics(world).kswapd_wakeups, 1U);
    world.kernel.zone.move(&ZoneCounts::unevictable, &ZoneCounts::free, PageCount(100), task.now());
    put(world, LruList::inactive_file, world.kernel.streamed, 100);
    EXPECT_GT(try_to_free_pages(task), PageCount(0));
    EXPECT_EQ(world.kernel.reclaim.kswapd_failures, 0);
    wakeup_kswapd(task);
    EXPECT_EQ(statistics(world).kswapd_wakeups, 2U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// The device.

using SaturatedDeviceTest = VmscanTest;
INSTANTIATE_TEST_SUITE_P(, SaturatedDeviceTest, testing::Bool(), mode_of);

// Memory of 1 GiB, so that there are whole requests of 32 pages. What reclaim itself costs is little against them.
SmallMachineSpec slow_device(Nanoseconds service, Nanoseconds transfer) {
  SmallMachineSpec spec = machine(262'144, kHigh);
  spec.costs.scan_page = spec.costs.reclaim_page = spec.costs.pageout = Constant{50ns};
  spec.memory.device.queue_depth = 4;
  spec.memory.device.write = Constant{service};
  spec.memory.device.transfer_page = transfer;
  spec.with_kswapd = true;
  return spec;
}

// Takes pages as fast as it can, and gives them to `owner`; returns how many it got in the last 500 of 600 ms.
double pages_per_second(Task& task, OwnerId owner, LruList list) {
  constexpr Nanoseconds kWarmUp = 100ms;
  constexpr Nanoseconds kEnd = 600ms;
  std::int64_t taken = 0;
  while (task.now() < at(0) + kEnd) {
    alloc_page(task);
    task.work(50ns);
    const LruRun run{.owner = owner, .pages = PageCount(1), .since = task.settle()};
    task.kernel().zone.add_to_lru(list, run, task.now());
    taken += task.now() >= at(0) + kWarmUp ? 1 : 0;
  }
  return static_cast<double>(taken) / std::chrono::duration<double>(kEnd - kWarmUp).count();
}

// Four requests at once, 2 ms each, most of them of 32 pages.
TEST_P(SaturatedDeviceTest, DirtyFilesAreHadAtTheSpeedOfItsMedia) {
  SmallMachineSpec spec = slow_device(2ms, 1us);
  spec.memory.dirty = 1;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    const double speed = pages_per_second(task, world.kernel.streamed, LruList::inactive_file);
    const auto& writes = world.kernel.device.statistics().write;
    const double pages_each = static_cast<double>(writes.pages) / static_cast<double>(writes.requests());
    EXPECT_GT(pages_each, 28);
    EXPECT_NEAR(speed, 4 * pages_each / 2e-3, 0.03 * speed);
  });
}

// One page after another over the link: 20 us each, however many make a request.
TEST_P(SaturatedDeviceTest, AnonymousPagesAreHadAtTheSpeedOfItsLink) {
  SmallMachineSpec spec = slow_device(0ns, 20us);
  spec.memory.free = spec.memory.size;
  spec.memory.swap = swap_of(1 << 20);
  spec.memory.swappiness = 200;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    constexpr double kSpeed = 1 / 20e-6;
    const OwnerId owner = add_owner(world, false);
    put(world, LruList::inactive_anon, owner, 262'144 - kHigh);
    EXPECT_NEAR(pages_per_second(task, owner, LruList::inactive_anon), kSpeed, 0.05 * kSpeed);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Waiting for others.

using ThrottleTest = VmscanTest;
INSTANTIATE_TEST_SUITE_P(, ThrottleTest, testing::Bool(), mode_of);

// 32 << 12 anonymous pages: at the first look there are 32 to write, then 131040 >> 11 = 63, then 127, ...
SmallMachineSpec all_to_be_written(Nanoseconds service) {
  SmallMachineSpec spec = empty(153'600);
  spec.memory.swap = swap_of(153'600);
  spec.memory.swappiness = 200;
  spec.memory.device.write = Constant{service};
  return spec;
}

// kswapd sends 32 pages to the device, and waits for these.
TEST_P(ThrottleTest, KswapdWaitsForWriteBackUntilThePagesAreWritten) {
  SmallMachineSpec spec = all_to_be_written(30ms);
  spec.with_kswapd = true;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::inactive_anon, add_owner(world, false), 153'600 - kLow);
    wakeup_kswapd(task);
    task.sleep_until(at(0) + 29ms);
    EXPECT_EQ(statistics(world).kswapd_scanned, (153'600U - kLow) >> kDefPriority);
    EXPECT_EQ(statistics(world).throttled, 1U);
    task.sleep_until(at(0) + 99ms);  // well before it would have looked again
    EXPECT_GT(statistics(world).kswapd_scanned, (153'600U - kLow) >> kDefPriority);
  });
}

TEST_P(ThrottleTest, KswapdWaitsForWriteBackForAtMost100Milliseconds) {
  SmallMachineSpec spec = all_to_be_written(1s);
  spec.with_kswapd = true;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::inactive_anon, add_owner(world, false), 153'600 - kLow);
    wakeup_kswapd(task);
    task.sleep_until(at(0) + 99ms);
    EXPECT_EQ(statistics(world).throttled, 1U);
    task.sleep_until(at(0) + 101ms);
    EXPECT_EQ(statistics(world).throttled, 2U);
  });
}

// Priority by priority it sends more to the device, and has nothing at the end; it sleeps for none of it.
TEST_P(ThrottleTest, ADirectReclaimerDoesNotWaitForWriteBack) {
  SmallMachineSpec spec = all_to_be_written(30ms);
  spec.memory.device.queue_depth = 1 << 20;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    put(world, LruList::inactive_anon, add_owner(world, false), 32 << 12);
    (void)try_to_free_pages(task);
    EXPECT_EQ(world.spent(task, Cause::reclaim_throttle), 0ns);
    EXPECT_GT(statistics(world).swapped_out, 32U);
  });
}

// LRUVEC_CONGESTED: kswapd has met nothing but what is on its way. A tick for each look, where more than half of what
// could be reclaimed waits to be written.
TEST_P(ThrottleTest, ADirectReclaimerSleepsATickAtEachPriorityWhileKswapdSeesNothingButWrites) {
  SmallMachineSpec spec = empty(8192);
  run_alone(spec, [](SmallMachine& world, Task& task) {
    world.kernel.zone.move(&ZoneCounts::free, &ZoneCounts::writeback, PageCount(1000), task.now());
    world.kernel.reclaim.congested = true;
    EXPECT_EQ(try_to_free_pages(task), PageCount(0));
    EXPECT_EQ(world.spent(task, Cause::reclaim_throttle), (13 + 1) * 1ms);  // one more without progress, at priority 1
    world.kernel.zone.move(&ZoneCounts::writeback, &ZoneCounts::free, PageCount(1000), task.now());
  });
}

// 8000 pages that are touched all the time. 32 of them are to be looked at from priority 8 on: it waits 9 times.
TEST_P(ThrottleTest, CongestionWaitOf2628Takes100MillisecondsAtEachPriorityThoughNobodyWrites) {
  SmallMachineSpec spec = empty(8192);
  spec.memory.era = ReclaimEra::linux_2_6_28;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    task.sleep_until(at(1000'000));
    put(world, LruList::inactive_file, add_owner(world, true, 1ns), 8000);
    task.sleep_until(at(2000'000));
    EXPECT_EQ(try_to_free_pages(task), PageCount(0));
    EXPECT_EQ(task.now(), at(2000'000) + 9 * 100ms);
    EXPECT_EQ(statistics(world).throttled, 9U);
    EXPECT_EQ(world.spent(task, Cause::device_io), 900ms);
  });
}

// 4000 touched pages, and so many that are being written: half of what could be reclaimed, or one more.
TEST_P(ThrottleTest, ARoundWithoutProgressWaitsOneTickAtPriority1IfMostIsWaitingToBeWritten) {
  for (const std::int64_t written : {4000, 4001}) {
    SmallMachineSpec spec = empty(16'384);
    spec.costs.scan_page = Constant{1us};
    run_alone(spec, [&](SmallMachine& world, Task& task) {
      put(world, LruList::inactive_file, add_owner(world, true, 1ns), 4000);
      world.kernel.zone.move(&ZoneCounts::free, &ZoneCounts::writeback, PageCount(written), task.now());
      task.sleep_until(at(1000'000));
      const PageCount freed = try_to_free_pages(task);
      EXPECT_EQ(world.spent(task, Cause::reclaim_throttle), written > 4000 ? 1ms : 0ms);
      EXPECT_EQ(freed, PageCount(0));
      EXPECT_EQ(statistics(world).throttled, written > 4000 ? 1U : 0U);
      world.kernel.zone.move(&ZoneCounts::writeback, &ZoneCounts::free, PageCount(written), task.now());
    });
  }
}

// allow_direct_reclaim: what has nothing to be reclaimed does not count.
TEST_P(ThrottleTest, NobodyWaitsForKswapdWhereThereIsNothingToBeReclaimed) {
  SmallMachineSpec spec = empty(8192);
  spec.with_kswapd = true;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    lock_away(world, 8192 - kMin / 2);
    EXPECT_EQ(try_to_free_pages(task), PageCount(0));
    EXPECT_EQ(world.spent(task, Cause::reclaim_throttle), 0ns);
  });
}

// kswapd finds 7992 >> 12 = 1 page at its first look: then 201 pages are free, more than half of min.
TEST_P(ThrottleTest, WhileHalfOfTheReserveIsGoneOnlyKswapdWorks) {
  SmallMachineSpec spec = small(kHigh + 1);
  spec.with_kswapd = true;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    task.sleep_until(at(1000));
    put(world, LruList::inactive_file, world.kernel.streamed, kHigh + 1 - kMin / 2);
    EXPECT_EQ(free_pages(world), kMin / 2);
    take_page(task);
    EXPECT_EQ(world.spent(task, Cause::reclaim_throttle), kScan + kReclaim);
    EXPECT_EQ(statistics(world).throttled, 1U);
    EXPECT_EQ(statistics(world).kswapd_wakeups, 1U);
    EXPECT_EQ(statistics(world).direct_stalls.count(), 1U);
  });
}

// To wake kswapd takes time, in which somebody may give pages back: nobody would wake whoever slept then.
TEST_P(ThrottleTest, TheReserveIsLookedAtAgainAfterKswapdHasBeenWoken) {
  SmallMachineSpec spec = small(kHigh + 1);
  spec.with_kswapd = true;
  spec.stepwise = GetParam();
  check_in_child([&] {
    SmallMachine world(spec);
    const Task& reclaimer = world.add_at(1000, [&](Task& task) {
      put(world, LruList::inactive_file, world.kernel.streamed, kHigh + 1 - kMin / 2 - 10);
      lock_away(world, 10);
      EXPECT_GT(try_to_free_pages(task), PageCount(0));
    });
    world.add_at(1000 + kWake.count() / 2, [&](Task& task) {
      world.kernel.zone.move(&ZoneCounts::unevictable, &ZoneCounts::free, PageCount(10), task.now());
    });
    world.run();
    EXPECT_EQ(world.spent(reclaimer, Cause::reclaim_throttle), 0ns);
    EXPECT_EQ(statistics(world).throttled, 0U);
    EXPECT_EQ(statistics(world).kswapd_wakeups, 1U);
  });
}

TEST_P(ThrottleTest, In2628NobodyGuardsTheReserve) {
  SmallMachineSpec spec = small(kHigh + 1);
  spec.memory.era = ReclaimEra::linux_2_6_28;
  spec.with_kswapd = true;
  run_alone(spec, [](SmallMachine& world, Task& task) {
    task.sleep_until(at(1000));
    put(world, LruList::inactive_file, world.kernel.streamed, kHigh + 1 - kMin / 2);
    take_page(task);
    EXPECT_EQ(world.spent(task, Cause::reclaim_throttle), 0ns);
    EXPECT_GT(statistics(world).direct_reclaimed, 0U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Out of memory.

using OutOfMemoryTest = VmscanTest;
INSTANTIATE_TEST_SUITE_P(, OutOfMemoryTest, testing::Bool(), mode_of);

struct End {
  std::int64_t taken = 0;
  sim::Time when;
};

// `prepare` leaves kMin pages free; then one page after another is taken.
void run_out_of_memory(SmallMachineSpec spec, const std::function<void(SmallMachine&)>& prepare,
                       const std::function<void(SmallMachine&, const End&)>& check) {
  check_in_child([&] {
    SmallMachine world(spec);
    End end;
    world.add([&](Task& task) {
      prepare(world);
      task.sleep_until(at(1000'000));
      for (;;) {
        alloc_page(task);
        world.kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::unevictable, PageCount(1), task.now());
        ++end.taken;
      }
    });
    world.run();
    EXPECT_EQ(world.kernel.outcome, Outcome::out_of_memory);
    EXPECT_EQ(counts(world).total(), pages_of(spec.memory.size));
    end.when = world.now();
    check(world, end);
  });
}

TEST_P(OutOfMemoryTest, WithEverythingLockedItComesAtOnce) {
  SmallMachineSpec spec = empty(8192);
  spec.stepwise = GetParam();
  run_out_of_memory(
      spec, [](SmallMachine& world) { lock_away(world, 8192 - kMin); },
      [](const SmallMachine& world, const End& end) {
        EXPECT_EQ(end.taken, 0);
        EXPECT_EQ(end.when, at(1000'000));
        EXPECT_EQ(statistics(world).futile_rounds, 1);
        EXPECT_EQ(free_pages(world), kMin);
      });
}

TEST_P(OutOfMemoryTest, ComesWhenTheLastPageThatCouldBeReclaimedIsGone) {
  SmallMachineSpec spec = empty(8192);
  spec.stepwise = GetParam();
  run_out_of_memory(
      spec,
      [](SmallMachine& world) {
        lock_away(world, 8192 - kMin - 40);
        put(world, LruList::inactive_file, world.kernel.streamed, 40);
      },
      [](const SmallMachine& world, const End& end) {
        EXPECT_EQ(end.taken, 40);
        EXPECT_EQ(counts(world).evictable(), PageCount(0));
        EXPECT_EQ(free_pages(world), kMin);
      });
}

TEST_P(OutOfMemoryTest, WithEverythingTouchedAllTheTime61Tries17Times) {
  SmallMachineSpec spec = empty(8192);
  spec.costs.scan_page = Constant{1us};  // so that all are touched again until they are looked at again
  spec.stepwise = GetParam();
  run_out_of_memory(
      spec, [](SmallMachine& world) { put(world, LruList::inactive_file, add_owner(world, true, 1ns), 8192 - kMin); },
      [](const SmallMachine& world, const End& end) {
        EXPECT_EQ(end.taken, 0);
        EXPECT_EQ(statistics(world).futile_rounds, 17);
        EXPECT_EQ(statistics(world).throttled, 0U);  // nothing waits to be written
        EXPECT_EQ(counts(world).evictable(), PageCount(8192 - kMin));
      });
}

TEST_P(OutOfMemoryTest, WithEverythingTouchedAllTheTime2628TriesOnce) {
  SmallMachineSpec spec = empty(8192);
  spec.memory.era = ReclaimEra::linux_2_6_28;
  spec.costs.scan_page = Constant{1us};
  spec.stepwise = GetParam();
  run_out_of_memory(
      spec, [](SmallMachine& world) { put(world, LruList::inactive_file, add_owner(world, true, 1ns), 8192 - kMin); },
      [](const SmallMachine& world, const End& end) {
        EXPECT_EQ(end.taken, 0);
        EXPECT_EQ(statistics(world).futile_rounds, 1);
        EXPECT_EQ(statistics(world).throttled, 9U);
        EXPECT_GE(end.when, at(1000'000) + 9 * 100ms);
      });
}

}  // namespace
}  // namespace models::vmscan_test
