// A control group's share of the CPUs: its weight, and the quota of CPU time that it may use in each period.
//
// Models the pool of struct cfs_bandwidth: refilled to the quota at each multiple of the period; the group's queue on
// each CPU takes slices out of it (models/sched/runqueue.h) and is throttled when it has used up its own and the pool
// is empty. Kernel. kernel/sched/fair.c of 6.1: assign_cfs_rq_runtime, do_sched_cfs_period_timer,
// distribute_cfs_runtime. Simplified. The timer fires at multiples of the period counted from the start of the run
// (since 6.4 from a random moment [m]); no burst; what a queue that runs empty gives back is there for whoever asks,
// and a throttled queue asks at the next refill only (the kernel's slack timer would after 5 ms). Validated by
// tests/models/sched/cfs_bandwidth_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "models/spec/sched.h"
#include "sim/calendar.h"
#include "sim/engine.h"
#include "sim/time.h"

namespace models {

/// A group, as far as it is one thing on all CPUs.
class TaskGroup {
 public:
  /// `refilled` is called after each refill that comes while somebody is throttled.
  TaskGroup(sim::Engine& engine, const GroupSpec& spec, std::function<void()> refilled);

  /// tg->shares: its weight beside tasks outside, all of its CPUs together.
  [[nodiscard]] std::int64_t shares() const { return shares_; }
  /// Whether its CPU time is limited.
  [[nodiscard]] bool has_bandwidth() const { return cpu_max_.has_value(); }

  /// At most `wanted` out of the pool. Precondition: has_bandwidth().
  sim::Nanoseconds take(sim::Nanoseconds wanted);
  /// Puts back what has not been used.
  void give_back(sim::Nanoseconds unused);
  /// A queue has been throttled: the refills go on until there is none.
  void note_throttled() { throttled_ = true; }

  /// The weights of its runnable tasks on all CPUs.
  std::int64_t load = 0;

 private:
  void refill();
  void start_timer();

  sim::Engine& engine_;
  std::optional<CpuMax> cpu_max_;
  std::int64_t shares_;
  sim::Nanoseconds runtime_{};
  bool used_ = false;       // since the last refill
  bool throttled_ = false;  // somebody, since the last refill
  std::function<void()> refilled_;
  sim::Event period_timer_;
};

}  // namespace models
