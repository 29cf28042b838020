// The noise of CPUs: for how long a thread that never sleeps does not get on.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace probe {

/// Spins on all of `cpus` at once. A list of `{cpu, seconds, threshold_ns, gaps, p50_ns, max_ns, lost, interrupts,
/// tasks}`: how many gaps longer than the threshold a thread saw there, how long they were, and which share of the time
/// they were; and apart from each other those in which it kept its CPU and those in which another thread had it, each
/// as `{gaps, lengths_ns}`: at most 50 lengths, in ascending order, each the mean of as many gaps.
[[nodiscard]] nlohmann::ordered_json noise_of(const std::vector<int>& cpus, std::int64_t nanoseconds);

}  // namespace probe
