#include "models/proc/procfs.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "models/mm/mmap_lock.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::procfs_test {
namespace {

using namespace std::chrono_literals;
using tests::at;
using tests::SmallMachine;
using tests::SmallMachineSpec;

SmallMachineSpec machine() {
  SmallMachineSpec spec;
  spec.costs.rwsem_operation = 3ns;
  spec.costs.proc_open = sim::Constant{700ns};
  spec.costs.proc_cmdline = sim::Constant{200ns};
  return spec;
}

TEST(ProcCmdline, HoldsTheTargetsSemaphoreForTheReadOnly) {
  tests::check_in_child([] {
    SmallMachine world(machine());
    world.add([&](Task& task) {
      proc_pid_cmdline(task, world.mm);
      EXPECT_EQ(task.now(), at(700 + 3 + 200 + 3));
      EXPECT_EQ(task.phase(), Phase::user);
    });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 1U);
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::proc_read, LockMode::read}).max(), 203ns);
  });
}

// The first looks are short: where the arguments are, and whether they end as they should.
TEST(ProcCmdline, TakesTheSemaphoreAsOftenAsItsKernelDoes) {
  for (const int holds : {1, 2, 3}) {
    tests::check_in_child([holds] {
      SmallMachineSpec spec = machine();
      spec.policy.cmdline_holds = holds;
      spec.costs.find_vma = 20ns;
      SmallMachine world(spec);
      world.add([&](Task& task) {
        proc_pid_cmdline(task, world.mm);
        EXPECT_EQ(task.now(), at(700 + 3 + 200 + 3 + (holds - 1) * (3 + 20 + 3)));
      });
      world.run();
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, static_cast<std::uint64_t>(holds));
    });
  }
}

TEST(ProcCmdline, WaitsForAWriterOfTheTarget) {
  tests::check_in_child([] {
    SmallMachine world(machine());
    world.add([&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      task.work(5000ns);
      world.mm.mmap_sem.up_write(task);
    });
    world.add([&](Task& task) {
      proc_pid_cmdline(task, world.mm);
      EXPECT_EQ(world.spent(task, Cause::lock_wait), 5006ns - 703ns);
      EXPECT_EQ(task.now(), at(5006 + 200 + 3));
    });
    world.run();
  });
}

TEST(ProcCmdline, DoesNotWaitForAReaderOfTheTarget) {
  tests::check_in_child([] {
    SmallMachine world(machine());
    world.add([&](Task& task) {
      world.mm.mmap_sem.down_read(task);
      task.work(5000ns);
      world.mm.mmap_sem.up_read(task);
    });
    world.add([&](Task& task) {
      proc_pid_cmdline(task, world.mm);
      EXPECT_EQ(world.spent(task, Cause::lock_wait), 0ns);
    });
    world.run();
  });
}

// --- maps and smaps -----------------------------------------------------------------------------------------

constexpr sim::Nanoseconds kFindVma = 10ns;
constexpr sim::Nanoseconds kLine = 1'000ns;
constexpr sim::Nanoseconds kRecord = 50'000ns;
constexpr sim::Nanoseconds kEntry = 1'000'000ns;

SmallMachineSpec seq_file_machine(bool stepwise) {
  SmallMachineSpec spec = machine();
  spec.stepwise = stepwise;
  spec.costs.find_vma = kFindVma;
  spec.costs.proc_maps_vma = kLine;
  spec.costs.proc_smaps_vma = kRecord;
  spec.costs.proc_smaps_page = kEntry;
  return spec;
}

// `vmas` VMAs of ten pages each, none of which is present.
void add_vmas(SmallMachine& world, int vmas) {
  for (int vma = 0; vma < vmas; ++vma) tests::add_vma(world, 1024 + 20 * vma, 1024 + 20 * vma + 10, {});
}

struct WholeFile {
  int vmas;
  std::vector<int> chunks;  // VMAs that each hold shows; all but the last one make the record of one more in vain
};

