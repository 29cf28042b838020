// The answer in plain words, from the numbers of a comparison and nothing else.
#pragma once

#include <cstddef>
#include <string>

#include "experiments/compare/comparison.h"
#include "models/measure/result.h"

namespace experiments {

/// For each question that the policies answer (policy_question.h): whether the change helps those who compete with the
/// locker, by how much, whom not and why; what it costs the locker; and what remains. Then what has to be known to
/// trust the figures. Ends with a newline. `width`: of the lines of the answers.
[[nodiscard]] std::string verdict(const Comparison& comparison, std::size_t width);

/// Where a closed and an open loop of one process ask for the same: how far apart their p99 are, during the call in
/// which the open loop's is longest (of all policies). A sentence for each such pair, four spaces before it; nothing
/// where they are not far apart, or where there are too few requests to tell.
[[nodiscard]] std::string closed_loop_gaps(const Comparison& comparison);

/// Why a run ended in OOM: what there was to reclaim, and what not. Without a full stop.
[[nodiscard]] std::string out_of_memory_reason(const models::MemoryResult& memory);

}  // namespace experiments
