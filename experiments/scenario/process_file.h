// Reads the processes of a scenario: address spaces with their regions and threads.
#pragma once

#include <vector>

#include "models/spec/scenario.h"

namespace experiments {

class MemoryReader;
class YamlField;

/// What the rest of a scenario gives to its processes.
struct ProcessContext {
  int cpus;                                      ///< of the machine
  const std::vector<models::GroupSpec>& groups;  ///< that threads may be in
  MemoryReader& memory;                          ///< has read the machine's; is told of each region
};

/// What is known of lockers, which decide when a run without a duration ends.
struct Lockers {
  bool possible = false;  ///< there is one, or it cannot be said because something could not be read
  bool named = false;     ///< there is one, perhaps with count 0
};

struct Processes {
  std::vector<models::ProcessSpec> specs;
  Lockers lockers;
};

/// A list of processes.
[[nodiscard]] Processes read_processes(const YamlField& field, const ProcessContext& context);

}  // namespace experiments
