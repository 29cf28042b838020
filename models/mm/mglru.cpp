#include "models/mm/mglru.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include <boost/random/binomial_distribution.hpp>
#include <boost/random/uniform_int_distribution.hpp>

#include "models/kernel.h"
#include "models/mm/exit_mmap.h"
#include "models/mm/mm.h"
#include "models/mm/rmap.h"
#include "models/mm/scan_control.h"
#include "models/task.h"

namespace models {

namespace {

constexpr PageCount kPagesPerPud = pages_of_order(kPudOrder);

LruGenState& lru_gen_of(Kernel& kernel, Lruvec lruvec) {
  std::vector<LruGenState>& all = kernel.reclaim.lru_gen;
  if (all.size() <= static_cast<std::size_t>(lruvec)) all.resize(static_cast<std::size_t>(lruvec) + 1);
  return all[static_cast<std::size_t>(lruvec)];
}

const Generations& generations_of(const Kernel& kernel, Lruvec lruvec) { return kernel.zone.lru(lruvec).generations(); }

// get_swappiness.
int swappiness_of(const Kernel& kernel) { return kernel.swap.left() < kMinLruBatch ? 0 : kernel.memory.swappiness; }

// Of pages that have been there for so long, with one touch in `every` on average.
PageCount draw_touched(Task& current, const LruRun& run) {
  if (run.young) return run.pages;
  const auto& every = current.kernel().zone.owner(run.owner).touched_every;
  if (!every) return PageCount(0);
  const double ages = static_cast<double>((current.now() - run.since).count()) / static_cast<double>(every->count());
  // Runs without addresses can be longer than an int.
  boost::random::binomial_distribution<std::int64_t, double> touched(run.pages.count(), 1 - std::exp(-ages));
  return PageCount(touched(current.stream(Purpose::reclaim)));
}

// ---------------------------------------------------------------------------------------------------------------
// The aging.

/// struct lru_gen_mm_walk.
struct MmWalk {
  Lruvec lruvec;
  std::int64_t seq;
  bool can_swap;
  PageCount batched{};  // promoted since the hold began
};

// should_skip_vma.
bool is_walked(const Kernel& kernel, const Mm& mm, const Vma& vma, const MmWalk& walk) {
  const VmFlags& flags = vma.flags;
  const bool has_recency = flags.read_ahead == ReadAhead::normal;
  if (flags.locked || flags.is_special() || flags.io_pfnmap || !has_recency) return false;
  return walk.can_swap || is_file_backed(kernel, mm, vma.start);
}

// What a table's entries come to.
struct LookedAt {
  PageCount entries;
  PageCount young;  // entries, too
};

// Pages of one owner in one page table, all of them mapped, each by an entry of its own or all by one.
class TableWalk {
 public:
  TableWalk(Task& current, OwnerId owner, bool whole)
      : current_(current), zone_(current.kernel().zone), owner_(owner), whole_(whole) {}

  // Those that have been touched go to the youngest generation. Returns how many these are.
  PageCount walk(PageIndex start, PageIndex end) {
    std::vector<LruRun> old;
    for (const LruRun& run : zone_.lru(zone_.owner(owner_).group).runs_in(owner_, start, end)) {
      if (run.young) {
        promote(run.start, run.start + run.pages);
      } else {
        old.push_back(run);
      }
    }
    if (zone_.owner(owner_).touched_every) promote_touched(old, start, end);
    return promoted_;
  }

 private:
  // Which of them these are does not matter, but it is to be others each time: a stretch that begins anywhere.
  void promote_touched(const std::vector<LruRun>& old, PageIndex start, PageIndex end) {
    PageCount all;
    PageCount touched;
    for (const LruRun& run : old) {
      all += run.pages;
      touched += draw_touched(current_, run);
    }
    if (touched > PageCount(0) && whole_) touched = all;
    if (touched > PageCount(0)) {
      boost::random::uniform_int_distribution<std::int64_t> anywhere(0, all.count() - 1);
      const std::int64_t from = anywhere(current_.stream(Purpose::reclaim));
      promote_part(old, from, std::min(from + touched.count(), all.count()));
      if (from + touched.count() > all.count()) promote_part(old, 0, from + touched.count() - all.count());
    }
    zone_.looked_at(owner_, start, end, current_.now());
  }

