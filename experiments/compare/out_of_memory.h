// Runs that ran out of memory. It is an outcome, not a failure; but their figures end there, and whoever shows figures
// has to say so.
// Validated by tests/experiments/compare/out_of_memory_test.cpp.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/json.h"
#include "models/simulation.h"
#include "sim/time.h"

namespace experiments {

/// What became of the replications of one thing that was run.
struct OutOfMemory {
  std::string who;         ///< a policy, or a change of the scenario
  std::size_t runs = 0;    ///< that ran out of memory: at least one
  std::size_t of = 0;      ///< all of them
  sim::Nanoseconds first;  ///< simulated time until the first of them did

  bool operator==(const OutOfMemory&) const = default;
};

/// When a run ran out of memory; nothing where it did not.
using MemoryEnd = std::optional<sim::Nanoseconds>;
[[nodiscard]] MemoryEnd memory_end(const models::Result& result);

/// Nothing where none of the runs ran out of memory.
[[nodiscard]] std::optional<OutOfMemory> out_of_memory(const std::string& who, const std::vector<MemoryEnd>& runs);
[[nodiscard]] std::optional<OutOfMemory> out_of_memory(const std::string& who,
                                                       const std::vector<models::Result>& results);

/// `ran out of memory after 213 ms`, `ran out of memory in 2 of 3 runs, first after 213 ms`.
[[nodiscard]] std::string what_happened(const OutOfMemory& what);
/// With who it was in front.
[[nodiscard]] std::string to_text(const OutOfMemory& what);
[[nodiscard]] Json to_json(const OutOfMemory& what);

}  // namespace experiments
