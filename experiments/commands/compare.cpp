#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/algorithm/string/trim.hpp>
#include <nlohmann/json.hpp>

#include <cassert>
#include <chrono>
#include <filesystem>
#include <optional>

#include "experiments/base/command_line.h"
#include "experiments/base/installation.h"
#include "experiments/base/output_file.h"
#include "experiments/base/shell.h"
#include "experiments/base/statistics.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/scenario_options.h"
#include "experiments/compare/comparison.h"
#include "experiments/compare/hgrm_file.h"
#include "experiments/compare/policy_answer.h"
#include "experiments/compare/run_report.h"
#include "experiments/compare/stalls.h"
#include "experiments/compare/verdict.h"
#include "experiments/run/coarse_histogram.h"
#include "experiments/run/execute.h"
#include "experiments/run/result_json.h"
#include "experiments/scenario/resolved_scenario.h"

namespace experiments {

namespace {

std::vector<std::string> policies_of(const CommandLine& line) {
  std::vector<std::string> names;
  if (const auto list = line.find("policies")) boost::split(names, *list, boost::is_any_of(","));
  for (std::string& name : names) boost::trim(name);
  return names;
}

std::vector<Job> plan(const models::Scenario& scenario, int replications) {
  std::vector<Job> jobs;
  for (const models::Policy& policy : scenario.policies) {
    for (int replication = 0; replication < replications; ++replication) {
      jobs.push_back({&scenario, &policy, scenario.seed + static_cast<std::uint64_t>(replication)});
    }
  }
  return jobs;
}

/// The policies of a comparison, each as `run --policy` takes it.
std::vector<std::string> policy_arguments(const CommandLine& line, [[maybe_unused]] const models::Scenario& scenario) {
  const RunSpec run = run_of(line);
  const YamlNode tree = tree_of(run);
  const std::filesystem::path folder = find_scenario(run.scenario).parent_path();
  std::vector<std::string> arguments;
  for (const YamlNode& policy : policies_of(tree, policies_of(line), folder)) {
    arguments.push_back(policy_argument(policy, tree, folder));
  }
  assert(arguments.size() == scenario.policies.size());
  return arguments;
}

/// By policy: what was run, as a file that needs no other.
Json resolved_of(const CommandLine& line, const models::Scenario& scenario) {
  const RunSpec run = run_of(line);
  const std::filesystem::path folder = find_scenario(run.scenario).parent_path();
  const YamlNode tree = tree_of(run);
  const ResolvedScenario resolved =
      Resolver().resolve(with_policies(tree, policies_of(tree, policies_of(line), folder)), folder);
  Json files = Json::object();
  for (std::size_t policy = 0; policy < scenario.policies.size(); ++policy) {
    files[scenario.policies[policy].name] = to_yaml(resolved, policy);
  }
  return files;
}

/// The run of that policy and seed.
std::string command_of(const CommandLine& line, const std::string& policy, std::uint64_t seed) {
  RunSpec run = run_of(line);
  run.policy = policy;
  run.seed = seed;
  return to_command(run);
}

// Policy by policy; throws with the way to reproduce it if a run failed.
std::vector<std::vector<models::Result>> collect(const std::vector<Job>& jobs, std::vector<JobOutcome> outcomes,
                                                 const std::vector<std::string>& policies, const CommandLine& line) {
  std::vector<std::vector<models::Result>> results(policies.size());
  const std::size_t replications = jobs.size() / policies.size();
  for (std::size_t job = 0; job < jobs.size(); ++job) {
    if (const auto* failure = std::get_if<Failure>(&outcomes[job])) {
      throw std::runtime_error(fmt::format("a run failed: {}\nto see it alone: {}", failure->reason,
                                           command_of(line, policies[job / replications], jobs[job].seed)));
    }
    results[job / replications].push_back(std::get<models::Result>(std::move(outcomes[job])));
  }
  return results;
}

/// The command line again, as a shell takes it.
std::string command_of(const CommandLine& line) {
  std::string text = "mlocksim compare " + shell_word(line.first());
  for (const std::string& set : line.all("set")) text += " --set " + shell_word(set);
  for (const char* const option : {"policies", "seed"}) {
    if (const auto value = line.find(option)) text += fmt::format(" --{} {}", option, shell_word(*value));
  }
  return fmt::format("{} --reps {}", text, positive(line, "reps", kMostReplications));
}

/// What `report` needs of the runs besides their results: the commands that repeat them, and their distributions.
Json json_of(const Comparison& comparison, const CommandLine& line, const std::vector<std::string>& policies) {
  Json json{{"schema", "mlocksim/1"},
            {"scenario", comparison.scenario().name},
            {"about", comparison.scenario().about},
            {"command", command_of(line)},
            {"machine", to_json(comparison.scenario().machine)},
            {"version", {{"program", program_version()}, {"result", kResultVersion}}},
            {"resolved", resolved_of(line, comparison.scenario())}};
  Json runs = Json::array();
  Json commands = Json::array();
  Json distributions = Json::array();
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    for (const models::Result& result : comparison.results(policy)) {
      runs.push_back(to_json(result));
      commands.push_back(command_of(line, policies[policy], result.seed));
      distributions.push_back(to_json(distributions_of(result)));
    }
  }
  json["runs"] = std::move(runs);
  json["commands"] = std::move(commands);
  json["distributions"] = std::move(distributions);
  Json answers = Json::array();
  for (const PolicyAnswer& answer : answers_of(comparison)) answers.push_back(to_json(answer));
  json["answers"] = std::move(answers);
  json["verdict"] = verdict(comparison, page_width());
  return json;
}

void print(const Comparison& comparison, std::chrono::duration<double> wall) {
  std::string text = fmt::format("{}\n{}{}\n", heading(comparison.scenario()), hidden_stalls(comparison),
                                 table(comparison, page_width()));
  if (const std::string blame = blame_lines(comparison); !blame.empty()) {
    text += fmt::format("{}\n{}\n", bold("What the slowest spend their time on"), blame);
  }
  if (const std::string differences = difference_table(comparison); !differences.empty()) {
    text += fmt::format("{}\n{}\n",
                        bold(fmt::format("Differences from {}: mean over {} seeds [95 % confidence]",
                                         comparison.policy(0).name, comparison.replications())),
                        differences);
  }
  const std::size_t runs = comparison.policies() * comparison.replications();
  print_folded(text + fmt::format("{}\n{}\n{} run{} in {:.1f} s.\n", bold("Verdict"), verdict(comparison, page_width()),
                                  runs, runs == 1 ? "" : "s", wall.count()));
}

std::vector<ExpectationCheck> check(const std::vector<Expectation>& expectations, const Comparison& comparison) {
  std::vector<std::string> policies;
  std::vector<std::vector<models::Result>> results;
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    policies.push_back(comparison.policy(policy).name);
    results.push_back(comparison.results(policy));
  }
  return check_expectations(expectations, policies, results);
}

}  // namespace

