#include "models/mm/mmap.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::mmap_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::map_of;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr int kCpus = 4;
constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kSystemCall = 10ns;
constexpr Nanoseconds kMunmap = 100ns;
constexpr Nanoseconds kSplit = 1000ns;
constexpr Nanoseconds kDrains = 2 * kCpus * 10'000ns;
constexpr Nanoseconds kMunlockPage = 1'000'000ns;
constexpr Nanoseconds kZapPage = 7'000'000'000ns;

SmallMachineSpec machine(bool downgrade) {
  SmallMachineSpec spec;
  spec.cpus = kCpus;
  if (downgrade) spec.policy.munmap.mode = HoldMode::downgrade;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.system_call = kSystemCall;
  spec.costs.munmap = sim::Constant{kMunmap};
  spec.costs.mmap = sim::Constant{50ns};
  spec.costs.vma_split = kSplit;
  spec.costs.lru_add_drain_all = kDrains / (2 * kCpus);
  spec.costs.munlock_page = sim::Constant{kMunlockPage};
  spec.costs.zap_page = sim::Constant{kZapPage};
  return spec;
}

struct Munmap {
  std::string name;
  std::string map;
  std::int64_t resident;  // pages of an unlocked VMA from 100 on that are present before
  std::int64_t start;
  std::int64_t pages;
  std::string map_after;
  std::int64_t mlocked_after;
  std::int64_t resident_after;
  Nanoseconds under_write;  // splits and munlock
  Nanoseconds zap;
};
void PrintTo(const Munmap& munmap, std::ostream* out) { *out << munmap.name; }

class MunmapTest : public testing::TestWithParam<std::tuple<Munmap, bool>> {};
INSTANTIATE_TEST_SUITE_P(
    , MunmapTest,
    testing::Combine(
        testing::Values(
            Munmap{"ALockedVma", "10-30L", 0, 10, 20, "", 0, 0, kDrains + 20 * kMunlockPage, 20 * kZapPage},
            Munmap{"TheHead", "10-30L", 0, 10, 5, "15-30L", 15, 0, kSplit + kDrains + 5 * kMunlockPage, 5 * kZapPage},
            Munmap{"TheTail", "10-30L", 0, 25, 5, "10-25L", 15, 0, kSplit + kDrains + 5 * kMunlockPage, 5 * kZapPage},
            Munmap{"TheMiddle", "10-30L", 0, 15, 5, "10-15L 20-30L", 15, 0, 2 * kSplit + kDrains + 5 * kMunlockPage,
                   5 * kZapPage},
            Munmap{"SeveralVmasAndTheHolesBetween", "10-20L 25-30L 40-50L", 0, 5, 30, "40-50L", 10, 0,
                   2 * kDrains + 15 * kMunlockPage, 15 * kZapPage},
            Munmap{"OnlyPresentPagesCost", "100-200", 30, 100, 100, "", 0, 0, 0ns, 30 * kZapPage},
            Munmap{"APartOfPresentPages", "100-200", 30, 120, 50, "100-120 170-200", 0, 20, 2 * kSplit, 10 * kZapPage}),
        testing::Bool()),
    [](const auto& each) {
      return std::get<0>(each.param).name + (std::get<1>(each.param) ? "Downgraded" : "WriteHeld");
    });

