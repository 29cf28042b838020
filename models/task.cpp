#include "models/task.h"

#include <cassert>
#include <utility>

#include "models/kernel.h"
#include "models/locking/rwsem.h"
#include "models/measure/phase_log.h"

namespace models {

namespace {

constexpr std::array<std::string_view, kPurposeCount> kPurposeNames{
    "demand", "fault", "pages", "calls", "reclaim", "wake_up", "timer", "page_costs", "idle_states"};

template <std::size_t... I>
std::array<sim::Stream, kPurposeCount> make_streams(std::uint64_t seed, const std::string& owner,
                                                    std::index_sequence<I...>) {
  return {sim::Stream(seed, owner, kPurposeNames[I])...};
}

}  // namespace

Task::Task(Kernel& kernel, std::string name, ClassId class_id, std::uint64_t seed, sim::Actor::Body body,
           const SchedSpec& sched, int member)
    : kernel_(kernel),
      engine_(kernel.engine),
      cpus_(kernel.cpus),
      class_id_(class_id),
      member_(member),
      streams_(make_streams(seed, name, std::make_index_sequence<kPurposeCount>())),
      timer_(engine_.calendar(), [this] { wake(); }),
      actor_(engine_.spawn(std::move(name),
                           [this, body = std::move(body)] {
                             cpus_.wake(*this);
                             actor_.park();
                             body();
                             charge(Cause::sleep, settle());
                             cpus_.leave(*this);
                           })),
      look_ahead_(engine_, actor_) {
  sched_.task.entity.task = this;
  sched_.task.entity.weight = weight_of_nice(sched.nice);
  sched_.task.group = sched.group;
  sched_.cpus = sched.cpus;
}

void Task::work(sim::Nanoseconds duration) {
  assert(duration >= sim::Nanoseconds{0});
  owed_ += duration;
  if (engine_.stepwise()) pay();
}

void Task::work_for_each(PageCount pages, const sim::Distribution& cost, Purpose purpose) {
  if (const auto each = cost.constant(); each && !engine_.stepwise()) return work(page_cost(*each) * pages.count());
  for (std::int64_t page = 0; page < pages.count(); ++page) work(page_cost(cost.sample(stream(purpose))));
}

sim::Time Task::settle() {
  pay();
  engine_.count_events();
  return engine_.now();
}

void Task::pay() {
  if (owed_ > sim::Nanoseconds{0}) cpus_.run(*this, std::exchange(owed_, sim::Nanoseconds{0}));
}

void Task::cond_resched() {
  settle();
  cpus_.cond_resched(*this);
}

void Task::might_sleep() {
  if (cpus_.spec().preempt != Preemption::voluntary) return;
  cond_resched();
}

void Task::sleep_until(sim::Time until, Cause cause) {
  if (until > settle()) park_until(until, cause);
}

void Task::sleep_and_wake_up_until(sim::Time until) {
  sched_.wakes_in_time = true;
  sleep_until(until);
  sched_.wakes_in_time = false;
}

void Task::sleep_on_timer_until(sim::Time until) {
  if (until > settle()) park_until(until + kernel_.noise.timer.sample(stream(Purpose::timer)), Cause::sleep);
}

// Which paths the CPU remembers is what others see, and left behind.
sim::Nanoseconds Task::first_run(KernelPath path) {
  settle();
  return cpus_.run_path(*this, path);
}

void Task::end_and_fork(sim::Time until) {
  const sim::Time now = settle();
  sched_.known = false;
  sleep_until(std::max(until, now + sim::Nanoseconds{1}));
}

void Task::block(Cause cause, std::optional<sim::Time> timeout) {
  settle();
  park_until(timeout, cause);
}

void Task::park_until(std::optional<sim::Time> until, Cause cause) {
  if (until) timer_.schedule(*until);
  asleep_ = true;
  charge(cause, engine_.now());
  cpus_.leave(*this);
  actor_.park();
}

bool Task::spin(Cause cause, std::optional<sim::Time> until) {
  settle();
  charge(cause, engine_.now());
  spins_since_ = engine_.now();
  const bool must_yield = cpus_.spin(*this, until);
  spin_time_ = spin_time();
  spins_since_.reset();
  charge(work_cause_, engine_.now());
  return must_yield;
}

void Task::end_spin() {
  if (stands_still()) {
    spin_time_ = spin_time();
    spins_since_.reset();
    charge(Cause::interrupted, engine_.now());
  }
  stop_spinning();
}

sim::Nanoseconds Task::spin_time() const {
  return spin_time_ + (spins_since_ ? engine_.now() - *spins_since_ : sim::Nanoseconds{0});
}

void Task::charge(Cause cause, sim::Time at) {
  for_each_held([&](Rwsem& held) { held.charge_waits(engine_.now()); });
  ledger_.charge(cause, at);
  if (kernel_.observer.cause) kernel_.observer.cause(*this, cause, at);
}

void Task::lost_cpu(bool involuntary) {
  for_each_held([&](Rwsem& held) { held.holder_lost_cpu(*this, involuntary); });
}

void Task::got_cpu(sim::Time start) {
  for_each_held([&](Rwsem& held) { held.holder_got_cpu(*this, start); });
}

void Task::wake(const Task& waker) {
  if (kernel_.observer.wake) kernel_.observer.wake(waker, *this);
  wake_by(&waker);
}

void Task::wake_by(const Task* waker) {
  if (!std::exchange(asleep_, false)) return;
  timer_.cancel();
  cpus_.wake(*this, waker);
}

void Task::report_phases_to(PhaseLog& log) {
  phase_log_ = &log;
  phase_reporter_ = log.add_reporter();
}

void Task::enter(Phase phase) {
  const sim::Time now = settle();
  for_each_held([&](Rwsem& held) { held.charge_waits(now); });
  const bool begins_call = in_user_mode();
  phase_ = phase;
  if (begins_call && !in_user_mode()) draw_page_cost();
  if (kernel_.observer.phase) kernel_.observer.phase(*this);
  if (phase_log_ != nullptr) phase_log_->enter(phase, now, phase_reporter_);
  if (in_user_mode()) cpus_.return_to_user(*this);
}

void Task::note_phase(Phase phase) {
  const sim::Time now = settle();
  for_each_held([&](Rwsem& held) { held.charge_waits(now); });
  phase_ = phase;
  if (kernel_.observer.phase) kernel_.observer.phase(*this);
}

void Task::draw_page_cost() {
  const std::vector<int>& thousandths = kernel_.noise.page_costs;
  if (!thousandths.empty()) page_cost_thousandths_ = thousandths[stream(Purpose::page_costs)() % thousandths.size()];
}

Cause Task::charge_work_to(Cause cause) {
  const sim::Time now = settle();
  charge(cause, now);
  return std::exchange(work_cause_, cause);
}

}  // namespace models
