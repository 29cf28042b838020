// A scenario with everything that it names put in its place, and what one run of it is known by.
//
// What determines a run's result is what its files say, not what they are called: the machine, the devices, the policy
// and the samples of empirical distributions are taken in. Notes (`about`, `schema`), and policies and seeds other than
// the run's own, are left out. Two spellings of one value (1GiB, 1024MiB) count as different: that costs a run again,
// and never gives a wrong result.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiments/base/json.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/yaml_reader.h"

namespace experiments {

/// Counts up with every change of the program that changes results of unchanged scenarios: whenever a golden run does
/// (resolved_scenario_test.cpp notices).
inline constexpr int kResultVersion = 2;

/// A policy as a scenario's tree gives it, resolved.
struct ResolvedPolicy {
  std::string name;
  Json content;
};

struct ResolvedScenario {
  Json content;  ///< without policies and seed
  std::vector<ResolvedPolicy> policies;
};

/// Resolves trees of scenarios. Keeps the files that they name, as many have the same.
class Resolver {
 public:
  /// `root`: a scenario's tree that read_scenario accepts; `folder`: of its file. Throws InputError where a file that
  /// it names cannot be found or read.
  [[nodiscard]] ResolvedScenario resolve(const YamlNode& root, const std::filesystem::path& folder);

 private:
  Json content_of(const YamlNode& node);
  Json config_of(const YamlNode& node, ConfigKind kind, const std::filesystem::path& folder);

  YamlFiles files_;
};

/// 40 hexadecimal digits: the SHA-1 of everything that determines the results of a scenario under one of its policies,
/// but the seed.
[[nodiscard]] std::string digest_of(const ResolvedScenario& scenario, std::size_t policy);

/// What a run is known by, made of a digest and the run's seed.
[[nodiscard]] std::string run_key(const std::string& digest, std::uint64_t seed);

/// SHA-1 in hexadecimal digits.
[[nodiscard]] std::string sha1_of(const std::string& text);

}  // namespace experiments
