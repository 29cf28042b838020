#include "models/sched/runqueue.h"

#include <algorithm>
#include <cassert>

namespace models {

namespace {

// What a queue keeps when it runs empty (min_cfs_rq_runtime).
constexpr sim::Nanoseconds kMinRuntime{1'000'000};
constexpr std::int64_t kMinShares = 2;

// The runnable ones that wait.
std::vector<Task*> tasks_of(const CfsRq& queue) {
  std::vector<Task*> tasks;
  for (const SchedEntity* entity : queue.waiting()) {
    if (entity->task != nullptr && !entity->sched_delayed) tasks.push_back(entity->task);
  }
  return tasks;
}

}  // namespace

RunQueue::RunQueue(const FairRules& rules, const SchedulerSpec& spec, std::deque<TaskGroup>& groups)
    : rules_(rules), spec_(spec), root_(rules) {
  for (TaskGroup& group : groups) groups_.emplace_back(rules, group, static_cast<int>(groups_.size()));
}

// ---------------------------------------------------------------------------------------------------------------
// On and off the queue

void RunQueue::enqueue(SchedTask& task, Enqueue why, RunQueue& last, sim::Time now) {
  update_curr(now);
  SchedEntity& entity = task.entity;
  if (&last != this) CfsRq::leave_for_another(entity, last.cfs_rq_of(task));
  GroupQueue* const group = group_of(task);
  entity.parent = group == nullptr ? nullptr : &group->entity;
  count(task, 1);
  cfs_rq_of(task).enqueue(entity, why);
  if (group == nullptr) return;
  update_shares(*group);
  if (group->entity.on_rq) return;
  if (out_of_runtime(*group)) assign_runtime(*group);
  const bool taken_off = group->throttled && spec_.throttling == Throttling::in_kernel;
  if (!taken_off) root_.enqueue(group->entity, Enqueue::wakeup);
}

void RunQueue::dequeue(SchedTask& task, bool sleeps, sim::Time now) {
  update_curr(now);
  if (!task.entity.sched_delayed) count(task, -1);
  (void)cfs_rq_of(task).dequeue(task.entity, sleeps);
  has_left(task);
}

void RunQueue::dequeue_dead(SchedTask& task, sim::Time now) {
  dequeue(task, true, now);
  if (!task.entity.sched_delayed) return;
  cfs_rq_of(task).dequeue_delayed(task.entity);
  has_left(task);
}

void RunQueue::has_left(const SchedTask& task) {
  GroupQueue* const group = group_of(task);
  if (group == nullptr) return;
  if (group->queue.nr_running() == 0) dequeue_group(*group);
  update_shares(*group);
}

void RunQueue::dequeue_group(GroupQueue& group) {
  if (group.entity.on_rq) (void)root_.dequeue(group.entity, true);
  return_runtime(group);
}

void RunQueue::requeue_delayed(SchedTask& task, sim::Time now) {
  update_curr(now);
  count(task, 1);
  cfs_rq_of(task).requeue_delayed(task.entity);
  if (GroupQueue* const group = group_of(task)) update_shares(*group);
}

void RunQueue::count(SchedTask& task, std::int64_t sign) {
  load_ += sign * task.entity.weight;
  if (task.group >= 0) queue_of(task.group).group.load += sign * task.entity.weight;
}

// ---------------------------------------------------------------------------------------------------------------
// Who runs

SchedEntity* RunQueue::pick_next(sim::Time now) {
  update_curr(now);
  for (;;) {
    SchedEntity* const top = root_.pick();
    if (top == nullptr) return nullptr;
    if (top->sched_delayed) {
      root_.dequeue_delayed(*top);
      continue;
    }
    if (top->my_q == nullptr) return top;
    GroupQueue& group = owner_of(*top);
    if (out_of_runtime(group)) {
      throttle(group);
      if (!group.entity.on_rq) continue;
    }
    SchedEntity* const entity = group.queue.pick();
    assert(entity != nullptr && "a group without tasks was on the queue");
    if (!entity->sched_delayed) return entity;
    group.queue.dequeue_delayed(*entity);
    if (group.queue.nr_running() == 0) dequeue_group(group);
    update_shares(group);
  }
}

void RunQueue::set_next(SchedTask& task, sim::Time start) {
  GroupQueue* const group = group_of(task);
  SchedEntity& top = group == nullptr ? task.entity : group->entity;
  if (SchedEntity* const before = root_.curr()) {
    if (before->my_q != nullptr && before->my_q->curr() != nullptr) before->my_q->put_prev();
    if (before != &top) root_.put_prev();
  }
  if (root_.curr() == nullptr) root_.set_next(top, start);
  if (group != nullptr) group->queue.set_next(task.entity, start);
}

// Charges the one that runs, and its group, for the time until `now`.
void RunQueue::update_curr(sim::Time now) {
  const SchedEntity* const top = root_.curr();
  if (top == nullptr) return;
  if (top->my_q != nullptr) {
    GroupQueue& group = owner_of(*top);
    account_runtime(group, group.queue.update_curr(now));
  }
  root_.update_curr(now);
}

bool RunQueue::tick(sim::Time now) {
  update_curr(now);
  const SchedEntity* const top = root_.curr();
  if (top == nullptr) return false;
  GroupQueue* const group = top->my_q == nullptr ? nullptr : &owner_of(*top);
  if (group != nullptr) update_shares(*group);
  if (group != nullptr && out_of_runtime(*group)) return true;
  if (rules_.flavour == FairFlavour::eevdf) {
    const bool slice_used = root_.take_slice_used();
    return (group != nullptr && group->queue.take_slice_used()) || slice_used;
  }
  if (group != nullptr && group->queue.check_preempt_tick(sched_slice(group->queue, *group->queue.curr(), true))) {
    return true;
  }
  return root_.check_preempt_tick(sched_slice(root_, *top, false));
}

bool RunQueue::quota_used_up() const {
  const GroupQueue* const group = running_group();
  return group != nullptr && out_of_runtime(*group);
}

// The share of the period by weight, level by level.
sim::Nanoseconds RunQueue::sched_slice(const CfsRq& queue, const SchedEntity& entity, bool of_group) const {
  sim::Nanoseconds slice = queue.share_of(entity, sched_period(rules_, nr_tasks()));
  if (of_group) slice = root_.share_of(*entity.parent, slice);
  return std::max(slice, rules_.min_granularity);
}

std::size_t RunQueue::nr_tasks() const {
  std::size_t tasks = root_.nr_running();
  for (const GroupQueue& group : groups_) {
    if (group.entity.on_rq) tasks += group.queue.nr_running() - 1;  // instead of its entity
  }
  return tasks;
}

bool RunQueue::wakeup_preempts(SchedTask& woken, sim::Time now) {
  update_curr(now);
  SchedEntity* const top = root_.curr();
  GroupQueue* const group = group_of(woken);
  if (top == nullptr || throttled(woken.group)) return false;
  if (root_.take_slice_used()) return true;  // update_curr has just found out (eevdf)
  if (group != nullptr && top == &group->entity) {
    if (!group->queue.wakeup_preempts(woken.entity)) return false;
    root_.set_next_buddy(group->entity);
    return true;
  }
  return root_.wakeup_preempts(group == nullptr ? woken.entity : group->entity);
}

bool RunQueue::needs_tick() const {
  const GroupQueue* const group = running_group();
  return root_.nr_running() > 1 ||
         (group != nullptr && (group->queue.nr_running() > 1 || group->group.has_bandwidth()));
}

// ---------------------------------------------------------------------------------------------------------------
// Groups

RunQueue::GroupQueue& RunQueue::owner_of(const SchedEntity& entity) {
  return *std::find_if(groups_.begin(), groups_.end(),
                       [&](const GroupQueue& group) { return &group.entity == &entity; });
}

const RunQueue::GroupQueue* RunQueue::running_group() const {
  const auto found = std::find_if(groups_.begin(), groups_.end(),
                                  [&](const GroupQueue& group) { return root_.curr() == &group.entity; });
  return found == groups_.end() ? nullptr : &*found;
}

// Its part of the group's shares is that of its tasks' weights (calc_group_shares).
void RunQueue::update_shares(GroupQueue& group) {
  if (group.group.load == 0) return;
  const std::int64_t shares = group.group.shares() * group.queue.load() / group.group.load;
  root_.reweight(group.entity, std::clamp(shares, kMinShares, group.group.shares()));
}

bool RunQueue::out_of_runtime(const GroupQueue& group) {
  return group.group.has_bandwidth() && group.runtime <= sim::Nanoseconds{0};
}

void RunQueue::account_runtime(GroupQueue& group, sim::Nanoseconds ran) {
  if (!group.group.has_bandwidth() || ran == sim::Nanoseconds{0}) return;
  group.runtime -= ran;
  if (out_of_runtime(group)) assign_runtime(group);
}

// assign_cfs_rq_runtime: enough for a slice, or what there is.
void RunQueue::assign_runtime(GroupQueue& group) const {
  if (group.throttled) return;  // it gets its part when the pool is refilled
  group.runtime += group.group.take(spec_.bandwidth_slice - group.runtime);
}

void RunQueue::throttle(GroupQueue& group) {
  if (group.throttled) return;
  group.runtime += group.group.take(sim::Nanoseconds{1} - group.runtime);  // it may have been refilled meanwhile
  if (!out_of_runtime(group)) return;
  group.throttled = true;
  group.group.note_throttled();
  just_throttled_.push_back(group.index);
  if (spec_.throttling == Throttling::at_user_return) return;
  if (group.queue.curr() != nullptr) group.queue.put_prev();
  (void)root_.dequeue(group.entity, true);
}

bool RunQueue::unthrottle(int index, sim::Time now) {
  GroupQueue& group = queue_of(index);
  if (!group.throttled) return false;
  update_curr(now);
  constexpr sim::Nanoseconds kEnough{1};  // the rest it asks for when it runs (distribute_cfs_runtime)
  group.runtime += group.group.take(kEnough - group.runtime);
  if (out_of_runtime(group)) {
    group.group.note_throttled();
    return false;
  }
  group.throttled = false;
  if (!group.entity.on_rq && group.queue.nr_running() > 0) root_.enqueue(group.entity, Enqueue::wakeup);
  return true;
}

void RunQueue::return_runtime(GroupQueue& group) {
  if (!group.group.has_bandwidth() || group.runtime <= kMinRuntime) return;
  group.group.give_back(group.runtime - kMinRuntime);
  group.runtime = kMinRuntime;
}

std::vector<Task*> RunQueue::waiting() const {
  std::vector<Task*> tasks = tasks_of(root_);
  for (const GroupQueue& group : groups_) {
    if (!group.entity.on_rq) continue;
    const std::vector<Task*> members = tasks_of(group.queue);
    tasks.insert(tasks.end(), members.begin(), members.end());
  }
  return tasks;
}

std::vector<Task*> RunQueue::waiting(int group) const { return tasks_of(queue_of(group).queue); }

}  // namespace models
