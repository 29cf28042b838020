#include "experiments/run/trace_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "experiments/base/json.h"
#include "experiments/run/trace/lock_tracks.h"
#include "experiments/run/trace/trace_limit.h"
#include "experiments/run/trace/trace_tracks.h"
#include "experiments/run/trace/trace_writer.h"
#include "models/kernel.h"
#include "models/locking/rwsem.h"
#include "models/mm/mm.h"
#include "models/spec/competitors.h"
#include "models/task.h"

namespace experiments {

namespace {

using models::Cause;
using models::LockMode;
using models::LockOperation;
using models::Phase;
using models::Task;
using sim::Nanoseconds;
using sim::Time;
using trace::Counter;
using trace::kTick;
using trace::LockTracks;
using trace::Place;
using trace::Track;

constexpr Nanoseconds kFreePagesEvery{1'000};

/// An mmap_sem.
struct Lock {
  std::string process;
  int pid;
  const models::Rwsem* rwsem = nullptr;  // once it has been taken
  std::optional<LockTracks> tracks{};
};

/// A task, as far as has been told of it.
struct TaskTrack {
  struct Change {
    Time at;
    Cause cause;
  };

  std::string name;
  bool of_kernel;
  Lock* lock;  // what it takes; null: nothing
  Track track;
  Phase phase = Phase::user;
  Cause cause = Cause::sleep;
  std::optional<Change> next{};  // told ahead of its time
  bool waits_for_vma = false;    // and not for mmap_sem, which it holds
  bool waits_for_mutex = false;  // in user mode
  bool holds = false;            // its lock
};

bool runs(Cause cause) { return cause == Cause::cpu || cause == Cause::direct_reclaim; }

std::string running_name(const TaskTrack& each) {
  const bool in_a_path = each.phase != Phase::user && each.phase != Phase::idle;
  if (in_a_path) return std::string(to_string(each.phase));
  return each.of_kernel ? each.name : "user";
}

std::string awaited_by(const TaskTrack& each) {
  if (each.waits_for_mutex) return "the mutex";
  return each.waits_for_vma ? "a VMA's readers" : "mmap_sem";
}

std::string thread_title(const TaskTrack& each) {
  switch (each.cause) {
    case Cause::cpu:
      return running_name(each);
    case Cause::run_queue:
      return "runnable";
    case Cause::throttled:
      return "throttled";
    case Cause::wake_up:
      return "waking";
    case Cause::lock_wait:
      return "waiting for " + awaited_by(each);
    case Cause::direct_reclaim:
      return "reclaiming";
    case Cause::reclaim_throttle:
      return "reclaim throttle";
    case Cause::device_io:
      return "I/O";
    case Cause::interrupted:
      return "interrupted";
    case Cause::userfault:
      return "userfault";
    case Cause::sleep:
      break;
  }
  return "sleep";
}

Track::Slice slice_of(const TaskTrack& each) {
  return {thread_title(each), to_string(each.cause), each.cause == Cause::cpu ? "" : to_string(each.phase),
          runs(each.cause)};
}

Json about(const models::Scenario& scenario) {
  return {{"scenario", scenario.name}, {"policy", scenario.policies.front().name}, {"seed", scenario.seed}};
}

}  // namespace

class TraceFile::Recording {
 public:
  Recording(std::ostream& out, const models::Scenario& scenario, std::vector<TimeWindow> windows, models::Bytes limit)
      : windows_(std::move(windows)),
        events_(out, about(scenario)),
        kernel_pid_(2 * static_cast<int>(scenario.processes.size()) + 1),
        limit_(limit, events_, windows_, kernel_pid_),
        cpus_pid_(kernel_pid_ + 1),
        next_tid_(cpus_pid_ + 1),
        free_pages_(events_, windows_, kernel_pid_, "free pages", "pages") {
    for (std::size_t index = 0; index < scenario.processes.size(); ++index) {
      locks_.push_back({.process = scenario.processes[index].name, .pid = pid_of(index) + 1});
    }
    for (std::size_t index = 0; index < scenario.processes.size(); ++index) {
      events_.process(pid_of(index), scenario.processes[index].name);
      add_threads(scenario.processes[index], pid_of(index));
    }
    events_.process(kernel_pid_, "kernel");
    events_.process(cpus_pid_, "CPUs");
    for (int cpu = 0; cpu < scenario.machine.cpus; ++cpu) {
      cpus_.push_back(add_track(cpus_pid_, fmt::format("CPU {}", cpu)));
    }
  }

