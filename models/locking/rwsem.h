// A readers-writer semaphore that tasks take, with what it costs and what became of it: mmap_sem.
//
// Models what surrounds the rules of models/locking/rwsem_fifo.h and models/locking/rwsem_spin_handoff.h. An operation
// that finds the semaphore free costs an atomic instruction. Who queues gives its CPU away and is woken: the waker pays
// try_to_wake_up for each waiter in turn, the woken pays wake-up latency and its wait for a CPU. Kernel. fifo:
// lib/rwsem.c of 2.6.28. Ownership passes when it is granted, so a waiter holds the semaphore while it still waits to
// be woken and to get a CPU. spin_handoff: kernel/locking/rwsem.c of 6.1. That is so for readers only; a writer keeps
// its CPU and spins while the owner runs, and one that was woken from the queue tries when it runs. Simplified. The
// wait list's spinlock and a woken writer's try cost nothing of their own; no waiter is interrupted by a signal. The
// first spinner always gets ahead of the waiters that the release wakes; in the kernel it races with the granting to
// readers. A task that is being brought back to a CPU counts as on it. Validated by tests/models/locking/rwsem_test.cpp
// and tests/models/locking/rwsem_spin_handoff_tasks_test.cpp: closed forms of waits, spins and wake-ups, waits charged
// without remainder.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "models/locking/rwsem_fifo.h"
#include "models/locking/rwsem_spin_handoff.h"
#include "models/measure/blame.h"
#include "models/measure/lock_statistics.h"
#include "models/measure/observer.h"
#include "models/spec/machine.h"
#include "models/spec/policy.h"
#include "sim/histogram.h"
#include "sim/time_series.h"

namespace models {

class Task;

/// Every operation settles the caller's clock first. down_* return when the caller holds the semaphore and runs.
class Rwsem {
 public:
  Rwsem(std::string name, const Costs& costs, RwsemFlavour flavour = RwsemFlavour::fifo);
  Rwsem(const Rwsem&) = delete;
  Rwsem& operator=(const Rwsem&) = delete;

  void down_read(Task& current) { down(current, LockMode::read); }
  void down_write(Task& current) { down(current, LockMode::write); }
  /// Returns whether it got it: not if there is a writer, or somebody queues.
  [[nodiscard]] bool down_read_trylock(Task& current);
  /// Precondition: `current` holds it for read.
  void up_read(Task& current) { up(current, LockMode::read); }
  /// Precondition: `current` holds it for write.
  void up_write(Task& current) { up(current, LockMode::write); }
  /// Precondition: `current` holds it for write; afterwards it holds it for read.
  void downgrade_write(Task& current);

  /// rwsem_is_contended: somebody queues. Those who spin don't count.
  [[nodiscard]] bool is_contended() const { return queue_length() > 0; }
  /// Those who queue; not those who spin.
  [[nodiscard]] std::size_t queue_length() const {
    return std::visit([](const auto& rules) { return rules.queue_length(); }, rules_);
  }
  [[nodiscard]] bool held_by(const Task& current, LockMode mode) const;
  [[nodiscard]] bool write_held() const { return !holders_.empty() && holders_.front().mode == LockMode::write; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const RwsemStatistics& statistics() const { return statistics_; }

  /// Charges the waits until `now` to the holders as they are: to be called before anything about them changes.
  void charge_waits(sim::Time now);
  /// A task that may hold it is no longer on a CPU; `involuntary`: it could have gone on.
  void holder_lost_cpu(const Task& task, bool involuntary);
  /// A task that may hold it runs from `start` on.
  void holder_got_cpu(const Task& task, sim::Time start);

 private:
  struct Holder {
    Task* task;
    LockMode mode;
    sim::Time since;
    std::optional<sim::Time> off_cpu_since{};  // while it could run and does not
    bool granted_asleep = false;               // and that from its grant on
  };
  /// Lives on the stack of the task that waits, as struct rwsem_waiter does.
  struct Waiter {
    enum class State {
      running,   // its task does something else
      spinning,  // on its CPU, waiting
      asleep,
      called,  // it has been let in or woken to try, and is on its way
    };

    Task* task;
    LockMode mode;
    sim::Time since;
    State state = State::running;
    bool contends = false;  // it could not take the semaphore at once
    bool holds = false;
    std::size_t first_stretch = 0;  // of its present wait
  };
  /// A stretch of time during which the holders did not change.
  struct Stretch {
    sim::Time from;
    sim::Time to;
    LockBlame blame;
    ClassId first_writer;
  };
  using Fifo = FifoRwsem<Waiter*>;
  using SpinHandoff = SpinHandoffRwsem<Waiter*>;
  using Wakes = RwsemWakes<Waiter*>;

  void tell(const Task& task, LockOperation operation) const;
  void down(Task& current, LockMode mode);
  void down(Fifo& rules, Waiter& waiter);
  void down(SpinHandoff& rules, Waiter& waiter);
  void down_read(SpinHandoff& rules, Waiter& waiter);
  void down_write(SpinHandoff& rules, Waiter& waiter);
  bool optimistic_spin(SpinHandoff& rules, Waiter& waiter);
  void queue_write(SpinHandoff& rules, Waiter& waiter);
  bool spin_on_owner(SpinHandoff& rules, Waiter& waiter);

  void up(Task& current, LockMode mode);
  void release(Fifo& rules, LockMode mode, sim::Time now, Wakes& wakes);
  void release(SpinHandoff& rules, LockMode mode, sim::Time now, Wakes& wakes);
  bool let_a_spinner_in(SpinHandoff& rules, sim::Time now);
  void begin_giving_way(Task& current, LockMode held);
  void admit(Task& current, const Wakes& wakes);

  void contend(Waiter& waiter);
  bool spin(Waiter& waiter, std::optional<sim::Time> until);
  void sleep(Waiter& waiter);
  bool call(Waiter& waiter, sim::Time now);
  void begin_wait(Waiter& waiter, Waiter::State state);
  void end_wait(Waiter& waiter, sim::Time now);
  bool let_in(Waiter& waiter, sim::Time now, std::uint64_t& how);
  void take(Task& task, LockMode mode, sim::Time since, sim::Time now);
  void note_bypass(sim::Time since);
  void end_convoy(sim::Time now);
  void drop(const Task& task);
  [[nodiscard]] Holder* holder(const Task& task);
  void let_spinners_look();
  [[nodiscard]] bool owner_on_cpu() const;
  [[nodiscard]] const Waiter& woken_writer() const;
  void forget_old_stretches();

  [[nodiscard]] std::size_t readers() const {
    return std::visit([](const auto& rules) { return rules.readers(); }, rules_);
  }
  [[nodiscard]] std::optional<Waiter*> first_writer() const {
    return std::visit([](const auto& rules) { return rules.first_writer(); }, rules_);
  }
  RwsemStatistics::Mode& statistics_of(LockMode mode) {
    return mode == LockMode::read ? statistics_.read : statistics_.write;
  }

  std::string name_;
  const Costs& costs_;
  std::variant<Fifo, SpinHandoff> rules_;
  std::vector<Holder> holders_;  // the longest hold first
  std::deque<Waiter*> waiting_;  // whose time goes to the semaphore at present,
                                 // the longest wait first
  std::deque<Stretch> stretches_;
  std::size_t forgotten_ = 0;  // stretches dropped from the front
  sim::Time stretch_start_{};
  std::optional<sim::Time> convoy_since_;
  std::uint64_t convoy_readers_ = 0;  // of the present convoy
  RwsemStatistics statistics_;
};

}  // namespace models
