// Virtual time: integer nanoseconds since the start of the run.
//
// Nothing in the simulator computes with seconds; the one conversion to double is for SimGrid, whose
// clock counts seconds.
#pragma once

#include <chrono>
#include <cstdint>

namespace sim {

/// A length of virtual time. Always whole; never negative where it is a cost or a delay.
using Nanoseconds = std::chrono::nanoseconds;

/// The clock of the simulated machine. A tag: the time itself is asked of sim::Engine.
struct VirtualClock {
  using duration = Nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<VirtualClock, duration>;
  static constexpr bool is_steady = true;
};

/// A moment of virtual time.
using Time = VirtualClock::time_point;

/// The first multiple of `interval` after `time`, counted from the start of the run.
constexpr Time next_multiple(Nanoseconds interval, Time time) {
  return Time{(time.time_since_epoch() / interval + 1) * interval};
}

/// Seconds as SimGrid's clock counts them. Neighbouring nanoseconds stay distinct as doubles for the first 97 days
/// (2^23 s); scenarios are limited to 30 days.
inline double to_seconds(Time time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

}  // namespace sim
