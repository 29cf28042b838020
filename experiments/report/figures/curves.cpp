#include "experiments/report/figures/curves.h"

#include <fmt/format.h>

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

std::vector<LatencyCurve> curves_of(const ReportData& data, const Focus& focus, const ClassAndCall& where) {
  std::vector<LatencyCurve> curves;
  for (const std::string& policy : data.policies) {
    LatencyCurve curve{policy, pooled(data, focus.point, policy, where)};
    if (curve.latency.count() > 0) curves.push_back(std::move(curve));
  }
  return curves;
}

std::string no_curves(const ReportData& data) {
  return data.keeps_distributions
             ? "the runs shown here ended before distributions were kept: remove them from the store and sweep again"
             : "the store is of schema version 1 and keeps percentiles only; <code>mlocksim sweep</code> into a new "
               "folder "
               "keeps whole distributions";
}

std::pair<double, double> range_of(const std::vector<LatencyCurve>& curves) {
  double low = std::numeric_limits<double>::max();
  double high = 0;
  for (const LatencyCurve& curve : curves) {
    const auto steps = curve.latency.steps();
    // The very shortest are of no interest on this axis.
    low = std::min(low, static_cast<double>(std::max<std::int64_t>(1, steps.front().latency_ns)));
    high = std::max(high, static_cast<double>(curve.latency.max()));
  }
  return {low, high};
}

namespace {

double most_requests(const std::vector<LatencyCurve>& curves) {
  std::uint64_t most = 0;
  for (const LatencyCurve& curve : curves) most = std::max(most, curve.latency.count());
  return static_cast<double>(most);
}

void add_rows(PlotBuilder& plot, const LatencyCurve& curve) {
  const auto count = static_cast<double>(curve.latency.count());
  const auto steps = curve.latency.steps();
  plot.row({curve.name, fmt::format("{}", steps.front().latency_ns), "1", fmt::format("{}", count)});
  for (const CoarseHistogram::Step& step : steps) {
    // A logarithmic axis has no 0: the last step goes down to where one request would be.
    const double share = step.beyond == 0 ? 0.5 / count : static_cast<double>(step.beyond) / count;
    plot.row({curve.name, fmt::format("{}", step.latency_ns), digits(share, 8), fmt::format("{}", step.beyond)});
  }
}

Tics shares_down_to(double least) {
  Tics shares{{"100 %", 1}};
  for (double share = 0.1; share > least / 2; share /= 10) {
    shares.emplace_back(fmt::format("{:g} %", 100 * share), share);
  }
  return shares;
}

}  // namespace

void draw_ccdf(PlotBuilder& plot, const std::vector<LatencyCurve>& curves,
               const std::map<std::string, PolicyStyle>& styles) {
  for (const LatencyCurve& curve : curves) add_rows(plot, curve);
  const auto [low, high] = range_of(curves);
  const double least = 1 / most_requests(curves);
  plot.log_times("x", low, high);
  plot.set("logscale", "y");
  plot.range("y", digits(least * 0.7, 8), "1.2");
  plot.tics("y", shares_down_to(least));
  plot.label("x", "latency (time, logarithmic)");
  plot.label("y", "share of requests that take longer (%)");
  for (const LatencyCurve& curve : curves) {
    plot.curve(fmt::format("DATA using 2:{} with steps linewidth 4 {} title {}", where(1, curve.name, "$3"),
                           line_colour(styles.at(curve.name)), gnuplot_string(curve.name)));
  }
}

}  // namespace experiments
