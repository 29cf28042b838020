// VMAs take pages, one for sixteen, under the write hold that makes them.
#include "models/mm/vma_slab.h"

#include <gtest/gtest.h>

#include "models/fork.h"
#include "models/mm/mmap.h"
#include "models/mm/mprotect.h"
#include "models/mm/vma_modify.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::vma_slab_test {
namespace {

using namespace std::chrono_literals;
using tests::at;
using tests::check_in_child;
using tests::kMiB;
using tests::SmallMachine;
using tests::SmallMachineSpec;

void map_pages(Task& task, Mm& mm, int first, int last) {
  for (int place = first; place < last; ++place) {
    EXPECT_EQ(sys_mmap(task, mm, PageIndex(1000 + 2 * place), PageCount(1)), 0);
  }
}

TEST(VmaSlab, TakesAPageForSixteenNewVmasAndKeepsItWhenTheyAreGone) {
  check_in_child([] {
    SmallMachine world;
    const auto slab = [&] { return world.kernel.zone.counts().slab.count(); };
    world.add([&](Task& task) {
      map_pages(task, world.mm, 0, 1);
      EXPECT_EQ(slab(), 1);
      map_pages(task, world.mm, 1, 16);
      EXPECT_EQ(slab(), 1);
      map_pages(task, world.mm, 16, 17);
      EXPECT_EQ(slab(), 2);
      EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(1000), PageCount(100)), 0);
      EXPECT_EQ(world.kernel.vma_slab.free_objects, 32);
      map_pages(task, world.mm, 0, 32);
      EXPECT_EQ(slab(), 2);
    });
    world.run();
    tests::check_pages(world, PageCount(0), PageCount(0));
  });
}

TEST(VmaSlab, CountsWhatIsSplitJoinedAndForked) {
  check_in_child([] {
    SmallMachine world;
    tests::make_map(world, "10-40");
    const auto in_use = [&] {
      return world.kernel.zone.counts().slab.count() * kVmasPerSlabPage - world.kernel.vma_slab.free_objects;
    };
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mprotect(task, world.mm, PageIndex(20), PageCount(10), true), 0);
      EXPECT_EQ(in_use(), 2);
      EXPECT_EQ(sys_fork(task, world.mm), 0);  // its child execs
      EXPECT_EQ(in_use(), 2);
      EXPECT_EQ(sys_mprotect(task, world.mm, PageIndex(20), PageCount(10), false), 0);
      EXPECT_EQ(in_use(), 0);
      EXPECT_EQ(tests::map_of(world.mm), "10-40");
      EXPECT_EQ(sys_munmap(task, world.mm, PageIndex(20), PageCount(10)), 0);
      EXPECT_EQ(in_use(), 1);  // two more by the splits, one fewer by the hole
      EXPECT_EQ(sys_mmap(task, world.mm, PageIndex(20), PageCount(10)), 0);
      EXPECT_EQ(in_use(), 0);  // joined with both
    });
    world.run();
  });
}

TEST(VmaSlab, GivesBackWhatASplitBeyondTheLimitDoesNotNeed) {
  check_in_child([] {
    SmallMachine world;
    tests::make_map(world, "10-40");
    world.mm.max_map_count = 1;
    world.add([&](Task& task) {
      EXPECT_EQ(sys_mprotect(task, world.mm, PageIndex(20), PageCount(10), true), -ENOMEM);
      EXPECT_EQ(world.kernel.zone.allocated(), 0U);
    });
    world.run();
  });
}

// The classic: everything in the process waits while one thread reclaims in mmap.
TEST(VmaSlab, ReclaimsUnderWriteModeWhenMemoryIsShort) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.memory = tests::all_free(Bytes(64 * kMiB), Bytes(4 * kMiB));
    spec.costs.scan_page = sim::Constant{1us};
    SmallMachine world(spec);
    // Nothing is left above min, and page cache that nobody uses may be taken.
    const PageCount cache = pages_of(Bytes(60 * kMiB));
    world.kernel.zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, cache, {});
    world.kernel.zone.add_to_lru(LruList::inactive_file,
                                 {.owner = world.kernel.streamed, .clean = true, .pages = cache}, {});
    world.add([&](Task& task) { map_pages(task, world.mm, 0, 1); });
    world.run();
    EXPECT_EQ(world.kernel.reclaim.statistics.direct_stalls.count(), 1U);
    EXPECT_GE(world.mm.mmap_sem.statistics().hold.at({0, Phase::mmap, LockMode::write}).max(), 32us);
    EXPECT_EQ(world.kernel.zone.counts().total(), pages_of(Bytes(64 * kMiB)));
  });
}

}  // namespace
}  // namespace models::vma_slab_test
