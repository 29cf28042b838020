// Every branch of get_mempolicy: the read hold and its length, pages and return value.
#include "models/mm/mempolicy.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::mempolicy_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::check_pages;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kGetMempolicy = 50ns;
constexpr Nanoseconds kSystemCall = 700ns;
constexpr Nanoseconds kPopulate = 10'000ns;
constexpr Nanoseconds kFault = 300'000ns;
constexpr Nanoseconds kRead = 5'000'000ns;

SmallMachineSpec machine(bool stepwise = false) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.get_mempolicy = sim::Constant{kGetMempolicy};
  spec.costs.system_call = kSystemCall;
  spec.costs.populate_page = sim::Constant{kPopulate};
  spec.costs.fault = sim::Constant{kFault};
  spec.memory.device.read = sim::Constant{kRead};
  return spec;
}

constexpr auto kAddr = MempolicyFlags::addr;
constexpr auto kNode = MempolicyFlags::addr_and_node;

struct Branch {
  std::string name;
  std::string map;
  std::int64_t resident;  // pages from 10 on
  std::int64_t page;
  MempolicyFlags flags;
  int result;
  std::int64_t populated;
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

class GetMempolicy : public testing::TestWithParam<std::tuple<Branch, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , GetMempolicy,
    testing::Combine(testing::Values(Branch{"OfAnAbsentPage", "10-30", 5, 20, kAddr, 0, 0},
                                     Branch{"OfAHole", "10-30", 5, 30, kAddr, -EFAULT, 0},
                                     Branch{"OfAHoleBelow", "10-30", 5, 9, kAddr, -EFAULT, 0},
                                     Branch{"OfAnIoMapping", "10-30I", 0, 20, kAddr, 0, 0},
                                     Branch{"NodeOfAPresentPage", "10-30", 5, 12, kNode, 0, 0},
                                     Branch{"NodeOfAnAbsentPage", "10-30", 5, 20, kNode, 0, 1},
                                     Branch{"NodeOfALockedPage", "10-30L", 0, 20, kNode, 0, 0},
                                     Branch{"NodeOfAHole", "10-30", 5, 40, kNode, -EFAULT, 0},
                                     Branch{"NodeOfAnIoMapping", "10-30I", 0, 20, kNode, -EFAULT, 0}),
                     testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(GetMempolicy, LooksUnderOneReadHold) {
  check_in_child([&] {
    const auto& [branch, stepwise] = GetParam();
    SmallMachine world(machine(stepwise));
    tests::make_map(world, branch.map);
    if (branch.resident > 0) tests::make_resident(world, 10, 10 + branch.resident);
    const Nanoseconds hold = kGetMempolicy + branch.populated * kPopulate + kOperation;
    world.add([&, &call = branch](Task& task) {
      EXPECT_EQ(sys_get_mempolicy(task, world.mm, PageIndex(call.page), call.flags), call.result);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kOperation + hold);
    });
    world.run();
    check_pages(world, world.mm.locked_vm, PageCount(branch.resident + branch.populated));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::mempolicy, LockMode::read}).count(), 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::mempolicy, LockMode::read}).max(), hold);
  });
}

// Since 4.20 a page that is there is found without mmap_sem; for another one it is taken again.
TEST(LookupNode, WithoutTheLockHoldsItForTheVmaAloneUnlessThePageIsAbsent) {
  for (const bool present : {true, false}) {
    check_in_child([present] {
      SmallMachineSpec spec = machine();
      spec.policy.mempolicy_holds_lock = false;
      spec.costs.gup_present = 30ns;
      SmallMachine world(spec);
      tests::make_map(world, "10-30");
      if (present) tests::make_resident(world, 10, 30);
      world.add([&](Task& task) { EXPECT_EQ(sys_get_mempolicy(task, world.mm, PageIndex(12), kNode), 0); });
      world.run();
      const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
      EXPECT_EQ(statistics.all(LockMode::read).acquisitions, present ? 1U : 2U);
      EXPECT_EQ(statistics.hold.at({0, Phase::mempolicy, LockMode::read}).max(),
                (present ? kGetMempolicy : kPopulate) + kOperation);
    });
  }
}

TEST(LookupNode, InALockedVmaMakesThePageMlocked) {
  check_in_child([] {
    SmallMachine world(machine());
    world.mm.insert_vma(PageIndex(10), PageIndex(20), {.locked = true});
    world.mm.locked_vm = PageCount(10);
    world.add([&](Task& task) { EXPECT_EQ(sys_get_mempolicy(task, world.mm, PageIndex(12), kNode), 0); });
    world.run();
    check_pages(world, PageCount(1), PageCount(0));
  });
}

class LookupNodeOfAFile : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, LookupNodeOfAFile, testing::Bool(),
                         [](const auto& each) { return each.param ? "Retries" : "HoldsOn"; });

TEST_P(LookupNodeOfAFile, WaitsForTheDeviceWithOrWithoutTheSemaphore) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.policy.retry_on_io = GetParam();
    SmallMachine world(spec);
    world.mm.set_owner(PageIndex(10), PageIndex(20), world.kernel.zone.add_owner({.mm = &world.mm, .file = true}));
    world.mm.insert_vma(PageIndex(10), PageIndex(20), {});
    world.add([&](Task& task) { EXPECT_EQ(sys_get_mempolicy(task, world.mm, PageIndex(10), kNode), 0); });
    world.run();
    const auto& holds = world.mm.mmap_sem.statistics().hold.at({0, Phase::mempolicy, LockMode::read});
    EXPECT_EQ(holds.count(), GetParam() ? 2U : 1U);
    const Nanoseconds longest = kFault + kOperation + (GetParam() ? 0ns : kGetMempolicy + kRead);
    EXPECT_EQ(holds.max(), longest);
    EXPECT_EQ(world.now(), at(0) + kSystemCall + kGetMempolicy + kRead + kFault + (GetParam() ? 4 : 2) * kOperation);
  });
}

}  // namespace
}  // namespace models::mempolicy_test
