// MADV_COLLAPSE: what it makes of each kind of range, under which locks, and what that takes.
#include "models/mm/khugepaged.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>

#include "models/mm/madvise.h"
#include "models/mm/mm.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::khugepaged_test {
namespace {

using namespace std::chrono_literals;
using tests::check_in_child;
using tests::make_present;
using tests::make_resident;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr std::int64_t kHuge = 512;

void collapse(std::int64_t start, std::int64_t pages, int expected, const std::function<void(SmallMachine&)>& before,
              const std::function<void(SmallMachine&, sim::Nanoseconds)>& after) {
  check_in_child([&] {
    SmallMachineSpec spec;
    spec.costs.collapse_page = sim::Nanoseconds{1'000};
    spec.costs.collapse_absent = sim::Nanoseconds{100};
    SmallMachine world(spec);
    before(world);
    world.add([&](Task& task) {
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(start), PageCount(pages), Advice::collapse), expected);
      after(world, task.settle().time_since_epoch());
    });
    world.run();
  });
}

bool is_huge(const SmallMachine& world, std::int64_t index) {
  return world.mm.page_table.folios_at(PageIndex(index), PageIndex(index + 1)).folio.whole;
}

TEST(MadviseCollapse, CopiesWhatIsThereAndClearsTheRest) {
  const auto before = [](SmallMachine& world) {
    tests::add_vma(world, 0, 2 * kHuge, {});
    make_resident(world, 0, 10);
    make_resident(world, kHuge, 2 * kHuge);
  };
  collapse(0, 2 * kHuge, 0, before, [](const SmallMachine& world, sim::Nanoseconds took) {
    EXPECT_EQ(took, 10 * 1us + 502 * 100ns + 512 * 1us);
    EXPECT_TRUE(is_huge(world, 0) && is_huge(world, kHuge));
    EXPECT_EQ(world.kernel.zone.counts().evictable(), PageCount(2 * kHuge));
    EXPECT_EQ(world.kernel.zone.counts().in_flight, PageCount(0));
  });
}

TEST(MadviseCollapse, KeepsLockedPagesLocked) {
  const auto before = [](SmallMachine& world) { tests::add_vma(world, 0, kHuge, {.locked = true}); };
  collapse(0, kHuge, 0, before, [](const SmallMachine& world, sim::Nanoseconds) {
    EXPECT_TRUE(is_huge(world, 0));
    EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(kHuge));
  });
}

TEST(MadviseCollapse, RefusesARangeWithoutPagesOrWithPagesInSwap) {
  const auto before = [](SmallMachine& world) {
    tests::add_vma(world, 0, 2 * kHuge, {});
    make_resident(world, kHuge, kHuge + 1);
    world.mm.page_table.set(PageIndex(kHuge + 1), PageIndex(kHuge + 2), PageState::swapped);
  };
  collapse(0, 2 * kHuge, -EINVAL, before, [](SmallMachine& world, sim::Nanoseconds took) {
    EXPECT_EQ(took, 0ns);
    EXPECT_FALSE(is_huge(world, 0) || is_huge(world, kHuge));
    world.mm.page_table.set(PageIndex(kHuge + 1), PageIndex(kHuge + 2), PageState::absent);
  });
}

TEST(MadviseCollapse, TakesOnlyWhatIsAlignedAndInOneVma) {
  const auto before = [](SmallMachine& world) {
    tests::add_vma(world, 0, kHuge + 100, {});
    tests::add_vma(world, kHuge + 100, 3 * kHuge, {.readonly = true});
    make_resident(world, 0, 3 * kHuge);
  };
  collapse(100, 3 * kHuge - 100, -EINVAL, before, [](const SmallMachine& world, sim::Nanoseconds) {
    EXPECT_FALSE(is_huge(world, 0)) << "begins before the range";
    EXPECT_FALSE(is_huge(world, kHuge)) << "in two VMAs";
    EXPECT_TRUE(is_huge(world, 2 * kHuge));
  });
}

}  // namespace
}  // namespace models::khugepaged_test
