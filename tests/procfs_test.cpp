#include "models/procfs.h"

#include <gtest/gtest.h>

#include "tests/in_child.h"
#include "tests/small_machine.h"

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

}  // namespace
}  // namespace models
