// Whole distributions of latency, one for each policy.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/report/figures/captions.h"
#include "experiments/report/report_data.h"
#include "experiments/run/coarse_histogram.h"

namespace experiments {

struct PolicyCurve {
  std::string policy;
  CoarseHistogram latency;  ///< of all runs at a point; not empty
};

/// Of each policy that has requests at the focus.
[[nodiscard]] std::vector<PolicyCurve> curves_of(const ReportData& data, const Focus& focus, const ClassAndCall& where);
/// Why there are none.
[[nodiscard]] std::string no_curves(const ReportData& data);

/// The shortest and the longest latency. At least one curve.
[[nodiscard]] std::pair<double, double> range_of(const std::vector<PolicyCurve>& curves);
[[nodiscard]] double most_requests(const std::vector<PolicyCurve>& curves);

}  // namespace experiments
