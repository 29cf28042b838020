// Every branch of madvise: the holds and their lengths, pages, map and return value.
#include "models/mm/madvise.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>

#include "models/mm/fault.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/rmap.h"
#include "models/mm/vmscan.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::madvise_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::check_pages;
using tests::map_of;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kMadvise = 100ns;
constexpr Nanoseconds kSystemCall = 5'000ns;
constexpr Nanoseconds kZap = 10'000ns;
constexpr Nanoseconds kPopulate = 3'000'000ns;
constexpr Nanoseconds kSplit = 200'000ns;
constexpr Nanoseconds kMerge = 7'000'000ns;
constexpr Nanoseconds kFault = 20'000ns;
constexpr Nanoseconds kRead = 100'000'000ns;

SmallMachineSpec machine(bool stepwise = false) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.madvise = sim::Constant{kMadvise};
  spec.costs.system_call = kSystemCall;
  spec.costs.zap_page = sim::Constant{kZap};
  spec.costs.populate_page = sim::Constant{kPopulate};
  spec.costs.vma_split = kSplit;
  spec.costs.vma_merge = kMerge;
  spec.costs.fault = sim::Constant{kFault};
  spec.memory.device.read = sim::Constant{kRead};
  return spec;
}

// ---------------------------------------------------------------------------------------------------------------
// MADV_DONTNEED

struct Branch {
  std::string name;
  std::string map;
  std::int64_t resident_from;  // present pages that are not locked
  std::int64_t resident_to;
  std::int64_t start;
  std::int64_t pages;
  int result;
  std::int64_t zapped;
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

class MadviseDontneed : public testing::TestWithParam<std::tuple<Branch, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , MadviseDontneed,
    testing::Combine(testing::Values(Branch{"ZapsTheRangesPresentPages", "10-30", 12, 30, 10, 10, 0, 8},
                                     Branch{"OfAbsentPages", "10-30", 20, 30, 10, 10, 0, 0},
                                     Branch{"GoesOnInTheNextVma", "10-20 20-30R", 10, 30, 15, 10, 0, 10},
                                     Branch{"AcrossTablesOfPages", "0-2000", 0, 2000, 100, 1500, 0, 1500},
                                     Branch{"PassesOverAHoleAndReportsIt", "10-20 30-40", 10, 20, 15, 20, -ENOMEM, 5},
                                     Branch{"BelowAllVmas", "10-20", 10, 20, 5, 10, -ENOMEM, 5},
                                     Branch{"WithinAHole", "10-20 30-40", 10, 20, 22, 5, -ENOMEM, 0},
                                     Branch{"BeyondTheLastVma", "10-20", 10, 20, 15, 10, -ENOMEM, 5},
                                     Branch{"RefusesALockedVma", "10-20L", 0, 0, 10, 10, -EINVAL, 0},
                                     Branch{"RefusesAHugetlbVma", "10-20H", 10, 20, 10, 10, -EINVAL, 0},
                                     Branch{"RefusesAnIoMapping", "10-20I", 0, 0, 10, 10, -EINVAL, 0},
                                     Branch{"ZapsASpecialVma", "10-20D", 10, 20, 10, 10, 0, 10},
                                     Branch{"ZapsWhatLiesBeforeALockedVma", "10-20 20-30L", 10, 20, 10, 20, -EINVAL,
                                            10}),
                     testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(MadviseDontneed, ZapsUnderOneReadHold) {
  check_in_child([&] {
    const auto& [branch, stepwise] = GetParam();
    SmallMachine world(machine(stepwise));
    tests::make_map(world, branch.map);
    if (branch.resident_to > 0) tests::make_resident(world, branch.resident_from, branch.resident_to);
    const Nanoseconds hold = kMadvise + branch.zapped * kZap + kOperation;
    world.add([&, &call = branch](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(call.start), PageCount(call.pages), Advice::dontneed),
                call.result);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kOperation + hold);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), branch.map);
    check_pages(world, world.mm.locked_vm, PageCount(branch.resident_to - branch.resident_from - branch.zapped));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::read}).count(), 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::read}).max(), hold);
  });
}

