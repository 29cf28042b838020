// Every branch of a read of another process's memory: the read hold and its length, pages and return value.
#include "models/mm/access_remote_vm.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::access_remote_vm_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::check_pages;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kSystemCall = 100ns;
constexpr Nanoseconds kAccess = 5'000ns;
constexpr Nanoseconds kPopulate = 700'000ns;

SmallMachineSpec machine(bool stepwise = false) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.system_call = kSystemCall;
  spec.costs.access_page = sim::Constant{kAccess};
  spec.costs.populate_page = sim::Constant{kPopulate};
  return spec;
}

struct Branch {
  std::string name;
  std::string map;
  std::int64_t resident;  // pages from 10 on
  std::int64_t start;
  std::int64_t pages;
  std::int64_t got;
  std::int64_t populated;
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

class AccessProcessVm : public testing::TestWithParam<std::tuple<Branch, bool>> {};
INSTANTIATE_TEST_SUITE_P(, AccessProcessVm,
                         testing::Combine(testing::Values(Branch{"PresentPages", "10-30", 20, 12, 5, 5, 0},
                                                          Branch{"LockedPages", "10-30L", 0, 12, 5, 5, 0},
                                                          Branch{"AbsentPagesArePopulated", "10-30", 4, 12, 5, 5, 3},
                                                          Branch{"GoesOnInTheNextVma", "10-30 30-40R", 20, 28, 5, 5, 3},
                                                          Branch{"EndsAtAHole", "10-30 40-50", 20, 28, 15, 2, 0},
                                                          Branch{"InAHole", "10-30", 20, 5, 10, 0, 0},
                                                          Branch{"EndsAtAnIoMapping", "10-30 30-40I", 20, 28, 5, 2, 0},
                                                          Branch{"OfNothing", "10-30", 20, 12, 0, 0, 0}),
                                          testing::Bool()),
                         [](const auto& each) {
                           return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default");
                         });

TEST_P(AccessProcessVm, HoldsTheTargetsSemaphoreForReadOverTheWholeRequest) {
  check_in_child([&] {
    const auto& [branch, stepwise] = GetParam();
    SmallMachine world(machine(stepwise));
    tests::make_map(world, branch.map);
    if (branch.resident > 0) tests::make_resident(world, 10, 10 + branch.resident);
    const Nanoseconds hold = branch.got * kAccess + branch.populated * kPopulate + kOperation;
    world.add([&, &call = branch](Task& task) {
      EXPECT_EQ(access_process_vm(task, world.mm, PageIndex(call.start), PageCount(call.pages)), PageCount(call.got));
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kOperation + hold);
    });
    world.run();
    check_pages(world, world.mm.locked_vm, PageCount(branch.resident + branch.populated));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::remote_read, LockMode::read}).count(), 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::remote_read, LockMode::read}).max(), hold);
  });
}

TEST(AccessLockedVm, AnAbsentPageOfALockedVmaComesMlocked) {
  check_in_child([] {
    SmallMachine world(machine());
    world.mm.anon_vma_prepare(*world.mm.insert_vma(PageIndex(10), PageIndex(20), {.locked = true}));
    world.mm.locked_vm = PageCount(10);
    world.add(
        [&](Task& task) { EXPECT_EQ(access_process_vm(task, world.mm, PageIndex(10), PageCount(3)), PageCount(3)); });
    world.run();
    check_pages(world, PageCount(3), PageCount(0));
  });
}

}  // namespace
}  // namespace models::access_remote_vm_test
