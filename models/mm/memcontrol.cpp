#include "models/mm/memcontrol.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/page_alloc.h"
#include "models/task.h"

namespace models {

namespace {

// PAGE_ALLOC_COSTLY_ORDER: as long as anything is reclaimed, so few are tried for again and again.
constexpr PageCount kCostly{8};

// A charge that has to reclaim: what that takes is one stall, of the zone's and of the group's.
template <class Reclaim>
void charge_in_a_stall(Task& current, MemCgroup& group, Reclaim reclaim) {
  const DirectReclaim stall = begin_direct_reclaim(current);
  reclaim();
  current.settle();
  end_direct_reclaim(current, stall);
  group.statistics.stalls.record(current.now() - stall.began);
}

// The part of try_charge_memcg that reclaims: until there is room. Its first futile round is forgiven for draining the
// stocks of the CPUs.
void reclaim_until_charged(Task& current, MemCgroup& group, PageCount pages) {
  for (int futile_rounds = 0;;) {
    ++group.statistics.max_events;
    const PageCount reclaimed = try_to_free_mem_cgroup_pages(current, group, pages);
    if (group.has_room_for(pages)) return group.charge(pages);
    if (reclaimed > PageCount(0) && pages <= kCostly) continue;
    if (futile_rounds++ <= kMaxReclaimRetries) continue;
    group.statistics.out_of_memory = true;
    current.kernel().reclaim.statistics.futile_rounds = futile_rounds;
    current.kernel().out_of_memory(current);
  }
}

// The end of try_charge_memcg. Only the task's own group minds: it is what it returns to.
void note_over_high(Task& current, const MemCgroup& group, PageCount pages) {
  if (!group.is_over_high() || current.mm() == nullptr || current.mm()->memcg != group.lruvec) return;
  current.pages_over_high += pages;
  if (current.pages_over_high > kMemcgChargeBatch) mem_cgroup_handle_over_high(current);
}

// reclaim_high.
PageCount reclaim_high(Task& current, MemCgroup& group, PageCount pages) {
  if (!group.is_over_high()) return PageCount(0);
  ++group.statistics.high_events;
  const DirectReclaim stall = begin_direct_reclaim(current);
  const PageCount reclaimed = try_to_free_mem_cgroup_pages(current, group, pages);
  current.charge_work_to(stall.before);
  return reclaimed;
}

}  // namespace

void MemCgroup::charge(PageCount pages) {
  usage += pages;
  statistics.peak = std::max(statistics.peak, usage);
}

sim::Nanoseconds calculate_high_delay(PageCount usage, PageCount high, PageCount taken, sim::Nanoseconds tick) {
  constexpr int kPrecision = 20;  // MEMCG_DELAY_PRECISION_SHIFT
  constexpr int kScaling = 14;    // MEMCG_DELAY_SCALING_SHIFT
  if (usage <= high) return sim::Nanoseconds{0};
  const std::int64_t hz = std::chrono::nanoseconds(std::chrono::seconds(1)) / tick;
  const std::int64_t most = 2 * hz;  // MEMCG_MAX_HIGH_DELAY_JIFFIES
  // Far beyond what is slept at most; its square would not fit.
  constexpr std::int64_t kMostOverage = std::int64_t{1} << 25;
  const std::int64_t over =
      std::min(((usage - high).count() << kPrecision) / std::max<std::int64_t>(high.count(), 1), kMostOverage);
  const std::int64_t penalty = (over * over * hz >> kPrecision) >> kScaling;
  const std::int64_t ticks = std::min(penalty * taken.count() / kMemcgChargeBatch.count(), most);
  return ticks <= hz / 100 ? sim::Nanoseconds{0} : ticks * tick;
}

MemCgroup* mem_cgroup_of(Kernel& kernel, Lruvec lruvec) {
  return lruvec == 0 ? nullptr : &kernel.memcgs[static_cast<std::size_t>(lruvec - 1)];
}

void mem_cgroup_charge(Task& current, const Mm& mm, PageCount pages) {
  MemCgroup* const group = mem_cgroup_of(current.kernel(), mm.memcg);
  if (group == nullptr) return;
  current.settle();
  if (group->has_room_for(pages)) {
    group->charge(pages);
  } else {
    charge_in_a_stall(current, *group, [&] { reclaim_until_charged(current, *group, pages); });
  }
  note_over_high(current, *group, pages);
}

bool mem_cgroup_charge_folio(Task& current, const Mm& mm, PageCount pages) {
  MemCgroup* const group = mem_cgroup_of(current.kernel(), mm.memcg);
  if (group == nullptr) return true;
  current.settle();
  if (!group->has_room_for(pages)) {
    ++group->statistics.max_events;
    charge_in_a_stall(current, *group, [&] { (void)try_to_free_mem_cgroup_pages(current, *group, pages); });
    if (!group->has_room_for(pages)) return false;
  }
  group->charge(pages);
  note_over_high(current, *group, pages);
  return true;
}

void alloc_charge_page(Task& current, const Mm& mm) {
  alloc_page(current);
  mem_cgroup_charge(current, mm, PageCount(1));
}

void mem_cgroup_uncharge(Kernel& kernel, Lruvec lruvec, PageCount pages) {
  MemCgroup* const group = mem_cgroup_of(kernel, lruvec);
  if (group == nullptr) return;
  group->usage -= pages;
  assert(group->usage >= PageCount(0));
}

void free_charged_pages(Kernel& kernel, const Mm& mm, PageCount pages, sim::Time now) {
  kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, pages, now);
  mem_cgroup_uncharge(kernel, mm.memcg, pages);
}

void mem_cgroup_handle_over_high(Task& current) {
  const PageCount taken = std::exchange(current.pages_over_high, PageCount(0));
  if (taken == PageCount(0)) return;
  MemCgroup& group = *mem_cgroup_of(current.kernel(), current.mm()->memcg);
  PageCount pages = taken;
  for (int retries = kMaxReclaimRetries;; --retries) {
    const PageCount reclaimed = reclaim_high(current, group, pages);
    current.settle();
    const sim::Nanoseconds delay =
        calculate_high_delay(group.usage, *group.high, taken, current.kernel().cpus.spec().tick);
    if (delay == sim::Nanoseconds{0}) return;
    if (reclaimed == PageCount(0) && retries <= 0) {
      current.sleep_until(current.now() + delay, Cause::reclaim_throttle);
      group.statistics.high_sleep += delay;
      return;
    }
    if (reclaimed > PageCount(0)) ++retries;
    pages = kSwapClusterMax;
  }
}

}  // namespace models