  // Those from number `from` of `old` on, before number `to`.
  void promote_part(const std::vector<LruRun>& old, std::int64_t from, std::int64_t to) {
    std::int64_t before = 0;
    for (const LruRun& run : old) {
      const std::int64_t first = std::clamp<std::int64_t>(from - before, 0, run.pages.count());
      const std::int64_t last = std::clamp<std::int64_t>(to - before, 0, run.pages.count());
      if (first < last) promote(run.start + PageCount(first), run.start + PageCount(last));
      before += run.pages.count();
    }
  }

  // folio_update_gen.
  void promote(PageIndex start, PageIndex end) {
    const sim::Time now = current_.now();
    zone_.remove_from_lru(owner_, start, end, now);
    const LruRun run{.owner = owner_, .addressed = true, .start = start, .pages = end - start, .since = now};
    zone_.add_to_lru(active_of(zone_.owner(owner_).file), run, now);
    promoted_ += run.pages;
  }

  Task& current_;
  Zone& zone_;
  OwnerId owner_;
  bool whole_;  // one entry maps them
  PageCount promoted_{};
};

// walk_pte_range, or walk_pmd_range_locked where one entry maps 2 MiB. [start, end) lies in one table and one VMA.
void walk_table(Task& current, const Mm& mm, PageIndex start, PageIndex end, MmWalk& walk) {
  const Costs& costs = current.kernel().costs;
  PageCount promoted;
  bool whole = false;
  for (PageIndex page = start; page < end;) {
    const PageTable::Run run = mm.page_table.run_at(page, mm.end_of_owner(page, end));
    if (run.state == PageState::resident) {
      whole = mm.page_table.has_folios() && mm.page_table.folios_at(page, run.end).folio.whole;
      promoted += TableWalk(current, mm.owner_of(page), whole).walk(page, run.end);
    }
    page = run.end;
  }
  if (promoted == PageCount(0)) return;
  walk.batched += whole ? PageCount(1) : promoted;
  const LookedAt at = whole ? LookedAt{PageCount(1), PageCount(1)} : LookedAt{end - start, promoted};
  current.work_on_pages(costs.mincore_page * at.entries.count() + costs.mprotect_page * at.young.count());
  current.settle();
}

// The first page of [start, end) that is mapped.
PageIndex first_mapped(const Mm& mm, PageIndex start, PageIndex end) {
  while (start < end) {
    const PageTable::Run run = mm.page_table.run_at(start, end);
    if (run.state == PageState::resident) return start;
    start = run.end;
  }
  return end;
}

// walk_page_range, from `start` on, with mmap_sem held for read: up to the end of the 1 GiB in which it has promoted
// enough or has to give its CPU away. Returns where to go on; the end of all where it has come to it.
PageIndex walk_page_tables(Task& current, const Mm& mm, PageIndex start, MmWalk& walk) {
  const Kernel& kernel = current.kernel();
  for (VmaPointer vma = mm.find_vma(start); vma != nullptr; vma = mm.find_vma(start)) {
    start = std::max(start, vma->start);
    if (!is_walked(kernel, mm, *vma, walk)) {
      start = vma->end;
      continue;
    }
    const PageIndex gib_end = folio_of(kPudOrder).end(start);
    const PageIndex end = std::min(vma->end, gib_end);
    for (PageIndex page = first_mapped(mm, start, end); page < end;) {
      const PageIndex stop = std::min(end, end_of_table(page));
      walk_table(current, mm, std::max(start, start_of_table(page)), stop, walk);
      page = first_mapped(mm, stop, end);
    }
    start = end;
    const VmaPointer next = end == gib_end ? nullptr : mm.find_vma(end);
    const bool gib_done = end == gib_end || next == nullptr || next->start >= gib_end;
    if (gib_done && (current.need_resched() || walk.batched >= kMaxLruBatch)) return gib_end;
  }
  return kStackTop + kPagesPerPud;
}

// mmap_read_trylock. The walker may hold it himself, for a fault: there is nothing to take then.
class WalkLock {
 public:
  WalkLock(Task& current, Mm& mm) : current_(current), mm_(mm), is_own_(mm.mmap_sem.held_by(current, LockMode::read)) {
    if (is_own_) {
      current_.work(2 * current_.kernel().costs.rwsem_operation);
      current_.settle();
      locked_ = !mm_.mmap_sem.is_contended();
      return;
    }
    current_.set_outer_hold(true);
    locked_ = mm_.mmap_sem.down_read_trylock(current_);
    current_.settle();
    if (!locked_) current_.set_outer_hold(false);
  }
  WalkLock(const WalkLock&) = delete;
  WalkLock& operator=(const WalkLock&) = delete;
  /// Precondition: it is locked. No destructor: that would run when a stack is unwound as the run has ended.
  void unlock() {
    if (is_own_) return;
    mm_.mmap_sem.up_read(current_);
    current_.set_outer_hold(false);
  }
  [[nodiscard]] bool locked() const { return locked_; }

