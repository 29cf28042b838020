#include "models/vmscan.h"

#include <algorithm>

#include <boost/random/bernoulli_distribution.hpp>

#include "models/kernel.h"
#include "models/task.h"

namespace models {

namespace {

// shrink_zone for one batch: its CPU time, then the device if some of its pages are dirty.
PageCount shrink_zone(Task& current, const sim::Distribution& cost) {
  Kernel& kernel = current.kernel();
  current.work(cost, Purpose::reclaim);
  if (boost::random::bernoulli_distribution<double>(kernel.dirty)(current.stream(Purpose::reclaim))) {
    const sim::Time written = current.settle() + kernel.costs.writeback.sample(current.stream(Purpose::reclaim));
    current.sleep_until(written, Cause::device_io);
  }
  current.settle();
  const PageCount freed = std::min(kSwapClusterMax, kernel.zone.counts().evictable);
  kernel.zone.move(&ZoneCounts::evictable, &ZoneCounts::free, freed);
  return freed;
}

}  // namespace

void wakeup_kswapd(Task& current) {
  Kernel& kernel = current.kernel();
  if (!kernel.kswapd_sleeps) return;
  kernel.kswapd_sleeps = false;
  ++kernel.zone.statistics().kswapd_wakeups;
  current.work(kernel.costs.rwsem_wake);
  current.settle();
  kernel.kswapd->wake();
}

void try_to_free_pages(Task& current) {
  Kernel& kernel = current.kernel();
  const sim::Time began = current.settle();
  const Cause before = current.charge_work_to(Cause::direct_reclaim);
  // do-while: other tasks may take what this one has just freed.
  do {
    const PageCount freed = shrink_zone(current, kernel.costs.direct_reclaim);
    if (freed == PageCount(0)) kernel.out_of_memory(current);
    kernel.zone.statistics().direct_reclaimed += static_cast<std::uint64_t>(freed.count());
  } while (kernel.zone.at_min());
  current.charge_work_to(before);
  kernel.zone.statistics().direct_stalls.record(current.settle() - began);
}

void kswapd(Task& current) {
  Kernel& kernel = current.kernel();
  for (;;) {
    while (kernel.zone.below_high()) {
      const PageCount freed = shrink_zone(current, kernel.costs.kswapd);
      if (freed == PageCount(0)) break;
      kernel.zone.statistics().kswapd_reclaimed += static_cast<std::uint64_t>(freed.count());
    }
    kernel.kswapd_sleeps = true;
    current.block(Cause::sleep);
  }
}

}  // namespace models
