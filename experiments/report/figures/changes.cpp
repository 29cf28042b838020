// What changed between two studies: the largest ratios.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/figures/styles.h"
#include "experiments/report/study_difference.h"

namespace experiments {

namespace {

std::vector<const DifferenceRow*> most_changed(const StudyDifference& difference, std::size_t most) {
  std::vector<const DifferenceRow*> rows;
  for (const DifferenceRow& row : difference.rows) rows.push_back(&row);
  const auto size = [](const DifferenceRow* row) { return std::abs(std::log(row->ratio)); };
  std::stable_sort(rows.begin(), rows.end(), [&](const auto* a, const auto* b) { return size(a) > size(b); });
  if (rows.size() > most) rows.resize(most);
  return rows;
}

std::vector<std::string> policies_of(const StudyDifference& difference) {
  std::vector<std::string> policies;
  for (const DifferenceRow& row : difference.rows) {
    if (std::find(policies.begin(), policies.end(), row.policy) == policies.end()) policies.push_back(row.policy);
  }
  return policies;
}

/// 1/10, 1/5, 1/2, 1, 2, 5, 10 ... in between.
Tics ratio_tics(double low, double high) {
  Tics ratios;
  for (const double at :
       {1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6}) {
    if (at < low / 1.1 || at > high * 1.1) continue;
    ratios.emplace_back(at < 1 ? "1/" + spell_factor(1 / at) : spell_factor(at), at);
  }
  return ratios;
}

void add_rows(PlotBuilder& plot, const std::vector<const DifferenceRow*>& rows) {
  Tics tics;
  double low = 0.8;
  double high = 1.25;
  for (std::size_t place = 0; place < rows.size(); ++place) {
    const DifferenceRow& row = *rows[place];
    const Interval interval = row.interval.value_or(Interval{row.ratio, row.ratio, row.ratio, 1});
    // A wide interval of two seeds must not make all others invisible.
    constexpr double kWidest = 30;
    const double from = std::max(interval.low, row.ratio / kWidest);
    const double to = std::min(interval.high, row.ratio * kWidest);
    low = std::min(low, from);
    high = std::max(high, to);
    plot.row({row.policy, fmt::format("{}", place), digits(row.ratio, 8), digits(from, 8), digits(to, 8), row.point,
              to_text(row.measure)});
    tics.emplace_back(fmt::format("{}: {}", row.point, to_text(row.measure)), static_cast<double>(place));
  }
  plot.set("logscale", "x");
  plot.range("x", digits(low / 1.15, 6), digits(high * 1.15, 6));
  plot.tics("x", ratio_tics(low, high));
  plot.rows(static_cast<int>(rows.size()) - 1, tics, "0.6", "0.6", "font ',15'");
}

void draw_rows(PlotBuilder& plot, const std::vector<std::string>& policies) {
  plot.set("tics", "scale 0");
  plot.unset("grid");
  plot.set("grid", "x linecolor rgb '#cccccc' linewidth 1 linetype 1");
  plot.line("from 1, graph 0 to 1, graph 1 nohead linewidth 2 linecolor rgb '#000000' back");
  plot.label("x", "after / before (ratio; lines: 95 % confidence)");
  const auto styles = styles_of(policies);
  for (const std::string& policy : policies) {
    const PolicyStyle& style = styles.at(policy);
    plot.curve(fmt::format("DATA using 3:{}:4:5 with xerrorbars linewidth 3 pointsize 1.8 {} pointtype {} title {}",
                           where(1, policy, "$2"), line_colour(style), style.mark, gnuplot_string(policy)));
  }
}

}  // namespace

FigureOrNot difference_figure(const StudyDifference& difference, std::size_t most) {
  PlotBuilder plot("changes", "What changed", {"policy", "row", "ratio", "low", "high", "point", "measure"});
  if (difference.rows.empty()) {
    return Omission{plot.title(), "the studies have no point, policy, measure and seed in common"};
  }
  const std::vector<const DifferenceRow*> rows = most_changed(difference, most);
  add_rows(plot, rows);
  draw_rows(plot, policies_of(difference));
  plot.height(std::clamp(260 + 34 * static_cast<int>(rows.size()), 500, 1600));
  const std::size_t left_out = difference.rows.size() - rows.size();
  const DifferenceRow& first = *rows.front();
  return plot.figure(
      fmt::format("The largest change: {} under {} at {} is {}.{}", html_text(measure_text(first.measure)),
                  html_text(first.policy), html_text(first.point), html_text(factor_text(1, first.ratio)),
                  left_out == 0   ? ""
                  : left_out == 1 ? " The row that changed less is in the table only."
                                  : fmt::format(" The {} rows that changed less are in the table only.", left_out)),
      "The ratio after over before with its confidence interval, a row for each point, policy and measure.");
}

}  // namespace experiments
