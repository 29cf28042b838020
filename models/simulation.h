// One run: a scenario under one policy, from its first event to its last.
#pragma once

#include "models/measure/observer.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"
#include "sim/engine.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace models {

/// Runs `scenario` under `policy`. At most once in a process: SimGrid's clock cannot be set back.
/// Throws what goes wrong inside the run. Precondition: the scenario is valid (experiments/scenario/scenario_file.h).
/// `observer` looks on until the end of the run; not at its cool-down (models/measure/measurement.h).
[[nodiscard]] Result simulate(const Scenario& scenario, const Policy& policy, const sim::Engine::Options& options,
                              Observer observer = {});

}  // namespace models
