// The fair scheduling class: who of those that share a CPU runs next, and for how long.
//
// Models the rules of one queue (struct cfs_rq): virtual time that passes more slowly for heavier entities, picking,
// the tick, wake-up preemption, where a newcomer is placed. An entity is a task or a group of tasks with a queue of its
// own. Rules only: no tasks, no CPUs, no events (models/sched/runqueue.h, models/sched/cpu.h). Kernel.
// kernel/sched/fair.c. cfs: as in 6.1, where it is the same as far as this goes since 2.6.31 but for the constants.
// eevdf: as in 6.6 with the run to parity (a task that is picked keeps the CPU until its slice ends or it has had more
// than its share; commit 63304558ba5d), 6.12 with delayed dequeue. Simplified. No idle class, no skip
// and next buddies but the one of a wake-up that preempts; the last buddy (8 tasks and more on a CPU) is left out; a
// group's own entity is never dequeued late. Validated by tests/models/sched/sched_fair_test.cpp: shares in closed
// form, bounds on waits, exhaustive histories.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "models/spec/sched.h"
#include "sim/time.h"

namespace models {

class CfsRq;
class Task;
struct SchedEntity;

/// An order of entities by virtual time, and among equals by who came first.
struct VruntimeOrder {
  [[nodiscard]] bool operator()(const SchedEntity* one, const SchedEntity* other) const;
};
using VruntimeTree = std::set<SchedEntity*, VruntimeOrder>;

/// The same by deadline.
struct DeadlineOrder {
  [[nodiscard]] bool operator()(const SchedEntity* one, const SchedEntity* other) const;
};
/// Each node of such a tree knows the least virtual time below it (min_vruntime_update).
template <class Node, class Iterator, class, class>
class LeastVruntime {
 public:
  using metadata_type = std::int64_t;
  void operator()(Iterator node, Node end) const;

  /// Of all of them; none without any.
  [[nodiscard]] std::optional<std::int64_t> least() const;
  /// Of those whose virtual time is `eligible`, as is each that is less, the first; null without any.
  template <class Eligible>
  [[nodiscard]] SchedEntity* first(Eligible eligible) const;

 protected:
  LeastVruntime() = default;
  ~LeastVruntime() = default;

 private:
  [[nodiscard]] virtual Node node_begin() const = 0;
  [[nodiscard]] virtual Node node_end() const = 0;
};
using DeadlineTree =
    __gnu_pbds::tree<SchedEntity*, __gnu_pbds::null_type, DeadlineOrder, __gnu_pbds::rb_tree_tag, LeastVruntime>;

/// The load of a task of niceness -20 .. 19: sched_prio_to_weight (kernel/sched/core.c). About 1.25 a step, 1024 at 0.
[[nodiscard]] std::int64_t weight_of_nice(int nice);
inline constexpr std::int64_t kNice0Load = 1024;

/// The tunables in force on a machine: those of SchedulerSpec, scaled with the CPUs.
struct FairRules {
  FairFlavour flavour = FairFlavour::cfs;
  bool delayed_dequeue = false;
  sim::Nanoseconds tick{};
  sim::Nanoseconds latency{};
  sim::Nanoseconds min_granularity{};
  sim::Nanoseconds wakeup_granularity{};
  sim::Nanoseconds base_slice{};
};

/// get_update_sysctl_factor: tunables times 1 + log2 of the CPUs, of 8 at most.
[[nodiscard]] FairRules fair_rules(const SchedulerSpec& scheduler, int cpus);

/// __sched_period: the time in which each of `tasks` should have had a turn (cfs).
[[nodiscard]] sim::Nanoseconds sched_period(const FairRules& rules, std::size_t tasks);

/// What queues for a CPU. Virtual times are in nanoseconds at nice 0.
struct SchedEntity {
  Task* task = nullptr;           ///< null for a group
  CfsRq* my_q = nullptr;          ///< a group's own queue
  SchedEntity* parent = nullptr;  ///< the entity of the group whose queue it is on; null on the root's
  std::int64_t weight = kNice0Load;
  bool on_rq = false;
  bool sched_delayed = false;  ///< it sleeps, and stays on the queue until it has paid for what it had too much
  sim::Nanoseconds sum_exec_runtime{};

  /// task_hot: it ran on this queue's CPU less than `cost` ago.
  [[nodiscard]] bool cache_hot(sim::Time now, sim::Nanoseconds cost) const {
    return exec_start_ && now - *exec_start_ < cost;
  }

 private:
  friend class CfsRq;
  friend struct VruntimeOrder;
  friend struct DeadlineOrder;
  template <class, class, class, class>
  friend class LeastVruntime;

