#include "models/measure/phase_log.h"

#include <algorithm>

namespace models {

void PhaseLog::enter(Phase phase, sim::Time at, Reporter reporter) {
  follow(phase, reporter);
  const Phase now = calls_.empty() ? Phase::idle : calls_.back().phase;
  if (!entries_.empty() && entries_.back().from == at) {
    entries_.back().phase = now;
  } else {
    entries_.push_back({at, now});
  }
}

void PhaseLog::follow(Phase phase, Reporter reporter) {
  const auto call =
      std::find_if(calls_.begin(), calls_.end(), [&](const Call& each) { return each.reporter == reporter; });
  const bool same_call = call != calls_.end() && call_of(call->phase) == call_of(phase);
  if (same_call) {
    call->phase = phase;  // another part of it: it keeps its place
    return;
  }
  if (call != calls_.end()) calls_.erase(call);
  if (phase != Phase::idle && phase != Phase::user) calls_.push_back({reporter, phase});
}

Phase PhaseLog::at(sim::Time at) const {
  // Nearly every request is due in the present phase or the one before.
  const auto found =
      std::find_if(entries_.rbegin(), entries_.rend(), [at](const Entry& entry) { return entry.from <= at; });
  return found == entries_.rend() ? Phase::idle : found->phase;
}

}  // namespace models