class ProcFile : public testing::TestWithParam<std::tuple<WholeFile, bool>> {
 protected:
  using Read = void (*)(Task&, Mm&);
  static void check(const std::vector<int>& chunks, int vmas, bool stepwise, Read read, sim::Nanoseconds each) {
    tests::check_in_child([&] {
      SmallMachine world(seq_file_machine(stepwise));
      add_vmas(world, vmas);
      world.add([&](Task& task) {
        read(task, world.mm);
        const auto holds = static_cast<std::int64_t>(chunks.size());
        EXPECT_EQ(task.settle(), at(0) + 700ns + holds * (3ns + kFindVma + 3ns) + (vmas + holds - 1) * each);
        EXPECT_EQ(task.phase(), Phase::user);
      });
      world.run();
      const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
      EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
      const sim::Histogram& hold = statistics.hold.at({0, Phase::proc_read, LockMode::read});
      EXPECT_EQ(hold.count(), chunks.size());
      const int in_vain = chunks.size() > 1 ? 1 : 0;
      EXPECT_EQ(hold.max(), kFindVma + (chunks.front() + in_vain) * each + 3ns);
      EXPECT_EQ(hold.min(), kFindVma + chunks.back() * each + 3ns);
    });
  }
};

class ProcMaps : public ProcFile {};
INSTANTIATE_TEST_SUITE_P(, ProcMaps,
                         testing::Combine(testing::Values(WholeFile{0, {0}}, WholeFile{1, {1}}, WholeFile{83, {83}},
                                                          WholeFile{84, {83, 1}}, WholeFile{180, {83, 83, 14}}),
                                          testing::Bool()),
                         [](const auto& each) {
                           return "Of" + std::to_string(std::get<0>(each.param).vmas) + "Vmas" +
                                  (std::get<1>(each.param) ? "Stepwise" : "Default");
                         });
TEST_P(ProcMaps, HoldsTheTargetsSemaphoreOnceForEachBuffer) {
  const auto& [file, stepwise] = GetParam();
  check(file.chunks, file.vmas, stepwise, proc_pid_maps, kLine);
}

class ProcSmaps : public ProcFile {};
INSTANTIATE_TEST_SUITE_P(, ProcSmaps,
                         testing::Combine(testing::Values(WholeFile{0, {0}}, WholeFile{5, {5}}, WholeFile{6, {5, 1}},
                                                          WholeFile{12, {5, 5, 2}}),
                                          testing::Bool()),
                         [](const auto& each) {
                           return "Of" + std::to_string(std::get<0>(each.param).vmas) + "Vmas" +
                                  (std::get<1>(each.param) ? "Stepwise" : "Default");
                         });
TEST_P(ProcSmaps, HoldsTheTargetsSemaphoreOnceForEachBuffer) {
  const auto& [file, stepwise] = GetParam();
  check(file.chunks, file.vmas, stepwise, proc_pid_smaps, kRecord);
}

class ProcSmapsPages : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, ProcSmapsPages, testing::Bool(),
                         [](const auto& each) { return each.param ? "Stepwise" : "Default"; });

TEST_P(ProcSmapsPages, WalksTheEntriesOfTheTablesThatHaveAPresentPage) {
  tests::check_in_child([] {
    SmallMachine world(seq_file_machine(GetParam()));
    tests::make_map(world, "100-5000");
    tests::make_resident(world, 300, 301);    // table 0, in which the VMA begins at 100: 412 entries
    tests::make_resident(world, 2000, 2100);  // tables 3 and 4
    tests::make_resident(world, 4900, 4901);  // table 9, in which the VMA ends at 5000: 392 entries
    world.add([&](Task& task) { proc_pid_smaps(task, world.mm); });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().hold.at({0, Phase::proc_read, LockMode::read}).max(),
              kFindVma + kRecord + (412 + 2 * 512 + 392) * kEntry + 3ns);
    tests::check_pages(world, PageCount(0), PageCount(102));
  });
}

TEST(ProcMapsChunks, AWriterGetsInBetweenTwoBuffersAndTheReaderGoesOnByAddress) {
  tests::check_in_child([] {
    SmallMachine world(seq_file_machine(false));
    add_vmas(world, 143);
    const sim::Nanoseconds first = 703ns + kFindVma + 84 * kLine + 3ns;  // one of them in vain
    world.add([&](Task& task) {
      proc_pid_maps(task, world.mm);
      // Ten of the second buffer's VMAs are gone. Its down_read falls into the writer's hold.
      EXPECT_EQ(task.settle(), at(0) + first + 5000ns + 3ns + kFindVma + 50 * kLine + 3ns);
    });
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.now(), at(0) + first);
      for (int vma = 83; vma < 93; ++vma) world.mm.detach_vma(world.mm.find_vma(PageIndex(1024 + 20 * vma)));
      task.work(5000ns);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
  });
}

