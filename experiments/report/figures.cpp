#include "experiments/report/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "experiments/base/csv.h"
#include "experiments/base/statistics.h"

namespace experiments {

namespace {

// Okabe and Ito (2008), without black, which is the text's, and yellow, which is not seen on white.
constexpr std::array<const char*, 7> kColours{"#D55E00", "#0072B2", "#009E73", "#E69F00",
                                              "#CC79A7", "#56B4E9", "#7F7F7F"};
constexpr std::array<const char*, 4> kKnownPolicies{"write_held", "downgrade", "unlock_downgrade",
                                                    "unlock_if_contended"};
constexpr std::array<int, 7> kMarks{5, 7, 9, 11, 13, 4, 6};

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

std::string words(const ClassAndCall& where) {
  return where.second == "total" ? fmt::format("{} requests", where.first)
                                 : fmt::format("{} requests due during {}", where.first, where.second);
}

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

std::vector<std::string> focused_policies(const Focus& focus) {
  return focus.after.empty() ? std::vector{focus.before} : std::vector{focus.before, focus.after};
}

/// `p99 ... is 643 ms under downgrade and 11 us under unlock_downgrade`.
std::string compared(const ReportData& data, std::size_t point, const Focus& focus, const Measure& measure) {
  std::string text = html_text(measure_text(measure)) + " is ";
  for (const std::string& policy : focused_policies(focus)) {
    if (policy != focus.before) text += ", and ";
    text += fmt::format("{} under {}", mean_html(data, point, policy, measure), html_text(policy));
  }
  return text;
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] != '<') text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string policy_filter(const std::string& policy, const std::string& otherwise) {
  return fmt::format("(strcol(1) eq {} ? {} : NaN)", gnuplot_string(policy), otherwise);
}

struct PolicyCurve {
  std::string policy;
  CoarseHistogram latency;
};

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

constexpr double kSamplesBeyond = 10;

std::string percentile_rows(const PolicyCurve& curve) {
  std::string rows;
  const auto count = static_cast<double>(curve.latency.count());
  const double known = std::max(1.0, count / kSamplesBeyond);  // one in so many: here the ten-sample rule ends
  const auto add = [&](double one_in, std::int64_t latency, double beyond, bool few) {
    rows += csv_line({curve.policy, fmt::format("{:.8g}", 100 * (1 - 1 / one_in)), fmt::format("{:.8g}", one_in),
                      fmt::format("{}", latency), fmt::format("{:.8g}", beyond), few ? "few" : "enough"});
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
  return rows;
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

}  // namespace

std::map<std::string, PolicyStyle> styles_of(const std::vector<std::string>& policies) {
  std::map<std::string, PolicyStyle> styles;
  std::vector<std::size_t> free;
  for (std::size_t colour = 0; colour < kColours.size(); ++colour) {
    const bool known = colour < kKnownPolicies.size();
    const bool used = known && std::find(policies.begin(), policies.end(), kKnownPolicies[colour]) != policies.end();
    if (used) {
      styles[kKnownPolicies[colour]] = {kColours[colour], static_cast<int>(colour) + 1, kMarks[colour]};
    } else {
      free.push_back(colour);
    }
  }
  // Those that are nobody's first.
  std::stable_partition(free.begin(), free.end(), [](std::size_t colour) { return colour >= kKnownPolicies.size(); });
  std::size_t next = 0;
  for (const std::string& policy : policies) {
    if (styles.contains(policy)) continue;
    const std::size_t colour = free.empty() ? next % kColours.size() : free[next % free.size()];
    styles[policy] = {kColours[colour], static_cast<int>(colour + next / kColours.size()) % 5 + 1, kMarks[colour]};
    ++next;
  }
  return styles;
}

std::string gnuplot_style(const PolicyStyle& style) {
  return fmt::format(" linecolor rgb '{}' dashtype {} pointtype {}", style.colour, style.dashes, style.mark);
}

std::string log_time_axis(const std::string& axis, double low, double high) {
  constexpr double kRoom = 1.3;
  const double from = std::max(0.5, low / kRoom);
  const double to = high * kRoom;
  return fmt::format("set logscale {0}\nset {0}range [{1:.10g}:{2:.10g}]\nset {0}tics {3}\n", axis, from, to,
                     tics_list(time_tics(from, to)));
}

std::string at_focus(const ReportData& data, const Focus& focus) {
  if (data.results.points.size() < 2) return {};
  return " at " + html_text(title_of(data.results, data.results.points[focus.point]));
}

ClassAndCall best_known(const ReportData& data, const Focus& focus) {
  ClassAndCall best{focus.headline.class_name, focus.headline.phase};
  double most = -1;
  for (const Measure& measure : data.measures) {
    const ClassAndCall where{measure.class_name, measure.phase.substr(0, measure.phase.find('.'))};
    double fewest = std::numeric_limits<double>::max();
    for (const std::string& policy : focused_policies(focus)) {
      const PolicyOutcomes* const outcomes = data.results.points[focus.point].policy(policy);
      const std::vector<double> counts =
          outcomes == nullptr ? std::vector<double>{} : outcomes->values({"count", where.first, where.second, ""});
      fewest = std::min(fewest, counts.empty() ? 0 : mean_of(counts));
    }
    // More by far, not just more: what the headline is about comes first.
    if (fewest > 2 * most) {
      most = fewest;
      best = where;
    }
  }
  return best;
}

FigureOrNot percentile_figure(const ReportData& data, const Focus& focus) {
  const std::string title = "Percentiles of latency";
  const ClassAndCall where = best_known(data, focus);
  const std::vector<PolicyCurve> curves = curves_of(data, focus, where);
  if (curves.empty()) return Omission{title, no_curves(data)};
  std::string rows = csv_line({"policy", "percentile", "one_in", "latency_ns", "requests_beyond", "rule_of_ten"});
  for (const PolicyCurve& curve : curves) rows += percentile_rows(curve);
  Tics nines{{"0 %", 1}, {"50 %", 2}};
  std::string label = "90";
  for (double one_in = 10; one_in <= most_requests(curves) * 1.01; one_in *= 10) {
    nines.emplace_back(label + " %", one_in);
    label += label == "90" ? "" : label == "99" ? "." : "";
    label = label == "90" ? "99" : label + "9";
  }
  const auto [low, high] = range_of(curves);
  std::string commands = log_time_axis("y", low, high) +
                         fmt::format("set logscale x\nset xrange [1:{:.8g}]\nset xtics {}\n",
                                     std::max(20.0, most_requests(curves)), tics_list(nines)) +
                         "set xlabel 'percentile of requests (every step to the right is one more nine)'\n"
                         "set ylabel 'latency (time, logarithmic)'\nplot \\\n";
  const auto styles = styles_of(data.policies);
  for (const PolicyCurve& curve : curves) {
    const auto line = [&](const char* rule, const std::string& look, const std::string& name) {
      return fmt::format(" DATA using 3:((strcol(1) eq {} && strcol(6) eq '{}') ? $4 : NaN) with lines {} title {}",
                         gnuplot_string(curve.policy), rule, look, name);
    };
    const PolicyStyle& style = styles.at(curve.policy);
    commands +=
        line("enough", fmt::format("linewidth 4 linecolor rgb '{}'", style.colour), gnuplot_string(curve.policy)) +
        ", \\\n" + line("few", fmt::format("linewidth 2.5 dashtype (4,4) linecolor rgb '{}'", style.colour), "''") +
        (&curve == &curves.back() ? "\n" : ", \\\n");
  }
  const Measure measure = best_percentile(data, focus.point, focused_policies(focus), where);
  return Figure{
      {"percentiles", rows, commands},
      title,
      fmt::format("{}{}. Dashed: fewer than ten requests lie beyond, so the curve says little there.",
                  capitalised(compared(data, focus.point, focus, measure)), at_focus(data, focus)),
      fmt::format("Latency over the percentile of {}, both logarithmic, one curve for each policy.", words(where))};
}

FigureOrNot ccdf_figure(const ReportData& data, const Focus& focus) {
  const std::string title = "How many requests take longer";
  const ClassAndCall where = best_known(data, focus);
  const std::vector<PolicyCurve> curves = curves_of(data, focus, where);
  if (curves.empty()) return Omission{title, no_curves(data)};
  std::string rows = csv_line({"policy", "latency_ns", "share_longer", "requests_longer"});
  for (const PolicyCurve& curve : curves) {
    const auto count = static_cast<double>(curve.latency.count());
    const auto steps = curve.latency.steps();
    rows += csv_line({curve.policy, fmt::format("{}", steps.front().latency_ns), "1", fmt::format("{}", count)});
    for (const CoarseHistogram::Step& step : steps) {
      // A logarithmic axis has no 0: the last step goes down to where one request would be.
      const double share = step.beyond == 0 ? 0.5 / count : static_cast<double>(step.beyond) / count;
      rows += csv_line({curve.policy, fmt::format("{}", step.latency_ns), fmt::format("{:.8g}", share),
                        fmt::format("{}", step.beyond)});
    }
  }
  const auto [low, high] = range_of(curves);
  const double least = 1 / most_requests(curves);
  Tics shares{{"100 %", 1}};
  for (double share = 0.1; share > least / 2; share /= 10)
    shares.emplace_back(fmt::format("{:g} %", 100 * share), share);
  std::string commands =
      log_time_axis("x", low, high) +
      fmt::format("set logscale y\nset yrange [{:.8g}:1.2]\nset ytics {}\n", least * 0.7, tics_list(shares)) +
      "set xlabel 'latency (time, logarithmic)'\n"
      "set ylabel 'share of requests that take longer (%)'\nplot \\\n";
  const auto styles = styles_of(data.policies);
  for (const PolicyCurve& curve : curves) {
    commands += fmt::format(" DATA using 2:{} with steps linewidth 4 linecolor rgb '{}' title {}{}",
                            policy_filter(curve.policy, "$3"), styles.at(curve.policy).colour,
                            gnuplot_string(curve.policy), &curve == &curves.back() ? "\n" : ", \\\n");
  }
  const Measure longest{"max", where.first, where.second, ""};
  return Figure{{"ccdf", rows, commands},
                title,
                fmt::format("{}{}. The area to the right of a curve is what nobody has to wait for.",
                            capitalised(compared(data, focus.point, focus, longest)), at_focus(data, focus)),
                fmt::format("Share of {} that take longer than a latency, both logarithmic, one curve for each policy.",
                            words(where))};
}

// --- along axes -------------------------------------------------------------------------------------------------

namespace {

std::optional<double> number_at(const ReportData& data, std::size_t point, std::size_t axis) {
  const auto& label = data.results.points[point].labels[axis];
  if (!label) return std::nullopt;
  const Value value = value_of(*label);
  if (value.type == ValueType::word || value.type == ValueType::truth) return std::nullopt;
  return value.amount;
}

bool is_numeric(const ReportData& data, std::size_t axis) {
  bool any = false;
  for (const PointOutcomes& point : data.results.points) {
    if (!point.labels[axis]) continue;
    if (!number_at(data, point.number, axis)) return false;
    any = true;
  }
  return any;
}

/// The points that differ from `centre` in these axes at most.
std::vector<std::size_t> neighbours(const ReportData& data, std::size_t centre, const std::set<std::size_t>& axes) {
  std::vector<std::size_t> found;
  const auto& labels = data.results.points[centre].labels;
  for (const PointOutcomes& point : data.results.points) {
    bool same = !point.policies.empty();
    for (std::size_t axis = 0; axis < labels.size(); ++axis) {
      same = same && (axes.contains(axis) || point.labels[axis] == labels[axis]);
    }
    if (same) found.push_back(point.number);
  }
  return found;
}

std::size_t distinct_values(const ReportData& data, const std::vector<std::size_t>& points, std::size_t axis) {
  std::set<double> values;
  for (const std::size_t point : points) {
    if (const auto value = number_at(data, point, axis)) values.insert(*value);
  }
  return values.size();
}

bool is_size(const ReportData& data, std::size_t axis) {
  const auto& label = data.results.points.front().labels[axis];
  return label && value_of(*label).type == ValueType::size;
}

/// The numeric axis that has most values around the focus, sizes first; nothing where none has two.
std::optional<std::size_t> main_axis(const ReportData& data, const Focus& focus) {
  std::optional<std::size_t> best;
  std::size_t most = 1;
  for (std::size_t axis = 0; axis < data.results.axes.size(); ++axis) {
    if (!is_numeric(data, axis)) continue;
    const std::size_t values = distinct_values(data, neighbours(data, focus.point, {axis}), axis);
    const std::size_t weight = is_size(data, axis) && values > 1 ? values + 100 : values;
    if (weight > most) {
      most = weight;
      best = axis;
    }
  }
  return best;
}

std::string axis_label(const ReportData& data, std::size_t axis) {
  // What a value is measured in stands at its tic, as the study spells it: 64MiB, 5ms, or a plain number.
  const auto& label = data.results.points.front().labels[axis];
  const ValueType type = label ? value_of(*label).type : ValueType::number;
  return type == ValueType::number ? data.results.axes[axis] + " (number)" : data.results.axes[axis];
}

Tics label_tics(const ReportData& data, const std::vector<std::size_t>& points, std::size_t axis) {
  std::map<double, std::string> labels;
  for (const std::size_t point : points) {
    if (const auto value = number_at(data, point, axis)) labels[*value] = *data.results.points[point].labels[axis];
  }
  Tics tics;
  for (const auto& [value, label] : labels) tics.emplace_back(label, value);
  return tics;
}

std::string of_others(const ReportData& data, const Focus& focus, const std::set<std::size_t>& varied) {
  std::string text;
  for (std::size_t axis = 0; axis < data.results.axes.size(); ++axis) {
    const auto& label = data.results.points[focus.point].labels[axis];
    if (varied.contains(axis) || !label) continue;
    text += fmt::format("{}{} {}", text.empty() ? " at " : ", ", data.results.axes[axis], *label);
  }
  return html_text(text);
}

struct AxisRow {
  std::string policy;
  std::size_t point;
  double at;
  Interval interval;
};

std::vector<AxisRow> rows_along(const ReportData& data, const std::vector<std::size_t>& points, std::size_t axis,
                                const Measure& measure) {
  std::vector<AxisRow> rows;
  for (const std::string& policy : data.policies) {
    for (const std::size_t point : points) {
      const PolicyOutcomes* const outcomes = data.results.points[point].policy(policy);
      const std::vector<double> values = outcomes == nullptr ? std::vector<double>{} : outcomes->values(measure);
      const auto at = number_at(data, point, axis);
      if (values.empty() || !at) continue;
      const double mean = mean_of(values);
      Interval interval = mean_interval(values).value_or(Interval{mean, mean, mean, 1});
      // A logarithmic axis has no place for what a normal interval has below 0.
      interval.low = std::max(interval.low, mean / 10);
      rows.push_back({policy, point, *at, interval});
    }
  }
  return rows;
}

}  // namespace

FigureOrNot axis_figure(const ReportData& data, const Focus& focus) {
  const auto axis = main_axis(data, focus);
  if (!axis) return Omission{"Latency along an axis", "the study has no axis of numbers, sizes or durations"};
  const std::string name = data.results.axes[*axis];
  const std::string title = fmt::format("Latency against {}", name);
  const std::vector<std::size_t> points = neighbours(data, focus.point, {*axis});
  std::vector<AxisRow> rows = rows_along(data, points, *axis, focus.headline);
  std::stable_sort(rows.begin(), rows.end(), [](const AxisRow& a, const AxisRow& b) { return a.at < b.at; });
  if (rows.empty()) return Omission{title, "no run around the point shown has " + html_text(to_text(focus.headline))};
  std::string csv = csv_line({"policy", name, "mean_ns", "low_ns", "high_ns", "replications"});
  double low = std::numeric_limits<double>::max();
  double high = 0;
  for (const AxisRow& row : rows) {
    low = std::min(low, row.interval.low);
    high = std::max(high, row.interval.high);
  }
  std::set<std::string> drawn;
  // Policy by policy: gnuplot joins neighbours.
  for (const std::string& policy : data.policies) {
    for (const AxisRow& row : rows) {
      if (row.policy != policy) continue;
      drawn.insert(policy);
      csv += csv_line({policy, fmt::format("{:.10g}", row.at), fmt::format("{:.10g}", row.interval.mean),
                       fmt::format("{:.10g}", row.interval.low), fmt::format("{:.10g}", row.interval.high),
                       fmt::format("{}", row.interval.samples)});
    }
  }
  const Tics tics = label_tics(data, points, *axis);
  const double first = tics.front().second;
  const double last = tics.back().second;
  constexpr double kWide = 8;
  const bool logarithmic = first > 0 && last / first >= kWide;
  std::string commands = log_time_axis("y", low, high);
  commands += logarithmic ? fmt::format("set logscale x\nset xrange [{:.10g}:{:.10g}]\n", first / 1.1, last * 1.1)
                          : fmt::format("set xrange [{:.10g}:{:.10g}]\n", first - (last - first) * 0.03,
                                        last + (last - first) * 0.03);
  commands += fmt::format("set xtics {}\nset xlabel {}\nset ylabel 'latency (time, logarithmic)'\nplot \\\n",
                          tics_list(tics), gnuplot_string(axis_label(data, *axis)));
  const auto styles = styles_of(data.policies);
  std::string bands;
  std::string lines;
  for (const std::string& policy : data.policies) {
    if (!drawn.contains(policy)) continue;
    const PolicyStyle& style = styles.at(policy);
    bands += fmt::format(
        " DATA using 2:{}:{} with filledcurves linecolor rgb '{}' fillstyle transparent solid 0.2 title '', \\\n",
        policy_filter(policy, "$4"), policy_filter(policy, "$5"), style.colour);
    lines += fmt::format("{} DATA using 2:{} with linespoints linewidth 3.5 pointsize 1.6{} title {}",
                         lines.empty() ? "" : ", \\\n", policy_filter(policy, "$3"), gnuplot_style(style),
                         gnuplot_string(policy));
  }
  commands += bands + lines + "\n";
  const auto at_end = [&](double end, const std::string& policy) -> std::string {
    for (const AxisRow& row : rows) {
      if (row.at == end && row.policy == policy) return mean_html(data, row.point, policy, focus.headline);
    }
    return "-";
  };
  std::string caption;
  for (const std::string& policy : focused_policies(focus)) {
    caption += fmt::format("{} from {} to {} under {}", caption.empty() ? "goes" : ", and", at_end(first, policy),
                           at_end(last, policy), html_text(policy));
  }
  return Figure{{file_stem("along_" + name), csv, commands},
                title,
                fmt::format("From {} {} to {} {} {}{}. Bands: 95 % confidence.", html_text(name),
                            html_text(tics.front().first), html_text(tics.back().first),
                            html_text(measure_text(focus.headline)), caption, of_others(data, focus, {*axis})),
                fmt::format("{} over {}, one line with a confidence band for each policy.",
                            capitalised(measure_text(focus.headline)), name)};
}

namespace {

struct TwoAxes {
  std::size_t x = 0;
  std::size_t y = 0;
  std::vector<std::size_t> points;
};

/// The two numeric axes that span most points around the focus.
std::optional<TwoAxes> widest_plane(const ReportData& data, const Focus& focus) {
  std::optional<TwoAxes> best;
  for (std::size_t x = 0; x < data.results.axes.size(); ++x) {
    for (std::size_t y = 0; y < data.results.axes.size(); ++y) {
      if (x == y || !is_numeric(data, x) || !is_numeric(data, y)) continue;
      TwoAxes plane{x, y, neighbours(data, focus.point, {x, y})};
      const std::size_t columns = distinct_values(data, plane.points, x);
      const std::size_t rows = distinct_values(data, plane.points, y);
      if (columns < 2 || rows < 2 || columns < rows) continue;
      if (!best || plane.points.size() > best->points.size()) best = std::move(plane);
    }
  }
  return best;
}

std::size_t place_in(const Tics& tics, double value) {
  const auto found = std::find_if(tics.begin(), tics.end(), [&](const auto& tic) { return tic.second == value; });
  return static_cast<std::size_t>(found - tics.begin());
}

}  // namespace

FigureOrNot heat_figure(const ReportData& data, const Focus& focus) {
  const std::string title = "Where it helps, and where not";
  if (focus.after.empty()) return Omission{title, "there is one policy only"};
  const auto plane = widest_plane(data, focus);
  if (!plane) return Omission{title, "a map of ratios needs two axes of numbers, sizes or durations"};
  const Tics columns = label_tics(data, plane->points, plane->x);
  const Tics rows = label_tics(data, plane->points, plane->y);
  std::vector<std::vector<std::optional<PointEffect>>> cells(rows.size(),
                                                             std::vector<std::optional<PointEffect>>(columns.size()));
  std::optional<PointEffect> best;
  std::optional<PointEffect> worst;
  for (const std::size_t point : plane->points) {
    const auto effect = effect_at(data, point, focus.before, focus.after, focus.headline);
    if (!effect) continue;
    cells[place_in(rows, *number_at(data, point, plane->y))][place_in(columns, *number_at(data, point, plane->x))] =
        effect;
    if (!best || effect->ratio < best->ratio) best = effect;
    if (!worst || effect->ratio > worst->ratio) worst = effect;
  }
  if (!best) return Omission{title, "no point has " + html_text(to_text(focus.headline)) + " under both policies"};
  const std::string x_name = data.results.axes[plane->x];
  const std::string y_name = data.results.axes[plane->y];
  std::string csv = csv_line({"column", "row", x_name, y_name, "ratio", "log10_ratio", "low", "high", "text"});
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t column = 0; column < columns.size(); ++column) {
      const auto& cell = cells[row][column];
      const auto number = [&](double value) { return cell ? fmt::format("{:.8g}", value) : std::string("NaN"); };
      const double ratio = cell ? cell->ratio : 1;
      const Interval interval = cell && cell->interval ? *cell->interval : Interval{ratio, ratio, ratio, 1};
      const std::string text = !cell ? "" : cell->change == Change::none ? "no difference" : factor_text(1, ratio);
      csv += csv_line({fmt::format("{}", column), fmt::format("{}", row), columns[column].first, rows[row].first,
                       number(ratio), number(std::log10(ratio)), number(interval.low), number(interval.high), text});
    }
    csv += "\n";  // a scan line of the grid ends
  }
  Tics column_tics;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    column_tics.emplace_back(columns[column].first, static_cast<double>(column));
  }
  Tics row_tics;
  for (std::size_t row = 0; row < rows.size(); ++row) row_tics.emplace_back(rows[row].first, static_cast<double>(row));
  const double range = std::max({0.3, std::abs(std::log10(best->ratio)), std::abs(std::log10(worst->ratio))});
  Tics ratios;
  for (int exponent = -9; exponent <= 9; ++exponent) {
    if (std::abs(exponent) > range) continue;
    const double factor = std::pow(10, std::abs(exponent));
    ratios.emplace_back(exponent == 0 ? "1" : fmt::format("{}{}", exponent < 0 ? "1/" : "", spell_factor(factor)),
                        exponent);
  }
  const std::size_t longest = columns.size() * 24;
  std::string commands = fmt::format(
      "set xrange [-0.5:{0}.5]\nset yrange [-0.5:{1}.5]\nset cbrange [{2:.6g}:{3:.6g}]\n"
      "set xtics {4}\nset ytics {5}\nset cbtics {6}\nunset grid\nset border 0\nset tics scale 0\n"
      "set palette defined (-1 '#2166AC', -0.5 '#92C5DE', 0 '#F7F7F7', 0.5 '#F4A582', 1 '#B2182B')\n"
      "set xlabel {7}\nset ylabel {8}\nset cblabel 'latency, {9} / {10} (ratio)'\nunset key\n"
      "set contour base\nset cntrparam levels discrete 0\nset cntrparam linear\nunset surface\n"
      "set table $crossover\nsplot DATA using 1:2:6\nunset table\nunset contour\n"
      "plot DATA using 1:2:6 with image, $crossover using 1:2 with lines linewidth 5 linecolor rgb '#000000', "
      "DATA using 1:2:9 with labels font 'DejaVu Sans,{11}' textcolor rgb '#000000'\n",
      columns.size() - 1, rows.size() - 1, -range, range, tics_list(column_tics), tics_list(row_tics),
      tics_list(ratios), gnuplot_string(axis_label(data, plane->x)), gnuplot_string(axis_label(data, plane->y)),
      focus.after, focus.before, longest > 150 ? 13 : 18);
  const bool crosses = best->ratio < 1 && worst->ratio > 1;
  return Figure{
      {"map", csv, commands, 800},
      title,
      fmt::format("{} under {} against {}: from {} to {}{}. {}", capitalised(html_text(measure_text(focus.headline))),
                  html_text(focus.after), html_text(focus.before), ratio_html(data, focus, *best, focus.headline),
                  ratio_html(data, focus, *worst, focus.headline), of_others(data, focus, {plane->x, plane->y}),
                  crosses ? "The black line is where the two are equal."
                          : "Nowhere here are the two equal: there is no crossover in this range."),
      fmt::format("A map of the ratio of two policies over {} and {}.", x_name, y_name)};
}

