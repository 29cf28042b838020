#include "experiments/scenario/scenario_file.h"

#include <fmt/format.h>

#include <boost/algorithm/string/join.hpp>

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/call_releases.h"
#include "experiments/scenario/device_file.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/memory_file.h"
#include "experiments/scenario/process_file.h"
#include "experiments/scenario/sched_file.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_text.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

using Diagnostics = std::vector<Diagnostic>;

void throw_if_any(Diagnostics diagnostics) {
  if (!diagnostics.empty()) throw InputError(std::move(diagnostics));
}

// --- scenarios ----------------------------------------------------------------------------------------------

/// Reads a scenario in `folder`.
class ScenarioReader {
 public:
  ScenarioReader(const std::filesystem::path& folder, Diagnostics& diagnostics)
      : folder_(folder), diagnostics_(diagnostics) {}

  ScenarioFile read(YamlMap& map, const YamlNode& policies_instead) {
    ScenarioFile file;
    models::Scenario& scenario = file.scenario;
    assign(scenario.name, map.require("name"), name_of);
    assign(scenario.about, map.find("about"), text_of);
    assign(scenario.machine, map.require("machine"),
           [&](const YamlField& field) { return read_machine_value(field, folder_, diagnostics_); });
    MemoryReader memory;
    if (const auto field = map.require("memory")) memory.read(*field, folder_, diagnostics_);
    const bool replaced = policies_instead.kind == YamlNode::Kind::sequence;
    scenario.policies = read_policies(map, !replaced);
    if (replaced) policy_fields_.clear();
    if (replaced) scenario.policies = read_policy_list(YamlField(policies_instead, "policies", diagnostics_));
    assign(scenario.seed, map.find("seed"),
           [](const YamlField& field) { return field.whole_number(0, std::numeric_limits<std::uint64_t>::max()); });
    if (const auto groups = map.find("groups")) scenario.groups = read_groups(*groups, memory.memory().era);
    Processes processes;
    if (const auto field = map.require("processes")) {
      processes = read_processes(*field, {scenario.machine.cpus, scenario.groups, memory});
    }
    scenario.processes = std::move(processes.specs);
    if (const auto field = map.find("memory")) refuse_generations_before_their_time(*field, scenario, memory.memory());
    refuse_free_huge_pages(map, scenario);
    refuse_calls_before_their_time(scenario);
    scenario.memory = memory.memory();
    scenario.duration = read_duration(map, processes.lockers);
    assign(scenario.warm_up, map.find("warm_up"), [](const YamlField& field) {
      return choice_of<bool>(field, {{"none", false}, {"until_served", true}});
    });
    if (const auto expect = map.find("expect")) {
      file.expectations = read_expectations(*expect, scenario, known_policies(map, scenario));
    }
    if (const auto incident = map.find("incident")) file.incident = read_incident(*incident, scenario);
    map.refuse_unknown();
    return file;
  }

 private:
  static bool asks_for_huge_pages(const models::ThreadSpec& thread) {
    const auto* const madviser = std::get_if<models::MadviserSpec>(&thread.run);
    return madviser != nullptr &&
           (madviser->advice == models::Advice::hugepage || madviser->advice == models::Advice::collapse);
  }

  static void refuse_generations_before_their_time(const YamlField& field, const models::Scenario& scenario,
                                                   const models::MemorySpec& memory) {
    if (scenario.machine.reclaim != models::ReclaimKind::mglru || memory.era != models::ReclaimEra::linux_2_6_28)
      return;
    field.map().require("reclaim")->refuse_expecting(
        "linux-6.1, which brought MGLRU: the machine's `reclaim` is mglru (or make that classic)");
  }

  /// A machine file need not say what huge pages cost: then there can be none.
  static void refuse_free_huge_pages(YamlMap& map, const models::Scenario& scenario) {
    const auto machine = map.find("machine");
    // Without one it is missing, and reported already.
    if (!machine || scenario.machine.costs.populate_huge.mean() > 0) return;
    for (const models::ProcessSpec& process : scenario.processes) {
      const bool advised = std::any_of(process.threads.begin(), process.threads.end(), asks_for_huge_pages);
      const auto huge = std::find_if(process.regions.begin(), process.regions.end(), [advised](const auto& region) {
        return advised || region.folio_order.value_or(models::kPmdOrder) > 0;
      });
      if (huge == process.regions.end()) continue;
      machine->refuse(
          fmt::format("the region '{}' may have pages of more than 4KiB: the machine's costs must have populate_huge "
                      "and the others of huge pages",
                      huge->name));
      return;
    }
  }

