// What a class of competitors experienced: the latency of every request, by the phase of the locker in which it was
// due, and where the time went.
//
// Validated by tests/recorder_test.cpp; the parts of each sample add up to its latency (asserted on every one).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/blame.h"
#include "models/phase_log.h"
#include "models/task.h"
#include "sim/histogram.h"

namespace models {

/// Sums of where time went.
struct Blame {
  std::uint64_t count = 0;
  TimeByCause causes{};
  std::map<LockBlame, sim::Nanoseconds> lock_waits;  ///< what Cause::lock_wait consists of

  void add(const Blame& other);
  bool operator==(const Blame&) const = default;
};

/// The samples of one class in one phase.
///
/// Blame is kept by the power of two of the latency, so that the tail's can be told from everybody's.
class Samples {
 public:
  void record(sim::Nanoseconds latency, const TimeByCause& parts, const LockWaits& lock_waits);
  void merge(const Samples& other);

  [[nodiscard]] const sim::Histogram& latency() const { return latency_; }
  /// Of all samples.
  [[nodiscard]] Blame blame() const { return blame_from(sim::Nanoseconds{0}); }
  /// Of the samples at least as long as the power of two that is not above `latency`.
  [[nodiscard]] Blame blame_from(sim::Nanoseconds latency) const;

  /// For storing and restoring.
  [[nodiscard]] const std::map<int, Blame>& blame_by_power() const { return blame_by_power_; }
  static Samples restore(sim::Histogram latency, std::map<int, Blame> blame_by_power);

  bool operator==(const Samples&) const = default;

 private:
  sim::Histogram latency_;
  std::map<int, Blame> blame_by_power_;  // by the bit width of the latency
};

/// All samples of a class.
struct ClassRecord {
  std::array<Samples, kPhaseCount> during;
  std::uint64_t unfinished = 0;  ///< due before the end of the run and not served by then
  bool open_loop = false;
};

/// One request of a task, from when it was due until end().
class Request {
 public:
  /// A request that begins at this moment.
  explicit Request(Task& task);
  /// A request that was due at `due`, at or before now, while the task was busy with others.
  static Request overdue(Task& task, sim::Time due);
  /// A request that becomes due at `due`, in the future: sleeps until then.
  static Request sleep_until(Task& task, sim::Time due);

  /// Ends it and records it by the phase of `phases` at the time it was due.
  void end(ClassRecord& record, const PhaseLog& phases);

 private:
  Request(Task& task, sim::Time due, sim::Nanoseconds backlog);

  Task& task_;
  sim::Time due_;
  sim::Nanoseconds backlog_;
  TimeByCause before_;
};

}  // namespace models
