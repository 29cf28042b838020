// What an idle CPU falls into, by what the probe has measured after idle periods of several lengths.
//
// The first state is that after kHalted, where wake-ups take longer than of a CPU that has just gone idle, or calls
// than in a loop; the second that after the last of kDeepIdle, where calls take longer still. From how much idleness on
// a CPU is in one: a call after idle periods between the two takes about as long as in the one state or as in the
// other, and which of them it was is decided halfway, as ratios go.
//
// Validated by tests/experiments/host/idle_states_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/host/after_idle.h"
#include "experiments/host/probe_reading.h"

namespace experiments {

/// Lists in nanoseconds, the middle of each tenth of all cases.
struct MeasuredIdleState {
  AfterIdle idle;             ///< after which it is in this state
  std::vector<double> after;  ///< from how much idleness on it is
  const char* seen_at;        ///< what that was seen at, in the plural
  std::vector<double> calls;  ///< how much longer than usual they take: mmap and munmap
  std::vector<double> faults;
  std::vector<double> files;  ///< maps and cmdline
};

/// From the shallowest to the deepest: none, one or two.
[[nodiscard]] std::vector<MeasuredIdleState> measured_idle_states(const ProbeReading& reading);

/// From before the waker's call to the woken thread's first look at the clock, after `idle`; none where it was not
/// measured. What takes as long as in a deeper state is left out.
[[nodiscard]] std::optional<std::vector<double>> wake_ups_after(const ProbeReading& reading, const AfterIdle& idle);

}  // namespace experiments
