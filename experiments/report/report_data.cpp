#include "experiments/report/report_data.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <boost/algorithm/string/replace.hpp>

#include <algorithm>
#include <fstream>
#include <set>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "experiments/base/statistic_list.h"
#include "experiments/run/result_json.h"
#include "experiments/run/result_pack.h"
#include "experiments/scenario/resolved_scenario.h"
#include "models/measure/blame.h"

namespace experiments {

namespace {

InputError refusal(const std::filesystem::path& file, const std::string& message) {
  return InputError({{file.string(), 0, 0, "", message}});
}

// --- a store --------------------------------------------------------------------------------------------------

RunDetails details_in(Store& store, const std::string& run) {
  const auto bytes = store.with([&](SQLite::Database& database) {
    SQLite::Statement find(database, "SELECT result FROM run WHERE key = ? AND result IS NOT NULL");
    find.bind(1, run);
    if (!find.executeStep()) return ProcessPool::Bytes{};
    const SQLite::Column column = find.getColumn(0);
    const auto* const first = static_cast<const std::uint8_t*>(column.getBlob());
    return ProcessPool::Bytes(first, first + column.getBytes());
  });
  RunDetails details;
  if (bytes.empty()) return details;
  try {
    const models::Result result = unpack(bytes);
    details.result = to_json(result);
    details.result["engine"].erase("wall_ns");
    details.distributions = distributions_of(result);
  } catch (const Json::exception& error) {
    throw refusal("study.sqlite", fmt::format("the result of run {} is damaged: {}", run, in_words(error)));
  }
  return details;
}

std::string resolved_in(Store& store, const RunOutcome& run) {
  return store.with([&](SQLite::Database& database) {
    SQLite::Statement find(database, "SELECT yaml FROM scenario WHERE key = ?");
    find.bind(1, run.digest);
    return find.executeStep() ? find.getColumn(0).getString() : std::string();
  });
}

ReportData data_of_study(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "study.sqlite")) {
    throw refusal(folder, "there is no study in this folder: `mlocksim sweep STUDY -o DIR` makes one");
  }
  const auto store = std::make_shared<Store>(folder, Store::Mode::read);
  ReportData data;
  data.results = read_results(*store);
  data.details = [store](const std::string& run) { return details_in(*store, run); };
  data.resolved = [store](const RunOutcome& run) { return resolved_in(*store, run); };
  return data;
}

// --- a comparison -----------------------------------------------------------------------------------------------

Figures figures_of(const Json& latencies) {
  Figures figures;
  for (std::size_t place = 0; place < figures.size(); ++place) {
    const auto found = latencies.find(std::string(kStatistics[place].column));
    if (found != latencies.end() && found->is_number()) figures[place] = found->get<std::int64_t>();
  }
  return figures;
}

ProgramVersion version_of(const Json& comparison) {
  const auto version = comparison.find("version");
  if (version == comparison.end()) return {};
  return {version->at("program").get<std::string>(), version->at("result").get<int>()};
}

RunOutcome outcome_of(const Json& result, std::string key, std::string command) {
  RunOutcome run;
  run.key = std::move(key);
  run.status = "done";
  run.command = std::move(command);
  run.seed = result.at("seed").get<std::uint64_t>();
  run.out_of_memory = result.value("outcome", "") == to_string(models::Outcome::out_of_memory);
  run.sim_time_ns = result.value("sim_time_ns", std::int64_t{0});
  for (const auto& [name, figures] : result.at("classes").items()) {
    run.figures[{name, "total"}] = figures_of(figures.at("total"));
    for (const auto& [phase, latencies] : figures.at("during").items()) {
      run.figures[{name, phase}] = figures_of(latencies);
    }
  }
  return run;
}

void add_run(StudyResults& results, const std::string& policy, RunOutcome run) {
  auto& policies = results.points.front().policies;
  auto place = std::find_if(policies.begin(), policies.end(), [&](const auto& each) { return each.policy == policy; });
  if (place == policies.end()) place = policies.insert(place, {policy, {}});
  place->replications[static_cast<int>(place->replications.size())] = std::move(run);
}

/// Said with what is wrong in words: the library's own name what it calls things.
Json comparison_in(const std::filesystem::path& file) {
  const auto refuse = [&](const std::string& why) {
    return refusal(file, fmt::format("expected a file that `mlocksim compare --json` has written: {}", why));
  };
  Json json = Json::parse(std::ifstream(file), nullptr, false);
  if (json.is_discarded()) throw refuse("this is no JSON, or not all of it");
  if (!json.is_object()) throw refuse("this is no object");
  const auto runs = json.find("runs");
  if (runs == json.end() && json.contains("classes")) throw refuse("this is one of `mlocksim run --json`");
  if (runs == json.end() || !runs->is_array() || runs->empty()) throw refuse("it has no `runs`");
  return json;
}

