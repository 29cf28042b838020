// What the threads of a trace went through at mmap_lock, in the values that a simulated run comes to.
//
// Follows each thread and each mmap_lock through the events, in one pass and in memory that grows with the number of
// threads and address spaces, not with the trace. Requests are what threads ask of their address space: a system call
// from its beginning to its end, a fault from page_fault to released, and a stretch with the lock that belongs to
// neither. Only those that asked for mmap_lock are among the samples: for others there is no event that ends them.
// - A class is a thread's name (thread_classes.h); its phase is the system call, as far as calls were recorded, or
//   fault; else `proc_read` where somebody reads another process's address space, and `other`.
// - A fault is what asks for the lock right behind page_fault_*: within eight times what faults in kernel mode, which
//   always ask, take to do so. Others left the lock alone (a VMA's was enough): nothing tells their end. Without
//   page_fault_* whoever asks for read outside a known call is taken for one.
// - The address space of a lock is known by its mm. lock:contention_* has the address of the semaphore, an offset
//   behind the mm that differs by kernel: learnt from those that wait, as a thread waits for one lock at a time.
// - What a thread's time goes into is known with sched_switch; without it all that is no waiting for the lock is `cpu`.
// - A locker is a class that has called mlock or munlock so far: `during` is what these call.
//
// Trust. Counts of acquisitions and holds are those of the events (tests/experiments/host/trace/
// trace_analysis_test.cpp has awk count them as well). mmap_lock_released comes before the lock is given up, and
// acquire_returned after it was had: the microseconds in between are in neither.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "experiments/host/trace/thread_classes.h"
#include "experiments/host/trace/trace_event.h"
#include "experiments/host/trace/traced_lock.h"
#include "experiments/host/trace/traced_thread.h"
#include "models/measure/result.h"
#include "models/measure/worst_request.h"
#include "sim/histogram.h"

namespace experiments {

/// A request that has ended.
struct EndedRequest {
  const TracedThread& thread;
  const TracedRequest& request;
  std::uint64_t mm = 0;        ///< 0: not known
  sim::Time end;               ///< of a fault that did not ask for mmap_lock: its beginning, as nothing tells its end
  std::uint64_t returned = 0;  ///< of a system call
};

/// What did not add up, and why: see trace_report.h for what it costs.
struct TraceGaps {
  std::uint64_t released_only = 0;     ///< released without acquire_returned: the hold began before the trace
  std::uint64_t open_holds = 0;        ///< acquire_returned without released, the trace having ended
  std::uint64_t lost_releases = 0;     ///< holds that were over without a released
  std::uint64_t lost_acquires = 0;     ///< start_locking without acquire_returned
  std::uint64_t other_locks = 0;       ///< contention of semaphores that are no mmap_lock
  std::uint64_t faults = 0;            ///< page_fault_*
  std::uint64_t faults_with_lock = 0;  ///< those of them that took mmap_lock
  std::int64_t lock_offset = -1;       ///< of the semaphore behind its mm; -1: not learnt
};

class TraceAnalysis {
 public:
  /// `ended` is told of each system call and fault when it is over, and of each other stretch with the lock; may be
  /// empty.
  explicit TraceAnalysis(std::function<void(const EndedRequest&)> ended = {}) : ended_(std::move(ended)) {}
  /// Told of a thread, too, whenever what it holds, waits for or is at may have changed.
  using Changed = std::function<void(const TracedThread&, sim::Time)>;
  void watch(Changed changed) { changed_ = std::move(changed); }
  TraceAnalysis(const TraceAnalysis&) = delete;
  TraceAnalysis& operator=(const TraceAnalysis&) = delete;

  /// In the order of time.
  void add(const TraceEvent& event);

  /// What it came to, as that of a run under the policy `recorded`; the locks that were waited for longest first.
  /// Nothing of the memory is known. To be called once, at the end.
  [[nodiscard]] models::Result finish(const std::string& name);

