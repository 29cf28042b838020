// ksmd's rounds: which pages they come to, how long mmap_sem is held for each, and where the next one goes on.
#include "models/mm/ksm.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "models/mm/mm.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::ksm_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::make_resident;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kFound = 70ns;
constexpr Nanoseconds kAbsent = 30ns;
constexpr Nanoseconds kPage = 1us;

SmallMachineSpec machine(bool jumps_holes = false) {
  SmallMachineSpec spec;
  spec.costs.gup_present = kFound;
  spec.costs.mincore_page = kAbsent;
  spec.policy.ksm_jumps_holes = jumps_holes;
  return spec;
}

// Memory that has been touched before: VMAs without an anon_vma have no page.
void add_touched(SmallMachine& world, std::int64_t start, std::int64_t end, VmFlags flags = {}) {
  tests::add_vma(world, start, end, flags);
  world.mm.anon_vma_prepare(*world.mm.find_vma(PageIndex(start)));
}

struct Round {
  Nanoseconds took;
  std::int64_t address;
  bool operator==(const Round&) const = default;
};

std::vector<Round> rounds(int count, const SmallMachineSpec& spec, const std::function<void(SmallMachine&)>& before) {
  SmallMachine world(spec);
  before(world);
  std::vector<Round> found;
  world.add([&](Task& task) {
    const KsmSpec settings{.target = "", .pages_to_scan = PageCount(100), .page = sim::Constant{kPage}};
    PageIndex address;
    for (int round = 0; round < count; ++round) {
      const sim::Time began = task.settle();
      ksm_do_scan(task, world.mm, settings, address);
      found.push_back({task.settle() - began, address.index()});
    }
  });
  world.run();
  return found;
}

TEST(Ksm, LooksAtSoManyPagesARoundAndGoesOnThereUntilTheEndOfTheAddressSpace) {
  check_in_child([] {
    const auto before = [](SmallMachine& world) {
      add_touched(world, 1'000, 1'250);
      make_resident(world, 1'000, 1'250);
    };
    EXPECT_EQ(rounds(4, machine(), before), (std::vector<Round>{{100 * (kFound + kPage), 1'100},
                                                                {100 * (kFound + kPage), 1'200},
                                                                {50 * (kFound + kPage), 0},
                                                                {100 * (kFound + kPage), 1'100}}));
  });
}

TEST(Ksm, PassesOverWhatCannotBeMergedAndWhatHasNeverBeenTouched) {
  check_in_child([] {
    const auto before = [](SmallMachine& world) {
      add_touched(world, 0, 10, {.io_pfnmap = true});
      tests::add_vma(world, 10, 20, {.shared = true});
      make_resident(world, 10, 20);
      tests::add_vma(world, 30, 1'000'000, {});
      add_touched(world, 2'000'000, 2'000'010, {.readonly = true});
      make_resident(world, 2'000'000, 2'000'010);
    };
    EXPECT_EQ(rounds(1, machine(), before), (std::vector<Round>{{10 * (kFound + kPage), 0}}));
  });
}

// The hold that a hole makes: address by address, in one. And none where page tables are passed over.
TEST(Ksm, HoldsMmapSemForAsLongAsAHoleIsUnlessItJumpsOverIt) {
  constexpr std::int64_t kHole = 1'000'000;
  for (const bool jumps : {false, true}) {
    check_in_child([&] {
      SmallMachine world(machine(jumps));
      add_touched(world, 0, kHole + 1);
      make_resident(world, kHole, kHole + 1);
      const Nanoseconds hold = jumps ? kFound : kHole * kAbsent + kFound;
      world.add([&](Task& task) {
        PageIndex address;
        ksm_do_scan(task, world.mm, {.target = "", .pages_to_scan = PageCount(1), .page = {}}, address);
        EXPECT_EQ(task.settle().time_since_epoch(), hold);
        EXPECT_EQ(address, PageIndex(kHole + 1));
      });
      if (!jumps) {
        world.add_at(1'000, [&](Task& task) {
          world.mm.mmap_sem.down_write(task);
          EXPECT_EQ(task.settle().time_since_epoch(), hold);
          world.mm.mmap_sem.up_write(task);
        });
      }
      world.run();
    });
  }
}

// Between two pages everybody else has a turn: a writer waits for one look, not for the round.
TEST(Ksm, HoldsItForOnePageAtATime) {
  check_in_child([] {
    SmallMachine world(machine());
    add_touched(world, 0, 100);
    make_resident(world, 0, 100);
    world.add([&](Task& task) {
      PageIndex address;
      ksm_do_scan(task, world.mm, {.target = "", .pages_to_scan = PageCount(100), .page = sim::Constant{kPage}},
                  address);
    });
    Task& writer = world.add_at(10, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.settle().time_since_epoch(), kFound);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
    EXPECT_EQ(world.spent(writer, Cause::lock_wait), kFound - 10ns);
  });
}

}  // namespace
}  // namespace models::ksm_test
