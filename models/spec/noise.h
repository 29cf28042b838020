// What keeps a machine from being quiet: values.
//
// Who reads them: models/sched/interruptions.h, models/sched/cpu.h, models/task.h.
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

/// For so long an idle CPU of a guest polls before it halts (guest_halt_poll_ns, drivers/cpuidle/governors/haltpoll.c
/// of 5.4 and later), and one of a real machine is seldom in its deeper states.
inline constexpr sim::Nanoseconds kShortlyIdle{200'000};

/// Nothing of it: a quiet machine.
struct NoiseSpec {
  std::vector<Interruption> interruptions;   ///< of each CPU, each CPU with times of its own
  std::optional<sim::Distribution> wake_up;  ///< in place of SchedulerSpec::wake_up_latency
  /// The same of a CPU that has been idle for less than kShortlyIdle; none: as any other.
  std::optional<sim::Distribution> wake_up_soon;
  sim::Distribution timer;  ///< how late a sleep ends that a timer ends
  /// Thousandths of what a page costs: a system call has one of them, each equally likely, for all of its pages. None:
  /// they cost what they cost.
  std::vector<int> page_costs;
  /// Thousandths of what the fixed part of a call or a fault costs (Costs::mmap, fault, proc_open ...) that is the
  /// first after its thread has slept, as caches and whatever else remembers have forgotten it: each sleep has one of
  /// them.
  std::vector<int> after_sleep;
  /// The same of faults; none: `after_sleep`.
  std::vector<int> fault_after_sleep;

  bool operator==(const NoiseSpec&) const = default;
};

}  // namespace models
