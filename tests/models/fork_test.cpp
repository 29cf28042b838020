#include "models/fork.h"

#include <gtest/gtest.h>

#include "models/mm/cow.h"
#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/mm.h"
#include "models/mm/mremap.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::fork_test {
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
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 0U);
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

TEST_P(Fork, AsVforkMakesAProcessAndLeavesTheAddressSpaceAlone) {
  check_in_child([&] {
    SmallMachineSpec spec = machine(GetParam());
    spec.costs.fork_process = 20us;
    SmallMachine world(spec);
    tests::make_map(world, "10-20");
    tests::make_resident(world, 10, 20);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_vfork(task), 0);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + 20us);
      EXPECT_EQ(sys_fork(task, world.mm), 0);
      EXPECT_EQ(task.settle(), at(0) + 2 * (kSystemCall + 20us) + kVma + 10 * kPage + 2 * kOperation);
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions, 1U);
  });
}

class CopyOnWrite : public testing::TestWithParam<bool> {
 protected:
  static SmallMachineSpec machine() {
    SmallMachineSpec spec;
    spec.stepwise = GetParam();
    spec.costs.fault = sim::Constant{1'000ns};
    spec.costs.cow_page = 400ns;
    return spec;
  }
  static sim::Nanoseconds fault_time(Task& task, Mm& mm, std::int64_t page) {
    const sim::Time began = task.settle();
    do_page_fault(task, mm, PageIndex(page), Backing::region);
    return task.settle() - began;
  }
};
INSTANTIATE_TEST_SUITE_P(, CopyOnWrite, testing::Bool(),
                         [](const auto& each) { return each.param ? "Stepwise" : "Default"; });

constexpr Nanoseconds kCopies = 1'400ns;
constexpr Nanoseconds kFinds = 1'000ns;

TEST_P(CopyOnWrite, TheFirstWriteToAPageThatWasThereAtTheForkCopiesIt) {
  check_in_child([&] {
    SmallMachine world(machine());
    tests::make_map(world, "10-20 30-40R 50-60N");
    tests::make_resident(world, 10, 15);
    tests::make_resident(world, 30, 40);
    tests::make_resident(world, 50, 60);
    const auto of_children = [&] { return world.kernel.zone.counts().children.count(); };
    world.add([&](Task& task) {
      EXPECT_EQ(fault_time(task, world.mm, 10), kFinds);
      sys_fork(task, world.mm, 1ms);
      EXPECT_EQ(fault_time(task, world.mm, 10), kCopies);
      EXPECT_EQ(fault_time(task, world.mm, 10), kFinds);
      EXPECT_EQ(fault_time(task, world.mm, 15), kFinds);  // it was absent
      EXPECT_EQ(fault_time(task, world.mm, 15), kFinds);
      EXPECT_EQ(fault_time(task, world.mm, 30), kFinds);  // reads
      EXPECT_EQ(fault_time(task, world.mm, 50), kFinds);  // was not copied
      EXPECT_EQ(fault_time(task, world.mm, 11), kCopies);
      EXPECT_EQ(of_children(), 2);
      tests::check_pages(world, PageCount(0), PageCount(26));
      task.sleep_until(at(2'000'000));
      EXPECT_EQ(of_children(), 0);
      EXPECT_EQ(fault_time(task, world.mm, 12), kFinds);  // its own again
    });
    world.run();
    tests::check_pages(world, PageCount(0), PageCount(26));
    // Three VMAs, two of which the child had, and has given back.
    EXPECT_EQ(world.kernel.vma_slab.free_objects, kVmasPerSlabPage * world.kernel.zone.counts().slab.count());
  });
}

TEST_P(CopyOnWrite, OfTwoChildrenTheOneThatLivesLongerKeepsThePage) {
  check_in_child([&] {
    SmallMachine world(machine());
    tests::make_map(world, "10-20");
    tests::make_resident(world, 10, 20);
    world.add([&](Task& task) {
      sys_fork(task, world.mm, 3ms);
      sys_fork(task, world.mm, 1ms);
      EXPECT_EQ(fault_time(task, world.mm, 10), kCopies);
      task.sleep_until(at(2'000'000));
      EXPECT_EQ(world.kernel.zone.counts().children.count(), 1);
      EXPECT_EQ(fault_time(task, world.mm, 11), kCopies);
      task.sleep_until(at(4'000'000));
      EXPECT_EQ(world.kernel.zone.counts().children.count(), 0);
    });
    world.run();
    tests::check_pages(world, PageCount(0), PageCount(10));
  });
}

TEST_P(CopyOnWrite, WhatIsUnmappedMeanwhileIsNoLongerShared) {
  check_in_child([&] {
    SmallMachine world(machine());
    tests::make_map(world, "10-20");
    tests::make_resident(world, 10, 20);
    world.add([&](Task& task) {
      sys_fork(task, world.mm, 1s);
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(10), PageCount(10), Advice::dontneed), 0);
      EXPECT_EQ(fault_time(task, world.mm, 10), kFinds);
      EXPECT_EQ(fault_time(task, world.mm, 10), kFinds);
    });
    world.run();
    tests::check_pages(world, PageCount(0), PageCount(1));
  });
}

TEST_P(CopyOnWrite, WhatMremapMovesStaysShared) {
  check_in_child([&] {
    SmallMachine world(machine());
    tests::make_map(world, "10-20");
    tests::make_resident(world, 10, 15);
    world.add([&](Task& task) {
      sys_fork(task, world.mm, 1s);
      EXPECT_EQ(sys_mremap(task, world.mm, PageIndex(10), PageCount(10), PageIndex(100)), 0);
      EXPECT_EQ(fault_time(task, world.mm, 104), kCopies);
      EXPECT_EQ(fault_time(task, world.mm, 104), kFinds);
      EXPECT_EQ(fault_time(task, world.mm, 105), kFinds);  // it was absent
      EXPECT_EQ(world.kernel.zone.counts().children.count(), 1);
      EXPECT_FALSE(world.mm.cow->is_shared(PageIndex(10))) << "what is mapped there next is nobody else's";
    });
    world.run();
  });
}

// Nobody shares anything when the second child comes to be, and it has nothing to share.
TEST_P(CopyOnWrite, OfAChildThatExitsWhileTheNextForkEntersTheKernelNothingIsSharedAnyMore) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.costs.system_call = 10us;
    SmallMachine world(spec);
    tests::make_map(world, "10-20");
    tests::make_resident(world, 10, 20);
    world.add([&](Task& task) {
      sys_fork(task, world.mm, 1ms);
      const sim::Time exit = task.settle() + 1ms;
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(10), PageCount(10), Advice::dontfork), 0);
      task.sleep_until(exit - 5us);
      sys_fork(task, world.mm, 1ms);
      EXPECT_EQ(fault_time(task, world.mm, 10), kFinds);
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
}  // namespace models::fork_test
