// The locker: a script of calls, each of them timed.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "models/kernel.h"
#include "models/mm/brk.h"
#include "models/mm/exit_mmap.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap.h"
#include "models/mm/mremap.h"
#include "models/mm/msync.h"
#include "models/mm/remap_file_pages.h"
#include "models/task.h"
#include "models/workload/calls.h"
#include "models/workload/competitors.h"
#include "models/workload/script_calls.h"

namespace models {

namespace {

using Step = ScriptStep::Call;

// Whether the region must be there for it.
bool needs_region(Step call) {
  return is_on_region(call) || is_mremap(call) || call == Step::mlockall || call == Step::mlockall_onfault ||
         call == Step::remap_file_pages;
}

// Where a script has its region, which moves with mremap, and the places that it moves between.
class Place {
 public:
  Place(Mm& mm, const LockerSpec& spec, const Region& region) : region_(region), home_(region.start) {
    for (const ScriptStep& step : spec.script) {
      if (!is_mremap(step.call) || away(step.call)) continue;
      away(step.call) = place_to_move_to(mm, region, region.pages, step.call == Step::mremap_aligned);
    }
  }

  [[nodiscard]] const Region& region() const { return region_; }

  int move(Task& current, Mm& mm, Step call) {
    const PageIndex to = region_.start == home_ ? *away(call) : home_;
    const int error = sys_mremap(current, mm, region_.start, region_.pages, to);
    if (error == 0) region_.start = to;
    return error;
  }

 private:
  std::optional<PageIndex>& away(Step call) { return call == Step::mremap_aligned ? aligned_ : anywhere_; }

