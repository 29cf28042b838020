// The walk over the present pages of a range, one page table at a time.
//
// Kernel. mm/pagewalk.c, walk_page_range, as munlock and zap use it: absent entries are skipped, each present page
// costs its step. Simplified. Skipping absent entries is free unless a cost is given; lock_page never has to wait.
#pragma once

#include "models/spec/page.h"
#include "sim/distribution.h"
#include "sim/time.h"

namespace models {

class Mm;
class Task;

/// What a walk does to the pages it meets. Costs are drawn for each page; null: none.
struct PageStep {
  PageState to;                   ///< the state, and with it the list, that present pages are brought to
  const sim::Distribution* cost;  ///< for a present page
  const sim::Distribution* mlocked_cost = nullptr;  ///< on top, for one that is still mlocked
  const sim::Distribution* absent_cost = nullptr;   ///< for an absent page
  sim::Nanoseconds more_cost{};                     ///< on top, for a present page
};

/// Looks at the present pages of [start, end) without changing them. Each costs `present`; `entry`, on top, is for each
/// entry of the page tables that have a present page in the range, absent ones included. Returns how many there were.
struct PageLook {
  sim::Nanoseconds present{};
  sim::Nanoseconds entry{};
};
PageCount look_at_page_range(Task& current, const Mm& mm, PageIndex start, PageIndex end, const PageLook& look);

/// Walks [start, end). Returns how many present pages it has changed.
PageCount walk_page_range(Task& current, Mm& mm, PageIndex start, PageIndex end, const PageStep& step);

}  // namespace models
