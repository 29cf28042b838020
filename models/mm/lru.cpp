#include "models/mm/lru.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "models/mm/page_runs.h"

namespace models {

namespace {

PageIndex end_of(const LruRun& run) { return run.start + run.pages; }

bool are_alike(const LruRun& a, const LruRun& b) {
  return a.owner == b.owner && a.young == b.young && a.referenced == b.referenced && a.clean == b.clean;
}

}  // namespace

struct Lru::Places : PageRuns<Place> {};

Lru::Lru(ReclaimKind kind) : generations_(kind == ReclaimKind::mglru ? std::optional(Generations{}) : std::nullopt) {}

Lru::~Lru() = default;

Lru::Places& Lru::places(OwnerId owner) {
  const auto number = static_cast<std::size_t>(owner);
  if (places_.size() <= number) places_.resize(number + 1);
  return places_[number];
}

// Where a page comes to. With generations: lru_gen_add_folio.
std::size_t Lru::slot(LruList list) const {
  if (!generations_) return static_cast<std::size_t>(list);
  const bool file = is_file(list);
  const auto& [max_seq, min_seq] = *generations_;
  if (is_active(list)) return slot(file, max_seq);
  if (!file) return slot(file, max_seq - 1);
  return slot(file, min_seq[file] + kMinNrGens >= max_seq ? min_seq[file] : min_seq[file] + 1);
}

std::size_t Lru::oldest_slot(LruList list) const {
  return generations_ ? slot(is_file(list), generations_->min_seq[is_file(list)]) : static_cast<std::size_t>(list);
}

LruList Lru::counts_on(std::size_t slot) const {
  if (!generations_) return static_cast<LruList>(slot);
  const bool file = slot >= static_cast<std::size_t>(kMaxNrGens);
  const std::int64_t max_seq = generations_->max_seq;
  const bool active = slot == Lru::slot(file, max_seq) || slot == Lru::slot(file, max_seq - 1);
  return active ? active_of(file) : inactive_of(file);
}

PageCount Lru::size(LruList list) const {
  if (!generations_) return lists_[static_cast<std::size_t>(list)].size;
  PageCount size;
  for (std::size_t slot = 0; slot < lists_.size(); ++slot) {
    if (counts_on(slot) == list) size += lists_[slot].size;
  }
  return size;
}

LruList Lru::add(LruList list, const LruRun& run) { return add_to(slot(list), run); }

LruList Lru::add_to(std::size_t slot, const LruRun& run) {
  assert(run.pages > PageCount(0));
  if (!extend(slot, run)) insert(slot, ++youngest_, run);
  lists_[slot].size += run.pages;
  return counts_on(slot);
}

LruList Lru::add_tail(LruList list, const LruRun& run) {
  assert(run.pages > PageCount(0));
  const std::size_t slot = oldest_slot(list);
  insert(slot, --oldest_, run);
  lists_[slot].size += run.pages;
  return counts_on(slot);
}

void Lru::insert(std::size_t slot, std::int64_t sequence, const LruRun& run) {
  const std::int64_t start = run.addressed ? run.start.index() : 0;
  std::map<Key, LruRun>& runs = lists_[slot].runs;
  runs.emplace_hint(sequence > 0 ? runs.end() : runs.begin(), Key{sequence, start}, run);  // young ones count up from 1
  if (run.addressed) places(run.owner).set(run.start, end_of(run), {slot, sequence});
}

// Joins `run` to the youngest there, if it goes on where that one ends.
bool Lru::extend(std::size_t slot, const LruRun& run) {
  std::map<Key, LruRun>& runs = lists_[slot].runs;
  if (runs.empty()) return false;
  auto& [key, youngest] = *runs.rbegin();
  const bool touches = !run.addressed || end_of(youngest) == run.start;
  if (!touches || !are_alike(youngest, run) || run.since - youngest.since > kSameAge) return false;
  youngest.pages += run.pages;
  if (run.addressed) places(run.owner).set(run.start, end_of(run), {slot, key.sequence});
  return true;
}

LruRun Lru::isolate(LruList list, PageCount most) {
  assert(!generations_);
  return isolate_from(static_cast<std::size_t>(list), most);
}

LruRun Lru::isolate_from(std::size_t slot, PageCount most) {
  List& from = lists_[slot];
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
    PageIndex next = part.end;
    if (const Place place = part.value; place != Place{}) {
      const LruRun run = cut(lists_[place.slot], place.sequence, page, part.end);
      removed[static_cast<std::size_t>(counts_on(place.slot))] += run.pages;
      next = end_of(run);
    }
    page = next;
  }
  all.set(start, end, {});
  return removed;
}

// Takes what the run that `start` lies in has of [start, end) out of it; returns that.
LruRun Lru::cut(List& list, std::int64_t sequence, PageIndex start, PageIndex end) {
  const auto run = std::prev(list.runs.upper_bound(Key{sequence, start.index()}));
  const LruRun whole = run->second;
  assert(run->first.sequence == sequence && whole.start <= start && start < end_of(whole));
  end = std::min(end, end_of(whole));
  LruRun taken = whole;
  taken.start = start;
  taken.pages = end - start;
  if (end < end_of(whole)) {
    LruRun behind = whole;
    behind.start = end;
    behind.pages = end_of(whole) - end;
    list.runs.emplace(Key{sequence, end.index()}, behind);
  }
  run->second.pages = start - whole.start;
  if (run->second.pages == PageCount(0)) list.runs.erase(run);
  list.size -= taken.pages;
  return taken;
}

