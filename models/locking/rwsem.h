// A readers-writer semaphore that tasks take, with what it costs and what became of it: mmap_sem; and, taken for write
// only, a mutex of user space.
//
// Models what surrounds the rules of a flavour (models/locking/rwsem_*.h, one file each). An operation that finds the
// semaphore free costs an atomic instruction. Who queues gives its CPU away and is woken: the waker pays try_to_wake_up
// for each waiter in turn, the woken pays wake-up latency and its wait for a CPU. Who spins keeps its CPU, and tries as
// soon as it has seen the release; whoever takes the semaphore before that, the one who gave it up included, was
// faster: mlock's change from the lock for write to the one for read, within some tens of nanoseconds, lets no spinner
// in (seen on 6.18), two system calls in a row do. Kernel. fifo: lib/rwsem.c of 2.6.28. Ownership passes when it is
// granted, so a waiter holds the semaphore while it still waits to be woken and to get a CPU. In all later flavours
// that is so for readers only; a writer that was woken from the queue tries when it runs. writer_steal: lib/rwsem.c
// of 3.10. writer_spin: kernel/locking/rwsem-xadd.c of 4.5. reader_spin and spin_handoff: kernel/locking/rwsem.c
// of 5.10 and 6.1. Simplified. A woken writer's try costs nothing of its own; no waiter is interrupted by a signal. A
// task that is being brought back to a CPU counts as on it. A spinner whose CPU stands still
// (models/sched/interruptions.h) misses a release, and so do those behind it in line, which don't look whether its
// hypervisor has taken it (osq_lock since 4.10). Assumed. When a release finds readers at the head of the
// queue and a writer that spins, the spinner's compare-and-exchange races with the releaser's way to grant it to the
// readers: who wins is drawn, evenly (kQueueBeatsSpinnerOnceIn), from a stream of the semaphore's own. With a writer at
// the head there is no such race: that one is only woken. Validated by tests/models/locking/rwsem_test.cpp,
// tests/models/locking/rwsem_spin_handoff_tasks_test.cpp and tests/models/locking/rwsem_flavours_test.cpp: closed forms
// of waits, spins and wake-ups, waits charged without remainder.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "models/locking/cache_line.h"
#include "models/locking/rwsem_fifo.h"
#include "models/locking/rwsem_queue.h"
#include "models/locking/rwsem_reader_spin.h"
#include "models/locking/rwsem_spin_handoff.h"
#include "models/locking/rwsem_writer_spin.h"
#include "models/locking/rwsem_writer_steal.h"
#include "models/measure/blame.h"
#include "models/measure/ledger.h"
#include "models/measure/lock_statistics.h"
#include "models/measure/lock_stretches.h"
#include "models/measure/observer.h"
#include "models/spec/machine.h"
#include "models/spec/policy.h"
#include "sim/histogram.h"
#include "sim/random.h"
#include "sim/time_series.h"

namespace models {

class Task;

/// Every operation settles the caller's clock first. down_* return when the caller holds the semaphore and runs.
class Rwsem {
 public:
  struct Settings {
    RwsemFlavour flavour = RwsemFlavour::fifo;
    sim::Nanoseconds tick = std::chrono::milliseconds{4};  ///< 1/HZ
    std::uint64_t seed = 1;                                ///< of the races between a spinner and the queue
    std::string_view owner{};                              ///< whose it is: names its random stream
    LockKind kind = LockKind::mmap_sem;
  };

  Rwsem(std::string name, const Costs& costs, const Settings& settings);
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
  /// Somebody queues or spins.
  [[nodiscard]] bool is_wanted() const { return is_contended() || spinners() > 0; }
  [[nodiscard]] bool is_free() const { return holders_.empty(); }
  [[nodiscard]] bool held_by(const Task& current, LockMode mode) const;
  [[nodiscard]] bool write_held() const { return !holders_.empty() && holders_.front().mode == LockMode::write; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const RwsemStatistics& statistics() const { return statistics_; }

  /// Who waits at this moment, and for whom: a line for each, such as "a waits for mmap_sem, which b and c hold".
  [[nodiscard]] std::string waits() const;
  /// The statistics with those who wait at this moment.
  [[nodiscard]] RwsemStatistics statistics_with_waiters(sim::Time now);
  /// Calls wait(task, blame, time) with what those who wait at this moment have waited for until now.
  template <class Wait>
  void for_each_open_wait(sim::Time now, Wait wait) {
    charge_waits(now);
    for (const Waiter* waiter : waiting_) {
      const LockStretches::Wait open = stretches_.since(waiter->began, waiter->mode);
      open.for_each_sum([&](const LockBlame& blame, sim::Nanoseconds time) { wait(*waiter->task, blame, time); });
    }
  }

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
    RwsemStatistics::Waits* statistics;  // of those like it
    State state = State::running;
    bool contends = false;  // it could not take the semaphore at once
    bool holds = false;
    LockStretches::Place began = 0;  // its present wait
  };
  using Fifo = FifoRwsem<Waiter*>;
  using WriterSteal = WriterStealRwsem<Waiter*>;
  using WriterSpin = WriterSpinRwsem<Waiter*>;
  using ReaderSpin = ReaderSpinRwsem<Waiter*>;
  using SpinHandoff = SpinHandoffRwsem<Waiter*>;
  using Rules = std::variant<Fifo, WriterSteal, WriterSpin, ReaderSpin, SpinHandoff>;
  using Wakes = RwsemWakes<Waiter*>;

