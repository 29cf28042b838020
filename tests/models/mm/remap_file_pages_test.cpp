// Every branch of remap_file_pages: lock operations and their lengths, map, pages and return value.
#include "models/mm/remap_file_pages.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <tuple>

#include "models/mm/mmap.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::remap_file_pages_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::check_pages;
using tests::map_of;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kFindVma = 100ns;
constexpr Nanoseconds kSystemCall = 10'000ns;
constexpr Nanoseconds kMunmap = 200'000ns;
constexpr Nanoseconds kMmap = 5'000'000ns;
constexpr Nanoseconds kMunlockAndZap = 30'000'000ns;
constexpr Nanoseconds kPopulate = 700'000'000ns;

SmallMachineSpec machine(HoldMode grow, bool stepwise = false) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.policy.grow.mode = grow;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.find_vma = kFindVma;
  spec.costs.system_call = kSystemCall;
  spec.costs.munmap = sim::Constant{kMunmap};
  spec.costs.mmap = sim::Constant{kMmap};
  spec.costs.munlock_page = sim::Constant{20'000'000ns};
  spec.costs.zap_page = sim::Constant{10'000'000ns};
  spec.costs.populate_page = sim::Constant{kPopulate};
  return spec;
}

const sim::Histogram& holds(const SmallMachine& world, LockMode mode) {
  return world.mm.mmap_sem.statistics().hold.at({0, Phase::remap_file_pages, mode});
}

struct Branch {
  std::string name;
  std::string map;
  std::int64_t start;
  std::int64_t pages;
  int result;
  std::string map_after;
  std::int64_t mlocked;
  std::uint64_t reads;   // acquisitions; another one for drop_and_read where pages are locked
  std::uint64_t writes;  // acquisitions; another one for downgrade where pages are locked
  std::size_t max_map_count = kDefaultMaxMapCount;
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

std::string name_of(HoldMode mode) {
  if (mode == HoldMode::downgrade) return "Downgrade";
  return mode == HoldMode::drop_and_read ? "DropAndRead" : "WriteHeld";
}

class RemapFilePages : public testing::TestWithParam<std::tuple<Branch, HoldMode>> {};
INSTANTIATE_TEST_SUITE_P(
    , RemapFilePages,
    testing::Combine(
        testing::Values(Branch{"OfAWholeVma", "10-30", 10, 20, 0, "10-30", 0, 1, 1},
                        Branch{"OfAPartLeavesAVmaOfItsOwn", "10-30", 15, 5, 0, "10-15 15-20 20-30", 0, 1, 1},
                        Branch{"OfALockedVma", "10-30L", 10, 20, 0, "10-30L", 20, 1, 1},
                        Branch{"OfAPartOfALockedVma", "10-30L", 15, 5, 0, "10-15L 15-20L 20-30L", 20, 1, 1},
                        Branch{"OfNothing", "10-30", 10, 0, -EINVAL, "10-30", 0, 0, 0},
                        Branch{"InAHole", "10-30", 5, 5, -EINVAL, "10-30", 0, 1, 0},
                        Branch{"AcrossVmas", "10-30 30-40R", 25, 10, -EINVAL, "10-30 30-40R", 0, 1, 0},
                        Branch{"AboveAllVmas", "10-30", 40, 5, -EINVAL, "10-30", 0, 1, 0},
                        Branch{"WithTooManyVmas", "10-30", 15, 5, -ENOMEM, "10-30", 0, 1, 1, 1}),
        testing::Values(HoldMode::write_held, HoldMode::downgrade, HoldMode::drop_and_read)),
    [](const auto& each) { return std::get<0>(each.param).name + name_of(std::get<1>(each.param)); });

TEST_P(RemapFilePages, LeavesTheMapThePagesAndTheAccountsAsTheKernelDoes) {
  check_in_child([&] {
    const auto& [branch, mode] = GetParam();
    SmallMachine world(machine(mode));
    tests::make_map(world, branch.map);
    world.mm.max_map_count = branch.max_map_count;
    world.add([&, &call = branch](Task& task) {
      EXPECT_EQ(sys_remap_file_pages(task, world.mm, PageIndex(call.start), PageCount(call.pages)), call.result);
      EXPECT_EQ(task.phase(), Phase::remap_file_pages);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), branch.map_after);
    check_pages(world, PageCount(branch.mlocked), PageCount(0));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    const bool populates = branch.mlocked > 0;
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions,
              branch.reads + (populates && mode == HoldMode::drop_and_read ? 1 : 0));
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions,
              branch.writes + (populates && mode == HoldMode::downgrade ? 1 : 0));
  });
}

