#include "experiments/host/trace/perf_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/kernel_version.h"

namespace experiments {

namespace {

constexpr models::KernelVersion kMmapLockEvents{5, 11};
constexpr models::KernelVersion kContentionEvents{5, 19};

/// The calls whose beginnings and ends are recorded: those that hold mmap_lock for long, or for write.
constexpr std::array kRecordedCalls{"mmap",   "munmap",  "brk",    "mprotect", "madvise", "mlock",
                                    "mlock2", "munlock", "mremap", "clone",    "clone3",  "process_vm_readv"};

std::string events_of(models::KernelVersion kernel) {
  std::vector<std::string> events{"mmap_lock:*", "exceptions:page_fault_user", "exceptions:page_fault_kernel",
                                  "sched:sched_switch", "sched:sched_wakeup"};
  if (kernel >= kContentionEvents) events.insert(events.end(), {"lock:contention_begin", "lock:contention_end"});
  for (const char* const call : kRecordedCalls) {
    events.push_back(fmt::format("syscalls:sys_enter_{}", call));
    events.push_back(fmt::format("syscalls:sys_exit_{}", call));
  }
  return fmt::format("{}", fmt::join(events, ","));
}

}  // namespace

std::vector<std::string> perf_command(const PerfRecording& recording, models::KernelVersion kernel) {
  if (kernel < kMmapLockEvents) {
    throw UsageError(fmt::format("Linux {} has no events of mmap_lock: expected {} or later", to_text(kernel),
                                 to_text(kMmapLockEvents)));
  }
  // Eight MiB for each CPU are some 100,000 events that may wait to be written.
  std::vector<std::string> words{"perf", "record", "-e", events_of(kernel), "-m", "8M", "-o", recording.file};
  if (recording.pid) {
    words.insert(words.end(), {"-p", std::to_string(*recording.pid)});
  } else {
    words.emplace_back("-a");
  }
  words.emplace_back("--");
  if (recording.command.empty()) {
    words.insert(words.end(), {"sleep", std::to_string(recording.seconds)});
  } else {
    words.insert(words.end(), recording.command.begin(), recording.command.end());
  }
  return words;
}

}  // namespace experiments
