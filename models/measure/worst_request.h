// One of the longest requests, step by step, out of the account of the task that made it.
//
// Validated by tests/models/measure/recorder_test.cpp.
#pragma once

#include <string>

#include "models/measure/ledger.h"
#include "models/measure/samples.h"

namespace models {

/// The request of `task` that was due at `due` and ended at `end`, in the locker's `phase`. Precondition: the ledger
/// remembers what has been since then.
[[nodiscard]] WorstRequest worst_request(const Ledger& ledger, std::string task, sim::Time due, sim::Time end,
                                         Phase phase);

}  // namespace models
