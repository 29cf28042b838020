// The parts of a run that a trace shows.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "experiments/base/quantity.h"
#include "models/simulation.h"
#include "sim/time.h"

namespace experiments {

/// From `from` on, until just before `to`.
struct TimeWindow {
  sim::Time from;
  sim::Time to;

  bool operator==(const TimeWindow&) const = default;
};

inline constexpr TimeWindow kWholeRun{sim::Time{}, sim::Time::max()};

/// `1.2s..1.3s`.
[[nodiscard]] Expected<TimeWindow> parse_window(std::string_view text);

/// Around each of the `count` longest requests of all classes: a tenth of its latency more before and after.
[[nodiscard]] std::vector<TimeWindow> windows_around_worst(const models::Result& result, std::size_t count);

namespace trace {

/// Windows, merged and in order.
class Windows {
 public:
  explicit Windows(std::vector<TimeWindow> windows);

  /// The first one that is not over at `at`, or null.
  [[nodiscard]] const TimeWindow* not_over_at(sim::Time at) const;
  [[nodiscard]] bool contain(sim::Time at) const;
  /// From now on nothing from `at` on is in any.
  void end_at(sim::Time at);

 private:
  std::vector<TimeWindow> merged_;
};

}  // namespace trace

}  // namespace experiments