TEST_P(MunmapTest, LeavesTheMapThePagesAndTheAccountsRightAndTakesItsTime) {
  check_in_child([&] {
    const auto& [munmap, downgrade] = GetParam();
    SmallMachine world(machine(downgrade));
    tests::make_map(world, munmap.map);
    if (munmap.resident > 0) tests::make_resident(world, 100, 100 + munmap.resident);
    world.add([&, &each = munmap](Task& task) {
      EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(each.start), PageCount(each.pages)), 0);
      EXPECT_EQ(map_of(world.mm), each.map_after);
      tests::check_pages(world, PageCount(each.mlocked_after), PageCount(each.resident_after));
      EXPECT_FALSE(world.mm.mmap_sem.held_by(task, LockMode::read));
      EXPECT_FALSE(world.mm.mmap_sem.held_by(task, LockMode::write));
    });
    world.run();
    const auto& hold = world.mm.mmap_sem.statistics().hold;
    const Nanoseconds exclusive = kMunmap + munmap.under_write + kOperation;
    const Nanoseconds write = hold.at({0, Phase::munmap, LockMode::write}).max();
    if (downgrade) {
      EXPECT_EQ(write, exclusive);
      EXPECT_EQ(hold.at({0, Phase::munmap, LockMode::read}).max(), munmap.zap + kOperation);
    } else {
      EXPECT_EQ(write, exclusive + munmap.zap);
      EXPECT_FALSE(hold.contains({0, Phase::munmap, LockMode::read}));
    }
    const Nanoseconds operations = (downgrade ? 3 : 2) * kOperation;
    EXPECT_EQ(world.now(), at(0) + kSystemCall + kMunmap + munmap.under_write + munmap.zap + operations);
  });
}

// do_munmap: without a VMA in the range it returns at once, and has nothing to downgrade for.
TEST(Munmap, OfManyVmasDetachesThemUnderWriteModeAndFreesThemAfterTheDowngrade) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.costs.munmap = sim::Constant{100ns};
    spec.costs.munmap_vma = 7ns;
    spec.policy.munmap.mode = HoldMode::downgrade;
    SmallMachine world(spec);
    tests::make_map(world, "10-20 20-30R 30-40 50-60 60-70R");
    world.add([&](Task& task) { EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(10), PageCount(60)), 0); });
    world.run();
    const auto& hold = world.mm.mmap_sem.statistics().hold;
    EXPECT_EQ(hold.at({0, Phase::munmap, LockMode::write}).max(), 100ns + 4 * 3ns);
    EXPECT_EQ(hold.at({0, Phase::munmap, LockMode::read}).max(), 4 * 4ns);
    EXPECT_EQ(map_of(world.mm), "");
  });
}

TEST(Munmap, OfAHoleOnlyLooks) {
  for (const bool downgrade : {false, true}) {
    for (const char* const map : {"10-20", ""}) {
      check_in_child([&] {
        SmallMachineSpec spec = machine(downgrade);
        spec.costs.find_vma = 5ns;
        SmallMachine world(spec);
        tests::make_map(world, map);
        world.add([&](Task& task) { EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(30), PageCount(10)), 0); });
        world.run();
        EXPECT_EQ(map_of(world.mm), map);
        const auto& hold = world.mm.mmap_sem.statistics().hold;
        EXPECT_EQ(hold.at({0, Phase::munmap, LockMode::write}).max(), 5ns + kOperation);
        EXPECT_FALSE(hold.contains({0, Phase::munmap, LockMode::read}));
        EXPECT_EQ(world.now(), at(0) + kSystemCall + 5ns + 2 * kOperation);
      });
    }
  }
}

struct Limit {
  std::size_t max_map_count;
  int result;
  std::string map_after;
};

// A hole leaves one VMA more than there was; the splits on the way to it are not counted.
TEST(Munmap, FailsWhereAHoleWouldExceedTheMapCountLimit) {
  for (const Limit& limit : {Limit{1, -ENOMEM, "10-30L"}, Limit{2, 0, "10-15L 20-30L"}}) {
    check_in_child([&] {
      SmallMachine world(machine(false));
      tests::make_map(world, "10-30L");
      world.mm.max_map_count = limit.max_map_count;
      world.add([&](Task& task) {
        EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(15), PageCount(5)), limit.result);
        EXPECT_EQ(map_of(world.mm), limit.map_after);
        tests::check_pages(world, PageCount(limit.result == 0 ? 15 : 20), PageCount(0));
        EXPECT_FALSE(world.mm.mmap_sem.held_by(task, LockMode::write));
      });
      world.run();
    });
  }
}

