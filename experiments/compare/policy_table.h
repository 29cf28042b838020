// What policies hold, in which mode, over which phase: the table of `mlocksim list policies`.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "experiments/base/terminal.h"
#include "models/spec/policy.h"

namespace experiments {

/// One line for each policy under a line of headings; in blocks of columns below each other, each with the names of the
/// policies, where a line of `width` would not hold them all.
[[nodiscard]] std::string policy_table(const std::vector<models::Policy>& policies, std::size_t width = kAnyWidth);

}  // namespace experiments
