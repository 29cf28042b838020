#include "models/rwsem.h"

#include <algorithm>
#include <cassert>

#include "models/task.h"

namespace models {

void Rwsem::down(Task& current, LockMode mode) {
  current.work(costs_.rwsem_operation);
  const sim::Time now = current.settle();
  ++statistics_of(mode).acquisitions;
  charge_waits(now);
  Waiter waiter{&current, mode, now, forgotten_ + stretches_.size()};
  if (rules_.down(mode, &waiter)) {
    take(current, mode, now);
  } else {
    wait(current, waiter);
  }
}

void Rwsem::wait(Task& current, Waiter& waiter) {
  ++statistics_of(waiter.mode).contended;
  statistics_.longest_queue = std::max(statistics_.longest_queue, rules_.queue_length());
  stretch_start_ = waiter.since;
  if (waiter.mode == LockMode::read && rules_.readers() > 0) {
    ++statistics_.convoy_waits;
    if (!convoy_since_) {
      ++statistics_.convoys;
      convoy_since_ = waiter.since;
    }
  }
  current.block(Cause::lock_wait);
}

void Rwsem::up_read(Task& current) {
  begin_giving_way(current, LockMode::read);
  drop(current);
  Granted granted;
  rules_.up_read(granted);
  admit(current, granted);
}

void Rwsem::up_write(Task& current) {
  begin_giving_way(current, LockMode::write);
  drop(current);
  Granted granted;
  rules_.up_write(granted);
  admit(current, granted);
}

void Rwsem::downgrade_write(Task& current) {
  begin_giving_way(current, LockMode::write);
  holders_.front().mode = LockMode::read;
  holders_.front().since = current.now();
  Granted granted;
  rules_.downgrade_write(granted);
  admit(current, granted);
}

void Rwsem::begin_giving_way(Task& current, LockMode held) {
  assert(held_by(current, held));
  current.work(costs_.rwsem_operation);
  const sim::Time now = current.settle();
  charge_waits(now);
  const auto hold =
      std::find_if(holders_.begin(), holders_.end(), [&](const Holder& each) { return each.task == &current; });
  statistics_.hold[{current.class_id(), call_of(current.phase()), held}].record(now - hold->since);
}

void Rwsem::admit(Task& current, const Granted& granted) {
  if (granted.empty()) return;
  const sim::Time now = current.now();
  for (const Waiter* waiter : granted) {
    end_wait(*waiter, now);
    take(*waiter->task, waiter->mode, now);
  }
  forget_old_stretches();
  // A waiter's place on its stack is gone as soon as it has been woken and runs.
  for (const Waiter* waiter : granted) {
    Task& woken = *waiter->task;
    current.work(costs_.rwsem_wake);
    current.settle();
    woken.wake();
  }
}

void Rwsem::end_wait(const Waiter& waiter, sim::Time now) {
  const sim::Nanoseconds waited = now - waiter.since;
  ++statistics_.handoffs;
  statistics_.total_wait += waited;
  statistics_of(waiter.mode).wait.record(waited);
  for (std::size_t index = waiter.first_stretch - forgotten_; index < stretches_.size(); ++index) {
    const Stretch& stretch = stretches_[index];
    LockBlame blame = stretch.blame;
    if (waiter.mode == LockMode::read && blame.mode == LockMode::read) blame.convoy = stretch.first_writer;
    waiter.task->ledger().add({stretch.from, stretch.to, blame});
  }
  waiter.task->recharge(Cause::wake_up);
  if (waiter.mode == LockMode::write && convoy_since_) {
    statistics_.convoy_time += now - *convoy_since_;
    convoy_since_.reset();
  }
}

void Rwsem::take(Task& task, LockMode mode, sim::Time now) {
  holders_.push_back({&task, mode, now});
  task.set_holding(this);
}

void Rwsem::drop(const Task& task) {
  const auto hold =
      std::find_if(holders_.begin(), holders_.end(), [&](const Holder& each) { return each.task == &task; });
  hold->task->set_holding(nullptr);
  holders_.erase(hold);
}

bool Rwsem::held_by(const Task& current, LockMode mode) const {
  return std::any_of(holders_.begin(), holders_.end(),
                     [&](const Holder& each) { return each.task == &current && each.mode == mode; });
}

void Rwsem::charge_waits(sim::Time now) {
  if (rules_.queue_length() == 0 || now == stretch_start_) return;
  assert(!holders_.empty() && "somebody waits for a semaphore that nobody holds");
  const Holder& holder = holders_.front();
  const auto writer = rules_.first_writer();
  stretches_.push_back({stretch_start_,
                        now,
                        {holder.task->class_id(), holder.task->phase(), holder.mode, -1},
                        writer ? (*writer)->task->class_id() : -1});
  stretch_start_ = now;
}

void Rwsem::forget_old_stretches() {
  const auto oldest = rules_.head();
  const std::size_t keep_from = oldest ? (*oldest)->first_stretch : forgotten_ + stretches_.size();
  stretches_.erase(stretches_.begin(), stretches_.begin() + static_cast<std::ptrdiff_t>(keep_from - forgotten_));
  forgotten_ = keep_from;
}

}  // namespace models
