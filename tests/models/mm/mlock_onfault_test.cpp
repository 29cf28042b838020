// mlock2(MLOCK_ONFAULT) and mlockall(MCL_ONFAULT): flags and accounts at once, pages as they come.
#include "models/mm/mlock.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "models/mm/fault.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::mlock_onfault_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::check_pages;
using tests::map_of;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kFindVma = 7ns;
constexpr Nanoseconds kPopulate = 1'000'000ns;
constexpr Nanoseconds kMlock = 1'000ns;
constexpr Nanoseconds kPresent = 100ns;

// drop_and_read; with `present_first` that of 5.18.
SmallMachineSpec machine(bool stepwise, bool present_first = true) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.policy.populate.mode = HoldMode::drop_and_read;
  spec.policy.mlock_present_first = present_first;
  spec.policy.lru_drain = LruDrain::local;
  spec.costs.find_vma = kFindVma;
  spec.costs.populate_page = sim::Constant{kPopulate};
  spec.costs.mlock_page = sim::Constant{kMlock};
  spec.costs.gup_present = kPresent;
  spec.costs.munlock_absent = sim::Constant{20ns};
  return spec;
}

class MlockOnFault : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, MlockOnFault, testing::Bool(),
                         [](const auto& each) { return std::string(each.param ? "Stepwise" : "Default"); });

// Reserved and empty: as long as it takes to find it, whatever its size.
TEST_P(MlockOnFault, OfAnEmptyRegionTakesNoTimeThatGrowsWithIt) {
  for (const std::int64_t pages : {100, 10'000'000}) {
    check_in_child([&] {
      SmallMachine world(machine(GetParam()));
      tests::make_map(world, "0-" + std::to_string(pages));
      world.add([&](Task& task) {
        EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(0), PageCount(pages), MlockWhat::on_fault), 0);
        EXPECT_EQ(task.settle(), tests::at(0) + 2 * kFindVma);  // under write mode, and in vain under read mode
      });
      world.run();
      EXPECT_EQ(map_of(world.mm), "0-" + std::to_string(pages) + "L");
      EXPECT_TRUE(world.mm.find_vma(PageIndex(0))->flags.lock_on_fault);
      check_pages(world, PageCount(0), PageCount(0));
    });
  }
}

TEST_P(MlockOnFault, MlocksWhatIsThereUnderWriteModeAndTheRestAsItIsFaultedIn) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "0-100");
    tests::make_resident(world, 10, 30);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(0), PageCount(100), MlockWhat::on_fault), 0);
      check_pages(world, PageCount(20), PageCount(0));
      do_page_fault(task, world.mm, PageIndex(50), Backing::region);
    });
    world.run();
    check_pages(world, PageCount(21), PageCount(0));
    const auto& hold = world.mm.mmap_sem.statistics().hold;
    EXPECT_EQ(hold.at({0, Phase::mlock, LockMode::write}).max(), kFindVma + 20 * kMlock);
  });
}

// Before 5.18 get_user_pages does it, without making anything present.
TEST_P(MlockOnFault, BeforeLinux518LooksAtEveryPageUnderReadMode) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam(), false));
    tests::make_map(world, "0-100");
    tests::make_resident(world, 10, 30);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(0), PageCount(100), MlockWhat::on_fault), 0);
    });
    world.run();
    check_pages(world, PageCount(20), PageCount(0));
    const auto& hold = world.mm.mmap_sem.statistics().hold;
    EXPECT_EQ(hold.at({0, Phase::mlock, LockMode::write}).max(), kFindVma);
    EXPECT_EQ(hold.at({0, Phase::mlock, LockMode::read}).max(), kFindVma + 20 * (kMlock + kPresent) + 80 * 20ns);
  });
}

TEST_P(MlockOnFault, ThenMlockPopulatesAndCountsNothingTwice) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "0-100");
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(0), PageCount(100), MlockWhat::on_fault), 0);
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(0), PageCount(100)), 0);
      check_pages(world, PageCount(100), PageCount(0));
      EXPECT_FALSE(world.mm.find_vma(PageIndex(0))->flags.lock_on_fault);
      EXPECT_EQ(sys_munlock(task, world.mm, PageIndex(0), PageCount(100)), 0);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), "0-100");
    check_pages(world, PageCount(0), PageCount(100));
  });
}

TEST_P(MlockOnFault, OfAPartIsNotOneVmaWithWhatIsLockedBesideIt) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "0-50L 50-100");
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlock(task, world.mm, PageIndex(50), PageCount(50), MlockWhat::on_fault), 0);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), "0-50L 50-100L");
    check_pages(world, PageCount(50), PageCount(0));
  });
}

TEST_P(MlockOnFault, OfAllThereIsPopulatesNothing) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    tests::make_map(world, "0-50 60-100 110-120I");
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mlockall(task, world.mm, {.on_fault = true}), -EINVAL);
      EXPECT_EQ(sys_mlockall(task, world.mm, {.current = true, .on_fault = true}), 0);
      check_pages(world, PageCount(0), PageCount(0));
      do_page_fault(task, world.mm, PageIndex(70), Backing::region);
      EXPECT_EQ(sys_munlockall(task, world.mm), 0);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), "0-50 60-100 110-120I");
    check_pages(world, PageCount(0), PageCount(1));
  });
}

}  // namespace
}  // namespace models::mlock_onfault_test
