// A task: a thread of the simulated machine, with a clock of its own that may be ahead of the machine's.
//
// Model code says work(d) for what a step costs and goes on at once; the time is only owed. It is paid by settle(),
// which gives everybody else the turns that fall into it. Whatever touches state that others can see (a
// semaphore, the zone, a phase that is recorded) settles first, so others never see anything early; what
// touches nothing shared needs no event at all. A stepwise run settles after every step. The code of
// the kernel paths is the same for both.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/measure/ledger.h"
#include "models/sched/cpu.h"
#include "models/spec/page.h"
#include "sim/distribution.h"
#include "sim/engine.h"
#include "sim/look_ahead.h"
#include "sim/random.h"

namespace models {

struct Kernel;
class Mm;
class PhaseLog;
class Rwsem;

/// What a random number is drawn for. Each has a stream of its own, so that a policy that needs more of one
/// kind does not shift the others.
enum class Purpose { demand, fault, pages, calls, reclaim, wake_up, timer, page_costs, idle_states };
inline constexpr std::size_t kPurposeCount = static_cast<std::size_t>(Purpose::idle_states) + 1;

class Task {
 public:
  /// A task of class `class_id` that runs `body` from time 0 on. `name` keys its random streams; `member` is its number
  /// among those of its class.
  Task(Kernel& kernel, std::string name, ClassId class_id, std::uint64_t seed, sim::Actor::Body body,
       const SchedSpec& sched = {}, int member = 0);
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// `faulter.3`: the thread's name and its number among those of its class.
  [[nodiscard]] const std::string& name() const { return actor_.name(); }
  [[nodiscard]] ClassId class_id() const { return class_id_; }
  /// Its number among those of its class, from 0.
  [[nodiscard]] int member() const { return member_; }
  [[nodiscard]] Phase phase() const { return phase_; }
  /// The address space that it runs in (task_struct.mm): that of its process, whatever else it works on. Null: a kernel
  /// thread.
  [[nodiscard]] const Mm* mm() const { return mm_; }
  void set_mm(const Mm& mm) { mm_ = &mm; }
  /// memcg_nr_pages_over_high: taken while its group was beyond memory.high, since it was last in user mode.
  PageCount pages_over_high{};

  /// Charges one step of `duration` (>= 0) of CPU time.
  void work(sim::Nanoseconds duration);
  /// One step whose cost is drawn from `cost`.
  void work(const sim::Distribution& cost, Purpose purpose) { work(cost.sample(stream(purpose))); }
  /// The same, of the part of a call that always is there: it costs more where the CPU has forgotten it
  /// (models/sched/idle_memory.h).
  void work(const sim::Distribution& cost, KernelPath path) {
    const sim::Nanoseconds drawn = cost.sample(stream(path == KernelPath::fault ? Purpose::fault : Purpose::calls));
    work(cpus_.forget() ? drawn + first_run(path) : drawn);
  }
  /// As many steps as there are `pages`, each with a cost of its own.
  void work_for_each(PageCount pages, const sim::Distribution& cost, Purpose purpose);
  /// What a page's cost is in this system call (NoiseSpec::page_costs).
  [[nodiscard]] sim::Nanoseconds page_cost(sim::Nanoseconds cost) const {
    return page_cost_thousandths_ == kThousand ? cost : cost * page_cost_thousandths_ / kThousand;
  }
  /// One step on pages, of that cost.
  void work_on_pages(sim::Nanoseconds cost) { work(page_cost(cost)); }
  /// Lets the machine's clock catch up with the task's own. Returns the time it then is.
  sim::Time settle();

  /// Whether steps may be taken past the turns of others (sim/look_ahead.h): there is nothing that the task has to stop
  /// for at the first of them.
  [[nodiscard]] bool may_look_ahead() const { return !engine_.stepwise() && !sched_.need_resched; }
  [[nodiscard]] sim::LookAhead& look_ahead() { return look_ahead_; }
  /// Whether it has the machine to itself for so long: whatever it does, nobody else does anything, and it has nothing
  /// to stop for. Never in a stepwise run.
  [[nodiscard]] bool is_undisturbed_for(sim::Nanoseconds time) const {
    return !sched_.need_resched && actor_.can_skip_to(engine_.now() + owed_ + time);
  }

