#include "models/workload.h"

#include <boost/random/uniform_int_distribution.hpp>

#include "models/fault.h"
#include "models/kernel.h"
#include "models/mlock.h"
#include "models/mm.h"
#include "models/mmap.h"
#include "models/procfs.h"
#include "models/vmscan.h"

namespace models {

namespace {

// Makes requests for as long as the run lasts.
template <class Call>
void make_requests(Task& current, const Arrival& arrival, ClassRecord& record, const PhaseLog& phases, Call call) {
  current.ledger().remember();
  const auto serve = [&](Request request) {
    ++record.in_service;
    call();
    request.end(record, phases);
    --record.in_service;
  };

  sim::Stream& demand = current.stream(Purpose::demand);
  if (const auto* closed = std::get_if<ClosedLoop>(&arrival)) {
    for (;;) {
      current.sleep_until(current.settle() + closed->think.sample(demand));
      serve(Request(current));
    }
  }
  OpenArrivals& arrivals =
      record.open_arrivals.emplace_back(std::get<OpenLoop>(arrival).every, demand, current.settle());
  for (;;) {
    const sim::Time due = arrivals.next();
    Request request = due > current.settle() ? Request::sleep_until(current, due) : Request::overdue(current, due);
    arrivals.begin();
    serve(request);
  }
}

std::string name_of(ScriptStep::Call call) {
  switch (call) {
    case ScriptStep::Call::mlock:
      return "mlock";
    case ScriptStep::Call::munlock:
      return "munlock";
    case ScriptStep::Call::munmap:
      return "munmap";
    case ScriptStep::Call::hold:
      break;
  }
  return "hold";
}

int make_call(Task& current, Mm& mm, ScriptStep::Call call, Region region) {
  switch (call) {
    case ScriptStep::Call::mlock:
      return sys_mlock(current, mm, region.start, region.pages);
    case ScriptStep::Call::munlock:
      return sys_munlock(current, mm, region.start, region.pages);
    case ScriptStep::Call::munmap:
      return sys_munmap(current, mm, region.start, region.pages);
    case ScriptStep::Call::hold:
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

bool is_mapped(const Mm& mm, Region region) {
  const VmaPointer vma = mm.find_vma(region.start);
  return vma != nullptr && vma->start <= region.start;
}

void run_step(Task& current, Mm& mm, const ScriptStep& step, Region region, CallRecords& calls) {
  if (step.call == ScriptStep::Call::hold) {
    current.sleep_until(current.settle() + step.hold);
    return;
  }
  if (!is_mapped(mm, region)) {
    time_call(current, calls["mmap"], region.pages, [&] {
      sys_mmap(current, mm, region.start, region.pages);
      return 0;
    });
  }
  time_call(current, calls[name_of(step.call)], region.pages,
            [&] { return make_call(current, mm, step.call, region); });
}

}  // namespace

void run_locker(Task& current, Mm& mm, const LockerSpec& spec, Region region, CallRecords& calls) {
  current.report_phases_to(mm.locker_phases);
  current.enter(Phase::idle);
  for (int round = 0; round < spec.repeat; ++round) {
    for (const ScriptStep& step : spec.script) run_step(current, mm, step, region, calls);
  }
}

void run_faulter(Task& current, Mm& mm, const FaulterSpec& spec, std::optional<Region> region, ClassRecord& record) {
  if (region) {
    const boost::random::uniform_int_distribution<std::int64_t> offset(0, region->pages.count() - 1);
    make_requests(current, spec.arrival, record, mm.locker_phases, [&] {
      const PageIndex page = region->start + PageCount(offset(current.stream(Purpose::pages)));
      do_page_fault(current, mm, page, Backing::region);
    });
  }
  // An allocator's arena that has been in use for long. Which of its pages it is makes no difference.
  const PageIndex arena = mm.get_unmapped_area(PageCount(1));
  mm.insert_vma(arena, arena + PageCount(1), VmFlags{})->has_anon_vma = true;
  make_requests(current, spec.arrival, record, mm.locker_phases,
                [&] { do_page_fault(current, mm, arena, Backing::streamed); });
}

void run_proc_reader(Task& current, Mm& target, const ProcReaderSpec& spec, ClassRecord& record) {
  make_requests(current, spec.arrival, record, target.locker_phases, [&] { proc_pid_cmdline(current, target); });
}

void run_mapper(Task& current, Mm& mm, const MapperSpec& spec, ClassRecord& record) {
  const PageCount pages = pages_of(spec.size);
  const PageIndex start = mm.get_unmapped_area(pages);
  bool mapped = false;
  make_requests(current, spec.arrival, record, mm.locker_phases, [&] {
    if (mapped) {
      sys_munmap(current, mm, start, pages);
    } else {
      sys_mmap(current, mm, start, pages);
    }
    mapped = !mapped;
    current.enter(Phase::user);
  });
}

void run_background(Task& current, Bytes rate) {
  const double per_second = static_cast<double>(rate.count()) / static_cast<double>(bytes_of(kSwapClusterMax).count());
  const sim::Distribution every =
      sim::Exponential{std::chrono::duration_cast<sim::Nanoseconds>(std::chrono::duration<double>(1 / per_second))};
  Zone& zone = current.kernel().zone;
  for (;;) {
    current.sleep_until(current.settle() + every.sample(current.stream(Purpose::demand)));
    for (PageCount page; page < kSwapClusterMax; page += PageCount(1)) {
      alloc_page(current);
      zone.move(&ZoneCounts::in_flight, &ZoneCounts::evictable, PageCount(1));
    }
  }
}

}  // namespace models