  Region region_;
  PageIndex home_;
  std::optional<PageIndex> anywhere_;
  std::optional<PageIndex> aligned_;
};

// What a call is made on.
struct Range {
  PageIndex start;
  PageCount pages;
};

// The part of the region that the step is about.
Range part_of(const ScriptStep& step, const Region& region) {
  if (!step.at) return {region.start, region.pages};
  const PageCount offset = pages_of(*step.at);
  return {region.start + offset, std::min(pages_of(step.size), region.pages - offset)};
}

// What a call of the step asks for.
PageCount pages_of(const ScriptStep& step, const Mm& mm, const Range& range) {
  switch (step.call) {
    case Step::brk:
    case Step::brk_shrink:
    case Step::stack:
      return pages_of(step.size);
    case Step::mlockall:
    case Step::mlockall_onfault:
    case Step::munlockall:
    case Step::exit:
      return mm.total_vm();
    case Step::mlockall_future:
      return PageCount(0);
    default:
      return range.pages;
  }
}

// A fresh area, of pages as the region's are, if these are not from a pool.
int map_locked(Task& current, Mm& mm, PageCount pages, const VmFlags& of_region) {
  VmFlags flags{.locked = true};
  if (!of_region.hugetlb) {
    flags.hugepage = of_region.hugepage;
    flags.folio_order = of_region.folio_order;
  }
  return sys_mmap(current, mm, mm.get_unmapped_area(pages, flags.folio_order), pages, flags);
}

int make_call(Task& current, Mm& mm, const ScriptStep& step, const Range& range, Place& place) {
  switch (step.call) {
    case Step::mlock:
      return sys_mlock(current, mm, range.start, range.pages);
    case Step::mlock_onfault:
      return sys_mlock(current, mm, range.start, range.pages, MlockWhat::on_fault);
    case Step::munlock:
      return sys_munlock(current, mm, range.start, range.pages);
    case Step::munmap:
      return sys_munmap(current, mm, range.start, range.pages);
    case Step::mlockall:
      return sys_mlockall(current, mm, {.current = true});
    case Step::mlockall_onfault:
      return sys_mlockall(current, mm, {.current = true, .on_fault = true});
    case Step::mlockall_future:
      return sys_mlockall(current, mm, {.future = true});
    case Step::munlockall:
      return sys_munlockall(current, mm);
    case Step::mmap_locked:
      return map_locked(current, mm, range.pages, place.region().flags);
    case Step::brk:
      return sys_brk(current, mm, pages_of(step.size));
    case Step::brk_shrink:
      return sys_brk_shrink(current, mm, pages_of(step.size));
    case Step::stack:
      return stack_fault(current, mm, pages_of(step.size));
    case Step::remap_file_pages:
      return sys_remap_file_pages(current, mm, range.start, range.pages);
    case Step::msync:
      return sys_msync(current, mm, range.start, range.pages);
    case Step::mremap:
    case Step::mremap_aligned:
      return place.move(current, mm, step.call);
    case Step::hold:
    case Step::exit:
      break;
  }
  return 0;
}

bool is_mapped(const Mm& mm, PageIndex page) {
  const VmaPointer vma = mm.find_vma(page);
  return vma != nullptr && vma->start <= page;
}

// Maps what is missing of a VMA of the region.
void map_piece(Task& current, Mm& mm, const RegionPiece& piece, CallRecords& calls) {
  for (PageIndex page = piece.start; page < piece.end;) {
    const VmaPointer vma = mm.find_vma(page);
    const PageIndex end = vma == nullptr ? piece.end : std::min(vma->start, piece.end);
    if (page < end) {
      const PageCount pages = end - page;
      with_mutex(current, [&] {
        time_call(current, calls["mmap"], pages, Phase::idle,
                  [&] { return sys_mmap(current, mm, page, pages, piece.flags); });
      });
      page = end;
    } else {
      page = vma->end;
    }
  }
}

void map_region(Task& current, Mm& mm, const Region& region, CallRecords& calls) {
  for (int index = 0; index < region.vmas; ++index) map_piece(current, mm, piece_of(region, index), calls);
}

// One call of a step. Returns false when the process has exited.
bool run_call(Task& current, Mm& mm, const ScriptStep& step, const Range& range, Place& place, CallRecords& calls) {
  if (!get_task_mm(mm)) return false;
  const PageCount pages = pages_of(step, mm, range);
  with_mutex(current, [&] {
    time_call(current, calls[std::string(to_string(step.call))], pages, Phase::idle, [&] {
      if (step.call != Step::exit) return make_call(current, mm, step, range, place);
      if (!mm.exiting) sys_exit(current, mm);
      mmput(current, mm);  // within the call: this is what unmaps everything
      return 0;
    });
  });
  if (step.call != Step::exit) mmput(current, mm);
  return true;
}

// A call on each piece of the region. Returns false when the process has exited.
bool run_in_pieces(Task& current, Mm& mm, const ScriptStep& step, const Range& all, Place& place, CallRecords& calls) {
  const PageIndex end = all.start + all.pages;
  for (PageIndex page = all.start; page < end;) {
    if (page > all.start && step.hold > sim::Nanoseconds{0}) current.sleep_on_timer_until(current.settle() + step.hold);
    const PageCount pages = std::min(pages_of(step.size), end - page);
    if (!run_call(current, mm, step, {page, pages}, place, calls)) return false;
    page = page + pages;
  }
  return true;
}

// Returns false when the process has exited.
bool run_step(Task& current, Mm& mm, const ScriptStep& step, Place& place, CallRecords& calls) {
  if (step.call == Step::hold) {
    current.sleep_on_timer_until(current.settle() + step.hold);
    return true;
  }
  if (!get_task_mm(mm)) return false;
  current.kernel().measurement.locker_calls(current.settle());
  const Range part = part_of(step, place.region());
  if (needs_region(step.call) && !is_mapped(mm, part.start)) map_region(current, mm, place.region(), calls);
  mmput(current, mm);
  const bool in_pieces = is_on_region(step.call) && step.size > Bytes(0);
  return in_pieces ? run_in_pieces(current, mm, step, part, place, calls)
                   : run_call(current, mm, step, part, place, calls);
}

void run_script(Task& current, Mm& mm, const LockerSpec& spec, const Region& region, CallRecords& calls) {
  Place place(mm, spec, region);
  for (int round = 0; round < spec.repeat; ++round) {
    for (const ScriptStep& step : spec.script) {
      if (!run_step(current, mm, step, place, calls)) return;
    }
  }
}

}  // namespace

void set_up_stack(Mm& mm, const LockerSpec& spec) {
  const bool grows = std::any_of(spec.script.begin(), spec.script.end(),
                                 [](const ScriptStep& step) { return step.call == Step::stack; });
  const PageIndex bottom = kStackTop - PageCount(1);
  if (grows && mm.find_vma(bottom) == nullptr) mm.insert_vma(bottom, kStackTop, {.growsdown = true});
}

std::vector<std::string> call_names(const LockerSpec& spec) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const ScriptStep& step : spec.script) {
    if (step.call != Step::hold) add(std::string(to_string(step.call)));
  }
  add("mmap");  // where a step needs the region again
  return names;
}

void run(Task& current, const Workplace& at, const LockerSpec& spec) {
  current.report_phases_to(at.mm.locker_phases);
  current.enter(Phase::idle);
  run_script(current, at.mm, spec, at.regions.at(spec.region), at.calls);
}

}  // namespace models