  /// The kernel would return an error at once, and whoever calls would look fast.
  void refuse_calls_before_their_time(const models::Scenario& scenario) const {
    assert(policy_fields_.size() == scenario.policies.size());
    for (std::size_t policy = 0; policy < policy_fields_.size(); ++policy) {
      const models::Policy& kernel = scenario.policies[policy];
      if (!kernel.kernel) continue;
      for (const models::ProcessSpec& process : scenario.processes) {
        for (const models::ThreadSpec& thread : process.threads) {
          const auto call = thread.count > 0 ? call_after(*kernel.kernel, thread) : std::nullopt;
          if (!call) continue;
          policy_fields_[policy].refuse(
              fmt::format("Linux {} does not have {} yet, which '{}' uses: expected Linux {} or later",
                          to_text(*kernel.kernel), call->name, thread.name, to_text(call->since)));
        }
      }
    }
  }

  /// Those that are run, those that the file would run otherwise, and the shipped ones.
  static std::vector<std::string> known_policies(YamlMap& map, const models::Scenario& scenario) {
    std::vector<std::string> names = names_of(scenario.policies);
    const auto add = [&](const YamlNode& node) {
      const YamlEntry* const name = node.kind == YamlNode::Kind::map ? find_entry(node, "name") : nullptr;
      names.push_back(name == nullptr ? node.scalar : name->value.scalar);
    };
    if (const auto policy = map.find("policy")) add(policy->node());
    if (const auto policies = map.find("policies")) {
      for (const YamlEntry& entry : policies->node().entries) add(entry.value);
    }
    for (const ConfigEntry& shipped : list_files(ConfigKind::policies)) names.push_back(shipped.name);
    for (const std::string& kernel : kernel_names()) names.push_back(kernel);
    return names;
  }

  std::vector<models::Policy> read_policies(YamlMap& map, bool required) {
    const auto policy = map.find("policy");
    const auto policies = map.find("policies");
    if (policy && policies) {
      refuse_both(*policy, *policies, "; --policy and --policies run others than the scenario's");
      return {};
    }
    if (!policy && !policies && required) {
      map.refuse("expected `policy: NAME`, or `policies: [NAME, ...]` to compare");
    }
    std::vector<models::Policy> read;
    if (policy) add_policy(*policy, read);
    if (policies) read = read_policy_list(*policies);
    return read;
  }

  std::vector<models::Policy> read_policy_list(const YamlField& field) {
    std::vector<models::Policy> policies;
    for (const YamlField& item : field.items("a list of policies such as [write_held, downgrade]")) {
      add_policy(item, policies);
    }
    return policies;
  }

  void add_policy(const YamlField& field, std::vector<models::Policy>& policies) {
    auto policy = read_policy_value(field, folder_, diagnostics_);
    if (!policy) return;
    const bool duplicate = std::any_of(policies.begin(), policies.end(), [&](const models::Policy& other) {
      return !policy->name.empty() && other.name == policy->name;
    });
    if (duplicate) field.refuse(fmt::format("the policy '{}' is there already", policy->name));
    policies.push_back(std::move(*policy));
    policy_fields_.push_back(field);
  }

  static std::optional<sim::Nanoseconds> read_duration(YamlMap& map, const Lockers& lockers) {
    const char* const why = lockers.named ? ": with `count: 0` of every locker a run needs one, such as 10s"
                                          : ": without a locker a run needs one, such as 10s";
    const auto field = map.require_if(!lockers.possible, "duration", why);
    return field ? positive_duration_of(*field) : std::nullopt;
  }

  const std::filesystem::path& folder_;
  Diagnostics& diagnostics_;
  std::vector<YamlField> policy_fields_;  // of those that are run
};

// --- the command line ---------------------------------------------------------------------------------------

YamlNode scalar_node(std::string text, Position at) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.at = std::move(at);
  node.scalar = std::move(text);
  return node;
}

/// What a scenario may give by name only, and a path can lead into all the same.
const std::vector<std::vector<std::string>>& named_values() {
  static const std::vector<std::vector<std::string>> paths = {
      {"machine"}, {"memory", "device"}, {"memory", "swap", "device"}};
  return paths;
}

