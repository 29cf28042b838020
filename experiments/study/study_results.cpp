#include "experiments/study/study_results.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <boost/algorithm/string.hpp>
#include <boost/math/statistics/univariate_statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "experiments/base/csv.h"
#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "models/measure/result.h"

namespace experiments {

namespace {

constexpr const char* kTotal = "total";

// --- reading ------------------------------------------------------------------------------------------------

std::string meta_text(SQLite::Database& database, const std::string& key) {
  SQLite::Statement find(database, "SELECT value FROM meta WHERE key = ?");
  find.bind(1, key);
  return find.executeStep() ? find.getColumn(0).getString() : std::string();
}

Json meta_value(SQLite::Database& database, const std::string& key, const Json& otherwise) {
  const std::string text = meta_text(database, key);
  return text.empty() ? otherwise : Json::parse(text);
}

void read_meta(SQLite::Database& database, StudyResults& results) {
  results.name = meta_text(database, "name");
  results.about = meta_text(database, "about");
  results.axes = meta_value(database, "axes", Json::array()).get<std::vector<std::string>>();
  for (const Json& text : meta_value(database, "measures", Json::array())) {
    if (const auto measure = parse_measure(text.get<std::string>())) results.measures.push_back(*measure);
  }
  results.command = meta_text(database, "command");
  const Json asked = meta_value(database, "study", Json::object());
  if (asked.contains("find")) {
    const Json& find = asked["find"];
    results.find = FindFacts{find.at("axis").get<std::string>(), find.at("where").get<std::string>()};
  }
  if (asked.contains("sensitivity")) {
    const Json& sensitivity = asked["sensitivity"];
    results.sensitivity = SensitivityFacts{sensitivity.at("factors").get<std::vector<std::string>>(),
                                           sensitivity.at("trajectories").get<int>()};
  }
}

void read_points(SQLite::Database& database, StudyResults& results) {
  SQLite::Statement points(database, "SELECT number, labels FROM point ORDER BY number");
  while (points.executeStep()) {
    PointOutcomes point;
    point.number = static_cast<std::size_t>(points.getColumn(0).getInt64());
    for (const Json& label : Json::parse(points.getColumn(1).getString())) {
      point.labels.push_back(label.is_null() ? std::nullopt : std::optional(label.get<std::string>()));
    }
    point.labels.resize(results.axes.size());
    results.points.push_back(std::move(point));
  }
}

using FiguresOfRun = std::map<std::pair<std::string, std::string>, Figures>;

std::map<std::string, FiguresOfRun> read_figures(SQLite::Database& database) {
  std::string columns;
  for (const NamedStatistic& statistic : kStatistics) columns += fmt::format(", {}", statistic.column);
  SQLite::Statement rows(
      database,
      fmt::format("SELECT run, class, phase{} FROM figure WHERE run IN (SELECT run FROM point_run)", columns));
  std::map<std::string, FiguresOfRun> all;
  while (rows.executeStep()) {
    Figures& figures =
        all[rows.getColumn(0).getString()][{rows.getColumn(1).getString(), rows.getColumn(2).getString()}];
    for (std::size_t place = 0; place < figures.size(); ++place) {
      figures[place] = number_of(rows.getColumn(static_cast<int>(place) + 3));
    }
  }
  return all;
}

/// Of the columns key, status, reason, command, seed, wall_ns, outcome, digest, program, result_version, sim_time_ns,
/// from `first` on.
RunOutcome run_in(SQLite::Statement& row, int first) {
  RunOutcome run;
  run.key = column_text(row.getColumn(first));
  run.status = column_text(row.getColumn(first + 1));
  run.reason = column_text(row.getColumn(first + 2));
  run.command = column_text(row.getColumn(first + 3));
  run.seed = static_cast<std::uint64_t>(row.getColumn(first + 4).getInt64());
  run.wall_ns = row.getColumn(first + 5).getInt64();
  run.out_of_memory = column_text(row.getColumn(first + 6)) == to_string(models::Outcome::out_of_memory);
  run.digest = column_text(row.getColumn(first + 7));
  run.version = {column_text(row.getColumn(first + 8)), row.getColumn(first + 9).getInt()};
  run.sim_time_ns = row.getColumn(first + 10).getInt64();
  return run;
}

void read_runs(SQLite::Database& database, StudyResults& results) {
  const auto figures = read_figures(database);
  SQLite::Statement rows(
      database,
      "SELECT point, policy_order, point_run.policy, replication, key, status, reason, command, seed, wall_ns, "
      "outcome, "
      "digest, program, result_version, fact.value FROM point_run LEFT JOIN run ON run.key = point_run.run "
      "LEFT JOIN fact ON fact.run = point_run.run AND fact.name = 'sim_time_ns' "
      "ORDER BY point, policy_order, replication");
  while (rows.executeStep()) {
    const auto number = static_cast<std::size_t>(rows.getColumn(0).getInt64());
    const auto order = static_cast<std::size_t>(rows.getColumn(1).getInt64());
    if (number >= results.points.size()) continue;
    auto& policies = results.points[number].policies;
    if (policies.size() <= order) policies.resize(order + 1);
    policies[order].policy = rows.getColumn(2).getString();
    RunOutcome& run = policies[order].replications[rows.getColumn(3).getInt()];
    run = run_in(rows, 4);
    const auto found = figures.find(run.key);
    if (found != figures.end()) run.figures = found->second;
  }
}

template <typename Take>
void for_each_run(const StudyResults& results, Take take) {
  for (const PointOutcomes& point : results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      for (const auto& [replication, run] : policy.replications) take(run);
    }
  }
}

// --- tables -------------------------------------------------------------------------------------------------

using Time = std::chrono::duration<double, std::nano>;

std::string show(const Measure& measure, double amount) {
  return measure.statistic == "count" ? fmt::format("{:.0f}", amount) : human(Time(amount));
}

std::string cell(const PolicyOutcomes& policy, const Measure& measure) {
  const std::vector<double> values = policy.values(measure);
  if (values.empty()) return "-";
  const auto interval = mean_interval(values);
  if (!interval) return show(measure, values.front());
  return fmt::format("{} [{}, {}]", show(measure, interval->mean), show(measure, std::max(0.0, interval->low)),
                     show(measure, interval->high));
}

std::string difference_text(const Measure& measure, const Interval& interval) {
  const std::string range = fmt::format("{} [{}, {}]", show(measure, interval.mean), show(measure, interval.low),
                                        show(measure, interval.high));
  return shows_difference(interval) ? range : range + "  no difference shown";
}

/// The rows of one point, each as its columns.
void add_point_rows(const PointOutcomes& point, const std::vector<Measure>& measures, std::string& text) {
  std::size_t widest = 0;
  for (const PolicyOutcomes& policy : point.policies) widest = std::max(widest, policy.policy.size());
  for (const Measure& measure : measures) {
    text += fmt::format("  {}\n", to_text(measure));
    for (std::size_t order = 0; order < point.policies.size(); ++order) {
      const PolicyOutcomes& policy = point.policies[order];
      text += fmt::format("    {:<{}}  {:<34}", policy.policy, widest, cell(policy, measure));
      if (const std::size_t left_out = policy.out_of_memory(); left_out > 0) {
        text += fmt::format("  without {} of {} that ran out of memory", left_out, policy.replications.size());
      }
      const auto change = order == 0 ? std::nullopt : difference(point.policies.front(), policy, measure);
      if (change) text += fmt::format("  difference {}", difference_text(measure, *change));
      text.erase(text.find_last_not_of(' ') + 1);
      text += "\n";
    }
  }
}

/// A line or two for each run of the study that `is_meant`, each once, with what `says` says of it.
template <typename IsMeant, typename Says>
std::string list_runs(const StudyResults& results, IsMeant is_meant, Says says) {
  std::string text;
  std::set<std::string> shown;
  for (const PointOutcomes& point : results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      for (const auto& [replication, run] : policy.replications) {
        if (!is_meant(run) || !shown.insert(run.key).second) continue;
        text += fmt::format("  {}, {}, replication {}: {}\n    {}\n", title_of(results, point), policy.policy,
                            replication, says(run), run.command);
      }
    }
  }
  return text;
}

