#include "experiments/manual/error_topics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "experiments/manual/file_format.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

/// A path without `[]`, and with or without the kinds of maps in it; names that files choose (`*`) are left out.
std::string plain(std::string_view path, bool with_kinds) {
  std::string text;
  char bracket = 0;
  for (const char c : path) {
    if (c == '[' || c == '(') bracket = c;
    if (bracket == '(' && with_kinds && c != ')') text += c == '(' ? '.' : c;
    if (bracket == 0 && c != '*') text += c;
    if (c == ']' || c == ')') bracket = 0;
  }
  for (std::size_t at = text.find(".."); at != std::string::npos; at = text.find("..")) text.erase(at, 1);
  while (text.starts_with('.')) text.erase(0, 1);
  while (text.ends_with('.')) text.pop_back();
  return text;
}

bool ends_with_whole(const std::string& path, const std::string& end) {
  return path == end || path.ends_with("." + end);
}

/// Regions and threads are in processes only: that need not be said.
std::string in_processes(const std::string& path) {
  constexpr std::string_view kProcesses = "processes.";
  return path.starts_with(kProcesses) ? path.substr(kProcesses.size()) : path;
}

/// `processes[0].name` as `processes[].name`.
std::string without_indices(std::string_view path) {
  std::string text;
  bool inside = false;
  for (const char c : path) {
    inside = inside && c != ']';
    if (!inside) text += c;
    inside = inside || c == '[';
  }
  return text;
}

std::string_view first_step(std::string_view path) { return path.substr(0, path.find('.')); }
std::string_view other_steps(std::string_view path) {
  const std::size_t dot = path.find('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
}

/// Whether a key of a file, its indices left out, is one of the row's.
bool is_at(std::string_view row, std::string_view key) {
  while (!row.empty() && !key.empty()) {
    std::string_view step = first_step(row);
    step = step.substr(0, step.find('('));
    if (step != "*" && step != first_step(key)) return false;
    row = other_steps(row);
    key = other_steps(key);
  }
  return row.empty() && key.empty();
}

/// Of a key that several kinds of maps have, each with words of its own, all of them.
std::optional<std::string> topic_at(ConfigKind kind, const std::string& key) {
  const KeyPlace place = place_of_key(kind, key);
  std::optional<std::string> topic;
  for (const KeyWords& row : all_key_words()) {
    // Of which kind a map is, is not known here.
    if (row.kind != place.kind || row.path.ends_with(')') || !is_at(row.path, place.path)) continue;
    if (row.path.find('(') == std::string_view::npos) return topic_of_key(row.path);
    topic = topic ? in_processes(plain(row.path, false)) : topic_of_key(row.path);
  }
  return topic;
}

/// Of the key, or the innermost map around it that there are words for.
std::optional<std::string> topic_in(ConfigKind kind, std::string key) {
  if (kind == ConfigKind::incidents) kind = ConfigKind::scenarios;
  if (kind == ConfigKind::kernels) return std::nullopt;
  while (!key.empty()) {
    if (auto topic = topic_at(kind, key)) return topic;
    const std::size_t outer = key.ends_with(']') ? key.rfind('[') : key.rfind('.');
    key.resize(outer == std::string::npos ? 0 : outer);
  }
  return singular(kind);
}

/// What a file is, as far as its keys tell. What `--set` says is of a scenario.
std::optional<ConfigKind> kind_of_file(const std::string& file) {
  if (file.starts_with("--set ")) return ConfigKind::scenarios;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return std::nullopt;
  std::vector<Diagnostic> told_already;
  return kind_of(load_config(file, told_already));
}

constexpr const char* kTopicOfUnits = "units";

bool is_of_units(const std::string& message) {
  const std::vector<TextForm>& forms = text_forms();
  return std::any_of(forms.begin(), forms.end(), [&](const TextForm& form) {
    return form.name != "name" && message.find("expected " + form.expected) != std::string::npos;
  });
}

}  // namespace

std::string topic_of_key(std::string_view path) {
  // A kind of thread needs no more than its name.
  const std::size_t kind = path.rfind('(');
  return in_processes(plain(kind == std::string_view::npos ? path : path.substr(kind), true));
}

bool means_key(std::string_view topic, std::string_view path) {
  const std::string wanted = plain(topic, true);
  if (wanted.empty()) return false;
  return ends_with_whole(plain(path, true), wanted) || ends_with_whole(plain(path, false), wanted);
}

std::string see_manual(const InputError& error) {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> topics;
  const auto add = [&](const std::string& topic) {
    if (topics.size() < kMost && std::find(topics.begin(), topics.end(), topic) == topics.end())
      topics.push_back(topic);
  };
  for (const Diagnostic& diagnostic : error.diagnostics()) {
    if (diagnostic.key.empty()) continue;
    const auto kind = kind_of_file(diagnostic.file);
    const auto topic = kind ? topic_in(*kind, without_indices(diagnostic.key)) : std::nullopt;
    if (!topic) continue;
    add(*topic);
    if (is_of_units(diagnostic.message)) add(kTopicOfUnits);
  }
  if (topics.empty()) return {};
  for (std::string& topic : topics) topic.insert(0, "mlocksim help ");
  return fmt::format("See: {}\n", fmt::join(topics, ", "));
}

std::string see_manual(const UsageError& error) {
  return is_of_units(error.what()) ? fmt::format("See: mlocksim help {}\n", kTopicOfUnits) : "";
}

}  // namespace experiments
