// One zone of physical memory: where its pages are, and when an allocation has to wait for reclaim.
//
// Kernel. mm/page_alloc.c: get_page_from_freelist (watermarks, looked at for every page, also one that comes from a
// per-CPU list), rmqueue_bulk (per-CPU lists refill under zone->lock), __alloc_pages_slowpath (kswapd, direct reclaim,
// should_reclaim_retry, OOM), setup_per_zone_wmarks, init_per_zone_wmark_min, zone_batchsize. Where 2.6.28 and 6.1
// differ, models/mm/reclaim_rules.h says how.
// Simplified. One zone, order 0, no reserves below min for atomic or dying callers. Pages are freed to the zone at
// once, those of a page table that is zapped in one bulk (6.1 frees some 500 to 1,500 at a time, 2.6.28 a batch).
// zone->lock costs time only where it is contended: what it takes otherwise is part of what a page costs.
// Validated by tests/models/mm/page_alloc_test.cpp: formulas, conservation of pages, where direct reclaim and OOM
// begin.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "models/measure/memory_statistics.h"
#include "models/mm/lru.h"
#include "models/spec/memory.h"
#include "models/spec/page.h"
#include "sim/histogram.h"
#include "sim/look_ahead.h"
#include "sim/time_series.h"

namespace models {

class AddressSpace;
class Mm;
class Task;
struct Kernel;

/// min_free_kbytes, init_per_zone_wmark_min: sqrt(16 x kbytes of low memory), within 128 KiB and 64 MiB (2.6.28) or
/// 256 MiB (6.1).
[[nodiscard]] Bytes min_free(Bytes memory, ReclaimEra era);

/// 2.6.28, setup_per_zone_pages_min: low = min * 5/4, high = min * 3/2. 6.1, __setup_per_zone_wmarks: low = min + d,
/// high = low + d, with d = max(min / 4, memory x watermark_scale_factor / 10000).
[[nodiscard]] Watermarks watermarks(const MemorySpec& memory);

/// zone_batchsize: pages that a per-CPU list takes from the zone at a time. A thousandth of the zone, at most 512 KiB
/// (2.6.28) or 1 MiB (6.1), a quarter of that, rounded to a power of two less one.
[[nodiscard]] PageCount zone_batchsize(Bytes memory, ReclaimEra era);

/// The kind of place that a page goes to or comes from.
using PageList = PageCount ZoneCounts::*;

[[nodiscard]] PageList counted_on(LruList list);

/// Pages that are alike to reclaim: those of a region, or of the background.
struct PageOwner {
  Mm* mm = nullptr;  ///< whose page table maps them, by address; null: nobody's, their addresses do not matter
  bool file = false;
  bool shmem = false;    ///< a file's that is backed by swap: page cache on the anonymous lists
  Lruvec group = 0;      ///< whose lists they are on, and who is charged for them
  bool hugetlb = false;  ///< they come from the pool that is set aside for them and go back to it: no list has them
  std::optional<sim::Nanoseconds> touched_every{};  ///< mean time between two touches of one of them; none: never again
  double dirty = 0;                                 ///< file pages: share that must be written before it can be freed
  PageCount evicted{};                              ///< without addresses: taken by reclaim and not yet read again
  std::shared_ptr<AddressSpace> mapping{};          ///< of a file that is written through a mapping; null: of no such
};

class Zone {
 public:
  Zone(const MemorySpec& memory, int cpus, ReclaimKind kind = ReclaimKind::classic);

  [[nodiscard]] const ZoneCounts& counts() const { return counts_; }
  [[nodiscard]] const Watermarks& marks() const { return marks_; }
  [[nodiscard]] const ZoneSeries& series() const { return series_; }
  [[nodiscard]] PageCount lowest_free() const { return lowest_free_; }
  [[nodiscard]] std::uint64_t allocated() const { return allocated_; }
  [[nodiscard]] PageCount size() const { return size_; }
  /// What a refill of a CPU's list takes at most.
  [[nodiscard]] PageCount batch() const { return batch_; }

  // zone_watermark_ok, for one page.
  [[nodiscard]] bool above_low() const { return counts_.free > marks_.low; }
  [[nodiscard]] bool above_min() const { return counts_.free > marks_.min; }
  [[nodiscard]] bool above_high() const { return counts_.free > marks_.high; }
  /// allow_direct_reclaim (6.1): free pages are above half of min.
  [[nodiscard]] bool reserve_is_sound() const { return counts_.free > PageCount(marks_.min.count() / 2); }

  /// The run begins with the pages where they are now.
  void begin();

