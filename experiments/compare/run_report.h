// What `run` prints: one result, for people.
#pragma once

#include <string>

#include "models/measure/result.h"
#include "models/spec/scenario.h"

namespace experiments {

/// Stalls that no sample tells of, latencies, what the slowest spend their time on, on a terminal a plot of their
/// tails; system calls, locks, CPUs, the memory, the cost of the run.
[[nodiscard]] std::string run_report(const models::Scenario& scenario, const models::Result& result);

/// The system calls of each class, as strace -c has them; empty where there were none.
[[nodiscard]] std::string calls_table(const models::Result& result);

/// What a run is about: name, description, machine, memory, seed.
[[nodiscard]] std::string heading(const models::Scenario& scenario);

}  // namespace experiments