TEST(Munmap, OfAnEndIsNotHeldAgainstTheMapCountLimit) {
  check_in_child([] {
    SmallMachine world(machine(false));
    tests::make_map(world, "10-30L");
    world.mm.max_map_count = 1;
    world.add([&](Task& task) {
      EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(25), PageCount(5)), 0);
      EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(10), PageCount(5)), 0);
      EXPECT_EQ(map_of(world.mm), "15-25L");
    });
    world.run();
  });
}

// Whether the zap is a read hold.
bool zaps_under_read(bool exclusive_below_stack, std::int64_t start) {
  return tests::in_child([&] {
           SmallMachineSpec spec = machine(true);
           spec.policy.munmap_exclusive_below_stack = exclusive_below_stack;
           SmallMachine world(spec);
           tests::make_map(world, "10-20 30-40");
           world.mm.insert_vma(PageIndex(1000), PageIndex(1010), {.growsdown = true});
           world.add([&](Task& task) { (void)sys_munmap(task, world.mm, PageIndex(start), PageCount(10)); });
           world.run();
           return world.mm.mmap_sem.statistics().hold.contains({0, Phase::munmap, LockMode::read}) ? "yes" : "no";
         }) == "yes";
}

// Linux 5.8 to 6.4: the next VMA is a stack that could grow, however far away it begins.
TEST(Munmap, DoesNotDowngradeBelowAStackWhereThatCouldGrowUnderReadMode) {
  EXPECT_TRUE(zaps_under_read(false, 30));
  EXPECT_FALSE(zaps_under_read(true, 30));
  EXPECT_TRUE(zaps_under_read(true, 10)) << "another VMA lies between";
}

// do_munmap: split_vma(mm, vma, start, 0) at the start of the hole, split_vma(mm, last, end, 1) at its end.
TEST(Munmap, TheOldVmaStaysBelowAHole) {
  check_in_child([] {
    SmallMachine world(machine(false));
    tests::make_map(world, "10-30L");
    const VmaPointer vma = world.mm.find_vma(PageIndex(10));
    world.add([&](Task& task) { sys_munmap(task, world.mm, PageIndex(15), PageCount(5)); });
    world.run();
    EXPECT_FALSE(vma->detached);
    EXPECT_EQ(vma->start, PageIndex(10));
    EXPECT_EQ(vma->end, PageIndex(15));
  });
}

TEST(Munmap, DowngradedItHasTakenTheRangeOutOfTheMapBeforeOthersGetIn) {
  check_in_child([] {
    SmallMachine world(machine(true));
    tests::make_map(world, "10-30L");
    world.add([&](Task& task) { sys_munmap(task, world.mm, PageIndex(10), PageCount(20)); });
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_read(task);
      EXPECT_EQ(map_of(world.mm), "");
      EXPECT_EQ(world.kernel.zone.counts().evictable(), PageCount(20));  // munlocked, not yet freed
      world.mm.mmap_sem.up_read(task);
    });
    world.run();
    EXPECT_EQ(world.kernel.zone.counts().evictable(), PageCount(0));
  });
}

TEST(Mmap, AddsAMappingUnderTheWriteHold) {
  check_in_child([] {
    SmallMachine world(machine(false));
    world.add([&](Task& task) { sys_mmap(task, world.mm, PageIndex(10), PageCount(5)); });
    world.run();
    EXPECT_EQ(map_of(world.mm), "10-15");
    EXPECT_EQ(world.mm.mmap_sem.statistics().hold.at({0, Phase::mmap, LockMode::write}).max(), 50ns + kOperation);
    EXPECT_EQ(world.now(), at(0) + kSystemCall + 50ns + 2 * kOperation);
  });
}

TEST(Mmap, JoinsNeighboursOfItsKind) {
  check_in_child([] {
    SmallMachine world(machine(false));
    tests::make_map(world, "10-15 20-25 30-35R");
    world.add([&](Task& task) {
      sys_mmap(task, world.mm, PageIndex(15), PageCount(5));
      EXPECT_EQ(map_of(world.mm), "10-25 30-35R");
      sys_mmap(task, world.mm, PageIndex(25), PageCount(5));
      EXPECT_EQ(map_of(world.mm), "10-30 30-35R");
    });
    world.run();
  });
}

