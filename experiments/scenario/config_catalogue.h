// The configuration files: their kinds, where they are found by name, and what they have in common.
//
// Scenarios, machines, policies, devices and studies are YAML files that start with `schema: mlocksim/1`. The shipped
// ones are in configs/, in a folder for each kind (studies in experiments/), and are found by name from everywhere.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "experiments/scenario/yaml_reader.h"

namespace experiments {

class YamlField;
class YamlMap;

/// The kinds of configuration files, named as their folders. Incidents are scenarios that replay a report.
enum class ConfigKind { machines, policies, kernels, devices, scenarios, incidents, studies };

/// "machine", "policy", "table of kernels", "device", "scenario", "incident" or "study".
[[nodiscard]] std::string singular(ConfigKind kind);

/// Where the shipped files are: $MLOCKSIM_CONFIGS, else beside the program, if it has been installed, else the source
/// tree that this was built from, else where `meson install` was to put them.
[[nodiscard]] std::filesystem::path configs_directory();

/// The name of what is in a file out of the file's: what a name may not have becomes a '-'.
[[nodiscard]] std::string name_after(const std::filesystem::path& file);

/// Whether a name is that of a file, and cannot be a shipped one's: it has a slash, or ends with `.yaml`.
[[nodiscard]] bool is_file_name(const std::string& name);

/// The file that `name` means (a scenario's may be an incident, which is one): a path or a bare name, with or without
/// `.yaml`; looked for in each of `folders` (the folder of the file that says it; empty: the working directory), then
/// in configs_directory(), in each also in the kind's own folder. Otherwise a refusal that knows the nearest shipped
/// name. A policy may also be a kernel by its version or its distribution (kernel_table.h).
[[nodiscard]] Expected<std::filesystem::path> find_config(ConfigKind kind, const std::string& name,
                                                          const std::vector<std::filesystem::path>& folders = {});

/// Its tree, as load_yaml makes it: also of what is in a table (kernel_table.h).
[[nodiscard]] YamlNode load_config(const std::filesystem::path& file, std::vector<Diagnostic>& diagnostics);

/// Files that many ask for, each read once.
class ConfigFiles {
 public:
  /// Its tree, which stays where it is. Throws InputError if there are mistakes in it.
  const YamlNode& load(const std::filesystem::path& file);

 private:
  std::map<std::filesystem::path, YamlNode> files_;
};

/// A shipped file.
struct ConfigEntry {
  std::string name;   ///< what find_config takes: the file's name without `.yaml`
  std::string about;  ///< the file's own words; empty when it has none
  std::filesystem::path path;
};

/// The shipped files of a kind, sorted by name.
[[nodiscard]] std::vector<ConfigEntry> list_files(ConfigKind kind);
/// The policy that the table of kernels makes of one of kernel_names().
[[nodiscard]] ConfigEntry kernel_entry(const std::string& name);
/// The same, and of policies, behind them, each kernel that differs from the one before.
[[nodiscard]] std::vector<ConfigEntry> list_configs(ConfigKind kind);

// --- for the readers of each kind ---------------------------------------------------------------------------

/// What a file is, by the keys that only this kind has; nothing when there are none.
[[nodiscard]] std::optional<ConfigKind> kind_of(const YamlNode& root);

/// The top of a file as a map, whose `schema` has been read. Not a map: a diagnostic, and a YamlMap that is false.
[[nodiscard]] YamlMap open_config(const YamlNode& root, ConfigKind kind, std::vector<Diagnostic>& diagnostics);

/// Loads a file and hands its top to `read`. Whether it did: not when there is no map to read.
[[nodiscard]] bool read_config(const std::filesystem::path& file, ConfigKind kind, std::vector<Diagnostic>& diagnostics,
                               const std::function<void(YamlMap&)>& read);

/// The file that a field names. `scenario`: the folder of the scenario, for what the command line names.
/// Returns nothing when it has reported a diagnostic.
[[nodiscard]] std::optional<std::filesystem::path> file_of(const YamlField& field, ConfigKind kind,
                                                           const std::filesystem::path& scenario);

/// Hands to `read` what a field says of a `kind`: the file that it names, its keys, or `{from: NAME, ...}`, the named
/// file with the keys that differ. Then `read` is called twice, and what it makes of its last map is what is meant.
/// When there is no map to read it is not called, and a diagnostic says why. `scenario`: as for file_of.
void read_config_value(const YamlField& field, ConfigKind kind, const std::filesystem::path& scenario,
                       std::vector<Diagnostic>& diagnostics, const std::function<void(YamlMap&)>& read);

}  // namespace experiments
