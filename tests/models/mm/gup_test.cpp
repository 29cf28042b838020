// Populating: what several tasks that do it at once have to share, the bandwidth of memory and the pages themselves.
#include "models/mm/gup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::gup_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::kMiB;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kPage = 1'000ns;
constexpr std::int64_t kPages = 6'400;

class Populate : public testing::TestWithParam<bool> {
 protected:
  static SmallMachineSpec machine() {
    SmallMachineSpec spec;
    spec.stepwise = GetParam();
    spec.costs.populate_page = sim::Constant{kPage};
    return spec;
  }
};
INSTANTIATE_TEST_SUITE_P(, Populate, testing::Bool(),
                         [](const auto& each) { return each.param ? "Stepwise" : "Default"; });

void populate(Task& current, Mm& mm, std::int64_t start, std::int64_t end) {
  mm.mmap_sem.down_read(current);
  get_user_pages(current, mm, *mm.find_vma(PageIndex(start)), PageIndex(start), PageIndex(end));
  mm.mmap_sem.up_read(current);
}

// --- bandwidth -------------------------------------------------------------------------------------------------

// 4 GB/s are 1,024 ns a page.
constexpr Bytes kBandwidth{4'000'000'000};

TEST_P(Populate, ByOneTaskTakesThePagesCostOrWhatTheBandwidthLeaves) {
  for (const auto& [bandwidth, page] : {std::pair{std::optional<Bytes>{}, kPage},
                                        {std::optional(Bytes(2 * kBandwidth.count())), kPage},
                                        {std::optional(kBandwidth), 1'024ns},
                                        {std::optional(Bytes(kBandwidth.count() / 2)), 2'048ns}}) {
    check_in_child([bandwidth = bandwidth, page = page] {
      SmallMachineSpec spec = machine();
      spec.clear_bandwidth = bandwidth;
      SmallMachine world(spec);
      tests::make_map(world, "0-6400");
      world.add([&](Task& task) { populate(task, world.mm, 0, kPages); });
      world.run();
      EXPECT_EQ(world.now(), at(0) + page * kPages);
    });
  }
}

TEST_P(Populate, ByManyTasksAtOnceTakesWhatTheBandwidthAllows) {
  for (const int tasks : {2, 8}) {
    check_in_child([&] {
      SmallMachineSpec spec = machine();
      spec.clear_bandwidth = Bytes(kBandwidth.count() * 4);
      SmallMachine world(spec);
      tests::make_map(world, "0-100000");
      for (int task = 0; task < tasks; ++task) {
        const std::int64_t start = task * kPages;
        world.add([&, start](Task& current) { populate(current, world.mm, start, start + kPages); });
      }
      world.run();
      const Nanoseconds page = std::max<Nanoseconds>(kPage, Nanoseconds{tasks * 256});
      // The first batches begin when not everybody is there yet, the last end when some have left.
      EXPECT_GE(world.now(), at(0) + page * (kPages - 128));
      EXPECT_LE(world.now(), at(0) + page * kPages);
      tests::check_pages(world, PageCount(0), PageCount(tasks * kPages));
    });
  }
}

// --- of a locked VMA -------------------------------------------------------------------------------------------

TEST_P(Populate, OfALockedVmaMlocksNewPagesFromTheBeginningAtNoPriceOfItsOwn) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.costs.mlock_page = sim::Constant{Nanoseconds{77}};
    SmallMachine world(spec);
    tests::make_map(world, "0-6400");
    world.mm.find_vma(PageIndex(0))->flags.locked = true;
    world.mm.locked_vm = PageCount(kPages);
    world.add([&](Task& task) { populate(task, world.mm, 0, kPages); });
    world.run();
    EXPECT_EQ(world.now(), at(0) + kPage * kPages);
    tests::check_pages(world, PageCount(kPages), PageCount(0));
  });
}

// --- the same pages --------------------------------------------------------------------------------------------

// By itself, or while others look: the pages of a batch appear when its last one is cleared, wherever it is.
TEST_P(Populate, OfALockedVmaAppearsBatchByBatchHoweverFarAheadItIsDone) {
  for (const std::int64_t first : {0, 16, 512}) {
    check_in_child([first] {
      SmallMachine world(machine());
      world.mm.insert_vma(PageIndex(0), PageIndex(kPages), {.locked = true});
      world.add([&](Task& task) {
        populate_vma_pages_range(task, world.mm, *world.mm.find_vma(PageIndex(0)), PageIndex(first), PageIndex(kPages),
                                 IoWait::under_lock);
      });
      const auto mlocked = [&] {
        return world.mm.page_table.count(PageIndex(0), PageIndex(kPages), PageState::mlocked);
      };
      world.add([&](Task& other) {
        for (const std::int64_t done : {3, 16, 17, 511, 512, 513, 1'600, 1'601, 4'000}) {
          other.sleep_until(at(0) + kPage * done + 1ns);
          EXPECT_EQ(mlocked(), PageCount(done / 16 * 16)) << done;
          EXPECT_EQ(world.kernel.zone.counts().unevictable, mlocked()) << done;
        }
      });
      world.run();
      EXPECT_EQ(world.now(), at(0) + kPage * (kPages - first));
      world.mm.locked_vm = PageCount(kPages);
      tests::check_pages(world, PageCount(kPages - first), PageCount(0));
    });
  }
}

TEST_P(Populate, OfALockedVmaInHugePagesAppearsOneByOne) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    constexpr Nanoseconds kHuge = 100us;
    spec.costs.populate_huge = sim::Constant{kHuge};
    SmallMachine world(spec);
    constexpr std::int64_t kAll = 50 * 512;
    world.mm.insert_vma(PageIndex(0), PageIndex(kAll), {.locked = true, .folio_order = kPmdOrder});
    world.add([&](Task& task) {
      populate_vma_pages_range(task, world.mm, *world.mm.find_vma(PageIndex(0)), PageIndex(0), PageIndex(kAll),
                               IoWait::under_lock);
    });
    const auto mlocked = [&] { return world.mm.page_table.count(PageIndex(0), PageIndex(kAll), PageState::mlocked); };
    world.add([&](Task& other) {
      for (const std::int64_t done : {1, 2, 33, 35}) {
        other.sleep_until(at(0) + kHuge * done + 1ns);
        EXPECT_EQ(mlocked(), PageCount(done * 512)) << done;
      }
    });
    world.run();
    EXPECT_EQ(world.now(), at(0) + kHuge * 50);
    EXPECT_TRUE(world.mm.page_table.folios_at(PageIndex(0), PageIndex(kAll)).folio.whole);
    EXPECT_EQ(mlocked(), PageCount(kAll));
  });
}

