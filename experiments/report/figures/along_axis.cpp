// The headline along the axis of numbers that has most values around the focus.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "experiments/report/figures/axes.h"
#include "experiments/report/figures/captions.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/figures/styles.h"

namespace experiments {

namespace {

struct AxisRow {
  std::string policy;
  std::size_t point;
  double at;
  Interval interval;
};

/// Policy by policy, as gnuplot joins neighbours, and along the axis.
std::vector<AxisRow> rows_along(const ReportData& data, const std::vector<std::size_t>& points, std::size_t axis,
                                const Measure& measure) {
  std::vector<AxisRow> rows;
  for (const std::string& policy : data.policies) {
    const auto first = static_cast<std::ptrdiff_t>(rows.size());
    for (const std::size_t point : points) {
      const std::vector<double> values = values_at(data, point, policy, measure);
      const auto at = number_at(data, point, axis);
      if (!values.empty() && at) rows.push_back({policy, point, *at, drawn_interval(values)});
    }
    std::stable_sort(rows.begin() + first, rows.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  }
  return rows;
}

void add_rows(PlotBuilder& plot, const std::vector<AxisRow>& rows) {
  double low = std::numeric_limits<double>::max();
  double high = 0;
  for (const AxisRow& row : rows) {
    low = std::min(low, row.interval.low);
    high = std::max(high, row.interval.high);
    plot.row({row.policy, digits(row.at), digits(row.interval.mean), digits(row.interval.low),
              digits(row.interval.high), fmt::format("{}", row.interval.samples)});
  }
  plot.log_times("y", low, high);
}

/// Logarithmic where the values span much.
void set_axis(PlotBuilder& plot, const ReportData& data, std::size_t axis, const Tics& tics) {
  const double first = tics.front().second;
  const double last = tics.back().second;
  constexpr double kWide = 8;
  if (first > 0 && last / first >= kWide) {
    plot.set("logscale", "x");
    plot.range("x", digits(first / 1.1), digits(last * 1.1));
  } else {
    const double room = (last - first) * 0.03;
    plot.range("x", digits(first - room), digits(last + room));
  }
  plot.tics("x", tics);
  plot.label("x", axis_label(data, axis));
  plot.label("y", "latency (time, logarithmic)");
}

/// All bands first: they lie below the lines.
void draw_lines(PlotBuilder& plot, const ReportData& data, const std::vector<AxisRow>& rows) {
  const auto styles = styles_of(data.policies);
  std::vector<std::string> lines;
  for (const std::string& policy : data.policies) {
    if (std::none_of(rows.begin(), rows.end(), [&](const auto& row) { return row.policy == policy; })) continue;
    const PolicyStyle& style = styles.at(policy);
    plot.curve(fmt::format("DATA using 2:{}:{} with filledcurves {} fillstyle transparent solid 0.2 title ''",
                           where(1, policy, "$4"), where(1, policy, "$5"), line_colour(style)));
    lines.push_back(
        fmt::format("DATA using 2:{} with linespoints linewidth 3.5 pointsize 1.6 {} dashtype {} pointtype {} title {}",
                    where(1, policy, "$3"), line_colour(style), style.dashes, style.mark, gnuplot_string(policy)));
  }
  for (const std::string& line : lines) plot.curve(line);
}

/// `goes from 1 ms to 8 ms under downgrade, and from ...`, as HTML.
std::string ends_html(const ReportData& data, const Focus& focus, const std::vector<AxisRow>& rows, double first,
                      double last) {
  const auto at_end = [&](double end, const std::string& policy) -> std::string {
    for (const AxisRow& row : rows) {
      if (row.at == end && row.policy == policy) return mean_html(data, row.point, policy, focus.headline);
    }
    return "-";
  };
  std::string text;
  for (const std::string& policy : focused_policies(focus)) {
    text += fmt::format("{} from {} to {} under {}", text.empty() ? "goes" : ", and", at_end(first, policy),
                        at_end(last, policy), html_text(policy));
  }
  return text;
}

}  // namespace

FigureOrNot axis_figure(const ReportData& data, const Focus& focus) {
  const auto axis = main_axis(data, focus);
  if (!axis) return Omission{"Latency along an axis", "the study has no axis of numbers, sizes or durations"};
  const std::string name = data.results.axes[*axis];
  PlotBuilder plot("along_" + name, fmt::format("Latency against {}", name),
                   {"policy", name, "mean_ns", "low_ns", "high_ns", "replications"});
  const std::vector<std::size_t> points = neighbours(data, focus.point, {*axis});
  const std::vector<AxisRow> rows = rows_along(data, points, *axis, focus.headline);
  if (rows.empty()) {
    return Omission{plot.title(), "no run around the point shown has " + html_text(to_text(focus.headline))};
  }
  add_rows(plot, rows);
  const Tics tics = label_tics(data, points, *axis);
  set_axis(plot, data, *axis, tics);
  draw_lines(plot, data, rows);
  const auto& [first, first_at] = tics.front();
  const auto& [last, last_at] = tics.back();
  return plot.figure(fmt::format("From {} {} to {} {} {}{}. Bands: 95 % confidence.", html_text(name), html_text(first),
                                 html_text(last), html_text(measure_text(focus.headline)),
                                 ends_html(data, focus, rows, first_at, last_at), of_others(data, focus, {*axis})),
                     fmt::format("{} over {}, one line with a confidence band for each policy.",
                                 capitalised(measure_text(focus.headline)), name));
}

}  // namespace experiments
