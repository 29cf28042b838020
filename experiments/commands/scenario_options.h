// What the commands that run scenarios have in common.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/base/command_line.h"
#include "experiments/compare/expectation_check.h"
#include "experiments/scenario/scenario_file.h"
#include "sim/engine.h"

namespace experiments {

/// Adds --seed, --set and --stepwise, which every command that runs a scenario takes.
void add_scenario_options(CommandLine& line);
/// Reads them. `policies`: as in Overrides. Throws UsageError.
[[nodiscard]] Overrides overrides_of(const CommandLine& line, std::vector<std::string> policies);
[[nodiscard]] sim::Engine::Options engine_options_of(const CommandLine& line);

/// The file that the name of a scenario means: a path, or the name of a shipped one. Throws UsageError.
[[nodiscard]] std::filesystem::path find_scenario(const std::string& name);

/// Prints how a scenario's expectations came out, after everything else; returns the exit code.
[[nodiscard]] int report_expectations(const std::vector<ExpectationCheck>& checks);

}  // namespace experiments
