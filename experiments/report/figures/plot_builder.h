// Describes a figure piece by piece: what its data are, its axes, what is drawn. The CSV and gnuplot's script are
// written here only, in the order in which the pieces come.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "experiments/report/figures/figure.h"

namespace experiments {

class PlotBuilder {
 public:
  /// `name`: of the files, once made a file_stem(). `columns`: those of the data.
  PlotBuilder(std::string_view name, std::string title, const std::vector<std::string>& columns);

  // --- data -------------------------------------------------------------------------------------------------------

  /// A row, with a field for each column.
  void row(const std::vector<std::string>& fields);
  /// Ends a scan line of a grid.
  void end_scan_line();

  // --- axes: "x", "y", "cb" -----------------------------------------------------------------------------------------

  /// `set OPTION VALUE`, for all that has no function of its own.
  void set(std::string_view option, std::string_view value = {});
  void unset(std::string_view option);
  void range(std::string_view axis, std::string_view from, std::string_view to);
  /// `more`: options of gnuplot's, such as a font.
  void tics(std::string_view axis, const Tics& tics, std::string_view more = {});
  void label(std::string_view axis, std::string_view text);
  /// A logarithmic axis of times in nanoseconds, with room beyond both ends.
  void log_times(std::string_view axis, double low, double high);
  /// An axis of rows from the top down, the first of which is 0, with this much room above and below.
  void rows(int last, const Tics& tics, std::string_view above = "0.6", std::string_view below = "0.6",
            std::string_view more = {});
  /// A line across, `options` such as "from 1, graph 0 to 1, graph 1 nohead".
  void line(std::string_view options) { set("arrow", options); }

  // --- what is drawn ------------------------------------------------------------------------------------------------

  /// A curve of the plot, such as `DATA using 1:2 with lines`. `$4` is the data's fourth column.
  void curve(std::string_view text);
  /// Draws the curves so far: for figures of several plots. The last is drawn without.
  void plot();
  /// Commands that are none of these, each with its end of line.
  void commands(std::string_view text) { commands_ += text; }
  void height(int pixels) { height_ = pixels; }

  [[nodiscard]] const std::string& title() const { return title_; }

  /// The figure. `caption`: HTML; `description`: plain text.
  [[nodiscard]] Figure figure(std::string caption, std::string description);

 private:
  std::string name_;
  std::string title_;
  std::size_t columns_;
  std::string data_;
  std::string commands_;
  std::vector<std::string> curves_;
  int height_ = Plot{}.height;
};

/// What gnuplot takes for the value of a row: `expression` where that column has this text, else nothing.
[[nodiscard]] std::string where(int column, std::string_view text, std::string_view expression);

/// A number with that many digits at most, for data and ranges.
[[nodiscard]] std::string digits(double value, int most = 10);

}  // namespace experiments
