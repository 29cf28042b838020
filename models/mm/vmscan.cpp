#include "models/mm/vmscan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include <boost/random/binomial_distribution.hpp>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/page_writeback.h"
#include "models/task.h"

namespace models {

namespace {

using std::chrono::milliseconds;

// reclaim_throttle: HZ / 10 for write-back (2.6.28: congestion_wait likewise).
constexpr sim::Nanoseconds kWritebackTimeout = milliseconds{100};

// Of who is reclaimed from as a whole.
ReclaimBalance& balance_of(Kernel& kernel, const ScanControl& sc) {
  return sc.group == nullptr ? kernel.reclaim : sc.group->balance;
}

PageCount size_of(const Kernel& kernel, const ScanControl& sc, LruList list) {
  return sc.group == nullptr ? kernel.zone.counts().*counted_on(list) : kernel.zone.lru(sc.group->lruvec).size(list);
}

ReclaimStatistics& statistics_of(Kernel& kernel) { return kernel.reclaim.statistics; }

std::uint64_t number(PageCount pages) { return static_cast<std::uint64_t>(pages.count()); }

// ---------------------------------------------------------------------------------------------------------------
// Waiting for others to make progress.

void wake_all(std::deque<Task*>& waiters) {
  for (Task* task : std::exchange(waiters, {})) task->wake();
}

void sleep_among(Task& current, std::deque<Task*>& waiters, Cause cause, sim::Nanoseconds timeout) {
  current.settle();
  waiters.push_back(&current);
  ++statistics_of(current.kernel()).throttled;
  current.block(cause, current.now() + timeout);
  std::erase(waiters, &current);
}

// reclaim_throttle(VMSCAN_THROTTLE_WRITEBACK). 2.6.28: congestion_wait(WRITE, HZ / 10).
void wait_for_writeback(Task& current) { congestion_wait(current, kWritebackTimeout); }

// NR_ZONE_WRITE_PENDING: pages of files that are dirty, and all that are on their way.
std::int64_t pending_writes(const Kernel& kernel) {
  const ZoneCounts& counts = kernel.zone.counts();
  std::int64_t pending = counts.writeback.count();
  for (const auto& mapping : kernel.mappings) pending += (mapping->dirty() + mapping->writeback()).count();
  const auto files = static_cast<double>((counts.inactive_file + counts.active_file).count());
  return pending + std::llround(kernel.memory.dirty * files);
}

// skip_throttle_noprogress: what the code does; its comment has it the other way round.
bool skips_throttle(const Kernel& kernel) {
  if (kernel.reclaim.kswapd_failures >= kMaxReclaimRetries) return true;
  return 2 * pending_writes(kernel) <= reclaimable_pages(kernel).count();
}

// reclaim_throttle(VMSCAN_THROTTLE_NOPROGRESS or VMSCAN_THROTTLE_CONGESTED): a tick, if at all.
void throttle_for_a_tick(Task& current, std::deque<Task*>& waiters) {
  if (skips_throttle(current.kernel())) return current.cond_resched();
  sleep_among(current, waiters, Cause::reclaim_throttle, current.kernel().cpus.spec().tick);
}

// consider_reclaim_throttle.
void consider_throttle(Task& current, const ScanControl& sc) {
  Reclaim& reclaim = current.kernel().reclaim;
  if (sc.reclaimed.count() > sc.scanned.count() / 8) return wake_all(reclaim.progress_waiters);
  if (sc.by_kswapd || sc.group != nullptr || sc.priority != 1 || sc.reclaimed > PageCount(0)) return;
  throttle_for_a_tick(current, reclaim.progress_waiters);
}

// The end of shrink_node: what the pages under write-back that it met mean. They have left the lists here, so that it
// is known to have met nothing else where it freed none and found none that had yet to be written. `round`: what it
// came to.
void throttle_for_writeback(Task& current, const ScanControl& sc, const ScanControl& round) {
  Kernel& kernel = current.kernel();
  ReclaimBalance& balance = balance_of(kernel, sc);
  const bool met_writes = round.reclaimed == PageCount(0) && kernel.zone.counts().writeback > PageCount(0);
  const bool by_who_may = sc.by_kswapd || sc.group != nullptr;
  if (by_who_may && met_writes && round.to_be_written == PageCount(0)) balance.congested = true;
  if (!sc.by_kswapd) {
    if (balance.congested) throttle_for_a_tick(current, kernel.reclaim.congested_waiters);
  } else if (met_writes) {
    wait_for_writeback(current);
  }
}

// Between two priorities.
void wait_between_rounds(Task& current, const ScanControl& sc) {
  const Kernel& kernel = current.kernel();
  if (kernel.reclaim_rules.waits_for_congestion) {
    if (sc.scanned > PageCount(0) && sc.priority < kDefPriority - 2) wait_for_writeback(current);
    return;
  }
  consider_throttle(current, sc);
}

// __acct_reclaim_writeback: those who wait for write-back go on when 32 pages for each of them have been written. In
// 2.6.28 they go on when the device's queue is no longer congested (clear_bdi_congested).
void wake_after_writes(Kernel& kernel, PageCount written) {
  Reclaim& reclaim = kernel.reclaim;
  const bool was_congested = std::exchange(reclaim.device_congested, kernel.device.congested());
  if (kernel.reclaim_rules.waits_for_congestion) {
    if (was_congested && !reclaim.device_congested) wake_all(reclaim.writeback_waiters);
    return;
  }
  if (reclaim.writeback_waiters.empty()) {
    reclaim.written_while_throttled = 0;
    return;
  }
  reclaim.written_while_throttled += written.count();
  const auto enough = kSwapClusterMax.count() * static_cast<std::int64_t>(reclaim.writeback_waiters.size());
  if (reclaim.written_while_throttled <= enough && kernel.zone.counts().writeback > PageCount(0)) return;
  reclaim.written_while_throttled = 0;
  wake_all(reclaim.writeback_waiters);
}

// ---------------------------------------------------------------------------------------------------------------
// Write-back.

// The pages are clean now, and the next to be looked at (rotate_reclaimable_page).
void end_writeback(Kernel& kernel, Lruvec lruvec, bool file, PageCount pages) {
  const sim::Time now = kernel.engine.now();
  kernel.zone.move(&ZoneCounts::writeback, &ZoneCounts::in_flight, pages, now);
  const MemCgroup* const group = mem_cgroup_of(kernel, lruvec);
  const OwnerId anon_owner = group == nullptr ? kernel.written_anon : group->written_anon;
  const OwnerId file_owner = group == nullptr ? kernel.written_file : group->written_file;
  LruRun run{.owner = file ? file_owner : anon_owner, .clean = true, .pages = pages, .since = now};
  kernel.zone.add_to_lru_tail(inactive_of(file), run, now);
  wake_after_writes(kernel, pages);
}

void write_back(Task& current, Lruvec lruvec, bool file, PageCount pages) {
  Kernel& kernel = current.kernel();
  current.work_for_each(pages, kernel.costs.pageout, Purpose::reclaim);
  current.settle();
  kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::writeback, pages, current.now());
  kernel.device.write(current, pages, [&kernel, lruvec, file, pages] { end_writeback(kernel, lruvec, file, pages); });
  kernel.reclaim.device_congested = kernel.device.congested();
}

void swap_out_to_zram(Task& current, const ZramSpec& zram, Lruvec lruvec, PageCount pages) {
  Kernel& kernel = current.kernel();
  current.work(zram.compress * pages.count());
  current.settle();
  kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, pages, current.now());
  mem_cgroup_uncharge(kernel, lruvec, pages);
  account_compressed(kernel);
}

