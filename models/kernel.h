// The kernel that the tasks of a run share: what every path needs besides its own arguments.
#pragma once

#include <string_view>

#include "models/cpu.h"
#include "models/machine.h"
#include "models/page_alloc.h"
#include "models/policy.h"
#include "sim/engine.h"

namespace models {

class Task;

/// How a run ended.
enum class Outcome {
  completed,
  out_of_memory,  ///< an allocation found nothing left to reclaim
};

constexpr std::string_view to_string(Outcome outcome) {
  return outcome == Outcome::completed ? "completed" : "out_of_memory";
}

struct Kernel {
  sim::Engine& engine;
  const Costs& costs;
  const Policy& policy;
  Cpus cpus;
  Zone zone;
  double dirty;  ///< share of reclaim batches that wait for write-back
  Task* kswapd = nullptr;
  bool kswapd_sleeps = false;
  Outcome outcome = Outcome::completed;

  /// Ends the run with Outcome::out_of_memory; does not return.
  [[noreturn]] void out_of_memory(Task& current);
};

}  // namespace models
