#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "experiments/base/diagnostics.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/compare/kernel_list.h"
#include "experiments/compare/policy_table.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/scenario_file.h"

namespace experiments {

namespace {

/// As they are listed: a policy that stands for several releases by its range, and those of the distributions last.
std::vector<ConfigEntry> entries_of(ConfigKind kind) {
  std::vector<ConfigEntry> entries = list_configs(kind);
  if (kind != ConfigKind::policies) return entries;
  for (const KernelSpan& span : kernel_spans()) {
    if (span.first == span.last) continue;
    const auto same = [&](const ConfigEntry& entry) { return entry.name == span.name; };
    std::find_if(entries.begin(), entries.end(), same)->name += " .. " + to_text(span.last);
  }
  for (const Distribution& each : kernel_table().distributions) entries.push_back(kernel_entry(each.name));
  return entries;
}

std::string table_of(const std::vector<ConfigEntry>& entries) {
  std::vector<models::Policy> policies;
  for (const ConfigEntry& entry : entries) {
    policies.push_back(read_policy(entry.path));
    policies.back().name = entry.name;
  }
  return policy_table(policies, line_width());
}

}  // namespace

int command_list(const Arguments& arguments) {
  static const std::map<std::string, ConfigKind> kinds{
      {"policies", ConfigKind::policies},   {"machines", ConfigKind::machines},   {"devices", ConfigKind::devices},
      {"scenarios", ConfigKind::scenarios}, {"incidents", ConfigKind::incidents}, {"studies", ConfigKind::studies}};
  CommandLine line("list policies|kernels|machines|devices|scenarios|incidents|studies",
                   "Lists what is shipped, each with what it says of itself.", "KIND", 1);
  if (!line.parse(arguments)) return kOk;
  const std::string kind = line.first();
  if (kind == "kernels") {
    if (kernel_table().releases.empty()) {
      throw UsageError(fmt::format("there is no table of kernels in {}", configs_directory().string()));
    }
    fmt::print("{}", kernel_list(kernel_table(), page_width()));
    return kOk;
  }
  const auto found = kinds.find(kind);
  if (found == kinds.end()) {
    throw UsageError(fmt::format(
        "expected policies, kernels, machines, devices, scenarios, incidents or studies, found '{}'{}", kind,
        did_you_mean(kind, {"policies", "kernels", "machines", "devices", "scenarios", "incidents", "studies"})));
  }
  const std::vector<ConfigEntry> entries = entries_of(found->second);
  if (entries.empty()) throw UsageError(fmt::format("there are no {} in {}", kind, configs_directory().string()));
  std::size_t widest = 0;
  for (const ConfigEntry& entry : entries) widest = std::max(widest, entry.name.size());
  for (const ConfigEntry& entry : entries) {
    fmt::print("{}{}  {}", bold(entry.name), std::string(widest - entry.name.size(), ' '),
               wrapped(entry.about, page_width(), widest + 2));
  }
  if (found->second == ConfigKind::incidents) {
    fmt::print("\nWhere each report stands:\n");
    for (const ConfigEntry& entry : entries) {
      const auto incident = read_scenario_file(entry.path).incident;
      if (!incident) continue;
      fmt::print("{:<{}}  {}", entry.name, widest,
                 wrapped(fmt::format("{}", fmt::join(incident->source, "; ")), line_width(), widest + 2));
    }
  }
  if (found->second == ConfigKind::policies) {
    fmt::print("\n{}", table_of(entries));
  }
  return kOk;
}

}  // namespace experiments
