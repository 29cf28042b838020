// Stalls that the table cannot show: requests that are not among its samples, and longer than all that are.
//
// What was due in the warm-up is left out of the samples, as the first crowd is nobody's workload; and what was due
// before the end of the run but had no answer by the end of the cool-down has no latency
// (models/measure/measurement.h). Either can be the outage that somebody came with: it is told above the table, with
// what it waited for. So is a locker that waited for a lock still when the run ended.
#pragma once

#include <string>

#include "experiments/compare/comparison.h"

namespace experiments {

/// For each policy and class the longest of those requests, of all replications, if it took judgement::kStall and
/// judgement::kPlainChange times the longest that counts; a paragraph that ends with an empty line. Empty where there
/// is none.
[[nodiscard]] std::string hidden_stalls(const Comparison& comparison);

}  // namespace experiments
