// MGLRU: reclaim by generations, whose ageing reads page tables under mmap_sem of whom they are.
//
// Kernel. mm/vmscan.c of 6.12: the aging (try_to_inc_max_seq, iterate_mm_list, walk_mm,
// walk_pte_range, inc_max_seq), the eviction (get_nr_to_scan, should_run_aging, isolate_folios, scan_folios,
// evict_folios, should_abort_scan, try_to_shrink_lruvec), lru_gen_shrink_node, set_initial_priority; include/linux/
// mm_inline.h: lru_gen_add_folio. The generations themselves are in models/mm/lru.h. The walk takes mmap_sem of each
// process in turn by trylock, and passes the process over where it does not get it. It keeps it up to the end of the
// 1 GiB of addresses in which it has promoted MAX_LRU_BATCH pages, or has to give its CPU away, and then tries for it
// anew. So whoever wants it for write waits for kswapd, or for whoever else reclaims. Eviction looks at 64 pages at a
// time and stops as soon as it has its 32, where the classic lists give a direct reclaimer his whole share.
// Read in a source of about 6.14; what 6.12 has differently is from memory [m]: when should_run_aging says so, which
// type isolate_folios begins with, and that pages which cannot be evicted go to the youngest generation. Simplified.
// - 6.12's rules for every release (6.1's kswapd ages before it looks for pages, and waits for others that age).
// - Tiers and their controller: which type is scanned follows from refaults as in the kernel (positive_ctrl_err), of
//   one tier. What is touched by read() is kept for a generation more (sort_folio), as from 64 refaults on it would.
// - Bloom filters: a table in which no page has been touched is passed over (the accessed bit of its entry in the PMD);
//   which other ones are worth their walk is not learnt, so all are walked.
// - What a page has around it that is touched, too, is not promoted when reclaim finds it touched
//   (lru_gen_look_around): each is found when its turn comes.
// - A process is passed over that has fewer than 64 pages, not one that has not run since the last walk. Who walks last
//   through one that exits unmaps it; the kernel leaves that to a work item.
// - Groups are scanned in turn, beginning with the next one each time; the kernel's memcg LRU draws lots.
// - Other processes' anonymous working set is aged as well, and its page tables cost time, but nobody waits for their
//   mmap_sem. What files hold is seldom mapped: it has none.
// - Dirty pages of files go to the next generation; what kswapd meets of them it writes, as the flusher that it wakes
//   would.
// Assumed. An entry of a page table costs what mincore pays for one (mincore_page); one whose accessed bit is to be
// cleared, what mprotect pays for a page's entry, on top (mprotect_page).
// Validated by tests/models/mm/mglru_test.cpp: closed forms of walks and stalls, who is passed over, who waits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "models/mm/lru.h"
#include "models/spec/page.h"

namespace models {

class Mm;
class Task;
struct Kernel;
struct ScanControl;

/// MIN_LRU_BATCH and MAX_LRU_BATCH (mm/vmscan.c), BITS_PER_LONG and 64 times that: what is isolated at a time, and what
/// is looked at for it, or promoted before a walk may end its hold.
inline constexpr PageCount kMinLruBatch{64};
inline constexpr PageCount kMaxLruBatch{64 * kMinLruBatch.count()};

/// What there is besides the generations themselves of one lruvec.
struct LruGenState {
  /// What the controller reads of one type (ctrl_pos): of the oldest generation, and the moving averages of those
  /// before it.
  struct Refaults {
    std::int64_t refaulted = 0;
    std::int64_t evicted = 0;
    std::int64_t avg_refaulted = 0;
    std::int64_t avg_total = 0;

    /// reset_ctrl_pos: the oldest generation is another one.
    void carry_over();
  };

  std::int64_t walked_seq = kMinNrGens;  ///< lru_gen_mm_state.seq: up to which all processes have been walked
  std::size_t next_mm = 0;               ///< where in the list those are who walk for the next one
  std::array<Refaults, 2> refaults{};    ///< of anonymous pages and of files
};

/// lru_gen_shrink_node (of the whole machine) or lru_gen_shrink_lruvec (of a group): evicts from the oldest generation,
/// and makes a new one where there are none but the MIN_NR_GENS youngest.
void lru_gen_shrink(Task& current, ScanControl& sc);

/// try_to_inc_max_seq: walks the page tables of who has pages on `lruvec`, and makes a new generation when all have
/// been. `seq`: the youngest when it was decided on. Returns whether it was this task that made it.
bool try_to_inc_max_seq(Task& current, Lruvec lruvec, std::int64_t seq, bool can_swap);

/// lru_gen_refault: pages of no group that had been evicted come back.
void lru_gen_refault(Kernel& kernel, bool file, PageCount pages);

}  // namespace models