std::size_t Lru::runs() const {
  std::size_t all = 0;
  for (const List& list : lists_) all += list.runs.size();
  return all;
}

// ---------------------------------------------------------------------------------------------------------------
// Generations.

LruRun Lru::isolate_oldest(bool file, PageCount most) {
  return isolate_from(slot(file, generations_->min_seq[file]), most);
}

LruList Lru::protect(bool file, const LruRun& run) { return add_to(slot(file, generations_->min_seq[file] + 1), run); }

bool Lru::try_to_inc_min_seq(bool can_swap) {
  auto& [max_seq, oldest] = *generations_;
  std::array<std::int64_t, 2> min_seq = oldest;
  for (const bool file : {false, true}) {
    if (!file && !can_swap) continue;
    while (min_seq[file] + kMinNrGens <= max_seq && size(file, min_seq[file]) == PageCount(0)) ++min_seq[file];
  }
  if (can_swap) {  // anonymous pages are not ahead of files
    min_seq[0] = std::min(min_seq[0], min_seq[1]);
    min_seq[1] = std::max(min_seq[0], oldest[1]);
  }
  bool any = false;
  for (const bool file : {false, true}) {
    if ((!file && !can_swap) || min_seq[file] == oldest[file]) continue;
    oldest[file] = min_seq[file];
    any = true;
  }
  return any;
}

PageCount Lru::inc_max_seq(bool can_swap) {
  PageCount joined;
  for (const bool file : {false, true}) {
    if (generations_->count(file) != kMaxNrGens) continue;
    if (file || can_swap) joined += join_oldest_to_next(file);
    ++generations_->min_seq[file];
  }
  ++generations_->max_seq;
  return joined;
}

// They come behind what is there, to be looked at first.
PageCount Lru::join_oldest_to_next(bool file) {
  const std::int64_t min_seq = generations_->min_seq[file];
  const List from = std::exchange(lists_[slot(file, min_seq)], {});
  const std::size_t next = slot(file, min_seq + 1);
  for (auto run = from.runs.rbegin(); run != from.runs.rend(); ++run) insert(next, --oldest_, run->second);
  lists_[next].size += from.size;
  return from.size;
}

std::vector<LruRun> Lru::runs_in(OwnerId owner, PageIndex start, PageIndex end) const {
  std::vector<LruRun> found;
  const auto number = static_cast<std::size_t>(owner);
  if (places_.size() <= number) return found;
  for (PageIndex page = start; page < end;) {
    const auto part = places_[number].run_at(page, end);
    PageIndex next = part.end;
    if (const Place place = part.value; place != Place{}) {
      LruRun run = std::prev(lists_[place.slot].runs.upper_bound(Key{place.sequence, page.index()}))->second;
      next = std::min(part.end, end_of(run));
      run.start = page;
      run.pages = next - page;
      found.push_back(run);
    }
    page = next;
  }
  return found;
}

void Lru::looked_at(OwnerId owner, PageIndex start, PageIndex end, sim::Time now) {
  const Places& all = places(owner);
  for (PageIndex page = start; page < end;) {
    const auto part = all.run_at(page, end);
    PageIndex next = part.end;
    if (const Place place = part.value; place != Place{}) {
      LruRun run = cut(lists_[place.slot], place.sequence, page, part.end);
      next = end_of(run);
      run.young = false;
      run.since = now;
      put_back(lists_[place.slot], place.sequence, run);
    }
    page = next;
  }
}

// To its place, where it is one with what lies before it there if they are alike.
void Lru::put_back(List& list, std::int64_t sequence, const LruRun& run) {
  list.size += run.pages;
  const auto behind = list.runs.lower_bound(Key{sequence, run.start.index()});
  if (behind != list.runs.begin()) {
    auto& [key, before] = *std::prev(behind);
    const bool goes_on = key.sequence == sequence && end_of(before) == run.start && are_alike(before, run);
    if (goes_on && run.since >= before.since && run.since - before.since <= kSameAge) {
      before.pages += run.pages;
      return;
    }
  }
  list.runs.emplace_hint(behind, Key{sequence, run.start.index()}, run);
}

Lru::Promoted Lru::take_touched(bool file, sim::Time now, const std::function<PageCount(const LruRun&)>& touched) {
  Promoted promoted;
  for (std::int64_t seq = generations_->max_seq - 1; seq >= generations_->min_seq[file]; --seq) {
    const std::size_t from = slot(file, seq);
    List& list = lists_[from];
    for (auto each = list.runs.begin(); each != list.runs.end();) {
      LruRun& run = each->second;
      const PageCount taken = run.addressed ? PageCount(0) : touched(run);
      if (!run.addressed) run.since = now;
      if (taken > PageCount(0)) {
        promoted.from[static_cast<std::size_t>(counts_on(from))] += taken;
        promoted.runs.push_back(run);
        promoted.runs.back().pages = taken;
        run.pages -= taken;
        list.size -= taken;
      }
      each = run.pages == PageCount(0) ? list.runs.erase(each) : std::next(each);
    }
  }
  return promoted;
}

}  // namespace models
