// Memory limits of control groups: who takes more than his group may have reclaims among its pages, or waits.
//
// Models memory.max and memory.high (cgroup v2) for the pages of a process: anonymous ones, shared memory and the page
// cache of its files are charged to its group when they are taken, and uncharged when they are free again. At
// memory.max the charge reclaims among the group's own pages, there where it is: in a fault, under its lock. Beyond
// memory.high the task reclaims and sleeps on its way back to user mode, with nothing held; only one that has taken
// more than MEMCG_CHARGE_BATCH pages since does so at once, under what it holds (5.18, c9afe31ec443).
// Kernel. mm/memcontrol.c of 6.1: try_charge_memcg, mem_cgroup_handle_over_high, calculate_high_delay, reclaim_high;
// mm/vmscan.c: try_to_free_mem_cgroup_pages (models/mm/vmscan.h). Each group has lists of its own (struct lruvec); the
// reclaim of the whole machine goes through all of them. Simplified.
// - Pages are charged one by one: no per-CPU stock of MEMCG_CHARGE_BATCH, by which a real group is at its limit
// earlier.
// - Groups stand side by side. What the kernel itself takes (page tables, VMAs), what children of fork copy, and
// hugetlb
//   are not charged; nor is swap limited.
// - The OOM killer is not modelled: the run ends where it would look for its victim.
// Validated by tests/models/mm/memcontrol_test.cpp.
#pragma once

#include <optional>
#include <string>

#include "models/measure/memory_statistics.h"
#include "models/mm/lru.h"
#include "models/mm/vmscan.h"
#include "models/spec/page.h"
#include "models/spec/sched.h"
#include "sim/time.h"

namespace models {

class Mm;
class Task;
struct Kernel;

/// MEMCG_CHARGE_BATCH (include/linux/memcontrol.h).
inline constexpr PageCount kMemcgChargeBatch{64};

/// One group. Invariant: `usage` are its pages on lists, unevictable, on their way to the device, and those just taken.
struct MemCgroup {
  int group = -1;  ///< the scenario's control group
  Lruvec lruvec = 0;
  std::optional<PageCount> max;   ///< memory.max; none: no limit
  std::optional<PageCount> high;  ///< memory.high
  PageCount usage{};              ///< memory.current
  ReclaimBalance balance{};
  OwnerId streamed = 0;  ///< as those of the kernel (models/kernel.h)
  OwnerId written_anon = 0;
  OwnerId written_file = 0;
  GroupMemory statistics{};

  void charge(PageCount pages);
  /// Whether so many more may be charged.
  [[nodiscard]] bool has_room_for(PageCount pages) const { return !max || usage + pages <= *max; }
  [[nodiscard]] bool is_over_high() const { return high && usage > *high; }
};

/// calculate_high_delay: how long the task sleeps, in ticks, that has taken `taken` pages and finds its group to have
/// `usage` where it should have `high`. hz x (overage / high)^2 / 2^14, in units of 2^-20, by MEMCG_CHARGE_BATCH pages;
/// 2 s at most, and nothing up to 10 ms. `tick` > 0.
[[nodiscard]] sim::Nanoseconds calculate_high_delay(PageCount usage, PageCount high, PageCount taken,
                                                    sim::Nanoseconds tick);

/// Charges `pages` that `current` has taken for `mm`, reclaiming for it if need be; without a limit it does nothing.
/// The run ends with the outcome `out of memory` where nothing can be reclaimed.
void mem_cgroup_charge(Task& current, const Mm& mm, PageCount pages);

/// The same for a folio, which one round of reclaim is made for (__GFP_NORETRY). Returns false if there is no room.
[[nodiscard]] bool mem_cgroup_charge_folio(Task& current, const Mm& mm, PageCount pages);

/// alloc_page for `mm`, charged.
void alloc_charge_page(Task& current, const Mm& mm);

/// `pages` of the group with those lists are free; without a group it does nothing.
void mem_cgroup_uncharge(Kernel& kernel, Lruvec lruvec, PageCount pages);

/// `pages` that were taken for `mm` and turn out not to be needed are free from `now` on, and no longer charged.
void free_charged_pages(Kernel& kernel, const Mm& mm, PageCount pages, sim::Time now);

/// mem_cgroup_handle_over_high, on the way back to user mode: what `current` has taken beyond memory.high is reclaimed,
/// and where that fails it sleeps. Precondition: no lock of the kernel is held, but where it has taken a batch.
void mem_cgroup_handle_over_high(Task& current);

/// The group with those lists; null for 0.
[[nodiscard]] MemCgroup* mem_cgroup_of(Kernel& kernel, Lruvec lruvec);

}  // namespace models
