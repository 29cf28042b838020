// What a scenario expects of its results: conditions that `run`, `compare` and `sweep` check, so that what a policy
// promised stays true.
//
//   expect:
//     - p99(faulter) > 1s                                  # under every policy that is run
//     - max(mapper, linux-6.17) < 0.3 * max(mapper, linux-6.4)
//     - max(locker.exit) > 60s                             # of a locker: its calls
//
// The grammar is that of studies (expression.h). A figure is the mean over the replications of each run's own, as in
// studies; a condition holds if it does with these. A percentile with too few samples behind it, in any replication,
// makes it undecidable, and undecidable is never a pass.
// Validated by tests/experiments/scenario/expectation_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/base/expression.h"
#include "experiments/base/json.h"
#include "experiments/base/statistics.h"
#include "experiments/scenario/yaml_reader.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"

namespace experiments {

struct PointOutcomes;

struct Expectation {
  Expression condition;
  std::string text;       ///< as it is written
  bool of_calls = false;  ///< it asks for a locker's calls

  /// The policies that it names, each once.
  [[nodiscard]] std::vector<std::string> policies() const;
};

/// Reads the list. `policies`: the names that may be used. Mistakes become diagnostics at the item: what cannot be
/// parsed, is no condition, or names what is not there.
[[nodiscard]] std::vector<Expectation> read_expectations(const YamlField& field, const models::Scenario& scenario,
                                                         const std::vector<std::string>& policies);

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
  std::string reason{};  ///< why it is not_checked
};

/// Checks all against results, by policy in the order of `policies`: a condition without a policy under each of them.
[[nodiscard]] std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                               const std::vector<std::string>& policies,
                                                               const std::vector<std::vector<models::Result>>& results);
/// The same against what a study's store knows of a point. Without the policies that have not been run, and without the
/// calls of lockers, which a store does not keep, a condition is not_checked.
[[nodiscard]] std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                               const PointOutcomes& point);

/// Whether none has failed or is undecidable.
[[nodiscard]] bool all_hold(const std::vector<ExpectationCheck>& checks);

/// A heading and a line each; empty where there are none.
[[nodiscard]] std::string to_text(const std::vector<ExpectationCheck>& checks);
[[nodiscard]] Json to_json(const std::vector<ExpectationCheck>& checks);

}  // namespace experiments