  std::int64_t vruntime_ = 0;
  std::int64_t deadline_ = 0;  // eevdf
  std::int64_t vlag_ = 0;      // eevdf, while it is off the queue
  bool relative_ = false;      // vruntime (and with eevdf the deadline) are relative to a queue that it has left
  std::optional<std::int64_t> protected_until_;  // eevdf: the deadline it had when it was picked
  std::optional<sim::Time> exec_start_;          // when it was charged last; none: it has never run on this queue
  sim::Nanoseconds prev_sum_exec_runtime_{};
  std::uint64_t queued_ = 0;       // number of the queuing: who came first goes first
  VruntimeTree::node_type place_;  // cfs: in the tree of a queue, while it waits in none
};

/// Why an entity is put on a queue.
enum class Enqueue {
  initial,   ///< for the first time
  wakeup,    ///< it slept
  migrated,  ///< it was runnable on another CPU
};

/// One queue of entities of which at most one runs.
class CfsRq {
 public:
  __extension__ using Wide = __int128;

  explicit CfsRq(const FairRules& rules) : rules_(rules) {}
  CfsRq(const CfsRq&) = delete;
  CfsRq& operator=(const CfsRq&) = delete;

  /// Those on the queue, the one that runs included.
  [[nodiscard]] std::size_t nr_running() const {
    return (eevdf() ? by_deadline_.size() : by_vruntime_.size()) + (curr_ != nullptr ? 1 : 0);
  }
  /// Their weights.
  [[nodiscard]] std::int64_t load() const { return load_; }
  [[nodiscard]] SchedEntity* curr() const { return curr_; }
  /// Those that don't run, in the order in which they came.
  [[nodiscard]] std::vector<const SchedEntity*> waiting() const;

  /// Charges the one that runs for the time until `now`, and says how long that was.
  sim::Nanoseconds update_curr(sim::Time now);
  /// Whether it has used up its slice in one of the charges since it was last asked (eevdf).
  [[nodiscard]] bool take_slice_used() { return std::exchange(slice_used_, false) && nr_running() > 1; }

  /// Preconditions: it is not on the queue; update_curr(now) has been called.
  void enqueue(SchedEntity& entity, Enqueue why);
  /// Takes it off, to sleep or for another queue. Returns false if it stays, sched_delayed.
  /// Preconditions: it is on the queue; update_curr(now) has been called.
  bool dequeue(SchedEntity& entity, bool sleeps);
  /// It wakes up before it has left the queue.
  void requeue_delayed(SchedEntity& entity);
  /// Takes off one that is sched_delayed and has been picked.
  void dequeue_delayed(SchedEntity& entity);
  /// Before it joins the queue of another CPU, wherever it is: `from` is the queue that it was on last.
  static void leave_for_another(SchedEntity& entity, const CfsRq& from);
  /// A group's share has changed.
  void reweight(SchedEntity& entity, std::int64_t weight);

  /// Who should run next, perhaps the one that runs; null if nobody is there.
  [[nodiscard]] SchedEntity* pick() const;
  /// It runs from `start` on. Precondition: it is on the queue and nobody runs.
  void set_next(SchedEntity& entity, sim::Time start);
  /// The one that runs goes back to the others.
  void put_prev();

  /// At the tick: whether the one that runs should give way. `slice`: sched_slice() of it.
  [[nodiscard]] bool check_preempt_tick(sim::Nanoseconds slice) const;
  /// Whether the one that runs should give way to `woken`, which has just been enqueued.
  [[nodiscard]] bool wakeup_preempts(SchedEntity& woken);

  /// cfs: it is picked if it is within the granularity of the leftmost (set_next_buddy).
  void set_next_buddy(SchedEntity& entity) { next_ = &entity; }

  /// How much of a period of `period` is the entity's, by weight (__calc_delta).
  [[nodiscard]] sim::Nanoseconds share_of(const SchedEntity& entity, sim::Nanoseconds period) const;

 private:
  [[nodiscard]] bool eevdf() const { return rules_.flavour == FairFlavour::eevdf; }
  void add(SchedEntity& entity);
  void insert(SchedEntity& entity);
  void remove(SchedEntity& entity);
  void update_min_vruntime();
  [[nodiscard]] SchedEntity* first() const;
  [[nodiscard]] std::optional<std::int64_t> least_waiting() const;

  void place_cfs(SchedEntity& entity, Enqueue why) const;
  void place_eevdf(SchedEntity& entity, Enqueue why) const;
  [[nodiscard]] Wide weighted_vruntimes() const;
  [[nodiscard]] std::int64_t avg_vruntime() const;
  [[nodiscard]] bool eligible(std::int64_t vruntime) const;
  [[nodiscard]] std::int64_t lag_of(const SchedEntity& entity) const;
  [[nodiscard]] SchedEntity* pick_eevdf() const;
  void update_deadline(SchedEntity& entity);

  const FairRules& rules_;
  // Those that wait are in one of them.
  VruntimeTree by_vruntime_;     // cfs
  DeadlineTree by_deadline_;     // eevdf
  Wide weighted_vruntimes_ = 0;  // of those that wait
  SchedEntity* curr_ = nullptr;
  SchedEntity* next_ = nullptr;  // cfs: woken, and ahead enough to preempt
  std::int64_t load_ = 0;
  std::int64_t min_vruntime_ = 0;
  std::uint64_t queuings_ = 0;
  bool slice_used_ = false;
};

}  // namespace models
