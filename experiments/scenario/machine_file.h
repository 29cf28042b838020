// Reads machines: CPUs and what each step costs on them (models/spec/machine.h), as configs/machines/*.yaml say it.
//
// A reader reports all that is wrong at once.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "models/spec/machine.h"

namespace experiments {

class YamlField;
struct YamlNode;

/// Reports what is wrong with the tree of a machine's file.
void check_machine(const YamlNode& root, std::vector<Diagnostic>& diagnostics);

/// Throws InputError.
[[nodiscard]] models::Machine read_machine(const std::filesystem::path& file);

/// Reports what is wrong with some keys of a scheduler. `path`: of their map.
void check_scheduler(const YamlNode& keys, const std::string& path, std::vector<Diagnostic>& diagnostics);

/// `{kernel: NAME, ...}` with what that kernel's scheduler is (kernel_table.h) in the place of the name, under what
/// the map says of the scheduler itself. Other nodes stay what they are; a name that is no kernel's is a diagnostic.
[[nodiscard]] YamlNode with_kernel(const YamlField& machine);

/// A machine as a scenario says it: a name, its keys, or `{from: NAME, ...}` with the keys that differ; either map may
/// have a `kernel`, whose scheduler it then has.
/// `scenario`: the folder of the scenario (file_of). Nothing when there is no such file or it is no map.
[[nodiscard]] std::optional<models::Machine> read_machine_value(const YamlField& written,
                                                                const std::filesystem::path& scenario,
                                                                std::vector<Diagnostic>& diagnostics);

}  // namespace experiments
