// What the commands that run scenarios have in common.
#pragma once

#include <vector>

#include "experiments/base/command_line.h"
#include "experiments/compare/expectation_check.h"
#include "experiments/scenario/run_spec.h"
#include "experiments/scenario/scenario_file.h"
#include "sim/engine.h"

namespace experiments {

/// Adds --seed, --set and --stepwise, which every command that runs a scenario takes.
void add_scenario_options(CommandLine& line);
/// What a command line says of a run: the scenario, --policy, and the above. Throws UsageError.
[[nodiscard]] RunSpec run_of(const CommandLine& line);
[[nodiscard]] sim::Engine::Options engine_options_of(const CommandLine& line);

/// Prints how a scenario's expectations came out, after everything else; returns the exit code.
[[nodiscard]] int report_expectations(const std::vector<ExpectationCheck>& checks);

}  // namespace experiments
