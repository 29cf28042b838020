#include "models/workload/workload.h"

#include <boost/random/uniform_int_distribution.hpp>

#include <algorithm>
#include <utility>

#include "models/fork.h"
#include "models/kernel.h"
#include "models/mm/access_remote_vm.h"
#include "models/mm/brk.h"
#include "models/mm/exit_mmap.h"
#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/mempolicy.h"
#include "models/mm/mincore.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap.h"
#include "models/mm/mprotect.h"
#include "models/mm/remap_file_pages.h"
#include "models/proc/procfs.h"

namespace models {

namespace {

// Makes requests to the process that owns `mm`, for as long as the run or that process lasts. While a request is served
// it holds a reference: the last one may find itself unmapping a process that has exited meanwhile.
template <class Call>
void make_requests(Task& current, Mm& mm, const Arrival& arrival, ClassRecord& record, Call call,
                   bool new_process = false) {
  current.ledger().remember();
  Measurement& measurement = current.kernel().measurement;
  bool served = false;
  const auto serve = [&](Request request) {
    if (!get_task_mm(mm)) return false;
    ++record.in_service;
    call();
    mmput(current, mm);
    request.end(record, mm.locker_phases);
    --record.in_service;
    if (!std::exchange(served, true)) measurement.first_served(current.now());
    if (measurement.end() && request.due() <= *measurement.end()) record.take_off(measurement, 1);
    return true;
  };

  sim::Stream& demand = current.stream(Purpose::demand);
  if (const auto* closed = std::get_if<ClosedLoop>(&arrival)) {
    do {
      const sim::Time due = current.settle() + closed->think.sample(demand);
      if (new_process) {
        current.end_and_fork(due);
      } else {
        current.sleep_until(due);
      }
      current.work(closed->compute, Purpose::demand);
    } while (serve(Request(current)));
  } else {
    OpenArrivals& arrivals =
        record.open_arrivals.emplace_back(std::get<OpenLoop>(arrival).every, demand, current.settle());
    for (;;) {
      const sim::Time due = arrivals.next();
      Request request = due > current.settle() ? Request::sleep_until(current, due) : Request::overdue(current, due);
      arrivals.begin();
      if (!serve(request)) break;
    }
    if (const auto end = measurement.end()) record.take_off(measurement, arrivals.given_up(*end));
    arrivals.stop();
  }
  if (!served) measurement.first_served(current.now());
}

using Step = ScriptStep::Call;

std::string name_of(Step call) {
  switch (call) {
    case Step::mlock:
      return "mlock";
    case Step::munlock:
      return "munlock";
    case Step::munmap:
      return "munmap";
    case Step::mlockall:
      return "mlockall";
    case Step::mlockall_future:
      return "mlockall_future";
    case Step::munlockall:
      return "munlockall";
    case Step::mmap_locked:
      return "mmap_locked";
    case Step::brk:
      return "brk";
    case Step::stack:
      return "stack";
    case Step::remap_file_pages:
      return "remap_file_pages";
    case Step::exit:
      return "exit";
    case Step::hold:
      break;
  }
  return "hold";
}

// Whether the region must be there for it.
bool needs_region(Step call) {
  return call == Step::mlock || call == Step::munlock || call == Step::munmap || call == Step::mlockall ||
         call == Step::remap_file_pages;
}

// What the step asks for.
PageCount pages_of(const ScriptStep& step, const Mm& mm, const Region& region) {
  switch (step.call) {
    case Step::brk:
    case Step::stack:
      return pages_of(step.size);
    case Step::mlockall:
    case Step::munlockall:
    case Step::exit:
      return mm.total_vm();
    case Step::mlockall_future:
      return PageCount(0);
    default:
      return region.pages;
  }
}

int make_call(Task& current, Mm& mm, const ScriptStep& step, const Region& region) {
  switch (step.call) {
    case Step::mlock:
      return sys_mlock(current, mm, region.start, region.pages);
    case Step::munlock:
      return sys_munlock(current, mm, region.start, region.pages);
    case Step::munmap:
      return sys_munmap(current, mm, region.start, region.pages);
    case Step::mlockall:
      return sys_mlockall(current, mm, {.current = true});
    case Step::mlockall_future:
      return sys_mlockall(current, mm, {.future = true});
    case Step::munlockall:
      return sys_munlockall(current, mm);
    case Step::mmap_locked:
      return sys_mmap(current, mm, mm.get_unmapped_area(region.pages), region.pages, true);
    case Step::brk:
      return sys_brk(current, mm, pages_of(step.size));
    case Step::stack:
      return stack_fault(current, mm, pages_of(step.size));
    case Step::remap_file_pages:
      return sys_remap_file_pages(current, mm, region.start, region.pages);
    case Step::hold:
    case Step::exit:
      break;
  }
  return 0;
}

template <class Call>
void time_call(Task& current, CallRecord& record, PageCount pages, Call call) {
  const sim::Time began = current.settle();
  const int error = call();
  current.enter(Phase::idle);
  record.duration.record(current.settle() - began);
  record.pages += static_cast<std::uint64_t>(pages.count());
  if (error != 0) ++record.errors[-error];
}

bool is_mapped(const Mm& mm, const Region& region) {
  const VmaPointer vma = mm.find_vma(region.start);
  return vma != nullptr && vma->start <= region.start;
}

void map_region(Task& current, Mm& mm, const Region& region, CallRecords& calls) {
  for (int index = 0; index < region.vmas; ++index) {
    const RegionPiece piece = piece_of(region, index);
    const PageCount pages = piece.end - piece.start;
    time_call(current, calls["mmap"], pages, [&] { return sys_mmap(current, mm, piece.start, pages, piece.flags); });
  }
}

// Returns false when the process has exited.
bool run_step(Task& current, Mm& mm, const ScriptStep& step, const Region& region, CallRecords& calls) {
  if (step.call == Step::hold) {
    current.sleep_until(current.settle() + step.hold);
    return true;
  }
  if (!get_task_mm(mm)) return false;
  current.kernel().measurement.locker_calls(current.settle());
  if (needs_region(step.call) && !is_mapped(mm, region)) map_region(current, mm, region, calls);
  const PageCount pages = pages_of(step, mm, region);
  time_call(current, calls[name_of(step.call)], pages, [&] {
    if (step.call != Step::exit) return make_call(current, mm, step, region);
    if (!mm.exiting) sys_exit(current, mm);
    mmput(current, mm);  // within the call: this is what unmaps everything
    return 0;
  });
  if (step.call != Step::exit) mmput(current, mm);
  return true;
}

void run_script(Task& current, Mm& mm, const LockerSpec& spec, const Region& region, CallRecords& calls) {
  for (int round = 0; round < spec.repeat; ++round) {
    for (const ScriptStep& step : spec.script) {
      if (!run_step(current, mm, step, region, calls)) return;
    }
  }
}

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

// The process's stack, if it is going to grow and is not there yet.
void set_up_stack(Mm& mm, const LockerSpec& spec) {
  const bool grows = std::any_of(spec.script.begin(), spec.script.end(),
                                 [](const ScriptStep& step) { return step.call == Step::stack; });
  const PageIndex bottom = kStackTop - PageCount(1);
  if (grows && mm.find_vma(bottom) == nullptr) mm.insert_vma(bottom, kStackTop, {.growsdown = true});
}

}  // namespace

Region region_at(const RegionSpec& spec, PageIndex start) {
  Region region{start, pages_of(spec.size), spec.vmas, {}};
  region.flags.dontexpand = spec.kind == RegionSpec::Kind::special;
  region.flags.hugetlb = spec.kind == RegionSpec::Kind::hugetlb;
  region.flags.io_pfnmap = spec.kind == RegionSpec::Kind::io;
  return region;
}

RegionPiece piece_of(const Region& region, int index) {
  const PageCount each(region.pages.count() / region.vmas);
  const PageIndex start = region.start + PageCount(each.count() * index);
  RegionPiece piece{start, index + 1 == region.vmas ? region.start + region.pages : start + each, region.flags};
  piece.flags.readonly = index % 2 == 1;
  return piece;
}

std::vector<std::string> call_names(const LockerSpec& spec) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const ScriptStep& step : spec.script) {
    if (step.call != Step::hold) add(name_of(step.call));
  }
  add("mmap");  // where a step needs the region again
  return names;
}

