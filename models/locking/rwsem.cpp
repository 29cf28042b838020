#include "models/locking/rwsem.h"

#include <algorithm>
#include <cassert>

#include "models/kernel.h"
#include "models/task.h"

namespace models {

namespace {

// How often the readers at the head of the queue are let in before a spinner takes it: once in so many. Both go for the
// same cache line, which the releaser has and the spinner waits for. No measurement is known. [inf]
constexpr std::uint64_t kQueueBeatsSpinnerOnceIn = 2;

// rwsem_wake by who gives the semaphore up while somebody queues, even where that one is awake already: the wait list's
// lock, wake_q_add, and try_to_wake_up as far as the task's state; four atomic operations (kernel/locking/rwsem.c and
// kernel/sched/core.c of 6.1). Meanwhile nobody holds the semaphore.
constexpr int kOperationsOfWake = 4;

template <class Rules>
bool has_handoff(const Rules& rules) {
  if constexpr (HandsOff<Rules>) return rules.handoff();
  return false;
}

// At the end of a spin, during which a task is not preempted but looks itself whether it should give way.
void preempt_enable(Task& current) {
  const Preemption preempt = current.kernel().cpus.spec().preempt;
  if (preempt == Preemption::full || preempt == Preemption::lazy) current.cond_resched();
}

}  // namespace

Rwsem::Rwsem(std::string name, const Costs& costs, const Settings& settings)
    : name_(std::move(name)),
      kind_(settings.kind),
      costs_(costs),
      rules_(rules_of(settings)),
      races_(settings.seed, settings.owner, "rwsem races") {}

Rwsem::Rules Rwsem::rules_of(const Settings& settings) {
  switch (settings.flavour) {
    case RwsemFlavour::fifo:
      return Fifo{};
    case RwsemFlavour::writer_steal:
      return WriterSteal{};
    case RwsemFlavour::writer_spin:
      return WriterSpin{};
    case RwsemFlavour::reader_spin:
      return ReaderSpin(settings.tick);
    case RwsemFlavour::spin_handoff:
      return SpinHandoff(settings.tick);
  }
  return Fifo{};
}

void Rwsem::down(Task& current, LockMode mode) {
  current.might_sleep();
  use_line(current);
  acquire(current, mode, current.now());
}

bool Rwsem::down_read_trylock(Task& current) {
  use_line(current);
  if (write_held() || is_contended()) return false;
  acquire(current, LockMode::read, current.now());
  return true;
}

// An operation on the count.
void Rwsem::use_line(Task& current) {
  current.work(costs_.rwsem_operation);
  current.settle();
  line_.use(current);
}

void Rwsem::acquire(Task& current, LockMode mode, sim::Time now) {
  RwsemStatistics::Waits& statistics = statistics_.asked[{current.class_id(), current.phase(), mode}];
  ++statistics.acquisitions;
  charge_waits(now);
  Waiter waiter{&current, mode, now, &statistics};
  std::visit([&](auto& rules) { down(rules, waiter); }, rules_);
  if (!waiter.contends) return;
  statistics.wait.record(current.now() - now);
  std::erase(contending_, &waiter);
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
  std::visit([&](auto& rules) { downgrade(rules, wakes); }, rules_);
  let_spinners_look();
  admit(current, wakes);
}

void Rwsem::begin_giving_way(Task& current, LockMode held) {
  assert(held_by(current, held));
  use_line(current);
  const sim::Time now = current.now();
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
    first.task->set_holding(kind_, this);  // until it has tried, the others wait for it (charge_waits)
    if (call(first, now)) to_wake.push_back(first.task);
  }
  stretches_.forget_before(waiting_.empty() ? stretches_.end() : waiting_.front()->began);
  if (wakes.to_try && to_wake.empty()) {
    current.work(costs_.rwsem_operation * kOperationsOfWake);
    current.settle();
  }
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

void Rwsem::downgrade(Fifo& rules, Wakes& wakes) { rules.downgrade_write(wakes.granted); }

// ---------------------------------------------------------------------------------------------------------------
// Where writers try. What comes before `spin` and `sleep` and what comes after them is one turn of the task each.

template <WritersTry<Rwsem::Waiter*> R>
void Rwsem::down(R& rules, Waiter& waiter) {
  if (waiter.mode == LockMode::read) {
    down_read(rules, waiter);
  } else if (rules.down_write()) {
    take(*waiter.task, waiter.mode, waiter.since, waiter.since);
  } else if (!spin_to_write(rules, waiter)) {
    queue_write(rules, waiter);
  }
}

template <WritersTry<Rwsem::Waiter*> R>
void Rwsem::down_read(R& rules, Waiter& waiter) {
  Wakes wakes;
  const RwsemRead outcome = rules.down_read(&waiter, waiter.since, wakes);
  finish_read(waiter, outcome, wakes);
}

template <ReadersSpin<Rwsem::Waiter*> R>
void Rwsem::down_read(R& rules, Waiter& waiter) {
  if (rules.down_read()) return take(*waiter.task, waiter.mode, waiter.since, waiter.since);
  const auto seen = rules.seen();
  if (rules.may_spin_to_read(owner_on_cpu())) {
    if (spin_to_read(rules, waiter)) return;
    if (rules.reader_phase_trylock(seen)) {
      let_in(waiter, waiter.task->now(), statistics_.spins);
      return;
    }
  }
  Wakes wakes;
  const RwsemRead outcome = rules.queue_read(&waiter, seen, waiter.task->now(), wakes);
  finish_read(waiter, outcome, wakes);
}

// Returns whether it got the semaphore.
template <ReadersSpin<Rwsem::Waiter*> R>
bool Rwsem::spin_to_read(R& rules, Waiter& waiter) {
  if (optimistic_spin(rules, waiter)) return true;
  charge_waits(waiter.task->now());  // it may have been away since it spun
  return false;
}

// The end of a reader's way in that did not spin, or in vain.
void Rwsem::finish_read(Waiter& waiter, RwsemRead outcome, const Wakes& wakes) {
  Task& current = *waiter.task;
  if (outcome == RwsemRead::queued) {
    contend(waiter);
    admit(current, wakes);
    sleep(waiter);
  } else {
    statistics_.steals += outcome == RwsemRead::stolen ? 1 : 0;
    let_in(waiter, current.now(), statistics_.handoffs);
    admit(current, wakes);
  }
}

// Returns whether it got the semaphore.
template <WritersTry<Rwsem::Waiter*> R>
bool Rwsem::spin_to_write(R& rules, Waiter& waiter) {
  if constexpr (WritersSpin<R, Waiter*>) {
    return rules.may_spin(owner_on_cpu()) && optimistic_spin(rules, waiter);
  } else {
    return false;
  }
}

// Returns whether it got the semaphore.
template <WritersSpin<Rwsem::Waiter*> R>
bool Rwsem::optimistic_spin(R& rules, Waiter& waiter) {
  std::optional<sim::Time> limit;
  rules.join_spinners(&waiter, waiter.mode);
  while (rules.spinners().front().waiter != &waiter || spin_round(rules, waiter, limit)) {
    contend(waiter);
    const bool must_yield = spin(waiter, limit);
    if (waiter.holds) return true;
    waiter.state = Waiter::State::running;
    if (must_yield) {
      rules.leave_spinners(&waiter);
      break;
    }
    react(*waiter.task);
    if (waiter.holds) return true;
  }
  if (waiter.holds) return true;
  let_spinners_look();
  preempt_enable(*waiter.task);
  return false;
}

// To what somebody else has changed: the line with owner and count comes over to its CPU, it leaves
// rwsem_spin_on_owner, and has the line for itself to try. What two CPUs in turn take to read and to write is that, and
// what `calibrate` measures. (6.18: a spinner gets in between two system calls that are 110 ns apart where such a turn
// takes 85.)
void Rwsem::react(Task& current) {
  current.work(costs_.cache_line);
  charge_waits(current.settle());
}

// A round of the first spinner. Returns whether it has to spin on.
template <WritersSpin<Rwsem::Waiter*> R>
bool Rwsem::spin_round(R& rules, Waiter& waiter, std::optional<sim::Time>& limit) {
  const sim::Time now = waiter.task->now();
  const RwsemSpin outcome = rules.spin(owner_on_cpu());
  if (outcome == RwsemSpin::taken) {
    Wakes wakes;
    got_it_by_spinning(rules, waiter, wakes);
    admit(*waiter.task, wakes);
  }
  if (outcome == RwsemSpin::taken || outcome == RwsemSpin::give_up) return false;
  if constexpr (LimitsSpinningOnReaders<R>) {
    if (outcome != RwsemSpin::on_readers) {
      limit.reset();
    } else if (!limit) {
      limit = now + rules.reader_spin_limit();
    } else if (now >= *limit) {
      rules.reader_spin_expired();
      return false;
    }
  }
  return true;
}

// A reader brings those who queue along.
template <WritersSpin<Rwsem::Waiter*> R>
void Rwsem::got_it_by_spinning(R& rules, Waiter& waiter, Wakes& wakes) {
  statistics_.steals += queue_length() > 0 ? 1 : 0;
  let_in(waiter, waiter.task->now(), statistics_.spins);
  if constexpr (ReadersSpin<R, Waiter*>) {
    if (waiter.mode == LockMode::read) rules.wake_readers(wakes);
  }
}

// The rest of rwsem_down_write_slowpath. Whoever is called from the queue without being let in is first in it.
template <WritersTry<Rwsem::Waiter*> R>
void Rwsem::queue_write(R& rules, Waiter& waiter) {
  Task& current = *waiter.task;
  Wakes wakes;
  charge_waits(current.now());  // it may have been away since it spun
  RwsemTry outcome = rules.queue_write(&waiter, current.now(), wakes);
  if (outcome == RwsemTry::taken) {
    statistics_.steals += queue_length() > 0 ? 1 : 0;
    let_in(waiter, current.now(), statistics_.handoffs);
    return admit(current, wakes);
  }
  contend(waiter);
  admit(current, wakes);
  while (outcome != RwsemTry::taken) {
    if (outcome != RwsemTry::spin_on_owner || !spin_on_owner(waiter)) sleep(waiter);
    if (waiter.holds) return;
    charge_waits(current.now());
    if constexpr (!HandsOff<R>) {
      // Up to 5.1 it first sees that nobody holds it, and then takes the wait list's lock to try: a spinner is faster.
      if (holders_.empty()) react(current);
      if (waiter.holds) return;
    }
    outcome = try_queued_write(rules, waiter, current.now());
  }
  let_in(waiter, current.now(), statistics_.handoffs);
}

template <WritersTry<Rwsem::Waiter*> R>
RwsemTry Rwsem::try_queued_write(R& rules, Waiter& waiter, sim::Time now) {
  const bool handoff = has_handoff(rules);
  const RwsemTry outcome = rules.try_queued_write(&waiter, now);
  statistics_.handoffs_set += !handoff && has_handoff(rules) ? 1 : 0;
  return outcome;
}

// rwsem_spin_on_owner, for the first in the queue. Returns whether it should try again.
bool Rwsem::spin_on_owner(Waiter& waiter) {
  if (!write_held() || !owner_on_cpu()) return false;
  const bool must_yield = spin(waiter, std::nullopt);
  if (!waiter.holds) preempt_enable(*waiter.task);
  return !must_yield;
}

template <WritersTry<Rwsem::Waiter*> R>
void Rwsem::downgrade(R& rules, Wakes& wakes) {
  rules.downgrade_write(wakes);
}

template <WritersTry<Rwsem::Waiter*> R>
void Rwsem::release(R& rules, LockMode mode, sim::Time now, Wakes& wakes) {
  const bool must_wake = mode == LockMode::read ? rules.release_read() : rules.release_write();
  if constexpr (WritersSpin<R, Waiter*>) {
    if (rules.readers() == 0) release_to_spinners(rules, must_wake, now, wakes);
  } else {
    if (must_wake) wake(rules, now, wakes);
  }
}

template <WritersSpin<Rwsem::Waiter*> R>
void Rwsem::release_to_spinners(R& rules, bool must_wake, sim::Time now, Wakes& wakes) {
  if (let_spinning_head_in(rules, now)) return;  // the one to be woken would be the first
  if (must_wake && spinner_beats_queue(rules)) got_it_by_spinning(rules, **rules.let_spinner_in(), wakes);
  if (must_wake) wake(rules, now, wakes);
  if (rules.readers() == 0 && !rules.write_held()) await_first_spinner(now);
}

// Where it makes a difference: a writer at the head is only woken, and a spinning reader is not kept out by readers.
template <WritersSpin<Rwsem::Waiter*> R>
bool Rwsem::spinner_beats_queue(const R& rules) {
  if (!rules.spinner_is_ready() || rules.spinners().front().mode == LockMode::read) return false;
  if (rules.queue().front().mode == LockMode::write) return false;
  if (rules.spinners().front().waiter->task->stands_still()) return false;
  return races_() % kQueueBeatsSpinnerOnceIn != 0;
}

template <WritersTry<Rwsem::Waiter*> R>
void Rwsem::wake(R& rules, sim::Time now, Wakes& wakes) {
  const bool handoff = has_handoff(rules);
  rules.wake(now, wakes);
  statistics_.handoffs_set += !handoff && has_handoff(rules) ? 1 : 0;
}

// The first of the queue may be awake, with the handoff. Returns whether it is.
template <WritersSpin<Rwsem::Waiter*> R>
bool Rwsem::let_spinning_head_in(R& rules, sim::Time now) {
  if (rules.queue_length() == 0 || rules.queue().front().waiter->state != Waiter::State::spinning) return false;
  Waiter& first = *rules.queue().front().waiter;
  if (first.task->stands_still()) return false;  // it is called as one that sleeps
  [[maybe_unused]] const RwsemTry outcome = rules.try_queued_write(&first, now);
  assert(outcome == RwsemTry::taken);
  let_in(first, now, statistics_.handoffs);
  return true;
}

// It looks when it has seen the release, which is later if its CPU stands still; until then the others wait for it.
void Rwsem::await_first_spinner(sim::Time now) {
  Waiter* const first = first_spinner();
  if (first == nullptr) return;
  first->task->set_holding(kind_, this);
  if (first->state == Waiter::State::spinning) call(*first, now);
}

// What a spinner looks at has changed.
void Rwsem::let_spinners_look() {
  const auto look = [](const Waiter& waiter) {
    if (waiter.state == Waiter::State::spinning) waiter.task->stop_spinning();
  };
  const auto let_look = [&]<class R>(const R& rules) {
    if constexpr (WritersSpin<R, Waiter*>) {
      if (!rules.spinners().empty()) look(*rules.spinners().front().waiter);
      if (!rules.queue().empty()) look(*rules.queue().front().waiter);
    }
  };
  std::visit(let_look, rules_);
}

std::size_t Rwsem::spinners() const {
  const auto count = []<class R>(const R& rules) -> std::size_t {
    if constexpr (WritersSpin<R, Waiter*>) return rules.spinners().size();
    return 0;
  };
  return std::visit(count, rules_);
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

// owner_on_cpu; from 4.10 on not on a virtual CPU that the hypervisor has taken.
bool Rwsem::owner_on_cpu() const {
  if (holders_.empty() || !holders_.front().task->on_cpu()) return false;
  return std::holds_alternative<WriterSpin>(rules_) || !holders_.front().task->vcpu_is_preempted();
}

// ---------------------------------------------------------------------------------------------------------------
// Waiting

// It could not take the semaphore at once, and spins or queues.
void Rwsem::contend(Waiter& waiter) {
  if (std::exchange(waiter.contends, true)) return;
  contending_.push_back(&waiter);
  statistics_.longest_queue = std::max(statistics_.longest_queue, queue_length() + spinners());
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
  const sim::Nanoseconds before = waiter.task->spin_time();
  begin_wait(waiter, Waiter::State::spinning);
  const bool must_yield = waiter.task->spin(Cause::lock_wait, until);
  statistics_.spin_time += waiter.task->spin_time() - before;
  if (waiter.state == Waiter::State::spinning) {
    end_wait(waiter, waiter.task->now());
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
    waiter.task->end_spin();
    return false;
  }
  waiter.task->recharge(Cause::wake_up);
  return true;
}

void Rwsem::begin_wait(Waiter& waiter, Waiter::State state) {
  charge_waits(waiter.task->now());
  waiter.task->set_holding(kind_, nullptr);
  waiter.state = state;
  waiter.began = stretches_.end();
  waiting_.push_back(&waiter);
  statistics_.queue.record(waiter.task->now(), static_cast<std::int64_t>(waiting_.size()));
}

void Rwsem::end_wait(Waiter& waiter, sim::Time now) {
  charge_waits(now);
  LockStretches::Wait wait = stretches_.since(waiter.began, waiter.mode);
  waiter.statistics->lock_wait += wait.length();
  waiter.task->ledger().add(std::move(wait));
  waiting_.erase(std::find(waiting_.begin(), waiting_.end(), &waiter));
  statistics_.queue.record(now, static_cast<std::int64_t>(waiting_.size()));
}

// It gets the semaphore: `how` counts. Returns whether its task is to be woken.
bool Rwsem::let_in(Waiter& waiter, sim::Time now, std::uint64_t& how) {
  const bool asleep = call(waiter, now);
  waiter.holds = true;
  if (waiter.contends) {
    ++how;
    statistics_.total_wait += now - waiter.since;
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
  task.set_holding(kind_, this);
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

// Of thousands of readers those leave that came first, or that have come just now: looked for from both ends.
std::size_t Rwsem::number_of_holder(const Task& task) const {
  const std::size_t size = holders_.size();
  for (std::size_t number = 0; number < (size + 1) / 2; ++number) {
    if (holders_[number].task == &task) return number;
    if (holders_[size - 1 - number].task == &task) return size - 1 - number;
  }
  return size;
}

Rwsem::Holder* Rwsem::holder(const Task& task) {
  const std::size_t number = number_of_holder(task);
  return number == holders_.size() ? nullptr : &holders_[number];
}

void Rwsem::drop(const Task& task) {
  const auto hold = holders_.begin() + static_cast<std::ptrdiff_t>(number_of_holder(task));
  hold->task->set_holding(kind_, nullptr);
  holders_.erase(hold);
}

bool Rwsem::held_by(const Task& current, LockMode mode) const {
  const std::size_t number = number_of_holder(current);
  return number != holders_.size() && holders_[number].mode == mode;
}

void Rwsem::charge_waits(sim::Time now) {
  const sim::Time from = std::exchange(stretch_start_, now);
  if (waiting_.empty() || from == now) return;
  // Between a release and the try of the one who is to have it, it is as if that one held it already.
  const Waiter* const next = holders_.empty() ? &next_owner() : nullptr;
  const Task& holder = next != nullptr ? *next->task : *holders_.front().task;
  const LockMode mode = next != nullptr ? next->mode : holders_.front().mode;
  const auto writer = first_writer();
  const ClassId first = writer ? (*writer)->task->class_id() : -1;
  holder.ledger().for_each_between(from, now, [&](sim::Time begin, sim::Time end, Cause doing) {
    const ClassId taken_by = doing == Cause::run_queue ? holder.cpu_taken_by() : -1;
    stretches_.add({begin, end, {holder.class_id(), holder.phase(), mode, -1, doing, taken_by, kind_}}, first);
  });
}

std::string Rwsem::waits() const {
  std::string held_by;
  for (const Holder& each : holders_) held_by += (held_by.empty() ? "" : " and ") + each.task->name();
  held_by = holders_.empty() ? "nobody holds" : held_by + (holders_.size() == 1 ? " holds" : " hold");
  std::string lines;
  for (const Waiter* waiter : waiting_) {
    lines += waiter->task->name() + " waits for " + name_ + ", which " + held_by + "\n";
  }
  return lines;
}

RwsemStatistics Rwsem::statistics_with_waiters(sim::Time now) {
  charge_waits(now);
  RwsemStatistics statistics = statistics_;
  // Who waits does nothing else meanwhile: its phase is the one that it asked in.
  const auto waits_of = [&](const Waiter& waiter) -> RwsemStatistics::Waits& {
    return statistics.asked.at({waiter.task->class_id(), waiter.task->phase(), waiter.mode});
  };
  for (const Waiter* waiter : contending_) {
    RwsemStatistics::Waits& waits = waits_of(*waiter);
    ++waits.waiting;
    waits.longest_waiting = std::max(waits.longest_waiting, now - waiter->since);
  }
  for (const Waiter* waiter : waiting_) {
    waits_of(*waiter).lock_wait += stretches_.since(waiter->began, waiter->mode).length();
  }
  return statistics;
}

// The one that everybody waits for while nobody holds the semaphore: the writer that has been woken, or else the first
// spinner.
const Rwsem::Waiter& Rwsem::next_owner() const {
  const auto head = std::visit([](const auto& rules) { return rules.head(); }, rules_);
  if (head && ((**head).state == Waiter::State::called || (**head).state == Waiter::State::running)) return **head;
  const Waiter* const spinner = first_spinner();
  assert(spinner != nullptr && "somebody waits for a semaphore that nobody holds");
  return *spinner;
}

Rwsem::Waiter* Rwsem::first_spinner() const {
  const auto first = []<class R>(const R& rules) -> Waiter* {
    if constexpr (WritersSpin<R, Waiter*>) return rules.spinners().empty() ? nullptr : rules.spinners().front().waiter;
    return nullptr;
  };
  return std::visit(first, rules_);
}

}  // namespace models
