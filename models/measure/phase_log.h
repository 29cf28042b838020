// What the lockers of an address space were doing, and when.
//
// Open-loop requests can be due long before they are served, so the phase in which a request was due is
// looked up afterwards. With several lockers the phase of the address space is that of the one that entered a call last
// and is still in it; when that call ends, it is again that of the one before who is still in one.
// Validated by tests/models/measure/phase_log_test.cpp.
#pragma once

#include <vector>

#include "models/measure/phase.h"
#include "sim/time.h"

namespace models {

class PhaseLog {
 public:
  /// One of those whose phases make up the log.
  using Reporter = int;
  Reporter add_reporter() { return next_reporter_++; }

  /// From `at` on the phase of `reporter` is `phase`: idle and user end its call. `at` never goes back.
  void enter(Phase phase, sim::Time at, Reporter reporter = 0);

  /// The phase at `at`; what begins at that very moment counts. `idle` before the first entry.
  [[nodiscard]] Phase at(sim::Time at) const;

 private:
  struct Entry {
    sim::Time from;
    Phase phase;
  };
  struct Call {
    Reporter reporter;
    Phase phase;
  };
  void follow(Phase phase, Reporter reporter);

  std::vector<Entry> entries_;
  std::vector<Call> calls_;  // under way, in the order in which they were entered
  Reporter next_reporter_ = 0;
};

}  // namespace models
