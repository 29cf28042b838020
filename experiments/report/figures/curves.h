// Whole distributions of latency, one for each policy, or a few over each other.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "experiments/report/figures/captions.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/figures/styles.h"
#include "experiments/report/report_data.h"
#include "experiments/run/coarse_histogram.h"

namespace experiments {

struct LatencyCurve {
  std::string name;         ///< of the policy
  CoarseHistogram latency;  ///< of all runs at a point; not empty
};

/// Of each policy that has requests at the focus.
[[nodiscard]] std::vector<LatencyCurve> curves_of(const ReportData& data, const Focus& focus,
                                                  const ClassAndCall& where);
/// Why there are none.
[[nodiscard]] std::string no_curves(const ReportData& data);

/// The shortest and the longest latency. At least one curve.
[[nodiscard]] std::pair<double, double> range_of(const std::vector<LatencyCurve>& curves);

/// Which share of each takes longer than a latency: the data, the axes, and a curve for each, drawn as `styles` has it
/// by name. The plot has four columns: a name, `latency_ns`, `share_longer`, `requests_longer`. At least one curve.
void draw_ccdf(PlotBuilder& plot, const std::vector<LatencyCurve>& curves,
               const std::map<std::string, PolicyStyle>& styles);

}  // namespace experiments
