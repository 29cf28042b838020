// The options of a table that is set beside a run: what a user says of it that it does not say itself.
#pragma once

#include "experiments/base/command_line.h"
#include "experiments/host/table/table_comparison.h"

namespace experiments {

/// Adds --table and those that go with it.
void add_table_options(CommandLine& line);
/// Throws UsageError where they are wrong, or where one of them stands without --table.
[[nodiscard]] TableOptions table_options_of(const CommandLine& line);

}  // namespace experiments