// --- side by side -------------------------------------------------------------------------------------------------

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
    const PolicyOutcomes* const outcomes = data.results.points[point].policy(policy);
    const std::vector<double> values = outcomes == nullptr ? std::vector<double>{} : outcomes->values(measure);
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

}  // namespace

FigureOrNot side_by_side_figure(const ReportData& data, const Focus& focus) {
  const std::string title = "All policies side by side";
  if (data.policies.size() < 2) return Omission{title, "there is one policy only"};
  const std::vector<Group> groups = groups_of(data, focus);
  if (groups.empty()) return Omission{title, "no measure is known under two policies"};
  std::string csv = csv_line({"policy", "group", "row", "mean_ns", "low_ns", "high_ns", "replications"});
  double low = std::numeric_limits<double>::max();
  double high = 0;
  Tics tics;
  std::string separators;
  int row = 0;
  const std::string* widest = nullptr;
  double widest_spread = 0;
  for (const Group& group : groups) {
    const int first = row;
    for (const std::string& policy : data.policies) {
      const PolicyOutcomes* const outcomes = data.results.points[group.point].policy(policy);
      const std::vector<double> values = outcomes == nullptr ? std::vector<double>{} : outcomes->values(group.measure);
      if (values.empty()) continue;
      const double mean = mean_of(values);
      Interval interval = mean_interval(values).value_or(Interval{mean, mean, mean, 1});
      interval.low = std::max(interval.low, mean / 10);
      low = std::min(low, interval.low);
      high = std::max(high, interval.high);
      csv += csv_line({policy, group.name, fmt::format("{}", row), fmt::format("{:.10g}", mean),
                       fmt::format("{:.10g}", interval.low), fmt::format("{:.10g}", interval.high),
                       fmt::format("{}", values.size())});
      ++row;
    }
    tics.emplace_back(group.name, (first + row - 1) / 2.0);
    if (&group != &groups.back()) {
      separators += fmt::format(
          "set arrow from graph 0, first {0} to graph 1, first {0} nohead linecolor rgb '#999999' "
          "linewidth 1 back\n",
          row - 0.5 + 0.5);
      ++row;
    }
    if (spread(data, group.point, group.measure) > widest_spread) {
      widest_spread = spread(data, group.point, group.measure);
      widest = &group.name;
    }
  }
  std::string commands = log_time_axis("x", low, high) + separators +
                         fmt::format(
                             "set yrange [{}.5:-0.7]\nset ytics {}\nunset grid\nset grid x linecolor rgb "
                             "'#cccccc' linewidth 1 linetype 1\nset xlabel 'latency (time, logarithmic); "
                             "lines: 95 % confidence'\nset tics scale 0\nplot \\\n",
                             row - 1, tics_list(tics));
  const auto styles = styles_of(data.policies);
  for (const std::string& policy : data.policies) {
    commands +=
        fmt::format(" DATA using 4:{}:5:6 with xerrorbars linewidth 3 pointsize 2.2{} dashtype 1 title {}{}",
                    policy_filter(policy, "$3"),
                    fmt::format(" linecolor rgb '{}' pointtype {}", styles.at(policy).colour, styles.at(policy).mark),
                    gnuplot_string(policy), &policy == &data.policies.back() ? "\n" : ", \\\n");
  }
  const int height = std::clamp(260 + 34 * row, 500, 2000);
  return Figure{{"side_by_side", csv, commands, height},
                title,
                fmt::format("Policies differ most in {}: by a factor of {}{}.",
                            widest == nullptr ? "nothing" : html_text(*widest), spell_factor(widest_spread),
                            data.results.axes.empty() ? "" : at_focus(data, focus)),
                "A dot with a confidence interval for each policy, grouped by measure or scenario."};
}

std::vector<FigureOrNot> figures_of(const ReportData& data, const Focus& focus, const TimelineOf& timeline_of) {
  std::vector<FigureOrNot> figures{percentile_figure(data, focus), ccdf_figure(data, focus),
                                   axis_figure(data, focus),       heat_figure(data, focus),
                                   blame_figure(data, focus),      side_by_side_figure(data, focus)};
  for (const std::string& policy : focused_policies(focus)) {
    figures.push_back(timeline_figure(data, focus, policy, timeline_of));
  }
  figures.push_back(memory_figure(data, focus));
  return figures;
}

}  // namespace experiments