TEST(MadviseRace, TwoRecyclersOfOneRangeGiveEachPageBackOnce) {
  check_in_child([] {
    SmallMachine world(machine());
    tests::make_map(world, "0-2000");
    tests::make_resident(world, 0, 2000);
    for (int recycler = 0; recycler < 2; ++recycler) {
      world.add([&](Task& task) {
        EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(2000), Advice::dontneed), 0);
      });
    }
    world.run();
    check_pages(world, PageCount(0), PageCount(0));
  });
}

TEST(MadviseOfNothing, DoesNotAskForTheSemaphore) {
  check_in_child([] {
    SmallMachine world;
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(10), PageCount(0), Advice::dontneed), 0);
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(10), PageCount(0), Advice::sequential), 0);
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 0U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions, 0U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// MADV_DONTNEED under the lock of a VMA

SmallMachineSpec machine_with_vma_locks() {
  SmallMachineSpec spec = machine();
  spec.policy.fault = FaultLock::per_vma;
  spec.policy.zap_under_vma_lock = true;
  return spec;
}

int zap(Task& task, SmallMachine& world, std::int64_t start, std::int64_t pages) {
  return sys_madvise(task, world.mm, PageIndex(start), PageCount(pages), Advice::dontneed);
}

// Whether a zap of [start, start + pages) in `map` needs mmap_sem.
struct Under {
  std::string name;
  std::string map;
  std::int64_t start;
  std::int64_t pages;
  int result;
  bool vma_lock;
};
void PrintTo(const Under& under, std::ostream* out) { *out << under.name; }

class ZapOfARange : public testing::TestWithParam<Under> {};
INSTANTIATE_TEST_SUITE_P(, ZapOfARange,
                         testing::Values(Under{"WithinOneVma", "10-20 20-30R", 12, 5, 0, true},
                                         Under{"OfAWholeVma", "10-20 20-30R", 10, 10, 0, true},
                                         Under{"OfALockedVma", "10-20L", 12, 5, -EINVAL, true},
                                         Under{"AcrossTwoVmas", "10-20 20-30R", 15, 10, 0, false},
                                         Under{"BeyondTheLastVma", "10-20", 15, 10, -ENOMEM, false},
                                         Under{"BelowAVma", "10-20", 5, 10, -ENOMEM, false},
                                         Under{"InAHole", "10-20", 30, 5, -ENOMEM, false}),
                         [](const auto& each) { return each.param.name; });

TEST_P(ZapOfARange, TakesTheLockOfTheVmaThatItIsIn) {
  check_in_child([] {
    const Under& under = GetParam();
    SmallMachine world(machine_with_vma_locks());
    tests::make_map(world, under.map);
    world.add([&](Task& task) { EXPECT_EQ(zap(task, world, under.start, under.pages), under.result); });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, under.vma_lock ? 0U : 1U);
    EXPECT_EQ(world.now(), at(0) + kSystemCall + kMadvise + (under.vma_lock ? 0 : 2) * kOperation);
  });
}

TEST(ZapUnderVmaLock, DoesNotQueueBehindAWriterThatWaitsForMmapSem) {
  const auto end_of_zap = [](const SmallMachineSpec& spec) {
    SmallMachine world(spec);
    tests::make_map(world, "10-20");
    tests::make_resident(world, 10, 20);
    world.add([&](Task& task) {
      world.mm.mmap_sem.down_read(task);
      task.work(1'000'000ns);
      world.mm.mmap_sem.up_read(task);
    });
    world.add_at(100, [&](Task& task) {
      mmap_write_lock(task, world.mm);
      mmap_write_unlock(task, world.mm);
    });
    sim::Time end{};
    world.add_at(200, [&](Task& task) {
      EXPECT_EQ(zap(task, world, 10, 5), 0);
      end = task.settle();
    });
    world.run();
    return end;
  };
  check_in_child([&] { EXPECT_EQ(end_of_zap(machine_with_vma_locks()), at(200) + kSystemCall + kMadvise + 5 * kZap); });
  check_in_child([&] {
    // The reader's two operations, the writer's one, the zapper's last.
    EXPECT_EQ(end_of_zap(machine()), at(0) + 1'000'000ns + kMadvise + 5 * kZap + 4 * kOperation);
  });
}

