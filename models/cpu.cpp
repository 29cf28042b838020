#include "models/cpu.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "models/task.h"

namespace models {

Cpus::Cpus(sim::Engine& engine, int count, const SchedulerCosts& costs) : engine_(engine), costs_(costs), idle_(count) {
  for (int index = 0; index < count; ++index) {
    cpus_.emplace_back(index, engine.calendar(), [this, index] { preempt(cpu(index)); });
  }
}

void Cpus::run(Task& task, sim::Nanoseconds duration) {
  assert(task.sched_.on_cpu && "a task worked without a CPU");
  task.actor_.resume_at(engine_.now() + duration);
  task.actor_.park();
}

bool Cpus::spin(Task& task, std::optional<sim::Time> until) {
  assert(task.sched_.on_cpu && "a task spun without a CPU");
  task.sched_.spins = true;
  task.sched_.must_yield = false;
  if (until) task.actor_.resume_at(*until);
  task.actor_.park();
  task.sched_.spins = false;
  if (task.sched_.must_yield) watch_slice(cpu(task.sched_.last_cpu));  // if it goes on all the same
  return task.sched_.must_yield;
}

void Cpus::stop_spinning(Task& task) {
  assert(task.sched_.spins);
  task.actor_.resume_at(engine_.now());
}

void Cpus::leave(Task& task) {
  assert(task.sched_.on_cpu);
  vacate(cpu(task.sched_.last_cpu));
}

void Cpus::wake(Task& task) {
  assert(!task.sched_.on_cpu);
  task.sched_.remaining = sim::Nanoseconds{0};
  if (Cpu* cpu = idle_cpu_for(task)) {
    task.charge(Cause::wake_up, engine_.now());
    dispatch(*cpu, task, engine_.now() + costs_.wake_up_latency);
    return;
  }
  task.charge(Cause::run_queue, engine_.now());
  run_queue_.push_back(&task);
  if (run_queue_.size() == 1) {
    for (Cpu& cpu : cpus_) watch_slice(cpu);
  }
}

Cpus::Cpu* Cpus::idle_cpu_for(const Task& task) {
  if (idle_ == 0) return nullptr;
  Cpu& last = cpu(task.sched_.last_cpu);
  if (last.running == nullptr) return &last;
  return &*std::find_if(cpus_.begin(), cpus_.end(), [](const Cpu& each) { return each.running == nullptr; });
}

void Cpus::dispatch(Cpu& cpu, Task& task, sim::Time start) {
  --idle_;
  cpu.running = &task;
  cpu.slice_start = start;
  task.sched_.on_cpu = true;
  task.sched_.last_cpu = cpu.index;
  // Nothing can come between now and `start`: a slice is at least 1 ns long and begins there.
  task.charge(task.work_cause_, start);
  task.actor_.resume_at(start + task.sched_.remaining);
  if (!run_queue_.empty()) watch_slice(cpu);
}

void Cpus::vacate(Cpu& cpu) {
  Task& task = *std::exchange(cpu.running, nullptr);
  task.sched_.on_cpu = false;
  ++idle_;
  task.lost_cpu();
  if (run_queue_.empty()) return;
  Task& next = *run_queue_.front();
  run_queue_.pop_front();
  dispatch(cpu, next, engine_.now() + costs_.context_switch);
}

void Cpus::watch_slice(Cpu& cpu) {
  cpu.slice_end.schedule(std::max(engine_.now(), cpu.slice_start + costs_.timeslice));
}

void Cpus::preempt(Cpu& cpu) {
  if (cpu.running == nullptr || run_queue_.empty()) return;
  const sim::Time now = engine_.now();
  if (now < cpu.slice_start + costs_.timeslice) return watch_slice(cpu);
  Task& task = *cpu.running;
  if (task.sched_.spins) {
    task.sched_.must_yield = true;
    return stop_spinning(task);
  }
  task.sched_.remaining = *task.actor_.resumption() - now;
  task.actor_.cancel_resumption();
  task.charge(Cause::run_queue, now);
  run_queue_.push_back(&task);
  ++preemptions_;
  vacate(cpu);
}

}  // namespace models
