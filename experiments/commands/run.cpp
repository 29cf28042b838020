#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <optional>

#include "experiments/base/command_line.h"
#include "experiments/base/output_file.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/scenario_options.h"
#include "experiments/commands/timeline_options.h"
#include "experiments/compare/autopsy.h"
#include "experiments/compare/comparison.h"
#include "experiments/compare/hgrm_file.h"
#include "experiments/compare/run_report.h"
#include "experiments/run/execute.h"
#include "experiments/run/result_json.h"
#include "experiments/run/trace_file.h"
#include "models/simulation.h"

namespace experiments {

namespace {

// Where the longest requests are takes a run to find out.
std::vector<TimeWindow> find_worst(const models::Scenario& scenario, const sim::Engine::Options& options,
                                   std::size_t count) {
  const Job job{&scenario, &scenario.policies.front(), scenario.seed};
  const JobOutcome outcome = execute({job}, 1, options, [](std::size_t) {}).front();
  if (const auto* failure = std::get_if<Failure>(&outcome)) throw std::runtime_error(failure->reason);
  return windows_around_worst(std::get<models::Result>(outcome), count);
}

// How many of the longest requests `option` asks for, if it is there.
std::optional<std::size_t> requests_of(const CommandLine& line, const std::string& option) {
  if (!line.has(option)) return std::nullopt;
  return static_cast<std::size_t>(positive(line, option, static_cast<int>(kMostAutopsies)));
}

// Before any work is done.
void check_trace_options(const CommandLine& line) {
  check_timeline_options(line);
  if (!requests_of(line, "trace-worst")) return;
  if (!line.has("trace")) throw UsageError("--trace-worst needs --trace FILE");
  if (line.has("trace-window")) throw UsageError("expected one of --trace-window and --trace-worst, found both");
}

std::vector<TimeWindow> trace_windows(const CommandLine& line, const models::Scenario& scenario) {
  const auto worst = requests_of(line, "trace-worst");
  if (worst) return find_worst(scenario, engine_options_of(line), *worst);
  return {timeline_window(line)};
}

models::Result simulate(const models::Scenario& scenario, const sim::Engine::Options& options, TraceFile* trace) {
  const models::Policy& policy = scenario.policies.front();
  if (trace == nullptr) return models::simulate(scenario, policy, options);
  models::Result result = models::simulate(scenario, policy, options, trace->observer());
  trace->finish(sim::Time{result.sim_time});
  return result;
}

Json json_of(const models::Scenario& scenario, const models::Result& result,
             const std::vector<ExpectationCheck>& checks) {
  Json json = to_json(result);
  json["machine"] = to_json(scenario.machine);
  if (!checks.empty()) json["expectations"] = to_json(checks);
  return json;
}

}  // namespace

int command_run(const Arguments& arguments) {
  CommandLine line("run SCENARIO [OPTION]...",
                   "Runs a scenario under one policy and prints what everybody went through.", "SCENARIO", 1);
  line.text("policy", "NAME|FILE", "by default the scenario's first");
  line.text("json", "FILE", "write the result as JSON");
  line.number("worst", "N", "explain the N longest requests, one by one");
  line.text("hgrm", "DIR", "write every latency distribution for HdrHistogram's tools");
  add_timeline_options(line);
  line.number("trace-worst", "N", "only what happens around the N longest requests (runs twice)");
  add_scenario_options(line);
  if (!line.parse(arguments)) return kOk;

  const auto policy = line.find("policy");
  if (policy == "all") throw UsageError("--policy: expected one policy, found 'all'; compare runs several");
  const ScenarioFile file = read_run(run_of(line));
  const models::Scenario& scenario = file.scenario;
  std::optional<OutputFile> json;
  if (const auto path = line.find("json")) json.emplace(*path);
  std::optional<OutputFolder> hgrm;
  if (const auto path = line.find("hgrm")) hgrm.emplace(*path);

  const auto worst = requests_of(line, "worst");
  check_trace_options(line);
  std::optional<OutputFile> trace_file;
  if (const auto path = line.find("trace")) trace_file.emplace(*path);
  const std::vector<TimeWindow> windows = trace_windows(line, scenario);
  std::optional<TraceFile> trace;
  if (trace_file) trace.emplace(trace_file->stream(), scenario, windows, timeline_limit(line));
  std::optional<ElapsedProgress> progress(std::in_place, "running");
  const models::Result result = simulate(scenario, engine_options_of(line), trace ? &*trace : nullptr);
  progress.reset();
  print_folded(heading(scenario) + "\n" + run_report(scenario, result));
  if (worst) print_folded("\n" + autopsy(result, *worst));
  const std::vector<ExpectationCheck> checks =
      check_expectations(file.expectations, {scenario.policies.front().name}, {{result}});
  if (trace_file) {
    trace_file->commit();
    warn_of_empty_window(line, result.sim_time);
    tell_left_out(trace->left_out_from(), result.sim_time, "--trace-window FROM..TO and --trace-worst N show");
  }
  if (json) json->commit(json_of(scenario, result, checks).dump(2) + "\n");
  if (hgrm) hgrm->commit(hgrm_files(Comparison(scenario, {{result}}), result.seed));
  return report_expectations(checks);
}

}  // namespace experiments