std::string failures_text(const StudyResults& results) {
  const std::string failed = list_runs(
      results, [](const RunOutcome& run) { return run.status == "failed"; },
      [](const RunOutcome& run) { return run.reason; });
  return failed.empty() ? failed : "\nFailed\n" + failed;
}

std::string out_of_memory_text(const StudyResults& results) {
  const std::size_t count = results.count_out_of_memory();
  if (count == 0) return {};
  const std::string runs = list_runs(
      results, [](const RunOutcome& run) { return run.out_of_memory; },
      [](const RunOutcome& run) { return "after " + human(sim::Nanoseconds(run.sim_time_ns)); });
  return fmt::format("\nOUT OF MEMORY: {} run{} ended early, and {} in no figure above\n{}", count,
                     count == 1 ? "" : "s", count == 1 ? "is" : "are", runs);
}

// --- find ---------------------------------------------------------------------------------------------------

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::size_t axis_number(const StudyResults& results, const std::string& axis) {
  const auto found = std::find(results.axes.begin(), results.axes.end(), axis);
  return static_cast<std::size_t>(found - results.axes.begin());
}

/// What has been found along one line, for people and for programs.
Json found_on(const StudyResults& results, const Line& line, std::size_t axis, const Expression& condition) {
  const auto share = [&](std::size_t point) { return share_holding(results.points[point], condition, results); };
  const Bisection bisection =
      bisect(line, [&](std::size_t point) { return holds_for_most(results.points[point], condition, results); });
  Json found = Json::object();
  Json others = Json::object();
  const PointOutcomes& first = results.points[line.front()];
  for (std::size_t each = 0; each < results.axes.size(); ++each) {
    if (each != axis && first.labels[each]) others[results.axes[each]] = *first.labels[each];
  }
  found["at"] = others;
  const auto side = [&](std::size_t point) {
    const double holding = share(point).value_or(0);
    return Json{{"value", results.points[point].labels[axis].value_or("")},
                {"holds", holding > 0.5},
                {"agreeing", std::max(holding, 1 - holding)}};
  };
  if (bisection.bracket) {
    found["bracket"] = {side(bisection.bracket->first), side(bisection.bracket->second)};
  } else if (bisection.next) {
    found["unfinished"] = true;
  } else {
    found["everywhere"] = share(line.front()).value_or(0) > 0.5;
  }
  return found;
}