// ---------------------------------------------------------------------------------------------------------------
// shrink_folio_list: what becomes of the pages that have been taken off an inactive list.

struct Shrunk {
  PageCount freed;     // still in flight: what freeing costs is yet to be paid
  PageCount to_swap;   // likewise, with a slot each
  PageCount to_write;  // of files
  PageCount written() const { return to_swap + to_write; }
};

class InactivePages {
 public:
  InactivePages(Task& current, bool file, bool may_write_files)
      : current_(current), kernel_(current.kernel()), file_(file), may_write_files_(may_write_files) {}

  void look_at(LruRun run) {
    PageCount locked = cull(run);
    if (locked > PageCount(0)) return;
    const PageCount touched = draw_touched(run);
    if (touched > PageCount(0)) keep(front_of(run, touched));
    if (run.pages > touched) take(behind(run, touched));
  }

  // Whether it was touched does not matter (ignore_references).
  void take_anyway(const LruRun& run) {
    if (cull(run) == PageCount(0)) take(run);
  }

  [[nodiscard]] const Shrunk& result() const { return result_; }

 private:
  static LruRun front_of(LruRun run, PageCount pages) {
    run.pages = pages;
    return run;
  }
  static LruRun behind(LruRun run, PageCount pages) {
    run.start = run.start + pages;
    run.pages -= pages;
    return run;
  }

  // Pages of a VM_LOCKED VMA that mlock has not come to yet (try_to_unmap finds VM_LOCKED). `run` lies in one VMA.
  PageCount cull(const LruRun& run) {
    if (!run.addressed) return PageCount(0);
    Mm& mm = *kernel_.zone.owner(run.owner).mm;
    const VmaPointer vma = mm.find_vma(run.start);
    const bool mapped = mm.page_table.run_at(run.start, run.start + PageCount(1)).state == PageState::resident;
    if (!mapped || vma == nullptr || vma->start > run.start || !vma->flags.locked) return PageCount(0);
    // A folio that one entry maps is of one state: reclaim takes folios apart.
    for (const PageIndex page : {run.start, run.start + run.pages - PageCount(1)}) mm.page_table.split_around(page);
    mm.page_table.set(run.start, run.start + run.pages, PageState::mlocked);
    kernel_.zone.move(&ZoneCounts::in_flight, &ZoneCounts::unevictable, run.pages, current_.now());
    statistics_of(kernel_).culled += number(run.pages);
    return run.pages;
  }

