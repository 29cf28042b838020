#include "models/phase_log.h"

#include <algorithm>

namespace models {

void PhaseLog::enter(Phase phase, sim::Time at) {
  if (!entries_.empty() && entries_.back().from == at) {
    entries_.back().phase = phase;
  } else {
    entries_.push_back({at, phase});
  }
}

Phase PhaseLog::at(sim::Time at) const {
  // Nearly every request is due in the present phase or the one before.
  const auto found =
      std::find_if(entries_.rbegin(), entries_.rend(), [at](const Entry& entry) { return entry.from <= at; });
  return found == entries_.rend() ? Phase::idle : found->phase;
}

}  // namespace models