Json findings(const StudyResults& results) {
  Json all = Json::array();
  const auto condition = parse_expression(results.find->where);
  const std::size_t axis = axis_number(results, results.find->axis);
  if (!condition || axis == results.axes.size()) return all;
  for (const Line& line : lines_of(labels_of(results.points), axis))
    all.push_back(found_on(results, line, axis, *condition));
  return all;
}

std::string side_text(const Json& side) {
  return fmt::format("{} at {} ({} of the replications agree)", side["holds"].get<bool>() ? "yes" : "no",
                     side["value"].get<std::string>(), percent(side["agreeing"].get<double>()));
}

std::string findings_text(const StudyResults& results) {
  const std::string axis = results.find->axis;
  std::string text = fmt::format("\nWhere along {}: {}\n", axis, results.find->where);
  for (const Json& found : findings(results)) {
    std::vector<std::string> at;
    for (const auto& [name, value] : found["at"].items())
      at.push_back(fmt::format("{} {}", name, value.get<std::string>()));
    text += at.empty() ? "  " : fmt::format("  {}: ", boost::algorithm::join(at, ", "));
    if (found.contains("bracket")) {
      text += fmt::format("{}, {}\n", side_text(found["bracket"][0]), side_text(found["bracket"][1]));
    } else if (found.contains("unfinished")) {
      text += "not known yet\n";
    } else {
      text += found["everywhere"].get<bool>() ? "at both ends\n" : "at neither end\n";
    }
  }
  return text;
}

// --- sensitivity --------------------------------------------------------------------------------------------