TEST(Mmap, WithoutMapFixedWhatIsMappedStays) {
  check_in_child([] {
    SmallMachine world(machine(false));
    tests::make_map(world, "10-15");
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mmap(task, world.mm, PageIndex(12), PageCount(5)), -EEXIST);
      EXPECT_EQ(map_of(world.mm), "10-15");
    });
    world.run();
  });
}

TEST(Mmap, WithMapFixedItTakesThePlaceOfWhatIsThere) {
  check_in_child([] {
    SmallMachine world(machine(false));
    tests::make_map(world, "10-20R");
    tests::make_resident(world, 10, 20);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mmap(task, world.mm, PageIndex(12), PageCount(3), VmFlags{}, {.fixed = true}), 0);
      EXPECT_EQ(map_of(world.mm), "10-12R 12-15 15-20R");
      tests::check_pages(world, PageCount(0), PageCount(7));  // what was there is gone
    });
    world.run();
  });
}

// MAP_POPULATE: make_pages_present under write mode until 3.8, __mm_populate under read mode since.
TEST(Mmap, PopulatesUnderTheModeOfItsEra) {
  for (const HoldMode mode : {HoldMode::write_held, HoldMode::drop_and_read}) {
    check_in_child([&] {
      SmallMachineSpec spec = machine(false);
      spec.policy.grow.mode = mode;
      spec.costs.populate_page = sim::Constant{20'000ns};
      SmallMachine world(spec);
      world.add([&](Task& task) {
        EXPECT_EQ(sys_mmap(task, world.mm, PageIndex(10), PageCount(5), VmFlags{}, {.populate = true}), 0);
        tests::check_pages(world, PageCount(0), PageCount(5));
      });
      world.run();
      const auto& hold = world.mm.mmap_sem.statistics().hold;
      const Nanoseconds write = hold.at({0, Phase::mmap, LockMode::write}).max();
      const bool read = hold.contains({0, Phase::mmap, LockMode::read});
      EXPECT_EQ(read, mode == HoldMode::drop_and_read);
      EXPECT_GE(read ? hold.at({0, Phase::mmap, LockMode::read}).max() : write, 5 * 20'000ns);
      if (read) {
        EXPECT_EQ(write, 50ns + kOperation);
      }
    });
  }
}

// The test of proc-mmap_sem-test: random single pages of an area that is mapped in whole at first.
TEST(Mmap, PagesMappedAndUnmappedAtRandomLeaveAboutHalfOfThemAndNoTwoVmasThatCouldBeOne) {
  check_in_child([] {
    SmallMachine world(machine(true));
    constexpr std::int64_t kPages = 400;
    tests::make_map(world, "0-400");
    world.add([&](Task& task) {
      std::uint64_t state = 1;
      const auto draw = [&](std::uint64_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::int64_t>((state >> 33U) % below);
      };
      for (int call = 0; call < 8000; ++call) {
        const PageIndex page(draw(kPages));
        if (draw(2) == 0) {
          sys_munmap(task, world.mm, page, PageCount(1));
        } else {
          sys_mmap(task, world.mm, page, PageCount(1), VmFlags{}, {.fixed = true, .populate = true});
        }
      }
      std::int64_t mapped = 0;
      for (VmaPointer vma = world.mm.find_vma(PageIndex(0)); vma != nullptr; vma = world.mm.next(*vma)) {
        mapped += vma->pages().count();
        const VmaPointer next = world.mm.next(*vma);
        if (next != nullptr && next->start == vma->end) {
          EXPECT_NE(next->anon_vma, vma->anon_vma) << "they touch, are alike and share an anon_vma";
        }
      }
      EXPECT_NEAR(static_cast<double>(mapped), kPages / 2.0, 5 * 10.0);  // five standard deviations
      EXPECT_GT(world.mm.map_count(), 60U);
    });
    world.run();
  });
}

}  // namespace
}  // namespace models::mmap_test
