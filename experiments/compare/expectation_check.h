// Whether what a scenario expects of its results (scenario/expectation.h) holds.
//
// A figure is the mean over the replications of each run's own, as in studies; a condition holds if it does with these.
// A percentile with too few samples behind it, in any replication, makes it undecidable, and so does a division by
// zero; undecidable is never a pass. Where the figures come from is a Lookup's matter: results of runs here, a study's
// store in study/point_expectations.h. Validated by tests/experiments/compare/expectation_check_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/expression.h"
#include "experiments/base/json.h"
#include "experiments/base/statistics.h"
#include "experiments/compare/out_of_memory.h"
#include "experiments/scenario/expectation.h"
#include "models/simulation.h"
#include "sim/histogram.h"

namespace experiments {

/// One replication's figure.
struct FigureSample {
  std::optional<double> value;  ///< nothing: too few samples
  std::uint64_t samples = 0;
  MemoryEnd out_of_memory{};  ///< of its run
};

/// Those of all replications under the measure's policy; nothing where none was run under it.
using FigureLookup = std::function<std::optional<std::vector<FigureSample>>(const Measure&)>;

/// One figure of a condition, over all replications.
struct MeasuredFigure {
  Measure measure;
  std::optional<double> value{};       ///< nothing: too few samples
  std::optional<Interval> interval{};  ///< with two replications or more
  std::uint64_t samples = 0;           ///< of the replication that has fewest
  std::uint64_t needed = 1;            ///< that the statistic takes
};

enum class Holds { yes, no, undecidable, not_checked };

/// A condition, checked.
struct ExpectationCheck {
  std::string text;
  std::string policy;  ///< that it was checked under where it names none; empty where it names its own
  Holds holds = Holds::not_checked;
  std::vector<MeasuredFigure> figures{};
  std::vector<OutOfMemory> out_of_memory{};  ///< by policy: its figures end there
  std::string reason{};                      ///< why it is not_checked, or undecidable though there are samples enough
};

/// All latencies that a measure is of; of a locker's call how long the calls took. Empty where there are none.
[[nodiscard]] sim::Histogram latency_of(const models::Result& result, const Measure& measure);

/// Checks all against what `lookup` knows, by policy in the order of `policies`: a condition without a policy under
/// each of them. One that needs a policy which was not run is not_checked.
[[nodiscard]] std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                               const std::vector<std::string>& policies,
                                                               const FigureLookup& lookup);
/// The same against results, by policy in the order of `policies`.
[[nodiscard]] std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                               const std::vector<std::string>& policies,
                                                               const std::vector<std::vector<models::Result>>& results);

/// Whether none has failed or is undecidable.
[[nodiscard]] bool all_hold(const std::vector<ExpectationCheck>& checks);

/// A heading and a line each; empty where there are none.
[[nodiscard]] std::string to_text(const std::vector<ExpectationCheck>& checks);
[[nodiscard]] Json to_json(const std::vector<ExpectationCheck>& checks);

}  // namespace experiments