class RemapFilePagesHolds : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, RemapFilePagesHolds, testing::Bool(),
                         [](const auto& each) { return each.param ? "Stepwise" : "Default"; });

TEST_P(RemapFilePagesHolds, LooksUnderReadModeThenUnmapsAndMapsUnderWriteMode) {
  check_in_child([&] {
    SmallMachine world(machine(HoldMode::write_held, GetParam()));
    tests::make_map(world, "10-30L");
    world.add([&](Task& task) {
      EXPECT_EQ(sys_remap_file_pages(task, world.mm, PageIndex(10), PageCount(20)), 0);
      const Nanoseconds write = kFindVma + kMunmap + 20 * kMunlockAndZap + kMmap + 20 * kPopulate + kOperation;
      const Nanoseconds read = kFindVma + kOperation;
      EXPECT_EQ(holds(world, LockMode::read).max(), read);
      EXPECT_EQ(holds(world, LockMode::write).max(), write);
      EXPECT_EQ(task.settle(), tests::at(0) + kSystemCall + kOperation + read + kOperation + write);
    });
    world.run();
  });
}

TEST_P(RemapFilePagesHolds, DowngradedItPopulatesUnderReadMode) {
  check_in_child([&] {
    SmallMachine world(machine(HoldMode::downgrade, GetParam()));
    tests::make_map(world, "10-30L");
    world.add([&](Task& task) { EXPECT_EQ(sys_remap_file_pages(task, world.mm, PageIndex(10), PageCount(20)), 0); });
    world.run();
    EXPECT_EQ(holds(world, LockMode::read).max(), 20 * kPopulate + kOperation);
    EXPECT_EQ(holds(world, LockMode::write).max(), kFindVma + kMunmap + 20 * kMunlockAndZap + kMmap + kOperation);
    EXPECT_EQ(holds(world, LockMode::write).min(), kFindVma + kOperation);
  });
}

struct Window {
  std::string name;
  std::int64_t unmap_start;
  std::int64_t unmap_pages;
  int result;
  std::uint64_t missed;
  std::string map_after;
};
void PrintTo(const Window& window, std::ostream* out) { *out << window.name; }

class RemapFilePagesWindow : public testing::TestWithParam<Window> {};
INSTANTIATE_TEST_SUITE_P(, RemapFilePagesWindow,
                         testing::Values(Window{"TheRangeIsGone", 10, 20, -EAGAIN, 0, ""},
                                         Window{"TheTailIsGone", 25, 5, -EAGAIN, 0, "10-25L"},
                                         Window{"TheHeadIsGoneUnnoticed", 10, 5, 0, 1, "15-30L"}),
                         [](const auto& each) { return each.param.name; });

TEST_P(RemapFilePagesWindow, WhatTheCheckNoticesIsReturned) {
  check_in_child([&] {
    const Window& window = GetParam();
    SmallMachine world(machine(HoldMode::downgrade));
    tests::make_map(world, "10-30L");
    world.add([&](Task& task) {
      EXPECT_EQ(sys_remap_file_pages(task, world.mm, PageIndex(10), PageCount(20)), window.result);
    });
    world.add_at(1'000'000'000, [&](Task& task) {
      EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(window.unmap_start), PageCount(window.unmap_pages)), 0);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), window.map_after);
    EXPECT_EQ(world.mm.vma_changed, 1U);
    EXPECT_EQ(world.mm.eagain, window.result == 0 ? 0U : 1U);
    EXPECT_EQ(world.mm.vma_change_missed, window.missed);
    EXPECT_EQ(world.mm.locked_vm, tests::locked_pages_of(world.mm));
  });
}

TEST(RemapFilePagesRace, LooksAgainAfterItHasTakenWriteMode) {
  check_in_child([] {
    SmallMachine world(machine(HoldMode::write_held));
    tests::make_map(world, "10-30");
    world.add(
        [&](Task& task) { EXPECT_EQ(sys_remap_file_pages(task, world.mm, PageIndex(10), PageCount(20)), -EINVAL); });
    // Queues for write mode before the other does.
    world.add_at(10'050 - kSystemCall.count(),
                 [&](Task& task) { sys_munmap(task, world.mm, PageIndex(10), PageCount(20)); });
    world.run();
    EXPECT_EQ(map_of(world.mm), "");
  });
}

}  // namespace
}  // namespace models::remap_file_pages_test