TEST(ProcMapsChunks, ALineOfAFileIsLongerSoThatFewerFit) {
  tests::check_in_child([] {
    SmallMachine world(seq_file_machine(false));
    add_vmas(world, 37);
    world.mm.set_owner(PageIndex(0), PageIndex(100'000), world.kernel.zone.add_owner({.file = true}));
    world.add([&](Task& task) { proc_pid_maps(task, world.mm); });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 2U) << "36 lines of 113 bytes are 4,068";
  });
}

TEST(ProcNumaMaps, FitsMoreVmasIntoAHoldThanSmapsAndWalksThemAll) {
  tests::check_in_child([] {
    SmallMachineSpec spec = seq_file_machine(false);
    spec.costs.proc_numa_maps_vma = kRecord;
    SmallMachine world(spec);
    add_vmas(world, 59);
    tests::make_resident(world, 1024, 1025);  // the first VMA has ten entries
    world.add([&](Task& task) { proc_pid_numa_maps(task, world.mm); });
    world.run();
    const sim::Histogram& hold = world.mm.mmap_sem.statistics().hold.at({0, Phase::proc_read, LockMode::read});
    EXPECT_EQ(hold.count(), 2U);
    EXPECT_EQ(hold.max(), kFindVma + 59 * kRecord + 10 * kEntry + 3ns);
  });
}

// --- smaps_rollup -------------------------------------------------------------------------------------------

constexpr sim::Nanoseconds kAddUp = 40'000ns;

SmallMachineSpec rollup_machine(bool gives_way) {
  SmallMachineSpec spec = seq_file_machine(false);
  spec.costs.proc_rollup_vma = kAddUp;
  spec.policy.proc.rollup_gives_way = gives_way;
  return spec;
}

// A writer comes in the middle of the third of ten VMAs.
sim::Time writer_gets_in(bool gives_way) {
  sim::Time got_in;
  SmallMachine world(rollup_machine(gives_way));
  add_vmas(world, 10);
  world.add([&](Task& task) { proc_pid_smaps_rollup(task, world.mm); });
  world.add_at(700 + 2 * kAddUp.count() + 500, [&](Task& task) {
    world.mm.mmap_sem.down_write(task);
    got_in = task.now();
    world.mm.mmap_sem.up_write(task);
  });
  world.run();
  EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, gives_way ? 2U : 1U);
  return got_in;
}

// 64 bytes a page: 128 of them are 8 KiB.
TEST(ProcSmapsRollup, LooksLongerAtStructPagesThatDoNotFitIntoTheCache) {
  struct Row {
    Bytes llc;
    std::int64_t pages;
    bool misses;
  };
  for (const Row& row : {Row{Bytes(8192), 128, false}, Row{Bytes(8192), 129, true}, Row{Bytes(0), 129, false}}) {
    tests::check_in_child([&row] {
      SmallMachineSpec spec = machine();
      spec.llc = row.llc;
      spec.costs.proc_smaps_page = 10ns;
      spec.costs.struct_page_miss = 40ns;
      SmallMachine world(spec);
      tests::make_map(world, "0-" + std::to_string(row.pages));
      tests::make_resident(world, 0, row.pages);
      world.add([&](Task& task) {
        proc_pid_smaps_rollup(task, world.mm);
        EXPECT_EQ(task.settle(), at(700 + 3 + row.pages * (row.misses ? 50 : 10) + 3));
      });
      world.run();
    });
  }
}

TEST(ProcSmapsRollup, IsOneHoldWhereTheKernelDoesNotGiveWay) {
  tests::check_in_child([] { EXPECT_EQ(writer_gets_in(false), at(0) + 703ns + kFindVma + 10 * kAddUp + 3ns); });
}

TEST(ProcSmapsRollup, GivesWayToAWriterAfterTheVmaThatItIsAt) {
  tests::check_in_child([] { EXPECT_EQ(writer_gets_in(true), at(0) + 703ns + kFindVma + 3 * kAddUp + 3ns); });
}

// --- per-VMA locks and RCU ----------------------------------------------------------------------------------

