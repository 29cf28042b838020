// A run that a store knows, read again from the command that the store keeps for it.
#pragma once

#include <string>

#include "experiments/base/quantity.h"
#include "models/spec/scenario.h"

namespace experiments {

/// The scenario with its only policy that `mlocksim run SCENARIO ...` would run. A refusal where the command is
/// another, or where files that it names are gone or have mistakes by now.
[[nodiscard]] Expected<models::Scenario> scenario_of_command(const std::string& command);

}  // namespace experiments
