#include "models/mm/rmap.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>

#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::rmap_test {
namespace {

using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr PageIndex kStart{10};
constexpr PageIndex kEnd{30};
constexpr PageCount kPages = kEnd - kStart;
constexpr PageCount kSlots{1000};

// What the states mean, said once more.
bool on_a_list(PageState state) { return state == PageState::resident || state == PageState::cached; }
bool in_memory(PageState state) { return on_a_list(state) || state == PageState::mlocked; }
bool has_slot(PageState state, bool file) {
  return !file && (state == PageState::swapped || state == PageState::cached);
}

std::string name_of(PageState state) {
  switch (state) {
    case PageState::absent:
      return "Absent";
    case PageState::resident:
      return "Resident";
    case PageState::mlocked:
      return "Mlocked";
    case PageState::cached:
      return "Cached";
    case PageState::swapped:
      break;
  }
  return "Swapped";
}

SmallMachineSpec machine(ReclaimEra era = ReclaimEra::linux_6_1) {
  SmallMachineSpec spec;
  spec.memory.era = era;
  spec.memory.swap = SwapSpec{.size = bytes_of(kSlots), .zram = std::nullopt};
  return spec;
}

// Pages [kStart, kEnd) of one owner, absent at first.
class Region {
 public:
  Region(SmallMachine& world, bool file) : world_(world), file_(file) {
    if (!file) return;
    owner_ = world.kernel.zone.add_owner({.mm = &world.mm, .file = true});
    world.mm.set_owner(PageIndex(0), PageIndex(100), owner_);
  }

  // Brings those of [start, end) that are in `from` to `to`, with what the caller has to see to: pages and slots.
  PageCount change(PageIndex start, PageIndex end, PageState from, PageState to) {
    Kernel& kernel = world_.kernel;
    const PageCount pages = world_.mm.page_table.count(start, end, from);
    if (!in_memory(from) && in_memory(to)) kernel.zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, pages, {});
    if (!has_slot(from, file_) && has_slot(to, file_)) (void)kernel.swap.get(pages);
    return change_pages(kernel, world_.mm, start, end, from, to);
  }

  // All is as `mlocked`, ... say: so many pages in each state.
  void check(std::int64_t resident, std::int64_t mlocked, std::int64_t cached, std::int64_t swapped) const {
    const PageTable& table = world_.mm.page_table;
    EXPECT_EQ(table.count(PageIndex(0), PageIndex(100), PageState::resident), PageCount(resident));
    EXPECT_EQ(table.count(PageIndex(0), PageIndex(100), PageState::mlocked), PageCount(mlocked));
    EXPECT_EQ(table.count(PageIndex(0), PageIndex(100), PageState::cached), PageCount(cached));
    EXPECT_EQ(table.count(PageIndex(0), PageIndex(100), PageState::swapped), PageCount(swapped));
    const Zone& zone = world_.kernel.zone;
    ZoneCounts counts;
    const PageList list = counted_on(list_of_new_page(world_.kernel, world_.mm.owner_of(kStart)));
    counts.*list = PageCount(resident + cached);
    counts.unevictable = PageCount(mlocked);
    counts.free = zone.size() - PageCount(resident + cached + mlocked);
    EXPECT_EQ(zone.counts(), counts);
    EXPECT_EQ(world_.kernel.swap.used(), PageCount(file_ ? 0 : cached + swapped));
  }

 private:
  SmallMachine& world_;
  bool file_;
  OwnerId owner_ = 0;
};

// What all pages in `state` come to.
void check_all(const Region& region, PageState state) {
  const std::int64_t all = kPages.count();
  const auto in = [&](PageState each) { return state == each ? all : 0; };
  region.check(in(PageState::resident), in(PageState::mlocked), in(PageState::cached), in(PageState::swapped));
}

struct Change {
  PageState from;
  PageState to;
};
void PrintTo(const Change& change, std::ostream* out) { *out << name_of(change.from) << "To" << name_of(change.to); }

class ChangePages : public testing::TestWithParam<std::tuple<Change, bool>> {};

constexpr auto kAbsent = PageState::absent;
constexpr auto kResident = PageState::resident;
constexpr auto kMlocked = PageState::mlocked;
constexpr auto kCached = PageState::cached;
constexpr auto kSwapped = PageState::swapped;

std::string name_of_test(const testing::TestParamInfo<std::tuple<Change, bool>>& each) {
  return testing::PrintToString(std::get<0>(each.param)) + (std::get<1>(each.param) ? "OfAFile" : "Anonymous");
}
INSTANTIATE_TEST_SUITE_P(, ChangePages,
                         testing::Combine(testing::Values(Change{kAbsent, kResident}, Change{kAbsent, kMlocked},
                                                          Change{kAbsent, kCached}, Change{kResident, kAbsent},
                                                          Change{kResident, kMlocked}, Change{kResident, kCached},
                                                          Change{kMlocked, kAbsent}, Change{kMlocked, kResident},
                                                          Change{kMlocked, kCached}, Change{kCached, kAbsent},
                                                          Change{kCached, kResident}, Change{kCached, kMlocked}),
                                          testing::Bool()),
                         name_of_test);
