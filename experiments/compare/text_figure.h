// A plot in characters, for a terminal: what the tail of the latencies looks like.
#pragma once

#include <string>
#include <vector>

#include "experiments/compare/comparison.h"
#include "sim/histogram.h"

namespace experiments {

/// One line of a plot.
struct Curve {
  std::string name;
  sim::Histogram latency;
};

/// Of the classes under one policy the `most` slowest, by the highest percentile that has samples enough behind it,
/// over the whole run: how often a class is stalled is then to be seen as well as how long. Classes without any such
/// percentile are left out. The slowest first.
[[nodiscard]] std::vector<Curve> slowest_curves(const Comparison& comparison, std::size_t policy, std::size_t most);

/// Latency over percentile: a mark for each curve in every column of which its histogram has samples enough to tell the
/// percentile. To the right every tick is one more nine (50 %, 90 %, 99 %, ...), upwards every label is ten times the
/// one below. Where curves meet, the mark of the first is seen. Lines have at most `width` characters (but are as long
/// as the names need). Ends with a newline. Empty if no curve has a percentile, or the page is too narrow for a plot.
[[nodiscard]] std::string percentile_figure(const std::vector<Curve>& curves, std::size_t width, bool colour);

}  // namespace experiments
