// A scenario run for real beside the same simulated: how far off the model is.
//
// Each class by what the lockers were doing when its requests were due, each call of the lockers, and who waits for
// whom. Percentiles count where both sides have samples enough (sim/histogram.h), the longest from as many as p50
// needs. Validated by tests/experiments/host/validation_test.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/host/real_result.h"
#include "models/measure/phase.h"
#include "models/measure/result.h"
#include "sim/histogram.h"
#include "sim/time.h"

namespace experiments {

/// Latencies of one thing, real and simulated. All sittings, and as many replications, together.
struct ComparedTimes {
  std::string name;                      ///< of a class or a call
  std::optional<models::Phase> phase{};  ///< of a class; none: a call of lockers
  sim::Histogram real{};
  sim::Histogram simulated{};
  std::vector<sim::Histogram> by_sitting{};
  std::uint64_t real_errors = 0;  ///< of a call: how often it failed
  std::uint64_t simulated_errors = 0;
};

/// How much of the time that the lockers spent in a call a class waited for it: 1 for who waits from its beginning to
/// its end, 0 for who is not held up. (The time of its requests that were due then, less as many times the median of
/// those due in `idle`) / (the calls' time x the class's threads); in open loop it may be more than 1.
struct WaitShare {
  std::string name;  ///< of a class
  models::Phase call{};
  double real = 0;
  double simulated = 0;

  /// Both wait, or neither: by whether it is more than a fifth.
  [[nodiscard]] bool agrees() const;
};

/// Over all statistics of all latencies for which there are samples enough.
struct ValidationScore {
  std::size_t figures = 0;
  double median = 0;  ///< of the factors by which simulated and real differ, 1 or more
  double worst = 0;
  std::string worst_of{};
  double within_10 = 0;  ///< the share of figures that differ by 10 % of the real one at most
  double within_25 = 0;
  double within_50 = 0;
};

struct Validation {
  std::vector<ComparedTimes> times;
  std::vector<WaitShare> waits;
  ValidationScore score;
};

/// `simulated`: replications of the same workload, as many as there are sittings.
[[nodiscard]] Validation compare_with_real(const RealResult& real, const std::vector<models::Result>& simulated);

/// Simulated in multiples of real, of a statistic by name (`p99`, `max`); nothing where one of them has too few
/// samples.
[[nodiscard]] std::optional<double> ratio_of(const ComparedTimes& times, std::string_view statistic);

/// The statistics that are compared.
inline constexpr std::array<std::string_view, 5> kComparedStatistics{"p50", "p90", "p99", "p999", "max"};

/// What `validate` prints: a table for each of the times, who waits for whom, the score. 80 columns.
[[nodiscard]] std::string to_text(const Validation& validation);

/// What was compared.
struct ValidatedRun {
  std::string scenario{};
  std::string policy{};   ///< that was simulated, on
  std::string machine{};  ///< whose costs are
  bool calibrated = false;
  std::string kernel{};  ///< of the real machine
  int cpus = 1;
  std::size_t sittings = 0;
  sim::Nanoseconds length{};  ///< of all sittings
};

[[nodiscard]] std::string to_json_text(const Validation& validation, const ValidatedRun& ran);

}  // namespace experiments
