#include "experiments/report/figures/plot_builder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "experiments/base/csv.h"

namespace experiments {

PlotBuilder::PlotBuilder(std::string_view name, std::string title, const std::vector<std::string>& columns)
    : name_(file_stem(name)), title_(std::move(title)), columns_(columns.size()), data_(csv_line(columns)) {}

void PlotBuilder::row(const std::vector<std::string>& fields) {
  assert(fields.size() == columns_);
  data_ += csv_line(fields);
}

void PlotBuilder::end_scan_line() { data_ += "\n"; }

void PlotBuilder::set(std::string_view option, std::string_view value) {
  commands_ += value.empty() ? fmt::format("set {}\n", option) : fmt::format("set {} {}\n", option, value);
}

void PlotBuilder::unset(std::string_view option) { commands_ += fmt::format("unset {}\n", option); }

void PlotBuilder::range(std::string_view axis, std::string_view from, std::string_view to) {
  commands_ += fmt::format("set {}range [{}:{}]\n", axis, from, to);
}

void PlotBuilder::tics(std::string_view axis, const Tics& tics, std::string_view more) {
  commands_ += fmt::format("set {}tics {}{}{}\n", axis, tics_list(tics), more.empty() ? "" : " ", more);
}

void PlotBuilder::label(std::string_view axis, std::string_view text) {
  commands_ += fmt::format("set {}label {}\n", axis, gnuplot_string(text));
}

void PlotBuilder::log_times(std::string_view axis, double low, double high) {
  constexpr double kRoom = 1.3;
  const double from = std::max(0.5, low / kRoom);
  const double to = high * kRoom;
  set("logscale", axis);
  range(axis, digits(from), digits(to));
  tics(axis, time_tics(from, to));
}

void PlotBuilder::rows(int last, const Tics& tics_of_rows, std::string_view above, std::string_view below,
                       std::string_view more) {
  range("y", fmt::format("{}{}", last, below.substr(1)), fmt::format("-{}", above));
  tics("y", tics_of_rows, more);
}

void PlotBuilder::curve(std::string_view text) { curves_.emplace_back(text); }

void PlotBuilder::plot() {
  commands_ += fmt::format("plot \\\n {}\n", fmt::join(curves_, ", \\\n "));
  curves_.clear();
}

Figure PlotBuilder::figure(std::string caption, std::string description) {
  if (!curves_.empty()) plot();
  return {{name_, data_, commands_, height_}, title_, std::move(caption), std::move(description)};
}

std::string where(int column, std::string_view text, std::string_view expression) {
  return fmt::format("(strcol({}) eq {} ? {} : NaN)", column, gnuplot_string(text), expression);
}

std::string digits(double value, int most) { return fmt::format("{:.{}g}", value, most); }

}  // namespace experiments