Json effects_json(const StudyResults& results) {
  Json all = Json::array();
  if (results.points.empty()) return all;
  const auto& policies = results.points.front().policies;
  for (const Measure& measure : results.measures) {
    for (std::size_t policy = 0; policy < policies.size(); ++policy) {
      for (const FactorEffect& effect : rank_factors(results, measure, policy)) {
        all.push_back({{"measure", to_text(measure)},
                       {"policy", policies[policy].policy},
                       {"factor", effect.factor},
                       {"alone_low", effect.alone_low},
                       {"alone_high", effect.alone_high},
                       {"mean_size", effect.mean_size},
                       {"spread", effect.spread}});
      }
    }
  }
  return all;
}

std::string effects_text(const StudyResults& results) {
  std::string text =
      "\nWhat the answer hangs on: 1 means that it doubles when the factor does\n"
      "(size and spread: Morris' mu* and sigma; low, high: the factor alone, below and above its value)\n";
  if (results.points.empty()) return text;
  const auto& policies = results.points.front().policies;
  for (const Measure& measure : results.measures) {
    for (std::size_t policy = 0; policy < policies.size(); ++policy) {
      text += fmt::format("  {}, {}\n    {:<24} {:>7} {:>7} {:>7} {:>7}\n", to_text(measure), policies[policy].policy,
                          "factor", "size", "spread", "low", "high");
      for (const FactorEffect& effect : rank_factors(results, measure, policy)) {
        text += fmt::format("    {:<24} {:>7.3f} {:>7.3f} {:>7.3f} {:>7.3f}\n", effect.factor, effect.mean_size,
                            effect.spread, effect.alone_low, effect.alone_high);
      }
    }
  }
  return text;
}

std::optional<double> log_mean(const PointOutcomes& point, const Measure& measure, std::size_t policy) {
  if (policy >= point.policies.size()) return std::nullopt;
  const std::vector<double> values = point.policies[policy].values(measure);
  if (values.empty() || mean_of(values) <= 0) return std::nullopt;
  return std::log(mean_of(values));
}

std::optional<double> elasticity(const PointOutcomes& from, const PointOutcomes& to, std::size_t factor,
                                 const Measure& measure, std::size_t policy) {
  const auto before = log_mean(from, measure, policy);
  const auto after = log_mean(to, measure, policy);
  if (!before || !after) return std::nullopt;
  const double step = std::log(std::stod(*to.labels[factor]) / std::stod(*from.labels[factor]));
  return (*after - *before) / step;
}

/// The only factor in which neighbours of a trajectory differ.
std::optional<std::size_t> changed_factor(const PointOutcomes& from, const PointOutcomes& to) {
  std::optional<std::size_t> changed;
  for (std::size_t factor = 0; factor < from.labels.size(); ++factor) {
    if (from.labels[factor] == to.labels[factor]) continue;
    if (changed) return std::nullopt;
    changed = factor;
  }
  return changed;
}

Json interval_json(const std::optional<Interval>& interval) {
  if (!interval) return nullptr;
  return {{"mean", interval->mean}, {"low", interval->low}, {"high", interval->high}, {"samples", interval->samples}};
}

Json measure_json(const PointOutcomes& point, const PolicyOutcomes& policy, const Measure& measure) {
  const std::vector<double> values = policy.values(measure);
  Json json{{"measure", to_text(measure)},
            {"replications", values.size()},
            {"mean", values.empty() ? Json(nullptr) : Json(mean_of(values))},
            {"interval", interval_json(mean_interval(values))}};
  const auto median = quantile_interval(values, 0.5);
  json["median"] = median ? Json{{"value", median->mean}, {"low", median->low}, {"high", median->high}} : Json(nullptr);
  if (&policy == &point.policies.front()) return json;
  const auto change = difference(point.policies.front(), policy, measure);
  json["difference"] = interval_json(change);
  json["difference_shown"] = change && shows_difference(*change);
  return json;
}

}  // namespace

std::optional<double> PolicyOutcomes::value(const Measure& measure, int replication) const {
  const auto run = replications.find(replication);
  if (run == replications.end() || !run->second.is_whole()) return std::nullopt;
  const auto figures = run->second.figures.find({measure.class_name, measure.phase});
  if (figures == run->second.figures.end()) return std::nullopt;
  const auto figure = figures->second[statistic_place(measure.statistic)];
  return figure ? std::optional(static_cast<double>(*figure)) : std::nullopt;
}