SmallMachineSpec machine_with(ProcLock lock, bool stepwise = false) {
  SmallMachineSpec spec = seq_file_machine(stepwise);
  spec.costs.proc_numa_maps_vma = kLine;
  spec.costs.proc_rollup_vma = kLine;
  spec.policy.fault = FaultLock::per_vma;
  spec.policy.proc = {lock, lock, lock, lock, true};
  return spec;
}

class ProcPerVma : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, ProcPerVma, testing::Bool(),
                         [](const auto& each) { return each.param ? "Stepwise" : "Default"; });

TEST_P(ProcPerVma, NoFileTakesMmapSemWhileNobodyChangesTheMap) {
  for (const auto read : {proc_pid_maps, proc_pid_smaps, proc_pid_numa_maps, proc_pid_smaps_rollup}) {
    tests::check_in_child([read] {
      SmallMachine world(machine_with(ProcLock::per_vma, GetParam()));
      add_vmas(world, 200);
      world.add([&](Task& task) { read(task, world.mm); });
      world.run();
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 0U);
      for (VmaPointer vma = world.mm.find_vma(PageIndex(0)); vma != nullptr; vma = world.mm.next(*vma)) {
        EXPECT_TRUE(vma->lock.readers.empty());
      }
    });
  }
}

// The fifth line is being made from 700 + 10 + 4 lines on. A writer wants to change VMA number `which` then.
sim::Nanoseconds writer_waits_for(ProcLock lock, int which, bool stepwise) {
  sim::Nanoseconds waited{};
  SmallMachine world(machine_with(lock, stepwise));
  add_vmas(world, 50);
  world.add([&](Task& task) { proc_pid_maps(task, world.mm); });
  world.add_at(700 + 10 + 4 * kLine.count() + 400, [&](Task& task) {
    const sim::Time began = task.settle();
    mmap_write_lock(task, world.mm);
    vma_start_write(task, world.mm, *world.mm.find_vma(PageIndex(1024 + 20 * which)));
    waited = task.settle() - began;
    mmap_write_unlock(task, world.mm);
  });
  world.run();
  return waited;
}

TEST_P(ProcPerVma, AWriterWaitsForTheReaderOnlyWhereItReads) {
  tests::check_in_child(
      [] { EXPECT_EQ(writer_waits_for(ProcLock::per_vma, 4, GetParam()), 600ns) << "the rest of that line"; });
  tests::check_in_child([] { EXPECT_EQ(writer_waits_for(ProcLock::per_vma, 5, GetParam()), 3ns); });
}

TEST_P(ProcPerVma, ItsWaitIsChargedToTheReaderAndTheLockOfTheVma) {
  tests::check_in_child([] {
    SmallMachine world(machine_with(ProcLock::per_vma, GetParam()));
    add_vmas(world, 1);
    world.add([&](Task& task) { proc_pid_maps(task, world.mm); });
    world.add_at(800, [&](Task& task) {
      task.ledger().remember();
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.mm.find_vma(PageIndex(1024)));
      ASSERT_EQ(tests::lock_waits(task.ledger()).size(), 1U);
      const LockWait wait = tests::lock_waits(task.ledger()).front();
      EXPECT_EQ(wait.blame, (LockBlame{0, Phase::proc_read, LockMode::read, -1, Cause::cpu, -1, LockKind::vma}));
      EXPECT_EQ(wait.to, at(0) + 710ns + kLine);
      mmap_write_unlock(task, world.mm);
    });
    world.run();
  });
}

