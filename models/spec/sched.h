// How the scheduler of a machine is built and tuned, and what it is told of threads and control groups: values.
//
// Who reads them: models/sched/sched_fair.h, models/sched/runqueue.h, models/sched/cfs_bandwidth.h, models/sched/cpu.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

/// Whose rules decide who runs next (models/sched/sched_fair.h).
enum class FairFlavour {
  cfs,    ///< up to Linux 6.5
  eevdf,  ///< Linux 6.6 and later
};

/// Where a task loses its CPU when another should have it. In user mode: anywhere.
enum class Preemption {
  none,       ///< in the kernel at cond_resched() and on the way back to user mode (CONFIG_PREEMPT_NONE)
  voluntary,  ///< also wherever it might sleep (CONFIG_PREEMPT_VOLUNTARY)
  full,       ///< anywhere (CONFIG_PREEMPT)
  lazy,       ///< in the kernel at the tick after the fair class has asked for it (CONFIG_PREEMPT_LAZY, Linux 6.13)
};

/// Where a task is stopped whose group has used up its quota of CPU time.
enum class Throttling {
  in_kernel,       ///< wherever it loses its CPU, with whatever locks it holds
  at_user_return,  ///< on its way back to user mode (Linux 6.18)
};

/// The scheduler and what changing hands costs. The tunables are those of kernel/sched/fair.c, before they are scaled
/// with the CPUs (fair_rules()).
struct SchedulerSpec {
  sim::Nanoseconds tick{4'000'000};    ///< > 0; 1 / CONFIG_HZ
  sim::Nanoseconds context_switch{};   ///< from one task to the next on a busy CPU
  sim::Nanoseconds wake_up_latency{};  ///< from try_to_wake_up to running, on a CPU that was idle
  FairFlavour flavour = FairFlavour::cfs;
  Preemption preempt = Preemption::none;
  Throttling throttling = Throttling::in_kernel;
  bool delayed_dequeue = false;                    ///< eevdf: Linux 6.12
  bool autogroup = false;                          ///< each process is a group of its own (models/sched/runqueue.h)
  sim::Nanoseconds latency{6'000'000};             ///< cfs: sysctl_sched_latency
  sim::Nanoseconds min_granularity{750'000};       ///< cfs: sysctl_sched_min_granularity
  sim::Nanoseconds wakeup_granularity{1'000'000};  ///< cfs: sysctl_sched_wakeup_granularity
  sim::Nanoseconds base_slice{750'000};            ///< eevdf: sysctl_sched_base_slice; > 0
  sim::Nanoseconds migration_cost{500'000};        ///< sysctl_sched_migration_cost, not scaled
  sim::Nanoseconds bandwidth_slice{5'000'000};     ///< sysctl_sched_cfs_bandwidth_slice, not scaled; > 0
  std::string of{};                                ///< the kernel that it was named for, if any; changes nothing

  bool operator==(const SchedulerSpec&) const = default;
};

/// cpu.max of a control group.
struct CpuMax {
  sim::Nanoseconds quota{};   ///< > 0
  sim::Nanoseconds period{};  ///< > 0

  bool operator==(const CpuMax&) const = default;
};

/// A control group, directly below the root.
struct GroupSpec {
  std::string name;
  int cpu_weight = 100;               ///< cpu.weight, 1 .. 10000; a task of nice 0 outside weighs 100
  std::optional<CpuMax> cpu_max;      ///< none: no limit
  std::optional<Bytes> memory_max{};  ///< memory.max of the processes in it: who goes beyond reclaims among their pages
  std::optional<Bytes> memory_high{};  ///< memory.high: who goes beyond reclaims, and waits, on his way to user mode

  bool operator==(const GroupSpec&) const = default;
};

/// Whether what its processes take is counted.
constexpr bool limits_memory(const GroupSpec& group) { return group.memory_max || group.memory_high; }

/// How a thread is scheduled.
struct SchedSpec {
  int nice = 0;           ///< -20 .. 19
  std::vector<int> cpus;  ///< those that it may run on, in ascending order; none: all
  int group = -1;         ///< its control group's number; -1: none

  bool operator==(const SchedSpec&) const = default;
};

}  // namespace models