void run_locker(Task& current, Mm& mm, const LockerSpec& spec, Region region, CallRecords& calls) {
  current.report_phases_to(mm.locker_phases);
  current.enter(Phase::idle);
  set_up_stack(mm, spec);
  run_script(current, mm, spec, region, calls);
}

void run_faulter(Task& current, Mm& mm, const FaulterSpec& spec, std::optional<Region> region, ClassRecord& record) {
  if (region) {
    const boost::random::uniform_int_distribution<std::int64_t> offset(0, region->pages.count() - 1);
    make_requests(current, mm, spec.arrival, record, [&] {
      const PageIndex page = region->start + PageCount(offset(current.stream(Purpose::pages)));
      do_page_fault(current, mm, page, Backing::region);
    });
    return;
  }
  // An allocator's arena that has been in use for long. Which of its pages it is makes no difference.
  const PageIndex arena = mm.get_unmapped_area(PageCount(1));
  mm.anon_vma_prepare(*mm.insert_vma(arena, arena + PageCount(1), VmFlags{}));
  make_requests(current, mm, spec.arrival, record, [&] { do_page_fault(current, mm, arena, Backing::streamed); });
}

void run_proc_reader(Task& current, Mm& target, const ProcReaderSpec& spec, ClassRecord& record) {
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
  make_requests(current, target, spec.arrival, record, read, spec.new_process);
}

