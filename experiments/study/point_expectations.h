// What a scenario expects (scenario/expectation.h), held against what a study's store knows of a point.
// Validated by tests/experiments/study/point_expectations_test.cpp.
#pragma once

#include <vector>

#include "experiments/compare/expectation_check.h"
#include "experiments/study/study_results.h"

namespace experiments {

/// Checks all against the runs of a point that are done and did not run out of memory. Where a policy has none, a
/// condition on it is not_checked.
[[nodiscard]] std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                               const PointOutcomes& point);

}  // namespace experiments
