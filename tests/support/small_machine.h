// A kernel with tasks written by hand, for tests of the parts that lie between the engine and a whole scenario.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/vmscan.h"
#include "models/sched/interruptions.h"
#include "models/task.h"
#include "models/workload/background.h"

namespace tests {

inline sim::Time at(std::int64_t nanoseconds) { return sim::Time{sim::Nanoseconds{nanoseconds}}; }

inline constexpr std::int64_t kMiB = std::int64_t{1} << 20U;
inline constexpr std::int64_t kGiB = std::int64_t{1} << 30U;

/// Memory of `size` with nothing in it yet. Where min is 4/1000 of it at least, low is min * 5/4 and high min * 3/2.
inline models::MemorySpec all_free(models::Bytes size, models::Bytes min_free) {
  models::MemorySpec memory;
  memory.size = size;
  memory.free = size;
  memory.min_free = min_free;
  return memory;
}

/// Works in steps of 10 ns, as a page walk does.
inline void work_in_steps(models::Task& task, sim::Nanoseconds total) {
  constexpr sim::Nanoseconds kStep{10};
  for (; total > kStep; total -= kStep) task.work(kStep);
  task.work(total);
}

/// Tasks of one weight take turns, a tick long, and wait for theirs when they wake.
inline models::SchedulerSpec in_turns(sim::Nanoseconds tick) {
  models::SchedulerSpec scheduler;
  scheduler.tick = tick;
  scheduler.latency = sim::Nanoseconds{1};
  scheduler.min_granularity = sim::Nanoseconds{1};
  scheduler.wakeup_granularity = std::chrono::hours{1};
  scheduler.migration_cost = sim::Nanoseconds{0};
  return scheduler;
}

/// All costs are zero, no CPU is short and no memory scarce, unless a test says otherwise.
struct SmallMachineSpec {
  int cpus = 8;
  int llc_cpus = 0;
  models::SchedulerSpec scheduler = in_turns(std::chrono::milliseconds{1});
  std::vector<models::GroupSpec> groups{};
  models::Costs costs{};
  models::Policy policy{};
  models::MemorySpec memory = all_free(models::Bytes(4 * kGiB), models::Bytes(4 * kMiB));
  bool stepwise = false;
  bool with_kswapd = false;
  std::uint64_t seed = 1;
  models::Bytes llc{};
  models::Thp thp = models::Thp::madvise;
  std::optional<models::Bytes> clear_bandwidth{};
  models::NoiseSpec noise{};
  models::ReclaimKind reclaim = models::ReclaimKind::classic;
};

/// Tasks are numbered from 0 in the order in which they are added; that is their class, too.
class SmallMachine {
 public:
  explicit SmallMachine(SmallMachineSpec settings = {})
      : spec(std::move(settings)),
        engine({spec.stepwise, {}}),
        hardware{"small",       "",       spec.cpus, spec.scheduler,       spec.costs,
                 spec.llc_cpus, spec.llc, spec.thp,  spec.clear_bandwidth, spec.noise,
                 spec.reclaim},
        kernel(engine, hardware, spec.policy, spec.memory, spec.groups),
        interruptions(engine, kernel.cpus, hardware.noise, spec.seed),
        mm("db", spec.costs, spec.policy.rwsem, spec.scheduler.tick, spec.seed),
        background(kernel) {
    mm.anon_owner = kernel.zone.add_owner({.mm = &mm});
    kernel.mm_list.push_back(&mm);
    models::Task*& kswapd = kernel.reclaim.kswapd;
    if (spec.with_kswapd) {
      kswapd = &tasks.emplace_back(kernel, "kswapd", -1, spec.seed, [&kswapd] { models::kswapd(*kswapd); });
    }
    models::Task*& gp_kthread = kernel.rcu.gp_kthread;
    if (spec.noise.grace_periods) {
      gp_kthread = &tasks.emplace_back(kernel, "rcu_gp_kthread", -1, spec.seed,
                                       [&gp_kthread] { models::rcu_gp_kthread(*gp_kthread); });
    }
  }

  models::Task& add(const std::function<void(models::Task&)>& body, const models::SchedSpec& sched = {}) {
    auto self = std::make_shared<models::Task*>(nullptr);
    const auto number = next_class_++;
    *self = &tasks.emplace_back(
        kernel, "task." + std::to_string(number), number, spec.seed,
        [this, self, body] {
          ++begun_;
          body(**self);
          ++ended_;
        },
        sched);
    return **self;
  }

  /// Adds a task that does nothing before `when` and has no wake-up to pay for then.
  models::Task& add_at(std::int64_t when, const std::function<void(models::Task&)>& body) {
    return add([this, when, body](models::Task& task) {
      task.sleep_until(at(when) - spec.scheduler.wake_up_latency);
      body(task);
    });
  }

  /// Throws where a task waits for ever: of what its test expects of it behind that, nothing would have been looked at.
  void run() {
    engine.run();
    if (begun_ == ended_ || may_wait_for_ever || kernel.outcome == models::Outcome::out_of_memory) return;
    if (engine.calendar().take_next()) return;  // it was stopped
    throw std::logic_error(std::to_string(begun_ - ended_) + " tasks wait for ever\n" + mm.mmap_sem.waits());
  }
  [[nodiscard]] sim::Time now() const { return engine.now(); }

  /// What `task` has spent on `cause` so far.
  [[nodiscard]] sim::Nanoseconds spent(const models::Task& task, models::Cause cause) const {
    return task.ledger().read(now())[static_cast<std::size_t>(cause)];
  }

  const SmallMachineSpec spec;
  sim::Engine engine;
  const models::Machine hardware;
  models::Kernel kernel;
  models::Interruptions interruptions;
  models::Mm mm;
  models::Background background;
  std::deque<models::Task> tasks;
  bool may_wait_for_ever = false;

 private:
  models::ClassId next_class_ = 0;
  int begun_ = 0;
  int ended_ = 0;
};

}  // namespace tests
