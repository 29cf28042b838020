// The tiny scenario with something expected of it.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "experiments/scenario/expectation.h"
#include "experiments/scenario/scenario_file.h"
#include "tests/support/config_files.h"
#include "tests/support/tiny_scenario.h"

namespace tests {

/// The text of the tiny scenario with the list `list` under `expect`, in line 19.
inline std::string expecting(const std::string& list) { return fmt::format("{}expect: {}\n", kTinyScenario, list); }

inline std::vector<experiments::Expectation> expectations_of(const std::string& list) {
  return experiments::read_scenario_file(write("s.yaml", expecting(list))).expectations;
}

}  // namespace tests
