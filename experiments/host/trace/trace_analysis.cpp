#include "experiments/host/trace/trace_analysis.h"

#include <fmt/format.h>

#include <boost/container/flat_map.hpp>

#include <algorithm>
#include <set>
#include <utility>

#include "experiments/host/trace/traced_call.h"
#include "models/measure/worst_request.h"

namespace experiments {

namespace {

using Kind = TraceEvent::Kind;
using Run = TracedThread::Run;
using models::Cause;
using models::LockMode;
using models::Phase;

constexpr std::size_t kSleep = static_cast<std::size_t>(Cause::sleep);

/// -errno, or nothing: as IS_ERR_VALUE tells what a call returns.
std::optional<int> error_of(std::uint64_t returned) {
  constexpr std::uint64_t kMostErrors = 4095;
  const std::uint64_t error = ~returned + 1;
  return error >= 1 && error <= kMostErrors ? std::optional(static_cast<int>(error)) : std::nullopt;
}

/// How many pages the call is about, as far as it says: the second argument of those on a range is its length.
std::uint64_t pages_of_call(const TracedRequest& call) {
  switch (call.phase) {
    case Phase::mmap:
    case Phase::munmap:
    case Phase::mlock:
    case Phase::munlock:
    case Phase::mprotect:
    case Phase::madvise:
    case Phase::msync:
    case Phase::mincore:
      return (call.arguments[1] + models::kPageSize - 1) / models::kPageSize;
    default:
      return 0;
  }
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------
// Who is who

TracedThread& TraceAnalysis::thread_of(int tid, std::string_view comm) {
  const auto [place, fresh] = threads_.try_emplace(tid);
  TracedThread& thread = place->second;
  if (fresh) {
    thread.tid = tid;
    thread.ledger.remember();
  }
  if (fresh || thread.comm != comm) {
    thread.comm = comm;
    thread.id = classes_.of(comm);
  }
  return thread;
}

TracedLock& TraceAnalysis::lock_of(const TraceEvent& event) {
  std::unique_ptr<TracedLock>& lock = locks_[event.address];
  if (!lock) lock = std::make_unique<TracedLock>(event.address, event.comm);
  return *lock;
}

TraceAnalysis::Class& TraceAnalysis::class_of(const TracedThread& thread) {
  const auto index = static_cast<std::size_t>(thread.id);
  if (index >= tallies_.size()) tallies_.resize(index + 1);
  return tallies_[index];
}

// What asks for the lock as the thread's own: not who reads another process, and not fork, which locks its child, too.
void TraceAnalysis::make_home(TracedThread& thread, TracedLock& lock, Phase phase, LockMode mode) {
  const bool own = phase != Phase::proc_read && phase != Phase::remote_read && phase != Phase::fork &&
                   (phase != Phase::other || mode == LockMode::write);
  if (!own || thread.home == &lock) return;
  thread.home = &lock;
  thread.home_held = sim::Nanoseconds{0};
}

// ---------------------------------------------------------------------------------------------------------------
// What its time goes into

Cause TraceAnalysis::cause_of(const TracedThread& thread) const {
  if (thread.run == Run::runnable) return Cause::run_queue;
  if (thread.waits_for != nullptr) {
    const TracedLock::Waiter* const waiter = thread.waits_for->waiter(thread);
    if (waiter != nullptr && waiter->contends) {
      const bool released = waiter->seen_holder && thread.waits_for->front() == nullptr;
      return released ? Cause::wake_up : Cause::lock_wait;
    }
  }
  const bool working = thread.call || thread.section;
  if (thread.run == Run::asleep && working) return thread.waits_elsewhere ? Cause::lock_wait : Cause::device_io;
  return working || thread.run == Run::running ? Cause::cpu : Cause::sleep;
}

void TraceAnalysis::charge(TracedThread& thread) {
  const Cause cause = cause_of(thread);
  if (cause == thread.cause) return;
  tell_waits(thread);
  thread.cause = cause;
  thread.told_until = now_;
  thread.ledger.charge(cause, now_);
  if (changed_) changed_(thread, now_);
}

void TraceAnalysis::charge_waiters(TracedLock& lock) {
  for (const TracedLock::Waiter& waiter : lock.waiters()) charge(*waiter.thread);
}

// Until now it was for those who keep it out at this moment.
void TraceAnalysis::tell_waits(TracedThread& thread) {
  if (thread.cause != Cause::lock_wait || thread.waits_for == nullptr || thread.told_until == now_) return;
  const TracedLock::Waiter* const waiter = thread.waits_for->waiter(thread);
  if (waiter == nullptr) return;
  const sim::Time from = std::exchange(thread.told_until, now_);
  thread.ledger.add({from, now_, blame_for(*thread.waits_for, *waiter)});
  thread.waits_for->statistics().asked[{thread.id, waiter->phase, waiter->mode}].lock_wait += now_ - from;
}

void TraceAnalysis::tell_waits(TracedLock& lock) {
  for (const TracedLock::Waiter& waiter : lock.waiters()) tell_waits(*waiter.thread);
}

models::LockBlame TraceAnalysis::blame_for(TracedLock& lock, const TracedLock::Waiter& waiter) {
  const TracedLock::Holder* const front = lock.front();
  if (front == nullptr) return blame_without_holder(lock, waiter);
  models::LockBlame blame = blame_on(*front->thread, front->phase, front->mode);
  const TracedLock::Waiter* const writer = lock.first_writer();
  const bool readers = waiter.mode == LockMode::read && front->mode == LockMode::read;
  if (readers && writer != nullptr) blame.convoy = writer->thread->id;
  return blame;
}

// Who has been let in holds it before its acquire_returned tells so: after a release that is who has waited longest.
models::LockBlame TraceAnalysis::blame_without_holder(TracedLock& lock, const TracedLock::Waiter& waiter) {
  for (const TracedLock::Waiter& other : lock.waiters()) {
    if (other.seen_holder && other.thread != waiter.thread) return blame_on(*other.thread, other.phase, other.mode);
  }
  return {classes_.unseen(), Phase::other, LockMode::write};
}

models::LockBlame TraceAnalysis::blame_on(const TracedThread& holder, Phase phase, LockMode mode) const {
  models::LockBlame blame{holder.id, phase, mode};
  blame.doing = cause_of(holder);
  if (blame.doing == Cause::run_queue) blame.cpu_taken_by = holder.cpu_taken_by;
  return blame;
}

// ---------------------------------------------------------------------------------------------------------------
// Requests

TracedRequest TraceAnalysis::begin(TracedThread& thread, Phase phase, const TracedLock* lock) {
  thread.ledger.forget_before(thread.call ? thread.call->due : now_);
  TracedRequest request;
  request.phase = phase;
  request.during = lock == nullptr ? Phase::idle : lock->phase();
  request.due = now_;
  request.before = thread.ledger.read(now_);
  return request;
}

// What a thread that asks for the lock in `phase` does it for.
TracedRequest& TraceAnalysis::request_that_locks(TracedThread& thread, TracedLock& lock, Phase phase) {
  const bool of_fault = thread.section && thread.section->phase == Phase::fault && !thread.section->locked();
  TracedRequest* request = nullptr;
  if (phase == Phase::fault && of_fault) {
    request = &*thread.section;
    ++gaps_.faults_with_lock;
  } else if (thread.section && thread.section->locked()) {
    request = &*thread.section;
  } else if (thread.call && thread.call->phase == phase) {
    request = &*thread.call;
  } else {
    end_section(thread);
    request = &thread.section.emplace(begin(thread, phase, &lock));
  }
  request->mm = lock.mm();
  return *request;
}

void TraceAnalysis::end_section(TracedThread& thread) {
  if (!thread.section) return;
  const TracedRequest section = *std::exchange(thread.section, std::nullopt);
  if (section.locked()) record(thread, section);
  tell(thread, section, section.locked() ? now_ : section.due);
  charge(thread);
}

void TraceAnalysis::record(TracedThread& thread, const TracedRequest& request) {
  tell_waits(thread);
  models::TimeByCause parts = thread.ledger.read(now_);
  for (std::size_t cause = 0; cause < models::kCauseCount; ++cause) parts[cause] -= request.before[cause];
  // A sleep that nothing tells the reason of.
  parts[static_cast<std::size_t>(Cause::device_io)] += std::exchange(parts[kSleep], sim::Nanoseconds{0});
  const sim::Nanoseconds latency = now_ - request.due;
  Class& tally = class_of(thread);
  thread.ledger.add_lock_times_since(request.due, tally.during[request.during].record(latency, parts));
  thread.ledger.settle_lock_times();  // no two requests of a thread overlap
  if (!tally.worst.admits(latency)) return;
  tally.worst.add(models::worst_request(thread.ledger, fmt::format("{}-{}", thread.comm, thread.tid), request.due, now_,
                                        request.during));
}

void TraceAnalysis::tell(const TracedThread& thread, const TracedRequest& request, sim::Time end,
                         std::uint64_t returned) {
  if (!ended_) return;
  const std::uint64_t home = thread.home == nullptr ? 0 : thread.home->mm();
  ended_({thread, request, request.locked() ? request.mm : home, end, returned});
}

// ---------------------------------------------------------------------------------------------------------------
// Events

void TraceAnalysis::add(const TraceEvent& event) {
  if (!std::exchange(begun_, true)) first_ = event.time;
  now_ = std::max(now_, sim::Time{event.time - first_});
  apply(event);
  if (!changed_) return;
  tell_changed(event.tid);
  if (event.kind == Kind::sched_switch || event.kind == Kind::sched_wakeup) tell_changed(event.other_tid);
}

void TraceAnalysis::tell_changed(int tid) const {
  if (const auto thread = threads_.find(tid); thread != threads_.end()) changed_(thread->second, now_);
}

void TraceAnalysis::apply(const TraceEvent& event) {
  switch (event.kind) {
    case Kind::start_locking:
      return start_locking(event);
    case Kind::acquire_returned:
      return acquire_returned(event);
    case Kind::released:
      return released(event);
    case Kind::contention_begin:
      return contention_begin(event);
    case Kind::contention_end:
      return contention_end(event);
    case Kind::page_fault:
      return page_fault(event);
    case Kind::sys_enter:
      return sys_enter(event);
    case Kind::sys_exit:
      return sys_exit(event);
    case Kind::sched_switch:
      return sched_switch(event);
    case Kind::sched_wakeup:
      return sched_wakeup(event);
    case Kind::other:
    case Kind::lost:
      return;
  }
}

Phase TraceAnalysis::phase_of(const TracedThread& thread, const TracedLock& lock, LockMode mode) const {
  if (thread.section && thread.section->locked()) return thread.section->phase;  // again, or in another mode
  if (thread.section && mode == LockMode::read) {
    // A fault asks at once. One that had no need to is followed by whatever the thread does next.
    constexpr int kTimes = 8;
    constexpr sim::Nanoseconds kLeast = std::chrono::microseconds{20};
    if (now_ - thread.section->due <= std::max(kLeast, kTimes * fault_asks_after_)) return Phase::fault;
  }
  if (thread.call) return thread.call->phase;
  const bool foreign = thread.home != nullptr && thread.home != &lock;
  if (mode == LockMode::read && foreign) return Phase::proc_read;
  return mode == LockMode::read && gaps_.faults == 0 ? Phase::fault : Phase::other;
}

void TraceAnalysis::start_locking(const TraceEvent& event) {
  TracedThread& thread = thread_of(event.tid, event.comm);
  is_running(thread);
  TracedLock& lock = lock_of(event);
  if (thread.waits_for != nullptr) {
    ++gaps_.lost_acquires;
    tell_waits(thread);
    std::exchange(thread.waits_for, nullptr)->give_up(thread, now_);
  }
  if (thread.section && thread.section->in_kernel && !thread.section->locked()) {
    constexpr int kWeight = 16;  // of those before
    fault_asks_after_ += (now_ - thread.section->due - fault_asks_after_) / kWeight;
  }
  const Phase phase = phase_of(thread, lock, event.mode);
  make_home(thread, lock, phase, event.mode);
  (void)request_that_locks(thread, lock, phase);
  if (event.mode == LockMode::write) tell_waits(lock);  // readers may stand behind it from now on
  lock.ask(thread, event.mode, phase, now_);
  thread.waits_for = &lock;
  thread.woken_awake.reset();
  std::optional<TracedRequest>& request = thread.asking();
  if (request && event.mode == LockMode::read && request->write_hold > sim::Nanoseconds{0}) request->asks_again = true;
  charge(thread);
}

void TraceAnalysis::acquire_returned(const TraceEvent& event) {
  TracedThread& thread = thread_of(event.tid, event.comm);
  is_running(thread);
  TracedLock& lock = lock_of(event);
  const bool asked = thread.waits_for == &lock;
  if (asked) tell_waits(thread);
  if (const auto woken = std::exchange(thread.woken_awake, std::nullopt); woken && asked && now_ > *woken) {
    woken_for(thread, now_ - *woken);
  }
  if (!event.success) {
    if (!asked) return;
    lock.give_up(thread, now_);
    thread.waits_for = nullptr;
    return charge(thread);
  }
  TracedThread::Hold* const held = thread.hold_of(lock);
  tell_waits(lock);
  if (held != nullptr && !asked && held->mode == LockMode::write && event.mode == LockMode::read) {
    end_hold(thread, *held);
    lock.downgrade(thread, held->phase);
    held->mode = LockMode::read;
    held->since = now_;
    return charge_waiters(lock);
  }
  if (held != nullptr) {
    ++gaps_.lost_releases;
    thread.holds.erase(thread.holds.begin() + (held - thread.holds.data()));
  }
  const Phase phase = asked ? lock.waiter(thread)->phase : phase_of(thread, lock, event.mode);
  if (!asked) {
    make_home(thread, lock, phase, event.mode);
    (void)request_that_locks(thread, lock, phase);
  }
  lock.take(thread, event.mode, phase, now_);
  thread.waits_for = nullptr;
  thread.holds.push_back({&lock, event.mode, phase, now_});
  charge(thread);
  charge_waiters(lock);
}

void TraceAnalysis::released(const TraceEvent& event) {
  TracedThread& thread = thread_of(event.tid, event.comm);
  is_running(thread);
  TracedLock& lock = lock_of(event);
  TracedThread::Hold* const held = thread.hold_of(lock);
  if (held == nullptr) {
    ++gaps_.released_only;
    return;
  }
  tell_waits(lock);
  end_hold(thread, *held);
  thread.holds.erase(thread.holds.begin() + (held - thread.holds.data()));
  lock.drop(thread);
  charge_waiters(lock);
  if (thread.section && thread.section->locked() && thread.holds.empty()) end_section(thread);
}

void TraceAnalysis::end_hold(TracedThread& thread, TracedThread::Hold& hold) {
  const sim::Nanoseconds length = now_ - hold.since;
  if (hold.lock == thread.home) thread.home_held += length;
  hold.lock->statistics().hold[{thread.id, models::call_of(hold.phase), hold.mode}].record(length);
  std::optional<TracedRequest>& request = thread.asking();
  if (!request) return;
  (hold.mode == LockMode::write ? request->write_hold : request->read_hold) += length;
}

void TraceAnalysis::contention_begin(const TraceEvent& event) {
  if (!event.semaphore) return;
  TracedThread& thread = thread_of(event.tid, event.comm);
  is_running(thread);
  if (thread.waits_for == nullptr) {
    ++gaps_.other_locks;
    thread.waits_elsewhere = true;
    return;
  }
  TracedLock& lock = *thread.waits_for;
  constexpr std::uint64_t kLargestMm = 8192;
  const std::uint64_t offset = event.address - lock.mm();
  if (offset < kLargestMm) ++offsets_[static_cast<std::int64_t>(offset)];
  tell_waits(lock);
  lock.sleep(thread, now_);
  charge(thread);
}

void TraceAnalysis::contention_end(const TraceEvent& event) {
  const auto thread = threads_.find(event.tid);
  if (thread != threads_.end()) thread->second.waits_elsewhere = false;
}

void TraceAnalysis::page_fault(const TraceEvent& event) {
  ++gaps_.faults;
  TracedThread& thread = thread_of(event.tid, event.comm);
  is_running(thread);
  if (!thread.holds.empty() || thread.waits_for != nullptr) return;
  end_section(thread);
  TracedRequest& fault = thread.section.emplace(begin(thread, Phase::fault, thread.home));
  fault.address = event.address;
  fault.in_kernel = event.in_kernel;
  charge(thread);
}

void TraceAnalysis::sys_enter(const TraceEvent& event) {
  const auto known = threads_.find(event.tid);
  const Phase phase = phase_of_call(event.call);
  if (known == threads_.end() && phase == Phase::other) return;  // it may never come by mmap_lock
  TracedThread& thread = thread_of(event.tid, event.comm);
  is_running(thread);
  if (thread.holds.empty()) end_section(thread);
  Class& tally = class_of(thread);
  tally.locker = tally.locker || is_of_a_locker(phase);
  if (tally.locker && thread.home != nullptr && phase != Phase::other) thread.home->enter(thread, phase);
  TracedRequest& call = thread.call.emplace(begin(thread, phase, thread.home));
  call.call = event.call;
  call.arguments = event.arguments;
  charge(thread);
}

void TraceAnalysis::sys_exit(const TraceEvent& event) {
  const auto known = threads_.find(event.tid);
  if (known == threads_.end() || !known->second.call) return;
  TracedThread& thread = known->second;
  is_running(thread);
  if (thread.holds.empty()) end_section(thread);
  const TracedRequest call = *std::exchange(thread.call, std::nullopt);
  if (thread.home != nullptr) thread.home->leave(thread);
  if (call.locked() || call.phase != Phase::other) {
    models::CallRecord& calls = class_of(thread).calls[call.call];
    calls.duration.record(now_ - call.due);
    calls.pages += pages_of_call(call);
    if (const auto error = error_of(event.returned)) ++calls.errors[*error];
  }
  if (call.locked()) record(thread, call);
  tell(thread, call, now_, event.returned);
  charge(thread);
}

// ---------------------------------------------------------------------------------------------------------------
// CPUs

// It has one: what is in the trace of it was done by it. Where no switch to it is, it comes after one of whom there is
// nothing.
void TraceAnalysis::is_running(TracedThread& thread) {
  if (!thread.has_cpu()) comes_to_run(thread, now_);
}

// Its CPU was idle, or somebody's who never asks for mmap_lock, until `others_until`.
void TraceAnalysis::comes_to_run(TracedThread& thread, sim::Time others_until) {
  thread.cpu_others_until = others_until;
  if (thread.has_cpu()) return;
  if (thread.woken && thread.waits_for != nullptr && others_until > *thread.woken) {
    woken_for(thread, others_until - *thread.woken);
    // One that waited for others of the trace as well tells little of the machine.
    if (others_until == now_) wake_ups_.record(now_ - *thread.woken);
  }
  for (const TracedThread::Hold& hold : thread.holds) tell_waits(*hold.lock);
  if (thread.lost_cpu && !thread.holds.empty()) {
    models::RwsemStatistics& statistics = thread.holds.front().lock->statistics();
    const bool reads = thread.holds.front().mode == LockMode::read;
    (reads ? statistics.read_off_cpu : statistics.write_off_cpu).preempted.record(now_ - *thread.lost_cpu);
  }
  thread.lost_cpu.reset();
  tell_waits(thread);
  thread.run = Run::running;
  thread.woken.reset();
  charge(thread);
}

void TraceAnalysis::woken_for(TracedThread& thread, sim::Nanoseconds latency) {
  if (std::optional<TracedRequest>& request = thread.asking()) request->wake_ups.push_back(latency);
}

// Which thread it comes after on its CPU: while that is one that asks for mmap_lock itself, the wait is one for it.
void TraceAnalysis::runs_after(TracedThread& thread, int previous) {
  const auto other = threads_.find(previous);
  const bool by_others = other == threads_.end() || other->second.home == nullptr;
  comes_to_run(thread, by_others ? now_ : other->second.cpu_others_until);
}

void TraceAnalysis::sched_switch(const TraceEvent& event) {
  if (const auto thread = threads_.find(event.tid); thread != threads_.end()) leave_cpu(thread->second, event);
  if (const auto next = threads_.find(event.other_tid); next != threads_.end()) {
    if (next->second.run == Run::unknown) next->second.run = Run::runnable;
    runs_after(next->second, event.tid);
  }
}

void TraceAnalysis::leave_cpu(TracedThread& thread, const TraceEvent& event) {
  for (const TracedThread::Hold& hold : thread.holds) tell_waits(*hold.lock);
  tell_waits(thread);
  // Nothing ends a fault that did without mmap_lock; but who goes to sleep is beyond it.
  if (!event.runnable && thread.section && !thread.section->locked()) end_section(thread);
  thread.run = event.runnable ? Run::runnable : Run::asleep;
  if (event.runnable) {
    ++class_of(thread).involuntary_switches;
    thread.cpu_taken_by = thread.holds.empty() ? -1 : classes_.of(event.other_comm);
    if (!thread.holds.empty()) thread.lost_cpu = now_;
  }
  charge(thread);
}

void TraceAnalysis::sched_wakeup(const TraceEvent& event) {
  const auto known = threads_.find(event.other_tid);
  if (known == threads_.end()) return;
  TracedThread& thread = known->second;
  if (thread.has_cpu() && thread.waits_for != nullptr) thread.woken_awake = now_;
  if (thread.run != Run::asleep) return;
  for (const TracedThread::Hold& hold : thread.holds) tell_waits(*hold.lock);
  tell_waits(thread);
  thread.run = Run::runnable;
  thread.woken = now_;
  thread.cpu_taken_by = -1;
  charge(thread);
}

// ---------------------------------------------------------------------------------------------------------------
// The end

std::map<std::uint64_t, std::string> TraceAnalysis::process_names() const {
  std::map<const TracedLock*, sim::Nanoseconds> held;
  for (const auto& [tid, thread] : threads_) held[thread.home] += thread.home_held;
  std::map<const TracedLock*, const TracedThread*> owners;
  constexpr int kOneIn = 20;
  for (const auto& [tid, thread] : threads_) {
    if (thread.home == nullptr || thread.home_held * kOneIn < held[thread.home]) continue;
    const TracedThread*& owner = owners[thread.home];
    if (owner == nullptr || tid < owner->tid) owner = &thread;
  }
  std::map<std::uint64_t, std::string> names;
  std::set<std::string> taken;
  for (const auto& [mm, lock] : locks_) {
    const auto owner = owners.find(lock.get());
    const std::string& name = owner == owners.end() ? lock->comm() : owner->second->comm;
    std::string unique = name;
    for (int number = 2; !taken.insert(unique).second; ++number) unique = fmt::format("{}-{}", name, number);
    names.emplace(mm, unique);
  }
  return names;
}

models::Result TraceAnalysis::finish(const std::string& name) {
  models::Result result;
  result.scenario = name;
  result.policy = "recorded";
  result.sim_time = now_.time_since_epoch();
  for (const auto& [offset, count] : offsets_) {
    if (gaps_.lock_offset < 0 || count > offsets_[gaps_.lock_offset]) gaps_.lock_offset = offset;
  }
  for (auto& [mm, lock] : locks_) tell_waits(*lock);
  tallies_.resize(classes_.names().size());
  for (std::size_t id = 0; id < tallies_.size(); ++id) {
    models::ClassResult& each = result.classes.emplace_back();
    each.name = classes_.names()[id];
    each.during = {tallies_[id].during.begin(), tallies_[id].during.end()};
    each.worst = tallies_[id].worst.requests();
    each.calls = tallies_[id].calls;
    each.involuntary_switches = tallies_[id].involuntary_switches;
  }
  for (const auto& [tid, thread] : threads_) {
    models::ClassResult& each = result.classes[static_cast<std::size_t>(thread.id)];
    const models::TimeByCause time = thread.ledger.read(now_);
    for (std::size_t cause = 0; cause < models::kCauseCount; ++cause) each.time[cause] += time[cause];
    for (const auto& [lock, length] : thread.ledger.lock_times()) each.lock_waits[lock] += length;
    const bool unfinished = (thread.call && thread.call->locked()) || (thread.section && thread.section->locked());
    each.unfinished += unfinished ? 1 : 0;
    gaps_.open_holds += thread.holds.size();
  }
  const std::map<std::uint64_t, std::string> names = process_names();
  for (const auto& [mm, lock] : locks_) {
    models::LockResult& each = result.locks.emplace_back();
    each.process = names.at(mm);
    each.statistics = lock->statistics_at(now_);
  }
  std::stable_sort(result.locks.begin(), result.locks.end(), [](const auto& a, const auto& b) {
    return std::pair(a.statistics.total_wait, b.process) > std::pair(b.statistics.total_wait, a.process);
  });
  return result;
}

}  // namespace experiments
