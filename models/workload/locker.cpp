// The locker: a script of calls, each of them timed.
#include <algorithm>
#include <string>
#include <vector>

#include "models/kernel.h"
#include "models/mm/brk.h"
#include "models/mm/exit_mmap.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap.h"
#include "models/mm/remap_file_pages.h"
#include "models/task.h"
#include "models/workload/competitors.h"

namespace models {

namespace {

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

// As the region's pages are, if not from a pool.
VmFlags locked_area(const Region& region) {
  if (region.flags.hugetlb) return {.locked = true};
  return {.locked = true, .hugepage = region.flags.hugepage, .folio_order = region.flags.folio_order};
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
      return sys_mmap(current, mm, mm.get_unmapped_area(region.pages, region.flags.folio_order), region.pages,
                      locked_area(region));
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

// The process's stack, if it is going to grow and is not there yet.
void set_up_stack(Mm& mm, const LockerSpec& spec) {
  const bool grows = std::any_of(spec.script.begin(), spec.script.end(),
                                 [](const ScriptStep& step) { return step.call == Step::stack; });
  const PageIndex bottom = kStackTop - PageCount(1);
  if (grows && mm.find_vma(bottom) == nullptr) mm.insert_vma(bottom, kStackTop, {.growsdown = true});
}

}  // namespace

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

void run(Task& current, const Workplace& at, const LockerSpec& spec) {
  current.report_phases_to(at.mm.locker_phases);
  current.enter(Phase::idle);
  set_up_stack(at.mm, spec);
  run_script(current, at.mm, spec, at.regions.at(spec.region), at.calls);
}

}  // namespace models
