#include "experiments/scenario/resolved_scenario.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/algorithm/string/trim.hpp>
#include <boost/uuid/detail/sha1.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "experiments/base/diagnostics.h"
#include "experiments/base/json.h"
#include "experiments/scenario/machine_file.h"
#include "experiments/scenario/memory_file.h"
#include "experiments/scenario/scenario_file.h"
#include "experiments/scenario/yaml_text.h"

namespace experiments {

namespace {

constexpr std::string_view kEmpirical = "empirical ";

/// The value of a key of a map, or null.
const YamlNode* value_of_key(const YamlNode& map, std::string_view key) {
  const YamlEntry* const entry = find_entry(map, key);
  return entry == nullptr ? nullptr : &entry->value;
}

// What does not determine a result.
bool is_note(const std::string& key) {
  return key == "about" || key == "schema" || key == "expect" || key == "incident";
}

/// The file of that name, as `node` says it.
std::filesystem::path file_beside(const YamlNode& node, const std::string& name) {
  const std::filesystem::path folder =
      node.at.line > 0 ? std::filesystem::path(node.at.file).parent_path() : std::filesystem::path{};
  return folder / name;
}

/// The file that a distribution names.
std::filesystem::path samples_file(const YamlNode& node) {
  return file_beside(node, boost::algorithm::trim_copy(node.scalar.substr(kEmpirical.size())));
}

/// A file by the hash of what is in it.
std::string hash_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return sha1_of({std::istreambuf_iterator<char>(stream), {}});
}

/// Whether a key names the file of a recording.
bool names_recording(const YamlEntry& entry) {
  return entry.key == "replay" && entry.value.kind == YamlNode::Kind::scalar;
}

/// What determines a result.
Json content_of(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return nullptr;
    case YamlNode::Kind::scalar:
      return node.scalar.starts_with(kEmpirical) ? Json{{"empirical", hash_of(samples_file(node))}} : Json(node.scalar);
    case YamlNode::Kind::sequence: {
      Json list = Json::array();
      for (const YamlEntry& entry : node.entries) list.push_back(content_of(entry.value));
      return list;
    }
    case YamlNode::Kind::map:
      break;
  }
  Json map = Json::object();
  for (const YamlEntry& entry : node.entries) {
    if (is_note(entry.key)) continue;
    map[entry.key] =
        names_recording(entry) ? Json(hash_of(file_beside(entry.value, entry.value.scalar))) : content_of(entry.value);
  }
  return map;
}

/// With the files of empirical distributions and of recordings by their whole paths.
YamlNode without_folders(YamlNode node) {
  if (node.kind == YamlNode::Kind::scalar && node.scalar.starts_with(kEmpirical)) {
    node.scalar = std::string(kEmpirical) + std::filesystem::absolute(samples_file(node)).string();
  }
  for (YamlEntry& entry : node.entries) {
    if (names_recording(entry)) {
      entry.value.scalar = std::filesystem::absolute(file_beside(entry.value, entry.value.scalar)).string();
    } else {
      entry.value = without_folders(std::move(entry.value));
    }
  }
  return node;
}

}  // namespace

YamlNode Resolver::config_of(const YamlNode& node, ConfigKind kind, const std::filesystem::path& folder) {
  const YamlNode* const from = node.kind == YamlNode::Kind::map ? value_of_key(node, "from") : nullptr;
  if (node.kind == YamlNode::Kind::map && from == nullptr) return node;
  std::vector<Diagnostic> diagnostics;
  const YamlField name(from == nullptr ? node : *from, "", diagnostics);
  const auto path = file_of(name, kind, folder);
  if (!path) throw InputError(diagnostics);
  YamlNode named = without_key(files_.load(*path), "schema");
  return from == nullptr ? named : without_key(overlay(std::move(named), node), "from");
}

