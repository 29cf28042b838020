// What a class of competitors experienced: the latency of every request, by the phase of the locker in which it was
// due, and where the time went.
//
// Validated by tests/models/measure/recorder_test.cpp; the parts of each sample add up to its latency (asserted on
// every one).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/measure/blame.h"
#include "models/measure/measurement.h"
#include "models/measure/phase_log.h"
#include "models/task.h"
#include "sim/distribution.h"
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
/// Blame is kept by the size of the latency, eight sizes to each power of two, so that the tail's can be told from
/// everybody's: the slowest 1 % are found to within an eighth of an octave of their shortest.
class Samples {
 public:
  /// Preconditions: the parts add up to the latency; `lock_times` to their lock_wait.
  void record(sim::Nanoseconds latency, const TimeByCause& parts, const LockTimes& lock_times);
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

/// The longest requests, the longest first, the earlier first of two that are as long.
class WorstRequests {
 public:
  static constexpr std::size_t kMost = 32;

  /// Whether a request of this latency would be among them.
  [[nodiscard]] bool admits(sim::Nanoseconds latency) const {
    return requests_.size() < kMost || latency > requests_.back().latency;
  }
  /// Precondition: admits its latency.
  void add(WorstRequest request);
  [[nodiscard]] const std::vector<WorstRequest>& requests() const { return requests_; }

 private:
  std::vector<WorstRequest> requests_;
};

/// When the requests of one open-loop task are due.
class OpenArrivals {
 public:
  OpenArrivals(sim::Distribution every, sim::Stream demand, sim::Time start)
      : every_(std::move(every)), demand_(std::move(demand)), last_(start) {}

  /// When the next request is due.
  sim::Time next() {
    begun_ = false;
    return last_ += every_.sample(demand_);
  }
  void begin() { begun_ = true; }
  /// Whether the request asked for last was due by `end` and has not begun: its thread waits to run.
  [[nodiscard]] bool waking(sim::Time end) const { return !begun_ && last_ <= end; }
  /// How many requests beyond those asked for are due by `end`.
  [[nodiscard]] std::uint64_t left_until(sim::Time end) const;
  /// How many requests due by `end` are lost if the one asked for last could not be served, and nobody asks again.
  [[nodiscard]] std::uint64_t given_up(sim::Time end) const { return left_until(end) + (last_ <= end ? 1 : 0); }
  /// Nobody will ask for more: its process has ended.
  void stop() { stopped_ = true; }

 private:
  sim::Distribution every_;
  sim::Stream demand_;
  sim::Time last_;
  bool stopped_ = false;
  bool begun_ = true;
};

/// All samples of a class.
struct ClassRecord {
  std::array<Samples, kPhaseCount> during;
  WorstRequests worst;
  std::uint64_t warm_up = 0;               ///< requests that were due in the warm-up: not among the samples
  std::uint64_t in_service = 0;            ///< requests begun and not yet ended
  std::uint64_t left = 0;                  ///< in the cool-down: requests due by the end that have not been served yet
  std::deque<OpenArrivals> open_arrivals;  ///< of each open-loop task

  [[nodiscard]] bool open_loop() const { return !open_arrivals.empty(); }
  /// Requests due by `end`, which is now, that have not been served.
  [[nodiscard]] std::uint64_t unfinished(sim::Time end) const;
  /// `count` of those left in the cool-down have been served, or never will be.
  void take_off(Measurement& measurement, std::uint64_t count);
};

/// One request of a task, from when it was due until end().
class Request {
 public:
  /// A request that begins at this moment.
  explicit Request(Task& task);
  /// A request that was due at `due`, at or before now, while the task was busy with earlier ones. What it did for
  /// them since then is what this one waited for.
  static Request overdue(Task& task, sim::Time due);
  /// A request that becomes due at `due`, in the future: sleeps until then.
  static Request sleep_until(Task& task, sim::Time due);

  [[nodiscard]] sim::Time due() const { return due_; }
  /// Ends it and records it by the phase of `phases` at the time it was due, if it counts
  /// (models/measure/measurement.h).
  void end(ClassRecord& record, const PhaseLog& phases);

 private:
  Request(Task& task, sim::Time due, const TimeByCause& before);

  Task& task_;
  sim::Time due_;
  TimeByCause before_;
};

}  // namespace models