  void on_cause(const Task& task, Cause cause, Time at) {
    TaskTrack& each = up_to_date(task);
    if (each.next) change(each, *std::exchange(each.next, std::nullopt), true);
    if (at > task.now()) {
      each.next = {at, cause};
    } else {
      change(each, {at, cause}, task.on_cpu());
    }
    if (cause == Cause::lock_wait && each.lock != nullptr) count_queue(*each.lock, task.now());
  }

  void on_phase(const Task& task) { up_to_date(task); }

  void on_cpu(int cpu, const Task* task, Time at) {
    Track& track = cpus_[static_cast<std::size_t>(cpu)];
    if (task == nullptr) return track.end(at);
    track.begin(at, {.name = task->name(), .category = "on_cpu", .runs = false});
  }

  void on_lock(const Task& task, LockOperation operation, const models::Rwsem& rwsem) {
    TaskTrack& each = up_to_date(task);
    if (each.lock == nullptr) return;
    if (&rwsem == task.mutex()) return on_mutex(each, operation, rwsem, task.now());
    Lock& lock = *each.lock;
    if (lock.rwsem == nullptr) show(lock, rwsem);
    const Time now = task.now();
    if (operation != LockOperation::down_read && operation != LockOperation::down_write) end_hold(each, now);
    if (operation == LockOperation::down_write) begin_hold(each, LockMode::write, now);
    if (operation == LockOperation::down_read || operation == LockOperation::downgrade_write) {
      begin_hold(each, LockMode::read, now);
    }
    count_queue(lock, now);
  }

  void on_wake(const Task& waker, const Task& woken) {
    const Time leaves = waker.now() - kTick;
    Track& from = up_to_date(waker).track;
    TaskTrack& to = up_to_date(woken);
    const bool sleeps = !woken.on_cpu() && to.cause != Cause::run_queue;  // its timeout may have woken it before
    if (sleeps && from.leave(leaves)) to.track.arrive({next_flow_++, from.place(), leaves});
  }

  [[nodiscard]] std::optional<Time> left_out_from() const { return limit_.left_out_from(); }

  void finish(Time end) {
    for (TaskTrack& each : tasks_) {
      if (each.next && each.next->at < end) change(each, *each.next, true);
      each.track.end(end, true);
    }
    for (Lock& lock : locks_) {
      if (lock.tracks) lock.tracks->finish(end);
    }
    for (auto& [mutex, track] : mutexes_) track.end(end, true);
    for (Track& cpu : cpus_) cpu.end(end, true);
    free_pages_.write_until(end);
    events_.finish();
  }

 private:
  static int pid_of(std::size_t process) { return 2 * static_cast<int>(process) + 1; }

  void add_threads(const models::ProcessSpec& process, int pid) {
    for (const models::ThreadSpec& thread : process.threads) {
      const auto lock = std::find_if(locks_.begin(), locks_.end(), [&](const Lock& each) {
        return each.process == models::target_of(process, thread);
      });
      std::vector<TaskTrack*>& members = by_class_.emplace_back();
      for (int member = 0; member < thread.count; ++member) {
        members.push_back(&add_task(fmt::format("{}.{}", thread.name, member), pid, &*lock));
      }
    }
  }

  TaskTrack& add_task(const std::string& name, int pid, Lock* lock) {
    return tasks_.emplace_back(
        TaskTrack{.name = name, .of_kernel = pid == kernel_pid_, .lock = lock, .track = add_track(pid, name)});
  }

  Track add_track(int pid, const std::string& name) {
    const Place place{pid, next_tid_++};
    events_.thread(place, name);
    return {events_, windows_, place};
  }

  TaskTrack& track_of(const Task& task) {
    if (task.class_id() >= 0) {
      return *by_class_[static_cast<std::size_t>(task.class_id())][static_cast<std::size_t>(task.member())];
    }
    TaskTrack*& of_kernel = of_kernel_[&task];
    if (of_kernel == nullptr) of_kernel = &add_task(task.name(), kernel_pid_, nullptr);
    return *of_kernel;
  }