void Resolver::resolve_memory(YamlNode& memory, const std::filesystem::path& folder) {
  if (memory.kind != YamlNode::Kind::map) return;
  if (find_entry(memory, "device") == nullptr) {
    YamlNode implied;
    implied.kind = YamlNode::Kind::scalar;
    implied.scalar = default_device(memory);
    memory.entries.push_back({"device", {}, std::move(implied)});
  }
  YamlNode& device = find_entry(memory, "device")->value;
  device = config_of(device, ConfigKind::devices, folder);
  YamlEntry* const swap = find_entry(memory, "swap");
  YamlEntry* const own =
      swap == nullptr || swap->value.kind != YamlNode::Kind::map ? nullptr : find_entry(swap->value, "device");
  if (own != nullptr) own->value = config_of(own->value, ConfigKind::devices, folder);
}

ResolvedScenario Resolver::resolve(const YamlNode& root, const std::filesystem::path& folder) {
  ResolvedScenario resolved;
  for (const YamlNode& policy : policies_of(root, {}, folder)) {
    resolved.policies.push_back(config_of(policy, ConfigKind::policies, folder));
  }
  resolved.scenario = root;
  for (const char* const left_out : {"policy", "policies", "seed", "expect", "incident"}) {
    resolved.scenario = without_key(std::move(resolved.scenario), left_out);
  }
  if (YamlEntry* const machine = find_entry(resolved.scenario, "machine")) {
    std::vector<Diagnostic> diagnostics;
    machine->value =
        config_of(with_kernel(YamlField(machine->value, "machine", diagnostics)), ConfigKind::machines, folder);
    if (!diagnostics.empty()) throw InputError(diagnostics);
  }
  if (YamlEntry* const memory = find_entry(resolved.scenario, "memory")) resolve_memory(memory->value, folder);
  return resolved;
}

std::string digest_of(const ResolvedScenario& scenario, std::size_t policy) {
  Json rules = content_of(scenario.policies[policy]);
  rules.erase("kernel");  // whose rules they are changes nothing
  rules.erase("notes");
  const Json all{{"result_version", kResultVersion}, {"scenario", content_of(scenario.scenario)}, {"policy", rules}};
  return sha1_of(all.dump());
}

std::optional<std::string> text_at(const ResolvedScenario& scenario, const std::string& path) {
  std::vector<std::string> steps;
  boost::algorithm::split(steps, path, boost::algorithm::is_any_of(".["));
  const YamlNode* node = &scenario.scenario;
  for (const std::string& step : steps) {
    if (step.ends_with(']') && node->kind == YamlNode::Kind::sequence) {
      const std::size_t index = std::strtoul(step.c_str(), nullptr, 10);
      if (index >= node->entries.size()) return std::nullopt;
      node = &node->entries[index].value;
      continue;
    }
    node = node->kind == YamlNode::Kind::map ? value_of_key(*node, step) : nullptr;
    if (node == nullptr) return std::nullopt;
  }
  return node->kind == YamlNode::Kind::scalar ? std::optional(node->scalar) : std::nullopt;
}

std::string to_yaml(const ResolvedScenario& scenario, std::size_t policy) {
  YamlNode file = scenario.scenario;
  const YamlEntry rules{"policy", {}, scenario.policies[policy]};
  file.entries.push_back(rules);  // not made in place: g++ 12 sees a ghost there at -O3
  return to_block(without_folders(std::move(file)));
}

models::Scenario read_resolved(const std::string& yaml, const std::string& name) {
  std::vector<Diagnostic> diagnostics;
  return read_scenario(parse_yaml(yaml, {name, 1, 1}, diagnostics), {}, {}, std::move(diagnostics));
}

std::string run_key(const std::string& digest, std::uint64_t seed) {
  return sha1_of(fmt::format("{} seed {}", digest, seed));
}

std::string sha1_of(const std::string& text) {
  boost::uuids::detail::sha1 hash;
  hash.process_bytes(text.data(), text.size());
  std::array<unsigned int, 5> digest{};
  static_assert(sizeof(digest) == sizeof(boost::uuids::detail::sha1::digest_type));
  hash.get_digest(*reinterpret_cast<boost::uuids::detail::sha1::digest_type*>(digest.data()));
  return fmt::format("{:08x}{:08x}{:08x}{:08x}{:08x}", digest[0], digest[1], digest[2], digest[3], digest[4]);
}

}  // namespace experiments
