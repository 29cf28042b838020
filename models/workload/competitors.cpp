#include "models/workload/competitors.h"

#include <boost/random/uniform_int_distribution.hpp>

#include <algorithm>
#include <variant>

#include "models/fork.h"
#include "models/mm/access_remote_vm.h"
#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/mempolicy.h"
#include "models/mm/mincore.h"
#include "models/mm/mmap.h"
#include "models/mm/mprotect.h"
#include "models/proc/procfs.h"
#include "models/workload/requests.h"

namespace models {

namespace {

// What undoes it. Normal is what mappings have from the start: it undoes itself only after something else has been
// said.
Advice opposite_of(Advice advice) {
  switch (advice) {
    case Advice::normal:
      return Advice::sequential;
    case Advice::random:
    case Advice::sequential:
      return Advice::normal;
    case Advice::dontfork:
      return Advice::dofork;
    case Advice::dofork:
      return Advice::dontfork;
    default:
      return advice;
  }
}

void run(Task& current, const Workplace& at, const FaulterSpec& spec) {
  Mm& mm = at.mm;
  if (spec.region) {
    const Region& region = at.regions.at(*spec.region);
    const boost::random::uniform_int_distribution<std::int64_t> offset(0, region.pages.count() - 1);
    make_requests(current, mm, spec.arrival, at.record, [&] {
      const PageIndex page = region.start + PageCount(offset(current.stream(Purpose::pages)));
      do_page_fault(current, mm, page, Backing::region, spec.by);
    });
    return;
  }
  // An allocator's arena that has been in use for long. Which of its pages it is makes no difference.
  const PageIndex arena = mm.get_unmapped_area(PageCount(1));
  mm.anon_vma_prepare(*mm.insert_vma(arena, arena + PageCount(1), VmFlags{}));
  make_requests(current, mm, spec.arrival, at.record,
                [&] { do_page_fault(current, mm, arena, Backing::streamed, spec.by); });
}

void run(Task& current, const Workplace& at, const ProcReaderSpec& spec) {
  Mm& target = at.mm;
  const auto read = [&] {
    switch (spec.file) {
      case ProcReaderSpec::File::cmdline:
        return proc_pid_cmdline(current, target);
      case ProcReaderSpec::File::maps:
        return proc_pid_maps(current, target);
      case ProcReaderSpec::File::smaps:
        return proc_pid_smaps(current, target);
      case ProcReaderSpec::File::smaps_rollup:
        return proc_pid_smaps_rollup(current, target);
      case ProcReaderSpec::File::numa_maps:
        return proc_pid_numa_maps(current, target);
    }
  };
  make_requests(current, target, spec.arrival, at.record, read, spec.new_process);
}

void run(Task& current, const Workplace& at, const MapperSpec& spec) {
  Mm& mm = at.mm;
  const Region* const region = spec.region ? &at.regions.at(*spec.region) : nullptr;
  const PageCount pages = pages_of(spec.size);
  const MmapHow how{.fixed = region != nullptr, .populate = spec.populate};
  const PageIndex base = region != nullptr ? region->start : mm.get_unmapped_area(pages);
  const std::int64_t places = region != nullptr ? region->pages.count() / pages.count() : 1;
  const boost::random::uniform_int_distribution<std::int64_t> place(0, places - 1);
  const boost::random::uniform_int_distribution<int> coin(0, 1);
  bool map = false;
  make_requests(current, mm, spec.arrival, at.record, [&] {
    // From the stream of demands: whatever the policy, the same calls.
    sim::Stream& demand = current.stream(Purpose::demand);
    const PageIndex start = region != nullptr ? base + PageCount(place(demand) * pages.count()) : base;
    map = region != nullptr ? coin(demand) == 1 : !map;
    if (map) {
      sys_mmap(current, mm, start, pages, VmFlags{}, how);
    } else {
      sys_munmap(current, mm, start, pages);
    }
    current.enter(Phase::user);
  });
}

void run(Task& current, const Workplace& at, const MadviserSpec& spec) {
  const Region& region = at.regions.at(spec.region);
  const PageCount piece = pages_of(spec.size);
  PageCount offset;
  Advice advice = spec.advice;
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    (void)sys_madvise(current, at.mm, region.start + offset, std::min(piece, region.pages - offset), advice);
    offset += piece;
    if (offset >= region.pages) {
      offset = PageCount(0);
      advice = opposite_of(advice);
    }
    current.enter(Phase::user);
  });
}

void run(Task& current, const Workplace& at, const MincoreSpec& spec) {
  const Region& region = at.regions.at(spec.region);
  const PageCount pages = pages_of(spec.size);
  const boost::random::uniform_int_distribution<std::int64_t> offset(0, (region.pages - pages).count());
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    const PageIndex start = region.start + PageCount(offset(current.stream(Purpose::pages)));
    (void)sys_mincore(current, at.mm, start, pages);
    current.enter(Phase::user);
  });
}

void run(Task& current, const Workplace& at, const GetMempolicySpec& spec) {
  const Region& region = at.regions.at(spec.region);
  const auto flags = spec.node ? MempolicyFlags::addr_and_node : MempolicyFlags::addr;
  const boost::random::uniform_int_distribution<std::int64_t> offset(0, region.pages.count() - 1);
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    const PageIndex page = region.start + PageCount(offset(current.stream(Purpose::pages)));
    (void)sys_get_mempolicy(current, at.mm, page, flags);
    current.enter(Phase::user);
  });
}

void run(Task& current, const Workplace& at, const ProtectorSpec& spec) {
  const Region& region = at.regions.at(spec.region);
  bool readonly = false;
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    readonly = !readonly;
    (void)sys_mprotect(current, at.mm, region.start, pages_of(spec.size), readonly);
    current.enter(Phase::user);
  });
}

void run(Task& current, const Workplace& at, const ForkerSpec& spec) {
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    if (spec.vfork) {
      (void)sys_vfork(current);
    } else {
      const auto lives = [&](const sim::Distribution& child) { return child.sample(current.stream(Purpose::demand)); };
      (void)sys_fork(current, at.mm, spec.child ? std::optional(lives(*spec.child)) : std::nullopt);
    }
    current.enter(Phase::user);
  });
}

void run(Task& current, const Workplace&, const BusySpec& spec) {
  sim::Stream& demand = current.stream(Purpose::demand);
  for (;;) {
    current.work(spec.spin.sample(demand));
    const sim::Time done = current.settle();
    if (spec.sleep) current.sleep_until(done + spec.sleep->sample(demand));
  }
}

void run(Task& current, const Workplace& at, const RemoteReaderSpec& spec) {
  Mm& target = at.mm;
  const Region& region = at.first_region;
  const PageCount pages = std::min(spec.pages, region.pages);
  const boost::random::uniform_int_distribution<std::int64_t> offset(0, (region.pages - pages).count());
  make_requests(current, target, spec.arrival, at.record, [&] {
    const PageIndex start = region.start + PageCount(offset(current.stream(Purpose::pages)));
    (void)access_process_vm(current, target, start, pages);
    current.enter(Phase::user);
  });
}

}  // namespace

void run_competitor(Task& current, const Workplace& at, const Competitor& competitor) {
  std::visit([&](const auto& spec) { run(current, at, spec); }, competitor);
}

}  // namespace models