void run_mapper(Task& current, Mm& mm, const MapperSpec& spec, std::optional<Region> region, ClassRecord& record) {
  const PageCount pages = pages_of(spec.size);
  const MmapHow how{.fixed = region.has_value(), .populate = spec.populate};
  const PageIndex base = region ? region->start : mm.get_unmapped_area(pages);
  const std::int64_t places = region ? region->pages.count() / pages.count() : 1;
  const boost::random::uniform_int_distribution<std::int64_t> place(0, places - 1);
  const boost::random::uniform_int_distribution<int> coin(0, 1);
  bool map = false;
  make_requests(current, mm, spec.arrival, record, [&] {
    // From the stream of demands: whatever the policy, the same calls.
    sim::Stream& demand = current.stream(Purpose::demand);
    const PageIndex start = region ? base + PageCount(place(demand) * pages.count()) : base;
    map = region ? coin(demand) == 1 : !map;
    if (map) {
      sys_mmap(current, mm, start, pages, VmFlags{}, how);
    } else {
      sys_munmap(current, mm, start, pages);
    }
    current.enter(Phase::user);
  });
}

void run_madviser(Task& current, Mm& mm, const MadviserSpec& spec, Region region, ClassRecord& record) {
  const PageCount piece = pages_of(spec.size);
  PageCount offset;
  Advice advice = spec.advice;
  make_requests(current, mm, spec.arrival, record, [&] {
    (void)sys_madvise(current, mm, region.start + offset, std::min(piece, region.pages - offset), advice);
    offset += piece;
    if (offset >= region.pages) {
      offset = PageCount(0);
      advice = opposite_of(advice);
    }
    current.enter(Phase::user);
  });
}

void run_mincore(Task& current, Mm& mm, const MincoreSpec& spec, Region region, ClassRecord& record) {
  const PageCount pages = pages_of(spec.size);
  const boost::random::uniform_int_distribution<std::int64_t> offset(0, (region.pages - pages).count());
  make_requests(current, mm, spec.arrival, record, [&] {
    const PageIndex start = region.start + PageCount(offset(current.stream(Purpose::pages)));
    (void)sys_mincore(current, mm, start, pages);
    current.enter(Phase::user);
  });
}

void run_get_mempolicy(Task& current, Mm& mm, const GetMempolicySpec& spec, Region region, ClassRecord& record) {
  const auto flags = spec.node ? MempolicyFlags::addr_and_node : MempolicyFlags::addr;
  const boost::random::uniform_int_distribution<std::int64_t> offset(0, region.pages.count() - 1);
  make_requests(current, mm, spec.arrival, record, [&] {
    const PageIndex page = region.start + PageCount(offset(current.stream(Purpose::pages)));
    (void)sys_get_mempolicy(current, mm, page, flags);
    current.enter(Phase::user);
  });
}

void run_protector(Task& current, Mm& mm, const ProtectorSpec& spec, Region region, ClassRecord& record) {
  bool readonly = false;
  make_requests(current, mm, spec.arrival, record, [&] {
    readonly = !readonly;
    (void)sys_mprotect(current, mm, region.start, pages_of(spec.size), readonly);
    current.enter(Phase::user);
  });
}

void run_forker(Task& current, Mm& mm, const ForkerSpec& spec, ClassRecord& record) {
  make_requests(current, mm, spec.arrival, record, [&] {
    (void)sys_fork(current, mm);
    current.enter(Phase::user);
  });
}

void run_busy(Task& current, const BusySpec& spec) {
  sim::Stream& demand = current.stream(Purpose::demand);
  for (;;) {
    current.work(spec.spin.sample(demand));
    const sim::Time done = current.settle();
    if (spec.sleep) current.sleep_until(done + spec.sleep->sample(demand));
  }
}

void run_remote_reader(Task& current, Mm& target, const RemoteReaderSpec& spec, Region region, ClassRecord& record) {
  const PageCount pages = std::min(spec.pages, region.pages);
  const boost::random::uniform_int_distribution<std::int64_t> offset(0, (region.pages - pages).count());
  make_requests(current, target, spec.arrival, record, [&] {
    const PageIndex start = region.start + PageCount(offset(current.stream(Purpose::pages)));
    (void)access_process_vm(current, target, start, pages);
    current.enter(Phase::user);
  });
}

}  // namespace models