  static Rules rules_of(const Settings& settings);
  void tell(const Task& task, LockOperation operation) const;

  void down(Task& current, LockMode mode);
  void use_line(Task& current);
  void acquire(Task& current, LockMode mode, sim::Time now);
  void down(Fifo& rules, Waiter& waiter);
  template <WritersTry<Waiter*> R>
  void down(R& rules, Waiter& waiter);
  template <WritersTry<Waiter*> R>
  void down_read(R& rules, Waiter& waiter);
  template <ReadersSpin<Waiter*> R>
  void down_read(R& rules, Waiter& waiter);
  template <ReadersSpin<Waiter*> R>
  bool spin_to_read(R& rules, Waiter& waiter);
  template <WritersTry<Waiter*> R>
  bool spin_to_write(R& rules, Waiter& waiter);
  template <WritersSpin<Waiter*> R>
  bool optimistic_spin(R& rules, Waiter& waiter);
  void react(Task& current);
  template <WritersSpin<Waiter*> R>
  bool spin_round(R& rules, Waiter& waiter, std::optional<sim::Time>& limit);
  template <WritersSpin<Waiter*> R>
  void got_it_by_spinning(R& rules, Waiter& waiter, Wakes& wakes);
  void finish_read(Waiter& waiter, RwsemRead outcome, const Wakes& wakes);
  template <WritersTry<Waiter*> R>
  void queue_write(R& rules, Waiter& waiter);
  template <WritersTry<Waiter*> R>
  RwsemTry try_queued_write(R& rules, Waiter& waiter, sim::Time now);
  bool spin_on_owner(Waiter& waiter);

  void up(Task& current, LockMode mode);
  void release(Fifo& rules, LockMode mode, sim::Time now, Wakes& wakes);
  template <WritersTry<Waiter*> R>
  void release(R& rules, LockMode mode, sim::Time now, Wakes& wakes);
  template <WritersSpin<Waiter*> R>
  void release_to_spinners(R& rules, bool must_wake, sim::Time now, Wakes& wakes);
  template <WritersSpin<Waiter*> R>
  bool spinner_beats_queue(const R& rules);
  template <WritersTry<Waiter*> R>
  void wake(R& rules, sim::Time now, Wakes& wakes);
  template <WritersSpin<Waiter*> R>
  bool let_spinning_head_in(R& rules, sim::Time now);
  void await_first_spinner(sim::Time now);
  void downgrade(Fifo& rules, Wakes& wakes);
  template <WritersTry<Waiter*> R>
  void downgrade(R& rules, Wakes& wakes);
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
  [[nodiscard]] std::size_t number_of_holder(const Task& task) const;
  [[nodiscard]] Holder* holder(const Task& task);
  void let_spinners_look();
  [[nodiscard]] std::size_t spinners() const;
  [[nodiscard]] bool owner_on_cpu() const;
  [[nodiscard]] const Waiter& next_owner() const;
  [[nodiscard]] Waiter* first_spinner() const;

  [[nodiscard]] std::size_t readers() const {
    return std::visit([](const auto& rules) { return rules.readers(); }, rules_);
  }
  [[nodiscard]] std::optional<Waiter*> first_writer() const {
    return std::visit([](const auto& rules) { return rules.first_writer(); }, rules_);
  }

  std::string name_;
  LockKind kind_;
  const Costs& costs_;
  CacheLine line_;
  Rules rules_;
  sim::Stream races_;
  std::deque<Holder> holders_;       // the longest hold first
  std::deque<Waiter*> waiting_;      // whose time goes to the semaphore at present, the longest wait first
  std::vector<Waiter*> contending_;  // who could not take it at once, and has not got it
  LockStretches stretches_;          // during each the holders did not change
  sim::Time stretch_start_{};
  std::optional<sim::Time> convoy_since_;
  std::uint64_t convoy_readers_ = 0;  // of the present convoy
  RwsemStatistics statistics_;
};

}  // namespace models
