// Every branch of mincore: the read holds and their lengths, and the return value.
#include "models/mm/mincore.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::mincore_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kFindVma = 70ns;
constexpr Nanoseconds kPage = 100ns;
constexpr Nanoseconds kSystemCall = 10'000'000ns;

struct Branch {
  std::string name;
  std::string map;
  std::int64_t start;
  std::int64_t pages;
  int result;
  std::vector<std::int64_t> holds;  // in pages
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

class Mincore : public testing::TestWithParam<std::tuple<Branch, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , Mincore,
    testing::Combine(testing::Values(Branch{"OfPresentAndAbsentPages", "0-30", 5, 20, 0, {20}},
                                     Branch{"OfOneHold", "0-9000", 0, 4096, 0, {4096}},
                                     Branch{"OfMoreThanOneHold", "0-9000", 100, 8200, 0, {4096, 4096, 8}},
                                     Branch{"OneHoldForEachVma", "0-10 10-30R", 5, 20, 0, {5, 15}},
                                     Branch{"UpToAHole", "0-10 20-30", 5, 20, -ENOMEM, {5, 0}},
                                     Branch{"BelowAllVmas", "10-30", 5, 20, -ENOMEM, {0}},
                                     Branch{"OfALockedVma", "0-30L", 5, 20, 0, {20}},
                                     Branch{"OfNothing", "0-30", 5, 0, 0, {}}),
                     testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(Mincore, LooksAtEachPageUnderReadHoldsOfAPageOfAnswers) {
  check_in_child([&] {
    const auto& [branch, stepwise] = GetParam();
    SmallMachineSpec spec;
    spec.stepwise = stepwise;
    spec.costs.rwsem_operation = kOperation;
    spec.costs.find_vma = kFindVma;
    spec.costs.mincore_page = kPage;
    spec.costs.system_call = kSystemCall;
    SmallMachine world(spec);
    tests::make_map(world, branch.map);
    Nanoseconds all{};
    Nanoseconds longest{};
    for (const std::int64_t pages : branch.holds) {
      const Nanoseconds hold = kFindVma + pages * kPage + kOperation;
      all += kOperation + hold;
      longest = std::max(longest, hold);
    }
    world.add([&, &call = branch](Task& task) {
      EXPECT_EQ(sys_mincore(task, world.mm, PageIndex(call.start), PageCount(call.pages)), call.result);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + all);
    });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, branch.holds.size());
    if (branch.holds.empty()) return;
    EXPECT_EQ(statistics.hold.at({0, Phase::mincore, LockMode::read}).max(), longest);
  });
}

// The writer waits for the hold that it meets, not for the call.
TEST(MincoreOfALargeRange, LetsAWriterInBetweenTwoHolds) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.costs.mincore_page = kPage;
    SmallMachine world(spec);
    tests::make_map(world, "0-100000");
    world.add([&](Task& task) { EXPECT_EQ(sys_mincore(task, world.mm, PageIndex(0), PageCount(100'000)), 0); });
    world.add_at(1, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.settle(), at(0) + 4096 * kPage);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
  });
}

}  // namespace
}  // namespace models::mincore_test
