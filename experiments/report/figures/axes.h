// A study's axes as those of a figure: which has numbers, which points lie along it, what its values are called.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "experiments/base/statistics.h"
#include "experiments/report/gnuplot.h"
#include "experiments/report/report_answer.h"
#include "experiments/report/report_data.h"

namespace experiments {

/// A point's value on an axis: a number, a size in bytes, a duration in nanoseconds. Nothing: it has none.
[[nodiscard]] std::optional<double> number_at(const ReportData& data, std::size_t point, std::size_t axis);
/// Whether all values are numbers, and there is one.
[[nodiscard]] bool is_numeric(const ReportData& data, std::size_t axis);

/// The points that differ from `centre` in these axes at most.
[[nodiscard]] std::vector<std::size_t> neighbours(const ReportData& data, std::size_t centre,
                                                  const std::set<std::size_t>& axes);
[[nodiscard]] std::size_t distinct_values(const ReportData& data, const std::vector<std::size_t>& points,
                                          std::size_t axis);

/// The numeric axis that has most values around the focus, sizes first; nothing where none has two.
[[nodiscard]] std::optional<std::size_t> main_axis(const ReportData& data, const Focus& focus);

[[nodiscard]] std::string axis_label(const ReportData& data, std::size_t axis);
/// The axis' values at these points, in order, as the study spells them.
[[nodiscard]] Tics label_tics(const ReportData& data, const std::vector<std::size_t>& points, std::size_t axis);
/// ` at region 64MiB`, as HTML: what the axes that a figure does not vary are held at.
[[nodiscard]] std::string of_others(const ReportData& data, const Focus& focus, const std::set<std::size_t>& varied);

/// The values of a measure at a point under a policy; empty where there are none.
[[nodiscard]] std::vector<double> values_at(const ReportData& data, std::size_t point, const std::string& policy,
                                            const Measure& measure);
/// Their mean with its confidence interval as a logarithmic axis can show it: above 0. At least one value.
[[nodiscard]] Interval drawn_interval(const std::vector<double>& values);

}  // namespace experiments
