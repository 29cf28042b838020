// What a semaphore went through in a run. Values only: models/locking/rwsem.h counts them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

#include "models/measure/blame.h"
#include "models/measure/phase.h"
#include "sim/histogram.h"
#include "sim/time.h"
#include "sim/time_series.h"

namespace models {

/// What a semaphore went through, in the terms of lock_stat and perf lock.
struct RwsemStatistics {
  struct Holds {
    ClassId holder;
    Phase call;
    LockMode mode;
    auto operator<=>(const Holds&) const = default;
  };

  /// Times that a holder did not run though it could have, by the mode in which it held.
  struct OffCpu {
    sim::Histogram preempted;  ///< it lost its CPU, to another task or to its group's quota, until it was back
    sim::Histogram granted;    ///< it was granted the semaphore in its sleep, until it ran

    bool operator==(const OffCpu&) const = default;
  };

  /// Who asks for it: a class, what it is doing, and in which mode.
  struct Asker {
    ClassId asker;
    Phase phase;
    LockMode mode;
    auto operator<=>(const Asker&) const = default;
  };

  /// What asking comes to. A wait ends where it does for lock_stat, for the tracepoints mmap_lock_acquire_returned and
  /// contention_end, and for klockstat: when its task runs and has it. So it is longer than the time that goes to
  /// Cause::lock_wait by what it takes to wake up, and to get a CPU.
  struct Waits {
    std::uint64_t acquisitions = 0;      ///< those who wait still included
    sim::Histogram wait;                 ///< of those who had to wait, until they had it and ran
    std::uint64_t waiting = 0;           ///< those who waited still, or did not run yet, when the run ended
    sim::Nanoseconds longest_waiting{};  ///< for so long by then, the longest of them
    sim::Nanoseconds lock_wait{};        ///< of the askers' time: Cause::lock_wait

    [[nodiscard]] std::uint64_t contended() const { return wait.count() + waiting; }
    /// The longest, over or not; 0 without any.
    [[nodiscard]] sim::Nanoseconds longest() const {
      return wait.empty() ? longest_waiting : std::max(wait.max(), longest_waiting);
    }

    void add(const Waits& other);
    bool operator==(const Waits&) const = default;
  };

  std::map<Asker, Waits> asked;
  std::map<Holds, sim::Histogram> hold;
  OffCpu read_off_cpu;
  OffCpu write_off_cpu;
  std::uint64_t handoffs = 0;         ///< times that it went to somebody in the queue
  std::uint64_t writer_bypasses = 0;  ///< times that it went to somebody who had come later than a waiting writer
  std::uint64_t convoys = 0;          ///< times that readers came to queue behind a writer that waits for readers
  std::uint64_t convoy_waits = 0;     ///< readers that did
  sim::Histogram convoy_lengths;      ///< from the first such reader until its writer got in
  std::uint64_t largest_convoy = 0;   ///< readers
  std::size_t longest_queue = 0;      ///< with those who spin
  sim::Nanoseconds total_wait{};      ///< until it was theirs; by the run's length: the mean queue (Little's law)
  sim::TimeSeries queue;              ///< those who queue or spin

  // Not with RwsemFlavour::fifo.
  std::uint64_t steals = 0;        ///< times that it was taken past a queue
  std::uint64_t spins = 0;         ///< times that it went to somebody who spun
  std::uint64_t handoffs_set = 0;  ///< times that the first in the queue had waited too long and got the handoff bit
  sim::Nanoseconds spin_time{};    ///< CPU time that went into spinning

  /// All who asked for it in a mode.
  [[nodiscard]] Waits all(LockMode mode) const;

  bool operator==(const RwsemStatistics&) const = default;
};

}  // namespace models
