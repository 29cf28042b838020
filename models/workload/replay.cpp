// A thread of a recording: its requests, one after another.
//
// Simplified. Between two requests it sleeps, whatever it did then, and is awake when it was: what it took to wake up
// is in the recorded time. Woken within a request, for the lock, it takes as long to run as it did each time: what had
// its CPU then is not repeated. What it was about and touched without asking for mmap_lock is not repeated. What is
// mapped in a region replaces what is there. Validated by tests/models/workload/replay_test.cpp.
#include <algorithm>
#include <map>
#include <string>

#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/mprotect.h"
#include "models/task.h"
#include "models/workload/calls.h"
#include "models/workload/competitors.h"
#include "models/workload/requests.h"

namespace models {

namespace {

using RecordedCall = RecordedRequest::Call;

// As mlock would have been called: the phase of the address space is then the locker's.
bool is_of_a_locker(const Recording& recording) {
  return std::any_of(recording.begin(), recording.end(), [](const RecordedRequest& request) {
    return request.call == RecordedCall::mlock || request.call == RecordedCall::munlock;
  });
}

// mmap_lock taken and held for as long as it was: for write, and then for read.
void hold(Task& current, Mm& mm, const RecordedRequest& request) {
  current.enter(Phase::other);
  const bool writes = request.write_hold > sim::Nanoseconds{0};
  const bool reads = request.read_hold > sim::Nanoseconds{0} || !writes;
  if (writes) {
    mmap_write_lock(current, mm);
    current.work(request.write_hold);
    if (!reads) return mmap_write_unlock(current, mm);
    if (request.call == RecordedCall::hold_twice) {
      mmap_write_unlock(current, mm);
      mm.mmap_sem.down_read(current);
    } else {
      mmap_write_downgrade(current, mm);
    }
  } else {
    mm.mmap_sem.down_read(current);
  }
  current.work(request.read_hold);
  mm.mmap_sem.up_read(current);
}

// Where a thread works that has no region: an area for each size that it maps.
class OwnAreas {
 public:
  explicit OwnAreas(Mm& mm) : mm_(mm) {}

  PageIndex of_size(PageCount pages) {
    const auto [place, fresh] = places_.try_emplace(pages);
    if (fresh) place->second = mm_.get_unmapped_area(pages);
    return place->second;
  }

 private:
  Mm& mm_;
  std::map<PageCount, PageIndex> places_;
};

class Replay {
 public:
  Replay(Task& current, const Workplace& at, const ReplaySpec& spec) : current_(current), at_(at), own_(at.mm) {
    for (const std::string& name : spec.regions) regions_.push_back(&at.regions.at(name));
  }

  void make(const RecordedRequest& request) {
    current_.wake_up_as(request.wake_ups);
    if (is_fault(request.call)) {
      fault(request);
    } else if (is_hold(request.call)) {
      hold(current_, at_.mm, request);
      current_.enter(Phase::user);
    } else {
      call(request);
    }
  }

 private:
  void fault(const RecordedRequest& request) {
    const FaultMode mode = request.call == RecordedCall::fault ? FaultMode::user : FaultMode::kernel;
    if (request.region < 0) return do_page_fault(current_, at_.mm, *at_.arena, Backing::streamed, mode);
    do_page_fault(current_, at_.mm, start_of(request), Backing::region, mode);
  }

  void call(const RecordedRequest& request) {
    const PageCount pages = pages_of(request.size);
    const PageIndex start = request.region < 0 ? own_.of_size(pages) : start_of(request);
    time_call(current_, at_.calls[name_of(request.call)], pages, Phase::user,
              [&] { return make_call(request, start, pages); });
  }

  static const char* name_of(RecordedCall call) {
    switch (call) {
      case RecordedCall::mmap:
        return "mmap";
      case RecordedCall::munmap:
        return "munmap";
      case RecordedCall::mlock:
        return "mlock";
      case RecordedCall::munlock:
        return "munlock";
      case RecordedCall::mprotect_read:
      case RecordedCall::mprotect_write:
        return "mprotect";
      default:
        return "madvise";
    }
  }

  int make_call(const RecordedRequest& request, PageIndex start, PageCount pages) {
    Mm& mm = at_.mm;
    switch (request.call) {
      case RecordedCall::mmap:
        return sys_mmap(current_, mm, start, pages, VmFlags{}, {.fixed = request.region >= 0});
      case RecordedCall::munmap:
        return sys_munmap(current_, mm, start, pages);
      case RecordedCall::mlock:
        return sys_mlock(current_, mm, start, pages);
      case RecordedCall::munlock:
        return sys_munlock(current_, mm, start, pages);
      case RecordedCall::mprotect_read:
      case RecordedCall::mprotect_write:
        return sys_mprotect(current_, mm, start, pages, request.call == RecordedCall::mprotect_read);
      case RecordedCall::dontneed:
        return sys_madvise(current_, mm, start, pages, Advice::dontneed);
      default:
        return sys_madvise(current_, mm, start, pages, Advice::dontneed_locked);
    }
  }

  [[nodiscard]] PageIndex start_of(const RecordedRequest& request) const {
    return regions_[static_cast<std::size_t>(request.region)]->start + pages_of(request.offset);
  }

  Task& current_;
  const Workplace& at_;
  OwnAreas own_;
  std::vector<const Region*> regions_;
};

}  // namespace

void run(Task& current, const Workplace& at, const ReplaySpec& spec) {
  if (is_of_a_locker(*spec.recording)) current.report_phases_to(at.mm.locker_phases);
  Replay replay(current, at, spec);
  const RecordedRequest* next = nullptr;
  RequestServer server(current, at.mm, at.record, [&] { replay.make(*next); });
  for (const RecordedRequest& request : *spec.recording) {
    if (request.thread != current.member()) continue;
    next = &request;
    current.sleep_and_wake_up_until(current.settle() + request.think);
    if (!server.serve(Request(current))) break;
  }
  server.stop();
}

}  // namespace models
