#include "experiments/scenario/run_spec.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "experiments/base/shell.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/yaml_text.h"

namespace experiments {

namespace {

/// A value that begins with a dash would be taken for an option.
std::string option(const std::string& name, const std::string& value) {
  return fmt::format(" --{}{}{}", name, value.starts_with('-') ? "=" : " ", shell_word(value));
}

YamlNode said(const std::string& text) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.at = {"command line", 0, 0};
  node.scalar = text;
  return node;
}

std::optional<std::filesystem::path> policy_file(const YamlNode& name, const std::filesystem::path& folder) {
  std::vector<Diagnostic> ignored;
  return file_of(YamlField(name, "", ignored), ConfigKind::policies, folder);
}

bool same_file(const std::optional<std::filesystem::path>& one, const std::filesystem::path& other) {
  std::error_code ignored;
  return one && (*one == other || std::filesystem::equivalent(*one, other, ignored));
}

/// A word that `means` (of the command line) the same file: its bare name, or its path. What is no file stays.
template <typename Means>
std::string word_for(const YamlNode& name, const std::filesystem::path& folder, Means means) {
  const auto file = policy_file(name, folder);
  if (!file) return name.scalar;
  const std::string bare = file->stem().string();
  return same_file(means(bare), *file) ? bare : file->string();
}

}  // namespace

std::string to_command(const RunSpec& run) {
  std::string text = "mlocksim run " + shell_word((run.scenario.starts_with('-') ? "./" : "") + run.scenario);
  if (run.policy) text += option("policy", *run.policy);
  for (const std::string& set : run.sets) text += option("set", set);
  if (run.seed) text += fmt::format(" --seed {}", *run.seed);
  return text;
}

std::filesystem::path find_scenario(const std::string& name) {
  const auto file = find_config(ConfigKind::scenarios, name, {""});
  if (!file) throw UsageError(file.message());
  return *file;
}

ScenarioFile read_run(const RunSpec& run) {
  Overrides overrides{run.sets, run.seed, {}};
  if (run.policy) overrides.policies.push_back(*run.policy);
  ScenarioFile file = read_scenario_file(find_scenario(run.scenario), overrides);
  file.scenario.policies.resize(1);
  return file;
}

YamlNode tree_of(const RunSpec& run) {
  std::vector<Diagnostic> diagnostics;
  YamlNode tree = load_yaml(find_scenario(run.scenario), diagnostics);
  apply_scenario_sets(tree, run.sets, diagnostics);
  if (!diagnostics.empty()) throw InputError(diagnostics);
  return tree;
}

YamlNode with_policies(YamlNode tree, std::vector<YamlNode> policies) {
  YamlNode list;
  list.kind = YamlNode::Kind::sequence;
  list.at = said("").at;
  for (YamlNode& policy : policies) list.entries.push_back({{}, {}, std::move(policy)});
  tree = without_key(without_key(std::move(tree), "policy"), "policies");
  tree.entries.push_back({"policies", list.at, std::move(list)});
  return tree;
}

YamlNode as_on_command_line(YamlNode policy, const std::filesystem::path& folder) {
  YamlEntry* const from = policy.kind == YamlNode::Kind::map ? find_entry(policy, "from") : nullptr;
  YamlNode& name = from == nullptr ? policy : from->value;
  if (name.kind != YamlNode::Kind::scalar) return policy;
  name.scalar = word_for(name, folder, [&](const std::string& word) { return policy_file(said(word), folder); });
  name.at = said("").at;
  return policy;
}

std::string policy_argument(const YamlNode& policy, const YamlNode& tree, const std::filesystem::path& folder) {
  if (policy.kind == YamlNode::Kind::scalar) {
    return word_for(policy, folder, [&](const std::string& word) -> std::optional<std::filesystem::path> {
      const YamlNode* const own = own_policy(tree, word, folder);
      if (own == nullptr) return policy_file(said(word), folder);
      return own->kind == YamlNode::Kind::scalar ? policy_file(*own, folder) : std::nullopt;
    });
  }
  const std::string keys = to_flow(as_on_command_line(policy, folder));
  const YamlEntry* const name = find_entry(policy, "name");
  const YamlNode* const own = name == nullptr ? nullptr : own_policy(tree, name->value.scalar, folder);
  const bool is_own = own != nullptr && to_flow(as_on_command_line(*own, folder)) == keys;
  return is_own ? name->value.scalar : keys;
}

}  // namespace experiments
