// Schedulers, groups and threads at random, for histories in which CPUs are short.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "models/spec/sched.h"
#include "sim/random.h"

namespace tests {

inline std::int64_t up_to(sim::Stream& chance, std::int64_t most) {
  return static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(most + 1));
}

/// With ticks and slices of the order of `unit`.
inline models::SchedulerSpec random_scheduler(sim::Stream& chance, sim::Nanoseconds unit) {
  using models::Preemption;
  const auto length = [&](std::int64_t most) { return unit * (1 + up_to(chance, most)); };
  const auto coin = [&] { return chance() % 2 == 0; };
  models::SchedulerSpec scheduler;
  scheduler.tick = length(4);
  scheduler.context_switch = coin() ? sim::Nanoseconds{0} : unit / 20;
  scheduler.wake_up_latency = coin() ? sim::Nanoseconds{0} : unit / 10;
  scheduler.flavour = coin() ? models::FairFlavour::cfs : models::FairFlavour::eevdf;
  scheduler.delayed_dequeue = coin();
  scheduler.autogroup = coin();
  scheduler.preempt =
      std::array{Preemption::none, Preemption::voluntary, Preemption::full, Preemption::lazy}[chance() % 4];
  scheduler.throttling = coin() ? models::Throttling::in_kernel : models::Throttling::at_user_return;
  scheduler.latency = length(8);
  scheduler.min_granularity = length(2);
  scheduler.wakeup_granularity = length(2);
  scheduler.base_slice = length(3);
  scheduler.bandwidth_slice = length(8);
  scheduler.migration_cost = coin() ? sim::Nanoseconds{0} : length(3);
  return scheduler;
}

/// None, or two: one with a quota.
inline std::vector<models::GroupSpec> random_groups(sim::Stream& chance, sim::Nanoseconds unit) {
  if (chance() % 2 == 0) return {};
  const sim::Nanoseconds period = unit * (20 + up_to(chance, 50));
  const auto percent = 20 + up_to(chance, 190);
  return {{"limited", 100, models::CpuMax{period * percent / 100, period}},
          {"weighted", static_cast<int>(1 + up_to(chance, 400)), {}}};
}

inline models::SchedSpec random_thread(sim::Stream& chance, int cpus, const std::vector<models::GroupSpec>& groups) {
  models::SchedSpec sched;
  if (chance() % 2 == 0) sched.nice = static_cast<int>(up_to(chance, 15)) - 5;  // nobody is as good as stopped
  for (int cpu = 0; cpu < cpus; ++cpu) {
    if (chance() % 3 != 0) sched.cpus.push_back(cpu);
  }
  if (!groups.empty() && chance() % 2 == 0) sched.group = static_cast<int>(chance() % groups.size());
  return sched;
}

}  // namespace tests