TEST(ZapUnderVmaLock, TakesMmapSemWhereTheVmaIsBeingChanged) {
  check_in_child([] {
    SmallMachine world(machine_with_vma_locks());
    tests::make_map(world, "10-20");
    world.add([&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.mm.find_vma(PageIndex(10)));
      task.work(1'000'000ns);
      mmap_write_unlock(task, world.mm);
    });
    world.add([&](Task& task) { EXPECT_EQ(zap(task, world, 10, 5), 0); });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 1U);
  });
}

TEST(ZapUnderVmaLock, KeepsWhoChangesTheVmaWaiting) {
  check_in_child([] {
    SmallMachine world(machine_with_vma_locks());
    tests::make_map(world, "10-20");
    tests::make_resident(world, 10, 20);
    world.add([&](Task& task) { EXPECT_EQ(zap(task, world, 10, 10), 0); });
    const Nanoseconds zapped = kSystemCall + kMadvise + 10 * kZap;
    Task& writer = world.add_at(10'000, [&](Task& task) {
      task.ledger().remember();
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.mm.find_vma(PageIndex(10)));
      EXPECT_EQ(task.settle(), at(0) + zapped);
      mmap_write_unlock(task, world.mm);
    });
    world.run();
    EXPECT_EQ(tests::waits_of(writer),
              (tests::Waits{{{0, Phase::madvise, LockMode::read, -1, Cause::cpu, -1, LockKind::vma},
                             zapped - 10'000ns - kOperation}}));
  });
}

TEST(ZapUnderVmaLock, LetsFaultsInTheVmaGoOn) {
  check_in_child([] {
    SmallMachine world(machine_with_vma_locks());
    tests::make_map(world, "10-30");
    tests::make_resident(world, 10, 20);
    world.mm.anon_vma_prepare(*world.mm.find_vma(PageIndex(10)));
    world.add([&](Task& task) { EXPECT_EQ(zap(task, world, 10, 10), 0); });
    world.add_at(10'000, [&](Task& task) {
      do_page_fault(task, world.mm, PageIndex(25), Backing::region);
      EXPECT_EQ(task.settle(), at(10'000) + kFault);
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 0U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Advice that changes the flags of VMAs

struct Change {
  std::string name;
  std::string map;
  Advice advice;
  std::int64_t start;
  std::int64_t pages;
  int result;
  std::string map_after;
  Nanoseconds vma_work;
  std::size_t max_map_count = kDefaultMaxMapCount;
};
void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

class MadviseFlags : public testing::TestWithParam<std::tuple<Change, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , MadviseFlags,
    testing::Combine(
        testing::Values(
            Change{"SequentialOfAWholeVma", "10-30", Advice::sequential, 10, 20, 0, "10-30Q", 0ns},
            Change{"RandomReplacesSequential", "10-30Q", Advice::random, 10, 20, 0, "10-30A", 0ns},
            Change{"NormalTakesRandomBack", "10-30A", Advice::normal, 10, 20, 0, "10-30", 0ns},
            Change{"NormalOfWhatIsSo", "10-30", Advice::normal, 15, 5, 0, "10-30", 0ns},
            Change{"DontforkOfAPartSplitsTwice", "10-30", Advice::dontfork, 15, 5, 0, "10-15 15-20N 20-30", 2 * kSplit},
            Change{"DoforkMergesWithBothNeighbours", "10-15 15-20N 20-30", Advice::dofork, 15, 5, 0, "10-30", kMerge},
            Change{"KeepsOtherFlags", "10-30LQ", Advice::dontfork, 10, 20, 0, "10-30LQN", 0ns},
            Change{"OfTheHeadMergesWithTheVmaBefore", "10-15Q 15-30", Advice::sequential, 15, 5, 0, "10-20Q 20-30",
                   kMerge},
            Change{"AcrossVmas", "10-20 20-30R", Advice::sequential, 15, 10, 0, "10-15 15-20Q 20-25RQ 25-30R",
                   2 * kSplit},
            Change{"GoesOnBehindAHole", "10-20 30-40", Advice::sequential, 10, 30, -ENOMEM, "10-20Q 30-40Q", 0ns},
            Change{"BeyondTheLastVma", "10-20", Advice::sequential, 10, 30, -ENOMEM, "10-20Q", 0ns},
            Change{"WithinAHole", "10-20 30-40", Advice::sequential, 22, 5, -ENOMEM, "10-20 30-40", 0ns},
            Change{"DoforkRefusesAnIoMapping", "10-20N 20-30IN", Advice::dofork, 10, 20, -EINVAL, "10-20 20-30IN", 0ns},
            Change{"DontforkTakesAnIoMapping", "10-30I", Advice::dontfork, 10, 20, 0, "10-30IN", 0ns},
            Change{"AFailedSplitIsToBeTriedAgain", "10-30", Advice::random, 15, 5, -EAGAIN, "10-30", kSplit, 1},
            Change{"AFailedSecondSplitToo", "10-30", Advice::random, 15, 5, -EAGAIN, "10-15 15-30", 2 * kSplit, 2}),
        testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(MadviseFlags, ChangeUnderOneWriteHoldEvenWhereNothingChanges) {
  check_in_child([&] {
    const auto& [change, stepwise] = GetParam();
    SmallMachine world(machine(stepwise));
    tests::make_map(world, change.map);
    world.mm.max_map_count = change.max_map_count;
    const Nanoseconds hold = kMadvise + change.vma_work + kOperation;
    world.add([&, &call = change](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(call.start), PageCount(call.pages), call.advice), call.result);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kOperation + hold);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), change.map_after);
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::write}).count(), 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::write}).max(), hold);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// MADV_WILLNEED

// [10, 1010) is a file's.
void map_file(SmallMachine& world, VmFlags flags = {}) {
  const PageIndex start(10);
  const PageIndex end(1010);
  world.mm.set_owner(start, end, world.kernel.zone.add_owner({.mm = &world.mm, .file = true}));
  world.mm.insert_vma(start, end, flags);
}

PageCount cached(const SmallMachine& world, std::int64_t start, std::int64_t end) {
  return world.mm.page_table.count(PageIndex(start), PageIndex(end), PageState::cached);
}

class Willneed : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, Willneed, testing::Bool(),
                         [](const auto& each) { return each.param ? "Stepwise" : "Default"; });

TEST_P(Willneed, ReturnsBeforeTheWindowIsReadAndHoldsNothingWhileItSubmits) {
  check_in_child([] {
    SmallMachine world(machine(GetParam()));
    map_file(world);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(100), PageCount(500), Advice::willneed), 0);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kMadvise + 4 * kOperation);
      EXPECT_EQ(cached(world, 0, 1010), PageCount(0));
      task.work(kRead);
      task.settle();
      EXPECT_EQ(cached(world, 100, 132), PageCount(32));
      EXPECT_EQ(cached(world, 0, 1010), PageCount(32));
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 2U);
    EXPECT_EQ(world.kernel.device.statistics().read.requests(), 1U);
    EXPECT_EQ(world.kernel.reclaim.statistics.files_read, 32U);
    check_pages(world, PageCount(0), PageCount(0), PageCount(32));
  });
}

