#include "experiments/compare/kernel_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "experiments/base/terminal.h"
#include "experiments/scenario/kernel_version.h"

namespace experiments {

namespace {

constexpr std::size_t kNameWidth = 14;
constexpr const char* kFromMemory = "from memory: ";

/// A name in the first column, and lines in the second.
std::string entry(const std::string& name, const std::vector<std::string>& texts, std::size_t width) {
  std::string text = bold(name) + std::string(kNameWidth - std::min(kNameWidth, name.size()), ' ');
  for (std::size_t each = 0; each < texts.size(); ++each) {
    text += (each == 0 ? "" : std::string(kNameWidth, ' ')) + wrapped(texts[each], width, kNameWidth);
  }
  return text;
}

std::string source_of(const std::string& source, bool from_memory) {
  return fmt::format("({}{})", from_memory ? kFromMemory : "", source);
}

std::string entry(const Distribution& each, std::size_t width) {
  std::string config;
  for (const auto& [what, value] : each.config)
    config += fmt::format("{}{} {}", config.empty() ? "" : ", ", what, value);
  std::vector<std::string> texts{
      fmt::format("Linux {}{}{}", to_text(each.release), each.about.empty() ? "" : ": ", each.about)};
  if (!config.empty()) texts.push_back(config);
  texts.push_back(source_of(each.source, each.from_memory));
  return entry(each.name, texts, width);
}

}  // namespace

std::string kernel_list(const KernelTable& table, std::size_t width) {
  std::string text = wrapped(
      fmt::format(
          "linux-{} to linux-{}, each made of all changes up to it. As a policy also by its bare version, or by "
          "what `uname -r` prints; as `machine: {{from: ..., kernel: NAME}}` for its scheduler.",
          to_text(table.releases.front()), to_text(table.releases.back())),
      width, 0);
  text += "\n";
  for (const KernelChange& change : table.changes) {
    text += entry(to_text(change.release), {change.what, source_of(change.source, change.from_memory)}, width);
  }
  text += "\n" +
          wrapped(
              "Distributions: their version, what they have brought back from later ones, and their "
              "configuration.",
              width, 0) +
          "\n";
  for (const Distribution& each : table.distributions) text += entry(each, width);
  return text;
}

}  // namespace experiments