std::vector<double> PolicyOutcomes::values(const Measure& measure) const {
  std::vector<double> values;
  for (const auto& [replication, run] : replications) {
    if (const auto each = value(measure, replication)) values.push_back(*each);
  }
  return values;
}

std::size_t PolicyOutcomes::out_of_memory() const {
  return static_cast<std::size_t>(std::count_if(replications.begin(), replications.end(),
                                                [](const auto& each) { return each.second.out_of_memory; }));
}

const PolicyOutcomes* PointOutcomes::policy(const std::string& name) const {
  const auto found =
      std::find_if(policies.begin(), policies.end(), [&](const PolicyOutcomes& each) { return each.policy == name; });
  return found == policies.end() ? nullptr : &*found;
}

std::size_t StudyResults::count(const std::string& status) const {
  std::set<std::string> keys;
  std::size_t not_begun = 0;
  for_each_run(*this, [&](const RunOutcome& run) {
    if (run.status != status) return;
    run.key.empty() ? static_cast<void>(++not_begun) : static_cast<void>(keys.insert(run.key));
  });
  return keys.size() + not_begun;
}

std::size_t StudyResults::count_out_of_memory() const {
  std::set<std::string> keys;
  for_each_run(*this, [&](const RunOutcome& run) {
    if (run.out_of_memory) keys.insert(run.key);
  });
  return keys.size();
}

std::map<ProgramVersion, std::size_t> StudyResults::versions() const {
  std::map<ProgramVersion, std::set<std::string>> keys;
  for_each_run(*this, [&](const RunOutcome& run) {
    if (run.status == "done") keys[run.version].insert(run.key);
  });
  std::map<ProgramVersion, std::size_t> counts;
  for (const auto& [version, runs] : keys) counts[version] = runs.size();
  return counts;
}

StudyResults read_results(Store& store) {
  return store.with([](SQLite::Database& database) {
    StudyResults results;
    // One view of it all: a sweep may be writing.
    SQLite::Transaction transaction(database);
    try {
      read_meta(database, results);
      read_points(database, results);
      read_runs(database, results);
    } catch (const Json::exception& error) {
      throw InputError({{database.getFilename(), 0, 0, "", fmt::format("damaged in itself: {}", in_words(error))}});
    }
    transaction.commit();
    return results;
  });
}

std::vector<Measure> shown_measures(const StudyResults& results) {
  if (!results.measures.empty()) return results.measures;
  std::set<std::string> classes;
  for (const PointOutcomes& point : results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      for (const auto& [replication, run] : policy.replications) {
        for (const auto& [where, figures] : run.figures) {
          const bool competes = where.second == kTotal && figures[0].value_or(0) > 0;
          if (competes) classes.insert(where.first);
        }
      }
    }
  }
  std::vector<Measure> measures;
  measures.reserve(classes.size());
  for (const std::string& name : classes) measures.push_back({"p99", name, kTotal, ""});
  return measures;
}

std::string title_of(const StudyResults& results, const PointOutcomes& point) {
  std::vector<std::string> parts;
  for (std::size_t axis = 0; axis < results.axes.size() && axis < point.labels.size(); ++axis) {
    if (point.labels[axis]) parts.push_back(fmt::format("{} {}", results.axes[axis], *point.labels[axis]));
  }
  return parts.empty() ? std::string("the scenario as it is") : boost::algorithm::join(parts, ", ");
}

std::optional<Interval> difference(const PolicyOutcomes& first, const PolicyOutcomes& other, const Measure& measure) {
  std::vector<double> before;
  std::vector<double> after;
  for (const auto& [replication, run] : first.replications) {
    const auto a = first.value(measure, replication);
    const auto b = other.value(measure, replication);
    if (!a || !b) continue;
    before.push_back(*a);
    after.push_back(*b);
  }
  return paired_difference(before, after);
}

