#include "models/mm/swap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>

#include "models/mm/rmap.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::swap_test {
namespace {

using tests::check_in_child;
using tests::kMiB;
using tests::SmallMachine;
using tests::SmallMachineSpec;

SwapSpec swap_of(std::int64_t pages, std::optional<double> ratio = std::nullopt) {
  SwapSpec spec{.size = bytes_of(PageCount(pages)), .zram = std::nullopt};
  if (ratio) spec.zram = ZramSpec{.ratio = *ratio};
  return spec;
}

// ---------------------------------------------------------------------------------------------------------------
// Slots.

TEST(Swap, WithoutASpecificationThereIsNone) {
  Swap swap(std::nullopt);
  EXPECT_EQ(swap.total(), PageCount(0));
  EXPECT_EQ(swap.get(PageCount(1)), PageCount(0));
  EXPECT_EQ(swap.left(), PageCount(0));
  EXPECT_EQ(swap.compressed(), PageCount(0));
  EXPECT_FALSE(swap.zram());
}

TEST(Swap, GivesAsManySlotsAsThereAre) {
  Swap swap(swap_of(100));
  EXPECT_EQ(swap.total(), PageCount(100));
  EXPECT_EQ(swap.get(PageCount(60)), PageCount(60));
  EXPECT_EQ(swap.left(), PageCount(40));
  EXPECT_EQ(swap.get(PageCount(60)), PageCount(40));
  EXPECT_EQ(swap.get(PageCount(1)), PageCount(0));
  EXPECT_EQ(swap.used(), PageCount(100));
  swap.put(PageCount(5));
  EXPECT_EQ(swap.get(PageCount(60)), PageCount(5));
}

TEST(Swap, APartOfAPageIsASlot) {
  const Swap swap(SwapSpec{.size = Bytes(kPageSize + 1), .zram = std::nullopt});
  EXPECT_EQ(swap.total(), PageCount(2));
}

TEST(Swap, OnADeviceTakesNoMemory) {
  Swap swap(swap_of(100));
  (void)swap.get(PageCount(100));
  EXPECT_EQ(swap.compressed(), PageCount(0));
}

// ---------------------------------------------------------------------------------------------------------------
// zram.

TEST(Zram, TakesAPageForEveryRatioPagesBegun) {
  Swap swap(swap_of(100, 3));
  EXPECT_EQ(swap.compressed(), PageCount(0));
  (void)swap.get(PageCount(1));
  EXPECT_EQ(swap.compressed(), PageCount(1));
  (void)swap.get(PageCount(2));
  EXPECT_EQ(swap.compressed(), PageCount(1));
  (void)swap.get(PageCount(1));
  EXPECT_EQ(swap.compressed(), PageCount(2));
  swap.put(PageCount(4));
  EXPECT_EQ(swap.compressed(), PageCount(0));
}

TEST(Zram, WithARatioOfOneSavesNothing) {
  Swap swap(swap_of(100, 1));
  (void)swap.get(PageCount(77));
  EXPECT_EQ(swap.compressed(), PageCount(77));
}

SmallMachineSpec machine(std::optional<double> ratio) {
  SmallMachineSpec spec;
  spec.memory = tests::all_free(Bytes(16 * kMiB), Bytes(kMiB));
  spec.memory.swap = swap_of(2000, ratio);
  return spec;
}

TEST(AccountCompressed, TakesFromFreeAndGivesBackWhateverTheHistory) {
  check_in_child([] {
    SmallMachine world(machine(2.5));
    Kernel& kernel = world.kernel;
    std::mt19937 random(1);
    std::int64_t used = 0;
    for (int step = 0; step < 1000; ++step) {
      const std::int64_t pages = static_cast<std::int64_t>(random() % 300);
      if (random() % 2 == 0) {
        used += kernel.swap.get(PageCount(pages)).count();
      } else {
        kernel.swap.put(PageCount(std::min(pages, used)));
        used -= std::min(pages, used);
      }
      account_compressed(kernel);
      // ceil(used / 2.5), in integers.
      const PageCount compressed((2 * used + 4) / 5);
      ASSERT_EQ(kernel.zone.counts(), (ZoneCounts{.free = PageCount(4096) - compressed, .compressed = compressed}));
    }
  });
}

TEST(AccountCompressed, WithoutZramDoesNothing) {
  check_in_child([] {
    SmallMachine world(machine(std::nullopt));
    (void)world.kernel.swap.get(PageCount(100));
    account_compressed(world.kernel);
    EXPECT_EQ(world.kernel.zone.counts(), ZoneCounts{.free = PageCount(4096)});
  });
}

// Slots whose pages are still being compressed count already. Where free pages do not suffice for them they are taken
// later.
TEST(AccountCompressed, TakesNoMoreThanIsFree) {
  check_in_child([] {
    SmallMachine world(machine(2));
    Kernel& kernel = world.kernel;
    kernel.zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(4096 - 3), {});
    (void)kernel.swap.get(PageCount(32));
    account_compressed(kernel);
    EXPECT_EQ(kernel.zone.counts(), (ZoneCounts{.compressed = PageCount(3), .in_flight = PageCount(4093)}));
    kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, PageCount(32), {});
    account_compressed(kernel);
    EXPECT_EQ(kernel.zone.counts(),
              (ZoneCounts{.free = PageCount(19), .compressed = PageCount(16), .in_flight = PageCount(4061)}));
  });
}

// A page that comes back frees its slot when it is mapped, not when it is read.
TEST(AccountCompressed, FollowsThePagesThatAreMappedAgain) {
  check_in_child([] {
    SmallMachine world(machine(2));
    Kernel& kernel = world.kernel;
    const PageIndex start(10);
    const PageIndex end(30);
    EXPECT_EQ(kernel.swap.get(PageCount(20)), PageCount(20));
    world.mm.page_table.set(start, end, PageState::swapped);
    account_compressed(kernel);
    EXPECT_EQ(kernel.zone.counts().compressed, PageCount(10));
    kernel.zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(20), {});
    EXPECT_EQ(change_pages(kernel, world.mm, start, end, PageState::swapped, PageState::cached), PageCount(20));
    EXPECT_EQ(kernel.zone.counts().compressed, PageCount(10));
    EXPECT_EQ(change_pages(kernel, world.mm, start, PageIndex(14), PageState::cached, PageState::resident),
              PageCount(4));
    EXPECT_EQ(kernel.zone.counts().compressed, PageCount(8));
    EXPECT_EQ(kernel.zone.counts().total(), kernel.zone.size());
  });
}

}  // namespace
}  // namespace models::swap_test
