// Reads scenarios from YAML into the values of models/spec/scenario.h, with what the command line changes in them.
//
// The keys are those of the design and of the files in configs/, which explain them. A reader reports all that
// is wrong with a file (and with those that it names) at once. What the design plans but this version does not do is
// refused, never ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/expectation.h"
#include "experiments/scenario/incident.h"
#include "experiments/scenario/machine_file.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/yaml_reader.h"
#include "models/spec/scenario.h"

namespace experiments {

/// What the command line changes in a scenario.
struct Overrides {
  /// Each `path=value`, applied in order before the file is read (apply_set). Where the scenario only names its
  /// machine, a path into it (`machine.cpus=4`) works as if the file said `machine: {from: NAME}`.
  std::vector<std::string> sets;
  std::optional<std::uint64_t> seed;
  /// In place of the scenario's policies: names, which are looked for among the scenario's own first, files, or keys in
  /// one line ({from: downgrade, name: mine}); `all`: every shipped one. Empty: the scenario's.
  std::vector<std::string> policies;
};

/// A scenario with what its file says besides: nothing of that changes a result.
struct ScenarioFile {
  models::Scenario scenario;
  std::vector<Expectation> expectations;
  std::optional<Incident> incident;
};

/// Throws InputError.
[[nodiscard]] ScenarioFile read_scenario_file(const std::filesystem::path& file, const Overrides& overrides = {});
[[nodiscard]] models::Scenario read_scenario(const std::filesystem::path& file, const Overrides& overrides = {});

/// As above, of a tree that has been loaded from a file in `folder`; `diagnostics`: what was wrong with it already.
[[nodiscard]] ScenarioFile read_scenario_file(YamlNode root, const std::filesystem::path& folder,
                                              const Overrides& overrides = {},
                                              std::vector<Diagnostic> diagnostics = {});
[[nodiscard]] models::Scenario read_scenario(YamlNode root, const std::filesystem::path& folder,
                                             const Overrides& overrides = {}, std::vector<Diagnostic> diagnostics = {});

/// Overrides::sets on a scenario's tree.
void apply_scenario_sets(YamlNode& root, const std::vector<std::string>& sets, std::vector<Diagnostic>& diagnostics);

/// Whether a path can lead into what is at `path` even where that is a name only: `machine`, and devices.
[[nodiscard]] bool opens_for_paths(std::string_view path);

/// The policy of that name that a scenario's tree itself has, as it stands there, or null. `folder`: of its file.
[[nodiscard]] const YamlNode* own_policy(const YamlNode& root, const std::string& name,
                                         const std::filesystem::path& folder);
/// What a scenario's tree is run under: what Overrides::policies means in it, or its own policies. Mistakes in
/// `policies` are for those who read the scenario.
[[nodiscard]] std::vector<YamlNode> policies_of(const YamlNode& root, const std::vector<std::string>& policies,
                                                const std::filesystem::path& folder);

/// Tells by its keys what a file is and reads it. Throws InputError when it is none of these or a bad one.
ConfigKind check_file(const std::filesystem::path& file);

}  // namespace experiments