  PageCount draw_touched(const LruRun& run) {
    if (run.young) return run.pages;
    const auto& every = kernel_.zone.owner(run.owner).touched_every;
    if (!every) return PageCount(0);
    const double ages = static_cast<double>((current_.now() - run.since).count()) / static_cast<double>(every->count());
    boost::random::binomial_distribution<int, double> touched(static_cast<int>(run.pages.count()), 1 - std::exp(-ages));
    return PageCount(touched(current_.stream(Purpose::reclaim)));
  }

  // page_check_references: touched once, it goes round once more; touched twice, it is active. In 2.6.28 once will do.
  void keep(LruRun run) {
    if (run.addressed && run.clean) return keep_after_free(run);
    if (kernel_.lru_gen_enabled) return keep_in_a_generation(run);
    const bool activate = run.referenced || kernel_.reclaim_rules.one_touch_activates;
    (activate ? statistics_of(kernel_).activated : statistics_of(kernel_).kept) += number(run.pages);
    run.young = false;
    run.referenced = !activate;
    run.since = current_.now();
    kernel_.zone.add_to_lru(activate ? active_of(file_) : inactive_of(file_), run, current_.now());
  }

  // What is rejected goes to the youngest generation (the end of evict_folios); what has been read again is protected
  // for another one (sort_folio).
  void keep_in_a_generation(LruRun run) {
    statistics_of(kernel_).kept += number(run.pages);
    run.young = false;
    run.since = current_.now();
    if (file_ && !run.addressed) return kernel_.zone.protect(file_, run, current_.now());
    kernel_.zone.add_to_lru(active_of(file_), run, current_.now());
  }

  // Touched since MADV_FREE: written to, so it is an anonymous page as before (folio_set_swapbacked).
  void keep_after_free(LruRun run) {
    statistics_of(kernel_).activated += number(run.pages);
    run.young = run.clean = false;
    run.since = current_.now();
    kernel_.zone.add_to_lru(LruList::active_anon, run, current_.now());
  }

  void activate(LruRun run) {
    statistics_of(kernel_).activated += number(run.pages);
    run.since = current_.now();
    if (kernel_.lru_gen_enabled && file_) return kernel_.zone.protect(file_, run, current_.now());
    kernel_.zone.add_to_lru(active_of(file_), run, current_.now());
  }

  void take(const LruRun& run) {
    if (run.clean) {
      if (run.addressed) forget(run, PageState::absent);  // MADV_FREE
      result_.freed += run.pages;
    } else if (file_) {
      take_file(run);
    } else {
      take_anon(run);
    }
  }

  // add_to_swap: without a slot the page is activated. What is cached in memory has one, and is clean.
  void take_anon(const LruRun& run) {
    if (is_cached(run)) {
      forget(run, PageState::swapped);
      result_.freed += run.pages;
      return;
    }
    const PageCount slots = kernel_.swap.get(run.pages);
    if (slots > PageCount(0)) {
      forget(front_of(run, slots), PageState::swapped);
      result_.to_swap += slots;
    }
    if (run.pages > slots) activate(behind(run, slots));
  }

  // Of a file that is written: all alike, dirty or not.
  void take_written_file(AddressSpace& mapping, const LruRun& run) {
    const PageTags tags = mapping.tags_at(run.start);
    if (tags.writeback || (tags.dirty && !may_write_files_)) return activate(run);
    if (tags.dirty) mapping.forget(run.start, run.start + run.pages);
    forget(run, PageState::absent);
    (tags.dirty ? result_.to_write : result_.freed) += run.pages;
  }

  void take_file(const LruRun& run) {
    if (const auto& mapping = kernel_.zone.owner(run.owner).mapping) return take_written_file(*mapping, run);
    const double share = kernel_.zone.owner(run.owner).dirty;
    PageCount dirty;
    if (share > 0) {
      boost::random::binomial_distribution<int, double> draw(static_cast<int>(run.pages.count()), share);
      dirty = PageCount(draw(current_.stream(Purpose::reclaim)));
    }
    if (dirty > PageCount(0) && !may_write_files_) {
      activate(front_of(run, dirty));
    } else if (dirty > PageCount(0)) {
      forget(front_of(run, dirty), PageState::absent);
      result_.to_write += dirty;
    }
    if (run.pages == dirty) return;
    forget(behind(run, dirty), PageState::absent);
    result_.freed += run.pages - dirty;
  }