/// The value of a key at `path`; null when there is none.
YamlNode* value_at(YamlNode& root, const std::vector<std::string>& path) {
  YamlNode* node = &root;
  for (const std::string& key : path) {
    YamlEntry* const entry = find_entry(*node, key);
    if (entry == nullptr) return nullptr;
    node = &entry->value;
  }
  return node;
}

/// `memory: {...}` as `memory: {..., device: NAME}` with the default, where it names none.
void name_default_device(YamlNode& root) {
  YamlNode* const memory = value_at(root, {"memory"});
  if (memory == nullptr || memory->kind != YamlNode::Kind::map || value_at(root, {"memory", "device"})) return;
  memory->entries.push_back({"device", memory->at, scalar_node(default_device(*memory), memory->at)});
}

/// `machine: NAME` as `machine: {from: NAME}`, so that a path can lead into it.
void open_named(YamlNode& value) {
  if (value.kind != YamlNode::Kind::scalar) return;
  YamlNode map;
  map.kind = YamlNode::Kind::map;
  map.at = value.at;
  map.entries.push_back({"from", value.at, value});
  value = std::move(map);
}

void apply_sets(YamlNode& root, const std::vector<std::string>& sets, Diagnostics& diagnostics) {
  for (const std::string& set : sets) {
    if (set.starts_with("memory.device.")) name_default_device(root);
    for (const std::vector<std::string>& path : named_values()) {
      if (!set.starts_with(boost::algorithm::join(path, ".") + ".")) continue;
      if (YamlNode* const value = value_at(root, path)) open_named(*value);
    }
    apply_set(root, set, diagnostics);
  }
}

const Position& of_command_line() {
  static const Position position{"command line", 0, 0};
  return position;
}

/// The name that a policy of a scenario's tree goes by.
std::string name_of_policy(const YamlNode& policy, const std::filesystem::path& folder) {
  Diagnostics reported_when_read;
  YamlNode named;
  const YamlNode* keys = &policy;
  if (policy.kind == YamlNode::Kind::scalar) {
    const auto file = file_of(YamlField(policy, "", reported_when_read), ConfigKind::policies, folder);
    if (file) named = load_config(*file, reported_when_read);
    keys = &named;
  }
  const YamlEntry* const name = keys->kind == YamlNode::Kind::map ? find_entry(*keys, "name") : nullptr;
  return name == nullptr ? std::string() : name->value.scalar;
}

std::vector<const YamlNode*> own_policies(const YamlNode& root) {
  std::vector<const YamlNode*> policies;
  if (root.kind != YamlNode::Kind::map) return policies;
  if (const YamlEntry* const one = find_entry(root, "policy")) policies.push_back(&one->value);
  if (const YamlEntry* const list = find_entry(root, "policies")) {
    for (const YamlEntry& entry : list->value.entries) policies.push_back(&entry.value);
  }
  return policies;
}

/// What a text of Overrides::policies means, but for `all`.
YamlNode policy_in(const YamlNode& root, const std::string& policy, const std::filesystem::path& folder,
                   Diagnostics& diagnostics) {
  if (policy.starts_with('{')) return parse_yaml(policy, {"--policy " + policy, 0, 0}, diagnostics);
  const bool path = policy.find('/') != std::string::npos || policy.ends_with(".yaml");
  const YamlNode* const own = path ? nullptr : own_policy(root, policy, folder);
  return own == nullptr ? scalar_node(policy, of_command_line()) : *own;
}

/// What the command line puts in the place of a scenario's policies.
std::vector<YamlNode> said_policies(const YamlNode& root, const std::vector<std::string>& policies,
                                    const std::filesystem::path& folder, Diagnostics& diagnostics) {
  std::vector<YamlNode> nodes;
  for (const std::string& policy : policies) {
    if (policy != "all") {
      nodes.push_back(policy_in(root, policy, folder, diagnostics));
      continue;
    }
    for (const ConfigEntry& shipped : list_configs(ConfigKind::policies)) {
      nodes.push_back(scalar_node(shipped.path.string(), of_command_line()));
    }
  }
  return nodes;
}

