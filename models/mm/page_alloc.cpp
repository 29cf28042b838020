#include "models/mm/page_alloc.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>

#include "models/kernel.h"
#include "models/mm/vmscan.h"
#include "models/task.h"

namespace models {

namespace {

constexpr std::int64_t kKibibyte = 1024;

// A spinlock that is free at `free_at`, for a hold of `hold`: each burns CPU until the one before is done.
void lock_for(Task& current, sim::Time& free_at, sim::Nanoseconds hold) {
  const sim::Time now = current.now();
  const sim::Time begin = std::max(now, free_at);
  free_at = begin + hold;
  if (begin == now) return;
  current.work(begin - now);
  current.settle();
}

// zone->lock is a queue of those who refill.
void lock_zone(Task& current) {
  Kernel& kernel = current.kernel();
  lock_for(current, kernel.zone.lock_free_at, kernel.costs.zone_lock);
}

// rmqueue, where the watermark `is_met`; it is not looked at again under zone->lock. Returns whether there was a page.
bool take_page(Task& current, bool (Zone::*is_met)() const) {
  Zone& zone = current.kernel().zone;
  if (!(zone.*is_met)()) return false;
  if (!zone.has_per_cpu_page(current.cpu())) {
    lock_zone(current);
    if (zone.counts().free == PageCount(0)) return false;
    zone.refill(current.cpu(), current.now());
  }
  zone.take(current.cpu());
  return true;
}

// The second try of __alloc_pages_direct_reclaim after a round that found something: free pages may be on other CPUs'
// lists. 2.6.28 drains these for higher orders only.
bool drain_and_take_page(Task& current) {
  Kernel& kernel = current.kernel();
  if (!kernel.reclaim_rules.drains_per_cpu_lists) return false;
  kernel.zone.drain_per_cpu_lists(current.now());
  return take_page(current, &Zone::above_min);
}

// should_reclaim_retry: whether to try again after a round in which reclaim found nothing. 2.6.28 forgives none.
bool should_retry(const Kernel& kernel, int futile_rounds) {
  if (futile_rounds > kernel.reclaim_rules.forgiven_futile_rounds) return false;
  return kernel.zone.counts().free + reclaimable_pages(kernel) > kernel.zone.marks().min;
}

// The part of __alloc_pages_slowpath that reclaims: until there is a page.
void reclaim_a_page(Task& current) {
  Kernel& kernel = current.kernel();
  for (int futile_rounds = 0;;) {
    const PageCount reclaimed = try_to_free_pages(current);
    if (take_page(current, &Zone::above_min)) return;
    if (reclaimed > PageCount(0)) {
      if (drain_and_take_page(current)) return;
      futile_rounds = 0;
      // The others were faster: __alloc_pages_internal of 2.6.28 waits for HZ / 50.
      if (kernel.reclaim_rules.waits_for_congestion) congestion_wait(current, std::chrono::milliseconds{20});
    } else if (!should_retry(kernel, ++futile_rounds)) {
      kernel.reclaim.statistics.futile_rounds = futile_rounds;
      kernel.out_of_memory(current);
    }
  }
}

// __alloc_pages_slowpath.
void alloc_slowly(Task& current) {
  wakeup_kswapd(current);
  if (take_page(current, &Zone::above_min)) return;
  const DirectReclaim stall = begin_direct_reclaim(current);
  reclaim_a_page(current);
  end_direct_reclaim(current, stall);
}

// What has not changed is carried on anyway.
void record(sim::TimeSeries& series, sim::Time now, PageCount pages) {
  if (series.empty() || series.buckets().back().last != pages.count()) series.record(now, pages.count());
}

bool take_folio(Task& current, PageCount pages) {
  Zone& zone = current.kernel().zone;
  if (zone.counts().free - pages <= zone.marks().min) return false;
  zone.take_folio(pages, current.now());
  return true;
}

// __alloc_pages_direct_reclaim for a costly order.
bool reclaim_a_folio(Task& current, PageCount pages) {
  wakeup_kswapd(current);
  const DirectReclaim stall = begin_direct_reclaim(current);
  bool taken = false;
  while (!taken && try_to_free_pages(current) > PageCount(0)) taken = take_folio(current, pages);
  end_direct_reclaim(current, stall);
  return taken;
}

}  // namespace

Bytes min_free(Bytes memory, ReclaimEra era) {
  const std::int64_t kilobytes = memory.count() / kKibibyte;
  const auto root = static_cast<std::int64_t>(std::sqrt(16.0 * static_cast<double>(kilobytes)));
  const std::int64_t most = reclaim_rules_of(era).most_min_free.count() / kKibibyte;
  return Bytes(std::clamp<std::int64_t>(root, 128, most) * kKibibyte);
}

Watermarks watermarks(const MemorySpec& memory) {
  const Bytes reserve = memory.min_free.value_or(min_free(memory.size, memory.era));
  const std::int64_t min = reserve.count() / kPageSize;
  if (!reclaim_rules_of(memory.era).watermarks_scale)
    return {PageCount(min), PageCount(min + min / 4), PageCount(min + min / 2)};
  const std::int64_t distance =
      std::max(min / 4, pages_of(memory.size).count() * memory.watermark_scale_factor / 10'000);
  return {PageCount(min), PageCount(min + distance), PageCount(min + 2 * distance)};
}

PageCount zone_batchsize(Bytes memory, ReclaimEra era) {
  const std::int64_t most = reclaim_rules_of(era).most_per_cpu_batch.count() / kPageSize;
  const std::int64_t quarter = std::max<std::int64_t>(std::min(pages_of(memory).count() / 1024, most) / 4, 1);
  const auto power = std::bit_floor(static_cast<std::uint64_t>(quarter + quarter / 2));
  return PageCount(std::max<std::int64_t>(static_cast<std::int64_t>(power) - 1, 1));
}

PageList counted_on(LruList list) {
  constexpr std::array<PageList, kLruLists> lists{&ZoneCounts::inactive_anon, &ZoneCounts::active_anon,
                                                  &ZoneCounts::inactive_file, &ZoneCounts::active_file};
  return lists[static_cast<std::size_t>(list)];
}

Zone::Zone(const MemorySpec& memory, int cpus, ReclaimKind kind)
    : marks_(watermarks(memory)),
      batch_(zone_batchsize(memory.size, memory.era)),
      size_(pages_of(memory.size)),
      lowest_free_(size_),
      per_cpu_(static_cast<std::size_t>(cpus)),
      kind_(kind) {
  lrus_.emplace_back(kind);
  counts_.free = size_;
}

void Zone::begin() {
  lowest_free_ = counts_.free;
  series_ = ZoneSeries();
  changed(sim::Time{});
}

OwnerId Zone::add_owner(const PageOwner& owner) {
  owners_.push_back(owner);
  return static_cast<OwnerId>(owners_.size() - 1);
}

Lruvec Zone::add_lruvec() {
  lrus_.emplace_back(kind_);
  return lruvecs() - 1;
}

void Zone::changed(sim::Time now) {
  lowest_free_ = std::min(lowest_free_, counts_.free);
  if (!above_low()) cut_look_ahead();
  record(series_.free, now, counts_.free);
  record(series_.anon, now, counts_.inactive_anon + counts_.active_anon);
  record(series_.file, now, counts_.inactive_file + counts_.active_file);
  record(series_.unevictable, now, counts_.unevictable);
}

void Zone::move(PageList from, PageList to, PageCount pages, sim::Time now) {
  counts_.*from -= pages;
  counts_.*to += pages;
  assert(counts_.*from >= PageCount(0));
  changed(now);
}

void Zone::add_to_lru(LruList list, const LruRun& run, sim::Time now) {
  const LruList counts_on = lru_of(run).add(list, run);
  move(&ZoneCounts::in_flight, counted_on(counts_on), run.pages, now);
  assert(lruvecs() > 1 || counts_.*counted_on(counts_on) == lru().size(counts_on));
}

void Zone::add_to_lru_tail(LruList list, const LruRun& run, sim::Time now) {
  const LruList counts_on = lru_of(run).add_tail(list, run);
  move(&ZoneCounts::in_flight, counted_on(counts_on), run.pages, now);
}

LruRun Zone::isolate(LruList list, PageCount most, sim::Time now, Lruvec lruvec) {
  const LruRun run = lrus_[static_cast<std::size_t>(lruvec)].isolate(list, most);
  move(counted_on(list), &ZoneCounts::in_flight, run.pages, now);
  assert(lruvecs() > 1 || counts_.*counted_on(list) == lru().size(list));
  return run;
}

PageCount Zone::remove_from_lru(OwnerId owner, PageIndex start, PageIndex end, sim::Time now) {
  const auto removed = lrus_[static_cast<std::size_t>(this->owner(owner).group)].remove(owner, start, end);
  PageCount all;
  for (std::size_t list = 0; list < kLruLists; ++list) {
    if (removed[list] == PageCount(0)) continue;
    move(counted_on(static_cast<LruList>(list)), &ZoneCounts::in_flight, removed[list], now);
    all += removed[list];
  }
  return all;
}

LruRun Zone::isolate_oldest(bool file, PageCount most, sim::Time now, Lruvec lruvec) {
  assert(lru(lruvec).generations().count(file) > kMinNrGens);  // it counts as inactive
  const LruRun run = lru_at(lruvec).isolate_oldest(file, most);
  move(counted_on(inactive_of(file)), &ZoneCounts::in_flight, run.pages, now);
  return run;
}

void Zone::protect(bool file, const LruRun& run, sim::Time now) {
  move(&ZoneCounts::in_flight, counted_on(lru_of(run).protect(file, run)), run.pages, now);
}

PageCount Zone::inc_max_seq(Lruvec lruvec, bool can_swap, sim::Time now) {
  Lru& lists = lru_at(lruvec);
  const std::array<PageCount, 2> before{lists.size(active_of(false)), lists.size(active_of(true))};
  const PageCount joined = lists.inc_max_seq(can_swap);
  for (const bool file : {false, true}) {
    const PageCount after = lists.size(active_of(file));
    const PageList active = counted_on(active_of(file));
    const PageList inactive = counted_on(inactive_of(file));
    if (after < before[file]) move(active, inactive, before[file] - after, now);
    if (after > before[file]) move(inactive, active, after - before[file], now);
  }
  return joined;
}

PageCount Zone::promote_touched(Lruvec lruvec, bool file, sim::Time now,
                                const std::function<PageCount(const LruRun&)>& touched) {
  const Lru::Promoted promoted = lru_at(lruvec).take_touched(file, now, touched);
  for (const LruList list : {inactive_of(file), active_of(file)}) {
    move(counted_on(list), &ZoneCounts::in_flight, promoted.from[static_cast<std::size_t>(list)], now);
  }
  PageCount pages;
  for (const LruRun& run : promoted.runs) {
    add_to_lru(active_of(file), run, now);
    pages += run.pages;
  }
  return pages;
}

void Zone::refill(int cpu, sim::Time now) {
  const PageCount pages = std::min(batch_, counts_.free);
  assert(pages > PageCount(0));
  per_cpu_[static_cast<std::size_t>(cpu)] += pages;
  move(&ZoneCounts::free, &ZoneCounts::per_cpu, pages, now);
  assert(counts_.total() == size_);  // not for each page: it takes as long as all else that is done to one
}

void Zone::take(int cpu, PageCount pages) {
  assert(per_cpu(cpu) >= pages);
  per_cpu_[static_cast<std::size_t>(cpu)] -= pages;
  counts_.per_cpu -= pages;
  counts_.in_flight += pages;
  allocated_ += static_cast<std::uint64_t>(pages.count());
}

void Zone::take_folio(PageCount pages, sim::Time now) {
  allocated_ += static_cast<std::uint64_t>(pages.count());
  move(&ZoneCounts::free, &ZoneCounts::in_flight, pages, now);
}

// Commutes with all that others do: the list is that of its CPU, which it has, and per_cpu and in_flight are looked at
// by drain_per_cpu_lists only, and when the run has ended.
std::size_t Zone::take_ahead(Task& current, std::span<const sim::Nanoseconds> steps) {
  assert(above_low() && current.may_look_ahead());
  ahead_.push_back(&current.look_ahead());
  const std::size_t taken = current.look_ahead().run(steps, [this, cpu = current.cpu()](std::size_t pages) {
    take(cpu, PageCount(static_cast<std::int64_t>(pages)));
  });
  std::erase(ahead_, &current.look_ahead());
  return taken;
}

void Zone::cut_look_ahead() {
  for (sim::LookAhead* ahead : ahead_) ahead->cut();
}

void Zone::drain_per_cpu_lists(sim::Time now) {
  cut_look_ahead();
  move(&ZoneCounts::per_cpu, &ZoneCounts::free, counts_.per_cpu, now);
  std::fill(per_cpu_.begin(), per_cpu_.end(), PageCount(0));
}

void lock_lruvec(Task& current, PageCount pages) {
  Kernel& kernel = current.kernel();
  lock_for(current, kernel.zone.lru_lock_free_at, kernel.costs.lruvec_lock * pages.count());
}

void lock_zone_to_free(Task& current, PageCount pages) {
  // costs.zone_lock is that of a batch of a zone of 1 GiB and more, whatever this one's is.
  constexpr std::int64_t kBatch = 63;
  Kernel& kernel = current.kernel();
  lock_for(current, kernel.zone.lock_free_at, kernel.costs.zone_lock * pages.count() / kBatch);
}

void alloc_page(Task& current) {
  current.settle();
  if (!take_page(current, &Zone::above_low)) alloc_slowly(current);
}

bool alloc_folio(Task& current, PageCount pages, FolioReclaim reclaim) {
  current.settle();
  if (take_folio(current, pages)) return true;
  return reclaim == FolioReclaim::direct && reclaim_a_folio(current, pages);
}

void alloc_pages(Task& current, std::span<const sim::Nanoseconds> steps) {
  Zone& zone = current.kernel().zone;
  while (!steps.empty()) {
    current.settle();
    const auto there = static_cast<std::size_t>(zone.per_cpu(current.cpu()).count());
    if (there > 1 && zone.above_low() && current.may_look_ahead()) {
      steps = steps.subspan(zone.take_ahead(current, steps.first(std::min(there, steps.size()))));
    } else {
      if (!take_page(current, &Zone::above_low)) alloc_slowly(current);
      current.work(steps.front());
      steps = steps.subspan(1);
    }
  }
}

void alloc_pages_undisturbed(Task& current, PageCount pages, sim::Nanoseconds each) {
  Zone& zone = current.kernel().zone;
  const int cpu = current.cpu();
  for (PageCount left = pages; left > PageCount(0);) {
    current.settle();
    if (!zone.has_per_cpu_page(cpu)) {
      lock_zone(current);
      zone.refill(cpu, current.now());
    }
    const PageCount taken = std::min(left, zone.per_cpu(cpu));
    zone.take(cpu, taken);
    current.work(each * taken.count());
    current.kernel().engine.count_events(static_cast<std::uint64_t>(taken.count() - 1));
    left -= taken;
  }
}

}  // namespace models