  // In the swap cache.
  [[nodiscard]] bool is_cached(const LruRun& run) const {
    const PageOwner& owner = kernel_.zone.owner(run.owner);
    if (!run.addressed || owner.shmem) return false;
    const PageTable& table = owner.mm->page_table;
    return table.run_at(run.start, run.start + PageCount(1)).state == PageState::cached;
  }

  // try_to_unmap, or the removal from the page cache.
  void forget(const LruRun& run, PageState state) {
    PageOwner& owner = kernel_.zone.owner(run.owner);
    if (run.addressed) {
      owner.mm->page_table.set(run.start, run.start + run.pages, state);
    } else {
      owner.evicted += run.pages;
    }
  }

  Task& current_;
  Kernel& kernel_;
  bool file_;
  bool may_write_files_;
  Shrunk result_{};
};

// Up to where the pages of `owner` from `page` on are all mapped, or none, and all dirty, or none.
PageIndex end_of_alike(const PageOwner& owner, PageIndex page, PageIndex limit) {
  const PageIndex end = owner.mm->page_table.run_at(page, limit).end;
  return owner.mapping == nullptr ? end : owner.mapping->run_at(page, end).end;
}

// The part of `run`, from its start, that lies in one VMA and whose pages are alike.
PageCount uniform_part(const Kernel& kernel, const LruRun& run) {
  if (!run.addressed) return run.pages;
  const PageOwner& owner = kernel.zone.owner(run.owner);
  const Mm& mm = *owner.mm;
  const PageIndex end = end_of_alike(owner, run.start, run.start + run.pages);
  const VmaPointer vma = mm.find_vma(run.start);
  if (vma == nullptr) return end - run.start;
  return std::min(end, vma->start > run.start ? vma->start : vma->end) - run.start;
}

void look_at_all(const Kernel& kernel, InactivePages& pages, LruRun run) {
  while (run.pages > PageCount(0)) {
    LruRun part = run;
    part.pages = uniform_part(kernel, run);
    pages.look_at(part);
    run.start = run.start + part.pages;
    run.pages -= part.pages;
  }
}

void note_cost(ReclaimBalance& balance, PageCount evictable, bool file, PageCount pages) {
  (file ? balance.file_cost : balance.anon_cost) += pages.count();
  if (balance.file_cost + balance.anon_cost <= evictable.count() / 4) return;
  balance.file_cost /= 2;
  balance.anon_cost /= 2;
}

// lru_note_cost, of the group and of all: the older half of what it has cost counts half.
void note_cost(Kernel& kernel, Lruvec lruvec, bool file, PageCount pages) {
  note_cost(kernel.reclaim, kernel.zone.counts().evictable(), file, pages);
  MemCgroup* const group = mem_cgroup_of(kernel, lruvec);
  if (group == nullptr) return;
  PageCount evictable;
  for (std::size_t list = 0; list < kLruLists; ++list) {
    evictable += kernel.zone.lru(lruvec).size(static_cast<LruList>(list));
  }
  note_cost(group->balance, evictable, file, pages);
}

// What taking the pages costs, and where they go.
void pay_for(Task& current, Lruvec lruvec, const Shrunk& shrunk) {
  Kernel& kernel = current.kernel();
  current.work_for_each(shrunk.freed + shrunk.written(), kernel.costs.reclaim_page, Purpose::reclaim);
  current.settle();
  if (shrunk.freed > PageCount(0)) {
    kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, shrunk.freed, current.now());
    mem_cgroup_uncharge(kernel, lruvec, shrunk.freed);
  }
  statistics_of(kernel).swapped_out += number(shrunk.to_swap);
  statistics_of(kernel).files_written += number(shrunk.to_write);
  if (shrunk.to_swap > PageCount(0) && kernel.swap.zram()) {
    swap_out_to_zram(current, *kernel.swap.zram(), lruvec, shrunk.to_swap);
  } else if (shrunk.to_swap > PageCount(0)) {
    write_back(current, lruvec, false, shrunk.to_swap);
  }
  if (shrunk.to_write > PageCount(0)) write_back(current, lruvec, true, shrunk.to_write);
}

// The pages of zram are free at once.
PageCount freed_at_once(const Kernel& kernel, const Shrunk& shrunk) {
  return kernel.swap.zram() ? shrunk.freed + shrunk.to_swap : shrunk.freed;
}

}  // namespace

