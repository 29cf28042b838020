// What a scenario expects of its results: conditions that `run`, `compare` and `sweep` check, so that what a policy
// promised stays true.
//
//   expect:
//     - p99(faulter) > 1s                                  # under every policy that is run
//     - max(mapper, linux-6.17) < 0.3 * max(mapper, linux-6.4)
//     - max(locker.exit) > 60s                             # of a locker: its calls
//
// The grammar is that of studies (expression.h). Here they are read, and what they name is looked up in the scenario;
// whether they hold is for compare/expectation_check.h.
// Validated by tests/experiments/scenario/expectation_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "experiments/base/expression.h"
#include "experiments/scenario/yaml_reader.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"

namespace experiments {

struct Expectation {
  Expression condition;
  std::string text;  ///< as it is written

  /// The policies that it names, each once.
  [[nodiscard]] std::vector<std::string> policies() const;
};

/// What is wrong with a measure, as a condition's or another's of this scenario: a class, phase or call that it has
/// not. `policies`: the names that may be used. Empty: nothing.
[[nodiscard]] std::string mistake_in(const Measure& measure, const models::Scenario& scenario,
                                     const std::vector<std::string>& policies);

/// Reads the list. `policies`: the names that may be used. Mistakes become diagnostics at the item: what cannot be
/// parsed, is no condition, or names what is not there.
[[nodiscard]] std::vector<Expectation> read_expectations(const YamlField& field, const models::Scenario& scenario,
                                                         const std::vector<std::string>& policies);

}  // namespace experiments
