#include "models/mm/lru.h"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "models/mm/page_runs.h"

namespace models {

namespace {

PageIndex end_of(const LruRun& run) { return run.start + run.pages; }

bool are_alike(const LruRun& a, const LruRun& b) {
  return a.owner == b.owner && a.young == b.young && a.referenced == b.referenced && a.clean == b.clean;
}

}  // namespace

struct Lru::Places : PageRuns<Place> {};

Lru::Lru() = default;

Lru::~Lru() = default;

Lru::Places& Lru::places(OwnerId owner) {
  const auto number = static_cast<std::size_t>(owner);
  if (places_.size() <= number) places_.resize(number + 1);
  return places_[number];
}

void Lru::add(LruList list, const LruRun& run) {
  assert(run.pages > PageCount(0));
  if (!extend(list, run)) insert(list, ++youngest_, run);
  lists_[index(list)].size += run.pages;
}

void Lru::add_tail(LruList list, const LruRun& run) {
  assert(run.pages > PageCount(0));
  insert(list, --oldest_, run);
  lists_[index(list)].size += run.pages;
}

void Lru::insert(LruList list, std::int64_t sequence, const LruRun& run) {
  const std::int64_t start = run.addressed ? run.start.index() : 0;
  std::map<Key, LruRun>& runs = lists_[index(list)].runs;
  runs.emplace_hint(sequence > 0 ? runs.end() : runs.begin(), Key{sequence, start}, run);  // young ones count up from 1
  if (run.addressed) places(run.owner).set(run.start, end_of(run), {list, sequence});
}

// Joins `run` to the youngest of `list`, if it goes on where that one ends.
bool Lru::extend(LruList list, const LruRun& run) {
  std::map<Key, LruRun>& runs = lists_[index(list)].runs;
  if (runs.empty()) return false;
  auto& [key, youngest] = *runs.rbegin();
  const bool touches = !run.addressed || end_of(youngest) == run.start;
  if (!touches || !are_alike(youngest, run) || run.since - youngest.since > kSameAge) return false;
  youngest.pages += run.pages;
  if (run.addressed) places(run.owner).set(run.start, end_of(run), {list, key.sequence});
  return true;
}

LruRun Lru::isolate(LruList list, PageCount most) {
  List& from = lists_[index(list)];
  assert(!from.runs.empty() && most > PageCount(0));
  auto node = from.runs.extract(from.runs.begin());
  LruRun taken = node.mapped();
  taken.pages = std::min(most, taken.pages);
  if (taken.addressed) places(taken.owner).set(taken.start, end_of(taken), {});
  LruRun& rest = node.mapped();
  rest.pages -= taken.pages;
  if (rest.addressed) {
    rest.start = rest.start + taken.pages;
    node.key().start = rest.start.index();
  }
  if (rest.pages > PageCount(0)) from.runs.insert(std::move(node));
  from.size -= taken.pages;
  return taken;
}

std::array<PageCount, kLruLists> Lru::remove(OwnerId owner, PageIndex start, PageIndex end) {
  std::array<PageCount, kLruLists> removed{};
  Places& all = places(owner);
  for (PageIndex page = start; page < end;) {
    const auto part = all.run_at(page, end);
    if (const Place place = part.value; place != Place{}) {
      cut(lists_[index(place.list)], place.sequence, page.index(), part.end.index());
      removed[index(place.list)] += part.end - page;
    }
    page = part.end;
  }
  all.set(start, end, {});
  return removed;
}

// Takes [start, end) out of the run that it lies in.
void Lru::cut(List& list, std::int64_t sequence, std::int64_t start, std::int64_t end) {
  const auto run = std::prev(list.runs.upper_bound(Key{sequence, start}));
  const LruRun whole = run->second;
  const std::int64_t whole_end = end_of(whole).index();
  assert(run->first.sequence == sequence && whole.start.index() <= start && end <= whole_end);
  if (end < whole_end) {
    LruRun behind = whole;
    behind.start = PageIndex(end);
    behind.pages = PageCount(whole_end - end);
    list.runs.emplace(Key{sequence, end}, behind);
  }
  run->second.pages = PageIndex(start) - whole.start;
  if (run->second.pages == PageCount(0)) list.runs.erase(run);
  list.size -= PageCount(end - start);
}

std::size_t Lru::runs() const {
  std::size_t all = 0;
  for (const List& list : lists_) all += list.runs.size();
  return all;
}

}  // namespace models
