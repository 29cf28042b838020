#include "experiments/host/trace/recorded_timeline.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

#include "experiments/base/json.h"

namespace experiments {

namespace {

using models::Cause;

/// What a thread is at, as far as it has to do with a lock; null: nothing.
const TracedRequest* request_of(const TracedThread& thread) {
  if (thread.section && thread.section->locked()) return &*thread.section;
  return thread.call && thread.call->locked() ? &*thread.call : nullptr;
}

std::string work_of(const TracedRequest& request) {
  return request.call.empty() ? std::string(to_string(request.phase)) : request.call;
}

std::string title_of(const TracedThread& thread, const TracedRequest& request) {
  switch (thread.cause) {
    case Cause::lock_wait:
      return thread.waits_for != nullptr ? "waiting for mmap_sem" : "waiting for another lock";
    case Cause::run_queue:
      return "runnable";
    case Cause::device_io:
      return "asleep";
    default:
      return work_of(request);
  }
}

std::string name_of(const TracedThread& thread) { return fmt::format("{}-{}", thread.comm, thread.tid); }

bool same(const TracedThread::Hold& one, const TracedThread::Hold& other) {
  return one.lock == other.lock && one.mode == other.mode && one.since == other.since;
}

template <class Holds>
bool contains(const Holds& holds, const TracedThread::Hold& hold) {
  return std::any_of(holds.begin(), holds.end(), [&](const auto& each) { return same(each, hold); });
}

}  // namespace

// The mark of the limit belongs to the first process, which is there as soon as anything is.
RecordedTimeline::RecordedTimeline(std::ostream& out, const std::string& name, std::vector<TimeWindow> windows,
                                   models::Bytes limit)
    : windows_(std::move(windows)),
      events_(out, Json{{"recording", name}}),
      limit_(limit, events_, windows_, kFirstPid) {}

void RecordedTimeline::update(const TracedThread& thread, sim::Time now) {
  const auto known = threads_.find(thread.tid);
  if (known == threads_.end() && request_of(thread) == nullptr && thread.holds.empty()) return;
  Thread& shown = known != threads_.end() ? known->second : threads_[thread.tid];
  if (!spaces_.empty()) limit_.keep(now);
  show_holds(thread, shown, now);
  show_request(thread, shown, now);
}

void RecordedTimeline::finish(sim::Time end, const std::map<std::uint64_t, std::string>& names) {
  for (auto& [tid, thread] : threads_) {
    if (thread.track) thread.track->end(end, true);
  }
  for (const auto& [mm, space] : spaces_) {
    space->lock.finish(end);
    const auto name = names.find(mm);
    if (name == names.end() || name->second == space->name) continue;
    events_.process(space->pid, name->second);
    events_.process(space->pid + 1, "mmap_sem of " + name->second);
  }
  events_.finish();
}

RecordedTimeline::AddressSpace& RecordedTimeline::space_of(std::uint64_t mm, const std::string& name) {
  std::unique_ptr<AddressSpace>& space = spaces_[mm];
  if (space) return *space;
  const int pid = std::exchange(next_pid_, next_pid_ + 2);
  events_.process(pid, name);
  space = std::make_unique<AddressSpace>(
      AddressSpace{pid, name, {events_, windows_, pid + 1, "mmap_sem of " + name, next_tid_}});
  return *space;
}

void RecordedTimeline::show_holds(const TracedThread& thread, Thread& shown, sim::Time now) {
  for (const TracedThread::Hold& hold : shown.holds) {
    if (contains(thread.holds, hold)) continue;
    AddressSpace& space = space_of(*hold.lock);
    space.lock.end(&shown, now);
    space.lock.count(now, hold.lock->contending());
  }
  for (const TracedThread::Hold& hold : thread.holds) {
    if (contains(shown.holds, hold)) continue;
    AddressSpace& space = space_of(*hold.lock);
    const std::string title =
        fmt::format("{}: {} {}", to_string(hold.mode), name_of(thread), to_string(models::call_of(hold.phase)));
    space.lock.begin(&shown, hold.mode, title, now);
    space.lock.count(now, hold.lock->contending());
  }
  shown.holds = thread.holds;
  for (const TracedLock* const lock : {shown.waited_for, thread.waits_for}) {
    if (lock != nullptr) space_of(*lock).lock.count(now, lock->contending());
  }
  shown.waited_for = thread.waits_for;
}

void RecordedTimeline::show_request(const TracedThread& thread, Thread& shown, sim::Time now) {
  const TracedRequest* const request = request_of(thread);
  std::string title = request == nullptr ? std::string() : title_of(thread, *request);
  if (title == shown.title) return;
  const bool begins = shown.title.empty();
  if (!begins) {
    shown.track->end(now);
    shown.ended = now;
  }
  shown.title = std::move(title);
  if (request == nullptr) return;
  trace::Track& track = track_of(thread, *request, shown);
  sim::Time since = begins ? std::max(request->due, shown.ended) : now;  // it had not asked before
  if (since < now && shown.title != work_of(*request)) {
    track.begin(since, {.name = work_of(*request), .category = to_string(Cause::cpu)});
    track.end(now);
    since = now;
  }
  track.begin(
      since, {shown.title, to_string(thread.cause),
              thread.cause == Cause::cpu ? std::string_view() : to_string(request->phase), thread.cause == Cause::cpu});
}

trace::Track& RecordedTimeline::track_of(const TracedThread& thread, const TracedRequest& request, Thread& shown) {
  if (shown.track) return *shown.track;
  const AddressSpace& space = thread.home != nullptr ? space_of(*thread.home) : space_of(request.mm, thread.comm);
  const trace::Place place{space.pid, next_tid_++};
  events_.thread(place, name_of(thread));
  return shown.track.emplace(events_, windows_, place);
}

}  // namespace experiments
