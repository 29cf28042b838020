// What a workload came to when it was run for real: as the simulator's result, as far as that can be seen from outside.
//
// Latencies are those of the calls, from before the call (closed loop) or from when it was due (open loop) to after it,
// by what the lockers of the process were doing when the request was due. Shared by the probe, which makes it, and by
// validate, which compares it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/host/workload.h"
#include "models/measure/phase.h"
#include "models/measure/result.h"
#include "sim/histogram.h"
#include "sim/time.h"

namespace experiments {

/// What one class went through. Phases are those of whole calls: which part of one it is cannot be seen from outside.
struct RealClass {
  std::string name;
  int threads = 0;
  std::map<models::Phase, sim::Histogram> during{};
  std::uint64_t warm_up = 0;  ///< requests due in it: not among the samples
  sim::Nanoseconds longest_warm_up{};
  models::CallRecords calls{};  ///< of lockers

  bool operator==(const RealClass&) const = default;
};

/// A workload run once.
struct Sitting {
  sim::Nanoseconds length{};
  std::optional<double> busy{};  ///< the share of all CPUs that others took in the half second before it
  /// VMAs of each process as it begins, by its name, beside those of its regions: its program, heap and stacks.
  std::map<std::string, int> other_vmas{};
  std::vector<RealClass> classes{};

  bool operator==(const Sitting&) const = default;
};

struct RealResult {
  Workload workload;
  std::string kernel;  ///< as `uname -r` has it
  int cpus = 1;        ///< that it was allowed to run on
  std::vector<Sitting> sittings{};

  bool operator==(const RealResult&) const = default;
};

}  // namespace experiments
