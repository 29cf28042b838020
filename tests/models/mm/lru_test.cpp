#include "models/mm/lru.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace models::lru_test {
namespace {

using sim::Nanoseconds;

constexpr std::array<LruList, kLruLists> kLists{LruList::inactive_anon, LruList::active_anon, LruList::inactive_file,
                                                LruList::active_file};

sim::Time at(std::int64_t nanoseconds) { return sim::Time{Nanoseconds{nanoseconds}}; }

LruRun pages(OwnerId owner, std::int64_t start, std::int64_t end, std::int64_t since = 0) {
  return {.owner = owner,
          .addressed = true,
          .start = PageIndex(start),
          .pages = PageCount(end - start),
          .since = at(since)};
}

LruRun marked(LruRun run, bool young, bool referenced, bool clean) {
  run.young = young;
  run.referenced = referenced;
  run.clean = clean;
  return run;
}

// Pages without addresses.
LruRun some(OwnerId owner, std::int64_t count, std::int64_t since = 0) {
  return {.owner = owner, .pages = PageCount(count), .since = at(since)};
}

// ---------------------------------------------------------------------------------------------------------------
// What the lists are by definition: lists of single pages.

struct Page {
  OwnerId owner;
  bool addressed;
  std::int64_t address;
  bool young;
  bool referenced;
  bool clean;
  sim::Time since;
};

class SinglePages {
 public:
  void add(LruList list, const LruRun& run) {
    for (std::int64_t page = 0; page < run.pages.count(); ++page) of(list).push_back(page_of(run, page));
  }
  // The lowest address is the next to be looked at.
  void add_tail(LruList list, const LruRun& run) {
    for (std::int64_t page = run.pages.count(); page-- > 0;) of(list).push_front(page_of(run, page));
  }
  // Takes `run` from the old end; says what is wrong with it.
  std::string isolate(LruList list, PageCount most, const LruRun& run) {
    if (run.pages < PageCount(1) || run.pages > most) return "too few or too many";
    if (run.pages.count() > static_cast<std::int64_t>(of(list).size())) return "more than there are";
    for (std::int64_t each = 0; each < run.pages.count(); ++each) {
      const Page page = of(list).front();
      of(list).pop_front();
      if (page.owner != run.owner || page.addressed != run.addressed) return "somebody else's page";
      if (page.addressed && page.address != run.start.index() + each) return "another address";
      if (page.young != run.young || page.referenced != run.referenced || page.clean != run.clean) return "not alike";
      if (each == 0 && run.since > page.since) return "older than the run says";
      if (page.since - run.since > Lru::kSameAge) return "younger than the run says";
    }
    return "";
  }
  std::array<PageCount, kLruLists> remove(OwnerId owner, PageIndex start, PageIndex end) {
    std::array<PageCount, kLruLists> removed{};
    for (std::size_t list = 0; list < kLruLists; ++list) {
      removed[list] = PageCount(static_cast<std::int64_t>(std::erase_if(lists_[list], [&](const Page& page) {
        return page.owner == owner && page.addressed && PageIndex(page.address) >= start &&
               PageIndex(page.address) < end;
      })));
    }
    return removed;
  }
  [[nodiscard]] PageCount size(LruList list) { return PageCount(static_cast<std::int64_t>(of(list).size())); }

 private:
  static Page page_of(const LruRun& run, std::int64_t number) {
    return {run.owner, run.addressed, run.start.index() + number, run.young, run.referenced, run.clean, run.since};
  }
  std::deque<Page>& of(LruList list) { return lists_[static_cast<std::size_t>(list)]; }

