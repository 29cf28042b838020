// A CPU's run queue: the tasks that share it, those of each control group below an entity of the group's own.
//
// Models struct rq as far as the fair class goes: two levels of queues (models/sched/sched_fair.h), a group's weight on
// this CPU, the slices of its quota (models/sched/cfs_bandwidth.h), and what is throttled. With autogroups a process
// that is in no control group is a group of weight 1024 (models/simulation.cpp), so its nice counts among its own
// threads only.
//
// Kernel. kernel/sched/fair.c of 6.1: enqueue_task_fair, dequeue_task_fair, pick_next_task_fair, task_tick_fair,
// check_preempt_wakeup, throttle_cfs_rq. Throttling::at_user_return as in 6.18 [m]. Autogroups:
// kernel/sched/autogroup.c, task_wants_autogroup: who is in the root group; kernel threads stay there.
//
// Simplified. Groups are not nested. A group's weight on a CPU follows the weights of its runnable tasks at once; the
// kernel's follows their averages (calc_group_shares). A session is a process, as it is for a service; a shell's jobs
// share one. An autogroup's own nice (/proc/PID/autogroup) is 0.
//
// Validated by tests/models/sched/runqueue_test.cpp, autogroups by tests/whole/competitors_test.cpp.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "models/sched/cfs_bandwidth.h"
#include "models/sched/sched_fair.h"
#include "models/spec/sched.h"

namespace models {

/// What the run queues know of a task.
struct SchedTask {
  SchedEntity entity;
  int group = -1;  ///< its number among the groups; -1: none
};

class RunQueue {
 public:
  /// `rules`, `spec` and `groups` outlive it.
  RunQueue(const FairRules& rules, const SchedulerSpec& spec, std::deque<TaskGroup>& groups);
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;

  /// Puts a task on the queue that is on none. `last`: the run queue that it was on before.
  void enqueue(SchedTask& task, Enqueue why, RunQueue& last, sim::Time now);
  /// Takes a task off, whether it runs or not: to sleep, or for another CPU. It may stay sched_delayed.
  void dequeue(SchedTask& task, bool sleeps, sim::Time now);
  /// Takes off a task that ends: it does not stay.
  void dequeue_dead(SchedTask& task, sim::Time now);
  /// A task that has stayed when it went to sleep wakes up.
  void requeue_delayed(SchedTask& task, sim::Time now);

  /// Who should run from now on: perhaps the one that does, or null. Throttles groups that have no quota left.
  [[nodiscard]] SchedEntity* pick_next(sim::Time now);
  /// `task`, which is on the queue, runs from `start` on; whoever did goes back.
  void set_next(SchedTask& task, sim::Time start);

  /// The tick: whether the one that runs should give way.
  [[nodiscard]] bool tick(sim::Time now);
  /// Whether its group has used up its quota.
  [[nodiscard]] bool quota_used_up() const;
  /// Whether it should give way to `woken`, which has just been enqueued.
  [[nodiscard]] bool wakeup_preempts(SchedTask& woken, sim::Time now);

  /// Whether the tick could do anything to the one that runs.
  [[nodiscard]] bool needs_tick() const;
  /// Whether the group is throttled here. With at_user_return its tasks are on the queue as long as they are not
  /// stopped.
  [[nodiscard]] bool throttled(int group) const { return group >= 0 && queue_of(group).throttled; }
  /// Takes part of the refilled quota of the group `index`. Returns whether its tasks are no longer throttled.
  bool unthrottle(int index, sim::Time now);
  /// One that has been throttled here since this was last asked.
  std::optional<int> take_throttled() {
    if (just_throttled_.empty()) return std::nullopt;
    const int group = just_throttled_.back();
    just_throttled_.pop_back();
    return group;
  }

  /// Runnable tasks that don't run; not those of groups that are off the queue.
  [[nodiscard]] std::vector<Task*> waiting() const;
  /// Those of one group.
  [[nodiscard]] std::vector<Task*> waiting(int group) const;
  /// The weights of all runnable tasks.
  [[nodiscard]] std::int64_t load() const { return load_; }

 private:
  struct GroupQueue {
    GroupQueue(const FairRules& rules, TaskGroup& the_group, int number)
        : index(number), group(the_group), queue(rules) {
      entity.my_q = &queue;
    }
    int index;
    TaskGroup& group;
    CfsRq queue;
    SchedEntity entity;
    sim::Nanoseconds runtime{};  // cfs_rq->runtime_remaining
    bool throttled = false;
  };

  GroupQueue& queue_of(int group) { return groups_[static_cast<std::size_t>(group)]; }
  [[nodiscard]] const GroupQueue& queue_of(int group) const { return groups_[static_cast<std::size_t>(group)]; }
  GroupQueue* group_of(const SchedTask& task) { return task.group < 0 ? nullptr : &queue_of(task.group); }
  CfsRq& cfs_rq_of(const SchedTask& task) { return task.group < 0 ? root_ : queue_of(task.group).queue; }
  GroupQueue& owner_of(const SchedEntity& entity);
  [[nodiscard]] const GroupQueue* running_group() const;

  void update_curr(sim::Time now);
  void account_runtime(GroupQueue& group, sim::Nanoseconds ran);
  void assign_runtime(GroupQueue& group) const;
  [[nodiscard]] static bool out_of_runtime(const GroupQueue& group);
  static void return_runtime(GroupQueue& group);
  void throttle(GroupQueue& group);
  void update_shares(GroupQueue& group);
  void dequeue_group(GroupQueue& group);
  void has_left(const SchedTask& task);
  void count(SchedTask& task, std::int64_t sign);
  [[nodiscard]] sim::Nanoseconds sched_slice(const CfsRq& queue, const SchedEntity& entity, bool of_group) const;
  [[nodiscard]] std::size_t nr_tasks() const;

  const FairRules& rules_;
  const SchedulerSpec& spec_;
  CfsRq root_;
  std::deque<GroupQueue> groups_;
  std::int64_t load_ = 0;
  std::vector<int> just_throttled_;
};

}  // namespace models
