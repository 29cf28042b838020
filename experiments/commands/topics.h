// What the manual has pages of.
#pragma once

#include <string>
#include <vector>

#include "experiments/manual/pages.h"

namespace experiments {

/// All commands, with what they say of themselves.
[[nodiscard]] std::vector<CommandWords> words_of_commands();

/// What `mlocksim help` takes, keys apart.
[[nodiscard]] std::vector<std::string> manual_topics();

}  // namespace experiments
