#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "experiments/base/diagnostics.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/compare/policy_table.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/scenario_file.h"

namespace experiments {

int command_list(const Arguments& arguments) {
  static const std::map<std::string, ConfigKind> kinds{
      {"policies", ConfigKind::policies},   {"machines", ConfigKind::machines},   {"devices", ConfigKind::devices},
      {"scenarios", ConfigKind::scenarios}, {"incidents", ConfigKind::incidents}, {"studies", ConfigKind::studies}};
  CommandLine line("list policies|machines|devices|scenarios|incidents|studies",
                   "Lists what is shipped, each with what it says of itself.", "KIND", 1);
  if (!line.parse(arguments)) return kOk;
  const std::string kind = line.first();
  const auto found = kinds.find(kind);
  if (found == kinds.end()) {
    throw UsageError(
        fmt::format("expected policies, machines, devices, scenarios, incidents or studies, found '{}'{}", kind,
                    did_you_mean(kind, {"policies", "machines", "devices", "scenarios", "incidents", "studies"})));
  }
  const std::vector<ConfigEntry> entries = list_configs(found->second);
  std::size_t widest = 0;
  for (const ConfigEntry& entry : entries) widest = std::max(widest, entry.name.size());
  for (const ConfigEntry& entry : entries) {
    fmt::print("{}{}  {}\n", bold(entry.name), std::string(widest - entry.name.size(), ' '), entry.about);
  }
  if (found->second == ConfigKind::incidents) {
    fmt::print("\nWhere each report stands:\n");
    for (const ConfigEntry& entry : entries) {
      const auto incident = read_scenario_file(entry.path).incident;
      if (incident) fmt::print("{:<{}}  {}\n", entry.name, widest, fmt::join(incident->source, "; "));
    }
  }
  if (found->second == ConfigKind::policies) {
    std::vector<models::Policy> policies;
    for (const ConfigEntry& entry : entries) policies.push_back(read_policy(entry.path));
    fmt::print("\n{}", policy_table(policies));
  }
  return kOk;
}

}  // namespace experiments
