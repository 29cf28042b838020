#include "experiments/scenario/yaml_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

#include "experiments/scenario/yaml_reader.h"

namespace experiments {

namespace {

bool is_plain(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_.-+/% ").find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !text.empty() && text != "null" && std::isalnum(static_cast<unsigned char>(text.front())) != 0 &&
         text.back() != ' ' && std::all_of(text.begin(), text.end(), plain);
}

/// JSON's quotes are YAML's double ones.
std::string scalar_text(const std::string& text) {
  if (is_plain(text)) return text;
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void add_block(const YamlNode& node, int depth, const std::string& indent, std::string& text) {
  for (const YamlEntry& entry : node.entries) {
    const bool opens = depth > 1 && entry.value.kind == YamlNode::Kind::map && !entry.value.entries.empty();
    text += fmt::format("{}{}:", indent, scalar_text(entry.key));
    if (opens) {
      text += "\n";
      add_block(entry.value, depth - 1, indent + "  ", text);
    } else {
      text += fmt::format(" {}\n", to_flow(entry.value));
    }
  }
}

}  // namespace

std::string to_flow(const YamlNode& node) {
  std::vector<std::string> items;
  for (const YamlEntry& entry : node.entries) {
    const bool in_map = node.kind == YamlNode::Kind::map;
    items.push_back(in_map ? fmt::format("{}: {}", scalar_text(entry.key), to_flow(entry.value))
                           : to_flow(entry.value));
  }
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "~";
    case YamlNode::Kind::scalar:
      return scalar_text(node.scalar);
    case YamlNode::Kind::sequence:
      return fmt::format("[{}]", fmt::join(items, ", "));
    case YamlNode::Kind::map:
      break;
  }
  return fmt::format("{{{}}}", fmt::join(items, ", "));
}

std::string to_block(const YamlNode& node, int depth) {
  std::string text;
  add_block(node, depth, "", text);
  return text;
}

}  // namespace experiments
