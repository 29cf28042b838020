// What a run came to, as plain values: what is compared, stored, and made into text. Nothing of the engine is in it.
//
// models/simulation.h makes one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/measure/lock_statistics.h"
#include "models/measure/memory_statistics.h"
#include "models/measure/phase.h"
#include "models/measure/samples.h"
#include "sim/histogram.h"
#include "sim/time.h"
#include "sim/time_series.h"

namespace models {

/// How a run ended.
enum class Outcome {
  completed,
  out_of_memory,  ///< an allocation found nothing that could be reclaimed
};

constexpr std::string_view to_string(Outcome outcome) {
  return outcome == Outcome::completed ? "completed" : "out_of_memory";
}

/// What the system calls of one kind came to.
struct CallRecord {
  sim::Histogram duration;
  std::map<int, std::uint64_t> errors;  ///< by -errno; only failures
  std::uint64_t pages = 0;              ///< asked for

  void add(const CallRecord& other) {
    duration.merge(other.duration);
    for (const auto& [error, count] : other.errors) errors[error] += count;
    pages += other.pages;
  }
  bool operator==(const CallRecord&) const = default;
};

/// By the name of the call: "mlock", "mlockall_future", "mmap", ...
using CallRecords = std::map<std::string, CallRecord>;

/// What one class of competitors went through.
struct ClassResult {
  std::string name;
  bool locker = false;  ///< its calls are those of a script
  bool open_loop = false;
  std::uint64_t warm_up = 0;           ///< requests due in the warm-up: not among the samples
  std::uint64_t unfinished = 0;        ///< due but not served when the run ended
  std::uint64_t cut_off = 0;           ///< those of them that the cool-down did not serve either: not among the samples
  sim::Nanoseconds longest_cut_off{};  ///< how long the first of these had been due by the end of the cool-down
  TimeByCause time{};                  ///< of all its tasks, up to the end of the run: what it went into
  sim::Nanoseconds spin{};             ///< CPU time that went into spinning for a lock: a part of Cause::lock_wait
  LockTimes lock_waits;                ///< what Cause::lock_wait consists of, whoever asked
  std::uint64_t involuntary_switches = 0;  ///< times that they lost a CPU while they could have gone on
  std::map<Phase, Samples> during;
  std::vector<WorstRequest> worst;              ///< the longest, the longest first
  std::optional<WorstRequest> longest_warm_up;  ///< of those left out as warm-up
  CallRecords calls;                            ///< its system calls

  /// CPU time of all its tasks, with reclaim and spinning.
  [[nodiscard]] sim::Nanoseconds cpu() const;
  /// The longest that anybody has waited for the answer to a request: in the warm-up, too, and where none had come by
  /// the end of the cool-down. 0 where it makes none.
  [[nodiscard]] sim::Nanoseconds longest() const;
  /// All samples.
  [[nodiscard]] Samples total() const;
  /// The samples of a system call's own phase and of all its parts.
  [[nodiscard]] Samples during_call(Phase call) const;

  bool operator==(const ClassResult&) const = default;
};

/// mmap_sem of one process, and what the window of its lockers met; or one of its locks in user space.
struct LockResult {
  std::string process;
  std::string mutex;  ///< the lock's name; empty: mmap_sem
  RwsemStatistics statistics;
  std::uint64_t vma_changed = 0;
  std::uint64_t eagain = 0;
  std::uint64_t vma_change_missed = 0;

  bool operator==(const LockResult&) const = default;
};

struct MemoryResult {
  Watermarks marks;
  ZoneCounts at_end;
  std::uint64_t allocated = 0;  ///< pages
  PageCount lowest_free;
  PageCount swap_used;  ///< at the end
  ReclaimStatistics reclaim;
  DeviceStatistics device;
  ZoneSeries series;
  sim::TimeSeries kswapd_runs;
  std::vector<GroupMemory> groups;  ///< those with a limit, in the order of the scenario

  bool operator==(const MemoryResult&) const = default;
};

struct Result {
  std::string scenario;
  std::string policy;
  std::uint64_t seed = 0;
  Outcome outcome = Outcome::completed;
  sim::Nanoseconds sim_time{};   ///< from the start to the end of the run: all but the latencies is measured over it
  sim::Nanoseconds warm_up{};    ///< the part of it in which requests don't count
  sim::Nanoseconds cool_down{};  ///< after it: until those that were due in it had been served
  std::vector<ClassResult> classes;  ///< in the order of the scenario; lockers included for their CPU time
  std::vector<LockResult> locks;     ///< one for each process that has a region or is looked at
  MemoryResult memory;
  std::uint64_t preemptions = 0;
  std::uint64_t events = 0;
  sim::Nanoseconds wall{};  ///< how long the run took the simulator

  /// By number, as LockBlame refers to them.
  [[nodiscard]] std::vector<std::string> class_names() const;
  /// The class of that name, or null.
  [[nodiscard]] const ClassResult* find_class(const std::string& name) const;
  /// Those of all lockers together.
  [[nodiscard]] CallRecords calls() const;

  /// Everything, `wall` too: see without_wall().
  bool operator==(const Result&) const = default;
};

/// The same but for the time that it took the simulator: equal runs are then equal.
[[nodiscard]] Result without_wall(Result result);

}  // namespace models
