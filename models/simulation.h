// One run: a scenario under one policy, from its first event to its last.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/kernel.h"
#include "models/locking/rwsem.h"
#include "models/measure/recorder.h"
#include "models/spec/scenario.h"
#include "models/workload/workload.h"

namespace models {

/// What one class of competitors went through.
struct ClassResult {
  std::string name;
  bool open_loop = false;
  std::uint64_t warm_up = 0;     ///< requests due in the warm-up: not among the samples
  std::uint64_t unfinished = 0;  ///< due but not served when the run ended
  std::uint64_t cut_off = 0;     ///< those of them that the cool-down did not serve either: not among the samples
  sim::Nanoseconds cpu{};        ///< CPU time of all its tasks, reclaim included
  std::uint64_t involuntary_switches = 0;  ///< times that they lost a CPU while they could have gone on
  std::map<Phase, Samples> during;
  std::vector<WorstRequest> worst;  ///< the longest, the longest first

  /// All samples.
  [[nodiscard]] Samples total() const;
  /// The samples of a system call's own phase and of all its parts.
  [[nodiscard]] Samples during_call(Phase call) const;
};

/// mmap_sem of one process, and what the window of its lockers met.
struct LockResult {
  std::string process;
  RwsemStatistics statistics;
  std::uint64_t vma_changed = 0;
  std::uint64_t eagain = 0;
  std::uint64_t vma_change_missed = 0;
};

struct MemoryResult {
  Watermarks marks;
  ZoneCounts at_end;
  std::uint64_t allocated = 0;  ///< pages
  PageCount lowest_free;
  PageCount swap_used;  ///< at the end
  ReclaimStatistics reclaim;
  BlockDevice::Statistics device;
  ZoneSeries series;
  sim::TimeSeries kswapd_runs;
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
  CallRecords calls;                 ///< of all lockers
  MemoryResult memory;
  std::uint64_t preemptions = 0;
  std::uint64_t events = 0;
  sim::Nanoseconds wall{};  ///< how long the run took the simulator

  /// By number, as LockBlame refers to them.
  [[nodiscard]] std::vector<std::string> class_names() const;
};

/// Runs `scenario` under `policy`. At most once in a process: SimGrid's clock cannot be set back.
/// Throws what goes wrong inside the run. Precondition: the scenario is valid (experiments/scenario/scenario_file.h).
/// `observer` looks on until the end of the run; not at its cool-down (models/measure/measurement.h).
[[nodiscard]] Result simulate(const Scenario& scenario, const Policy& policy, const sim::Engine::Options& options,
                              Observer observer = {});

}  // namespace models
