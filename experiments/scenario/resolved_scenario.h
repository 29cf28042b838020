// A scenario with everything that it names put in its place, and what one run of it is known by.
//
// What determines a run's result is what its files say, not what they are called: the machine, the devices, the policy
// and the samples of empirical distributions are taken in. For what a run is known by, notes (`about`, `schema`), and
// policies and seeds other than the run's own, are left out. Two spellings of one value (1GiB, 1024MiB) count as
// different: that costs a run again, and never gives a wrong result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/yaml_reader.h"
#include "models/spec/scenario.h"

namespace experiments {

/// Counts up with every change of the program that changes results of unchanged scenarios: whenever a golden run does
/// (resolved_scenario_test.cpp notices).
inline constexpr int kResultVersion = 18;

struct ResolvedScenario {
  YamlNode scenario;               ///< without policies, seed, and what it says besides (expect, incident)
  std::vector<YamlNode> policies;  ///< in the order of the scenario
};

/// Resolves trees of scenarios. Keeps the files that they name, as many have the same.
class Resolver {
 public:
  /// `root`: a scenario's tree that read_scenario accepts; `folder`: of its file. Throws InputError where a file that
  /// it names cannot be found or read.
  [[nodiscard]] ResolvedScenario resolve(const YamlNode& root, const std::filesystem::path& folder);

 private:
  YamlNode config_of(const YamlNode& node, ConfigKind kind, const std::filesystem::path& folder);
  void resolve_memory(YamlNode& memory, const std::filesystem::path& folder);

  ConfigFiles files_;
};

/// 40 hexadecimal digits: the SHA-1 of everything that determines the results of a scenario under one of its policies,
/// but the seed.
[[nodiscard]] std::string digest_of(const ResolvedScenario& scenario, std::size_t policy);

/// The text at a path such as `machine.costs.fault` or `processes[0].regions.heap.size`; nothing where there is none.
[[nodiscard]] std::optional<std::string> text_at(const ResolvedScenario& scenario, const std::string& path);

/// The scenario under one of its policies as a file that needs no other, but those of empirical distributions.
[[nodiscard]] std::string to_yaml(const ResolvedScenario& scenario, std::size_t policy);
/// Reads that file again, wherever the files are that it was made of. `name`: for what is wrong with it. Throws
/// InputError.
[[nodiscard]] models::Scenario read_resolved(const std::string& yaml, const std::string& name);

/// What a run is known by, made of a digest and the run's seed.
[[nodiscard]] std::string run_key(const std::string& digest, std::uint64_t seed);

/// SHA-1 in hexadecimal digits.
[[nodiscard]] std::string sha1_of(const std::string& text);

}  // namespace experiments
