// The CPUs: who runs where, and when a task gains and loses its CPU.
//
// Models. N equal CPUs, each with a run queue of its own (models/sched/runqueue.h), in domains that share a last-level
// cache. A task that wakes goes to the CPU that it ran on last or to that of its waker, whichever is idle or has less
// to do, or to an idle one of the same cache; where none is idle it waits at the one first chosen, however much there
// is to do. A new task goes to an idle CPU or the one with the least load. A CPU that runs empty takes over one that
// waits elsewhere, of its own cache's CPUs first, unless that ran a moment ago (it is cache-hot). At the tick of a CPU
// where somebody waits, idle CPUs take over those who may run there, hot ones at the third try. A tick comes to each
// CPU that has a choice. How long a CPU takes to wake up depends on how long it has been idle, where that was measured
// (models/sched/idle_memory.h). A task that should give way does so where its kernel allows that (Preemption); a lazy
// request (resched_curr_lazy) waits for the way back to user mode, or for the tick after it. Nobody but this file and
// the run queues knows the rules by which one is chosen.
//
// Kernel. kernel/sched/core.c: try_to_wake_up, scheduler_tick, __schedule, preempt_schedule; of 6.13 resched_curr_lazy
// and sched_tick. kernel/sched/fair.c of 6.1 to 6.12: select_task_rq_fair, wake_affine, select_idle_sibling,
// can_migrate_task, task_hot, newidle_balance [m], nohz_balancer_kick [m].
//
// Simplified. select_idle_cpu finds an idle CPU if there is one; the kernel looks at fewer the busier the domain is,
// and at none from some 85 % on (SIS_UTIL). No wake_wide: a waker of many is as good a neighbour as any. No idle cores
// (SMT), no NUMA nodes, no asymmetric CPUs. Loads are the weights of who is runnable now, not averages (PELT). A CPU
// that runs empty always looks around; the kernel doesn't if it expects to be idle for less time than that takes. Idle
// CPUs look at each tick of a busy one, before it has chosen who is next; the kernel lets as many ms pass in between
// as a domain has CPUs, or twice that (balance_interval). No load balancing between busy CPUs: with more runnable
// tasks than CPUs they stay as they are queued until one runs empty. The tick takes no time, and comes to
// nothing where the CPU stands still. Being interrupted counts as running (no IRQ_TIME_ACCOUNTING). Kernel threads can
// be preempted anywhere (their loops are full of cond_resched), but for lazy requests.
//
// Validated by tests/models/sched/cpu_test.cpp: closed forms of shares, slices, waits, placement and moves,
// conservation of CPU time, affinity.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "models/measure/blame.h"
#include "models/sched/cfs_bandwidth.h"
#include "models/sched/idle_memory.h"
#include "models/sched/runqueue.h"
#include "models/spec/noise.h"
#include "models/spec/sched.h"
#include "sim/engine.h"

namespace models {

class Mm;
class Task;

class Cpus {
 public:
  /// `llc_cpus`: how many CPUs, from 0 on, share a last-level cache; 0: all. Preconditions: count >= 1; the groups are
  /// valid. `noise`: what a wake-up takes, if not spec.wake_up_latency, and idle states. `spec` and `noise` outlive it.
  Cpus(sim::Engine& engine, int count, const SchedulerSpec& spec, const std::vector<GroupSpec>& groups, int llc_cpus,
       const NoiseSpec& noise);
  Cpus(const Cpus&) = delete;
  Cpus& operator=(const Cpus&) = delete;

  /// Runs `task` for `duration` of CPU time; returns when it has had it. Precondition: it is on a CPU.
  void run(Task& task, sim::Nanoseconds duration);

  /// Keeps `task` on its CPU until `until` or until stop_spinning; returns earlier, and true, when others should have
  /// the CPU. Precondition: it is on a CPU.
  bool spin(Task& task, std::optional<sim::Time> until);
  /// Ends the spin of `task` at this moment, or when its CPU no longer stands still.
  void stop_spinning(Task& task);

  /// Gives the CPU of `task` away if others should have it; returns when it is back.
  void cond_resched(Task& task);
  /// On the way back to user mode: as cond_resched, and where a group out of quota stops its tasks (at_user_return).
  void return_to_user(Task& task);

  /// Takes `task` off its CPU, which goes to the next. The task must then park.
  void leave(Task& task);

  /// Makes a task that has left its CPU runnable, on behalf of `waker`; null: an interrupt where it ran last.
  void wake(Task& task, const Task* waker = nullptr);

  /// From now on the CPU stands still for `length` (> 0). Whoever runs there goes on behind that, still on it: its time
  /// is charged to Cause::interrupted, but for one that spins, which goes on waiting. Nobody else gets the CPU
  /// meanwhile. `stolen`: vcpu_is_preempted. Precondition: stands_still_until(index) has come.
  void stand_still(int index, sim::Nanoseconds length, bool stolen);
  /// The first moment at which the CPU neither stands still nor is switching to a task: perhaps in the past.
  [[nodiscard]] sim::Time stands_still_until(int index) const { return cpus_[static_cast<std::size_t>(index)].started; }
  [[nodiscard]] bool stands_still(const Task& task) const;
  [[nodiscard]] bool vcpu_is_preempted(const Task& task) const;