int command_compare(const Arguments& arguments) {
  CommandLine line(
      "compare SCENARIO [OPTION]...",
      "Runs a scenario under several policies on common random numbers (same seed: same demands at the same\n"
      "times) and prints them side by side, with a verdict that follows from the numbers.",
      "SCENARIO", 1);
  line.text("policies", "A,B,C", "policies by name or file, or `all`; by default the scenario's");
  line.number("reps", "N", "replications: seeds N, N+1, ...; two or more give confidence intervals", 1);
  add_jobs_option(line);
  line.text("json", "FILE", "write all results as JSON");
  line.text("hgrm", "DIR", "write every latency distribution, over all replications, for HdrHistogram's tools");
  add_scenario_options(line);
  if (!line.parse(arguments)) return kOk;

  const int replications = positive(line, "reps", kMostReplications);
  const int workers = jobs_of(line);
  const RunSpec run = run_of(line);
  const ScenarioFile read = read_scenario_file(find_scenario(run.scenario), {run.sets, run.seed, policies_of(line)});
  const models::Scenario& scenario = read.scenario;
  const std::vector<std::string> policies = policy_arguments(line, scenario);
  std::optional<OutputFile> json;
  if (const auto path = line.find("json")) json.emplace(*path);
  std::optional<OutputFolder> hgrm;
  if (const auto path = line.find("hgrm")) hgrm.emplace(*path);

  const auto began = std::chrono::steady_clock::now();
  const std::vector<Job> jobs = plan(scenario, replications);
  std::optional<RunProgress> progress(std::in_place);
  std::size_t ended = 0;
  const auto show = [&] { progress->show(ended, jobs.size()); };
  auto outcomes = execute(
      jobs, workers, engine_options_of(line),
      [&](std::size_t done) {
        ended = done;
        show();
      },
      show);
  progress.reset();
  const Comparison comparison(scenario, collect(jobs, std::move(outcomes), policies, line));
  print(comparison, std::chrono::steady_clock::now() - began);
  const std::vector<ExpectationCheck> checks = check(read.expectations, comparison);
  Json result = json_of(comparison, line, policies);
  if (!checks.empty()) result["expectations"] = to_json(checks);
  if (json) json->commit(result.dump(2) + "\n");
  if (hgrm) hgrm->commit(hgrm_files(comparison));
  return report_expectations(checks);
}

}  // namespace experiments
