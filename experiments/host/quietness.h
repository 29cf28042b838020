// Whether a machine was quiet enough for what was measured on it to be its own.
#pragma once

#include <string>
#include <vector>

namespace experiments {

struct ProbeReading;

/// A figure by which that is judged.
struct QuietSign {
  std::string text;    ///< the figure, and what it is compared with
  bool quiet = false;  ///< whether it is what an idle machine has
};

/// All that the probe has found out about it: the load before, the gaps that a spinning thread saw on each CPU, and how
/// much the same loop differs from time to time.
[[nodiscard]] std::vector<QuietSign> signs_of_quiet(const ProbeReading& reading);

}  // namespace experiments
