#include "experiments/study/study_plan.h"

#include <fmt/format.h>
#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/config_catalogue.h"
#include "sim/random.h"

namespace experiments {

namespace {

constexpr std::size_t kMostPoints = 1'000'000;

[[noreturn]] void refuse(const Position& at, const std::string& key, const std::string& message) {
  throw InputError({{at.file, at.line, at.column, key, message}});
}

std::vector<std::string> sets_of(const std::vector<Setting>& settings) {
  std::vector<std::string> sets;
  sets.reserve(settings.size());
  for (const Setting& setting : settings) sets.push_back(setting.set);
  return sets;
}

/// Where in the study it was said that the scenario should have what it cannot.
void move_into_study(std::vector<Diagnostic>& diagnostics, const std::vector<Setting>& settings) {
  for (Diagnostic& diagnostic : diagnostics) {
    for (const Setting& setting : settings) {
      if (diagnostic.file != "--set " + setting.set || setting.at.line == 0) continue;
      diagnostic.file = setting.at.file;
      diagnostic.line = setting.at.line;
      diagnostic.column = setting.at.column;
      break;
    }
  }
}

/// What the names in a study's expressions stand for where these values of the axes are chosen. A view of both.
Surroundings surroundings_of(const Study& study, const std::vector<const AxisValue*>& chosen) {
  Surroundings surroundings;
  surroundings.is_axis = [&study](const std::string& name) { return study.axis(name) != nullptr; };
  surroundings.name = [&study, &chosen](const std::string& name) -> std::optional<Value> {
    const AxisValue* const value = chosen[static_cast<std::size_t>(study.axis(name) - study.axes.data())];
    return value == nullptr ? std::nullopt : std::optional(value->value);
  };
  return surroundings;
}

bool leads_into_policies(const Setting& setting) { return setting.set.starts_with("polic"); }

/// `machine.costs.fault` is called `fault`.
std::string last_key(const std::string& path) { return path.substr(path.find_last_of('.') + 1); }

Value scaled_value(Value value, double factor) {
  const bool whole = value.type != ValueType::number || value.amount == std::floor(value.amount);
  value.amount *= factor;
  if (whole) value.amount = std::max(1.0, std::round(value.amount));
  return value;
}

// Morris' design: levels 0, 1/3, 2/3 and 1 of the factor's range on a logarithmic scale, and steps of 2/3.
constexpr int kTopLevel = 3;
constexpr int kLevelStep = 2;

double multiplier(const SensitivitySpec& spec, int level) {
  return spec.low * std::pow(spec.high / spec.low, static_cast<double>(level) / kTopLevel);
}

using Levels = std::vector<double>;

/// The factors' multipliers at each point of the study.
std::vector<Levels> design(const SensitivitySpec& spec, std::uint64_t seed) {
  const std::size_t factors = spec.factors.size();
  std::vector<Levels> points{Levels(factors, 1.0)};
  for (std::size_t factor = 0; factor < factors; ++factor) {
    for (const double end : {spec.low, spec.high}) {
      points.emplace_back(factors, 1.0)[factor] = end;
    }
  }
  for (int trajectory = 0; trajectory < spec.trajectories; ++trajectory) {
    sim::Stream random(seed, fmt::format("trajectory {}", trajectory), "morris");
    std::vector<int> levels(factors);
    for (int& level : levels) level = static_cast<int>(random() % (kTopLevel + 1));
    std::vector<std::size_t> order(factors);
    for (std::size_t place = 0; place < factors; ++place) order[place] = place;
    for (std::size_t place = factors; place-- > 1;) std::swap(order[place], order[random() % (place + 1)]);
    const auto add = [&] {
      Levels& point = points.emplace_back();
      for (const int level : levels) point.push_back(multiplier(spec, level));
    };
    add();
    for (const std::size_t factor : order) {
      levels[factor] += levels[factor] < kLevelStep ? kLevelStep : -kLevelStep;
      add();
    }
  }
  return points;
}

}  // namespace

Expected<std::string> scaled(const std::string& text, double factor) {
  std::vector<std::string> words;
  boost::algorithm::split(words, text, boost::algorithm::is_space(), boost::algorithm::token_compress_on);
  bool any = false;
  for (std::string& word : words) {
    const Value value = value_of(word);
    if (value.type == ValueType::word) continue;
    const auto spelled = spell(scaled_value(value, factor));
    if (!spelled) return Refusal{spelled.message()};
    word = *spelled;
    any = true;
  }
  if (!any) return Refusal{fmt::format("expected a number, a size, a duration or a distribution, found '{}'", text)};
  return boost::algorithm::join(words, " ");
}

StudyPlan::StudyPlan(Study study) : study_(std::move(study)) {
  for (const Axis& axis : study_.axes) axes_.push_back(axis.name);
  if (study_.sensitivity) {
    add_sensitivity_points();
    return;
  }
  std::vector<const AxisValue*> chosen(study_.axes.size(), nullptr);
  add_points(0, chosen);
  if (points_.empty()) refuse({study_.file.string(), 1, 1}, "only_if", "no point is left");
}

bool StudyPlan::holds(const Condition& condition, const std::string& key,
                      const std::vector<const AxisValue*>& chosen) const {
  const auto truth = experiments::holds(condition.expression, surroundings_of(study_, chosen));
  if (!truth) refuse(condition.at, key, fmt::format("in '{}': {}", condition.text, truth.message()));
  return *truth;
}

void StudyPlan::add_points(std::size_t axis, std::vector<const AxisValue*>& chosen) {
  if (axis == study_.axes.size()) {
    const bool wanted = std::all_of(study_.only_if.begin(), study_.only_if.end(),
                                    [&](const Condition& condition) { return holds(condition, "only_if", chosen); });
    if (wanted) add_point(chosen);
    return;
  }
  const auto zip = std::find_if(study_.zips.begin(), study_.zips.end(), [&](const std::vector<std::size_t>& group) {
    return std::find(group.begin(), group.end(), axis) != group.end();
  });
  const bool follows = zip != study_.zips.end() && zip->front() != axis;
  const Axis& next = study_.axes[axis];
  const bool without = next.when && !holds(*next.when, fmt::format("axes.{}.when", next.name), chosen);
  if (follows || without) {
    if (without) chosen[axis] = nullptr;
    add_points(axis + 1, chosen);
    return;
  }
  for (std::size_t value = 0; value < study_.axes[axis].values.size(); ++value) {
    chosen[axis] = &study_.axes[axis].values[value];
    if (zip != study_.zips.end()) {
      for (const std::size_t other : *zip) chosen[other] = &study_.axes[other].values[value];
    }
    add_points(axis + 1, chosen);
  }
}

void StudyPlan::add_point(const std::vector<const AxisValue*>& chosen) {
  if (points_.size() == kMostPoints) {
    refuse({study_.file.string(), 1, 1}, "axes", fmt::format("that is more than {} points", kMostPoints));
  }
  StudyPoint point;
  point.number = points_.size();
  point.settings = study_.settings;
  std::string scenario = study_.scenario;
  Position scenario_at = study_.scenario_at;
  for (std::size_t axis = 0; axis < chosen.size(); ++axis) {
    const AxisValue* const value = chosen[axis];
    point.labels.push_back(value == nullptr ? std::nullopt : std::optional(value->label));
    if (value == nullptr) continue;
    point.settings.insert(point.settings.end(), value->settings.begin(), value->settings.end());
    if (study_.axes[axis].name != "scenario" || !value->settings.empty()) continue;
    scenario = value->label;
    scenario_at = value->at;
  }
  const Surroundings surroundings = surroundings_of(study_, chosen);
  for (const Derived& derived : study_.derived) {
    const auto value = evaluate(derived.value, surroundings);
    if (!value) refuse(derived.at, "derive." + derived.path, value.message());
    if (!*value) continue;
    const auto text = spell(**value);
    if (!text) refuse(derived.at, "derive." + derived.path, text.message());
    point.settings.push_back({fmt::format("{}={}", derived.path, *text), derived.at});
  }
  point.scenario = find_scenario(scenario, scenario_at);
  points_.push_back(std::move(point));
}

void StudyPlan::add_sensitivity_points() {
  const SensitivitySpec& spec = *study_.sensitivity;
  StudyPoint base_point;
  base_point.settings = study_.settings;
  base_point.scenario = find_scenario(study_.scenario, study_.scenario_at);
  const ResolvedScenario content = factors_of(base_point);
  std::vector<std::string> values;
  for (const auto& [path, at] : spec.factors) {
    axes_.push_back(last_key(path));
    const auto text = text_at(content, path);
    if (!text) refuse(at, "sensitivity.factors", fmt::format("the scenario has no value at {}", path));
    values.push_back(*text);
  }
  for (const Levels& levels : design(spec, study_.seed)) {
    StudyPoint point = base_point;
    point.number = points_.size();
    for (std::size_t factor = 0; factor < levels.size(); ++factor) {
      const auto& [path, at] = spec.factors[factor];
      const auto value = scaled(values[factor], levels[factor]);
      if (!value) refuse(at, "sensitivity.factors", fmt::format("{}: {}", path, value.message()));
      point.labels.emplace_back(fmt::format("{:.4g}", levels[factor]));
      if (levels[factor] != 1.0) point.settings.push_back({fmt::format("{}={}", path, *value), at});
    }
    points_.push_back(std::move(point));
  }
}

std::filesystem::path StudyPlan::find_scenario(const std::string& name, const Position& at) {
  // A study is often called as its scenario, and lies beside other studies: none of them is meant.
  const std::vector<std::vector<std::filesystem::path>> places{{study_.file.parent_path()}, {""}, {}};
  for (const auto& folders : places) {
    const auto file = find_config(ConfigKind::scenarios, name, folders);
    if (!file) refuse(at, "scenario", file.message());
    if (kind_of(bases_.load(*file)) != ConfigKind::studies) return *file;
  }
  refuse(at, "scenario", fmt::format("'{}' is a study, not a scenario", name));
}

YamlNode StudyPlan::tree_of(const StudyPoint& point, std::vector<Diagnostic>& diagnostics) {
  YamlNode tree = bases_.load(point.scenario);
  if (study_.policies.kind == YamlNode::Kind::sequence && tree.kind == YamlNode::Kind::map) {
    tree = without_key(without_key(std::move(tree), "policy"), "policies");
    tree.entries.push_back({"policies", study_.policies.at, study_.policies});
  }
  apply_scenario_sets(tree, sets_of(point.settings), diagnostics);
  return tree;
}

ResolvedScenario StudyPlan::factors_of(const StudyPoint& point) {
  std::vector<Diagnostic> diagnostics;
  const YamlNode tree = tree_of(point, diagnostics);
  (void)read_scenario(tree, point.scenario.parent_path(), {}, std::move(diagnostics));
  return resolver_.resolve(tree, point.scenario.parent_path());
}

PointRuns StudyPlan::runs_of(const StudyPoint& point) {
  PointRuns runs;
  try {
    std::vector<Diagnostic> diagnostics;
    const YamlNode tree = tree_of(point, diagnostics);
    ScenarioFile file = read_scenario_file(tree, point.scenario.parent_path(), {}, std::move(diagnostics));
    runs.scenario = std::move(file.scenario);
    runs.expectations = std::move(file.expectations);
    const ResolvedScenario resolved = resolver_.resolve(tree, point.scenario.parent_path());
    for (std::size_t policy = 0; policy < runs.scenario.policies.size(); ++policy) {
      runs.digests.push_back(digest_of(resolved, policy));
      runs.resolved.push_back(std::make_shared<const std::string>(to_yaml(resolved, policy)));
    }
    runs.specs = specs_of(point, tree);
  } catch (const InputError& error) {
    std::vector<Diagnostic> diagnostics = error.diagnostics();
    move_into_study(diagnostics, point.settings);
    throw InputError(diagnostics);
  }
  return runs;
}

void StudyPlan::read_runs(const std::function<void(PointRuns)>& take) {
  std::vector<Diagnostic> diagnostics;
  for (const StudyPoint& point : points_) {
    try {
      take(runs_of(point));
    } catch (const InputError& error) {
      for (const Diagnostic& each : error.diagnostics()) {
        if (std::find(diagnostics.begin(), diagnostics.end(), each) == diagnostics.end()) diagnostics.push_back(each);
      }
    }
  }
  if (!diagnostics.empty()) throw InputError(diagnostics);
}

std::vector<RunSpec> StudyPlan::specs_of(const StudyPoint& point, const YamlNode& tree) {
  RunSpec run{point.scenario.string(), {}, {}, {}};
  for (const Setting& setting : point.settings) {
    if (!leads_into_policies(setting)) run.sets.push_back(setting.set);
  }
  std::vector<Diagnostic> reported_when_read;
  YamlNode base = bases_.load(point.scenario);
  apply_scenario_sets(base, run.sets, reported_when_read);
  const std::filesystem::path folder = point.scenario.parent_path();
  std::vector<RunSpec> specs;
  for (const YamlNode& policy : policies_of(tree, {}, folder)) {
    specs.push_back(run);
    specs.back().policy = policy_argument(policy, base, folder);
  }
  return specs;
}

}  // namespace experiments
