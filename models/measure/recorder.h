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

#include "models/measure/measurement.h"
#include "models/measure/phase_log.h"
#include "models/measure/samples.h"
#include "models/measure/worst_request.h"
#include "models/task.h"
#include "sim/distribution.h"
#include "sim/histogram.h"

namespace models {

/// When the requests of one open-loop task are due.
class OpenArrivals {
 public:
  OpenArrivals(sim::Distribution every, sim::Stream demand, sim::Time start)
      : every_(std::move(every)), demand_(demand), last_(start) {}

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
  WorstRequests longest_warm_up{1};  ///< of those that were due in the warm-up
  bool counts_warm_up = false;       ///< its threads come once: all that they do counts, from the start on
  std::uint64_t warm_up = 0;         ///< requests that were due in the warm-up: not among the samples
  std::deque<std::optional<sim::Time>> in_service;  ///< of each of its tasks: when what it serves was due
  std::uint64_t left = 0;                  ///< in the cool-down: requests due by the end that have not been served yet
  std::deque<OpenArrivals> open_arrivals;  ///< of each open-loop task

  [[nodiscard]] bool open_loop() const { return !open_arrivals.empty(); }
  /// When the request that has been in service for longest was due; nothing where there is none.
  [[nodiscard]] std::optional<sim::Time> oldest_in_service() const;
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

  void add_if_long(WorstRequests& longest, sim::Time now, Phase phase) const;

  Task& task_;
  sim::Time due_;
  TimeByCause before_;
};

}  // namespace models
