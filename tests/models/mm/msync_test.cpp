// Every branch of msync: the holds, what is waited for without one, and the return value.
#include "models/mm/msync.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>

#include "models/mm/page_writeback.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::msync_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kSystemCall = 100ns;
constexpr Nanoseconds kFindVma = 10ns;
constexpr Nanoseconds kWrite = 1'000'000ns;

SmallMachineSpec machine(bool stepwise) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.costs.system_call = kSystemCall;
  spec.costs.find_vma = kFindVma;
  spec.memory.device = {
      .name = "disk", .queue_depth = 8, .nr_requests = 128, .read = {}, .write = sim::Constant{kWrite}};
  return spec;
}

struct Branch {
  std::string name;
  std::string map;
  std::int64_t start;
  std::int64_t pages;
  int result;
  std::uint64_t holds;
  Nanoseconds writes;  // waited for
};
void PrintTo(const Branch& branch, std::ostream* out) { *out << branch.name; }

// The file is mapped at [100, 200); pages 110, 150 and 151 are dirty.
class Msync : public testing::TestWithParam<std::tuple<Branch, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , Msync,
    testing::Combine(testing::Values(Branch{"OfTheWholeFile", "100-200M", 100, 100, 0, 1, kWrite},
                                     Branch{"OfAPartOfIt", "100-200M", 100, 20, 0, 1, kWrite},
                                     Branch{"OfWhatIsClean", "100-200M", 120, 20, 0, 1, 0ns},
                                     Branch{"OfTwoVmasTakesTheLockAgain", "100-140M 140-200MR", 100, 100, 0, 2,
                                            2 * kWrite},
                                     Branch{"OfAnonymousMemory", "10-90", 10, 80, 0, 1, 0ns},
                                     Branch{"OfBoth", "50-100 100-200M", 60, 100, 0, 1, kWrite},
                                     Branch{"OfBothAndMore", "100-200M 200-300", 100, 150, 0, 2, kWrite},
                                     Branch{"OverAHole", "100-130M 140-200M", 100, 100, -ENOMEM, 2, 2 * kWrite},
                                     Branch{"IntoAHole", "100-130M", 100, 100, -ENOMEM, 2, kWrite},
                                     Branch{"OfAHole", "300-400", 100, 100, -ENOMEM, 1, 0ns},
                                     Branch{"OfNothing", "100-200M", 100, 0, 0, 0, 0ns}),
                     testing::Bool()),
    [](const auto& each) { return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Stepwise" : "Default"); });

TEST_P(Msync, WaitsForTheDeviceWithoutTheLock) {
  check_in_child([&] {
    const auto& [branch, stepwise] = GetParam();
    SmallMachine world(machine(stepwise));
    tests::make_map(world, branch.map);
    const auto mapping = std::make_shared<AddressSpace>(world.kernel, PageIndex(100), PageIndex(200));
    world.mm.set_owner(PageIndex(100), PageIndex(200),
                       world.kernel.zone.add_owner({.mm = &world.mm, .file = true, .mapping = mapping}));
    for (const std::int64_t page : {110, 150, 151}) mapping->mark_dirty(PageIndex(page));
    world.add([&, &call = branch](Task& task) {
      EXPECT_EQ(sys_msync(task, world.mm, PageIndex(call.start), PageCount(call.pages)), call.result);
      EXPECT_EQ(world.spent(task, Cause::device_io), call.writes);
    });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, branch.holds);
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 0U);
    if (branch.holds > 0) {
      EXPECT_LE(statistics.hold.at({0, Phase::msync, LockMode::read}).max(), 2 * kFindVma);
    }
  });
}

// While it waits a writer comes and goes.
TEST(MsyncAndAWriter, DoNotMeet) {
  check_in_child([] {
    SmallMachine world(machine(false));
    tests::make_map(world, "100-200M");
    const auto mapping = std::make_shared<AddressSpace>(world.kernel, PageIndex(100), PageIndex(200));
    world.mm.set_owner(PageIndex(100), PageIndex(200),
                       world.kernel.zone.add_owner({.mm = &world.mm, .file = true, .mapping = mapping}));
    mapping->mark_dirty(PageIndex(110));
    world.add([&](Task& task) {
      EXPECT_EQ(sys_msync(task, world.mm, PageIndex(100), PageCount(100)), 0);
      EXPECT_EQ(task.settle(), at(0) + kSystemCall + kFindVma + kWrite);
    });
    world.add_at(5'000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.settle(), at(5'000));
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
  });
}

}  // namespace
}  // namespace models::msync_test
