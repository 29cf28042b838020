// What a study wants to be run next, as a pure function of what has been run: so a sweep can be stopped at any moment,
// taken up again or shared, and does the same runs in the end.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "experiments/study/study_plan.h"
#include "experiments/study/study_results.h"

namespace experiments {

/// A part of a study for one of several machines: every `of`-th point (of a search: every `of`-th line of points).
struct Shard {
  std::size_t number = 1;  ///< from 1
  std::size_t of = 1;
};

/// Whether the runs wanted depend on results: a search, or a precision to be reached.
[[nodiscard]] bool is_adaptive(const Study& study);

/// How many replications of each point are wanted by now, 0 for points that are not. `results`: what is known; only
/// adaptive studies look at it.
[[nodiscard]] std::vector<int> wanted_replications(const StudyPlan& plan, const StudyResults& results,
                                                   const Shard& shard);

/// Whether the mean over the first `replications` of every policy is known to within `precision` of itself.
[[nodiscard]] bool is_precise(const PointOutcomes& point, const Measure& measure, int replications, double precision);

}  // namespace experiments