/// As a list to read; null where there are none.
YamlNode list_of(std::vector<YamlNode> nodes) {
  YamlNode list;
  list.at = of_command_line();
  if (!nodes.empty()) list.kind = YamlNode::Kind::sequence;
  for (YamlNode& node : nodes) list.entries.push_back({{}, {}, std::move(node)});
  return list;
}

}  // namespace

void apply_scenario_sets(YamlNode& root, const std::vector<std::string>& sets, Diagnostics& diagnostics) {
  apply_sets(root, sets, diagnostics);
}

bool opens_for_paths(std::string_view path) {
  const auto& all = named_values();
  return std::any_of(all.begin(), all.end(),
                     [&](const auto& keys) { return boost::algorithm::join(keys, ".") == path; });
}

const YamlNode* own_policy(const YamlNode& root, const std::string& name, const std::filesystem::path& folder) {
  const std::vector<const YamlNode*> policies = own_policies(root);
  const auto found = std::find_if(policies.begin(), policies.end(), [&](const YamlNode* policy) {
    return policy->scalar == name || name_of_policy(*policy, folder) == name;
  });
  return found == policies.end() ? nullptr : *found;
}

std::vector<YamlNode> policies_of(const YamlNode& root, const std::vector<std::string>& policies,
                                  const std::filesystem::path& folder) {
  Diagnostics reported_when_read;
  std::vector<YamlNode> nodes = said_policies(root, policies, folder, reported_when_read);
  if (!policies.empty()) return nodes;
  for (const YamlNode* const own : own_policies(root)) nodes.push_back(*own);
  return nodes;
}

ScenarioFile read_scenario_file(const std::filesystem::path& file, const Overrides& overrides) {
  Diagnostics diagnostics;
  YamlNode root = load_yaml(file, diagnostics);
  if (root.kind == YamlNode::Kind::null) throw_if_any(diagnostics);
  return read_scenario_file(std::move(root), file.parent_path(), overrides, std::move(diagnostics));
}

models::Scenario read_scenario(const std::filesystem::path& file, const Overrides& overrides) {
  return read_scenario_file(file, overrides).scenario;
}

ScenarioFile read_scenario_file(YamlNode root, const std::filesystem::path& folder, const Overrides& overrides,
                                Diagnostics diagnostics) {
  apply_sets(root, overrides.sets, diagnostics);
  YamlMap map = open_config(root, ConfigKind::scenarios, diagnostics);
  if (!map) throw InputError(diagnostics);
  const YamlNode policies = list_of(said_policies(root, overrides.policies, folder, diagnostics));
  ScenarioFile file = ScenarioReader(folder, diagnostics).read(map, policies);
  throw_if_any(diagnostics);
  file.scenario.seed = overrides.seed.value_or(file.scenario.seed);
  return file;
}

models::Scenario read_scenario(YamlNode root, const std::filesystem::path& folder, const Overrides& overrides,
                               Diagnostics diagnostics) {
  return read_scenario_file(std::move(root), folder, overrides, std::move(diagnostics)).scenario;
}

namespace {

// Its policies are read where they are shipped: that is where names find them.
void check_kernel_table(const std::filesystem::path& file) {
  (void)read_kernel_table(file);
  Diagnostics diagnostics;
  for (const std::string& name : kernel_names()) {
    (void)read_policy(**find_kernel(name));
    check_scheduler(*kernel_scheduler(name), "scheduler", diagnostics);
    name_as_in_table(diagnostics);
    throw_if_any(diagnostics);
  }
}

}  // namespace

ConfigKind check_file(const std::filesystem::path& file) {
  Diagnostics diagnostics;
  const YamlNode root = load_config(file, diagnostics);
  if (root.kind == YamlNode::Kind::null) throw_if_any(diagnostics);
  const auto kind = kind_of(root);
  if (!kind) {
    YamlField(root, "", diagnostics)
        .refuse(
            "expected a scenario (with `processes`), a machine (with `costs`), a policy (with `populate`) or a device "
            "(with `queue_depth` or `compress`)");
    throw InputError(diagnostics);
  }
  if (kind == ConfigKind::scenarios) (void)read_scenario(file);
  if (kind == ConfigKind::machines) (void)read_machine(file);
  if (kind == ConfigKind::policies) (void)read_policy(file);
  if (kind == ConfigKind::kernels) check_kernel_table(file);
  if (kind == ConfigKind::devices) (void)read_device(file);
  return *kind;
}

}  // namespace experiments
