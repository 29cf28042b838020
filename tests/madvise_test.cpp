// Every branch of madvise(MADV_DONTNEED): the read hold and its length, pages and return value.
#include "models/madvise.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>

#include "tests/in_child.h"
#include "tests/small_machine.h"
#include "tests/vma_map.h"

namespace models {
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
constexpr Nanoseconds kMadvise = 100ns;
constexpr Nanoseconds kSystemCall = 5'000ns;
constexpr Nanoseconds kZap = 10'000ns;

SmallMachineSpec machine(bool stepwise = false) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.madvise = sim::Constant{kMadvise};
  spec.costs.system_call = kSystemCall;
  spec.costs.zap_page = sim::Constant{kZap};
  return spec;
}

struct Branch {
  std::string name;
  std::string map;
  std::int64_t resident_from;  // present pages that are not locked
  std::int64_t resident_to;
  std::int64_t start;
  std::int64_t pages;
  int result;
  std::int64_t zapped;
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

class Madvise : public testing::TestWithParam<std::tuple<Branch, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , Madvise,
    testing::Combine(testing::Values(Branch{"ZapsTheRangesPresentPages", "10-30", 12, 30, 10, 10, 0, 8},
                                     Branch{"OfAbsentPages", "10-30", 20, 30, 10, 10, 0, 0},
                                     Branch{"GoesOnInTheNextVma", "10-20 20-30R", 10, 30, 15, 10, 0, 10},
                                     Branch{"AcrossTablesOfPages", "0-2000", 0, 2000, 100, 1500, 0, 1500},
                                     Branch{"PassesOverAHoleAndReportsIt", "10-20 30-40", 10, 20, 15, 20, -ENOMEM, 5},
                                     Branch{"BelowAllVmas", "10-20", 10, 20, 5, 10, -ENOMEM, 5},
                                     Branch{"WithinAHole", "10-20 30-40", 10, 20, 22, 5, -ENOMEM, 0},
                                     Branch{"BeyondTheLastVma", "10-20", 10, 20, 15, 10, -ENOMEM, 5},
                                     Branch{"RefusesALockedVma", "10-20L", 0, 0, 10, 10, -EINVAL, 0},
                                     Branch{"RefusesAHugetlbVma", "10-20H", 10, 20, 10, 10, -EINVAL, 0},
                                     Branch{"RefusesAnIoMapping", "10-20I", 0, 0, 10, 10, -EINVAL, 0},
                                     Branch{"ZapsASpecialVma", "10-20D", 10, 20, 10, 10, 0, 10},
                                     Branch{"ZapsWhatLiesBeforeALockedVma", "10-20 20-30L", 10, 20, 10, 20, -EINVAL,
                                            10}),
                     testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(Madvise, ZapsUnderOneReadHold) {
  check_in_child([&] {
    const auto& [branch, stepwise] = GetParam();
    SmallMachine world(machine(stepwise));
    tests::make_map(world, branch.map);
    if (branch.resident_to > 0) tests::make_resident(world, branch.resident_from, branch.resident_to);
    const Nanoseconds hold = kMadvise + branch.zapped * kZap + kOperation;
    world.add([&, &call = branch](Task& task) {
      EXPECT_EQ(sys_madvise_dontneed(task, world.mm, PageIndex(call.start), PageCount(call.pages)), call.result);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kOperation + hold);
    });
    world.run();
    EXPECT_EQ(map_of(world.mm), branch.map);
    check_pages(world, world.mm.locked_vm, PageCount(branch.resident_to - branch.resident_from - branch.zapped));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.write.acquisitions, 0U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::read}).count(), 1U);
    EXPECT_EQ(statistics.hold.at({0, Phase::madvise, LockMode::read}).max(), hold);
  });
}

TEST(MadviseRace, TwoRecyclersOfOneRangeGiveEachPageBackOnce) {
  check_in_child([] {
    SmallMachine world(machine());
    tests::make_map(world, "0-2000");
    tests::make_resident(world, 0, 2000);
    for (int recycler = 0; recycler < 2; ++recycler) {
      world.add([&](Task& task) { EXPECT_EQ(sys_madvise_dontneed(task, world.mm, PageIndex(0), PageCount(2000)), 0); });
    }
    world.run();
    check_pages(world, PageCount(0), PageCount(0));
  });
}

TEST(MadviseOfNothing, DoesNotAskForTheSemaphore) {
  check_in_child([] {
    SmallMachine world;
    world.add([&](Task& task) { EXPECT_EQ(sys_madvise_dontneed(task, world.mm, PageIndex(10), PageCount(0)), 0); });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().read.acquisitions, 0U);
  });
}

}  // namespace
}  // namespace models
