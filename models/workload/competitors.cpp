#include "models/workload/competitors.h"

#include <boost/random/uniform_int_distribution.hpp>

#include <algorithm>
#include <utility>
#include <variant>

#include "models/fork.h"
#include "models/mm/access_remote_vm.h"
#include "models/mm/fault.h"
#include "models/mm/khugepaged.h"
#include "models/mm/ksm.h"
#include "models/mm/madvise.h"
#include "models/mm/memory.h"
#include "models/mm/mempolicy.h"
#include "models/mm/mincore.h"
#include "models/mm/mm.h"
#include "models/mm/mmap.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/mprotect.h"
#include "models/mm/mremap.h"
#include "models/mm/msync.h"
#include "models/mm/numa_balancing.h"
#include "models/mm/pin.h"
#include "models/proc/procfs.h"
#include "models/workload/calls.h"
#include "models/workload/pieces.h"
#include "models/workload/requests.h"

namespace models {

namespace {

// Makes the system call of that name on so many pages.
template <class Call>
int make_call(Task& current, const Workplace& at, const char* name, PageCount pages, Call call) {
  return time_call(current, at.calls[name], pages, Phase::user, call);
}

// The pieces of a region that a thread comes to.
Pieces pieces_of(const Task& current, const Workplace& at, const std::string& region, Bytes size,
                 const Visits& visits) {
  const Region& all = at.regions.at(region);
  return {all.start, all.pages, pages_of(size), visits, current.member(), at.threads};
}

// In the program, or within read() or the like.
void fault(Task& current, Mm& mm, PageIndex page, Backing backing, FaultMode by) {
  if (by == FaultMode::kernel) current.work(current.kernel().costs.system_call);
  do_page_fault(current, mm, page, backing, by);
}

void run(Task& current, const Workplace& at, const FaulterSpec& spec) {
  Mm& mm = at.mm;
  if (spec.region) {
    const Region& region = at.regions.at(*spec.region);
    const boost::random::uniform_int_distribution<std::int64_t> offset(0, region.pages.count() - 1);
    make_requests(current, mm, spec.arrival, at.record, [&] {
      const PageIndex page = region.start + PageCount(offset(current.stream(Purpose::pages)));
      if (spec.touch) current.settle();
      if (spec.touch && access_page(current.kernel(), mm, page)) return;
      fault(current, mm, page, Backing::region, spec.by);
    });
    return;
  }
  make_requests(current, mm, spec.arrival, at.record,
                [&] { fault(current, mm, *at.arena, Backing::streamed, spec.by); });
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
      case ProcReaderSpec::File::clear_refs:
        return proc_pid_clear_refs(current, target);
      case ProcReaderSpec::File::pagemap:
        return proc_pid_pagemap(current, target);
    }
  };
  make_requests(current, target, spec.arrival, at.record, read, spec.new_process);
}

// Maps whatever is at `piece` anew, or unmaps it.
void map_or_unmap(Task& current, const Workplace& at, const Pieces::Piece& piece, bool map, const VmFlags& flags,
                  const MmapHow& how) {
  make_call(current, at, map ? "mmap" : "munmap", piece.pages, [&] {
    return map ? sys_mmap(current, at.mm, piece.start, piece.pages, flags, how)
               : sys_munmap(current, at.mm, piece.start, piece.pages);
  });
}

void map_in_region(Task& current, const Workplace& at, const MapperSpec& spec) {
  Pieces pieces = pieces_of(current, at, *spec.region, spec.size, spec.visits);
  const MmapHow how{.fixed = true, .populate = spec.populate};
  const VmFlags& of_region = at.regions.at(*spec.region).flags;
  const VmFlags flags{.hugepage = of_region.hugepage, .folio_order = of_region.folio_order, .shared = of_region.shared};
  const bool by_coin = spec.visits.place == Visits::Place::random;
  const boost::random::uniform_int_distribution<int> coin(0, 1);
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    // From the stream of demands: whatever the policy, the same calls.
    sim::Stream& demand = current.stream(Purpose::demand);
    const bool first_round = pieces.rounds() % 2 == 0;
    const Pieces::Piece piece = pieces.next(demand);
    map_or_unmap(current, at, piece, by_coin ? coin(demand) == 1 : first_round, flags, how);
    return pieces.more();
  });
}

