#include <fmt/format.h>

#include <optional>

#include "experiments/commands.h"
#include "experiments/comparison.h"
#include "experiments/run_report.h"

namespace experiments {

namespace po = boost::program_options;

int command_run(const Arguments& arguments) {
  CommandLine line("run SCENARIO [OPTION]...",
                   "Runs a scenario under one policy and prints what everybody went through.", "SCENARIO", 1);
  line.add()("policy", po::value<std::string>()->value_name("NAME|FILE"), "by default the scenario's first")(
      "json", po::value<std::string>()->value_name("FILE"), "write the result as JSON");
  add_scenario_options(line);
  if (!line.parse(arguments)) return kOk;

  const auto policy = line.find<std::string>("policy");
  if (policy == "all") throw UsageError("--policy: expected one policy, found 'all'; compare runs several");
  models::Scenario scenario =
      read_named_scenario(line.get<std::vector<std::string>>("SCENARIO").front(),
                          overrides_of(line, policy ? std::vector{*policy} : std::vector<std::string>{}));
  scenario.policies.resize(1);
  std::optional<OutputFile> json;
  if (const auto path = line.find<std::string>("json")) json.emplace(*path);

  const models::Result result = models::simulate(scenario, scenario.policies.front(), engine_options_of(line));
  fmt::print("{}\n{}", heading(scenario), run_report(scenario, result));
  if (json) json->commit(to_json(result).dump(2) + "\n");
  return kOk;
}

}  // namespace experiments
