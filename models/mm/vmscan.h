// Reclaim: kswapd in the background, and tasks that must reclaim for their own allocation.
//
// Kernel. mm/vmscan.c of 6.1, to be read beside it: balance_pgdat, do_try_to_free_pages, shrink_lruvec, get_scan_count,
// shrink_inactive_list, shrink_active_list, reclaim_throttle, throttle_direct_reclaim. ReclaimEra::linux_2_6_28 waits
// as 2.6.28 does: congestion_wait between rounds, no guard of the reserve; it shares the balance of the scan. How long
// a direct reclaimer's stall is, is the length of its scan: at DEF_PRIORITY 6.1 looks at size >> 12 of each list that
// has a turn, whatever it has got (shrink_lruvec, proportional_reclaim; since 3.16, 1a501907bbea); 2.6.28 always does.
// All of this is about the classic lists; with MGLRU what is scanned is said by models/mm/mglru.h, and kswapd waits for
// no write-back.
// Simplified.
// - Whether a page of the working set was touched is drawn when reclaim looks at it: with one touch in T on average,
//   1 - exp(-age / T).
// - Pages under write-back leave their list and come back to its old end when they are written; the kernel leaves them
//   and passes over them. A round of kswapd that frees nothing while there are such pages waits for them
//   (reclaim_throttle with VMSCAN_THROTTLE_WRITEBACK), as the kernel's does on finding them at the end of the list; if
//   it found nothing to write either, direct reclaimers sleep for a tick (LRUVEC_CONGESTED).
// - Every refault of the working set is one that the kernel would activate (workingset_refault compares distances), and
//   those of a scenario's regions are none. What is dirty of the page cache is the memory's share `dirty` of all of it.
// - What is looked at is decided upon at once, so that pages are never isolated for others to see, and there are never
//   too many of them isolated (VMSCAN_THROTTLE_ISOLATED).
// - Pages of a file that is written (models/mm/page_writeback.h): dirty ones as above, and are gone from the file's
// page
//   cache at once; those that the flusher is writing are left alone, and activated.
// - Every anonymous page that is swapped out is written; an executable's pages are like any other file's.
// Validated by tests/models/mm/vmscan_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "models/measure/blame.h"
#include "models/measure/memory_statistics.h"
#include "models/mm/lru.h"
#include "models/mm/mglru.h"
#include "models/mm/scan_control.h"
#include "models/spec/page.h"
#include "sim/histogram.h"
#include "sim/time_series.h"

namespace models {

class Mm;
class Task;
struct MemCgroup;
struct Kernel;

/// SWAP_CLUSTER_MAX (include/linux/swap.h).
inline constexpr PageCount kSwapClusterMax{32};

/// MAX_RECLAIM_RETRIES (mm/internal.h of 6.1): futile rounds that an allocation is forgiven, and runs that kswapd is.
inline constexpr int kMaxReclaimRetries = 16;

/// What decides which lists are scanned: the parts of struct lruvec of who is reclaimed from as a whole.
struct ReclaimBalance {
  std::int64_t anon_cost = 0;  ///< pages written or read back, decaying
  std::int64_t file_cost = 0;
  std::array<std::uint64_t, 2> refaults{};  ///< WORKINGSET_ACTIVATE_ANON and _FILE
  std::array<std::uint64_t, 2> snapshot{};  ///< of `refaults`, when a scan last ended
  bool congested = false;                   ///< LRUVEC_CONGESTED: all that was met is on its way to the device
};

/// What reclaim remembers between rounds: the parts of pglist_data and the root's lruvec that it works with.
struct Reclaim : ReclaimBalance {
  Task* kswapd = nullptr;
  bool kswapd_sleeps = false;
  int kswapd_failures = 0;                     ///< runs in a row that freed nothing; it gives up at kMaxReclaimRetries
  std::array<PageCount, kLruLists> nr_scan{};  ///< 2.6.28: too few to look at yet
  std::deque<Task*> reserve_waiters;           ///< pfmemalloc_wait
  std::deque<Task*> progress_waiters;          ///< reclaim_wait[VMSCAN_THROTTLE_NOPROGRESS]
  std::deque<Task*> congested_waiters;         ///< reclaim_wait[VMSCAN_THROTTLE_CONGESTED]: nobody wakes them
  std::deque<Task*> writeback_waiters;         ///< reclaim_wait[VMSCAN_THROTTLE_WRITEBACK]; 2.6.28: congestion_wait
  std::int64_t written_while_throttled = 0;
  bool device_congested = false;     ///< when it was last looked at
  std::vector<LruGenState> lru_gen;  ///< MGLRU: by lruvec, as far as there was need
  Lruvec next_lruvec = 0;            ///< MGLRU: whose turn it is
  ReclaimStatistics statistics;
  sim::TimeSeries kswapd_runs;  ///< 1 while it is awake
};

/// 2.6.28: sleeps until the device is no longer congested, or for `timeout`.
void congestion_wait(Task& current, sim::Nanoseconds timeout);

/// Wakes kswapd if it sleeps and has not given up; `current` pays for the wake-up.
void wakeup_kswapd(Task& current);

/// The pages that an allocation could still hope for (zone_reclaimable_pages): those on their way to the device too.
[[nodiscard]] PageCount reclaimable_pages(const Kernel& kernel);

/// What an allocation has to do itself before it gets a page: charged to Cause::direct_reclaim, recorded as one stall.
struct DirectReclaim {
  Cause before;
  sim::Time began;
};
[[nodiscard]] DirectReclaim begin_direct_reclaim(Task& current);
void end_direct_reclaim(Task& current, const DirectReclaim& stall);

/// One round of direct reclaim for `current`, through all priorities if need be; returns how many pages it freed. They
/// are free for anybody to take.
PageCount try_to_free_pages(Task& current);

/// The same among the pages of `group`, for a charge of `pages` (nr_to_reclaim: SWAP_CLUSTER_MAX at least). It ends
/// where it has them, and swaps nothing with swappiness 0.
PageCount try_to_free_mem_cgroup_pages(Task& current, MemCgroup& group, PageCount pages);

/// The body of the kswapd task: sleeps until woken, then reclaims up to the high watermark.
void kswapd(Task& current);

/// reclaim_pages, for MADV_PAGEOUT: takes those pages of [start, end), one page table at most, that are resident,
/// touched or not; of files only what need not be written. They have one owner.
void reclaim_pages(Task& current, Mm& mm, PageIndex start, PageIndex end);

/// workingset_refault: a page of no group, which reclaim had taken, is read again.
void note_refault(Kernel& kernel, bool file, PageCount pages);

}  // namespace models
