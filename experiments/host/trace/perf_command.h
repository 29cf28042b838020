// The command that records what import reads, for the kernel that runs.
//
// The tracepoints of mmap_lock came in 5.11, those of lock contention in 5.19
// (include/trace/events/{mmap_lock,lock}.h). An event costs about a microsecond where nobody else records, twice that
// with stacks, which are not recorded; most are those of mmap_lock and of the scheduler.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/spec/policy.h"

namespace experiments {

/// Of what, and for how long.
struct PerfRecording {
  std::string file = "perf.data";
  std::optional<int> pid{};            ///< the threads of this process only; none: all
  std::vector<std::string> command{};  ///< recorded while it runs; empty: for so many seconds
  int seconds = 10;
};

/// perf and its arguments. Throws UsageError for a kernel without the tracepoints of mmap_lock.
[[nodiscard]] std::vector<std::string> perf_command(const PerfRecording& recording, models::KernelVersion kernel);

}  // namespace experiments
