// How much work a study is, before it is done.
#pragma once

#include <filesystem>
#include <string>

#include "experiments/study/study_plan.h"

namespace experiments {

/// A few lines: points, runs, and the time they take on this machine. From the runs in the store in the folder `store`,
/// if there are any, or else from one run of the first point, which is done for this (at most 10 s long), and then says
/// so. Throws InputError if a point's scenario is bad.
[[nodiscard]] std::string estimate(StudyPlan& plan, const std::filesystem::path& store);

}  // namespace experiments
