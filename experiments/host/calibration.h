// A machine file made of what the probe has measured.
//
// Each cost is a sum and difference of medians; the table in calibration.cpp has the arithmetic, and the file repeats
// it beside each key with the spread. What cannot be measured as a user, or was not, is as in the shipped machine, and
// the file says so and why.
//
// Trust: page costs are CPU time and survive a busy machine; costs that are short differences (vma_split, rwsem_wake,
// proc_cmdline) are not better than their spread. tests/experiments/host/calibration_test.cpp holds the arithmetic.
#pragma once

#include <string>
#include <vector>

namespace experiments {

struct ProbeReading;

/// The machine whose costs stand in for those that were not measured.
inline constexpr const char* kStandInMachine = "machines/epyc-zen4-linux-6.18";

/// What was made of a reading.
struct Calibration {
  std::string text;                   ///< the file
  std::vector<std::string> measured;  ///< keys of costs and scheduler
  std::vector<std::string> assumed;
};

/// `name`: the machine's, a name as of name_of (yaml_values.h). Throws UsageError for a kernel whose scheduler is
/// unknown.
[[nodiscard]] Calibration calibrate(const ProbeReading& reading, const std::string& name);

}  // namespace experiments
