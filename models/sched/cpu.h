// The CPUs: who runs where, and when a task gains and loses its CPU.
//
// Models. N equal CPUs, each with a run queue of its own (models/sched/runqueue.h). A task that wakes goes to the CPU
// that it ran on last if that is idle, or else to an idle one, or else to the one with the least load, of those that it
// may run on. A CPU that runs empty takes over a task that waits at the busiest one. A tick comes to each CPU that has
// a choice. A task that should give way does so where its kernel allows that (Preemption). Nobody but this file and the
// run queues knows the rules by which one is chosen.
// Kernel. kernel/sched/core.c: try_to_wake_up, scheduler_tick, __schedule, preempt_schedule; fair.c: newidle_balance.
// Simplified. No load balancing between busy CPUs: a task that
// waits moves when a CPU runs empty, or when it wakes. No caches that get cold, no topology. Interrupts and the tick
// itself take no time. Kernel threads can be preempted anywhere (their loops are full of cond_resched). Validated by
// tests/models/sched/cpu_test.cpp: closed forms of shares, slices and waits, conservation of CPU time, affinity.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "models/measure/blame.h"
#include "models/sched/cfs_bandwidth.h"
#include "models/sched/runqueue.h"
#include "models/spec/sched.h"
#include "sim/engine.h"

namespace models {

class Task;

class Cpus {
 public:
  /// Preconditions: count >= 1; the groups are valid. `groups` and `spec` outlive it.
  Cpus(sim::Engine& engine, int count, const SchedulerSpec& spec, const std::vector<GroupSpec>& groups);
  Cpus(const Cpus&) = delete;
  Cpus& operator=(const Cpus&) = delete;

  /// Runs `task` for `duration` of CPU time; returns when it has had it. Precondition: it is on a CPU.
  void run(Task& task, sim::Nanoseconds duration);

  /// Keeps `task` on its CPU until `until` or until stop_spinning; returns earlier, and true, when others should have
  /// the CPU. Precondition: it is on a CPU.
  bool spin(Task& task, std::optional<sim::Time> until);
  /// Ends the spin of `task` at this moment.
  void stop_spinning(Task& task);

  /// Gives the CPU of `task` away if others should have it; returns when it is back.
  void cond_resched(Task& task);
  /// On the way back to user mode: as cond_resched, and where a group out of quota stops its tasks (at_user_return).
  void return_to_user(Task& task);

  /// Takes `task` off its CPU, which goes to the next. The task must then park.
  void leave(Task& task);

  /// Makes a task that has left its CPU runnable.
  void wake(Task& task);

  [[nodiscard]] int count() const { return static_cast<int>(cpus_.size()); }
  [[nodiscard]] const SchedulerSpec& spec() const { return spec_; }
  /// Involuntary losses of a CPU so far.
  [[nodiscard]] std::uint64_t preemptions() const { return preemptions_; }

 private:
  struct Cpu {
    Cpu(int number, sim::Engine& engine, Cpus& cpus);
    int index;
    RunQueue queue;
    Task* running = nullptr;
    sim::Time started{};  // when it got the CPU: perhaps a little ahead
    std::vector<Task*>
        stopped;  // on their way back to user mode, as their group is out of quota (throttled_limbo_list)
    sim::Event tick;
    sim::Event resched;  // for one that should give way before it has begun
  };

  Cpu& cpu(int index) { return cpus_[static_cast<std::size_t>(index)]; }
  Cpu& cpu_of(const Task& task);
  [[nodiscard]] bool preemptible(const Task& task) const;

  Cpu& select(const Task& task);
  void enqueued(Cpu& cpu, Task& task);
  void await_cpu(const Cpu& cpu, Task& task, const Task* other) const;
  void resched(Cpu& cpu);
  void schedule(Cpu& cpu);
  void give_way(Task& task);
  Task* pick(Cpu& cpu);
  void dispatch(Cpu& cpu, Task& task, sim::Time start);
  void vacate(Cpu& cpu, bool involuntary);
  void fill(Cpu& cpu, Cause arrival);
  bool pull(Cpu& cpu);
  void tick(Cpu& cpu);
  void watch(Cpu& cpu);

  [[nodiscard]] bool must_stop(const Cpu& cpu, const Task& task) const;
  void stop(Cpu& cpu, Task& task);
  void note_throttled(Cpu& cpu, int group);
  void refilled(int group);

  sim::Engine& engine_;
  const SchedulerSpec& spec_;
  FairRules rules_;
  std::deque<TaskGroup> groups_;
  std::deque<Cpu> cpus_;  // an event stays where it was made
  int waiting_ = 0;       // runnable tasks that don't run
  std::uint64_t preemptions_ = 0;
};

}  // namespace models
