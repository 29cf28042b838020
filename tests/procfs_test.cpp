#include "models/procfs.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "tests/in_child.h"
#include "tests/small_machine.h"
#include "tests/vma_map.h"

namespace models {
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
    EXPECT_EQ(statistics.read.acquisitions, 1U);
    EXPECT_EQ(statistics.write.acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::proc_read, LockMode::read}).max(), 203ns);
  });
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
  std::vector<int> chunks;  // VMAs in each hold
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
        EXPECT_EQ(task.settle(), at(0) + 700ns + holds * (3ns + kFindVma + 3ns) + vmas * each);
        EXPECT_EQ(task.phase(), Phase::user);
      });
      world.run();
      const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
      EXPECT_EQ(statistics.write.acquisitions, 0U);
      const sim::Histogram& hold = statistics.hold.at({0, Phase::proc_read, LockMode::read});
      EXPECT_EQ(hold.count(), chunks.size());
      EXPECT_EQ(hold.max(), kFindVma + chunks.front() * each + 3ns);
      EXPECT_EQ(hold.min(), kFindVma + chunks.back() * each + 3ns);
    });
  }
};

class ProcMaps : public ProcFile {};
INSTANTIATE_TEST_SUITE_P(, ProcMaps,
                         testing::Combine(testing::Values(WholeFile{0, {0}}, WholeFile{1, {1}}, WholeFile{60, {60}},
                                                          WholeFile{61, {60, 1}}, WholeFile{150, {60, 60, 30}}),
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
    add_vmas(world, 120);
    const sim::Nanoseconds first = 703ns + kFindVma + 60 * kLine + 3ns;
    world.add([&](Task& task) {
      proc_pid_maps(task, world.mm);
      // Ten of the second buffer's VMAs are gone. Its down_read falls into the writer's hold.
      EXPECT_EQ(task.settle(), at(0) + first + 5000ns + 3ns + kFindVma + 50 * kLine + 3ns);
    });
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.now(), at(0) + first);
      for (int vma = 60; vma < 70; ++vma) world.mm.detach_vma(world.mm.find_vma(PageIndex(1024 + 20 * vma)));
      task.work(5000ns);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
  });
}

}  // namespace
}  // namespace models
