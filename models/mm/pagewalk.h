// The walk over the present pages of a range, one page table at a time.
//
// Kernel. mm/pagewalk.c, walk_page_range, as munlock and zap use it: absent entries are skipped, each present page
// costs its step: a folio that one entry maps is one (mlock_pte_range, zap_huge_pmd), and so is what the range has of a
// folio that is mapped page by page, but for the look at its other entries (folio_mlock_step of 6.8,
// zap_present_folio_ptes of 6.9). munlock takes the folio off the unevictable list with all its pages, whoever else has
// some of them locked; mlock puts it there only if the range has all of it (allow_mlock_munlock, 6.7). Simplified.
// Skipping absent entries is free unless a cost is given; lock_page never has to wait. What the kernel does table by
// table, with cond_resched in between, is one step for a table of pages, and for up to 16 folios that one entry maps: a
// step is shorter than that of a table still.
#pragma once

#include <algorithm>
#include <cstdint>

#include "models/mm/page_table.h"
#include "models/spec/machine.h"
#include "models/spec/page.h"
#include "sim/distribution.h"
#include "sim/time.h"

namespace models {

class Mm;
class Task;

/// Calls `each` with the parts of [start, end) that lie in one page table.
template <class Each>
void for_each_table(PageIndex start, PageIndex end, Each each) {
  for (PageIndex page = start; page < end;) {
    const PageIndex stop = std::min(end, end_of_table(page));
    each(page, stop);
    page = stop;
  }
}

/// Huge pages that a walk takes in one step, which then lasts about as long as one over a table of small pages; and
/// where each is cleared or freed as well, which takes longer.
inline constexpr std::int64_t kFoliosAtOnce = 256;
inline constexpr std::int64_t kClearedFoliosAtOnce = 16;

/// Up to where the folio at `page` of `run`, which one entry maps, and those behind it are taken in one step of at most
/// so many `folios`.
[[nodiscard]] PageIndex end_of_step(PageIndex page, const PageTable::FolioRun& run,
                                    std::int64_t folios = kFoliosAtOnce);
/// How many folios [start, end) has a part of. Precondition: they are like `folio`.
[[nodiscard]] std::int64_t folios_in(const Folio& folio, PageIndex start, PageIndex end);

/// What a walk does to the pages it meets. Costs are drawn for each page; null: none.
struct PageStep {
  PageState to;                   ///< the state, and with it the list, that present pages are brought to
  const sim::Distribution* cost;  ///< for a present page
  const sim::Distribution* mlocked_cost = nullptr;       ///< on top, for one that is still mlocked
  const sim::Distribution* absent_cost = nullptr;        ///< for an absent page
  sim::Nanoseconds more_cost{};                          ///< on top, for a present page
  const sim::Distribution* huge_cost = nullptr;          ///< for a folio that one entry maps
  const sim::Distribution* huge_mlocked_cost = nullptr;  ///< on top, for one that is still mlocked
};

/// unmap_page_range: pages are unmapped and freed, those that are mlocked munlocked on the way.
[[nodiscard]] PageStep zap_step(const Costs& costs);

/// Looks at the present pages of [start, end) without changing them. Each costs `present`; `entry`, on top, is for each
/// entry of the page tables that have a present page in the range, absent ones included. What one entry maps of a folio
/// costs `huge` instead. Returns how many pages are present.
struct PageLook {
  sim::Nanoseconds present{};
  sim::Nanoseconds entry{};
  sim::Nanoseconds huge{};
};
PageCount look_at_page_range(Task& current, const Mm& mm, PageIndex start, PageIndex end, const PageLook& look);

/// Walks [start, end). Returns how many present pages it has changed.
PageCount walk_page_range(Task& current, Mm& mm, PageIndex start, PageIndex end, const PageStep& step);

}  // namespace models