PageCount shrink_folio_list(Task& current, ScanControl& sc, bool file, const std::vector<LruRun>& isolated) {
  Kernel& kernel = current.kernel();
  // Since 3.2 only kswapd writes pages of files (mm: vmscan: do not writeback filesystem pages in direct reclaim).
  InactivePages inactive(current, file, sc.by_kswapd || kernel.reclaim_rules.direct_writes_files);
  for (const LruRun& run : isolated) look_at_all(kernel, inactive, run);
  const Shrunk& shrunk = inactive.result();
  const PageCount freed = freed_at_once(kernel, shrunk);
  note_cost(kernel, sc.lruvec, file, shrunk.written());
  sc.reclaimed += freed;
  sc.to_be_written += shrunk.written();
  pay_for(current, sc.lruvec, shrunk);
  return freed;
}

bool can_reclaim_anon(const Kernel& kernel) { return kernel.swap.left() > PageCount(0); }

namespace {

void shrink_inactive_list(Task& current, ScanControl& sc, LruList list, PageCount pages) {
  Kernel& kernel = current.kernel();
  current.work_for_each(std::min(pages, kernel.zone.lru(sc.lruvec).size(list)), kernel.costs.scan_page,
                        Purpose::reclaim);
  current.cond_resched();
  const bool file = is_file(list);
  std::vector<LruRun> isolated;
  PageCount taken;
  while (taken < pages && kernel.zone.lru(sc.lruvec).size(list) > PageCount(0)) {
    isolated.push_back(kernel.zone.isolate(list, pages - taken, current.now(), sc.lruvec));
    taken += isolated.back().pages;
  }
  sc.scanned += taken;
  (void)shrink_folio_list(current, sc, file, isolated);
}

// shrink_active_list: all go to the inactive list, touched or not; the accessed bits are cleared.
void shrink_active_list(Task& current, const ScanControl& sc, LruList list, PageCount pages) {
  Kernel& kernel = current.kernel();
  current.work_for_each(std::min(pages, kernel.zone.lru(sc.lruvec).size(list)), kernel.costs.scan_page,
                        Purpose::reclaim);
  current.cond_resched();
  for (PageCount taken; taken < pages && kernel.zone.lru(sc.lruvec).size(list) > PageCount(0);) {
    LruRun run = kernel.zone.isolate(list, pages - taken, current.now(), sc.lruvec);
    run.young = false;
    run.referenced = false;
    run.since = current.now();
    taken += run.pages;
    statistics_of(kernel).deactivated += number(run.pages);
    kernel.zone.add_to_lru(inactive_of(is_file(list)), run, current.now());
  }
}

// ---------------------------------------------------------------------------------------------------------------
// How much to look at.

// inactive_is_low: the larger the memory, the smaller the share of it that is inactive.
bool inactive_is_low(PageCount inactive, PageCount active) {
  const std::int64_t gibibytes = (inactive + active).count() * kPageSize >> 30;
  const auto ratio = gibibytes > 0 ? static_cast<std::int64_t>(std::sqrt(10.0 * static_cast<double>(gibibytes))) : 1;
  return inactive.count() * ratio < active.count();
}

// The start of prepare_scan_count: refaults that were activated since the last scan ended tell of a new working set,
// for which what is active has to make room.
void decide_on_active_lists(Kernel& kernel, ScanControl& sc) {
  const ReclaimBalance& balance = balance_of(kernel, sc);
  for (const bool file : {false, true}) {
    const bool refaults = kernel.reclaim_rules.refaults_deactivate && balance.refaults[file] != balance.snapshot[file];
    sc.deactivates[file] =
        sc.forced || refaults ||
        inactive_is_low(size_of(kernel, sc, inactive_of(file)), size_of(kernel, sc, active_of(file)));
  }
}

// snapshot_refaults.
void snapshot_refaults(ReclaimBalance& balance) { balance.snapshot = balance.refaults; }

// What get_scan_count decides: in which proportion anonymous and file pages are looked at.
struct Balance {
  std::int64_t anon;
  std::int64_t file;
};

Balance scan_balance(Kernel& kernel, const ScanControl& sc) {
  constexpr Balance kFileOnly{0, 1};
  constexpr Balance kAnonOnly{1, 0};
  constexpr Balance kEqual{-1, -1};
  const ZoneCounts& counts = kernel.zone.counts();
  const std::int64_t swappiness = kernel.memory.swappiness;
  if (!can_reclaim_anon(kernel) || (sc.group != nullptr && swappiness == 0)) return kFileOnly;
  if (sc.priority == 0 && swappiness > 0) return kEqual;
  // Whatever the swappiness: only the reclaim of a group never swaps at 0.
  const bool file_is_tiny =
      sc.group == nullptr && counts.inactive_file + counts.active_file + counts.free <= kernel.zone.marks().high;
  if (file_is_tiny && !sc.deactivates[false] && counts.inactive_anon.count() >> sc.priority > 0) return kAnonOnly;
  if (size_of(kernel, sc, LruList::inactive_file).count() >> sc.priority > 0 && !sc.deactivates[true] && !sc.skipped)
    return kFileOnly;
  const ReclaimBalance& balance = balance_of(kernel, sc);
  const std::int64_t total = balance.anon_cost + balance.file_cost;
  const std::int64_t anon = total + balance.anon_cost;
  const std::int64_t file = total + balance.file_cost;
  return {swappiness * (anon + file + 1) / (anon + 1), (200 - swappiness) * (anon + file + 1) / (file + 1)};
}

using ScanCounts = std::array<PageCount, kLruLists>;

ScanCounts get_scan_count(Kernel& kernel, const ScanControl& sc) {
  const Balance balance = scan_balance(kernel, sc);
  ScanCounts scan{};
  for (std::size_t index = 0; index < kLruLists; ++index) {
    const auto list = static_cast<LruList>(index);
    const std::int64_t part = kernel.zone.lru(sc.lruvec).size(list).count() >> sc.priority;
    const std::int64_t share = is_file(list) ? balance.file : balance.anon;
    scan[index] = PageCount(share < 0 ? part : part * share / (balance.anon + balance.file));
  }
  return scan;
}

void shrink_list(Task& current, ScanControl& sc, LruList list, PageCount pages) {
  if (!is_active(list)) return shrink_inactive_list(current, sc, list, pages);
  if (!sc.deactivates[is_file(list)]) {
    sc.skipped = true;
    return;
  }
  shrink_active_list(current, sc, list, pages);
}

// shrink_zone of 2.6.28: a list of which fewer than 32 pages are to be looked at has its turn when it comes to 32.
void save_up(Kernel& kernel, ScanCounts& scan) {
  if (!kernel.reclaim_rules.saves_up_scans) return;
  for (std::size_t index = 0; index < kLruLists; ++index) {
    PageCount& saved = kernel.reclaim.nr_scan[index];
    scan[index] += std::exchange(saved, PageCount(0));
    if (scan[index] < kSwapClusterMax) saved = std::exchange(scan[index], PageCount(0));
  }
}

PageCount& of(ScanCounts& scan, LruList list) { return scan[static_cast<std::size_t>(list)]; }
PageCount of(const ScanCounts& scan, LruList list) { return scan[static_cast<std::size_t>(list)]; }
PageCount both(const ScanCounts& scan, bool file) { return of(scan, inactive_of(file)) + of(scan, active_of(file)); }

// Once there is enough: of the two types the one with less left is done with, and the other one is scanned as far as
// that one was. Returns false where one of them is at its end.
bool keep_proportion(const ScanCounts& targets, ScanCounts& left) {
  if (both(left, false) == PageCount(0) || both(left, true) == PageCount(0)) return false;
  const bool smaller_is_file = both(left, true) <= both(left, false);
  const std::int64_t percent = both(left, smaller_is_file).count() * 100 / (both(targets, smaller_is_file).count() + 1);
  for (const LruList list : {inactive_of(smaller_is_file), active_of(smaller_is_file)}) of(left, list) = PageCount(0);
  for (const LruList list : {inactive_of(!smaller_is_file), active_of(!smaller_is_file)}) {
    const PageCount scanned = of(targets, list) - of(left, list);
    const PageCount share(of(targets, list).count() * (100 - percent) / 100);
    of(left, list) = share - std::min(share, scanned);
  }
  return true;
}

// Whether it goes on though it has what it came for: 2.6.28 always does (what stops it came with 2.6.29); later, a
// direct reclaimer at the default priority, whose call means that kswapd does not keep up (proportional_reclaim).
bool scans_all_of_its_share(const Kernel& kernel, const ScanControl& sc) {
  const bool global_direct = !sc.by_kswapd && sc.group == nullptr;
  return !kernel.reclaim_rules.stops_when_enough || (global_direct && sc.priority == kDefPriority);
}

void shrink_lruvec(Task& current, ScanControl& sc) {
  Kernel& kernel = current.kernel();
  ScanCounts left = get_scan_count(kernel, sc);
  save_up(kernel, left);
  const ScanCounts targets = left;
  const PageCount before = sc.reclaimed;
  const bool all = scans_all_of_its_share(kernel, sc);
  while (of(left, LruList::inactive_anon) > PageCount(0) || both(left, true) > PageCount(0)) {
    for (std::size_t index = 0; index < kLruLists; ++index) {
      const PageCount batch = std::min(left[index], kSwapClusterMax);
      if (batch == PageCount(0)) continue;
      left[index] -= batch;
      shrink_list(current, sc, static_cast<LruList>(index), batch);
    }
    if (all || sc.reclaimed - before < sc.to_reclaim) continue;
    if (!keep_proportion(targets, left)) break;
  }
  const Lru& lru = kernel.zone.lru(sc.lruvec);
  if (can_reclaim_anon(kernel) && inactive_is_low(lru.size(LruList::inactive_anon), lru.size(LruList::active_anon))) {
    shrink_active_list(current, sc, LruList::active_anon, kSwapClusterMax);
  }
}

// shrink_node_memcgs: one group's lists, or everybody's one after another.
void shrink_node_memcgs(Task& current, ScanControl& sc) {
  const Lruvec all = current.kernel().zone.lruvecs();
  for (sc.lruvec = sc.group == nullptr ? 0 : sc.group->lruvec; sc.lruvec < all; ++sc.lruvec) {
    shrink_lruvec(current, sc);
    if (sc.group != nullptr) break;
  }
}

void count_scan(Kernel& kernel, const ScanControl& sc, const ScanControl& round) {
  ReclaimStatistics& statistics = statistics_of(kernel);
  (sc.by_kswapd ? statistics.kswapd_scanned : statistics.direct_scanned) += number(round.scanned);
  (sc.by_kswapd ? statistics.kswapd_reclaimed : statistics.direct_reclaimed) += number(round.reclaimed);
  if (sc.group == nullptr) return;
  sc.group->statistics.scanned += number(round.scanned);
  sc.group->statistics.reclaimed += number(round.reclaimed);
}

void shrink_node(Task& current, ScanControl& sc) {
  Kernel& kernel = current.kernel();
  ScanControl round = sc;
  if (kernel.lru_gen_enabled) {
    lru_gen_shrink(current, sc);
  } else {
    decide_on_active_lists(kernel, sc);
    shrink_node_memcgs(current, sc);
  }
  round.scanned = sc.scanned - round.scanned;
  round.reclaimed = sc.reclaimed - round.reclaimed;
  round.to_be_written = sc.to_be_written - round.to_be_written;
  count_scan(kernel, sc, round);
  const bool ends_early = kernel.lru_gen_enabled && sc.group == nullptr;
  if (!kernel.reclaim_rules.waits_for_congestion && !ends_early) throttle_for_writeback(current, sc, round);
  if (round.reclaimed > PageCount(0)) kernel.reclaim.kswapd_failures = 0;
}

// ---------------------------------------------------------------------------------------------------------------
// Direct reclaim and kswapd.

bool kswapd_has_given_up(const Kernel& kernel) { return kernel.reclaim.kswapd_failures >= kMaxReclaimRetries; }

// allow_direct_reclaim: zones that have nothing to be reclaimed do not count.
bool allow_direct_reclaim(const Kernel& kernel) {
  return kernel.zone.reserve_is_sound() || kswapd_has_given_up(kernel) || reclaimable_pages(kernel) == PageCount(0);
}

// throttle_direct_reclaim (since 3.6): while half of the reserve is gone only kswapd works.
void throttle_direct_reclaim(Task& current) {
  Kernel& kernel = current.kernel();
  if (!kernel.reclaim_rules.guards_reserve) return;
  while (!allow_direct_reclaim(kernel) && kernel.reclaim.kswapd != nullptr) {
    wakeup_kswapd(current);
    current.settle();
    if (allow_direct_reclaim(kernel)) return;
    kernel.reclaim.reserve_waiters.push_back(&current);
    ++statistics_of(kernel).throttled;
    current.block(Cause::reclaim_throttle);
  }
}

void let_reserve_waiters_go(Kernel& kernel) {
  if (allow_direct_reclaim(kernel)) wake_all(kernel.reclaim.reserve_waiters);
}

void balance_pgdat(Task& current) {
  Kernel& kernel = current.kernel();
  const ReclaimRules& rules = kernel.reclaim_rules;
  ScanControl sc{.by_kswapd = true, .to_reclaim = std::max(kernel.zone.marks().high, kSwapClusterMax)};
  PageCount freed;
  while (sc.priority >= 1 && !kernel.zone.above_high()) {
    sc.scanned = PageCount(0);
    sc.reclaimed = PageCount(0);
    sc.to_be_written = PageCount(0);
    shrink_node(current, sc);
    freed += sc.reclaimed;
    current.settle();
    let_reserve_waiters_go(kernel);
    wait_between_rounds(current, sc);
    // 2.6.28 looks deeper every time, and begins anew when it has found something.
    if (rules.kswapd_stops_at_cluster && freed >= kSwapClusterMax) break;
    if (rules.kswapd_always_deepens || sc.scanned < sc.to_reclaim || sc.reclaimed == PageCount(0)) {
      --sc.priority;
    }
  }
  snapshot_refaults(kernel.reclaim);
  if (kernel.zone.above_high()) kernel.reclaim.congested = false;  // clear_pgdat_congested
  if (freed == PageCount(0) && !kernel.zone.above_high()) ++kernel.reclaim.kswapd_failures;
  let_reserve_waiters_go(kernel);
}

void scan_deeper_and_deeper(Task& current, ScanControl& sc) {
  for (sc.priority = kDefPriority;; --sc.priority) {
    sc.scanned = PageCount(0);
    shrink_node(current, sc);
    if (sc.reclaimed >= sc.to_reclaim) break;
    wait_between_rounds(current, sc);
    if (sc.priority == 0) break;
  }
  ReclaimBalance& balance = balance_of(current.kernel(), sc);
  snapshot_refaults(balance);
  if (sc.group != nullptr) balance.congested = false;
}

// Once more where nothing was found but active lists that had been left alone.
void do_try_to_free_pages(Task& current, ScanControl& sc) {
  scan_deeper_and_deeper(current, sc);
  if (sc.reclaimed == PageCount(0) && sc.skipped && current.kernel().reclaim_rules.refaults_deactivate) {
    sc.forced = true;
    sc.skipped = false;
    scan_deeper_and_deeper(current, sc);
  }
  current.settle();
}

}  // namespace

