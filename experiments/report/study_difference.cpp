#include "experiments/report/study_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "experiments/base/csv.h"

namespace experiments {

namespace {

using Key = std::vector<std::pair<std::string, std::string>>;

/// A point's values by the names of their axes: the order of axes makes no other point.
Key key_of(const StudyResults& results, const PointOutcomes& point) {
  Key key;
  for (std::size_t axis = 0; axis < results.axes.size(); ++axis) {
    if (point.labels[axis]) key.emplace_back(results.axes[axis], *point.labels[axis]);
  }
  std::sort(key.begin(), key.end());
  return key;
}

std::map<std::uint64_t, double> by_seed(const PolicyOutcomes& policy, const Measure& measure) {
  std::map<std::uint64_t, double> values;
  for (const auto& [replication, run] : policy.replications) {
    if (const auto value = policy.value(measure, replication)) values[run.seed] = *value;
  }
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

std::optional<DifferenceRow> compare(const PolicyOutcomes& before, const PolicyOutcomes& after, const Measure& measure,
                                     const std::string& point) {
  std::vector<double> of_before;
  std::vector<double> of_after;
  const auto others = by_seed(after, measure);
  for (const auto& [seed, value] : by_seed(before, measure)) {
    const auto partner = others.find(seed);
    if (partner == others.end() || value <= 0 || partner->second <= 0) continue;
    of_before.push_back(value);
    of_after.push_back(partner->second);
  }
  if (of_before.empty()) return std::nullopt;
  DifferenceRow row{.point = point, .policy = before.policy, .measure = measure, .interval = {}};
  row.before = mean_of(of_before);
  row.after = mean_of(of_after);
  row.interval = paired_ratio(of_before, of_after);
  row.ratio = row.interval ? row.interval->mean : row.after / row.before;
  row.seeds = of_before.size();
  row.change = change_between(row.before, row.after, paired_difference(of_before, of_after));
  return row;
}

std::string name_of(const std::string& point, const std::string& policy) {
  return fmt::format("{}, {}", point, policy);
}

}  // namespace

std::size_t StudyDifference::count(Change change) const {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [&](const DifferenceRow& row) { return row.change == change; }));
}

StudyDifference difference_of(const ReportData& before, const ReportData& after) {
  StudyDifference difference;
  difference.before = before.results.name;
  difference.after = after.results.name;
  difference.out_of_memory = before.results.count_out_of_memory() + after.results.count_out_of_memory();
  std::map<std::pair<Key, std::string>, const PolicyOutcomes*> partners;
  for (const PointOutcomes& point : after.results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      partners[{key_of(after.results, point), policy.policy}] = &policy;
    }
  }
  std::vector<Measure> measures;
  for (const Measure& measure : before.measures) {
    const bool both = std::find(after.measures.begin(), after.measures.end(), measure) != after.measures.end();
    // A measure is read from any run, so it need not be among those that the other study shows.
    measures.push_back(measure);
    if (!both) difference.unmeasured.push_back(to_text(measure));
  }
  for (const PointOutcomes& point : before.results.points) {
    const std::string title = title_of(before.results, point);
    for (const PolicyOutcomes& policy : point.policies) {
      const auto partner = partners.find({key_of(before.results, point), policy.policy});
      if (partner == partners.end()) {
        difference.only_before.push_back(name_of(title, policy.policy));
        continue;
      }
      for (const Measure& measure : measures) {
        if (auto row = compare(policy, *partner->second, measure, title)) difference.rows.push_back(std::move(*row));
      }
      partners.erase(partner);
    }
  }
  for (const PointOutcomes& point : after.results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      if (partners.contains({key_of(after.results, point), policy.policy})) {
        difference.only_after.push_back(name_of(title_of(after.results, point), policy.policy));
      }
    }
  }
  return difference;
}

FigureOrNot difference_figure(const StudyDifference& difference, std::size_t most) {
  const std::string title = "What changed";
  if (difference.rows.empty()) return Omission{title, "the studies have no point, policy, measure and seed in common"};
  std::vector<const DifferenceRow*> rows;
  for (const DifferenceRow& row : difference.rows) rows.push_back(&row);
  const auto size = [](const DifferenceRow* row) { return std::abs(std::log(row->ratio)); };
  std::stable_sort(rows.begin(), rows.end(), [&](const auto* a, const auto* b) { return size(a) > size(b); });
  const std::size_t left_out = rows.size() > most ? rows.size() - most : 0;
  rows.resize(rows.size() - left_out);
  std::vector<std::string> policies;
  for (const DifferenceRow& row : difference.rows) {
    if (std::find(policies.begin(), policies.end(), row.policy) == policies.end()) policies.push_back(row.policy);
  }
  std::string csv = csv_line({"policy", "row", "ratio", "low", "high", "point", "measure"});
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
    csv += csv_line({row.policy, fmt::format("{}", place), fmt::format("{:.8g}", row.ratio),
                     fmt::format("{:.8g}", from), fmt::format("{:.8g}", to), row.point, to_text(row.measure)});
    tics.emplace_back(fmt::format("{}: {}", row.point, to_text(row.measure)), static_cast<double>(place));
  }
  Tics ratios;
  for (const double at :
       {1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6}) {
    if (at < low / 1.1 || at > high * 1.1) continue;
    ratios.emplace_back(at < 1 ? "1/" + spell_factor(1 / at) : spell_factor(at), at);
  }
  std::string commands = fmt::format(
      "set logscale x\nset xrange [{:.6g}:{:.6g}]\nset xtics {}\nset yrange [{}.6:-0.6]\nset ytics {} font ',15'\n"
      "set tics scale 0\nunset grid\nset grid x linecolor rgb '#cccccc' linewidth 1 linetype 1\n"
      "set arrow from 1, graph 0 to 1, graph 1 nohead linewidth 2 linecolor rgb '#000000' back\n"
      "set xlabel 'after / before (ratio; lines: 95 % confidence)'\nplot \\\n",
      low / 1.15, high * 1.15, tics_list(ratios), rows.size() - 1, tics_list(tics));
  const auto styles = styles_of(policies);
  for (const std::string& policy : policies) {
    const PolicyStyle& style = styles.at(policy);
    commands += fmt::format(
        " DATA using 3:(strcol(1) eq {0} ? $2 : NaN):4:5 with xerrorbars linewidth 3 pointsize 1.8 linecolor rgb '{1}' "
        "pointtype {2} title {0}{3}",
        gnuplot_string(policy), style.colour, style.mark, &policy == &policies.back() ? "\n" : ", \\\n");
  }
  const int height = std::clamp(260 + 34 * static_cast<int>(rows.size()), 500, 1600);
  const DifferenceRow& first = *rows.front();
  return Figure{
      {"changes", csv, commands, height},
      title,
      fmt::format("The largest change: {} under {} at {} is {}.{}", html_text(measure_text(first.measure)),
                  html_text(first.policy), html_text(first.point), html_text(factor_text(1, first.ratio)),
                  left_out > 0 ? fmt::format(" The {} rows that changed less are in the table only.", left_out) : ""),
      "The ratio after over before with its confidence interval, a row for each point, policy and measure."};
}

}  // namespace experiments
