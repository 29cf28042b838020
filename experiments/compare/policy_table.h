// What policies hold, in which mode, over which phase: the table of `mlocksim list policies`.
#pragma once

#include <string>
#include <vector>

#include "models/spec/policy.h"

namespace experiments {

/// One line for each policy under a line of headings.
[[nodiscard]] std::string policy_table(const std::vector<models::Policy>& policies);

}  // namespace experiments