TEST_P(Willneed, ReadsOnlyWhatIsAbsent) {
  check_in_child([] {
    SmallMachine world(machine(GetParam()));
    map_file(world);
    tests::make_present(world, 110, 112, PageState::cached);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(100), PageCount(20), Advice::willneed), 0);
    });
    world.run();
    EXPECT_EQ(world.kernel.device.statistics().read.requests(), 2U);
    EXPECT_EQ(world.kernel.device.statistics().read.pages, 18U);
    EXPECT_EQ(cached(world, 100, 120), PageCount(20));
  });
}

TEST_P(Willneed, GoesOnInTheNextVmaAndReportsAHole) {
  check_in_child([] {
    SmallMachine world(machine(GetParam()));
    world.mm.set_owner(PageIndex(10), PageIndex(40), world.kernel.zone.add_owner({.mm = &world.mm, .file = true}));
    tests::make_map(world, "10-20 20-30R 32-40");
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(15), PageCount(20), Advice::willneed), -ENOMEM);
    });
    world.run();
    EXPECT_EQ(cached(world, 15, 30) + cached(world, 32, 35), PageCount(18));
    EXPECT_EQ(cached(world, 0, 1000), PageCount(18));
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 1U + 3U);
  });
}

TEST_P(Willneed, LeavesAFaultThatComesEarlierAlone) {
  check_in_child([] {
    SmallMachine world(machine(GetParam()));
    map_file(world);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(100), PageCount(32), Advice::willneed), 0);
      do_page_fault(task, world.mm, PageIndex(100), Backing::region);
    });
    world.run();
    // One device, one request at a time: the fault's read ends second, finds the pages there and frees its copies.
    EXPECT_EQ(world.kernel.reclaim.statistics.files_read, 32U);
    EXPECT_EQ(world.mm.page_table.count(PageIndex(0), PageIndex(1010), PageState::resident), PageCount(12));
    check_pages(world, PageCount(0), PageCount(12), PageCount(20));
  });
}

