// Draws plots with gnuplot: for each the data, the script that draws it, and what it has drawn, all beside each other.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace experiments {

/// One plot. `commands` are gnuplot's, and read `data` as the file DATA of columns with headers: `plot DATA using ...`.
struct Plot {
  std::string name;  ///< of its files
  std::string data;  ///< CSV, the first line of which names the columns
  std::string commands;
  int height = 900;  ///< in pixels of 1600 across
};

/// A text as a gnuplot string: nothing in it is special.
[[nodiscard]] std::string gnuplot_string(std::string_view text);

/// Writes NAME.csv and NAME.gnuplot, runs gnuplot, which makes NAME.svg and NAME.png. Throws UsageError where there is
/// no gnuplot, and std::runtime_error with what it says if it fails.
void draw(const std::vector<Plot>& plots, const std::filesystem::path& folder);

/// Whether gnuplot is there; throws UsageError with the package's name if not. To be asked before any work is done.
void require_gnuplot();

/// A drawing of gnuplot's as part of a page: without a size of its own, its black in the colour of the text, its
/// identifiers begun with `prefix`, and named by `label` for those who do not see it.
[[nodiscard]] std::string inline_svg(const std::string& svg, const std::string& prefix, const std::string& label);

// --- axes -----------------------------------------------------------------------------------------------------

/// Labels at places of an axis, as `set xtics` takes them.
using Tics = std::vector<std::pair<std::string, double>>;
[[nodiscard]] std::string tics_list(const Tics& tics);

/// Of times in nanoseconds on a logarithmic axis from `low` to `high` (> 0): 1 us, 10 us ... that lie in between, or
/// with 2 and 5 in between where there would be too few.
[[nodiscard]] Tics time_tics(double low, double high);

}  // namespace experiments