 private:
  Task& current_;
  Mm& mm_;
  bool is_own_;
  bool locked_ = false;
};

void walk_mm(Task& current, Mm& mm, MmWalk& walk) {
  Kernel& kernel = current.kernel();
  ReclaimStatistics& statistics = kernel.reclaim.statistics;
  ++statistics.mms_walked;
  // Another task may have made the next generation meanwhile.
  for (PageIndex next; next <= kStackTop && walk.seq == generations_of(kernel, walk.lruvec).max_seq;) {
    WalkLock lock(current, mm);
    if (!lock.locked()) {
      ++statistics.mms_passed_over;
      return;
    }
    walk.batched = PageCount(0);
    next = walk_page_tables(current, mm, next, walk);
    lock.unlock();
  }
}

// get_next_mm, should_skip_mm.
bool is_walked(const Mm& mm, Lruvec lruvec) {
  if (mm.memcg != lruvec || mm.exiting) return false;
  PageCount present;
  for (VmaPointer vma = mm.find_vma({}); vma != nullptr && present < kMinLruBatch; vma = mm.next(*vma)) {
    present += mm.page_table.count(vma->start, vma->end, PageState::resident);
    present += mm.page_table.count(vma->start, vma->end, PageState::mlocked);
  }
  return present >= kMinLruBatch;
}

// iterate_mm_list: all who walk for one generation share the processes. `last`: there are no more, and it was this one
// who found that.
Mm* iterate_mm_list(Kernel& kernel, const MmWalk& walk, bool& last) {
  LruGenState& state = lru_gen_of(kernel, walk.lruvec);
  if (walk.seq <= state.walked_seq) return nullptr;
  while (state.next_mm < kernel.mm_list.size()) {
    Mm* const mm = kernel.mm_list[state.next_mm++];
    if (is_walked(*mm, walk.lruvec)) return mm;
  }
  state.next_mm = 0;
  ++state.walked_seq;
  last = true;
  return nullptr;
}

// What the page tables of other processes take to walk.
void walk_working_set(Task& current, const MmWalk& walk) {
  if (!walk.can_swap) return;
  Kernel& kernel = current.kernel();
  PageCount all;
  const PageCount young = kernel.zone.promote_touched(walk.lruvec, false, current.now(), [&](const LruRun& run) {
    const PageCount touched = draw_touched(current, run);
    if (touched > PageCount(0)) all += run.pages;
    return touched;
  });
  current.work_on_pages(kernel.costs.mincore_page * all.count() + kernel.costs.mprotect_page * young.count());
  current.cond_resched();
}

// inc_max_seq.
void inc_max_seq(Task& current, const MmWalk& walk) {
  Kernel& kernel = current.kernel();
  LruGenState& state = lru_gen_of(kernel, walk.lruvec);
  const Generations before = generations_of(kernel, walk.lruvec);
  current.settle();
  const PageCount joined = kernel.zone.inc_max_seq(walk.lruvec, walk.can_swap, current.now());
  for (const bool file : {false, true}) {
    if (generations_of(kernel, walk.lruvec).min_seq[file] != before.min_seq[file]) state.refaults[file].carry_over();
  }
  ++kernel.reclaim.statistics.generations;
  lock_lruvec(current, joined);
}

}  // namespace

void LruGenState::Refaults::carry_over() {
  avg_refaulted = (avg_refaulted + refaulted) / 2;
  avg_total = (avg_total + evicted) / 2;
  refaulted = evicted = 0;
}

bool try_to_inc_max_seq(Task& current, Lruvec lruvec, std::int64_t seq, bool can_swap) {
  Kernel& kernel = current.kernel();
  MmWalk walk{lruvec, seq, can_swap};
  if (seq <= lru_gen_of(kernel, lruvec).walked_seq) return false;
  const Phase before = current.phase();
  current.note_phase(Phase::aging);
  bool last = false;
  while (Mm* const mm = iterate_mm_list(kernel, walk, last)) {
    if (!get_task_mm(*mm)) continue;
    walk_mm(current, *mm, walk);
    mmput(current, *mm);
    current.cond_resched();
  }
  if (last) {
    walk_working_set(current, walk);
    inc_max_seq(current, walk);
  }
  current.note_phase(before);
  return last;
}

void lru_gen_refault(Kernel& kernel, bool file, PageCount pages) {
  lru_gen_of(kernel, 0).refaults[file].refaulted += pages.count();
}

// ---------------------------------------------------------------------------------------------------------------
// The eviction.

namespace {

// positive_ctrl_err, of what read_ctrl_pos has read: whether files are to be scanned.
bool scans_files(const LruGenState& state, int swappiness) {
  const LruGenState::Refaults& anon = state.refaults[0];
  const LruGenState::Refaults& file = state.refaults[1];
  constexpr int kMaxSwappiness = 200;
  const std::int64_t refaulted = file.refaulted + file.avg_refaulted;
  if (refaulted < kMinLruBatch.count()) return true;
  const std::int64_t anon_total = anon.evicted + anon.avg_total;
  const std::int64_t file_total = file.evicted + file.avg_total;
  return refaulted * (anon_total + kMinLruBatch.count()) * swappiness <=
         (anon.refaulted + anon.avg_refaulted + 1) * file_total * (kMaxSwappiness - swappiness);
}

// The start of isolate_folios: which type it begins with.
bool begins_with_files(Kernel& kernel, Lruvec lruvec, int swappiness) {
  const Generations& generations = generations_of(kernel, lruvec);
  if (swappiness == 0) return true;
  if (generations.min_seq[0] < generations.min_seq[1]) return false;
  if (swappiness == 1 || swappiness == 200) return swappiness == 1;
  return scans_files(lru_gen_of(kernel, lruvec), swappiness);
}

// scan_folios.
PageCount scan_folios(Task& current, const ScanControl& sc, bool file, std::vector<LruRun>& isolated) {
  Zone& zone = current.kernel().zone;
  const Generations& generations = zone.lru(sc.lruvec).generations();
  if (generations.count(file) == kMinNrGens) return PageCount(0);
  PageCount taken;
  while (taken < kMinLruBatch && zone.lru(sc.lruvec).size(file, generations.min_seq[file]) > PageCount(0)) {
    isolated.push_back(zone.isolate_oldest(file, kMinLruBatch - taken, current.now(), sc.lruvec));
    taken += isolated.back().pages;
  }
  return taken;
}

// How many pages there are to be looked at where scan_folios would begin.
PageCount in_oldest(const Kernel& kernel, Lruvec lruvec, bool file) {
  const Generations& generations = generations_of(kernel, lruvec);
  if (generations.count(file) == kMinNrGens) return PageCount(0);
  return std::min(kMinLruBatch, kernel.zone.lru(lruvec).size(file, generations.min_seq[file]));
}

bool try_to_inc_min_seq(Kernel& kernel, Lruvec lruvec, bool can_swap) {
  const Generations before = generations_of(kernel, lruvec);
  if (!kernel.zone.try_to_inc_min_seq(lruvec, can_swap)) return false;
  for (const bool file : {false, true}) {
    if (generations_of(kernel, lruvec).min_seq[file] != before.min_seq[file])
      lru_gen_of(kernel, lruvec).refaults[file].carry_over();
  }
  return true;
}

// evict_folios; the oldest generation goes when what was in it has. Returns how much it has looked at; 0 where there is
// nothing left to evict.
PageCount evict_folios(Task& current, ScanControl& sc, int swappiness) {
  Kernel& kernel = current.kernel();
  const bool can_swap = swappiness > 0;
  bool file = begins_with_files(kernel, sc.lruvec, swappiness);
  if (can_swap && in_oldest(kernel, sc.lruvec, file) == PageCount(0)) file = !file;
  if (!can_swap) file = true;
  current.work_for_each(in_oldest(kernel, sc.lruvec, file), kernel.costs.scan_page, Purpose::reclaim);
  current.settle();
  std::vector<LruRun> isolated;
  PageCount scanned = scan_folios(current, sc, file, isolated);
  sc.scanned += scanned;
  if (!isolated.empty()) {
    const PageCount before = sc.reclaimed;
    shrink_folio_list(current, sc, file, isolated);
    lru_gen_of(kernel, sc.lruvec).refaults[file].evicted += (sc.reclaimed - before).count();
  }
  if (try_to_inc_min_seq(kernel, sc.lruvec, can_swap)) scanned += PageCount(1);
  return generations_of(kernel, sc.lruvec).count(!can_swap) == kMinNrGens ? PageCount(0) : scanned;
}

// should_run_aging: whether it is time for it, and how many pages there are.
bool should_run_aging(const Kernel& kernel, const ScanControl& sc, bool can_swap, PageCount& total) {
  const Lru& lru = kernel.zone.lru(sc.lruvec);
  const auto& [max_seq, min_seq] = lru.generations();
  total = PageCount(0);
  if (min_seq[!can_swap] + kMinNrGens > max_seq) return true;
  PageCount young;
  PageCount old;
  for (const bool file : {false, true}) {
    if (!file && !can_swap) continue;
    for (std::int64_t seq = min_seq[file]; seq <= max_seq; ++seq) {
      const PageCount size = lru.size(file, seq);
      total += size;
      if (seq == max_seq) young += size;
      if (seq + kMinNrGens == max_seq) old += size;
    }
  }
  if (min_seq[!can_swap] + kMinNrGens < max_seq) return false;
  return young.count() * kMinNrGens > total.count() || old.count() * (kMinNrGens + 2) < total.count();
}

// get_nr_to_scan. Nothing: this lruvec is done with.
PageCount get_nr_to_scan(Task& current, const ScanControl& sc, bool can_swap) {
  const Kernel& kernel = current.kernel();
  const std::int64_t max_seq = generations_of(kernel, sc.lruvec).max_seq;
  PageCount total;
  const bool ages = should_run_aging(kernel, sc, can_swap, total);
  if (!ages || sc.priority == kDefPriority) return PageCount(total.count() >> sc.priority);
  (void)try_to_inc_max_seq(current, sc.lruvec, max_seq, can_swap);
  return PageCount(0);
}

// should_abort_scan. The reclaim of a group goes on, to be fair to others.
bool should_abort_scan(const Kernel& kernel, const ScanControl& sc) {
  if (sc.group != nullptr) return false;
  if (sc.reclaimed >= sc.to_reclaim) return true;
  return sc.by_kswapd && kernel.zone.counts().free > kernel.zone.marks().high + kMinLruBatch;
}

void try_to_shrink_lruvec(Task& current, ScanControl& sc) {
  const Kernel& kernel = current.kernel();
  const int swappiness = swappiness_of(kernel);
  for (PageCount scanned;;) {
    const PageCount to_scan = get_nr_to_scan(current, sc, swappiness > 0);
    if (to_scan == PageCount(0)) return;
    const PageCount delta = evict_folios(current, sc, swappiness);
    scanned += delta;
    if (delta == PageCount(0) || scanned >= to_scan || should_abort_scan(kernel, sc)) return;
    current.cond_resched();
  }
}

// set_initial_priority: kswapd looks at once for as much as it wants.
void set_initial_priority(const Kernel& kernel, ScanControl& sc) {
  if (sc.priority != kDefPriority || sc.to_reclaim < kMinLruBatch) return;
  const ZoneCounts& counts = kernel.zone.counts();
  const PageCount reclaimable =
      can_reclaim_anon(kernel) ? counts.inactive_file + counts.inactive_anon : counts.inactive_file;
  const auto width = [](std::int64_t number) { return std::bit_width(static_cast<std::uint64_t>(number)); };
  sc.priority = std::clamp(static_cast<int>(width(reclaimable.count()) - 1 - width(sc.to_reclaim.count() - 1)),
                           kDefPriority / 2, kDefPriority);
}

}  // namespace

void lru_gen_shrink(Task& current, ScanControl& sc) {
  Kernel& kernel = current.kernel();
  if (sc.group != nullptr) {
    sc.lruvec = sc.group->lruvec;
    return try_to_shrink_lruvec(current, sc);
  }
  set_initial_priority(kernel, sc);
  const Lruvec all = kernel.zone.lruvecs();
  for (Lruvec done = 0; done < all; ++done) {
    sc.lruvec = kernel.reclaim.next_lruvec;
    kernel.reclaim.next_lruvec = (kernel.reclaim.next_lruvec + 1) % all;
    try_to_shrink_lruvec(current, sc);
    if (should_abort_scan(kernel, sc)) return;
  }
}

}  // namespace models
