// Who held an mmap_sem in which mode, and who waited for it, around the longest request of one run.
//
// The run is done again, twice, each time in a process of its own: the same scenario, policy and seed give the same
// run. First to find its longest request, then to look on around it.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "experiments/run/process_pool.h"
#include "experiments/run/result_json.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"
#include "sim/time.h"

namespace experiments {

enum class SemaphoreState { waits, reads, writes };

/// What a task has to do with the semaphore for a while. Times in nanoseconds of the run.
struct SemaphoreBar {
  std::string task;
  SemaphoreState state = SemaphoreState::waits;
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::string call;  ///< what it does meanwhile: a phase

  bool operator==(const SemaphoreBar&) const = default;
};

struct SemaphoreTimeline {
  std::string worst_task;
  std::string worst_phase;  ///< of the locker when the request was due
  std::int64_t worst_due = 0;
  std::int64_t worst_latency = 0;
  std::int64_t from = 0;  ///< what is shown: the request, and a tenth of it more before and after
  std::int64_t to = 0;
  std::vector<SemaphoreBar> bars;  ///< cut to the window; by task, then by time
};

/// Tells it of `scenario` under its first policy. A reason instead: `expected` (the run's result as text, as a store
/// keeps it) is not what the run gives now; nobody asked for anything; or the run failed.
[[nodiscard]] std::variant<SemaphoreTimeline, std::string> semaphore_timeline(const models::Scenario& scenario,
                                                                              const Json& expected);

/// Joins bars of one task and state between which less than `gap` lies, and which are shorter than it.
[[nodiscard]] std::vector<SemaphoreBar> without_slivers(const std::vector<SemaphoreBar>& bars, std::int64_t gap);

}  // namespace experiments