  OwnerId add_owner(const PageOwner& owner);
  [[nodiscard]] PageOwner& owner(OwnerId id) { return owners_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const PageOwner& owner(OwnerId id) const { return owners_[static_cast<std::size_t>(id)]; }

  /// Moves `pages` from one place to another, neither of them an LRU list. Precondition: there are that many.
  void move(PageList from, PageList to, PageCount pages, sim::Time now);
  /// Pages in flight come to a list, at its young or its old end.
  void add_to_lru(LruList list, const LruRun& run, sim::Time now);
  void add_to_lru_tail(LruList list, const LruRun& run, sim::Time now);
  /// Pages of a list are in flight (models/mm/lru.h).
  LruRun isolate(LruList list, PageCount most, sim::Time now, Lruvec lruvec = 0);
  PageCount remove_from_lru(OwnerId owner, PageIndex start, PageIndex end, sim::Time now);

  // The same for generations (models/mm/lru.h).

  LruRun isolate_oldest(bool file, PageCount most, sim::Time now, Lruvec lruvec);
  /// Pages in flight, isolated from the oldest generation, come to the next one.
  void protect(bool file, const LruRun& run, sim::Time now);
  /// Returns how many pages of the oldest generation have joined the next one.
  PageCount inc_max_seq(Lruvec lruvec, bool can_swap, sim::Time now);
  bool try_to_inc_min_seq(Lruvec lruvec, bool can_swap) { return lru_at(lruvec).try_to_inc_min_seq(can_swap); }
  /// Pages of [start, end) of `owner` have been looked at, and not been touched.
  void looked_at(OwnerId owner, PageIndex start, PageIndex end, sim::Time now) {
    lru_at(this->owner(owner).group).looked_at(owner, start, end, now);
  }
  /// Those without addresses that have been touched go to the youngest generation. Returns how many these are.
  PageCount promote_touched(Lruvec lruvec, bool file, sim::Time now,
                            const std::function<PageCount(const LruRun&)>& touched);

  /// Whether the list of `cpu` has a page.
  [[nodiscard]] bool has_per_cpu_page(int cpu) const { return per_cpu(cpu) > PageCount(0); }
  [[nodiscard]] PageCount per_cpu(int cpu) const { return per_cpu_[static_cast<std::size_t>(cpu)]; }
  /// rmqueue_bulk: fills the list of `cpu`. Precondition: there are free pages.
  void refill(int cpu, sim::Time now);
  /// Takes pages from the list of `cpu`, in flight then. Precondition: they are there.
  void take(int cpu, PageCount pages = PageCount(1));
  /// Takes `pages` from the free ones, in flight then. Precondition: there are as many.
  void take_folio(PageCount pages, sim::Time now);
  /// Takes one page before each of these steps of `current`, ahead of the clock; returns how many. Preconditions: they
  /// are on its CPU's list, the low watermark is met, and the task may look ahead.
  std::size_t take_ahead(Task& current, std::span<const sim::Nanoseconds> steps);
  /// Ends all look-ahead that rests on these lists and on the low watermark.
  void cut_look_ahead();
  /// drain_all_pages: the lists of all CPUs go back to the zone.
  void drain_per_cpu_lists(sim::Time now);

  /// Until when somebody holds zone->lock.
  sim::Time lock_free_at{};
  /// Until when somebody holds lruvec->lru_lock.
  sim::Time lru_lock_free_at{};

  /// The lists of one group more (mem_cgroup_alloc).
  Lruvec add_lruvec();
  /// How many there are: 1 if no group has any.
  [[nodiscard]] Lruvec lruvecs() const { return static_cast<Lruvec>(lrus_.size()); }
  [[nodiscard]] const Lru& lru(Lruvec lruvec = 0) const { return lrus_[static_cast<std::size_t>(lruvec)]; }

 private:
  void changed(sim::Time now);
  Lru& lru_at(Lruvec lruvec) { return lrus_[static_cast<std::size_t>(lruvec)]; }
  Lru& lru_of(const LruRun& run) { return lru_at(owner(run.owner).group); }

  Watermarks marks_;
  PageCount batch_;
  ZoneCounts counts_;
  PageCount size_;
  PageCount lowest_free_;
  std::uint64_t allocated_ = 0;
  std::vector<PageCount> per_cpu_;
  std::vector<PageOwner> owners_;
  ReclaimKind kind_;
  std::deque<Lru> lrus_;
  ZoneSeries series_;
  std::vector<sim::LookAhead*> ahead_;
};

/// Waits for lruvec->lru_lock, and has it for as long as `pages` take to be moved from one list to another: all tasks
/// that do so at one time queue. What a page takes alone is part of its cost. Precondition: `current` has settled.
void lock_lruvec(Task& current, PageCount pages);

/// Has zone->lock while so many pages go back to the zone together (free_pcppages_bulk), and waits for it before that.
/// It takes as long for a batch of a CPU's list as a refill with one. Precondition: `current` has settled.
void lock_zone_to_free(Task& current, PageCount pages);

/// Takes one free page for `current`, reclaiming for it where the watermarks say so. The page is then in flight.
/// When nothing can be reclaimed the run ends with the outcome `out of memory`, and this does not return.
void alloc_page(Task& current);
/// The same, a page before each of these steps of CPU time.
void alloc_pages(Task& current, std::span<const sim::Nanoseconds> steps);
/// The same where all steps are `each`. Preconditions: `current` is undisturbed until then, and the low watermark is
/// met by as many pages and a refill.
void alloc_pages_undisturbed(Task& current, PageCount pages, sim::Nanoseconds each);

/// Whether an allocation that may fail reclaims for itself before it does.
enum class FolioReclaim {
  none,    ///< GFP_TRANSHUGE_LIGHT
  direct,  ///< GFP_TRANSHUGE: until there is room, or a round finds nothing (__GFP_NORETRY)
};

/// Takes a folio of `pages` free pages for `current`, not below the min watermark. Returns false if there are not as
/// many. They are then in flight. Simplified: memory is not fragmented, so there is nothing to compact.
[[nodiscard]] bool alloc_folio(Task& current, PageCount pages, FolioReclaim reclaim);

}  // namespace models
