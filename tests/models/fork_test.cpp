#include "models/fork.h"

#include <gtest/gtest.h>

#include "models/mm/fault.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kSystemCall = 100ns;
constexpr Nanoseconds kVma = 5'000ns;
constexpr Nanoseconds kPage = 10'000ns;
constexpr Nanoseconds kFault = 7'000'000'000ns;

SmallMachineSpec machine(bool stepwise = false) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.system_call = kSystemCall;
  spec.costs.fork_vma = kVma;
  spec.costs.fork_page = kPage;
  spec.costs.fault = sim::Constant{kFault};
  return spec;
}

class Fork : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, Fork, testing::Bool(), [](const auto& each) { return each.param ? "Stepwise" : "Default"; });

TEST_P(Fork, HoldsForWriteAsLongAsVmasAndPresentPagesTake) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "10-20L 20-30 2000-6000");
    tests::make_resident(world, 22, 25);
    tests::make_resident(world, 2500, 4500);
    const Nanoseconds hold = 3 * kVma + (10 + 3 + 2000) * kPage + kOperation;
    world.add([&](Task& task) {
      EXPECT_EQ(sys_fork(task, world.mm), 0);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kOperation + hold);
    });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.read.acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::fork, LockMode::write}).count(), 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::fork, LockMode::write}).max(), hold);
    EXPECT_EQ(tests::map_of(world.mm), "10-20L 20-30 2000-6000");
    tests::check_pages(world, PageCount(10), PageCount(2003));
  });
}

TEST_P(Fork, PassesOverWhatIsNotToBeCopied) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "10-20 20-30N");
    tests::make_resident(world, 10, 30);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_fork(task, world.mm), 0);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kVma + 10 * kPage + 2 * kOperation);
    });
    world.run();
  });
}

TEST_P(Fork, OfAnEmptyMapCopiesNothing) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    world.add([&](Task& task) {
      EXPECT_EQ(sys_fork(task, world.mm), 0);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + 2 * kOperation);
    });
    world.run();
  });
}

TEST(ForkWithPerVmaLocks, WaitsForTheFaultsOfEachVma) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.policy.fault = FaultLock::per_vma;
    SmallMachine world(spec);
    tests::make_map(world, "10-20");
    world.mm.anon_vma_prepare(*world.mm.find_vma(PageIndex(10)));
    world.add([&](Task& task) { do_page_fault(task, world.mm, PageIndex(10), Backing::region); });
    world.add([&](Task& task) {
      EXPECT_EQ(sys_fork(task, world.mm), 0);
      EXPECT_EQ(task.settle(), at(0) + kFault + kVma + kPage + kOperation);
    });
    world.run();
  });
}

}  // namespace
}  // namespace models
