// What a class went through in one phase: the latency of every request and where the time went; and its longest ones.
//
// Values only: what records them is models/measure/recorder.h.
// Validated by tests/models/measure/recorder_test.cpp; the parts of each sample add up to its latency (asserted on
// every one).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/measure/blame.h"
#include "models/measure/phase.h"
#include "sim/histogram.h"
#include "sim/time.h"

namespace models {

/// The samples of one class in one phase.
///
/// Blame is kept by the size of the latency, eight sizes to each power of two, so that the tail's can be told from
/// everybody's: the slowest 1 % are found to within an eighth of an octave of their shortest.
class Samples {
 public:
  /// Precondition: the parts add up to the latency. Returns the sums that its lock_wait is to be added to, by whom it
  /// was for: they stay where they are as long as these samples do. Throws std::overflow_error, as does merge, where
  /// the sum of all latencies is more than sim::Nanoseconds::max().
  LockTimes& record(sim::Nanoseconds latency, const TimeByCause& parts);
  void merge(const Samples& other);

  [[nodiscard]] const sim::Histogram& latency() const { return latency_; }
  /// Of all samples.
  [[nodiscard]] Blame blame() const { return blame_from(sim::Nanoseconds{0}); }
  /// Of the samples that are at least of the size of `latency`.
  [[nodiscard]] Blame blame_from(sim::Nanoseconds latency) const;
  /// Where the tail begins: the highest of p99.9, p99, p90 and p50 that has samples enough behind it, or else the
  /// maximum. Precondition: there are samples.
  [[nodiscard]] sim::Nanoseconds tail_start() const;

  /// For storing and restoring.
  [[nodiscard]] const std::map<int, Blame>& blame_by_size() const { return blame_by_size_; }
  static Samples restore(sim::Histogram latency, std::map<int, Blame> blame_by_size);

  bool operator==(const Samples&) const = default;

 private:
  sim::Histogram latency_;
  std::map<int, Blame> blame_by_size_;  // by the size of the latency
};

/// A stretch of a request's time: what it went into, and because of whom if that is waiting for a semaphore.
struct WorstStep {
  sim::Time from;
  sim::Time to;
  Cause cause{};
  std::optional<LockBlame> lock;

  bool operator==(const WorstStep&) const = default;
};

/// One of the longest requests of a class.
struct WorstRequest {
  std::string task;
  sim::Time due;
  sim::Nanoseconds latency{};
  Phase phase{};                 ///< of the locker, when it was due
  std::vector<WorstStep> steps;  ///< in the order of time: those of at least a hundredth of the latency
  TimeByCause rest{};            ///< what the others come to; with the steps this is the latency

  bool operator==(const WorstRequest&) const = default;
};

}  // namespace models