void congestion_wait(Task& current, sim::Nanoseconds timeout) {
  sleep_among(current, current.kernel().reclaim.writeback_waiters, Cause::device_io, timeout);
}

PageCount reclaimable_pages(const Kernel& kernel) {
  const ZoneCounts& counts = kernel.zone.counts();
  const PageCount files = counts.inactive_file + counts.active_file + counts.writeback;
  return can_reclaim_anon(kernel) ? files + counts.inactive_anon + counts.active_anon : files;
}

void wakeup_kswapd(Task& current) {
  Kernel& kernel = current.kernel();
  Reclaim& reclaim = kernel.reclaim;
  if (!reclaim.kswapd_sleeps || kswapd_has_given_up(kernel)) return;
  reclaim.kswapd_sleeps = false;
  ++reclaim.statistics.kswapd_wakeups;
  current.work(kernel.costs.rwsem_wake);
  current.settle();
  reclaim.kswapd_runs.record(current.now(), 1);
  reclaim.kswapd->wake(current);
}

DirectReclaim begin_direct_reclaim(Task& current) {
  const Cause before = current.charge_work_to(Cause::direct_reclaim);
  return {before, current.now()};
}

void end_direct_reclaim(Task& current, const DirectReclaim& stall) {
  current.charge_work_to(stall.before);
  statistics_of(current.kernel()).direct_stalls.record(current.now() - stall.began);
}

