// How far a replay is like what was recorded: what each class waited for mmap_lock, in all and at most.
#pragma once

#include <string>
#include <vector>

#include "models/measure/result.h"

namespace experiments {

/// What the threads of one class waited for mmap_lock.
struct ReplayedWaits {
  std::string name;
  sim::Nanoseconds recorded{};  ///< in all
  sim::Nanoseconds replayed{};
  sim::Nanoseconds longest_recorded{};
  sim::Nanoseconds longest_replayed{};

  bool operator==(const ReplayedWaits&) const = default;
};

/// Of all classes that waited in either, in the order in which they waited most in the recording.
[[nodiscard]] std::vector<ReplayedWaits> replayed_waits(const models::Result& recorded, const models::Result& replayed);

/// A table of them, and where mmap_lock was held for much longer or shorter than in the recording a line that says so:
/// then the costs of the machine are not those of the trace. Ends with a newline.
[[nodiscard]] std::string replay_check(const models::Result& recorded, const models::Result& replayed);

}  // namespace experiments