/// That on top of the page first: of the unlock path, which the patch left open; or else one that has figures.
std::vector<PolicyAnswer> answers_in(const Json& comparison) {
  std::vector<PolicyAnswer> answers;
  for (const Json& each : comparison.value("answers", Json::array())) answers.push_back(answer_from(each));
  const auto rank = [](const PolicyAnswer& answer) {
    return answer.effects.empty() ? 2 : answer.call == models::Phase::munlock ? 0 : 1;
  };
  std::stable_sort(answers.begin(), answers.end(),
                   [&](const PolicyAnswer& a, const PolicyAnswer& b) { return rank(a) < rank(b); });
  return answers;
}

/// What the verdict compares; of one policy, or where there is no verdict, nothing.
std::vector<Measure> measures_of(const std::vector<PolicyAnswer>& answers) {
  std::vector<Measure> measures;
  for (const PolicyAnswer& answer : answers) {
    for (const ClassEffect& effect : answer.effects) {
      if (std::find(measures.begin(), measures.end(), effect.measure) == measures.end()) {
        measures.push_back(effect.measure);
      }
    }
  }
  return measures;
}

ReportData data_of_comparison(const std::filesystem::path& file) {
  ReportData data;
  data.is_study = false;
  data.keeps_distributions = false;
  const auto runs = std::make_shared<std::map<std::string, RunDetails>>();
  const auto resolved = std::make_shared<std::map<std::string, std::string>>();  // by policy
  try {
    const Json json = comparison_in(file);
    data.results.name = json.at("scenario").get<std::string>();
    data.results.about = json.value("about", "");
    data.results.command = json.value("command", "");
    data.results.points.resize(1);
    const ProgramVersion version = version_of(json);
    for (const Json& each : json.at("runs")) {
      const auto policy = each.at("policy").get<std::string>();
      const std::string key = fmt::format("{} {}", policy, each.at("seed").get<std::uint64_t>());
      const std::size_t place = runs->size();
      RunDetails& details = (*runs)[key];
      details.result = each;
      details.result["engine"].erase("wall_ns");
      if (json.contains("distributions")) details.distributions = distributions_from(json["distributions"].at(place));
      data.keeps_distributions = data.keeps_distributions || !details.distributions.empty();
      const std::string command =
          json.contains("commands") ? json["commands"].at(place).get<std::string>() : std::string();
      RunOutcome run = outcome_of(each, key, command);
      run.version = version;
      run.digest = policy;
      add_run(data.results, policy, std::move(run));
    }
    data.answers = answers_in(json);
    data.results.measures = measures_of(data.answers);
    if (json.contains("resolved")) *resolved = json["resolved"].get<std::map<std::string, std::string>>();
  } catch (const Json::exception& error) {
    throw refusal(file,
                  "this is no file of `mlocksim compare --json`, or it has been changed since: " + in_words(error));
  }
  for (const PolicyAnswer& answer : data.answers) {
    for (const std::string& policy : {answer.before, answer.after}) {
      if (data.results.points.front().policy(policy) == nullptr) {
        throw refusal(file, fmt::format("it has an answer on {}, and no run of it", policy));
      }
    }
  }
  data.details = [runs](const std::string& run) { return runs->at(run); };
  data.resolved = [resolved](const RunOutcome& run) {
    const auto found = resolved->find(run.digest);
    return found == resolved->end() ? std::string() : found->second;
  };
  return data;
}

// --- both -------------------------------------------------------------------------------------------------------

std::vector<std::string> policies_of(const StudyResults& results) {
  std::vector<std::string> names;
  for (const PointOutcomes& point : results.points) {
    for (const PolicyOutcomes& each : point.policies) {
      if (std::find(names.begin(), names.end(), each.policy) == names.end()) names.push_back(each.policy);
    }
  }
  return names;
}

/// The policies' rules, each from the first of its runs.
std::map<std::string, models::Policy> rules_of(const ReportData& data) {
  std::map<std::string, models::Policy> rules;
  std::set<std::string> tried;
  for (const PointOutcomes& point : data.results.points) {
    for (const PolicyOutcomes& each : point.policies) {
      for (const auto& [replication, run] : each.replications) {
        if (run.key.empty() || !tried.insert(each.policy).second) continue;
        const auto scenario = scenario_of(data, run);
        if (scenario) rules[each.policy] = scenario->policies.front();
      }
    }
  }
  return rules;
}

std::string why_nothing(const StudyResults& results) {
  const std::size_t failed = results.count("failed");
  const std::size_t short_of_memory = results.count_out_of_memory();
  if (failed + short_of_memory == 0) return "no run of this study has ended yet: `mlocksim sweep` goes on with it";
  const std::string also = short_of_memory == 0 ? "" : fmt::format(", {} ran out of memory", short_of_memory);
  return fmt::format("no run of this study has succeeded, {} failed{}: `mlocksim results` tells why", failed, also);
}

std::string quoted(const std::string& text) { return fmt::format("'{}'", boost::replace_all_copy(text, "'", "''")); }

std::string column_of(const Measure& measure) { return std::string(find_statistic(measure.statistic)->column); }

std::string of_class(const std::string& table, const Measure& measure) {
  return fmt::format("{0}class={1} AND {0}phase={2}", table, quoted(measure.class_name), quoted(measure.phase));
}

}  // namespace

