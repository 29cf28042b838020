// Which share of requests takes longer than a latency.
#include <fmt/format.h>

#include "experiments/report/figures/captions.h"
#include "experiments/report/figures/curves.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/figures/styles.h"

namespace experiments {

namespace {

void add_rows(PlotBuilder& plot, const PolicyCurve& curve) {
  const auto count = static_cast<double>(curve.latency.count());
  const auto steps = curve.latency.steps();
  plot.row({curve.policy, fmt::format("{}", steps.front().latency_ns), "1", fmt::format("{}", count)});
  for (const CoarseHistogram::Step& step : steps) {
    // A logarithmic axis has no 0: the last step goes down to where one request would be.
    const double share = step.beyond == 0 ? 0.5 / count : static_cast<double>(step.beyond) / count;
    plot.row({curve.policy, fmt::format("{}", step.latency_ns), digits(share, 8), fmt::format("{}", step.beyond)});
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

FigureOrNot ccdf_figure(const ReportData& data, const Focus& focus) {
  const ClassAndCall about = best_known(data, focus);
  const std::vector<PolicyCurve> curves = curves_of(data, focus, about);
  PlotBuilder plot("ccdf", "How many requests take longer",
                   {"policy", "latency_ns", "share_longer", "requests_longer"});
  if (curves.empty()) return Omission{plot.title(), no_curves(data)};
  for (const PolicyCurve& curve : curves) add_rows(plot, curve);
  const auto [low, high] = range_of(curves);
  const double least = 1 / most_requests(curves);
  plot.log_times("x", low, high);
  plot.set("logscale", "y");
  plot.range("y", digits(least * 0.7, 8), "1.2");
  plot.tics("y", shares_down_to(least));
  plot.label("x", "latency (time, logarithmic)");
  plot.label("y", "share of requests that take longer (%)");
  const auto styles = styles_of(data.policies);
  for (const PolicyCurve& curve : curves) {
    plot.curve(fmt::format("DATA using 2:{} with steps linewidth 4 {} title {}", where(1, curve.policy, "$3"),
                           line_colour(styles.at(curve.policy)), gnuplot_string(curve.policy)));
  }
  const Measure longest{"max", about.first, about.second, ""};
  return plot.figure(
      fmt::format("{}{}. The area to the right of a curve is what nobody has to wait for.",
                  capitalised(compared(data, focus.point, focus, longest)), at_focus(data, focus)),
      fmt::format("Share of {} that take longer than a latency, both logarithmic, one curve for each policy.",
                  words(about)));
}

}  // namespace experiments
