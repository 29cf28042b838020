// The CPUs and who runs on them.
//
// Models. N equal CPUs under one run queue, in round robin: a task that becomes runnable takes an idle CPU
// (the one it last ran on if that is idle) or joins the end of the queue; while somebody queues, a running task loses
// its CPU when its time slice is used up, wherever it is, with whatever locks it holds. Nobody but this file
// knows that it is round robin.
// Kernel. kernel/sched: try_to_wake_up, schedule. Simplified: no weights, no wake-up preemption, no per-CPU
// queues, preemption anywhere (CONFIG_PREEMPT). Safe while there are no more runnable tasks than CPUs, which is
// what the shipped scenarios have; with more, the tail of a preempted lock holder has the right shape and a
// length that hangs on the slice.
// Validated by tests/cpu_test.cpp: closed forms of slices and waits, conservation of CPU time.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "models/machine.h"
#include "sim/engine.h"

namespace models {

class Task;

class Cpus {
 public:
  /// Precondition: count >= 1, costs.timeslice > 0.
  Cpus(sim::Engine& engine, int count, const SchedulerCosts& costs);

  /// Runs `task` for `duration` of CPU time; returns when it has had it. Precondition: it is on a CPU.
  void run(Task& task, sim::Nanoseconds duration);

  /// Keeps `task` on its CPU until `until` or until stop_spinning; returns earlier, and true, when others want the
  /// CPU. Precondition: it is on a CPU.
  bool spin(Task& task, std::optional<sim::Time> until);
  /// Ends the spin of `task` at this moment.
  void stop_spinning(Task& task);

  /// Takes `task` off its CPU, which goes to the next in the queue. The task must then park.
  void leave(Task& task);

  /// Makes a task that has left its CPU runnable.
  void wake(Task& task);

  [[nodiscard]] int count() const { return static_cast<int>(cpus_.size()); }
  /// Involuntary losses of a CPU so far.
  [[nodiscard]] std::uint64_t preemptions() const { return preemptions_; }

 private:
  struct Cpu {
    Cpu(int number, sim::Calendar& calendar, sim::Event::Callback callback)
        : index(number), slice_end(calendar, std::move(callback)) {}
    int index;
    Task* running = nullptr;
    sim::Time slice_start{};
    sim::Event slice_end;
  };

  Cpu& cpu(int index) { return cpus_[static_cast<std::size_t>(index)]; }
  Cpu* idle_cpu_for(const Task& task);
  void dispatch(Cpu& cpu, Task& task, sim::Time start);
  void vacate(Cpu& cpu);
  void preempt(Cpu& cpu);
  void watch_slice(Cpu& cpu);

  sim::Engine& engine_;
  SchedulerCosts costs_;
  std::deque<Cpu> cpus_;  // an event stays where it was made
  int idle_;
  std::deque<Task*> run_queue_;
  std::uint64_t preemptions_ = 0;
};

}  // namespace models
