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

/// Spins on one of two CPUs, then on the other, while a thread of the other one maps and unmaps a page all the time,
/// for so long each: the gaps, in nanoseconds, in which another thread had the CPU (RCU's, models/sched/rcu.h).
[[nodiscard]] std::vector<double> gaps_beside_a_mapper(int one, int other, std::int64_t nanoseconds);

}  // namespace probe