  std::array<std::deque<Page>, kLruLists> lists_;
};

class LruHistory : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(, LruHistory, testing::Range(1, 21));

TEST_P(LruHistory, IsThatOfListsOfSinglePages) {
  constexpr int kSteps = 20'000;
  constexpr std::int64_t kAddresses = 200;
  constexpr OwnerId kOwners = 4;  // the last one without addresses
  std::mt19937 random(static_cast<std::uint32_t>(GetParam()));
  const auto below = [&](std::int64_t bound) {
    return std::uniform_int_distribution<std::int64_t>(0, bound - 1)(random);
  };
  Lru lru;
  SinglePages naive;
  std::array<std::set<std::int64_t>, kOwners> listed;  // addresses that are on a list
  std::int64_t now = 0;
  for (int step = 0; step < kSteps; ++step) {
    now += below(3'000'000);
    const LruList list = kLists[static_cast<std::size_t>(below(kLruLists))];
    const auto owner = static_cast<OwnerId>(below(kOwners));
    const std::int64_t start = below(kAddresses);
    std::int64_t end = start + 1 + below(20);
    const std::int64_t what = below(10);
    if (what < 6) {
      LruRun run = some(owner, end - start, now);
      if (owner != kOwners - 1) {  // as many addresses from `start` on as are on no list
        auto& taken = listed[static_cast<std::size_t>(owner)];
        end = std::min(end, taken.lower_bound(start) == taken.end() ? end : *taken.lower_bound(start));
        if (end == start) continue;
        run = pages(owner, start, end, now);
        for (std::int64_t page = start; page < end; ++page) taken.insert(page);
      }
      run.young = below(4) == 0;
      run.referenced = below(4) == 0;
      run.clean = below(4) == 0;
      if (what == 0) {
        lru.add_tail(list, run);
        naive.add_tail(list, run);
      } else {
        lru.add(list, run);
        naive.add(list, run);
      }
    } else if (what < 8) {
      if (lru.size(list) == PageCount(0)) continue;
      const PageCount most(1 + below(40));
      const LruRun run = lru.isolate(list, most);
      ASSERT_EQ(naive.isolate(list, most, run), "") << "step " << step;
      if (run.addressed) {
        for (std::int64_t page = 0; page < run.pages.count(); ++page) {
          listed[static_cast<std::size_t>(run.owner)].erase(run.start.index() + page);
        }
      }
    } else {
      ASSERT_EQ(lru.remove(owner, PageIndex(start), PageIndex(end)),
                naive.remove(owner, PageIndex(start), PageIndex(end)))
          << "step " << step;
      auto& taken = listed[static_cast<std::size_t>(owner)];
      taken.erase(taken.lower_bound(start), taken.lower_bound(end));
    }
    PageCount all;
    for (const LruList each : kLists) {
      ASSERT_EQ(lru.size(each), naive.size(each)) << "step " << step;
      all += lru.size(each);
    }
    ASSERT_LE(lru.runs(), static_cast<std::size_t>(all.count()));
  }
  // To the last page.
  for (const LruList list : kLists) {
    while (lru.size(list) > PageCount(0)) {
      ASSERT_EQ(naive.isolate(list, PageCount(1000), lru.isolate(list, PageCount(1000))), "");
    }
    EXPECT_EQ(naive.size(list), PageCount(0));
  }
  EXPECT_EQ(lru.runs(), 0U);
}

// ---------------------------------------------------------------------------------------------------------------
// Order and ends.

TEST(Lru, GivesTheOldestFirstAndTheLowestAddressOfARunFirst) {
  Lru lru;
  lru.add(LruList::inactive_file, pages(0, 50, 60));
  lru.add(LruList::inactive_file, pages(0, 10, 20));
  EXPECT_EQ(lru.isolate(LruList::inactive_file, PageCount(4)), pages(0, 50, 54));
  EXPECT_EQ(lru.isolate(LruList::inactive_file, PageCount(100)), pages(0, 54, 60));
  EXPECT_EQ(lru.isolate(LruList::inactive_file, PageCount(100)), pages(0, 10, 20));
  EXPECT_EQ(lru.size(LruList::inactive_file), PageCount(0));
}

TEST(Lru, WhatComesToTheOldEndIsTakenNext) {
  Lru lru;
  lru.add(LruList::inactive_anon, pages(0, 10, 20));
  lru.add_tail(LruList::inactive_anon, pages(0, 50, 60));
  lru.add_tail(LruList::inactive_anon, pages(0, 30, 40));
  EXPECT_EQ(lru.isolate(LruList::inactive_anon, PageCount(100)), pages(0, 30, 40));
  EXPECT_EQ(lru.isolate(LruList::inactive_anon, PageCount(100)), pages(0, 50, 60));
  EXPECT_EQ(lru.isolate(LruList::inactive_anon, PageCount(100)), pages(0, 10, 20));
}

TEST(Lru, AHoleKeepsThePlacesOfWhatLiesAroundIt) {
  Lru lru;
  lru.add(LruList::active_file, pages(0, 0, 100));
  lru.add(LruList::active_file, pages(1, 0, 10));
  lru.add(LruList::inactive_file, pages(0, 100, 110));
  const auto removed = lru.remove(0, PageIndex(40), PageIndex(105));
  EXPECT_EQ(removed, (std::array{PageCount(0), PageCount(0), PageCount(5), PageCount(60)}));
  EXPECT_EQ(lru.isolate(LruList::active_file, PageCount(100)), pages(0, 0, 40));
  EXPECT_EQ(lru.isolate(LruList::active_file, PageCount(100)), pages(1, 0, 10));
  EXPECT_EQ(lru.isolate(LruList::inactive_file, PageCount(100)), pages(0, 105, 110));
}

TEST(Lru, PagesOfNoAddressCannotBeRemoved) {
  Lru lru;
  lru.add(LruList::inactive_file, some(3, 10));
  EXPECT_EQ(lru.remove(3, PageIndex(0), PageIndex(100)), (std::array<PageCount, kLruLists>{}));
  EXPECT_EQ(lru.size(LruList::inactive_file), PageCount(10));
}

// ---------------------------------------------------------------------------------------------------------------
// Generations.

// What they are by definition: of each type a set of pages for each number.
class SingleGenerations {
 public:
  using Set = std::multiset<std::pair<OwnerId, std::int64_t>>;

