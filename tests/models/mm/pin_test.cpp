// Pinning: which pages are found without a lock, how long the holds are, and the accounts.
#include "models/mm/pin.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::pin_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::check_pages;
using tests::SmallMachine;
using tests::SmallMachineSpec;
using By = PinnerSpec::By;

constexpr Nanoseconds kPresent = 100ns;
constexpr Nanoseconds kPopulate = 1'000'000ns;

SmallMachineSpec machine(bool stepwise, FaultLock fault = FaultLock::mmap_sem) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.policy.fault = fault;
  spec.costs.gup_present = kPresent;
  spec.costs.populate_page = sim::Constant{kPopulate};
  return spec;
}

class Pin : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, Pin, testing::Bool(),
                         [](const auto& each) { return std::string(each.param ? "Stepwise" : "Default"); });

TEST_P(Pin, FindsPagesThatAreThereWithoutALock) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "0-2000");
    tests::make_resident(world, 0, 2000);
    world.add([&](Task& task) {
      EXPECT_EQ(pin_pages(task, world.mm, PageIndex(0), PageCount(2000), By::rdma), 0);
      EXPECT_EQ(task.settle(), tests::at(0) + 2000 * kPresent);
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).acquisitions, 0U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions, 0U);
  });
}

// 1,200 pages are batches of 512, 512 and 176; the first is there, the second from its page 100 on is not.
TEST_P(Pin, PopulatesWhatIsLeftOfABatchUnderAReadHoldEach) {
  for (const FaultLock fault : {FaultLock::mmap_sem, FaultLock::per_vma}) {
    check_in_child([&] {
      SmallMachine world(machine(GetParam(), fault));
      tests::make_map(world, "0-1200");
      tests::make_resident(world, 0, 612);
      world.add([&](Task& task) {
        EXPECT_EQ(pin_pages(task, world.mm, PageIndex(0), PageCount(1200), By::rdma), 0);
        EXPECT_EQ(task.settle(), tests::at(0) + 612 * kPresent + 588 * kPopulate);
      });
      world.run();
      check_pages(world, PageCount(0), PageCount(1200));
      const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
      EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 2U);
      EXPECT_EQ(statistics.hold.at({0, Phase::pin, LockMode::read}).max(), 412 * kPopulate);
    });
  }
}

TEST_P(Pin, OfABufferOfIoUringIsOneBatch) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam(), FaultLock::per_vma));
    tests::make_map(world, "0-1200");
    world.add(
        [&](Task& task) { EXPECT_EQ(pin_pages(task, world.mm, PageIndex(0), PageCount(1200), By::io_uring), 0); });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::pin, LockMode::read}).max(), 1200 * kPopulate);
  });
}

TEST_P(Pin, OfVfioCountsEachBatchUnderWriteMode) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "0-1200");
    tests::make_resident(world, 0, 1200);
    world.add([&](Task& task) {
      EXPECT_EQ(pin_pages(task, world.mm, PageIndex(0), PageCount(1200), By::vfio), 0);
      EXPECT_EQ(world.mm.locked_vm, PageCount(1200));
      EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions, 3U);
      unpin_pages(task, world.mm, PageIndex(0), PageCount(1200), By::vfio);
      EXPECT_EQ(world.mm.locked_vm, PageCount(0));
    });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 4U);
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 3U);
    EXPECT_EQ(statistics.hold.at({0, Phase::pin, LockMode::read}).max(), 512 * kPresent);
  });
}

TEST_P(Pin, OfVfioBeyondTheLimitLeavesNothingPinned) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "0-1200");
    tests::make_resident(world, 0, 1200);
    world.mm.cap_ipc_lock = false;
    world.mm.rlimit_memlock = Bytes(1100 * kPageSize);
    world.add([&](Task& task) {
      EXPECT_EQ(pin_pages(task, world.mm, PageIndex(0), PageCount(1200), By::vfio), -ENOMEM);
      EXPECT_EQ(world.mm.locked_vm, PageCount(0));
    });
    world.run();
  });
}

TEST_P(Pin, OfAHoleOrOfADeviceFails) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "0-10 20-30I");
    tests::make_resident(world, 0, 10);
    world.add([&](Task& task) {
      EXPECT_EQ(pin_pages(task, world.mm, PageIndex(5), PageCount(10), By::rdma), -EFAULT);
      EXPECT_EQ(pin_pages(task, world.mm, PageIndex(20), PageCount(10), By::rdma), -EFAULT);
    });
    world.run();
  });
}

}  // namespace
}  // namespace models::pin_test
