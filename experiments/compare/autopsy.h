// The longest requests of a run, one by one: what each of them waited for, in order, and why that took its time.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "models/measure/result.h"
#include "models/measure/worst_request.h"
#include "sim/time.h"

namespace experiments {

/// How many there can be: a run keeps so many of each class.
inline constexpr std::size_t kMostAutopsies = models::WorstRequests::kMost;

/// One of them, in words.
struct LongestRequest {
  struct Step {
    sim::Nanoseconds after;  ///< since it was due
    sim::Nanoseconds length;
    std::string what;  ///< `waits for mmap_sem, held for write by locker in munlock.walk`
  };
  std::string task;
  sim::Nanoseconds latency{};
  sim::Nanoseconds due{};     ///< since the run began
  std::string during{};       ///< what the locker was doing then
  std::vector<Step> steps{};  ///< in their order
  std::string shorter{};      ///< what was too short for a step, by cause; empty: nothing
};

/// The `count` (1 .. kMostAutopsies) longest requests of all classes, the longest first.
[[nodiscard]] std::vector<LongestRequest> longest_requests(const models::Result& result, std::size_t count);

/// The `count` (1 .. kMostAutopsies) longest requests of all classes, the longest first, in plain words with times.
/// Ends with a newline.
[[nodiscard]] std::string autopsy(const models::Result& result, std::size_t count);

/// What most of a request's time went into, in the words of the autopsy: `waits for mmap_sem, held for read by smaps in
/// proc_read`.
[[nodiscard]] std::string mainly(const models::WorstRequest& request, const std::vector<std::string>& classes);

/// What a holder was about meanwhile, as the end of a sentence: `, who waits for the device`; nothing if it worked.
[[nodiscard]] std::string meanwhile(const models::LockBlame& lock, const std::vector<std::string>& classes);

}  // namespace experiments