  // Its track, with what has come about by now.
  TaskTrack& up_to_date(const Task& task) {
    const Time now = task.now();
    limit_.keep(now);
    TaskTrack& each = track_of(task);
    if (each.next && each.next->at <= now) change(each, *std::exchange(each.next, std::nullopt), true);
    if (each.phase != task.phase()) {
      each.phase = task.phase();
      if (each.cause == Cause::cpu) restart(each, now);
    }
    count_free_pages(task.kernel().zone.counts().free.count(), now);
    return each;
  }

  void change(TaskTrack& each, TaskTrack::Change to, bool on_cpu) {
    if (to.cause == each.cause) return;
    if (each.cause == Cause::lock_wait && on_cpu) {
      each.track.rename("spinning on " + awaited_by(each));
    }
    each.cause = to.cause;
    each.waits_for_vma = to.cause == Cause::lock_wait && each.holds;
    each.waits_for_mutex = to.cause == Cause::lock_wait && (each.phase == Phase::user || each.phase == Phase::idle);
    restart(each, to.at);
  }

  static void restart(TaskTrack& each, Time at) {
    each.track.end(at);
    if (each.cause != Cause::sleep) each.track.begin(at, slice_of(each));
  }

  // Drawn beside the semaphore that its holders take.
  void on_mutex(const TaskTrack& each, LockOperation operation, const models::Rwsem& mutex, Time now) {
    auto known = mutexes_.find(&mutex);
    if (known == mutexes_.end()) {
      known = mutexes_.emplace(&mutex, add_track(each.lock->pid, "mutex " + mutex.name())).first;
    }
    if (operation != LockOperation::down_write) return known->second.end(now);
    known->second.begin(now, {.name = each.name, .category = "mutex"});
  }

  void show(Lock& lock, const models::Rwsem& rwsem) {
    lock.rwsem = &rwsem;
    lock.tracks.emplace(events_, windows_, lock.pid, fmt::format("{} of {}", rwsem.name(), lock.process), next_tid_);
  }

  static void begin_hold(TaskTrack& each, LockMode mode, Time at) {
    const std::string name = fmt::format("{}: {} {}", to_string(mode), each.name, to_string(call_of(each.phase)));
    each.lock->tracks->begin(&each, mode, name, at);
    each.holds = true;
  }

  static void end_hold(TaskTrack& each, Time at) {
    each.lock->tracks->end(&each, at);
    each.holds = false;
  }

  static void count_queue(Lock& lock, Time now) {
    if (lock.tracks) lock.tracks->count(now, static_cast<std::int64_t>(lock.rwsem->queue_length()));
  }

  void count_free_pages(std::int64_t pages, Time now) {
    const bool too_soon = free_pages_.value() && now - free_pages_.since() < kFreePagesEvery;
    if (!too_soon) free_pages_.set(now, pages);
  }

  trace::Windows windows_;
  trace::Writer events_;
  int kernel_pid_;
  trace::Limit limit_;
  int cpus_pid_;
  int next_tid_;
  std::uint64_t next_flow_ = 1;
  Counter free_pages_;
  std::deque<Lock> locks_;
  std::map<const models::Rwsem*, Track> mutexes_;  // of user space
  std::deque<Track> cpus_;
  std::deque<TaskTrack> tasks_;
  std::vector<std::vector<TaskTrack*>> by_class_;  // by the number in the class, too
  std::unordered_map<const Task*, TaskTrack*> of_kernel_;
};

TraceFile::TraceFile(std::ostream& out, const models::Scenario& scenario, std::vector<TimeWindow> windows,
                     models::Bytes limit)
    : recording_(std::make_unique<Recording>(out, scenario, std::move(windows), limit)) {}

TraceFile::~TraceFile() = default;

models::Observer TraceFile::observer() {
  Recording& recording = *recording_;
  models::Observer observer;
  observer.lock = [&](const Task& task, LockOperation operation, const models::Rwsem& rwsem) {
    recording.on_lock(task, operation, rwsem);
  };
  observer.cause = [&](const Task& task, Cause cause, Time at) { recording.on_cause(task, cause, at); };
  observer.wake = [&](const Task& waker, const Task& woken) { recording.on_wake(waker, woken); };
  observer.phase = [&](const Task& task) { recording.on_phase(task); };
  observer.cpu = [&](int cpu, const Task* task, Time at) { recording.on_cpu(cpu, task, at); };
  return observer;
}

void TraceFile::finish(Time end) { recording_->finish(end); }

std::optional<Time> TraceFile::left_out_from() const { return recording_->left_out_from(); }

}  // namespace experiments
