// The command that records what import reads, for the kernel that runs.
//
// The tracepoints of mmap_lock came in 5.11, those of lock contention in 5.19
// (include/trace/events/{mmap_lock,lock}.h).
//
// An event costs 0.7 us where it happens and 100 bytes of the file: an mmap and a munmap with their eleven events took
// 10.8 us instead of 3.1 on a 6.18 (perf 6.1, all CPUs recorded). Stacks are not recorded.
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
