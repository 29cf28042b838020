// The threads of a scenario by their names, which are those of the classes in results.
#pragma once

#include <string>
#include <vector>

#include "models/spec/scenario.h"

namespace experiments {

/// Those of all processes, in the order of the scenario; those of which there is none, too.
[[nodiscard]] std::vector<std::string> thread_names(const models::Scenario& scenario);

/// Null where there is none of that name.
[[nodiscard]] const models::ThreadSpec* thread_named(const models::Scenario& scenario, const std::string& name);

}  // namespace experiments
