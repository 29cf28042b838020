// What keeps a machine from being quiet: values.
//
// Who reads them: models/sched/interruptions.h, models/sched/cpu.h, models/sched/idle_memory.h,
// models/sched/rcu.h, models/task.h.
#pragma once

#include <optional>
#include <vector>

#include "sim/distribution.h"

namespace models {

/// Something that takes each CPU away from whoever runs there, again and again.
struct Interruption {
  enum class By {
    interrupt,   ///< the CPU stands still: interrupts and softirqs
    hypervisor,  ///< the same, and the kernel can tell (vcpu_is_preempted): steal time
    task,        ///< a thread, bound to the CPU, that wakes and competes by the scheduler's rules
  };
  By by = By::interrupt;
  sim::Distribution every;   ///< from the beginning of one to that of the next
  sim::Distribution length;  ///< of CPU time, shorter than `every` on average

  bool operator==(const Interruption&) const = default;
};

/// What an idle CPU falls into: it polls or halts first, then loses its clock, its caches, its TLB (cpuidle's states,
/// on hardware and under a hypervisor, whose guests see no more of them than this). Who comes to run there then pays,
/// once, for each path of the kernel that has not run there since: its code and data are elsewhere.
struct IdleState {
  sim::Distribution after;  ///< idle for so long a CPU is in it, or in a deeper one (idle_memory.h); drawn each time
  std::optional<sim::Distribution> wake_up;  ///< what waking up from it takes; none: NoiseSpec::wake_up
  sim::Distribution calls;                   ///< what the first run of a system call costs besides
  sim::Distribution faults;                  ///< the same of a fault
  sim::Distribution files;                   ///< the same of the opening, reading and closing of a file of /proc

  bool operator==(const IdleState&) const = default;
};

/// Nothing of it: a quiet machine.
struct NoiseSpec {
  std::vector<Interruption> interruptions;   ///< of each CPU, each CPU with times of its own
  std::optional<sim::Distribution> wake_up;  ///< in place of SchedulerSpec::wake_up_latency
  sim::Distribution timer;                   ///< how late a sleep ends that a timer ends
  /// Thousandths of what a page costs: a system call has one of them, each equally likely, for all of its pages. None:
  /// they cost what they cost.
  std::vector<int> page_costs;
  /// What RCU's thread takes of a CPU at a tick while VMAs come and go. None: it does not run.
  std::optional<sim::Distribution> grace_periods;
  /// From the shallowest to the deepest. None: an idle CPU is as one that has just run.
  std::vector<IdleState> idle_states;

  bool operator==(const NoiseSpec&) const = default;
};

}  // namespace models