TEST(WillneedOfAnonymousMemory, HasNoFileToReadFrom) {
  check_in_child([] {
    SmallMachine world(machine());
    tests::make_map(world, "10-20");
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(10), PageCount(10), Advice::willneed), -EBADF);
    });
    world.run();
  });
}

// ---------------------------------------------------------------------------------------------------------------
// MADV_POPULATE_READ and MADV_POPULATE_WRITE

struct Populate {
  std::string name;
  std::string map;
  Advice advice;
  std::int64_t resident;  // pages from 10 on
  std::int64_t start;
  std::int64_t pages;
  int result;
  std::int64_t populated;
};
void PrintTo(const Populate& populate, std::ostream* out) { *out << populate.name; }

class MadvisePopulate : public testing::TestWithParam<std::tuple<Populate, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , MadvisePopulate,
    testing::Combine(
        testing::Values(Populate{"TheAbsentPages", "10-30", Advice::populate_read, 4, 12, 5, 0, 3},
                        Populate{"ForWriting", "10-30", Advice::populate_write, 4, 12, 5, 0, 3},
                        Populate{"PresentPages", "10-30", Advice::populate_write, 20, 12, 5, 0, 0},
                        Populate{"MlockedPages", "10-30L", Advice::populate_write, 0, 12, 5, 0, 0},
                        Populate{"AcrossVmas", "10-30 30-60R", Advice::populate_read, 4, 12, 40, 0, 38},
                        Populate{"ASpecialVma", "10-20D 20-30H", Advice::populate_write, 0, 12, 10, 0, 10},
                        Populate{"UpToWhatCannotBeWritten", "10-20 20-30R", Advice::populate_write, 0, 15, 10, -EINVAL,
                                 5},
                        Populate{"UpToAnIoMapping", "10-20 20-30I", Advice::populate_read, 0, 15, 10, -EINVAL, 5},
                        Populate{"UpToAHole", "10-20 30-40", Advice::populate_read, 0, 15, 20, -ENOMEM, 5},
                        Populate{"NothingBelowAVma", "10-20", Advice::populate_read, 0, 5, 10, -ENOMEM, 0},
                        Populate{"NothingBeyondTheLastVma", "10-20", Advice::populate_read, 0, 20, 10, -ENOMEM, 0}),
        testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(MadvisePopulate, MakesPagesPresentUnderOneReadHold) {
  check_in_child([&] {
    const auto& [populate, stepwise] = GetParam();
    SmallMachine world(machine(stepwise));
    tests::make_map(world, populate.map);
    if (populate.resident > 0) tests::make_resident(world, 10, 10 + populate.resident);
    const Nanoseconds hold = kMadvise + populate.populated * kPopulate + kOperation;
    world.add([&, &call = populate](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(call.start), PageCount(call.pages), call.advice), call.result);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kOperation + hold);
    });
    world.run();
    check_pages(world, world.mm.locked_vm, PageCount(populate.resident + populate.populated));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::read}).count(), 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::read}).max(), hold);
  });
}