  /// Whether each CPU has been idle, in user mode, or with another task since then.
  [[nodiscard]] bool all_quiescent_since(sim::Time time) const;

  /// Whether idle CPUs forget anything.
  [[nodiscard]] bool forget() const { return !noise_.idle_states.empty(); }
  /// What the task pays for running `path` on its CPU besides what it always costs. Precondition: it is on a CPU.
  [[nodiscard]] sim::Nanoseconds run_path(Task& task, KernelPath path);

  [[nodiscard]] int count() const { return static_cast<int>(cpus_.size()); }
  [[nodiscard]] const SchedulerSpec& spec() const { return spec_; }
  /// How many CPUs but that of `task` run a thread of `mm` at present (mm_cpumask).
  [[nodiscard]] int others_running(const Mm& mm, const Task& task) const;
  /// Involuntary losses of a CPU so far.
  [[nodiscard]] std::uint64_t preemptions() const { return preemptions_; }

 private:
  /// How a CPU is asked to reschedule, and where that reaches it.
  enum class Resched {
    now,                // resched_curr
    lazy,               // resched_curr_lazy: a flag only, set from another CPU or in the kernel
    lazy_by_interrupt,  // the same in an interrupt of this CPU: user code is on its way back to user mode at once
  };

  struct Cpu {
    Cpu(int number, sim::Engine& engine, Cpus& cpus);
    int index;
    RunQueue queue;
    Task* running = nullptr;
    sim::Time idle_since{-std::chrono::hours{1}};  // where nobody is running: the first one has been so for long
    IdleMemory memory;
    int balance_failed = 0;  // how often it has left somebody where he was, for being hot (nr_balance_failed)
    sim::Time started{};     // when it got the CPU, or the CPU no longer stands still: perhaps a little ahead
    sim::Time stolen_until{};
    sim::Time switched{};  // when it began to switch to whom it runs
    std::vector<Task*>
        stopped;  // on their way back to user mode, as their group is out of quota (throttled_limbo_list)
    sim::Event tick;
    sim::Event begun;                               // for one that should give way before it has begun
    Resched deferred = Resched::lazy_by_interrupt;  // how it is asked then
  };

  Cpu& cpu(int index) { return cpus_[static_cast<std::size_t>(index)]; }
  Cpu& cpu_of(const Task& task);
  [[nodiscard]] bool preemptible(const Task& task) const;
  [[nodiscard]] static bool returns_to_user(const Task& task);

  [[nodiscard]] bool share_cache(const Cpu& one, const Cpu& other) const;
  Cpu& place(Task& task, bool first_time, const Task* waker);
  Cpu& find_idlest_cpu(const Task& task);
  static Cpu& wake_affine(const Task& task, Cpu& prev, Cpu& here, bool share_cache);
  Cpu& select_idle_sibling(Task& task, Cpu& prev, Cpu& target);
  Cpu* select_idle_cpu(const Task& task, const Cpu& target);
  void enqueued(Cpu& cpu, Task& task, const Task* waker);
  void await_cpu(const Cpu& cpu, Task& task, const Task* other) const;
  void resched(Cpu& cpu, Resched how);
  void begun(Cpu& cpu);
  void schedule(Cpu& cpu);
  void give_way(Task& task);
  Task* pick(Cpu& cpu);
  void dispatch(Cpu& cpu, Task& task, sim::Time start);
  void vacate(Cpu& cpu, bool involuntary);
  [[nodiscard]] sim::Nanoseconds leave_idle(Cpu& cpu, Task& task) const;
  void fill(Cpu& cpu, Cause arrival);
  bool pull(Cpu& cpu);
  bool pull(Cpu& cpu, bool from_same_cache);
  [[nodiscard]] bool can_migrate(const Task& task, const Cpu& to) const;
  [[nodiscard]] bool cache_hot(const Task& task) const;
  void migrate(Task& task, Cpu& to);
  void kick_idle_cpus(Cpu& busy);
  Cpu* idle_cpu_for(const Task& task);
  void tick(Cpu& cpu);
  void task_tick(Cpu& cpu);
  void watch(Cpu& cpu);

  [[nodiscard]] bool must_stop(const Cpu& cpu, const Task& task) const;
  void stop(Cpu& cpu, Task& task);
  void note_throttled(Cpu& cpu, int group);
  void refilled(int group);

  sim::Engine& engine_;
  const SchedulerSpec& spec_;
  const NoiseSpec& noise_;
  FairRules rules_;
  std::deque<TaskGroup> groups_;
  std::deque<Cpu> cpus_;  // an event stays where it was made
  int llc_cpus_;
  int running_ = 0;  // CPUs that are not idle
  int waiting_ = 0;  // runnable tasks that don't run
  std::uint64_t preemptions_ = 0;
};

}  // namespace models