  /// Whether somebody else should have its CPU.
  [[nodiscard]] bool need_resched() const { return sched_.need_resched; }
  /// Settles, and gives the CPU away if somebody else should have it and the kernel is built for that. Stands where the
  /// kernel has cond_resched().
  void cond_resched();
  /// The same where a task might sleep: only CONFIG_PREEMPT_VOLUNTARY gives way there.
  void might_sleep();
  /// Outside the kernel: between calls. Kernel threads count as outside, as their loops can be preempted anywhere.
  [[nodiscard]] bool in_user_mode() const { return class_id_ < 0 || phase_ == Phase::user || phase_ == Phase::idle; }
  /// While it waits for a CPU: the class of the task that had it when the wait began.
  [[nodiscard]] ClassId cpu_taken_by() const { return sched_.cpu_taken_by; }
  /// How often it has lost its CPU while it could have gone on.
  [[nodiscard]] std::uint64_t involuntary_switches() const { return sched_.involuntary_switches; }

  /// Leaves the CPU until `until`; then pays for waking up. Does nothing if `until` has passed.
  void sleep_until(sim::Time until, Cause cause = Cause::sleep);
  /// The same, by a timer of its own, which may be late (NoiseSpec::timer).
  void sleep_on_timer_until(sim::Time until);
  /// As sleep_until, with the wake-up in it: where a CPU is free it runs at `until`.
  void sleep_and_wake_up_until(sim::Time until);
  /// From now on it takes so long to run when it is woken and its CPU is free, one time after another; after that what
  /// the machine's wake-ups take. `recorded` outlives it, or the next such call.
  void wake_up_as(std::span<const sim::Nanoseconds> recorded) { sched_.wake_ups = recorded; }
  /// Ends, and begins anew at `until` (at least a nanosecond later): to the scheduler another task, just forked, which
  /// owes nothing and is owed nothing. Everything else stays what it is.
  void end_and_fork(sim::Time until);
  /// Leaves the CPU until somebody calls wake(), or until `timeout`, charging `cause` meanwhile.
  void block(Cause cause, std::optional<sim::Time> timeout = std::nullopt);
  /// Stays on the CPU until `until` or until somebody calls stop_spinning(), charging `cause` meanwhile. Returns
  /// earlier, and true, when others should have the CPU.
  bool spin(Cause cause, std::optional<sim::Time> until = std::nullopt);
  /// CPU time that went into spinning, up to now.
  [[nodiscard]] sim::Nanoseconds spin_time() const;
  /// Ends the spin of a task that spins, or, where its CPU stands still, as soon as that goes on.
  void stop_spinning() { cpus_.stop_spinning(*this); }
  /// The same for one that no longer waits: whatever its CPU still stands still for is charged to that.
  void end_spin();
  /// While it is on a CPU that stands still (Cpus::stand_still).
  [[nodiscard]] bool stands_still() const { return cpus_.stands_still(*this); }
  /// ... because a hypervisor has taken it.
  [[nodiscard]] bool vcpu_is_preempted() const { return cpus_.vcpu_is_preempted(*this); }
  [[nodiscard]] bool on_cpu() const { return sched_.on_cpu; }
  /// The CPU that it is on, or was on last (smp_processor_id).
  [[nodiscard]] int cpu() const { return sched_.last_cpu; }
  /// Makes a blocked task runnable, from an interrupt; does nothing if its timeout has done so already.
  void wake() { wake_by(nullptr); }
  /// The same, on behalf of `waker`.
  void wake(const Task& waker);
  /// Charges a blocked task's time to `cause` from now on.
  void recharge(Cause cause) { charge(cause, engine_.now()); }

  /// Says what the task does from now on.
  void enter(Phase phase);
  /// The same for a part of a call that is not the locker's own doing: the log is not told.
  void note_phase(Phase phase);
  /// A log that is told of every enter(): for the locker, whose phases the others are measured by.
  void report_phases_to(PhaseLog& log);

