#include "experiments/compare/text_figure.h"

#include <fmt/color.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <optional>

#include "experiments/base/quantity.h"

namespace experiments {

namespace {

constexpr double kLeast = 0.5;  // the lowest percentile that Histogram::percentile is meant for
constexpr std::size_t kWidest = 110;
constexpr std::size_t kNarrowest = 20;  // columns that make a plot
constexpr std::size_t kLabelWidth = 9;  // of the vertical axis
constexpr int kMostRows = 20;

struct Mark {
  char character;
  fmt::terminal_color colour;
};

constexpr std::array<Mark, 6> kMarks{{{'*', fmt::terminal_color::red},
                                      {'o', fmt::terminal_color::blue},
                                      {'x', fmt::terminal_color::green},
                                      {'#', fmt::terminal_color::magenta},
                                      {'@', fmt::terminal_color::cyan},
                                      {'%', fmt::terminal_color::yellow}}};

const Mark& mark_of(std::size_t curve) { return kMarks[curve % kMarks.size()]; }

std::string draw(std::size_t curve, bool colour) {
  const std::string character(1, mark_of(curve).character);
  return colour ? fmt::format(fmt::fg(mark_of(curve).colour), "{}", character) : character;
}

// Percentiles by the number of their nines: 0.9 is 1, 0.999 is 3, 0.5 about 0.3.
double nines_of(double quantile) { return -std::log10(1 - quantile); }
double quantile_of(double nines) { return 1 - std::pow(10, -nines); }

// The most nines that so many samples can tell; less than those of kLeast if they tell nothing.
double nines_of(const sim::Histogram& histogram) {
  // samples_needed(0) samples tell the least percentile of all; each tenfold of them tells one nine more.
  const auto of_one = static_cast<double>(sim::Histogram::samples_needed(0));
  return histogram.empty() ? 0 : std::log10(static_cast<double>(histogram.count()) / of_one);
}

// The rest of the code never takes the logarithm of 0.
double logarithm(sim::Nanoseconds time) { return std::log10(std::max(1.0, static_cast<double>(time.count()))); }

// The highest percentile that there is.
std::optional<sim::Nanoseconds> tail(const sim::Histogram& histogram) {
  if (histogram.count() < sim::Histogram::samples_needed(kLeast)) return std::nullopt;
  // A little less: rounding must not ask for one sample more than there is.
  return histogram.percentile(std::max(kLeast, quantile_of(nines_of(histogram) - 1e-6)));
}

std::string tick_name(int nines) {
  if (nines == 0) return "50 %";
  if (nines == 1) return "90 %";
  return nines == 2 ? "99 %" : fmt::format("99.{} %", std::string(static_cast<std::size_t>(nines - 2), '9'));
}

// The scales, and the marks put so far.
class Plot {
 public:
  // Precondition: some curve has a percentile.
  Plot(const std::vector<Curve>& curves, std::size_t columns) {
    double lowest = 1e9;
    double highest = 0;
    for (const Curve& curve : curves) {
      const auto end = tail(curve.latency);
      if (!end) continue;
      most_nines_ = std::max(most_nines_, nines_of(curve.latency));
      lowest = std::min(lowest, logarithm(curve.latency.value_at(kLeast)));
      highest = std::max(highest, logarithm(*end));
    }
    lowest_power_ = static_cast<int>(std::floor(lowest));
    const int powers = std::max(1, static_cast<int>(std::ceil(highest)) - lowest_power_);
    rows_in_power_ = std::max(1, kMostRows / powers);
    const long top = std::max<long>(rows_in_power_, std::lround((highest - lowest_power_) * rows_in_power_));
    marks_.assign(static_cast<std::size_t>(top) + 1, std::vector<std::optional<std::size_t>>(columns));
    for (std::size_t curve = 0; curve < curves.size(); ++curve) put(curve, curves[curve].latency);
  }

  [[nodiscard]] std::string text(bool colour) const {
    std::string all;
    for (std::size_t row = marks_.size(); row-- > 0;) all += label(row) + line(marks_[row], colour) + "\n";
    return all + horizontal_axis();
  }

 private:
  [[nodiscard]] std::size_t columns() const { return marks_.front().size(); }
  [[nodiscard]] double least_nines() const { return nines_of(kLeast); }

