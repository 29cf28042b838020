#include "experiments/report/figures/curves.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace experiments {

namespace {

CoarseHistogram pooled(const ReportData& data, std::size_t point, const std::string& policy,
                       const ClassAndCall& where) {
  CoarseHistogram all;
  for (const std::string& run : data.runs(point, policy)) {
    const RunDetails details = data.details(run);
    const auto found = details.distributions.find(where);
    if (found != details.distributions.end()) all.merge(found->second);
  }
  return all;
}

}  // namespace

std::vector<PolicyCurve> curves_of(const ReportData& data, const Focus& focus, const ClassAndCall& where) {
  std::vector<PolicyCurve> curves;
  for (const std::string& policy : data.policies) {
    PolicyCurve curve{policy, pooled(data, focus.point, policy, where)};
    if (curve.latency.count() > 0) curves.push_back(std::move(curve));
  }
  return curves;
}

std::string no_curves(const ReportData& data) {
  return data.keeps_distributions
             ? "the runs shown here ended before distributions were kept: remove them from the store and sweep again"
             : "the store is of schema version 1 and keeps percentiles only; `mlocksim sweep` into a new folder keeps "
               "whole distributions";
}

std::pair<double, double> range_of(const std::vector<PolicyCurve>& curves) {
  double low = std::numeric_limits<double>::max();
  double high = 0;
  for (const PolicyCurve& curve : curves) {
    const auto steps = curve.latency.steps();
    // The very shortest are of no interest on this axis.
    low = std::min(low, static_cast<double>(std::max<std::int64_t>(1, steps.front().latency_ns)));
    high = std::max(high, static_cast<double>(curve.latency.max()));
  }
  return {low, high};
}

double most_requests(const std::vector<PolicyCurve>& curves) {
  std::uint64_t most = 0;
  for (const PolicyCurve& curve : curves) most = std::max(most, curve.latency.count());
  return static_cast<double>(most);
}

}  // namespace experiments
