// Latency over the percentile of requests.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "experiments/report/figures/captions.h"
#include "experiments/report/figures/curves.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/figures/styles.h"

namespace experiments {

namespace {

constexpr double kSamplesBeyond = 10;

/// The highest percentile that every run under these policies can tell, or else the maximum.
Measure best_percentile(const ReportData& data, std::size_t point, const std::vector<std::string>& policies,
                        const ClassAndCall& where) {
  for (const char* const statistic : {"p999", "p99", "p90"}) {
    const Measure measure{statistic, where.first, where.second, ""};
    const bool all = std::all_of(policies.begin(), policies.end(), [&](const std::string& policy) {
      const PolicyOutcomes* const outcomes = data.results.points[point].policy(policy);
      return outcomes != nullptr && outcomes->values(measure).size() == data.runs(point, policy).size();
    });
    if (all) return measure;
  }
  return {"max", where.first, where.second, ""};
}

/// A staircase: from one step to the next in `one_in`. Where the ten-sample rule ends, so does the part that is enough.
void add_percentiles(PlotBuilder& plot, const LatencyCurve& curve) {
  const auto count = static_cast<double>(curve.latency.count());
  const double known = std::max(1.0, count / kSamplesBeyond);  // one in so many: here the ten-sample rule ends
  const auto add = [&](double one_in, std::int64_t latency, double beyond, bool few) {
    plot.row({curve.name, digits(100 * (1 - 1 / one_in), 8), digits(one_in, 8), fmt::format("{}", latency),
              digits(beyond, 8), few ? "few" : "enough"});
  };
  double from = 1;
  bool few = false;
  for (const CoarseHistogram::Step& step : curve.latency.steps()) {
    const double to = step.beyond == 0 ? count : count / static_cast<double>(step.beyond);
    add(from, step.latency_ns, count / from, few);
    if (!few && to >= known) {
      if (known > from) add(known, step.latency_ns, count / known, false);
      add(known, step.latency_ns, count / known, true);
      few = true;
    }
    if (to > known) add(to, step.latency_ns, static_cast<double>(step.beyond), true);
    from = to;
  }
}

/// 90, 99, 99.9, 99.99 ...
std::string nines(int count) {
  std::string label(static_cast<std::size_t>(count), '9');
  if (count == 1) label = "90";
  if (count > 2) label.insert(2, ".");
  return label;
}

/// 0 %, 50 %, 90 %, 99 %, 99.9 % ... as far as there are requests.
Tics nines_up_to(double requests) {
  Tics tics{{"0 %", 1}, {"50 %", 2}};
  int count = 0;
  for (double one_in = 10; one_in <= requests * 1.01; one_in *= 10) {
    tics.emplace_back(fmt::format("{} %", nines(++count)), one_in);
  }
  return tics;
}

void draw_curve(PlotBuilder& plot, const std::string& policy, const PolicyStyle& style) {
  const auto line = [&](const char* rule, const std::string& look, const std::string& name) {
    plot.curve(fmt::format("DATA using 3:((strcol(1) eq {} && strcol(6) eq '{}') ? $4 : NaN) with lines {} title {}",
                           gnuplot_string(policy), rule, look, name));
  };
  line("enough", "linewidth 4 " + line_colour(style), gnuplot_string(policy));
  line("few", "linewidth 2.5 dashtype (4,4) " + line_colour(style), "''");
}

}  // namespace

FigureOrNot percentile_figure(const ReportData& data, const Focus& focus) {
  const ClassAndCall about = best_known(data, focus);
  const std::vector<LatencyCurve> curves = curves_of(data, focus, about);
  PlotBuilder plot("percentiles", "Percentiles of latency",
                   {"policy", "percentile", "one_in", "latency_ns", "requests_beyond", "rule_of_ten"});
  if (curves.empty()) return Omission{plot.title(), no_curves(data)};
  for (const LatencyCurve& curve : curves) add_percentiles(plot, curve);
  const auto [low, high] = range_of(curves);
  plot.log_times("y", low, high);
  plot.set("logscale", "x");
  plot.range("x", "1", digits(std::max(20.0, most_requests(curves)), 8));
  plot.tics("x", nines_up_to(most_requests(curves)));
  plot.label("x", "percentile of requests (every step to the right is one more nine)");
  plot.label("y", "latency (time, logarithmic)");
  const auto styles = styles_of(data.policies);
  for (const LatencyCurve& curve : curves) draw_curve(plot, curve.name, styles.at(curve.name));
  const Measure measure = best_percentile(data, focus.point, focused_policies(focus), about);
  return plot.figure(
      fmt::format("{}{}. Dashed: fewer than ten requests lie beyond, so the curve says little there.",
                  capitalised(compared(data, focus.point, focus, measure)), at_focus(data, focus)),
      fmt::format("Latency over the percentile of {}, both logarithmic, one curve for each policy.", words(about)));
}

}  // namespace experiments
