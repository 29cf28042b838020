// One run as a value: which scenario, what is changed in it, under which policy, with which seed.
//
// Whatever prints a command that repeats a run has such a value, and what reads the command makes the same value of it:
// so what is printed is what was run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/scenario/scenario_file.h"
#include "experiments/scenario/yaml_reader.h"

namespace experiments {

struct RunSpec {
  std::string scenario;               ///< a file, or the name of a shipped one
  std::optional<std::string> policy;  ///< as in Overrides::policies; none: the scenario's first
  std::vector<std::string> sets;      ///< as in Overrides
  std::optional<std::uint64_t> seed;  ///< none: the scenario's

  bool operator==(const RunSpec&) const = default;
};

/// For a shell: `mlocksim run SCENARIO --policy ... --set ... --seed ...`.
[[nodiscard]] std::string to_command(const RunSpec& run);

/// The file that the name of a scenario means: a path, or the name of a shipped one. Throws UsageError.
[[nodiscard]] std::filesystem::path find_scenario(const std::string& name);

/// The scenario with the one policy that it runs under. Throws UsageError and InputError.
[[nodiscard]] ScenarioFile read_run(const RunSpec& run);
/// The scenario's tree with the sets applied.
[[nodiscard]] YamlNode tree_of(const RunSpec& run);

/// The tree with these policies and no others.
[[nodiscard]] YamlNode with_policies(YamlNode tree, std::vector<YamlNode> policies);

/// A policy as RunSpec::policy has to say it, so that it means what `policy` means where it was written: a name, a
/// file, or its keys. `tree`: of the scenario of the run, with its sets; `folder`: of its file.
[[nodiscard]] std::string policy_argument(const YamlNode& policy, const YamlNode& tree,
                                          const std::filesystem::path& folder);
/// A policy with a `from` (or a name) that means on the command line what it means where it was written.
[[nodiscard]] YamlNode as_on_command_line(YamlNode policy, const std::filesystem::path& folder);

}  // namespace experiments