TEST(MadvisePopulateOfALockedVma, BringsItsPagesMlocked) {
  check_in_child([] {
    SmallMachine world(machine());
    world.mm.insert_vma(PageIndex(10), PageIndex(60), {.locked = true});
    world.mm.locked_vm = PageCount(50);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(10), PageCount(30), Advice::populate_write), 0);
    });
    world.run();
    check_pages(world, PageCount(30), PageCount(0));
  });
}

TEST(MadvisePopulateOfAFile, IsForReadingOnly) {
  check_in_child([] {
    SmallMachine world(machine());
    map_file(world);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(10), PageCount(10), Advice::populate_write), -EINVAL);
    });
    world.run();
  });
}

class MadvisePopulateIo : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, MadvisePopulateIo, testing::Bool(),
                         [](const auto& each) { return each.param ? "Retries" : "HoldsOn"; });

// 32 pages are read at a time and 16 mapped, from 16 and 32 on.
TEST_P(MadvisePopulateIo, WaitsForTheDeviceWithOrWithoutTheSemaphore) {
  check_in_child([] {
    const bool retries = GetParam();
    SmallMachineSpec spec = machine();
    spec.policy.retry_on_io = retries;
    SmallMachine world(spec);
    map_file(world);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(16), PageCount(64), Advice::populate_read), 0);
      const int holds = retries ? 3 : 1;
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kMadvise + 2 * kRead + 4 * kFault + 2 * holds * kOperation);
    });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, retries ? 3U : 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::read}).max(),
              retries ? 2 * kFault + kOperation : kMadvise + 2 * kRead + 4 * kFault + kOperation);
    check_pages(world, PageCount(0), PageCount(64));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// MADV_FREE, MADV_COLD, MADV_PAGEOUT

constexpr Nanoseconds kScan = 150ns;

SmallMachineSpec reclaiming_machine(bool stepwise = false) {
  SmallMachineSpec spec = machine(stepwise);
  spec.costs.scan_page = sim::Constant{kScan};
  spec.memory.swap = SwapSpec{.size = Bytes(1000 * kPageSize), .zram = ZramSpec{.compress = 300ns}};
  return spec;
}

class MadviseOnLists : public testing::TestWithParam<std::tuple<Advice, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , MadviseOnLists, testing::Combine(testing::Values(Advice::free, Advice::cold, Advice::pageout), testing::Bool()),
    [](const auto& each) {
      const Advice advice = std::get<0>(each.param);
      const std::string name = advice == Advice::free ? "Free" : advice == Advice::cold ? "Cold" : "Pageout";
      return name + (std::get<1>(each.param) ? "Stepwise" : "Default");
    });

TEST_P(MadviseOnLists, HoldsForReadAndRefusesWhatIsLocked) {
  check_in_child([&] {
    const auto& [advice, stepwise] = GetParam();
    SmallMachine world(reclaiming_machine(stepwise));
    tests::make_map(world, "0-1000 1000-1010L");
    tests::make_resident(world, 100, 700);
    world.add([&, given = advice](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(1000), given), 0);
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(1000), PageCount(10), given), -EINVAL);
    });
    world.run();
    const bool paged_out = advice == Advice::pageout;
    check_pages(world, PageCount(10), PageCount(paged_out ? 0 : 600));
    EXPECT_EQ(world.kernel.swap.used(), PageCount(paged_out ? 600 : 0));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::read}).max(),
              kMadvise + 600 * (kScan + (paged_out ? 300ns : 0ns)) + kOperation);
  });
}

