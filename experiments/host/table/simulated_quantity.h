// What of a simulation a histogram of a real machine is set beside: what --table-of names.
//
//   wait  wait.read  wait.write      how long everybody waited for mmap_lock who asked for it; 0 who had not to
//   contended  contended.write ...   the same of those who had to wait
//   hold  hold.read  hold.write      how long mmap_lock was held
//   faulter  faulter.munlock         the latency of a class's requests, of those due during a call
//   locker.munlock                   how long a locker's calls took
//
// A class of the scenario comes first: `hold` is a class where one is named so.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/base/expression.h"
#include "experiments/base/quantity.h"
#include "models/measure/blame.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"
#include "sim/histogram.h"

namespace experiments {

struct SimulatedQuantity {
  enum class Kind { wait, contended, hold, latency };
  Kind kind{};
  std::optional<models::LockMode> mode{};  ///< of a lock's; nothing: both
  Measure measure{};                       ///< of a latency
  std::string text{};                      ///< as it was written
};

/// Refuses what names neither a quantity of mmap_lock nor a class and phase of the scenario.
[[nodiscard]] Expected<SimulatedQuantity> parse_simulated_quantity(const std::string& text,
                                                                   const models::Scenario& scenario);

/// Over all runs and all mmap_locks.
[[nodiscard]] sim::Histogram simulated_histogram(const SimulatedQuantity& quantity,
                                                 const std::vector<models::Result>& results);

/// In words: `waits for mmap_lock in write mode, 0 without`.
[[nodiscard]] std::string describe(const SimulatedQuantity& quantity);

}  // namespace experiments