  static std::pair<OwnerId, std::int64_t> page_of(const LruRun& run, std::int64_t page) {
    return {run.owner, run.addressed ? run.start.index() + page : -1};
  }
  void add(bool file, std::int64_t seq, const LruRun& run) {
    for (std::int64_t page = 0; page < run.pages.count(); ++page) sets_[file][seq].insert(page_of(run, page));
  }
  // Returns whether they were there.
  bool take(bool file, std::int64_t seq, const LruRun& run) {
    Set& set = sets_[file][seq];
    for (std::int64_t page = 0; page < run.pages.count(); ++page) {
      const auto found = set.find(page_of(run, page));
      if (found == set.end()) return false;
      set.erase(found);
    }
    return true;
  }
  PageCount remove(OwnerId owner, std::int64_t start, std::int64_t end) {
    PageCount removed;
    for (auto& type : sets_) {
      for (auto& [seq, set] : type) {
        for (std::int64_t page = start; page < end; ++page)
          removed += PageCount(static_cast<std::int64_t>(set.erase({owner, page})));
      }
    }
    return removed;
  }
  void join(bool file, std::int64_t from, std::int64_t to) {
    sets_[file][to].merge(sets_[file][from]);
    sets_[file].erase(from);
  }
  [[nodiscard]] PageCount size(bool file, std::int64_t seq) {
    return PageCount(static_cast<std::int64_t>(sets_[file][seq].size()));
  }

