// How far a replay is like what was recorded: what each class waited for mmap_lock, in all and at most.
#pragma once

#include <string>
#include <vector>

#include "models/measure/result.h"

namespace experiments {

/// What the threads of one class waited for mmap_lock; of the replays the one in the middle.
struct ReplayedWaits {
  std::string name;
  sim::Nanoseconds recorded{};  ///< in all
  sim::Nanoseconds replayed{};
  sim::Nanoseconds longest_recorded{};
  sim::Nanoseconds longest_replayed{};
  sim::Nanoseconds least_replayed{};  ///< in all, of the replay in which they waited least
  sim::Nanoseconds most_replayed{};

  bool operator==(const ReplayedWaits&) const = default;
};

/// Of all classes that waited in either (in half of the replays), in the order in which they waited most in the
/// recording. `replays`: one at least, with seeds of their own.
[[nodiscard]] std::vector<ReplayedWaits> replayed_waits(const models::Result& recorded,
                                                        const std::vector<models::Result>& replays);

/// A table of them, and where mmap_lock was held for much longer or shorter than in the recording a line that says so:
/// then the costs of the machine are not those of the trace. Another one for whom the seed makes more than
/// judgement::kPlainChange of a difference. Ends with a newline.
[[nodiscard]] std::string replay_check(const models::Result& recorded, const std::vector<models::Result>& replays);

}  // namespace experiments