TEST_P(ProcPerVma, AReaderWaitsForAVmaThatIsBeingChangedByWayOfMmapSem) {
  tests::check_in_child([] {
    SmallMachine world(machine_with(ProcLock::per_vma, GetParam()));
    add_vmas(world, 3);
    world.add([&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.mm.find_vma(PageIndex(1044)));
      task.work(20'000ns);
      mmap_write_unlock(task, world.mm);
    });
    world.add([&](Task& task) {
      proc_pid_maps(task, world.mm);
      EXPECT_EQ(world.spent(task, Cause::lock_wait), 20'006ns - (710ns + kLine + 3ns));
      EXPECT_EQ(task.settle(), at(0) + 20'006ns + 3ns + 2 * kLine);
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 1U);
  });
}

TEST(ProcMapsUnderRcu, DoesNotHoldUpAWriter) {
  tests::check_in_child([] { EXPECT_EQ(writer_waits_for(ProcLock::rcu, 4, false), 3ns); });
}

TEST(ProcMapsUnderRcu, TakesMmapSemForAMomentOnceForEachWriterThatItMeets) {
  tests::check_in_child([] {
    SmallMachine world(machine_with(ProcLock::rcu));
    add_vmas(world, 50);
    world.add([&](Task& task) { proc_pid_maps(task, world.mm); });
    for (const std::int64_t when : {2'000, 9'000}) {
      world.add_at(when, [&](Task& task) {
        mmap_write_lock(task, world.mm);
        task.work(3'000ns);
        mmap_write_unlock(task, world.mm);
      });
    }
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 2U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).contended(), 2U)
        << "each time while the writer is still at it";
  });
}

// ---------------------------------------------------------------------------------------------------------------
// clear_refs and pagemap

TEST(ProcClearRefs, WalksAllPagesInOneHoldOfTheModeOfItsKernel) {
  for (const bool writes : {false, true}) {
    for (const bool stepwise : {false, true}) {
      tests::check_in_child([&] {
        SmallMachineSpec spec = machine();
        spec.stepwise = stepwise;
        spec.costs.proc_smaps_page = 10ns;
        spec.policy.proc.clear_refs_writes = writes;
        SmallMachine world(spec);
        tests::make_map(world, "0-2000 3000-4000R 5000-5010L 6000-6100I");
        tests::make_resident(world, 100, 1500);
        world.add([&](Task& task) {
          proc_pid_clear_refs(task, world.mm);
          EXPECT_EQ(task.phase(), Phase::user);
        });
        world.run();
        const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
        const LockMode mode = writes ? LockMode::write : LockMode::read;
        EXPECT_EQ(statistics.hold.at({0, Phase::proc_read, mode}).count(), 1U);
        EXPECT_EQ(statistics.hold.at({0, Phase::proc_read, mode}).max(), 1410 * 10ns + 3ns);
        EXPECT_EQ(statistics.all(LockMode::read).acquisitions + statistics.all(LockMode::write).acquisitions, 1U);
      });
    }
  }
}

// With the locks of VMAs each is marked as the walk comes to it, and all are until its end.
TEST(ProcClearRefs, KeepsFaultsOutOfTheVmasThatItHasComeTo) {
  tests::check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.costs.proc_smaps_page = 10ns;
    spec.policy.proc.clear_refs_writes = true;
    spec.policy.fault = FaultLock::per_vma;
    SmallMachine world(spec);
    tests::make_map(world, "0-1000 2000-3000");
    tests::make_resident(world, 0, 1000);
    for (const PageIndex page : {PageIndex(0), PageIndex(2000)}) world.mm.anon_vma_prepare(*world.mm.find_vma(page));
    world.add([&](Task& task) { proc_pid_clear_refs(task, world.mm); });
    world.add_at(1000, [&](Task& task) {
      EXPECT_TRUE(vma_start_read(task, world.mm, *world.mm.find_vma(PageIndex(2000))));
      vma_end_read(task, *world.mm.find_vma(PageIndex(2000)));
      EXPECT_FALSE(vma_start_read(task, world.mm, *world.mm.find_vma(PageIndex(0))));
    });
    world.run();
  });
}

// 2 MiB of a VMA a hold: [500, 512), [512, 1024), [1024, 1100), then [2000, 2048), [2048, 2100), and one in vain.
TEST(ProcPagemap, HoldsForReadForAPageTableAtATime) {
  for (const bool stepwise : {false, true}) {
    tests::check_in_child([&] {
      SmallMachineSpec spec = machine();
      spec.stepwise = stepwise;
      spec.costs.proc_smaps_page = 10ns;
      spec.costs.system_call = 50ns;
      SmallMachine world(spec);
      tests::make_map(world, "500-1100 2000-2100");
      tests::make_resident(world, 500, 1100);
      world.add([&](Task& task) {
        proc_pid_pagemap(task, world.mm);
        EXPECT_EQ(task.settle(), at(700 + 3 * 50 + 6 * 6 + 600 * 10));
      });
      world.run();
      const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
      EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 6U);
      EXPECT_EQ(statistics.hold.at({0, Phase::proc_read, LockMode::read}).max(), 512 * 10ns + 3ns);
    });
  }
}

}  // namespace
}  // namespace models::procfs_test