 private:
  std::array<std::map<std::int64_t, Set>, 2> sets_;
};

// All pages can be evicted: anonymous ones that cannot are another test's.
TEST(LruGenerations, AreSetsOfPagesOnRandomHistories) {
  std::mt19937_64 random(7);
  const auto below = [&](std::int64_t bound) { return static_cast<std::int64_t>(random() % bound); };
  Lru lru(ReclaimKind::mglru);
  SingleGenerations naive;
  std::set<std::int64_t> listed;
  for (std::int64_t step = 0; step < 5'000; ++step) {
    const Generations before = lru.generations();
    const auto& [max_seq, min_seq] = before;
    const LruList list = kLists[static_cast<std::size_t>(below(4))];
    const bool file = is_file(list);
    const std::int64_t start = below(1'000);
    const std::int64_t what = below(12);
    if (what < 5) {  // owner 0 is anonymous, with addresses; 1 files, without
      const OwnerId owner = file ? 1 : 0;
      std::int64_t end = start + 1 + below(60);
      LruRun run = some(owner, end - start, step);
      if (!file) {
        end = std::min(end, listed.lower_bound(start) == listed.end() ? end : *listed.lower_bound(start));
        if (end == start) continue;
        run = pages(owner, start, end, step);
        for (std::int64_t page = start; page < end; ++page) listed.insert(page);
      }
      if (what == 0) {
        lru.add_tail(list, run);
        naive.add(file, min_seq[file], run);
      } else {
        lru.add(list, run);
        const std::int64_t older = min_seq[file] + kMinNrGens >= max_seq ? min_seq[file] : min_seq[file] + 1;
        naive.add(file, is_active(list) ? max_seq : !file ? max_seq - 1 : older, run);
      }
    } else if (what < 8) {
      if (lru.size(file, min_seq[file]) == PageCount(0)) continue;
      const LruRun run = lru.isolate_oldest(file, PageCount(1 + below(64)));
      ASSERT_TRUE(naive.take(file, min_seq[file], run)) << "step " << step;
      if (what == 5 && before.count(file) > kMinNrGens) {
        lru.protect(file, run);
        naive.add(file, min_seq[file] + 1, run);
      } else if (run.addressed) {
        for (std::int64_t page = 0; page < run.pages.count(); ++page) listed.erase(run.start.index() + page);
      }
    } else if (what < 9) {
      const std::int64_t end = start + 1 + below(200);
      PageCount removed;
      for (const PageCount each : lru.remove(0, PageIndex(start), PageIndex(end))) removed += each;
      ASSERT_EQ(removed, naive.remove(0, start, end)) << "step " << step;
      listed.erase(listed.lower_bound(start), listed.lower_bound(end));
    } else if (what < 10) {
      lru.looked_at(0, PageIndex(start), PageIndex(start + 1 + below(300)), at(step));
    } else if (what < 11) {
      lru.inc_max_seq(true);
      for (const bool type : {false, true}) {
        if (before.count(type) == kMaxNrGens) naive.join(type, min_seq[type], min_seq[type] + 1);
      }
    } else {
      lru.try_to_inc_min_seq(true);
      ASSERT_LE(lru.generations().min_seq[0], lru.generations().min_seq[1]);
    }
    for (const bool type : {false, true}) {
      PageCount all;
      ASSERT_GE(lru.generations().count(type), kMinNrGens);
      ASSERT_LE(lru.generations().count(type), kMaxNrGens);
      for (std::int64_t seq = lru.generations().min_seq[type]; seq <= lru.generations().max_seq; ++seq) {
        ASSERT_EQ(lru.size(type, seq), naive.size(type, seq)) << "step " << step << ", generation " << seq;
        all += lru.size(type, seq);
      }
      ASSERT_EQ(lru.size(inactive_of(type)) + lru.size(active_of(type)), all);
    }
  }
}

TEST(LruGenerations, WhatJoinsTheNextGenerationIsLookedAtBeforeIt) {
  Lru lru(ReclaimKind::mglru);
  lru.add(LruList::inactive_file, pages(0, 0, 10));
  lru.add_tail(LruList::inactive_file, pages(0, 50, 60));
  lru.add_tail(LruList::inactive_file, pages(0, 40, 45));
  EXPECT_EQ(lru.inc_max_seq(true), PageCount(15));
  EXPECT_EQ(lru.isolate_oldest(true, PageCount(100)), pages(0, 40, 45));
  EXPECT_EQ(lru.isolate_oldest(true, PageCount(100)), pages(0, 50, 60));
  EXPECT_EQ(lru.isolate_oldest(true, PageCount(100)), pages(0, 0, 10));
}

TEST(LruGenerations, AnonymousPagesThatCannotBeSwappedBecomeTheYoungestAgain) {
  Lru lru(ReclaimKind::mglru);
  lru.add(LruList::active_anon, pages(0, 0, 10));  // number 3
  for (int generation = 0; generation < 3; ++generation) EXPECT_EQ(lru.inc_max_seq(false), PageCount(0));
  EXPECT_EQ(lru.size(LruList::inactive_anon), PageCount(10));
  lru.inc_max_seq(false);
  EXPECT_EQ(lru.generations(), (Generations{7, {4, 4}}));
  EXPECT_EQ(lru.size(LruList::active_anon), PageCount(10));
}

TEST(LruGenerations, WhatHasBeenLookedAtKeepsItsPlaceAndIsOneRunAgain) {
  Lru lru(ReclaimKind::mglru);
  lru.add(LruList::active_anon, marked(pages(0, 0, 100), true, false, false));
  lru.looked_at(0, PageIndex(20), PageIndex(60), at(5));
  lru.looked_at(0, PageIndex(60), PageIndex(80), at(6));
  EXPECT_EQ(lru.runs(), 3U);
  EXPECT_EQ(lru.runs_in(0, PageIndex(10), PageIndex(90)),
            (std::vector{marked(pages(0, 10, 20), true, false, false), pages(0, 20, 80, 5),
                         marked(pages(0, 80, 90), true, false, false)}));
}

// ---------------------------------------------------------------------------------------------------------------
// Coalescing.

struct Pair {
  std::string name;
  LruRun first;
  LruRun second;
  bool one;
};

constexpr std::int64_t kSameAge = Lru::kSameAge.count();

class LruNeighbours : public testing::TestWithParam<Pair> {};
INSTANTIATE_TEST_SUITE_P(
    , LruNeighbours,
    testing::Values(Pair{"GoingOnAndOfOneAge", pages(0, 10, 20), pages(0, 20, 30, kSameAge), true},
                    Pair{"OfAnotherAge", pages(0, 10, 20), pages(0, 20, 30, kSameAge + 1), false},
                    Pair{"WithAGap", pages(0, 10, 20), pages(0, 21, 30), false},
                    Pair{"GoingOnBackwards", pages(0, 10, 20), pages(0, 0, 10), false},
                    Pair{"OfAnotherOwner", pages(0, 10, 20), pages(1, 20, 30), false},
                    Pair{"OneYoung", pages(0, 10, 20), marked(pages(0, 20, 30), true, false, false), false},
                    Pair{"OneReferenced", pages(0, 10, 20), marked(pages(0, 20, 30), false, true, false), false},
                    Pair{"OneClean", pages(0, 10, 20), marked(pages(0, 20, 30), false, false, true), false},
                    Pair{"WithoutAddresses", some(0, 10), some(0, 20), true},
                    Pair{"WithoutAddressesOfAnotherAge", some(0, 10), some(0, 20, kSameAge + 1), false}),
    [](const auto& each) { return each.param.name; });

TEST_P(LruNeighbours, AreOneRunIfTheyAreAlike) {
  const Pair& pair = GetParam();
  Lru lru;
  lru.add(LruList::inactive_anon, pair.first);
  lru.add(LruList::inactive_anon, pair.second);
  EXPECT_EQ(lru.runs(), pair.one ? 1U : 2U);
  EXPECT_EQ(lru.size(LruList::inactive_anon), pair.first.pages + pair.second.pages);
  const LruRun oldest = lru.isolate(LruList::inactive_anon, PageCount(1000));
  EXPECT_EQ(oldest.pages, pair.one ? pair.first.pages + pair.second.pages : pair.first.pages);
  EXPECT_EQ(oldest.since, pair.first.since);
}

// A million pages go round once, 32 at a time and 1 us a page: runs begin 10 ms apart at least.
TEST(Lru, TakesMemoryForTimeAndNotForPages) {
  constexpr std::int64_t kPages = 1'000'000;
  Lru lru;
  lru.add(LruList::inactive_anon, pages(0, 0, kPages));
  std::size_t most = 0;
  for (std::int64_t done = 0; done < kPages;) {
    LruRun run = lru.isolate(LruList::inactive_anon, PageCount(32));
    done += run.pages.count();
    run.since = at(done * 1000);
    lru.add(LruList::active_anon, run);
    most = std::max(most, lru.runs());
  }
  EXPECT_EQ(lru.size(LruList::active_anon), PageCount(kPages));
  EXPECT_LE(most, 1U + 1U + kPages * 1000 / kSameAge);
}

TEST(Lru, ManyHolesAreManyRunsUntilThePagesHaveGone) {
  Lru lru;
  lru.add(LruList::inactive_anon, pages(0, 0, 1000));
  for (std::int64_t page = 0; page < 1000; page += 2) lru.remove(0, PageIndex(page), PageIndex(page + 1));
  EXPECT_EQ(lru.runs(), 500U);
  EXPECT_EQ(lru.size(LruList::inactive_anon), PageCount(500));
  lru.remove(0, PageIndex(0), PageIndex(1000));
  EXPECT_EQ(lru.runs(), 0U);
}

}  // namespace
}  // namespace models::lru_test
