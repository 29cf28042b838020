#include "experiments/scenario/resolved_scenario.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <boost/algorithm/string/trim.hpp>
#include <boost/uuid/detail/sha1.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/memory_file.h"

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

/// The samples that a distribution names, by their hash.
Json samples_of(const YamlNode& node) {
  const std::string name = boost::algorithm::trim_copy(node.scalar.substr(kEmpirical.size()));
  const std::filesystem::path folder =
      node.at.line > 0 ? std::filesystem::path(node.at.file).parent_path() : std::filesystem::path{};
  std::ifstream stream(folder / name, std::ios::binary);
  return {{"empirical", sha1_of({std::istreambuf_iterator<char>(stream), {}})}};
}

}  // namespace

Json Resolver::content_of(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return nullptr;
    case YamlNode::Kind::scalar:
      return node.scalar.starts_with(kEmpirical) ? samples_of(node) : Json(node.scalar);
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
    if (!is_note(entry.key)) map[entry.key] = content_of(entry.value);
  }
  return map;
}

Json Resolver::config_of(const YamlNode& node, ConfigKind kind, const std::filesystem::path& folder) {
  const YamlNode* const from = node.kind == YamlNode::Kind::map ? value_of_key(node, "from") : nullptr;
  if (node.kind == YamlNode::Kind::map && from == nullptr) return content_of(node);
  std::vector<Diagnostic> diagnostics;
  const YamlField name(from == nullptr ? node : *from, "", diagnostics);
  const auto path = file_of(name, kind, folder);
  if (!path) throw InputError(diagnostics);
  const YamlNode& named = files_.load(*path);
  Json content = content_of(from == nullptr ? named : overlay(named, node));
  content.erase("from");
  return content;
}

ResolvedScenario Resolver::resolve(const YamlNode& root, const std::filesystem::path& folder) {
  ResolvedScenario resolved;
  for (const YamlEntry& entry : root.entries) {
    const bool left_out = is_note(entry.key) || entry.key == "policy" || entry.key == "policies" || entry.key == "seed";
    if (!left_out) resolved.content[entry.key] = content_of(entry.value);
  }
  if (const YamlNode* const machine = value_of_key(root, "machine")) {
    resolved.content["machine"] = config_of(*machine, ConfigKind::machines, folder);
  }
  if (const YamlNode* const memory = value_of_key(root, "memory")) {
    constexpr ConfigKind kDevices = ConfigKind::devices;
    const YamlNode* const device = value_of_key(*memory, "device");
    YamlNode implied;
    implied.kind = YamlNode::Kind::scalar;
    implied.scalar = default_device(*memory);
    resolved.content["memory"]["device"] = config_of(device == nullptr ? implied : *device, kDevices, folder);
    const YamlNode* const swap = value_of_key(*memory, "swap");
    if (const YamlNode* const own = swap == nullptr ? nullptr : value_of_key(*swap, "device")) {
      resolved.content["memory"]["swap"]["device"] = config_of(*own, kDevices, folder);
    }
  }
  std::vector<const YamlNode*> policies;
  if (const YamlNode* const policy = value_of_key(root, "policy")) policies.push_back(policy);
  if (const YamlNode* const list = value_of_key(root, "policies")) {
    for (const YamlEntry& entry : list->entries) policies.push_back(&entry.value);
  }
  for (const YamlNode* const policy : policies) {
    Json content = config_of(*policy, ConfigKind::policies, folder);
    content.erase("kernel");  // whose rules they are changes nothing
    const std::string name = content.value("name", "");
    resolved.policies.push_back({name, std::move(content)});
  }
  return resolved;
}

std::string digest_of(const ResolvedScenario& scenario, std::size_t policy) {
  const Json all{{"result_version", kResultVersion},
                 {"scenario", scenario.content},
                 {"policy", scenario.policies[policy].content}};
  return sha1_of(all.dump());
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
