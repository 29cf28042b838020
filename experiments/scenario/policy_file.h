// Reads policies: how the kernel holds mmap_sem in each path (models/spec/policy.h), as configs/policies/*.yaml say it.
//
// A reader reports all that is wrong at once. What the design plans but this version does not do is refused, never
// ignored.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "models/spec/policy.h"

namespace experiments {

class YamlField;
struct YamlNode;

/// Reports what is wrong with the tree of a policy's file.
void check_policy(const YamlNode& root, std::vector<Diagnostic>& diagnostics);

/// Throws InputError.
[[nodiscard]] models::Policy read_policy(const std::filesystem::path& file);

/// A policy as a scenario says it: a name or its keys. `scenario`: the folder of the scenario (file_of).
/// Nothing when there is no such file or it is no map.
[[nodiscard]] std::optional<models::Policy> read_policy_value(const YamlField& field,
                                                              const std::filesystem::path& scenario,
                                                              std::vector<Diagnostic>& diagnostics);

/// Policies in files of the catalogue that say which kernel they are of, the oldest kernel first; those that the table
/// of kernels makes are not among them. Files with mistakes are left out.
[[nodiscard]] std::vector<models::Policy> kernel_policies();

}  // namespace experiments