  /// The semaphore of that kind it holds, if any: told when the task's phase changes, so that waits are charged to the
  /// right one, and when it loses its CPU, so that nobody spins on it.
  void set_holding(LockKind kind, Rwsem* rwsem) { holding_[kind == LockKind::mutex ? 1 : 0] = rwsem; }
  /// Puts the mmap_sem that it holds aside, to hold another one besides; then back again.
  void set_outer_hold(bool aside) {
    Rwsem*& from = holding_[aside ? 0 : 2];
    holding_[aside ? 2 : 0] = std::exchange(from, nullptr);
  }
  /// The mutex of user space that it takes around its system calls; null: none.
  [[nodiscard]] Rwsem* mutex() const { return mutex_; }
  void set_mutex(Rwsem& mutex) { mutex_ = &mutex; }

  /// CPU time from here on is charged to `cause` (cpu or direct_reclaim). Returns the cause before.
  Cause charge_work_to(Cause cause);

  [[nodiscard]] sim::Stream& stream(Purpose purpose) { return streams_[static_cast<std::size_t>(purpose)]; }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] Ledger& ledger() { return ledger_; }
  [[nodiscard]] Kernel& kernel() { return kernel_; }
  [[nodiscard]] const Kernel& kernel() const { return kernel_; }
  /// The machine's time; the task's own may be ahead of it (settle()).
  [[nodiscard]] sim::Time now() const { return engine_.now(); }

 private:
  friend class Cpus;

  static constexpr int kThousand = 1000;
  void pay();
  void park_until(std::optional<sim::Time> until, Cause cause);
  void draw_page_cost();
  [[nodiscard]] sim::Nanoseconds first_run(KernelPath path);
  template <class Do>
  void for_each_held(Do what) const {
    for (Rwsem* const held : holding_) {
      if (held != nullptr) what(*held);
    }
  }
  void wake_by(const Task* waker);
  /// From `at` on its time goes to `cause`. Whoever waits for what it holds is charged first, for what it did until
  /// now.
  void charge(Cause cause, sim::Time at);
  void lost_cpu(bool involuntary);
  void got_cpu(sim::Time start);

  /// What the CPUs know of a task.
  struct Sched {
    SchedTask task;
    std::vector<int> cpus;
    int last_cpu = 0;
    std::span<const sim::Nanoseconds> wake_ups;  // the next ones, as recorded
    bool wakes_in_time = false;                  // waking it up is part of its sleep
    bool known = false;                          // it has been on a run queue, and has not ended since
    bool on_cpu = false;
    bool spins = false;
    int recent_used_cpu = 0;         // the one before last_cpu
    bool need_resched = false;       // somebody else should have its CPU (TIF_NEED_RESCHED)
    bool need_resched_lazy = false;  // the same, if it goes back to user mode or a tick comes (TIF_NEED_RESCHED_LAZY)
    sim::Nanoseconds remaining{};    // of the burst that it lost its CPU in
    sim::Time waits_since{};         // for a CPU
    ClassId cpu_taken_by = -1;       // who had the CPU when it began to wait for it
    std::uint64_t involuntary_switches = 0;

    [[nodiscard]] bool may_run_on(int cpu) const {
      return cpus.empty() || std::binary_search(cpus.begin(), cpus.end(), cpu);
    }
  };

  Kernel& kernel_;
  sim::Engine& engine_;
  Cpus& cpus_;
  ClassId class_id_;
  int member_;
  const Mm* mm_ = nullptr;
  Phase phase_ = Phase::user;
  Cause work_cause_ = Cause::cpu;
  sim::Nanoseconds owed_{};
  int page_cost_thousandths_ = kThousand;
  Ledger ledger_;
  PhaseLog* phase_log_ = nullptr;
  bool asleep_ = false;
  int phase_reporter_ = 0;           // its number in the log
  std::array<Rwsem*, 3> holding_{};  // mmap_sem, a mutex, a second mmap_sem
  Rwsem* mutex_ = nullptr;
  sim::Nanoseconds spin_time_{};  // but for the spin that it is in
  std::optional<sim::Time> spins_since_;
  Sched sched_;
  std::array<sim::Stream, kPurposeCount> streams_;
  sim::Event timer_;
  sim::Actor& actor_;
  sim::LookAhead look_ahead_;
};

}  // namespace models
