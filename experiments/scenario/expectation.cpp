#include "experiments/scenario/expectation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/scenario_threads.h"
#include "models/measure/phase.h"
#include "models/workload/workload.h"

namespace experiments {

namespace {

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
  return Expectation{*condition, *text};
}

}  // namespace

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

std::vector<std::string> Expectation::policies() const {
  std::vector<std::string> names;
  for (const Measure& measure : measures_of(condition)) {
    if (!measure.policy.empty() && !contains(names, measure.policy)) names.push_back(measure.policy);
  }
  return names;
}

std::vector<Expectation> read_expectations(const YamlField& field, const models::Scenario& scenario,
                                           const std::vector<std::string>& policies) {
  // A study whose points are not what the scenario is about sets `expect: []`.
  if (field.is_empty_list()) return {};
  std::vector<Expectation> expectations;
  for (const YamlField& item : field.items("a list of conditions such as [p99(faulter) > 1s]")) {
    if (auto expectation = read_expectation(item, scenario, policies)) expectations.push_back(std::move(*expectation));
  }
  return expectations;
}

}  // namespace experiments
