// What the locker of an address space was doing, and when.
//
// Open-loop requests can be due long before they are served, so the phase in which a request was due is
// looked up afterwards.
#pragma once

#include <vector>

#include "models/phase.h"
#include "sim/time.h"

namespace models {

class PhaseLog {
 public:
  /// From `at` on the phase is `phase`. `at` never goes back.
  void enter(Phase phase, sim::Time at);

  /// The phase at `at`; what begins at that very moment counts. `idle` before the first entry.
  [[nodiscard]] Phase at(sim::Time at) const;

 private:
  struct Entry {
    sim::Time from;
    Phase phase;
  };
  std::vector<Entry> entries_;
};

}  // namespace models