INSTANTIATE_TEST_SUITE_P(OfSwap, ChangePages,
                         testing::Combine(testing::Values(Change{kAbsent, kSwapped}, Change{kResident, kSwapped},
                                                          Change{kMlocked, kSwapped}, Change{kCached, kSwapped},
                                                          Change{kSwapped, kAbsent}, Change{kSwapped, kResident},
                                                          Change{kSwapped, kMlocked}, Change{kSwapped, kCached}),
                                          testing::Values(false)),
                         name_of_test);

TEST_P(ChangePages, LeavesPagesSlotsAndCountsWhereTheNewStateHasThem) {
  for (const ReclaimEra era : {ReclaimEra::linux_2_6_28, ReclaimEra::linux_6_1}) {
    check_in_child([era] {
      const auto& [change, file] = GetParam();
      SmallMachine world(machine(era));
      Region region(world, file);
      if (change.from != kAbsent) region.change(kStart, kEnd, kAbsent, change.from);
      check_all(region, change.from);
      EXPECT_EQ(region.change(kStart, kEnd, change.from, change.to), kPages);
      // Zapping a mapping of a file leaves the page cache.
      check_all(region, file && change.to == kAbsent && change.from != kCached ? kCached : change.to);
      EXPECT_LE(world.kernel.zone.lru().runs(), 1U);
    });
  }
}

// Every other page is in `from`, the others stay.
TEST_P(ChangePages, PassesOverWhatIsInAnotherState) {
  check_in_child([] {
    const auto& [change, file] = GetParam();
    if (change.from == kAbsent) return;
    SmallMachine world(machine());
    Region region(world, file);
    const PageState other = change.from == kMlocked ? kResident : kMlocked;
    for (PageIndex page = kStart; page < kEnd; page = page + PageCount(2)) {
      region.change(page, page + PageCount(1), kAbsent, change.from);
      region.change(page + PageCount(1), page + PageCount(2), kAbsent, other);
    }
    EXPECT_EQ(region.change(kStart, kEnd, change.from, change.to), PageCount(10));
    const PageState to = file && change.to == kAbsent && change.from != kCached ? kCached : change.to;
    const auto in = [&](PageState each) { return (to == each ? 10 : 0) + (other == each ? 10 : 0); };
    region.check(in(kResident), in(kMlocked), in(kCached), in(kSwapped));
  });
}

TEST_P(ChangePages, AndBackToAbsentLeavesNothingBehind) {
  check_in_child([] {
    const auto& [change, file] = GetParam();
    SmallMachine world(machine());
    const ZoneCounts before = world.kernel.zone.counts();
    Region region(world, file);
    if (change.from != kAbsent) region.change(kStart, kEnd, kAbsent, change.from);
    region.change(kStart, kEnd, change.from, change.to);
    if (change.to != kAbsent) region.change(kStart, kEnd, change.to, kAbsent);
    region.change(kStart, kEnd, kCached, kAbsent);  // the page cache of a file
    EXPECT_EQ(world.kernel.zone.counts(), before);
    EXPECT_EQ(world.kernel.swap.used(), PageCount(0));
    EXPECT_EQ(world.kernel.zone.lru().runs(), 0U);
  });
}

// A page that is mapped keeps its place on its list; the accessed bit is for reclaim to find, in the page table's copy.
TEST(ChangePagesOnAList, MappingWhatIsCachedLeavesItsListAlone) {
  check_in_child([] {
    SmallMachine world(machine());
    Region region(world, true);
    Zone& zone = world.kernel.zone;
    zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, kPages, {});
    const LruRun run{
        .owner = world.mm.owner_of(kStart), .addressed = true, .referenced = true, .start = kStart, .pages = kPages};
    zone.add_to_lru(LruList::active_file, run, {});
    world.mm.page_table.set(kStart, kEnd, kCached);
    EXPECT_EQ(change_pages(world.kernel, world.mm, kStart, kEnd, kCached, kResident), kPages);
    EXPECT_EQ(zone.isolate(LruList::active_file, PageCount(100), {}), run);
  });
}

// do_anonymous_page and munlock find a page touched; readahead does not.
TEST(ChangePagesYoung, WhatIsMappedIsTouchedAndWhatIsReadAheadIsNot) {
  for (const auto& [to, young] : {std::pair(kResident, true), std::pair(kCached, false)}) {
    check_in_child([to = to, young = young] {
      SmallMachine world(machine());
      Region region(world, true);
      region.change(kStart, kEnd, kAbsent, to);
      EXPECT_EQ(world.kernel.zone.isolate(LruList::inactive_file, PageCount(100), {}).young, young);
    });
  }
}

TEST(ListOfNewPage, OfAnonymousMemoryIsActiveIn2628AndInactiveIn61) {
  check_in_child([] {
    SmallMachine world(machine(ReclaimEra::linux_6_1));
    EXPECT_EQ(list_of_new_page(world.kernel, world.mm.anon_owner), LruList::inactive_anon);
    EXPECT_EQ(list_of_new_page(world.kernel, world.kernel.streamed), LruList::inactive_file);
  });
  check_in_child([] {
    SmallMachine world(machine(ReclaimEra::linux_2_6_28));
    EXPECT_EQ(list_of_new_page(world.kernel, world.mm.anon_owner), LruList::active_anon);
    EXPECT_EQ(list_of_new_page(world.kernel, world.kernel.streamed), LruList::inactive_file);
  });
}

}  // namespace
}  // namespace models::rmap_test