void reclaim_pages(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  Kernel& kernel = current.kernel();
  current.settle();
  const PageCount resident = mm.page_table.count(start, end, PageState::resident);
  if (resident == PageCount(0)) return;
  current.work_for_each(resident, kernel.costs.scan_page, Purpose::reclaim);
  current.settle();
  const OwnerId owner = mm.owner_of(start);
  const bool file = kernel.zone.owner(owner).file;
  InactivePages pages(current, file, kernel.reclaim_rules.direct_writes_files);
  for (PageIndex page = start; page < end;) {
    const PageState state = mm.page_table.run_at(page, page + PageCount(1)).state;
    const PageIndex stop = end_of_alike(kernel.zone.owner(owner), page, end);
    if (state == PageState::resident) {
      kernel.zone.remove_from_lru(owner, page, stop, current.now());
      pages.take_anyway(
          {.owner = owner, .addressed = true, .start = page, .pages = stop - page, .since = current.now()});
    }
    page = stop;
  }
  const Lruvec lruvec = kernel.zone.owner(owner).group;
  note_cost(kernel, lruvec, file, pages.result().written());
  pay_for(current, lruvec, pages.result());
}

PageCount try_to_free_pages(Task& current) {
  throttle_direct_reclaim(current);
  ScanControl sc{.to_reclaim = kSwapClusterMax};
  do_try_to_free_pages(current, sc);
  return sc.reclaimed;
}

PageCount try_to_free_mem_cgroup_pages(Task& current, MemCgroup& group, PageCount pages) {
  ScanControl sc{.group = &group, .to_reclaim = std::max(pages, kSwapClusterMax)};
  do_try_to_free_pages(current, sc);
  return sc.reclaimed;
}

void kswapd(Task& current) {
  Kernel& kernel = current.kernel();
  for (;;) {
    while (!kernel.zone.above_high() && !kswapd_has_given_up(kernel)) balance_pgdat(current);
    current.settle();
    if (!kernel.zone.above_high() && !kswapd_has_given_up(kernel)) continue;
    kernel.reclaim.kswapd_sleeps = true;
    kernel.reclaim.kswapd_runs.record(current.now(), 0);
    current.block(Cause::sleep);
  }
}

void note_refault(Kernel& kernel, bool file, PageCount pages) {
  kernel.reclaim.statistics.refaults += number(pages);
  kernel.reclaim.refaults[file] += number(pages);
  if (kernel.lru_gen_enabled) return lru_gen_refault(kernel, file, pages);
  note_cost(kernel, 0, file, pages);
}

}  // namespace models