void run(Task& current, const Workplace& at, const MapperSpec& spec) {
  if (spec.region) return map_in_region(current, at, spec);
  const PageCount pages = pages_of(spec.size);
  const Pieces::Piece place{at.mm.get_unmapped_area(pages), pages};
  bool map = false;
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    map = !map;
    map_or_unmap(current, at, place, map, {}, {.populate = spec.populate});
  });
}

void run(Task& current, const Workplace& at, const MadviserSpec& spec) {
  Pieces pieces = pieces_of(current, at, spec.region, spec.size, spec.visits);
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    const Advice advice = pieces.rounds() % 2 == 0 ? spec.advice : opposite_of(spec.advice);
    const Pieces::Piece piece = pieces.next(current.stream(Purpose::demand));
    make_call(current, at, "madvise", piece.pages,
              [&] { return sys_madvise(current, at.mm, piece.start, piece.pages, advice); });
    return pieces.more();
  });
}

void run(Task& current, const Workplace& at, const MincoreSpec& spec) {
  const Region& region = at.regions.at(spec.region);
  const PageCount pages = pages_of(spec.size);
  const boost::random::uniform_int_distribution<std::int64_t> offset(0, (region.pages - pages).count());
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    const PageIndex start = region.start + PageCount(offset(current.stream(Purpose::pages)));
    make_call(current, at, "mincore", pages, [&] { return sys_mincore(current, at.mm, start, pages); });
  });
}

void run(Task& current, const Workplace& at, const MsyncSpec& spec) {
  Pieces pieces = pieces_of(current, at, spec.region, spec.size, spec.visits);
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    const Pieces::Piece piece = pieces.next(current.stream(Purpose::demand));
    make_call(current, at, "msync", piece.pages, [&] { return sys_msync(current, at.mm, piece.start, piece.pages); });
    return pieces.more();
  });
}

void run(Task& current, const Workplace& at, const GetMempolicySpec& spec) {
  const Region& region = at.regions.at(spec.region);
  const auto flags = spec.node ? MempolicyFlags::addr_and_node : MempolicyFlags::addr;
  const boost::random::uniform_int_distribution<std::int64_t> offset(0, region.pages.count() - 1);
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    const PageIndex page = region.start + PageCount(offset(current.stream(Purpose::pages)));
    make_call(current, at, "get_mempolicy", PageCount(1),
              [&] { return sys_get_mempolicy(current, at.mm, page, flags); });
  });
}

void run(Task& current, const Workplace& at, const ProtectorSpec& spec) {
  Pieces pieces = pieces_of(current, at, spec.region, spec.size, spec.visits);
  bool readonly = false;
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    readonly = spec.visits.place == Visits::Place::in_turn ? pieces.rounds() % 2 == 0 : !readonly;
    const Pieces::Piece piece = pieces.next(current.stream(Purpose::demand));
    make_call(current, at, "mprotect", piece.pages,
              [&] { return sys_mprotect(current, at.mm, piece.start, piece.pages, readonly); });
    return pieces.more();
  });
}

void run(Task& current, const Workplace& at, const MoverSpec& spec) {
  Mm& mm = at.mm;
  const Region& region = at.regions.at(spec.region);
  const PageCount pages = pages_of(spec.size);
  const PageIndex other = place_to_move_to(mm, region, pages, spec.aligned);
  bool moved = false;
  make_requests(current, mm, spec.arrival, at.record, [&] {
    const int error = make_call(current, at, "mremap", pages, [&] {
      return moved ? sys_mremap(current, mm, other, pages, region.start)
                   : sys_mremap(current, mm, region.start, pages, other);
    });
    if (error == 0) moved = !moved;
  });
}

void run(Task& current, const Workplace& at, const PinnerSpec& spec) {
  Pieces pieces = pieces_of(current, at, spec.region, spec.size, spec.visits);
  PageIndex start;
  PageCount pinned;
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    if (pinned > PageCount(0)) {
      unpin_pages(current, at.mm, start, std::exchange(pinned, PageCount(0)), spec.by);
    } else {
      const Pieces::Piece piece = pieces.next(current.stream(Purpose::demand));
      start = piece.start;
      const int error = pin_pages(current, at.mm, start, piece.pages, spec.by);
      if (error == 0 && spec.unpin) pinned = piece.pages;
    }
    current.enter(Phase::user);
    return pieces.more() || pinned > PageCount(0);
  });
}