  [[nodiscard]] const TraceGaps& gaps() const { return gaps_; }
  /// How long those that waited for mmap_lock took from being woken until they ran, where their CPU had been idle or
  /// had run something else: with sched_wakeup and sched_switch.
  [[nodiscard]] const sim::Histogram& wake_ups() const { return wake_ups_; }
  [[nodiscard]] const ThreadClasses& classes() const { return classes_; }
  /// Names of address spaces by their mm, as in the result: that of the least number of those threads that have held it
  /// for a twentieth of the time at least, as a process begins with its main thread; an mm may have been another
  /// process's before.
  [[nodiscard]] std::map<std::uint64_t, std::string> process_names() const;

 private:
  struct Class {
    std::map<models::Phase, models::Samples> during;
    models::WorstRequests worst;
    models::CallRecords calls;
    std::uint64_t involuntary_switches = 0;
    bool locker = false;
  };

  void apply(const TraceEvent& event);
  void tell_changed(int tid) const;
  TracedThread& thread_of(int tid, std::string_view comm);
  TracedLock& lock_of(const TraceEvent& event);
  Class& class_of(const TracedThread& thread);

  void start_locking(const TraceEvent& event);
  void acquire_returned(const TraceEvent& event);
  void released(const TraceEvent& event);
  void contention_begin(const TraceEvent& event);
  void contention_end(const TraceEvent& event);
  void page_fault(const TraceEvent& event);
  void sys_enter(const TraceEvent& event);
  void sys_exit(const TraceEvent& event);
  void sched_switch(const TraceEvent& event);
  void sched_wakeup(const TraceEvent& event);

  [[nodiscard]] models::Phase phase_of(const TracedThread& thread, const TracedLock& lock, models::LockMode mode) const;
  TracedRequest begin(TracedThread& thread, models::Phase phase, const TracedLock* lock);
  TracedRequest& request_that_locks(TracedThread& thread, TracedLock& lock, models::Phase phase);
  void make_home(TracedThread& thread, TracedLock& lock, models::Phase phase, models::LockMode mode);
  void end_section(TracedThread& thread);
  void record(TracedThread& thread, const TracedRequest& request);
  void tell(const TracedThread& thread, const TracedRequest& request, sim::Time end, std::uint64_t returned = 0);
  void end_hold(TracedThread& thread, TracedThread::Hold& hold);
  void is_running(TracedThread& thread);
  void comes_to_run(TracedThread& thread, sim::Time others_until);
  void leave_cpu(TracedThread& thread, const TraceEvent& event);
  void runs_after(TracedThread& thread, int previous);
  static void woken_for(TracedThread& thread, sim::Nanoseconds latency);

  [[nodiscard]] models::Cause cause_of(const TracedThread& thread) const;
  void charge(TracedThread& thread);
  void charge_waiters(TracedLock& lock);
  void tell_waits(TracedThread& thread);
  void tell_waits(TracedLock& lock);
  [[nodiscard]] models::LockBlame blame_for(TracedLock& lock, const TracedLock::Waiter& waiter);
  [[nodiscard]] models::LockBlame blame_without_holder(TracedLock& lock, const TracedLock::Waiter& waiter);
  [[nodiscard]] models::LockBlame blame_on(const TracedThread& holder, models::Phase phase,
                                           models::LockMode mode) const;

  std::function<void(const EndedRequest&)> ended_;
  Changed changed_;
  ThreadClasses classes_;
  std::vector<Class> tallies_;  // by class
  std::unordered_map<int, TracedThread> threads_;
  std::map<std::uint64_t, std::unique_ptr<TracedLock>> locks_;  // by mm
  TraceGaps gaps_;
  sim::Histogram wake_ups_;
  std::map<std::int64_t, std::uint64_t> offsets_;  // how often the semaphore lay so far behind the mm
  sim::Nanoseconds fault_asks_after_{};            // about so long after page_fault_kernel start_locking comes
  bool begun_ = false;
  sim::Nanoseconds first_{};
  sim::Time now_{};
};

}  // namespace experiments
