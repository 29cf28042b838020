#include "models/sched/cpu.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "models/kernel.h"
#include "models/task.h"

namespace models {

Cpus::Cpu::Cpu(int number, sim::Engine& engine, Cpus& cpus)
    : index(number),
      queue(cpus.rules_, cpus.spec_, cpus.groups_),
      memory(cpus.noise_.idle_states, cpus.spec_.tick),
      tick(engine.calendar(), [this, &cpus] { cpus.tick(*this); }),
      begun(engine.calendar(), [this, &cpus] { cpus.begun(*this); }) {}

Cpus::Cpus(sim::Engine& engine, int count, const SchedulerSpec& spec, const std::vector<GroupSpec>& groups,
           int llc_cpus, const NoiseSpec& noise)
    : engine_(engine),
      spec_(spec),
      noise_(noise),
      rules_(fair_rules(spec, count)),
      llc_cpus_(llc_cpus > 0 ? std::min(llc_cpus, count) : count) {
  for (const GroupSpec& group : groups) {
    const int index = static_cast<int>(groups_.size());
    groups_.emplace_back(engine, group, [this, index] { refilled(index); });
  }
  for (int index = 0; index < count; ++index) cpus_.emplace_back(index, engine, *this);
}

Cpus::Cpu& Cpus::cpu_of(const Task& task) { return cpu(task.sched_.last_cpu); }

// Whether it can lose its CPU at this moment, wherever it is.
bool Cpus::preemptible(const Task& task) const {
  return spec_.preempt == Preemption::full || spec_.preempt == Preemption::lazy || task.in_user_mode();
}

// Whether an interrupt of its CPU ends in user mode; a kernel thread's doesn't.
bool Cpus::returns_to_user(const Task& task) { return task.in_user_mode() && task.class_id() >= 0; }

void Cpus::run(Task& task, sim::Nanoseconds duration) {
  assert(task.sched_.on_cpu && "a task worked without a CPU");
  if (task.sched_.need_resched && preemptible(task)) give_way(task);
  task.actor_.pass_time_until(engine_.now() + duration);
}

bool Cpus::spin(Task& task, std::optional<sim::Time> until) {
  assert(task.sched_.on_cpu && "a task spun without a CPU");
  if (task.sched_.need_resched) return true;
  task.sched_.spins = true;
  if (until) task.actor_.resume_at(*until);
  task.actor_.park();
  task.sched_.spins = false;
  return task.sched_.need_resched;
}

void Cpus::stop_spinning(Task& task) {
  assert(task.sched_.spins);
  task.actor_.resume_at(std::max(engine_.now(), cpu_of(task).started));
}

void Cpus::stand_still(int index, sim::Nanoseconds length, bool stolen) {
  Cpu& cpu = this->cpu(index);
  const sim::Time now = engine_.now();
  assert(length > sim::Nanoseconds{0} && cpu.started <= now);
  cpu.started = now + length;
  if (stolen) cpu.stolen_until = cpu.started;
  if (cpu.running == nullptr) return;
  Task& task = *cpu.running;
  task.look_ahead_.cut();
  const auto resumption = task.actor_.resumption();
  assert((resumption || task.sched_.spins) && "it can't be its turn");
  if (task.sched_.spins) {
    if (resumption) task.actor_.resume_at(std::max(*resumption, cpu.started));
  } else {
    task.actor_.resume_at(*resumption + length);
    task.charge(Cause::interrupted, now);
    task.charge(task.work_cause_, cpu.started);
  }
  if (stolen) task.lost_cpu(false);  // for those who spin on it
}

bool Cpus::stands_still(const Task& task) const {
  return task.sched_.on_cpu && engine_.now() < stands_still_until(task.sched_.last_cpu);
}

bool Cpus::vcpu_is_preempted(const Task& task) const {
  return engine_.now() < cpus_[static_cast<std::size_t>(task.sched_.last_cpu)].stolen_until;
}

void Cpus::cond_resched(Task& task) {
  if (task.sched_.need_resched) give_way(task);
}

void Cpus::return_to_user(Task& task) {
  if (task.sched_.need_resched || task.sched_.need_resched_lazy) give_way(task);
  if (task.sched_.task.group < 0) return;
  Cpu& cpu = cpu_of(task);
  if (!must_stop(cpu, task)) return;
  stop(cpu, task);
  vacate(cpu, true);
  fill(cpu, Cause::run_queue);
  task.actor_.park();
}

void Cpus::leave(Task& task) {
  assert(task.sched_.on_cpu);
  Cpu& cpu = cpu_of(task);
  if (task.sched_.known) {
    cpu.queue.dequeue(task.sched_.task, true, engine_.now());
  } else {
    cpu.queue.dequeue_dead(task.sched_.task, engine_.now());
  }
  vacate(cpu, false);
  fill(cpu, Cause::run_queue);
}

void Cpus::wake(Task& task, const Task* waker) {
  assert(!task.sched_.on_cpu);
  const bool first_time = !std::exchange(task.sched_.known, true);
  if (task.sched_.task.entity.sched_delayed) {
    cpu_of(task).queue.requeue_delayed(task.sched_.task, engine_.now());
    return enqueued(cpu_of(task), task, waker);
  }
  Cpu& cpu = place(task, first_time, waker);
  RunQueue& last = cpu_of(task).queue;
  task.sched_.last_cpu = cpu.index;
  cpu.queue.enqueue(task.sched_.task, first_time ? Enqueue::initial : Enqueue::wakeup, last, engine_.now());
  enqueued(cpu, task, waker);
}

int Cpus::others_running(const Mm& mm, const Task& task) const {
  return static_cast<int>(std::count_if(cpus_.begin(), cpus_.end(), [&](const Cpu& each) {
    return each.running != nullptr && each.running != &task && each.running->mm() == &mm;
  }));
}

bool Cpus::all_quiescent_since(sim::Time time) const {
  return std::all_of(cpus_.begin(), cpus_.end(), [time](const Cpu& each) {
    return each.running == nullptr || each.switched > time || each.running->in_user_mode();
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Which CPU

bool Cpus::share_cache(const Cpu& one, const Cpu& other) const {
  return one.index / llc_cpus_ == other.index / llc_cpus_;
}

// select_task_rq_fair
Cpus::Cpu& Cpus::place(Task& task, bool first_time, const Task* waker) {
  if (first_time) {
    Cpu& idlest = find_idlest_cpu(task);
    task.sched_.recent_used_cpu = idlest.index;
    return idlest;
  }
  Cpu& prev = cpu_of(task);
  if (task.sched_.cpus.size() == 1) return prev;
  Cpu& here = waker == nullptr ? prev : cpu_of(*waker);
  const bool affine = here.index != prev.index && task.sched_.may_run_on(here.index);
  return select_idle_sibling(task, prev, affine ? wake_affine(task, prev, here, share_cache(prev, here)) : prev);
}

// Of the CPUs that it may run on.
Cpus::Cpu& Cpus::find_idlest_cpu(const Task& task) {
  Cpu& last = cpu_of(task);
  const bool may_stay = task.sched_.may_run_on(last.index);
  if (may_stay && last.running == nullptr) return last;
  Cpu* best = nullptr;
  for (Cpu& each : cpus_) {
    if (!task.sched_.may_run_on(each.index)) continue;
    if (each.running == nullptr) return each;
    const bool less = best == nullptr || each.queue.load() < best->queue.load();
    const bool as_little_and_last = best != nullptr && &each == &last && each.queue.load() == best->queue.load();
    if (less || as_little_and_last) best = &each;
  }
  assert(best != nullptr && "a task may run nowhere");
  return *best;
}

// `here`, where its waker runs, or `prev`. To leave a busy one for another, that must have less to do with it than the
// first without, and by half of what a domain tolerates as imbalance (imbalance_pct 117).
Cpus::Cpu& Cpus::wake_affine(const Task& task, Cpu& prev, Cpu& here, bool share_cache) {
  constexpr std::int64_t kPercent = 100;
  constexpr std::int64_t kPercentOfPrev = 108;
  const bool prev_is_idle = prev.running == nullptr;
  if (here.running == nullptr && share_cache) return prev_is_idle ? prev : here;
  if (prev_is_idle) return prev;
  const std::int64_t with_it = here.queue.load() + task.sched_.task.entity.weight;
  return with_it * kPercent < prev.queue.load() * kPercentOfPrev ? here : prev;
}

// `target` or an idle CPU that shares its cache.
Cpus::Cpu& Cpus::select_idle_sibling(Task& task, Cpu& prev, Cpu& target) {
  const auto is_idle = [&](const Cpu& cpu) { return cpu.running == nullptr && share_cache(cpu, target); };
  if (is_idle(target)) return target;
  if (is_idle(prev)) return prev;
  const int recent = std::exchange(task.sched_.recent_used_cpu, prev.index);
  if (running_ == count()) return target;
  if (recent != prev.index && is_idle(cpu(recent)) && task.sched_.may_run_on(recent)) return cpu(recent);
  Cpu* const idle = select_idle_cpu(task, target);
  return idle == nullptr ? target : *idle;
}

// The first idle one behind `target` in its domain, and around.
Cpus::Cpu* Cpus::select_idle_cpu(const Task& task, const Cpu& target) {
  const int first = target.index / llc_cpus_ * llc_cpus_;
  const int size = std::min(llc_cpus_, count() - first);
  for (int step = 1; step < size; ++step) {
    Cpu& each = cpu(first + (target.index - first + step) % size);
    if (each.running == nullptr && task.sched_.may_run_on(each.index)) return &each;
  }
  return nullptr;
}

// ---------------------------------------------------------------------------------------------------------------
// Who runs

// It is on the queue: it may run at once, or make the one that runs give way.
void Cpus::enqueued(Cpu& cpu, Task& task, const Task* waker) {
  const sim::Time now = engine_.now();
  ++waiting_;
  task.sched_.waits_since = now;
  if (cpu.running == nullptr) {
    fill(cpu, Cause::wake_up);
    if (cpu.running != &task) await_cpu(cpu, task, cpu.running);
    return;
  }
  await_cpu(cpu, task, cpu.running);
  // One that wakes a task of another cache has it queued there by an interrupt (ttwu_queue_wakelist).
  const bool by_interrupt = waker == nullptr || !share_cache(cpu, cpu_of(*waker));
  const bool asked_before = by_interrupt && cpu.running->sched_.need_resched_lazy;
  if (!cpu.running->sched_.need_resched && (cpu.queue.wakeup_preempts(task.sched_.task, now) || asked_before)) {
    resched(cpu, by_interrupt ? Resched::lazy_by_interrupt : Resched::lazy);
  }
  watch(cpu);
}

// It is runnable and does not run, as `other` does (null: nobody).
void Cpus::await_cpu(const Cpu& cpu, Task& task, const Task* other) const {
  const bool off_the_queue = spec_.throttling == Throttling::in_kernel && cpu.queue.throttled(task.sched_.task.group);
  const bool stands_still = cpu.running == nullptr && engine_.now() < cpu.started;
  task.charge(off_the_queue ? Cause::throttled : stands_still ? Cause::interrupted : Cause::run_queue, engine_.now());
  task.sched_.cpu_taken_by = other == nullptr ? -1 : other->class_id();
}

// The one that runs should give way, at once if it can.
void Cpus::resched(Cpu& cpu, Resched how) {
  if (cpu.running == nullptr) return;
  Task& task = *cpu.running;
  if (engine_.now() < cpu.started) {  // it will look when it has begun, on its way to where it is
    if (how == Resched::now) cpu.deferred = how;
    return cpu.begun.schedule(cpu.started);
  }
  if (how != Resched::now && spec_.preempt == Preemption::lazy) {
    task.sched_.need_resched_lazy = true;
    if (how == Resched::lazy || !returns_to_user(task)) return;
  }
  task.sched_.need_resched = true;
  if (task.sched_.spins) return stop_spinning(task);
  const bool runs = task.actor_.resumption().has_value();  // if not, this is its turn: it looks when it goes on
  if (runs && preemptible(task)) schedule(cpu);
}

// The task that runs there has, or the CPU stood still and somebody waits for it.
void Cpus::begun(Cpu& cpu) {
  if (cpu.running != nullptr) return resched(cpu, std::exchange(cpu.deferred, Resched::lazy_by_interrupt));
  fill(cpu, Cause::wake_up);
  for (Task* task : cpu.queue.waiting()) await_cpu(cpu, *task, cpu.running);
  watch(cpu);
}

// __schedule, of one that could go on.
void Cpus::schedule(Cpu& cpu) {
  Task& task = *cpu.running;
  task.sched_.need_resched = false;
  task.sched_.need_resched_lazy = false;
  Task* const next = pick(cpu);
  if (next == &task) return;
  const bool stopped = !task.sched_.task.entity.on_rq;
  const sim::Time now = engine_.now();
  task.look_ahead_.cut();
  const auto resumption = task.actor_.resumption();
  task.sched_.remaining = resumption ? *resumption - now : sim::Nanoseconds{0};
  task.actor_.cancel_resumption();
  if (!stopped) {
    ++waiting_;
    task.sched_.waits_since = now;
    await_cpu(cpu, task, next);
  }
  vacate(cpu, true);
  if (next != nullptr) {
    dispatch(cpu, *next, now + spec_.context_switch);
  } else {
    fill(cpu, Cause::run_queue);
  }
}

// The same in the turn of the task itself.
void Cpus::give_way(Task& task) {
  schedule(cpu_of(task));
  if (!task.sched_.on_cpu) task.actor_.park();
}

// The next to run, if anybody is there.
Task* Cpus::pick(Cpu& cpu) {
  for (;;) {
    SchedEntity* const entity = cpu.queue.pick_next(engine_.now());
    while (const auto group = cpu.queue.take_throttled()) note_throttled(cpu, *group);
    if (entity == nullptr) return nullptr;
    if (!must_stop(cpu, *entity->task)) return entity->task;
    stop(cpu, *entity->task);
  }
}

// Whether it is on its way to user mode, or there, and its group is out of quota (throttle_cfs_rq_work).
bool Cpus::must_stop(const Cpu& cpu, const Task& task) const {
  return spec_.throttling == Throttling::at_user_return && task.in_user_mode() &&
         cpu.queue.throttled(task.sched_.task.group);
}

void Cpus::stop(Cpu& cpu, Task& task) {
  if (cpu.running != &task) --waiting_;
  cpu.queue.dequeue(task.sched_.task, false, engine_.now());
  cpu.stopped.push_back(&task);
  task.charge(Cause::throttled, engine_.now());
}

// Those that are off the queue with their group.
void Cpus::note_throttled(Cpu& cpu, int group) {
  if (spec_.throttling != Throttling::in_kernel) return;
  for (Task* task : cpu.queue.waiting(group)) {
    if (task != cpu.running) task->charge(Cause::throttled, engine_.now());
  }
}

void Cpus::refilled(int group) {
  const sim::Time now = engine_.now();
  for (Cpu& cpu : cpus_) {
    if (!cpu.queue.unthrottle(group, now)) continue;
    const auto stopped = std::stable_partition(cpu.stopped.begin(), cpu.stopped.end(),
                                               [&](const Task* task) { return task->sched_.task.group != group; });
    for (auto task = stopped; task != cpu.stopped.end(); ++task) {
      cpu.queue.enqueue((*task)->sched_.task, Enqueue::wakeup, cpu.queue, now);
      ++waiting_;
    }
    cpu.stopped.erase(stopped, cpu.stopped.end());
    for (Task* task : cpu.queue.waiting(group)) {
      if (task->sched_.on_cpu) continue;
      task->sched_.waits_since = now;
      await_cpu(cpu, *task, cpu.running);
    }
    if (cpu.running == nullptr) fill(cpu, Cause::wake_up);
    watch(cpu);
  }
}

void Cpus::dispatch(Cpu& cpu, Task& task, sim::Time start) {
  assert(cpu.running == nullptr);
  --waiting_;
  ++running_;
  cpu.running = &task;
  cpu.started = start;
  cpu.switched = engine_.now();
  cpu.queue.set_next(task.sched_.task, start);
  task.sched_.on_cpu = true;
  task.charge(task.work_cause_, start);
  task.got_cpu(start);
  task.actor_.resume_at(start + std::exchange(task.sched_.remaining, sim::Nanoseconds{0}));
  if (task.kernel_.observer.cpu) task.kernel_.observer.cpu(cpu.index, &task, start);
  watch(cpu);
}

void Cpus::vacate(Cpu& cpu, bool involuntary) {
  Task& task = *std::exchange(cpu.running, nullptr);
  --running_;
  task.sched_.need_resched = false;
  task.sched_.need_resched_lazy = false;
  cpu.begun.cancel();
  cpu.deferred = Resched::lazy_by_interrupt;
  task.sched_.on_cpu = false;
  if (involuntary) {
    ++preemptions_;
    ++task.sched_.involuntary_switches;
  }
  task.lost_cpu(involuntary);
  if (task.kernel_.observer.cpu) task.kernel_.observer.cpu(cpu.index, nullptr, engine_.now());
  cpu.idle_since = engine_.now();
}

// The CPU is free: for one of its own, or one that waits elsewhere (newidle_balance).
void Cpus::fill(Cpu& cpu, Cause arrival) {
  if (engine_.now() < cpu.started) return cpu.begun.schedule(cpu.started);  // it stands still
  Task* next = pick(cpu);
  if (next == nullptr && pull(cpu)) next = pick(cpu);
  if (next == nullptr) return;
  const sim::Time now = engine_.now();
  const bool wakes = arrival == Cause::wake_up;
  if (wakes) next->charge(Cause::wake_up, now);
  dispatch(cpu, *next, now + (wakes ? leave_idle(cpu, *next) : spec_.context_switch));
}

// How long it takes until the task runs there.
sim::Nanoseconds Cpus::leave_idle(Cpu& cpu, Task& task) const {
  const IdleState* const state = cpu.memory.end_idle(engine_.now() - cpu.idle_since, task.stream(Purpose::idle_states));
  if (task.sched_.wakes_in_time) return {};
  if (std::span<const sim::Nanoseconds>& recorded = task.sched_.wake_ups; !recorded.empty()) {
    const sim::Nanoseconds latency = recorded.front();
    recorded = recorded.subspan(1);
    return latency;
  }
  const std::optional<sim::Distribution>& wake_up =
      state != nullptr && state->wake_up ? state->wake_up : noise_.wake_up;
  return wake_up ? wake_up->sample(task.stream(Purpose::wake_up)) : spec_.wake_up_latency;
}

sim::Nanoseconds Cpus::run_path(Task& task, KernelPath path) {
  return cpu_of(task).memory.run(path, task.stream(Purpose::idle_states));
}

// One that waits elsewhere, near by if possible. Returns whether there was one.
bool Cpus::pull(Cpu& cpu) {
  if (waiting_ == 0) return false;
  return pull(cpu, true) || (llc_cpus_ < count() && pull(cpu, false));
}

// The one that has waited longest at the CPU with the most load, of those that may be taken.
bool Cpus::pull(Cpu& cpu, bool from_same_cache) {
  Cpu* busiest = nullptr;
  Task* longest = nullptr;
  for (Cpu& other : cpus_) {
    if (share_cache(cpu, other) != from_same_cache) continue;
    if (busiest != nullptr && other.queue.load() <= busiest->queue.load()) continue;
    for (Task* task : other.queue.waiting()) {
      if (!can_migrate(*task, cpu) || cache_hot(*task)) continue;
      if (busiest == &other && task->sched_.waits_since >= longest->sched_.waits_since) continue;
      busiest = &other;
      longest = task;
    }
  }
  if (longest == nullptr) return false;
  migrate(*longest, cpu);
  return true;
}

// can_migrate_task, of one that waits.
bool Cpus::can_migrate(const Task& task, const Cpu& to) const {
  return task.sched_.may_run_on(to.index) && !to.queue.throttled(task.sched_.task.group);
}

bool Cpus::cache_hot(const Task& task) const {
  return task.sched_.task.entity.cache_hot(engine_.now(), spec_.migration_cost);
}

void Cpus::migrate(Task& task, Cpu& to) {
  RunQueue& from = cpu_of(task).queue;
  from.dequeue(task.sched_.task, false, engine_.now());
  task.sched_.last_cpu = to.index;
  to.queue.enqueue(task.sched_.task, Enqueue::migrated, from, engine_.now());
}

// nohz_balancer_kick: of those that wait at `busy`, one for each idle CPU, whoever has waited longest first.
void Cpus::kick_idle_cpus(Cpu& busy) {
  constexpr int kCacheNiceTries = 1;  // sd->cache_nice_tries
  if (waiting_ == 0 || running_ == count()) return;
  std::vector<Task*> waiting = busy.queue.waiting();
  std::stable_sort(waiting.begin(), waiting.end(), [](const Task* one, const Task* other) {
    return one->sched_.waits_since < other->sched_.waits_since;
  });
  for (Task* task : waiting) {
    if (task->sched_.last_cpu != busy.index) continue;  // pulled meanwhile, in place of one that was throttled
    Cpu* const idle = idle_cpu_for(*task);
    if (idle == nullptr) continue;
    if (cache_hot(*task) && idle->balance_failed <= kCacheNiceTries) {
      ++idle->balance_failed;
      continue;
    }
    idle->balance_failed = 0;
    migrate(*task, *idle);
    fill(*idle, Cause::wake_up);
  }
}

// That may take it over: of its own cache, or another.
Cpus::Cpu* Cpus::idle_cpu_for(const Task& task) {
  Cpu* found = nullptr;
  for (Cpu& each : cpus_) {
    if (each.running != nullptr || !can_migrate(task, each)) continue;
    if (share_cache(each, cpu_of(task))) return &each;
    if (found == nullptr) found = &each;
  }
  return found;
}

void Cpus::tick(Cpu& cpu) {
  if (cpu.running == nullptr) return;
  kick_idle_cpus(cpu);
  if (engine_.now() >= cpu.started) task_tick(cpu);
  watch(cpu);
}

// A lazy request of before this tick has waited long enough.
void Cpus::task_tick(Cpu& cpu) {
  const bool asked_before = cpu.running->sched_.need_resched_lazy;
  const bool gives_way = cpu.queue.tick(engine_.now());
  if (asked_before || (gives_way && cpu.queue.quota_used_up())) return resched(cpu, Resched::now);
  if (gives_way) resched(cpu, Resched::lazy_by_interrupt);
}

// The tick comes at multiples of its interval, while it can make a difference.
void Cpus::watch(Cpu& cpu) {
  if (cpu.tick.due() || cpu.running == nullptr || !cpu.queue.needs_tick()) return;
  cpu.tick.schedule(sim::next_multiple(spec_.tick, engine_.now()));
}

}  // namespace models