void run(Task& current, const Workplace& at, const ForkerSpec& spec) {
  make_requests(current, at.mm, spec.arrival, at.record, [&] {
    make_call(current, at, spec.vfork ? "vfork" : "fork", PageCount(0), [&] {
      if (spec.vfork) return sys_vfork(current);
      const auto lives = [&](const sim::Distribution& child) { return child.sample(current.stream(Purpose::demand)); };
      return sys_fork(current, at.mm, spec.child ? std::optional(lives(*spec.child)) : std::nullopt);
    });
  });
}

void run(Task& current, const Workplace&, const BusySpec& spec) {
  sim::Stream& demand = current.stream(Purpose::demand);
  for (;;) {
    current.work(spec.spin.sample(demand));
    const sim::Time done = current.settle();
    if (spec.sleep) current.sleep_on_timer_until(done + spec.sleep->sample(demand));
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

// mmap_sem, in the mode that a holder asks for.
void take(Task& current, Mm& mm, HolderSpec::Mode mode) {
  if (mode == HolderSpec::Mode::write) return mmap_write_lock(current, mm);
  mm.mmap_sem.down_read(current);
}

void give_up(Task& current, Mm& mm, HolderSpec::Mode mode) {
  if (mode == HolderSpec::Mode::write) return mmap_write_unlock(current, mm);
  mm.mmap_sem.up_read(current);
}

// A walk of the kernel, of which only its time is known.
void hold(Task& current, Mm& mm, const HolderSpec& spec) {
  const bool in_one = spec.yields == HolderSpec::Yields::never;
  current.enter(Phase::hold);
  take(current, mm, spec.mode);
  for (sim::Nanoseconds left = spec.hold.sample(current.stream(Purpose::demand)); left > sim::Nanoseconds{0};) {
    const sim::Nanoseconds step = in_one ? left : std::min(left, kHolderStep);
    current.work(step);
    left -= step;
    if (in_one) continue;
    current.cond_resched();
    if (spec.yields != HolderSpec::Yields::lock || left == sim::Nanoseconds{0}) continue;
    current.settle();
    if (!mm.mmap_sem.is_contended()) continue;
    give_up(current, mm, spec.mode);
    take(current, mm, spec.mode);
  }
  give_up(current, mm, spec.mode);
  current.enter(Phase::user);
}

void run(Task& current, const Workplace& at, const HolderSpec& spec) {
  make_requests(current, at.mm, spec.arrival, at.record, [&] { hold(current, at.mm, spec); });
}

void run(Task& current, const Workplace& at, const KhugepagedSpec& spec) {
  KhugepagedScan scan;
  make_requests(current, at.mm, spec.arrival, at.record, [&] { khugepaged_do_scan(current, at.mm, spec, scan); });
}

void run(Task& current, const Workplace& at, const NumaBalancingSpec& spec) {
  PageIndex offset;
  make_requests(current, at.mm, spec.arrival, at.record,
                [&] { task_numa_work(current, at.mm, pages_of(spec.scan_size), offset, spec.hinting_faults); });
}

void run(Task& current, const Workplace& at, const KsmSpec& spec) {
  PageIndex address;
  make_requests(current, at.mm, spec.arrival, at.record, [&] { ksm_do_scan(current, at.mm, spec, address); });
}

}  // namespace

void set_up(Workplace& at, const Competitor& competitor, int member) {
  bool faults_in_own_memory = false;
  if (const auto* const faulter = std::get_if<FaulterSpec>(&competitor)) {
    faults_in_own_memory = !faulter->region;
  } else if (const auto* const replay = std::get_if<ReplaySpec>(&competitor)) {
    const Recording& recording = *replay->recording;
    faults_in_own_memory = std::any_of(recording.begin(), recording.end(), [&](const RecordedRequest& request) {
      return request.thread == member && request.region < 0 && is_fault(request.call);
    });
  } else if (const auto* const locker = std::get_if<LockerSpec>(&competitor)) {
    set_up_stack(at.mm, *locker);
  }
  if (faults_in_own_memory) at.arena = make_arena(at.mm);
}

void run_competitor(Task& current, const Workplace& at, const Competitor& competitor) {
  std::visit([&](const auto& spec) { run(current, at, spec); }, competitor);
}

}  // namespace models
