// Draws plots with gnuplot: for each the data, the script that draws it, and what it has drawn, all beside each other.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace experiments {

/// One plot. `commands` are gnuplot's, and read `data` as the file DATA of columns with headers: `plot DATA using ...`.
struct Plot {
  std::string name;  ///< of its files: as file_stem() gives it
  std::string data;  ///< CSV, the first line of which names the columns
  std::string commands;
  int height = 900;  ///< in pixels of 1600 across
};

/// A text as a gnuplot string: nothing in it is special.
[[nodiscard]] std::string gnuplot_string(std::string_view text);

/// `text` as the name of a file: what is neither a letter, a digit nor one of `_-.` becomes `_`, as does what a shell
/// or gnuplot would take for an option or hide (`-` or `.` in front). Never empty.
[[nodiscard]] std::string file_stem(std::string_view text);

/// Why there is no drawing: a clause.
struct NotDrawn {
  std::string reason;
};

/// gnuplot draws the largest of our figures in a second.
inline constexpr std::chrono::seconds kDrawingLimit{60};

/// Writes NAME.csv and NAME.gnuplot into `folder` and runs gnuplot there, which makes NAME.svg and NAME.png. Returns
/// the SVG. Where gnuplot cannot be started, fails, takes longer than `limit` (it is killed) or leaves either out,
/// neither is there afterwards. Throws std::runtime_error where the data cannot be written.
[[nodiscard]] std::variant<std::string, NotDrawn> draw(const Plot& plot, const std::filesystem::path& folder,
                                                       std::chrono::milliseconds limit = kDrawingLimit);

/// Whether gnuplot is there; throws UsageError with the package's name if not. To be asked before any work is done.
void require_gnuplot();

// --- axes -----------------------------------------------------------------------------------------------------

/// Labels at places of an axis, as `set xtics` takes them.
using Tics = std::vector<std::pair<std::string, double>>;
[[nodiscard]] std::string tics_list(const Tics& tics);

/// Of times in nanoseconds on a logarithmic axis from `low` to `high` (> 0): 1 us, 10 us ... that lie in between, or
/// with 2 and 5 in between where there would be too few.
[[nodiscard]] Tics time_tics(double low, double high);

}  // namespace experiments
