// Reads scenarios, machines and policies from YAML into the values of models/, and finds the shipped ones.
//
// The keys are those of the design and of the files in configs/, which explain them. Every file starts with
// `schema: mlocksim/1`. A reader reports all that is wrong with a file (and with those that it names) at once.
// What the design plans but this version does not do is refused, never ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/quantity.h"
#include "models/machine.h"
#include "models/policy.h"
#include "models/scenario.h"

namespace experiments {

/// What the command line changes in a scenario.
struct Overrides {
  /// Each `path=value`, applied in order before the file is read (apply_set). Where the scenario only names its
  /// machine, a path into it (`machine.cpus=4`) works as if the file said `machine: {from: NAME}`.
  std::vector<std::string> sets;
  std::optional<std::uint64_t> seed;
  /// Names or files, in place of the scenario's policies; `all`: every shipped one. Empty: the scenario's.
  std::vector<std::string> policies;
};

/// Throws InputError.
[[nodiscard]] models::Scenario read_scenario(const std::filesystem::path& file, const Overrides& overrides = {});
/// Throws InputError.
[[nodiscard]] models::Policy read_policy(const std::filesystem::path& file);
/// Throws InputError.
[[nodiscard]] models::Machine read_machine(const std::filesystem::path& file);

/// The kinds of configuration files, named as their folders.
enum class ConfigKind { machines, policies, scenarios };

/// Tells by its keys what a file is and reads it. Throws InputError when it is none of these or a bad one.
ConfigKind check_file(const std::filesystem::path& file);

/// Where the shipped files are: $MLOCKSIM_CONFIGS, else the source tree that this was built from, else
/// /usr/share/mlocksim.
[[nodiscard]] std::filesystem::path configs_directory();

/// The file that `name` means: a path or a bare name, with or without `.yaml`; looked for in each of `folders`
/// (the folder of the file that says it; empty: the working directory), then in configs_directory(), in each
/// also in the kind's own folder. Otherwise a refusal that knows the nearest shipped name.
[[nodiscard]] Expected<std::filesystem::path> find_config(ConfigKind kind, const std::string& name,
                                                          const std::vector<std::filesystem::path>& folders = {});

/// A shipped file.
struct ConfigEntry {
  std::string name;   ///< what find_config takes: the file's name without `.yaml`
  std::string about;  ///< the file's own words; empty when it has none
  std::filesystem::path path;
};

/// The shipped files of a kind, sorted by name.
[[nodiscard]] std::vector<ConfigEntry> list_configs(ConfigKind kind);

}  // namespace experiments