std::string to_text(const StudyResults& results) {
  std::string text = fmt::format("{}\n{}{}", results.name, results.about, results.about.empty() ? "" : "\n");
  const bool of_factors = results.sensitivity.has_value();
  const std::vector<Measure> measures = shown_measures(results);
  for (const PointOutcomes& point : results.points) {
    const bool any = std::any_of(point.policies.begin(), point.policies.end(), [](const PolicyOutcomes& policy) {
      return std::any_of(policy.replications.begin(), policy.replications.end(),
                         [](const auto& each) { return each.second.status == "done"; });
    });
    if (!any || (of_factors && point.number > 0)) continue;
    text += fmt::format("\n{}\n", of_factors ? "the scenario as it is" : title_of(results, point));
    add_point_rows(point, measures, text);
  }
  return text + study_findings_text(results) + failures_text(results) + out_of_memory_text(results);
}

std::string study_findings_text(const StudyResults& results) {
  std::string text;
  if (results.find) text += findings_text(results);
  if (results.sensitivity) text += effects_text(results);
  return text;
}

std::string to_csv(const StudyResults& results) {
  std::string text = "point";
  for (const std::string& axis : results.axes) text += "," + csv_field(axis);
  text += ",policy,replication,seed,status,class,phase";
  for (const NamedStatistic& statistic : kStatistics) text += fmt::format(",{}", statistic.column);
  text += "\n";
  for (const PointOutcomes& point : results.points) {
    std::string labels = fmt::format("{}", point.number);
    for (const auto& label : point.labels) labels += "," + csv_field(label.value_or(""));
    for (const PolicyOutcomes& policy : point.policies) {
      for (const auto& [replication, run] : policy.replications) {
        const std::string head = fmt::format("{},{},{},{},{}", labels, csv_field(policy.policy), replication, run.seed,
                                             run.out_of_memory ? "out_of_memory" : run.status);
        if (run.status == "failed") text += head + ",,,,,,,,,,\n";
        if (run.status != "done") continue;
        for (const auto& [where, figures] : run.figures) {
          text += fmt::format("{},{},{}", head, csv_field(where.first), where.second);
          for (const auto& figure : figures) text += figure ? fmt::format(",{}", *figure) : ",";
          text += "\n";
        }
      }
    }
  }
  return text;
}

Json to_json(const StudyResults& results) {
  Json json{{"schema", "mlocksim/1"}, {"study", results.name}, {"axes", results.axes}};
  Json& points = json["points"] = Json::array();
  const std::vector<Measure> measures = shown_measures(results);
  for (const PointOutcomes& point : results.points) {
    if (point.policies.empty()) continue;
    Json each{{"point", point.number}};
    for (std::size_t axis = 0; axis < results.axes.size(); ++axis) {
      each["values"][results.axes[axis]] = point.labels[axis] ? Json(*point.labels[axis]) : Json(nullptr);
    }
    Json& policies = each["policies"] = Json::array();
    for (const PolicyOutcomes& policy : point.policies) {
      Json of_policy{{"policy", policy.policy}, {"measures", Json::array()}};
      if (const std::size_t left_out = policy.out_of_memory(); left_out > 0) of_policy["out_of_memory"] = left_out;
      for (const Measure& measure : measures) of_policy["measures"].push_back(measure_json(point, policy, measure));
      policies.push_back(std::move(of_policy));
    }
    points.push_back(std::move(each));
  }
  if (results.find) json["find"] = findings(results);
  if (results.sensitivity) json["sensitivity"] = effects_json(results);
  return json;
}

std::vector<Line> lines_of(const std::vector<Labels>& labels, std::size_t axis) {
  std::vector<Line> lines;
  std::map<std::vector<std::optional<std::string>>, std::size_t> known;
  for (std::size_t point = 0; point < labels.size(); ++point) {
    auto others = labels[point];
    others[axis].reset();
    const auto [place, fresh] = known.emplace(others, lines.size());
    if (fresh) lines.emplace_back();
    lines[place->second].push_back(point);
  }
  return lines;
}

