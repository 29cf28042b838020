// The headline's ratio between two policies over the two axes of numbers that span most points.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "experiments/report/figures/axes.h"
#include "experiments/report/figures/captions.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"

namespace experiments {

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

/// The effects at the points of a plane.
struct EffectMap {
  Tics columns;
  Tics rows;
  std::vector<std::vector<std::optional<PointEffect>>> cells;  ///< by row, then column
  std::optional<PointEffect> best;                             ///< nothing: no cell has an effect
  std::optional<PointEffect> worst;
};

EffectMap map_of(const ReportData& data, const Focus& focus, const TwoAxes& plane) {
  EffectMap map{label_tics(data, plane.points, plane.x), label_tics(data, plane.points, plane.y), {}, {}, {}};
  map.cells.assign(map.rows.size(), std::vector<std::optional<PointEffect>>(map.columns.size()));
  for (const std::size_t point : plane.points) {
    const auto effect = effect_at(data, point, focus.before, focus.after, focus.headline);
    if (!effect) continue;
    const std::size_t row = place_in(map.rows, *number_at(data, point, plane.y));
    const std::size_t column = place_in(map.columns, *number_at(data, point, plane.x));
    map.cells[row][column] = effect;
    if (!map.best || effect->ratio < map.best->ratio) map.best = effect;
    if (!map.worst || effect->ratio > map.worst->ratio) map.worst = effect;
  }
  return map;
}

void add_rows(PlotBuilder& plot, const EffectMap& map) {
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    for (std::size_t column = 0; column < map.columns.size(); ++column) {
      const auto& cell = map.cells[row][column];
      const auto number = [&](double value) { return cell ? digits(value, 8) : std::string("NaN"); };
      const double ratio = cell ? cell->ratio : 1;
      const Interval interval = cell && cell->interval ? *cell->interval : Interval{ratio, ratio, ratio, 1};
      const std::string text = !cell ? "" : cell->change == Change::none ? "no difference" : factor_text(1, ratio);
      plot.row({fmt::format("{}", column), fmt::format("{}", row), map.columns[column].first, map.rows[row].first,
                number(ratio), number(std::log10(ratio)), number(interval.low), number(interval.high), text});
    }
    plot.end_scan_line();
  }
}

/// The same labels at 0, 1, 2 ...
Tics evenly_spaced(const Tics& tics) {
  Tics even;
  for (const auto& [label, at] : tics) even.emplace_back(label, static_cast<double>(even.size()));
  return even;
}

/// 1/100, 1/10, 1, 10 ... within `range` decades of 1.
Tics ratio_tics(double range) {
  Tics ratios;
  for (int exponent = -9; exponent <= 9; ++exponent) {
    if (std::abs(exponent) > range) continue;
    const double factor = std::pow(10, std::abs(exponent));
    ratios.emplace_back(exponent == 0 ? "1" : fmt::format("{}{}", exponent < 0 ? "1/" : "", spell_factor(factor)),
                        exponent);
  }
  return ratios;
}

void set_axes(PlotBuilder& plot, const ReportData& data, const Focus& focus, const TwoAxes& plane,
              const EffectMap& map) {
  const double range = std::max({0.3, std::abs(std::log10(map.best->ratio)), std::abs(std::log10(map.worst->ratio))});
  plot.range("x", "-0.5", fmt::format("{}.5", map.columns.size() - 1));
  plot.range("y", "-0.5", fmt::format("{}.5", map.rows.size() - 1));
  plot.range("cb", digits(-range, 6), digits(range, 6));
  plot.tics("x", evenly_spaced(map.columns));
  plot.tics("y", evenly_spaced(map.rows));
  plot.tics("cb", ratio_tics(range));
  plot.unset("grid");
  plot.set("border", "0");
  plot.set("tics", "scale 0");
  plot.set("palette", "defined (-1 '#4393C3', -0.5 '#92C5DE', 0 '#F7F7F7', 0.5 '#F4A582', 1 '#D6604D')");
  plot.label("x", axis_label(data, plane.x));
  plot.label("y", axis_label(data, plane.y));
  plot.label("cb", fmt::format("latency, {} / {} (ratio)", focus.after, focus.before));
  plot.unset("key");
}

/// Coloured cells with their ratio as text, and the line along which there is no difference. Both are as good as black
/// also on a dark page, where black becomes light: cells have one colour everywhere, and none that is too dark for
/// them.
void draw_map(PlotBuilder& plot, std::size_t columns) {
  constexpr std::size_t kManyColumns = 7;
  plot.commands(
      "set contour base\nset cntrparam levels discrete 0\nset cntrparam linear\nunset surface\n"
      "set table $crossover\nsplot DATA using 1:2:6\nunset table\nunset contour\n");
  plot.commands(fmt::format(
      "plot DATA using 1:2:6 with image, $crossover using 1:2 with lines linewidth 5 linecolor rgb '#010101', "
      "DATA using 1:2:9 with labels font 'DejaVu Sans,{}' textcolor rgb '#010101'\n",
      columns >= kManyColumns ? 13 : 18));
}

}  // namespace

FigureOrNot heat_figure(const ReportData& data, const Focus& focus) {
  const std::string title = "Where it helps, and where not";
  if (focus.after.empty()) return Omission{title, "there is one policy only"};
  const auto plane = widest_plane(data, focus);
  if (!plane) return Omission{title, "a map of ratios needs two axes of numbers, sizes or durations"};
  const EffectMap map = map_of(data, focus, *plane);
  if (!map.best) return Omission{title, "no point has " + html_text(to_text(focus.headline)) + " under both policies"};
  const std::string x_name = data.results.axes[plane->x];
  const std::string y_name = data.results.axes[plane->y];
  PlotBuilder plot("map", title, {"column", "row", x_name, y_name, "ratio", "log10_ratio", "low", "high", "text"});
  add_rows(plot, map);
  set_axes(plot, data, focus, *plane, map);
  draw_map(plot, map.columns.size());
  plot.height(800);
  const bool crosses = map.best->ratio < 1 && map.worst->ratio > 1;
  return plot.figure(
      fmt::format("{} under {} against {}: from {} to {}{}. {}", capitalised(html_text(measure_text(focus.headline))),
                  html_text(focus.after), html_text(focus.before), ratio_html(data, focus, *map.best, focus.headline),
                  ratio_html(data, focus, *map.worst, focus.headline), of_others(data, focus, {plane->x, plane->y}),
                  crosses ? "The black line is where the two are equal."
                          : "Nowhere here are the two equal: there is no crossover in this range."),
      fmt::format("A map of the ratio of two policies over {} and {}.", x_name, y_name));
}

}  // namespace experiments
