#include "models/sched/cfs_bandwidth.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "models/sched/sched_fair.h"

namespace models {

TaskGroup::TaskGroup(sim::Engine& engine, const GroupSpec& spec, std::function<void()> refilled)
    : engine_(engine),
      cpu_max_(spec.cpu_max),
      shares_((spec.cpu_weight * kNice0Load + 50) / 100),
      runtime_(spec.cpu_max ? spec.cpu_max->quota : sim::Nanoseconds{0}),
      refilled_(std::move(refilled)),
      period_timer_(engine.calendar(), [this] { refill(); }) {}

sim::Nanoseconds TaskGroup::take(sim::Nanoseconds wanted) {
  assert(has_bandwidth());
  const sim::Nanoseconds taken = std::min(wanted, runtime_);
  runtime_ -= taken;
  used_ = true;
  if (!period_timer_.due()) start_timer();
  return taken;
}

void TaskGroup::give_back(sim::Nanoseconds unused) { runtime_ = std::min(runtime_ + unused, cpu_max_->quota); }

void TaskGroup::refill() {
  runtime_ = cpu_max_->quota;
  const bool idle = !std::exchange(used_, false) && !throttled_;
  if (idle) return;  // whoever takes some next starts the timer again
  start_timer();
  if (std::exchange(throttled_, false)) refilled_();
}

void TaskGroup::start_timer() { period_timer_.schedule(sim::next_multiple(cpu_max_->period, engine_.now())); }

}  // namespace models