TEST(PopulateUndisturbed, LeavesToGetUserPagesWhatIsNotSimple) {
  struct Case {
    const char* what;
    std::function<void(SmallMachine&, Task&)> prepare;
    std::int64_t reached;
  };
  const std::vector<Case> cases{
      {"alone", [](SmallMachine&, Task&) {}, 512},
      {"a page is there", [](SmallMachine& world, Task&) { tests::make_present(world, 40, 41, PageState::mlocked); },
       32},
      {"somebody is due", [](SmallMachine& world, Task&) { world.kernel.reclaim.kswapd->wake(); }, 0},
      {"not locked", [](SmallMachine& world, Task&) { world.mm.find_vma(PageIndex(0))->flags.locked = false; }, 0},
      {"a group", [](SmallMachine& world, Task&) { world.mm.memcg = 1; }, 0},
  };
  for (const Case& each : cases) {
    check_in_child([&] {
      SmallMachineSpec spec;
      spec.costs.populate_page = sim::Constant{kPage};
      spec.with_kswapd = true;
      SmallMachine world(spec);
      world.mm.insert_vma(PageIndex(0), PageIndex(kPages), {.locked = true});
      world.add([&](Task& task) {
        task.work(1ms);
        task.settle();
        each.prepare(world, task);
        const PageIndex reached =
            populate_undisturbed(task, world.mm, *world.mm.find_vma(PageIndex(0)), PageIndex(0), PageIndex(kPages), 1);
        EXPECT_EQ(reached, PageIndex(each.reached)) << each.what;
        world.engine.stop();
      });
      world.run();
    });
  }
}

TEST_P(Populate, OfTheSamePagesByEightTasksAllocatesThemOnce) {
  check_in_child([&] {
    SmallMachine world(machine());
    tests::make_map(world, "0-6400");
    for (int task = 0; task < 8; ++task) {
      world.add([&](Task& current) { populate(current, world.mm, 0, kPages); });
    }
    world.run();
    EXPECT_EQ(world.kernel.zone.allocated(), static_cast<std::uint64_t>(kPages));
    tests::check_pages(world, PageCount(0), PageCount(kPages));
    EXPECT_GE(world.now(), at(0) + kPage * kPages);  // no faster than one alone
    EXPECT_LE(world.now(), at(0) + kPage * (kPages + 16));
  });
}

TEST_P(Populate, GoesUpToWhereAnotherIsClearingAndPassesOverWhatItHasDone) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.costs.gup_present = 1ns;
    SmallMachine world(spec);
    tests::make_map(world, "0-6400");
    world.add([&](Task& current) {
      populate(current, world.mm, 40, 100);
      EXPECT_EQ(current.settle(), at(0) + 60 * kPage);
    });
    world.add([&](Task& current) {
      populate(current, world.mm, 0, 100);
      const Nanoseconds looks = 60ns;
      EXPECT_GE(current.settle(), at(0) + 60 * kPage + looks);
      EXPECT_LE(current.settle(), at(0) + 61 * kPage + looks);
    });
    world.run();
    EXPECT_EQ(world.kernel.zone.allocated(), 100U);
    tests::check_pages(world, PageCount(0), PageCount(100));
  });
}

// On one CPU the others have it while somebody is in the middle of a batch.
TEST_P(Populate, DoesNotWaitForOneThatHasLostItsCpu) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.cpus = 1;
    spec.scheduler = tests::in_turns(10us);
    spec.scheduler.preempt = Preemption::full;
    SmallMachine world(spec);
    tests::make_map(world, "0-6400");
    for (int task = 0; task < 3; ++task) {
      world.add([&](Task& current) { populate(current, world.mm, 0, 640); });
    }
    world.run();
    tests::check_pages(world, PageCount(0), PageCount(640));
    EXPECT_LE(world.kernel.zone.allocated(), 3U * 640U);
  });
}

// --- the lists' lock -------------------------------------------------------------------------------------------

TEST_P(Populate, QueuesForTheLruvecLockWhereManyWantItAndPaysNothingForItAlone) {
  for (const int tasks : {1, 8}) {
    check_in_child([&] {
      SmallMachineSpec spec = machine();
      spec.costs.lruvec_lock = kPage / 4;
      SmallMachine world(spec);
      tests::make_map(world, "0-100000");
      for (int task = 0; task < tasks; ++task) {
        const std::int64_t start = task * kPages;
        world.add([&, start](Task& current) { populate(current, world.mm, start, start + kPages); });
      }
      world.run();
      // Four have the lock all of the time between them.
      const Nanoseconds page = tasks == 1 ? kPage : kPage * tasks / 4;
      EXPECT_GE(world.now(), at(0) + page * (kPages - 256));
      EXPECT_LE(world.now(), at(0) + page * (kPages + 256));
    });
  }
}

}  // namespace
}  // namespace models::gup_test
