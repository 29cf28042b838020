// A readers-writer semaphore that tasks take, with what it costs and what became of it: mmap_sem.
//
// Models what surrounds the rules of models/rwsem_fifo.h. An operation that finds the semaphore free costs an atomic
// instruction. Everybody else queues, gives its CPU away and is woken by whoever grants: the waker pays
// try_to_wake_up for each waiter in turn, the woken pays wake-up latency and its wait for a CPU.
// Kernel. lib/rwsem.c of 2.6.28. Ownership passes when it is granted, so a reader holds the semaphore while it
// still waits to be woken and to get a CPU.
// Simplified. The wait list's spinlock costs nothing of its own; no waiter is interrupted by a signal.
// Validated by tests/rwsem_test.cpp: closed forms of waits and wake-ups, waits charged without remainder.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/blame.h"
#include "models/machine.h"
#include "models/rwsem_fifo.h"
#include "sim/histogram.h"

namespace models {

class Task;

/// What a semaphore went through, in the terms of lock_stat and perf lock.
struct RwsemStatistics {
  struct Mode {
    std::uint64_t acquisitions = 0;
    std::uint64_t contended = 0;
    sim::Histogram wait;  ///< of the contended ones, from queueing until granted

    bool operator==(const Mode&) const = default;
  };
  struct Holds {
    ClassId holder;
    Phase call;
    LockMode mode;
    auto operator<=>(const Holds&) const = default;
  };

  Mode read;
  Mode write;
  std::map<Holds, sim::Histogram> hold;
  std::uint64_t handoffs = 0;      ///< grants to a waiter
  std::uint64_t convoys = 0;       ///< times that readers came to queue behind a writer that waits for readers
  std::uint64_t convoy_waits = 0;  ///< readers that did
  sim::Nanoseconds convoy_time{};  ///< from the first such reader until its writer got in
  std::size_t longest_queue = 0;
  sim::Nanoseconds total_wait{};  ///< over the run's length: the mean queue length (Little's law)
};

/// Every operation settles the caller's clock first. down_* return when the caller holds the semaphore and runs.
class Rwsem {
 public:
  Rwsem(std::string name, const Costs& costs) : name_(std::move(name)), costs_(costs) {}
  Rwsem(const Rwsem&) = delete;
  Rwsem& operator=(const Rwsem&) = delete;

  void down_read(Task& current) { down(current, LockMode::read); }
  void down_write(Task& current) { down(current, LockMode::write); }
  /// Precondition: `current` holds it for read.
  void up_read(Task& current);
  /// Precondition: `current` holds it for write.
  void up_write(Task& current);
  /// Precondition: `current` holds it for write; afterwards it holds it for read.
  void downgrade_write(Task& current);

  /// rwsem_is_contended: somebody queues.
  [[nodiscard]] bool is_contended() const { return rules_.queue_length() > 0; }
  [[nodiscard]] bool held_by(const Task& current, LockMode mode) const;
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const RwsemStatistics& statistics() const { return statistics_; }

  /// Charges the waits until `now` to the holders as they are: to be called before anything about them changes.
  void charge_waits(sim::Time now);

 private:
  struct Holder {
    Task* task;
    LockMode mode;
    sim::Time since;
  };
  /// Lives on the stack of the task that waits, as struct rwsem_waiter does.
  struct Waiter {
    Task* task;
    LockMode mode;
    sim::Time since;
    std::size_t first_stretch;
  };
  /// A stretch of time during which the holders did not change.
  struct Stretch {
    sim::Time from;
    sim::Time to;
    LockBlame blame;
    ClassId first_writer;
  };
  using Granted = std::vector<Waiter*>;

  void down(Task& current, LockMode mode);
  void wait(Task& current, Waiter& waiter);
  void begin_giving_way(Task& current, LockMode held);
  void admit(Task& current, const Granted& granted);
  void end_wait(const Waiter& waiter, sim::Time now);
  void take(Task& task, LockMode mode, sim::Time now);
  void drop(const Task& task);
  void forget_old_stretches();
  RwsemStatistics::Mode& statistics_of(LockMode mode) {
    return mode == LockMode::read ? statistics_.read : statistics_.write;
  }

  std::string name_;
  const Costs& costs_;
  FifoRwsem<Waiter*> rules_;
  std::vector<Holder> holders_;  // the longest hold first
  std::deque<Stretch> stretches_;
  std::size_t forgotten_ = 0;  // stretches dropped from the front
  sim::Time stretch_start_{};
  std::optional<sim::Time> convoy_since_;
  RwsemStatistics statistics_;
};

}  // namespace models
