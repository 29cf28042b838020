// The answer in plain words, from the numbers of a comparison and nothing else.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "experiments/compare/comparison.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"

namespace experiments {

/// For each path on which two of the policies differ and in nothing else: whether holding mmap_sem less helps those
/// who compete with the locker, by how much, whom not and why; what it costs the locker; and what remains.
/// Then what has to be known to trust the figures. Ends with a newline.
[[nodiscard]] std::string verdict(const Comparison& comparison);

/// Two policies that differ in how long a path holds mmap_sem for write, and in nothing else.
struct PolicyQuestion {
  std::size_t held;        ///< the policy that holds it for all of the path
  std::size_t downgraded;  ///< the one that does not
  models::Phase call;      ///< the path
  std::string question;    ///< in words, with a question mark
};

/// All that these policies answer, in the order of mlock, munlock, munmap.
[[nodiscard]] std::vector<PolicyQuestion> questions_between(const std::vector<models::Policy>& policies);

/// Where a closed and an open loop of one process ask for the same: how far apart their p99 are, during the call in
/// which the open loop's is longest (of all policies). A sentence for each such pair, four spaces before it; nothing
/// where they are not far apart, or where there are too few requests to tell.
[[nodiscard]] std::string closed_loop_gaps(const Comparison& comparison);

/// Why a run ended in OOM: what there was to reclaim, and what not. Without a full stop.
[[nodiscard]] std::string out_of_memory_reason(const models::MemoryResult& memory);

}  // namespace experiments
