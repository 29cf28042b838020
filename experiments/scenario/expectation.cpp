#include "experiments/scenario/expectation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include "experiments/base/change.h"
#include "experiments/base/diagnostics.h"
#include "experiments/base/quantiles.h"
#include "experiments/base/quantity.h"
#include "experiments/scenario/scenario_threads.h"
#include "experiments/study/study_results.h"
#include "models/workload/workload.h"

namespace experiments {

namespace {

/// One replication's figure.
struct Sample {
  std::optional<double> value;
  std::uint64_t samples = 0;
};

/// Those of all replications under a policy; nothing where none was run under it.
using Lookup = std::function<std::optional<std::vector<Sample>>(const Measure&)>;

/// Nothing where the statistic is no percentile.
std::optional<double> quantile_of(const std::string& statistic) {
  const auto found = std::find_if(kQuantiles.begin(), kQuantiles.end(),
                                  [&](const NamedQuantile& each) { return each.name == statistic; });
  return found == kQuantiles.end() ? std::nullopt : std::optional(found->quantile);
}

std::uint64_t samples_needed(const std::string& statistic) {
  const auto quantile = quantile_of(statistic);
  return quantile ? sim::Histogram::samples_needed(*quantile) : 1;
}

// --- reading ----------------------------------------------------------------------------------------------------

std::vector<std::string> phase_names() {
  std::vector<std::string> names{"total"};
  for (std::size_t phase = 0; phase < models::kPhaseCount; ++phase) {
    names.emplace_back(to_string(static_cast<models::Phase>(phase)));
  }
  return names;
}

std::string or_known(const std::string& word, const std::vector<std::string>& known) {
  const std::string meant = did_you_mean(word, known);
  return meant.empty() ? fmt::format(" (known: {})", fmt::join(known, ", ")) : meant;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_locker(const models::ThreadSpec* thread) {
  return thread != nullptr && std::holds_alternative<models::LockerSpec>(thread->run);
}

/// What is wrong with a measure of a locker's call; empty: nothing.
std::string mistake_in_call(const Measure& measure, const models::LockerSpec& locker) {
  std::vector<std::string> calls = models::call_names(locker);
  if (contains(calls, measure.phase)) return {};
  if (measure.phase == "total") {
    return fmt::format("{} is a locker: expected one of its calls, such as {}({}.{})", measure.class_name,
                       measure.statistic, measure.class_name, calls.empty() ? "mlock" : calls.front());
  }
  return fmt::format("{} makes no call '{}'{}", measure.class_name, measure.phase, or_known(measure.phase, calls));
}

/// What is wrong with a measure; empty: nothing.
std::string mistake_in(const Measure& measure, const models::Scenario& scenario,
                       const std::vector<std::string>& policies) {
  const models::ThreadSpec* const thread = thread_named(scenario, measure.class_name);
  if (thread == nullptr) {
    return fmt::format("there is no class '{}'{}", measure.class_name,
                       or_known(measure.class_name, thread_names(scenario)));
  }
  if (!measure.policy.empty() && !contains(policies, measure.policy)) {
    return fmt::format("there is no policy '{}'{}", measure.policy, or_known(measure.policy, policies));
  }
  if (std::holds_alternative<models::BusySpec>(thread->run)) {
    return fmt::format("{} makes no requests: it only runs", measure.class_name);
  }
  if (const auto* const locker = std::get_if<models::LockerSpec>(&thread->run))
    return mistake_in_call(measure, *locker);
  if (contains(phase_names(), measure.phase)) return {};
  return fmt::format("there is no phase '{}'{}", measure.phase, or_known(measure.phase, phase_names()));
}

constexpr const char* kQuotesNeeded = " (between brackets a condition with a comma needs quotes)";

/// `[max(a, policy) > 1s]` is a list of two to YAML.
bool cut_at_a_comma(const std::string& text) {
  return std::count(text.begin(), text.end(), '(') != std::count(text.begin(), text.end(), ')');
}

std::optional<Expectation> read_expectation(const YamlField& item, const models::Scenario& scenario,
                                            const std::vector<std::string>& policies) {
  const auto text = item.text("a condition such as p99(faulter) > 1s");
  if (!text) return std::nullopt;
  const auto condition = parse_expression(*text);
  if (!condition) {
    item.refuse(condition.message() + (cut_at_a_comma(*text) ? kQuotesNeeded : ""));
    return std::nullopt;
  }
  const auto type = type_of(*condition, {}, true);
  if (!type) {
    item.refuse(type.message());
    return std::nullopt;
  }
  if (*type != ValueType::truth || measures_of(*condition).empty()) {
    item.refuse_expecting("a condition on a result such as p99(faulter) > 1s");
    return std::nullopt;
  }
  for (const Measure& measure : measures_of(*condition)) {
    const std::string mistake = mistake_in(measure, scenario, policies);
    if (mistake.empty()) continue;
    item.refuse(mistake);
    return std::nullopt;
  }
  const std::vector<Measure> measures = measures_of(*condition);
  const bool of_calls = std::any_of(measures.begin(), measures.end(), [&](const Measure& measure) {
    return is_locker(thread_named(scenario, measure.class_name));
  });
  return Expectation{*condition, *text, of_calls};
}

// --- checking ---------------------------------------------------------------------------------------------------

MeasuredFigure figure_of(const Measure& measure, const std::vector<Sample>& samples) {
  MeasuredFigure figure{measure};
  figure.needed = samples_needed(measure.statistic);
  std::vector<double> values;
  figure.samples = samples.empty() ? 0 : samples.front().samples;
  for (const Sample& sample : samples) {
    figure.samples = std::min(figure.samples, sample.samples);
    if (sample.value) values.push_back(*sample.value);
  }
  if (values.empty() || values.size() != samples.size()) return figure;
  figure.value = mean_of(values);
  figure.interval = mean_interval(values);
  return figure;
}

/// `policy`: of measures that name none.
ExpectationCheck check_one(const Expectation& expectation, const std::string& policy, const Lookup& lookup) {
  ExpectationCheck check{expectation.text, expectation.policies().empty() ? policy : "", Holds::yes};
  for (const Measure& asked : measures_of(expectation.condition)) {
    Measure measure = asked;
    if (measure.policy.empty()) measure.policy = policy;
    const auto samples = lookup(measure);
    if (!samples) {
      check.holds = Holds::not_checked;
      check.reason = fmt::format("needs a run under {}", measure.policy);
      check.figures.clear();
      return check;
    }
    const bool known = std::any_of(check.figures.begin(), check.figures.end(),
                                   [&](const MeasuredFigure& each) { return each.measure == asked; });
    if (!known) check.figures.push_back(figure_of(asked, *samples));
  }
  if (std::any_of(check.figures.begin(), check.figures.end(), [](const auto& each) { return !each.value; })) {
    check.holds = Holds::undecidable;
    return check;
  }
  Surroundings surroundings;
  surroundings.is_axis = [](const std::string&) { return false; };
  surroundings.measure = [&](const Measure& measure) {
    return std::find_if(check.figures.begin(), check.figures.end(),
                        [&](const MeasuredFigure& each) { return each.measure == measure; })
        ->value;
  };
  const auto value = evaluate(expectation.condition, surroundings);
  check.holds = value && value->amount != 0 ? Holds::yes : Holds::no;
  return check;
}

std::vector<ExpectationCheck> check_all(const std::vector<Expectation>& expectations,
                                        const std::vector<std::string>& policies, const Lookup& lookup) {
  std::vector<ExpectationCheck> checks;
  for (const Expectation& expectation : expectations) {
    const std::vector<Measure> measures = measures_of(expectation.condition);
    const bool names_all =
        std::none_of(measures.begin(), measures.end(), [](const Measure& measure) { return measure.policy.empty(); });
    if (names_all) {
      checks.push_back(check_one(expectation, {}, lookup));
      continue;
    }
    for (const std::string& policy : policies) checks.push_back(check_one(expectation, policy, lookup));
  }
  return checks;
}

// --- results ----------------------------------------------------------------------------------------------------

sim::Histogram histogram_of(const models::Result& result, const Measure& measure) {
  const auto found = std::find_if(result.classes.begin(), result.classes.end(),
                                  [&](const models::ClassResult& each) { return each.name == measure.class_name; });
  if (found == result.classes.end()) return {};
  if (measure.phase == "total") return found->total().latency();
  if (const auto call = found->calls.find(measure.phase); call != found->calls.end()) {
    return call->second.duration;  // a locker's
  }
  for (std::size_t number = 0; number < models::kPhaseCount; ++number) {
    const auto phase = static_cast<models::Phase>(number);
    if (to_string(phase) != measure.phase) continue;
    if (call_of(phase) == phase) return found->during_call(phase).latency();
    const auto part = found->during.find(phase);
    return part == found->during.end() ? sim::Histogram{} : part->second.latency();
  }
  return {};
}

Sample sample_of(const models::Result& result, const Measure& measure) {
  const sim::Histogram histogram = histogram_of(result, measure);
  const std::uint64_t count = histogram.count();
  if (measure.statistic == "count") return {static_cast<double>(count), count};
  if (histogram.empty()) return {};
  if (measure.statistic == "mean") return {histogram.mean(), count};
  if (measure.statistic == "max") return {static_cast<double>(histogram.max().count()), count};
  const auto value = histogram.percentile(quantile_of(measure.statistic).value());
  return {value ? std::optional(static_cast<double>(value->count())) : std::nullopt, count};
}

// --- words ------------------------------------------------------------------------------------------------------

std::string amount(const MeasuredFigure& figure) {
  if (figure.measure.statistic == "count") return fmt::format("{:.0f}", *figure.value);
  using Time = std::chrono::duration<double, std::nano>;
  std::string text = human(Time(*figure.value));
  if (figure.interval)
    text += fmt::format(" [{}, {}]", human(Time(figure.interval->low)), human(Time(figure.interval->high)));
  return text;
}

std::string found(const ExpectationCheck& check) {
  if (check.holds == Holds::not_checked) return check.reason;
  std::vector<std::string> parts;
  for (const MeasuredFigure& figure : check.figures) {
    if (check.holds == Holds::undecidable) {
      if (!figure.value) {
        parts.push_back(fmt::format("{} needs {} samples, has {}", to_text(figure.measure), with_commas(figure.needed),
                                    with_commas(figure.samples)));
      }
    } else {
      parts.push_back(check.figures.size() == 1 ? amount(figure)
                                                : fmt::format("{} = {}", to_text(figure.measure), amount(figure)));
    }
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string_view word(Holds holds) {
  switch (holds) {
    case Holds::yes:
      return "holds";
    case Holds::no:
      return "FAILS";
    case Holds::undecidable:
      return "undecidable";
    case Holds::not_checked:
      break;
  }
  return "not checked";
}

std::string condition_of(const ExpectationCheck& check) {
  return check.policy.empty() ? check.text : fmt::format("{}  ({})", check.text, check.policy);
}

}  // namespace

std::vector<std::string> Expectation::policies() const {
  std::vector<std::string> names;
  for (const Measure& measure : measures_of(condition)) {
    if (!measure.policy.empty() && !contains(names, measure.policy)) names.push_back(measure.policy);
  }
  return names;
}

std::vector<Expectation> read_expectations(const YamlField& field, const models::Scenario& scenario,
                                           const std::vector<std::string>& policies) {
  const YamlNode& list = field.node();
  // A study whose points are not what the scenario is about sets `expect: []`.
  if (list.kind == YamlNode::Kind::sequence && list.entries.empty()) return {};
  std::vector<Expectation> expectations;
  for (const YamlField& item : field.items("a list of conditions such as [p99(faulter) > 1s]")) {
    if (auto expectation = read_expectation(item, scenario, policies)) expectations.push_back(std::move(*expectation));
  }
  return expectations;
}

std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                 const std::vector<std::string>& policies,
                                                 const std::vector<std::vector<models::Result>>& results) {
  return check_all(expectations, policies, [&](const Measure& measure) -> std::optional<std::vector<Sample>> {
    const auto place = std::find(policies.begin(), policies.end(), measure.policy);
    if (place == policies.end()) return std::nullopt;
    std::vector<Sample> samples;
    for (const models::Result& result : results[static_cast<std::size_t>(place - policies.begin())]) {
      samples.push_back(sample_of(result, measure));
    }
    return samples;
  });
}

std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                 const PointOutcomes& point) {
  std::vector<std::string> policies;
  for (const PolicyOutcomes& each : point.policies) policies.push_back(each.policy);
  std::vector<ExpectationCheck> checks;
  std::vector<Expectation> known;
  for (const Expectation& each : expectations) {
    if (each.of_calls) {
      checks.push_back({each.text, {}, Holds::not_checked, {}, "a study does not keep the calls of lockers"});
    } else {
      known.push_back(each);
    }
  }
  const std::vector<ExpectationCheck> rest =
      check_all(known, policies, [&](const Measure& measure) -> std::optional<std::vector<Sample>> {
        const PolicyOutcomes* const outcomes = point.policy(measure.policy);
        if (outcomes == nullptr) return std::nullopt;
        Measure count = measure;
        count.statistic = "count";
        std::vector<Sample> samples;
        for (const auto& [replication, run] : outcomes->replications) {
          if (run.status != "done") continue;
          const auto requests = outcomes->value(count, replication);
          samples.push_back({outcomes->value(measure, replication), static_cast<std::uint64_t>(requests.value_or(0))});
        }
        return samples.empty() ? std::nullopt : std::optional(samples);
      });
  checks.insert(checks.end(), rest.begin(), rest.end());
  return checks;
}

bool all_hold(const std::vector<ExpectationCheck>& checks) {
  return std::all_of(checks.begin(), checks.end(), [](const ExpectationCheck& check) {
    return check.holds == Holds::yes || check.holds == Holds::not_checked;
  });
}

std::string to_text(const std::vector<ExpectationCheck>& checks) {
  if (checks.empty()) return {};
  std::size_t width = 0;
  for (const ExpectationCheck& check : checks) width = std::max(width, condition_of(check).size());
  std::string text = "Expectations\n";
  for (const ExpectationCheck& check : checks) {
    text += fmt::format("    {:<12} {:<{}}  {}\n", word(check.holds), condition_of(check), width, found(check));
  }
  return text;
}

Json to_json(const std::vector<ExpectationCheck>& checks) {
  Json json = Json::array();
  for (const ExpectationCheck& check : checks) {
    Json each{{"condition", check.text}};
    if (!check.policy.empty()) each["policy"] = check.policy;
    each["holds"] = check.holds == Holds::yes ? Json(true) : check.holds == Holds::no ? Json(false) : Json(nullptr);
    if (!check.reason.empty()) each["not_checked"] = check.reason;
    Json& measures = each["measures"] = Json::array();
    for (const MeasuredFigure& figure : check.figures) {
      Json measured{{"measure", to_text(figure.measure)},
                    {"value", figure.value ? Json(std::llround(*figure.value)) : Json(nullptr)}};
      if (figure.interval) {
        measured["low"] = std::llround(figure.interval->low);
        measured["high"] = std::llround(figure.interval->high);
      }
      measured["samples"] = figure.samples;
      measured["needed"] = figure.needed;
      measures.push_back(measured);
    }
    json.push_back(each);
  }
  return json;
}

}  // namespace experiments