std::optional<double> share_holding(const PointOutcomes& point, const Expression& condition,
                                    const StudyResults& results) {
  std::set<int> replications;
  for (const PolicyOutcomes& policy : point.policies) {
    for (const auto& [replication, run] : policy.replications) {
      if (run.is_whole()) replications.insert(replication);
    }
  }
  std::size_t counted = 0;
  std::size_t holding = 0;
  for (const int replication : replications) {
    bool complete = true;
    Surroundings surroundings;
    surroundings.is_axis = [&](const std::string& name) { return axis_number(results, name) < results.axes.size(); };
    surroundings.name = [&](const std::string& name) -> std::optional<Value> {
      const auto& label = point.labels[axis_number(results, name)];
      return label ? std::optional(value_of(*label)) : std::nullopt;
    };
    surroundings.measure = [&](const Measure& measure) -> std::optional<double> {
      const PolicyOutcomes* const policy = point.policy(measure.policy);
      const auto run =
          policy == nullptr ? std::map<int, RunOutcome>::const_iterator{} : policy->replications.find(replication);
      complete = complete && policy != nullptr && run != policy->replications.end() && run->second.is_whole();
      return complete ? policy->value(measure, replication) : std::nullopt;
    };
    const auto truth = holds(condition, surroundings);
    if (!complete || !truth) continue;
    ++counted;
    if (*truth) ++holding;
  }
  if (counted == 0) return std::nullopt;
  return static_cast<double>(holding) / static_cast<double>(counted);
}

std::optional<bool> holds_for_most(const PointOutcomes& point, const Expression& condition,
                                   const StudyResults& results) {
  const auto share = share_holding(point, condition, results);
  return share ? std::optional(*share > 0.5) : std::nullopt;
}

Bisection bisect(const Line& line, const std::function<std::optional<bool>(std::size_t)>& holds) {
  Bisection bisection;
  const auto ask = [&](std::size_t place) {
    bisection.asked.push_back(line[place]);
    const auto answer = holds(line[place]);
    if (!answer) bisection.next = line[place];
    return answer;
  };
  std::size_t low = 0;
  std::size_t high = line.size() - 1;
  const auto at_low = ask(low);
  if (!at_low || high == low) return bisection;
  const auto at_high = ask(high);
  if (!at_high || *at_high == *at_low) return bisection;
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    const auto answer = ask(middle);
    if (!answer) return bisection;
    (*answer == *at_low ? low : high) = middle;
  }
  bisection.bracket = {line[low], line[high]};
  return bisection;
}

std::vector<FactorEffect> rank_factors(const StudyResults& results, const Measure& measure, std::size_t policy) {
  std::vector<FactorEffect> effects;
  const std::size_t factors = results.axes.size();
  const std::size_t first_trajectory = 1 + 2 * factors;
  if (results.points.size() < first_trajectory) return effects;
  const PointOutcomes& base = results.points.front();
  std::vector<std::vector<double>> elementary(factors);
  for (std::size_t point = first_trajectory; point + 1 < results.points.size(); ++point) {
    // The last point of a trajectory and the first one of the next are no neighbours.
    if ((point - first_trajectory) % (factors + 1) == factors) continue;
    const auto factor = changed_factor(results.points[point], results.points[point + 1]);
    if (!factor) continue;
    const auto effect = elasticity(results.points[point], results.points[point + 1], *factor, measure, policy);
    if (effect) elementary[*factor].push_back(*effect);
  }
  for (std::size_t factor = 0; factor < factors; ++factor) {
    FactorEffect effect;
    effect.factor = results.axes[factor];
    effect.alone_low = elasticity(base, results.points[1 + 2 * factor], factor, measure, policy).value_or(0);
    effect.alone_high = elasticity(base, results.points[2 + 2 * factor], factor, measure, policy).value_or(0);
    std::vector<double> sizes;
    for (const double each : elementary[factor]) sizes.push_back(std::abs(each));
    if (!sizes.empty()) effect.mean_size = mean_of(sizes);
    if (sizes.size() > 1) {
      effect.spread =
          std::sqrt(boost::math::statistics::sample_variance(elementary[factor].begin(), elementary[factor].end()));
    }
    effects.push_back(std::move(effect));
  }
  std::stable_sort(effects.begin(), effects.end(),
                   [](const FactorEffect& a, const FactorEffect& b) { return a.mean_size > b.mean_size; });
  return effects;
}

}  // namespace experiments