  [[nodiscard]] double nines_at(std::size_t column) const {
    // Never quite at the end, where rounding would ask for one sample more than there is.
    const double part = static_cast<double>(column) / static_cast<double>(columns() - 1);
    return least_nines() + part * (most_nines_ - 1e-6 - least_nines());
  }
  [[nodiscard]] std::size_t column_of(double nines) const {
    const double part = (nines - least_nines()) / (most_nines_ - least_nines());
    return static_cast<std::size_t>(std::lround(part * static_cast<double>(columns() - 1)));
  }
  [[nodiscard]] std::size_t row_of(sim::Nanoseconds time) const {
    return static_cast<std::size_t>(std::lround((logarithm(time) - lowest_power_) * rows_in_power_));
  }

  // A step upwards is a vertical line.
  void put(std::size_t curve, const sim::Histogram& latency) {
    std::optional<std::size_t> before;
    for (std::size_t column = 0; column < columns(); ++column) {
      const auto value = latency.percentile(std::max(kLeast, quantile_of(nines_at(column))));
      if (!value) return;
      const std::size_t row = row_of(*value);
      const std::size_t from = before && *before < row ? *before + 1 : row;
      for (std::size_t each = from; each <= row; ++each) {
        auto& mark = marks_[each][column];
        if (!mark) mark = curve;
      }
      before = row;
    }
  }

  [[nodiscard]] std::string label(std::size_t row) const {
    const auto rows = static_cast<std::size_t>(rows_in_power_);
    if (row % rows != 0) return fmt::format("{:>{}} |", "", kLabelWidth);
    const int power = lowest_power_ + static_cast<int>(row / rows);
    return fmt::format("{:>{}} +", human(std::chrono::duration<double, std::nano>(std::pow(10, power))), kLabelWidth);
  }

  [[nodiscard]] static std::string line(const std::vector<std::optional<std::size_t>>& marks, bool colour) {
    std::string text;
    std::size_t blanks = 0;  // those at the end of a line are not written
    for (const auto& mark : marks) {
      if (!mark) {
        ++blanks;
        continue;
      }
      text += std::string(blanks, ' ') + draw(*mark, colour);
      blanks = 0;
    }
    return text;
  }

  [[nodiscard]] std::string horizontal_axis() const {
    std::string axis(columns(), '-');
    std::string names;
    for (int nines = 0; nines == 0 || nines <= most_nines_; ++nines) {
      const std::size_t column = nines == 0 ? 0 : column_of(nines);
      const std::string name = tick_name(nines);
      axis[column] = '+';
      // Under its tick, but within the page, and only where there is room.
      const std::size_t at = std::min(column, columns() - std::min(columns(), name.size()));
      if (!names.empty() && at < names.size() + 2) continue;
      names += std::string(at - names.size(), ' ') + name;
    }
    const std::string margin(kLabelWidth, ' ');
    return fmt::format("{} +{}\n{}  {}\n", margin, axis, margin, names);
  }

  double most_nines_ = 1;  // an axis needs a length, however few samples there are
  int lowest_power_ = 0;
  int rows_in_power_ = 1;
  std::vector<std::vector<std::optional<std::size_t>>> marks_;  // by row from below and column: the curve
};

}  // namespace

std::vector<Curve> slowest_curves(const Comparison& comparison, std::size_t policy, std::size_t most) {
  std::vector<Curve> curves;
  for (const Row& row : comparison.rows()) {
    if (curves.empty() || curves.back().name != row.class_name) curves.push_back({row.class_name, {}});
    curves.back().latency.merge(comparison.pooled(policy, row).latency());
  }
  std::erase_if(curves, [](const Curve& curve) { return !tail(curve.latency); });
  std::stable_sort(curves.begin(), curves.end(),
                   [](const Curve& a, const Curve& b) { return tail(a.latency) > tail(b.latency); });
  if (curves.size() > most) curves.resize(most);
  return curves;
}

std::string percentile_figure(const std::vector<Curve>& curves, std::size_t width, bool colour) {
  const std::size_t margin = kLabelWidth + 2;
  const bool any = std::any_of(curves.begin(), curves.end(), [](const Curve& curve) { return tail(curve.latency); });
  if (!any || width < margin + kNarrowest) return "";
  std::string text = fmt::format("{:>{}}\n", "latency", kLabelWidth);
  text += Plot(curves, std::min(width, kWidest) - margin).text(colour);
  text += fmt::format("{:{}}percentile of the requests\n", "", margin);
  for (std::size_t curve = 0; curve < curves.size(); ++curve) {
    const sim::Histogram& latency = curves[curve].latency;
    if (!tail(latency)) continue;
    text += fmt::format("{:{}}{} {}: {} requests, max {}\n", "", margin, draw(curve, colour), curves[curve].name,
                        latency.count(), human(latency.max()));
  }
  return text;
}

}  // namespace experiments
