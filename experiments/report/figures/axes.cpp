#include "experiments/report/figures/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace experiments {

namespace {

bool is_size(const ReportData& data, std::size_t axis) {
  const auto& label = data.results.points.front().labels[axis];
  return label && value_of(*label).type == ValueType::size;
}

}  // namespace

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

std::vector<double> values_at(const ReportData& data, std::size_t point, const std::string& policy,
                              const Measure& measure) {
  const PolicyOutcomes* const outcomes = data.results.points[point].policy(policy);
  return outcomes == nullptr ? std::vector<double>{} : outcomes->values(measure);
}

Interval drawn_interval(const std::vector<double>& values) {
  const double mean = mean_of(values);
  Interval interval = mean_interval(values).value_or(Interval{mean, mean, mean, 1});
  // A logarithmic axis has no place for what a normal interval has below 0.
  interval.low = std::max(interval.low, mean / 10);
  return interval;
}

}  // namespace experiments
