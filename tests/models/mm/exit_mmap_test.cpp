// The end of an address space: what it takes, what it leaves, and who does it.
#include "models/mm/exit_mmap.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::exit_mmap_test {
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
constexpr Nanoseconds kSystemCall = 100ns;
constexpr Nanoseconds kMunlock = 3'000ns;
constexpr Nanoseconds kZap = 50'000ns;
constexpr Nanoseconds kBefore = kSystemCall + 2 * kOperation;  // exit_mm

SmallMachineSpec machine(bool munlock_in_zap = false, bool stepwise = false) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.policy.munlock_in_zap = munlock_in_zap;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.system_call = kSystemCall;
  spec.costs.munlock_page = sim::Constant{kMunlock};
  spec.costs.zap_page = sim::Constant{kZap};
  return spec;
}

class Exit : public testing::TestWithParam<std::tuple<bool, bool>> {};
INSTANTIATE_TEST_SUITE_P(, Exit, testing::Combine(testing::Bool(), testing::Bool()), [](const auto& each) {
  return std::string(std::get<0>(each.param) ? "MunlockInZap" : "MunlockBefore") +
         (std::get<1>(each.param) ? "Stepwise" : "Default");
});

TEST_P(Exit, MunlocksThenUnmapsEverythingWithoutALock) {
  check_in_child([&] {
    const auto& [in_zap, stepwise] = GetParam();
    SmallMachine world(machine(in_zap, stepwise));
    tests::make_map(world, "10-20L 30-40 50-60D");
    tests::make_resident(world, 30, 34);
    world.add([&](Task& task) {
      sys_exit(task, world.mm);
      EXPECT_EQ(task.phase(), Phase::exit);
      EXPECT_EQ(task.settle(), at(0) + kBefore + 10 * kMunlock + 14 * kZap);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), "");
    check_pages(world, PageCount(0), PageCount(0));
    EXPECT_EQ(world.mm.users, 0);
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 1U);  // exit_mm
    EXPECT_EQ(statistics.hold.at({0, Phase::exit, LockMode::read}).max(), kOperation);
  });
}

// Half of what munmap of one more VMA costs: there is nothing to detach.
TEST(ExitMm, FreesEachVma) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.costs.munmap_vma = 1'000'001ns;
    SmallMachine world(spec);
    tests::make_map(world, "10-20 30-40 50-60");
    world.add([&](Task& task) {
      sys_exit(task, world.mm);
      EXPECT_EQ(task.settle(), at(0) + kBefore + 3 * 500'001ns);
    });
    world.run();
    EXPECT_EQ(world.kernel.vma_slab.free_objects, 3);
  });
}

TEST(ExitMm, WaitsForAWriterOfItsMap) {
  check_in_child([] {
    SmallMachine world(machine());
    world.add([&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      task.work(5'000ns);
      world.mm.mmap_sem.up_write(task);
    });
    world.add([&](Task& task) {
      sys_exit(task, world.mm);
      EXPECT_EQ(task.settle(), at(5'002 + 1));
    });
    world.run();
  });
}

TEST(Mmput, TheLastUserUnmaps) {
  check_in_child([] {
    SmallMachine world(machine());
    tests::make_map(world, "10-20L");
    world.add([&](Task& task) {
      task.enter(Phase::proc_read);
      ASSERT_TRUE(get_task_mm(world.mm));
      task.work(1'000ns);
      task.settle();
      mmput(task, world.mm);
      EXPECT_EQ(task.settle(), at(1'000) + 10 * (kMunlock + kZap));
      EXPECT_EQ(task.phase(), Phase::proc_read);
    });
    world.add([&](Task& task) {
      sys_exit(task, world.mm);
      EXPECT_EQ(task.settle(), at(0) + kBefore);
      EXPECT_EQ(map_of(world.mm), "10-20L");
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), "");
    check_pages(world, PageCount(0), PageCount(0));
  });
}

TEST(Mmput, NobodyGetsAnAddressSpaceWhoseProcessHasExited) {
  check_in_child([] {
    SmallMachine world(machine());
    tests::make_map(world, "10-20L");
    world.add([&](Task& task) { sys_exit(task, world.mm); });
    world.add_at(200, [&](Task&) { EXPECT_FALSE(get_task_mm(world.mm)); });
    world.run();
    EXPECT_EQ(world.mm.users, 0);
  });
}

TEST(Mmput, AUserThatIsNotTheLastUnmapsNothing) {
  check_in_child([] {
    SmallMachine world(machine());
    tests::make_map(world, "10-20");
    world.add([&](Task& task) {
      ASSERT_TRUE(get_task_mm(world.mm));
      EXPECT_EQ(world.mm.users, 2);
      mmput(task, world.mm);
      EXPECT_EQ(world.mm.users, 1);
      EXPECT_EQ(task.settle(), at(0));
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), "10-20");
  });
}

}  // namespace
}  // namespace models::exit_mmap_test
