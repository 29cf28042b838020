// What the program finds in the module that holds SimGrid (sim/simgrid.h).
#pragma once

#include <string>
#include <vector>

namespace sim {

class SimGrid;

/// Starts SimGrid with these options; the caller deletes what it gets.
using StartSimGrid = SimGrid*(const std::vector<std::string>& arguments);

inline constexpr const char* kSimGridModule = "libmlocksim-simgrid.so";
inline constexpr const char* kStartSimGrid = "mlocksim_start_simgrid";

}  // namespace sim
