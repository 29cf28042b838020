#include <fmt/format.h>

#include <unistd.h>

#include <optional>

#include "experiments/commands/commands.h"
#include "experiments/explain/explanation.h"
#include "experiments/study/study_plan.h"

namespace experiments {

namespace po = boost::program_options;

namespace {

constexpr int kMostReplications = 1000;

void show_progress(std::size_t done, std::size_t all) {
  if (isatty(STDERR_FILENO) == 0) return;
  fmt::print(stderr, "\r{} of {} runs{}", done, all, done == all ? "\r\033[K" : "");
}

std::string run_command_of(const CommandLine& line) {
  std::string text = "mlocksim run " + shell_word(line.get<std::vector<std::string>>("SCENARIO").front());
  for (const char* const option : {"policy", "seed"}) {
    if (const auto value = line.find<std::string>(option)) text += fmt::format(" --{} {}", option, shell_word(*value));
  }
  for (const std::string& set : line.find<std::vector<std::string>>("set").value_or(std::vector<std::string>{})) {
    text += " --set " + shell_word(set);
  }
  return text;
}

}  // namespace

int command_explain(const Arguments& arguments) {
  CommandLine line(
      "explain SCENARIO [OPTION]...",
      "Tells who suffers in a scenario, along which chain of waiting, and which change, each tried alone,\n"
      "would help most: without each competitor, other niceness, CPUs or quota, other policies, later "
      "kernels.",
      "SCENARIO", 1);
  line.add()("policy", po::value<std::string>()->value_name("NAME|FILE"), "by default the scenario's first")(
      "reps", po::value<int>()->default_value(3)->value_name("N"),
      "replications: seeds N, N+1, ...; two or more give confidence intervals")(
      "json", po::value<std::string>()->value_name("FILE"), "write it as JSON; `report` makes a page of it");
  add_jobs_option(line);
  add_scenario_options(line);
  if (!line.parse(arguments)) return kOk;

  const auto policy = line.find<std::string>("policy");
  if (policy == "all") throw UsageError("--policy: expected one policy, found 'all'");
  ExplainRequest request;
  request.file = scenario_file(line.get<std::vector<std::string>>("SCENARIO").front());
  request.overrides = overrides_of(line, policy ? std::vector{*policy} : std::vector<std::string>{});
  request.command = run_command_of(line);
  request.replications = positive(line, "reps", kMostReplications);
  request.workers = jobs_of(line);
  request.options = engine_options_of(line);
  const models::Scenario scenario = read_scenario(request.file, request.overrides);
  std::optional<OutputFile> json;
  if (const auto path = line.find<std::string>("json")) json.emplace(*path);
  const Explanation explanation = explain(request, show_progress);
  fmt::print("{}\n{}", heading(scenario), to_text(explanation));
  if (json) json->commit(to_json(explanation).dump(2) + "\n");
  return kOk;
}

}  // namespace experiments
