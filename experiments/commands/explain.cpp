#include <fmt/format.h>

#include <optional>

#include "experiments/base/command_line.h"
#include "experiments/base/output_file.h"
#include "experiments/base/statistics.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/scenario_options.h"
#include "experiments/compare/run_report.h"
#include "experiments/explain/explanation.h"

namespace experiments {

int command_explain(const Arguments& arguments) {
  CommandLine line(
      "explain SCENARIO [OPTION]...",
      "Tells who suffers in a scenario, along which chain of waiting, and which change, each tried alone,\n"
      "would help most: without each competitor, other niceness, CPUs or quota, other policies, later "
      "kernels.",
      "SCENARIO", 1);
  line.text("policy", "NAME|FILE", "by default the scenario's first");
  line.number("reps", "N", "replications: seeds N, N+1, ...; two or more give confidence intervals", 3);
  line.text("json", "FILE", "write it as JSON; `report` makes a page of it");
  add_jobs_option(line);
  add_scenario_options(line);
  if (!line.parse(arguments)) return kOk;

  if (line.find("policy") == "all") throw UsageError("--policy: expected one policy, found 'all'");
  ExplainRequest request;
  request.run = run_of(line);
  request.replications = positive(line, "reps", kMostReplications);
  request.workers = jobs_of(line);
  request.options = engine_options_of(line);
  const models::Scenario scenario = read_run(request.run).scenario;
  std::optional<OutputFile> json;
  if (const auto path = line.find("json")) json.emplace(*path);
  std::optional<RunProgress> progress(std::in_place);
  const Explanation explanation =
      explain(request, [&](std::size_t done, std::size_t all) { progress->show(done, all); });
  progress.reset();
  print_folded(heading(scenario) + "\n" + to_text(explanation));
  if (json) json->commit(to_json(explanation).dump(2) + "\n");
  return kOk;
}

}  // namespace experiments
