#include "models/locking/rwsem.h"

#include <algorithm>
#include <cassert>

#include "models/kernel.h"
#include "models/task.h"

namespace models {

namespace {

// At the end of a spin, during which a task is not preempted but looks itself whether it should give way.
void preempt_enable(Task& current) {
  const Preemption preempt = current.kernel().cpus.spec().preempt;
  if (preempt == Preemption::full || preempt == Preemption::lazy) current.cond_resched();
}

}  // namespace

Rwsem::Rwsem(std::string name, const Costs& costs, RwsemFlavour flavour) : name_(std::move(name)), costs_(costs) {
  if (flavour == RwsemFlavour::spin_handoff) rules_.emplace<SpinHandoff>();
}

void Rwsem::down(Task& current, LockMode mode) {
  current.might_sleep();
  current.work(costs_.rwsem_operation);
  const sim::Time now = current.settle();
  ++statistics_of(mode).acquisitions;
  charge_waits(now);
  Waiter waiter{&current, mode, now};
  std::visit([&](auto& rules) { down(rules, waiter); }, rules_);
}

void Rwsem::tell(const Task& task, LockOperation operation) const {
  const Observer& observer = task.kernel().observer;
  if (observer.lock) observer.lock(task, operation, *this);
}

void Rwsem::up(Task& current, LockMode mode) {
  begin_giving_way(current, mode);
  drop(current);
  tell(current, mode == LockMode::read ? LockOperation::up_read : LockOperation::up_write);
  Wakes wakes;
  std::visit([&](auto& rules) { release(rules, mode, current.now(), wakes); }, rules_);
  admit(current, wakes);
}

void Rwsem::downgrade_write(Task& current) {
  begin_giving_way(current, LockMode::write);
  holders_.front().mode = LockMode::read;
  holders_.front().since = current.now();
  tell(current, LockOperation::downgrade_write);
  Wakes wakes;
  if (auto* fifo = std::get_if<Fifo>(&rules_)) {
    fifo->downgrade_write(wakes.granted);
  } else {
    std::get<SpinHandoff>(rules_).downgrade_write(wakes);
    let_spinners_look();
  }
  admit(current, wakes);
}

void Rwsem::begin_giving_way(Task& current, LockMode held) {
  assert(held_by(current, held));
  current.work(costs_.rwsem_operation);
  const sim::Time now = current.settle();
  charge_waits(now);
  statistics_.hold[{current.class_id(), call_of(current.phase()), held}].record(now - holder(current)->since);
}

void Rwsem::admit(Task& current, const Wakes& wakes) {
  const sim::Time now = current.now();
  // A waiter's place on its stack is gone as soon as it has been woken and runs.
  std::vector<Task*> to_wake;
  for (Waiter* waiter : wakes.granted) {
    if (let_in(*waiter, now, statistics_.handoffs)) to_wake.push_back(waiter->task);
  }
  if (wakes.to_try) {
    Waiter& first = **wakes.to_try;
    first.task->set_holding(this);  // until it has tried, the others wait for it (charge_waits)
    if (call(first, now)) to_wake.push_back(first.task);
  }
  forget_old_stretches();
  for (Task* task : to_wake) {
    current.work(costs_.rwsem_wake);
    current.settle();
    task->wake(current);
  }
}

// ---------------------------------------------------------------------------------------------------------------
// fifo

void Rwsem::down(Fifo& rules, Waiter& waiter) {
  if (rules.down(waiter.mode, &waiter)) {
    take(*waiter.task, waiter.mode, waiter.since, waiter.since);
  } else {
    contend(waiter);
    sleep(waiter);
  }
}

void Rwsem::release(Fifo& rules, LockMode mode, sim::Time /*now*/, Wakes& wakes) {
  if (mode == LockMode::read) {
    rules.up_read(wakes.granted);
  } else {
    rules.up_write(wakes.granted);
  }
}

// ---------------------------------------------------------------------------------------------------------------
// spin_handoff. What comes before `spin` and `sleep` and what comes after them is one turn of the task each.

void Rwsem::down(SpinHandoff& rules, Waiter& waiter) {
  if (waiter.mode == LockMode::read) {
    down_read(rules, waiter);
  } else {
    down_write(rules, waiter);
  }
}

void Rwsem::down_read(SpinHandoff& rules, Waiter& waiter) {
  Task& current = *waiter.task;
  Wakes wakes;
  const auto outcome = rules.down_read(&waiter, waiter.since, wakes);
  if (outcome == SpinHandoff::Read::queued) {
    contend(waiter);
    admit(current, wakes);
    sleep(waiter);
  } else {
    statistics_.steals += outcome == SpinHandoff::Read::stolen ? 1 : 0;
    take(current, waiter.mode, waiter.since, waiter.since);
    admit(current, wakes);
  }
}

void Rwsem::down_write(SpinHandoff& rules, Waiter& waiter) {
  if (rules.down_write()) {
    take(*waiter.task, waiter.mode, waiter.since, waiter.since);
  } else if (!rules.may_spin(owner_on_cpu()) || !optimistic_spin(rules, waiter)) {
    queue_write(rules, waiter);
  }
}

// Returns whether it got the semaphore.
bool Rwsem::optimistic_spin(SpinHandoff& rules, Waiter& waiter) {
  using Spin = SpinHandoff::Spin;
  Task& current = *waiter.task;
  std::optional<sim::Time> limit;
  rules.join_spinners(&waiter);
  for (;;) {
    if (rules.spinners().front() == &waiter) {
      const sim::Time now = current.now();
      const Spin outcome = rules.spin(owner_on_cpu());
      if (outcome == Spin::taken) {
        statistics_.steals += queue_length() > 0 ? 1 : 0;
        let_in(waiter, now, statistics_.spins);
        return true;
      }
      const bool expired = outcome == Spin::on_readers && limit && now >= *limit;
      if (expired) rules.reader_spin_expired();
      if (expired || outcome == Spin::give_up) break;
      if (outcome != Spin::on_readers) {
        limit.reset();
      } else if (!limit) {
        limit = now + rules.reader_spin_limit();
      }
    }
    contend(waiter);
    const bool must_yield = spin(waiter, limit);
    if (waiter.holds) return true;
    if (must_yield) {
      rules.leave_spinners(&waiter);
      break;
    }
  }
  let_spinners_look();
  preempt_enable(current);
  return false;
}

// The rest of rwsem_down_write_slowpath. Whoever is called from the queue without being let in is first in it.
void Rwsem::queue_write(SpinHandoff& rules, Waiter& waiter) {
  using Try = SpinHandoff::Try;
  Task& current = *waiter.task;
  Wakes wakes;
  charge_waits(current.now());  // it may have been away since it spun
  Try outcome = rules.queue_write(&waiter, current.now(), wakes);
  if (outcome == Try::taken) {
    statistics_.steals += queue_length() > 0 ? 1 : 0;
    let_in(waiter, current.now(), statistics_.handoffs);
    return admit(current, wakes);
  }
  contend(waiter);
  admit(current, wakes);
  while (outcome != Try::taken) {
    if (outcome != Try::spin_on_owner || !spin_on_owner(rules, waiter)) sleep(waiter);
    if (waiter.holds) return;
    charge_waits(current.now());
    const bool handoff = rules.handoff();
    outcome = rules.try_queued_write(&waiter, current.now());
    statistics_.handoffs_set += !handoff && rules.handoff() ? 1 : 0;
  }
  let_in(waiter, current.now(), statistics_.handoffs);
}

// rwsem_spin_on_owner, for the first in the queue. Returns whether it should try again.
bool Rwsem::spin_on_owner(SpinHandoff& rules, Waiter& waiter) {
  if (!rules.write_held() || !owner_on_cpu()) return false;
  const bool must_yield = spin(waiter, std::nullopt);
  if (!waiter.holds) preempt_enable(*waiter.task);
  return !must_yield;
}

void Rwsem::release(SpinHandoff& rules, LockMode mode, sim::Time now, Wakes& wakes) {
  const bool must_wake = mode == LockMode::read ? rules.release_read() : rules.release_write();
  const bool first_is_in = let_a_spinner_in(rules, now);
  if (!must_wake || first_is_in) return;  // the one to be woken would be the first
  const bool handoff = rules.handoff();
  rules.wake(now, wakes);
  statistics_.handoffs_set += !handoff && rules.handoff() ? 1 : 0;
}

// Returns whether the one that got in is the first of the queue.
bool Rwsem::let_a_spinner_in(SpinHandoff& rules, sim::Time now) {
  if (rules.readers() > 0) return false;
  if (rules.queue_length() > 0 && rules.queue().front().waiter->state == Waiter::State::spinning) {
    Waiter& first = *rules.queue().front().waiter;
    [[maybe_unused]] const auto outcome = rules.try_queued_write(&first, now);
    assert(outcome == SpinHandoff::Try::taken);
    let_in(first, now, statistics_.handoffs);
    return true;
  }
  if (const auto spinner = rules.let_spinner_in()) {
    statistics_.steals += queue_length() > 0 ? 1 : 0;
    let_in(**spinner, now, statistics_.spins);
  }
  return false;
}

// What a spinner looks at has changed.
void Rwsem::let_spinners_look() {
  const auto* rules = std::get_if<SpinHandoff>(&rules_);
  if (rules == nullptr) return;
  const auto look = [](const Waiter& waiter) {
    if (waiter.state == Waiter::State::spinning) waiter.task->stop_spinning();
  };
  if (!rules->spinners().empty()) look(*rules->spinners().front());
  if (!rules->queue().empty()) look(*rules->queue().front().waiter);
}

void Rwsem::holder_lost_cpu(const Task& task, bool involuntary) {
  if (!holders_.empty() && holders_.front().mode == LockMode::write) let_spinners_look();
  if (!involuntary) return;
  if (Holder* const hold = holder(task)) hold->off_cpu_since = task.now();
}

void Rwsem::holder_got_cpu(const Task& task, sim::Time start) {
  Holder* const hold = holder(task);
  if (hold == nullptr || !hold->off_cpu_since) return;
  RwsemStatistics::OffCpu& off_cpu =
      hold->mode == LockMode::read ? statistics_.read_off_cpu : statistics_.write_off_cpu;
  (hold->granted_asleep ? off_cpu.granted : off_cpu.preempted).record(start - *hold->off_cpu_since);
  hold->off_cpu_since.reset();
  hold->granted_asleep = false;
}

bool Rwsem::owner_on_cpu() const { return !holders_.empty() && holders_.front().task->on_cpu(); }

// ---------------------------------------------------------------------------------------------------------------
// Waiting

// It could not take the semaphore at once, and spins or queues.
void Rwsem::contend(Waiter& waiter) {
  if (std::exchange(waiter.contends, true)) return;
  ++statistics_of(waiter.mode).contended;
  const auto* spinning = std::get_if<SpinHandoff>(&rules_);
  statistics_.longest_queue =
      std::max(statistics_.longest_queue, queue_length() + (spinning == nullptr ? 0 : spinning->spinners().size()));
  if (waiter.mode == LockMode::read && readers() > 0 && first_writer()) {
    ++statistics_.convoy_waits;
    ++convoy_readers_;
    if (!convoy_since_) {
      ++statistics_.convoys;
      convoy_since_ = waiter.since;
    }
  }
}

// Returns true when it must give its CPU away.
bool Rwsem::spin(Waiter& waiter, std::optional<sim::Time> until) {
  const sim::Time began = waiter.task->now();
  begin_wait(waiter, Waiter::State::spinning);
  const bool must_yield = waiter.task->spin(Cause::lock_wait, until);
  const sim::Time now = waiter.task->now();
  statistics_.spin_time += now - began;
  if (waiter.state == Waiter::State::spinning) {
    end_wait(waiter, now);
    waiter.state = Waiter::State::running;
  }
  return must_yield;
}

// Until it is called; it may have been already.
void Rwsem::sleep(Waiter& waiter) {
  if (waiter.state != Waiter::State::called) {
    begin_wait(waiter, Waiter::State::asleep);
    waiter.task->block(Cause::lock_wait);
  }
  waiter.state = Waiter::State::running;
}

// Ends its waiting. Returns whether its task is to be woken.
bool Rwsem::call(Waiter& waiter, sim::Time now) {
  const Waiter::State was = std::exchange(waiter.state, Waiter::State::called);
  if (was == Waiter::State::running || was == Waiter::State::called) return false;
  end_wait(waiter, now);
  if (was == Waiter::State::spinning) {
    waiter.task->stop_spinning();
    return false;
  }
  waiter.task->recharge(Cause::wake_up);
  return true;
}

void Rwsem::begin_wait(Waiter& waiter, Waiter::State state) {
  charge_waits(waiter.task->now());
  waiter.task->set_holding(nullptr);
  waiter.state = state;
  waiter.first_stretch = forgotten_ + stretches_.size();
  waiting_.push_back(&waiter);
  statistics_.queue.record(waiter.task->now(), static_cast<std::int64_t>(waiting_.size()));
}

void Rwsem::end_wait(Waiter& waiter, sim::Time now) {
  charge_waits(now);
  for (std::size_t index = waiter.first_stretch - forgotten_; index < stretches_.size(); ++index) {
    const Stretch& stretch = stretches_[index];
    LockBlame blame = stretch.blame;
    if (waiter.mode == LockMode::read && blame.mode == LockMode::read) blame.convoy = stretch.first_writer;
    waiter.task->ledger().add({stretch.from, stretch.to, blame});
  }
  waiting_.erase(std::find(waiting_.begin(), waiting_.end(), &waiter));
  statistics_.queue.record(now, static_cast<std::int64_t>(waiting_.size()));
}

// It gets the semaphore: `how` counts. Returns whether its task is to be woken.
bool Rwsem::let_in(Waiter& waiter, sim::Time now, std::uint64_t& how) {
  const bool asleep = call(waiter, now);
  waiter.holds = true;
  if (waiter.contends) {
    const sim::Nanoseconds waited = now - waiter.since;
    ++how;
    statistics_.total_wait += waited;
    statistics_of(waiter.mode).wait.record(waited);
  }
  take(*waiter.task, waiter.mode, waiter.since, now);
  return asleep;
}

// `since`: when it asked for it.
void Rwsem::take(Task& task, LockMode mode, sim::Time since, sim::Time now) {
  assert((waiting_.empty() || stretch_start_ == now) && "the waits until now have not been charged");
  holders_.push_back({&task, mode, now});
  if (!task.on_cpu()) {
    holders_.back().off_cpu_since = now;
    holders_.back().granted_asleep = true;
  }
  task.set_holding(this);
  note_bypass(since);
  if (mode == LockMode::write) end_convoy(now);
  tell(task, mode == LockMode::read ? LockOperation::down_read : LockOperation::down_write);
  let_spinners_look();
}

void Rwsem::note_bypass(sim::Time since) {
  const bool earlier_writer = std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiter* waiter) {
    return waiter->mode == LockMode::write && waiter->since < since;
  });
  statistics_.writer_bypasses += earlier_writer ? 1 : 0;
}

