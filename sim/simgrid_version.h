// Which SimGrid this program runs with.
#pragma once

#include <string>

namespace sim {

/// Of the library that is loaded: `3.32`, or `3.36.1`.
[[nodiscard]] std::string simgrid_version();

}  // namespace sim