std::vector<std::string> ReportData::runs(std::size_t point, const std::string& policy) const {
  std::vector<std::string> keys;
  const PolicyOutcomes* const outcomes = results.points.at(point).policy(policy);
  if (outcomes == nullptr) return keys;
  for (const auto& [replication, run] : outcomes->replications) {
    if (run.is_whole()) keys.push_back(run.key);
  }
  return keys;
}

std::size_t ReportData::count_runs() const { return results.count("done") - results.count_out_of_memory(); }

Expected<models::Scenario> scenario_of(const ReportData& data, const RunOutcome& run) {
  const std::string yaml = data.resolved(run);
  if (yaml.empty()) return Refusal{"what it ran is not kept with it"};
  try {
    models::Scenario scenario = read_resolved(yaml, "the scenario of run " + run.key);
    scenario.seed = run.seed;
    return scenario;
  } catch (const InputError& error) {
    return Refusal{error.what()};
  }
}

ReportData read_report_data(const std::filesystem::path& input) {
  if (!std::filesystem::exists(input)) throw refusal(input, "there is no such folder or file");
  ReportData data = std::filesystem::is_directory(input) ? data_of_study(input) : data_of_comparison(input);
  if (data.count_runs() == 0) {
    throw refusal(input, why_nothing(data.results));
  }
  data.measures = shown_measures(data.results);
  data.policies = policies_of(data.results);
  data.rules = rules_of(data);
  return data;
}

std::string query_of(const ReportData& data, std::size_t point, const std::string& policy, const Measure& measure) {
  if (!data.is_study) return {};
  const std::string column = column_of(measure);
  return fmt::format("SELECT {0} FROM latency WHERE point={1} AND policy={2} AND {3} AND {0} IS NOT NULL", column,
                     point, quoted(policy), of_class("", measure));
}

std::string query_of_all_pairs(const ReportData& data, const std::string& before, const std::string& after,
                               const Measure& measure) {
  if (!data.is_study) return {};
  const std::string column = column_of(measure);
  return fmt::format(
      "SELECT a.point, a.{0}, b.{0} FROM latency a JOIN latency b USING (point, replication, class, phase) "
      "WHERE a.policy={1} AND b.policy={2} AND {3} AND a.{0} IS NOT NULL AND b.{0} IS NOT NULL",
      column, quoted(before), quoted(after), of_class("a.", measure));
}

std::string query_of_pairs(const ReportData& data, std::size_t point, const std::string& before,
                           const std::string& after, const Measure& measure) {
  if (!data.is_study) return {};
  return fmt::format("{} AND a.point={}", query_of_all_pairs(data, before, after, measure), point);
}

std::string query_of_fact(const ReportData& data, std::size_t point, const std::string& policy,
                          const std::string& name) {
  if (!data.is_study) return {};
  return fmt::format(
      "SELECT value FROM point_run JOIN run ON run.key = point_run.run AND outcome = 'completed' "
      "JOIN fact ON fact.run = run.key WHERE point={} AND point_run.policy={} AND name={}",
      point, quoted(policy), quoted(name));
}

std::string query_of_run(const ReportData& data, const std::string& run, const std::string& name) {
  if (!data.is_study) return {};
  return fmt::format("SELECT value FROM fact WHERE run={} AND name={}", quoted(run), quoted(name));
}

std::string query_of_tail_blame(const ReportData& data, std::size_t point, const std::string& policy,
                                const std::string& class_name, const std::string& phase) {
  if (!data.is_study) return {};
  std::string sum;
  for (std::size_t cause = 0; cause < models::kCauseCount; ++cause) {
    if (static_cast<models::Cause>(cause) == models::Cause::sleep) continue;
    sum += fmt::format("{}ifnull(json_extract(tail_blame, '$.{}'), 0)", sum.empty() ? "" : " + ",
                       to_string(static_cast<models::Cause>(cause)));
  }
  return fmt::format(
      "SELECT json_extract(tail_blame, '$.lock_wait'), {} FROM latency WHERE point={} AND policy={} AND class={} AND "
      "phase={} AND tail_blame IS NOT NULL",
      sum, point, quoted(policy), quoted(class_name), quoted(phase));
}

std::string time_text(double nanoseconds) {
  std::string text = human(std::chrono::duration<double, std::nano>(nanoseconds));
  boost::replace_all(text, " us", " µs");
  return boost::replace_all_copy(text, " ", "\u00a0");
}

std::string amount_text(const Measure& measure, double amount) {
  return measure.statistic == "count" ? fmt::format("{:.0f}", amount) : time_text(amount);
}

std::string measure_text(const Measure& measure) {
  const std::string due = measure.phase == "total" ? "" : " due during " + measure.phase;
  if (measure.statistic == "max") return fmt::format("the longest {} request{}", measure.class_name, due);
  if (measure.statistic == "mean") return fmt::format("the mean {} request{}", measure.class_name, due);
  if (measure.statistic == "count") return fmt::format("the number of {} requests{}", measure.class_name, due);
  std::string percentile = measure.statistic;
  if (percentile.size() > 3) percentile.insert(3, ".");  // p99.9
  return fmt::format("{} of {} requests{}", percentile, measure.class_name, due);
}

std::string counted(std::size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace experiments