void Rwsem::end_convoy(sim::Time now) {
  if (!convoy_since_) return;
  statistics_.convoy_lengths.record(now - *convoy_since_);
  statistics_.largest_convoy = std::max(statistics_.largest_convoy, std::exchange(convoy_readers_, 0));
  convoy_since_.reset();
}

Rwsem::Holder* Rwsem::holder(const Task& task) {
  const auto hold =
      std::find_if(holders_.begin(), holders_.end(), [&](const Holder& each) { return each.task == &task; });
  return hold == holders_.end() ? nullptr : &*hold;
}

void Rwsem::drop(const Task& task) {
  Holder* const hold = holder(task);
  hold->task->set_holding(nullptr);
  holders_.erase(holders_.begin() + (hold - holders_.data()));
}

bool Rwsem::held_by(const Task& current, LockMode mode) const {
  return std::any_of(holders_.begin(), holders_.end(),
                     [&](const Holder& each) { return each.task == &current && each.mode == mode; });
}

void Rwsem::charge_waits(sim::Time now) {
  const sim::Time from = std::exchange(stretch_start_, now);
  if (waiting_.empty() || from == now) return;
  // Between a release and the woken writer's try it is as if that one held it already.
  const Task& holder = holders_.empty() ? *woken_writer().task : *holders_.front().task;
  const LockMode mode = holders_.empty() ? LockMode::write : holders_.front().mode;
  const auto writer = first_writer();
  const ClassId first = writer ? (*writer)->task->class_id() : -1;
  holder.ledger().for_each_between(from, now, [&](sim::Time begin, sim::Time end, Cause doing) {
    const ClassId taken_by = doing == Cause::run_queue ? holder.cpu_taken_by() : -1;
    stretches_.push_back({begin, end, {holder.class_id(), holder.phase(), mode, -1, doing, taken_by}, first});
  });
}

// The one that everybody waits for while nobody holds the semaphore.
const Rwsem::Waiter& Rwsem::woken_writer() const {
  const auto* rules = std::get_if<SpinHandoff>(&rules_);
  assert(rules != nullptr && !rules->queue().empty() && "somebody waits for a semaphore that nobody holds");
  const Waiter& first = *rules->queue().front().waiter;
  assert(first.mode == LockMode::write);
  assert(first.state == Waiter::State::called || first.state == Waiter::State::running);
  return first;
}

void Rwsem::forget_old_stretches() {
  const std::size_t keep_from = waiting_.empty() ? forgotten_ + stretches_.size() : waiting_.front()->first_stretch;
  stretches_.erase(stretches_.begin(), stretches_.begin() + static_cast<std::ptrdiff_t>(keep_from - forgotten_));
  forgotten_ = keep_from;
}

}  // namespace models
