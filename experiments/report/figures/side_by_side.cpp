// All policies next to each other: of several measures, or along an axis of words.
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

struct Group {
  std::string name;
  std::size_t point;
  Measure measure;
};

/// How far apart the policies are: the largest mean over the smallest.
double spread(const ReportData& data, std::size_t point, const Measure& measure) {
  double low = std::numeric_limits<double>::max();
  double high = 0;
  std::size_t found = 0;
  for (const std::string& policy : data.policies) {
    const std::vector<double> values = values_at(data, point, policy, measure);
    if (values.empty()) continue;
    low = std::min(low, mean_of(values));
    high = std::max(high, mean_of(values));
    ++found;
  }
  return found < 2 || low <= 0 ? 0 : high / low;
}

/// Along an axis of words one measure each, the one that tells the policies apart best; else all measures at the focus.
std::vector<Group> groups_of(const ReportData& data, const Focus& focus) {
  std::vector<Group> groups;
  std::optional<std::size_t> words;
  for (std::size_t axis = 0; axis < data.results.axes.size(); ++axis) {
    const bool varies = neighbours(data, focus.point, {axis}).size() > 1;
    if (!words && varies && !is_numeric(data, axis)) words = axis;
  }
  if (!words) {
    for (const Measure& measure : data.measures) {
      if (measure.statistic != "count" && spread(data, focus.point, measure) > 0) {
        groups.push_back({to_text(measure), focus.point, measure});
      }
    }
    return groups;
  }
  for (const std::size_t point : neighbours(data, focus.point, {*words})) {
    const auto best = std::max_element(
        data.measures.begin(), data.measures.end(),
        [&](const Measure& a, const Measure& b) { return spread(data, point, a) < spread(data, point, b); });
    if (best == data.measures.end() || spread(data, point, *best) == 0) continue;
    groups.push_back({fmt::format("{}: {}", *data.results.points[point].labels[*words], to_text(*best)), point, *best});
  }
  return groups;
}

/// What has been drawn so far.
struct Extent {
  double low = std::numeric_limits<double>::max();
  double high = 0;
  int rows = 0;
};

/// A row for each policy that has the measure.
void add_rows(PlotBuilder& plot, const ReportData& data, const Group& group, Extent& extent) {
  for (const std::string& policy : data.policies) {
    const std::vector<double> values = values_at(data, group.point, policy, group.measure);
    if (values.empty()) continue;
    const Interval interval = drawn_interval(values);
    extent.low = std::min(extent.low, interval.low);
    extent.high = std::max(extent.high, interval.high);
    plot.row({policy, group.name, fmt::format("{}", extent.rows), digits(mean_of(values)), digits(interval.low),
              digits(interval.high), fmt::format("{}", values.size())});
    ++extent.rows;
  }
}

/// All groups with their names in the middle, and a row between them where a line is.
void add_groups(PlotBuilder& plot, const ReportData& data, const std::vector<Group>& groups, Extent& extent) {
  Tics tics;
  std::vector<std::string> separators;
  for (const Group& group : groups) {
    const int first = extent.rows;
    add_rows(plot, data, group, extent);
    tics.emplace_back(group.name, (first + extent.rows - 1) / 2.0);
    if (&group == &groups.back()) break;
    separators.push_back(
        fmt::format("from graph 0, first {0} to graph 1, first {0} nohead linecolor rgb '#999999' linewidth 1 back",
                    static_cast<double>(extent.rows)));
    ++extent.rows;
  }
  plot.log_times("x", extent.low, extent.high);
  for (const std::string& separator : separators) plot.line(separator);
  plot.rows(extent.rows - 1, tics, "0.7", "0.5");
}

std::string caption_of(const ReportData& data, const Focus& focus, const std::vector<Group>& groups) {
  std::string widest = "nothing";
  double most = 0;
  for (const Group& group : groups) {
    const double here = spread(data, group.point, group.measure);
    if (here > most) {
      most = here;
      widest = html_text(group.name);
    }
  }
  return fmt::format("Policies differ most in {}: by a factor of {}{}.", widest, spell_factor(most),
                     data.results.axes.empty() ? "" : at_focus(data, focus));
}

}  // namespace

FigureOrNot side_by_side_figure(const ReportData& data, const Focus& focus) {
  PlotBuilder plot("side_by_side", "All policies side by side",
                   {"policy", "group", "row", "mean_ns", "low_ns", "high_ns", "replications"});
  if (data.policies.size() < 2) return Omission{plot.title(), "there is one policy only"};
  const std::vector<Group> groups = groups_of(data, focus);
  if (groups.empty()) return Omission{plot.title(), "no measure is known under two policies"};
  Extent extent;
  add_groups(plot, data, groups, extent);
  plot.unset("grid");
  plot.set("grid", "x linecolor rgb '#cccccc' linewidth 1 linetype 1");
  plot.label("x", "latency (time, logarithmic); lines: 95 % confidence");
  plot.set("tics", "scale 0");
  const auto styles = styles_of(data.policies);
  for (const std::string& policy : data.policies) {
    const PolicyStyle& style = styles.at(policy);
    plot.curve(
        fmt::format("DATA using 4:{}:5:6 with xerrorbars linewidth 3 pointsize 2.2 {} pointtype {} dashtype 1 "
                    "title {}",
                    where(1, policy, "$3"), line_colour(style), style.mark, gnuplot_string(policy)));
  }
  plot.height(std::clamp(260 + 34 * extent.rows, 500, 2000));
  return plot.figure(caption_of(data, focus, groups),
                     "A dot with a confidence interval for each policy, grouped by measure or scenario.");
}

}  // namespace experiments