TEST(MadviseFree, LetsReclaimTakePagesWithoutSwapAndMakesThemAnonymousAgainWhenTheyAreTouched) {
  check_in_child([] {
    SmallMachineSpec spec = reclaiming_machine();
    spec.memory.swap.reset();
    SmallMachine world(spec);
    tests::make_map(world, "0-100");
    tests::make_resident(world, 0, 100);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(100), Advice::free), 0);
      EXPECT_EQ(world.kernel.zone.counts().inactive_file, PageCount(100));
      do_page_fault(task, world.mm, PageIndex(7), Backing::region);
      EXPECT_EQ(world.kernel.zone.counts().inactive_file, PageCount(99));
      EXPECT_GT(try_to_free_pages(task), PageCount(0));
    });
    world.run();
    const PageTable& table = world.mm.page_table;
    EXPECT_LT(table.count(PageIndex(0), PageIndex(100), PageState::resident), PageCount(100));
    EXPECT_EQ(table.run_at(PageIndex(7), PageIndex(8)).state, PageState::resident);
    EXPECT_EQ(world.kernel.zone.counts().total(), pages_of(world.spec.memory.size));
  });
}

// Reclaim takes what has not been written to again; the rest is anonymous memory, which it has no place for.
TEST(MadviseFree, LeavesToItsOwnerWhatIsWrittenToAgain) {
  check_in_child([] {
    SmallMachineSpec spec = reclaiming_machine();
    spec.memory.swap.reset();
    SmallMachine world(spec);
    world.mm.anon_owner = world.kernel.zone.add_owner({.mm = &world.mm, .touched_every = 1ns});
    tests::make_map(world, "0-100");
    tests::make_resident(world, 0, 100);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(100), Advice::free), 0);
      task.sleep_until(tests::at(1'000'000));
      EXPECT_EQ(try_to_free_pages(task), PageCount(0));
      EXPECT_EQ(world.kernel.zone.counts().active_anon, PageCount(100));
      EXPECT_EQ(world.kernel.zone.counts().inactive_file, PageCount(0));
    });
    world.run();
    EXPECT_EQ(world.mm.page_table.count(PageIndex(0), PageIndex(100), PageState::resident), PageCount(100));
  });
}

TEST(MadviseFree, DropsSwapEntriesAndRefusesFiles) {
  check_in_child([] {
    SmallMachine world(reclaiming_machine());
    tests::make_map(world, "0-100 200-300");
    world.kernel.swap.get(PageCount(40));
    world.mm.page_table.set(PageIndex(10), PageIndex(50), PageState::swapped);
    world.mm.set_owner(PageIndex(200), PageIndex(300), world.kernel.zone.add_owner({.mm = &world.mm, .file = true}));
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(100), Advice::free), 0);
      EXPECT_EQ(world.kernel.swap.used(), PageCount(0));
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(200), PageCount(100), Advice::free), -EINVAL);
    });
    world.run();
  });
}

TEST(MadvisePageout, OfAFileDropsItsPagesFromTheCache) {
  check_in_child([] {
    SmallMachine world(reclaiming_machine());
    tests::make_map(world, "0-100");
    world.mm.set_owner(PageIndex(0), PageIndex(100), world.kernel.zone.add_owner({.mm = &world.mm, .file = true}));
    tests::make_resident(world, 0, 100);
    world.add(
        [&](Task& task) { EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(100), Advice::pageout), 0); });
    world.run();
    check_pages(world, PageCount(0), PageCount(0));
  });
}

// What was young is not, and is what reclaim comes to first.
TEST(MadviseCold, PutsPagesWhereReclaimTakesThemFirst) {
  check_in_child([] {
    SmallMachine world(reclaiming_machine());
    tests::make_map(world, "0-100");
    tests::make_resident(world, 0, 100);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(20), PageCount(10), Advice::cold), 0);
      const LruRun oldest = world.kernel.zone.isolate(LruList::inactive_anon, PageCount(100), task.now());
      EXPECT_TRUE(oldest.start == PageIndex(0) || !oldest.young);
      world.kernel.zone.add_to_lru(LruList::inactive_anon, oldest, task.now());
    });
    world.run();
    check_pages(world, PageCount(0), PageCount(100));
  });
}

}  // namespace
}  // namespace models::madvise_test
