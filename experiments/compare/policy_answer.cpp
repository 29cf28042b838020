#include "experiments/compare/policy_answer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

#include "experiments/base/statistic_list.h"

namespace experiments {

namespace {

constexpr std::array<const char*, 3> kChanges{"shorter", "none", "longer"};  // in the order of Change

ClassEffect effect_on(const Comparison& comparison, const Row& row, const PolicyQuestion& asked) {
  const Statistic& statistic = comparison.best_statistic(row, asked.before, asked.after);
  ClassEffect effect;
  effect.measure = {statistic.key, row.class_name, std::string(to_string(row.call)), ""};
  effect.before = *statistic.of(comparison.pooled(asked.before, row).latency());
  effect.after = *statistic.of(comparison.pooled(asked.after, row).latency());
  effect.difference = comparison.difference(row, statistic, asked.before, asked.after);
  effect.change = change_between(static_cast<double>(effect.before.count()), static_cast<double>(effect.after.count()),
                                 effect.difference);
  return effect;
}

/// The classes of which a change is true; of more calls than one, during which: `faulter (mlock, munlock), ps (idle)`.
std::string names_of(const std::vector<ClassEffect>& effects, Change change, bool with_calls) {
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> calls;
  for (const ClassEffect& effect : effects) {
    if (effect.change != change) continue;
    if (names.empty() || names.back() != effect.measure.class_name) {
      names.push_back(effect.measure.class_name);
      calls.emplace_back();
    }
    calls.back().push_back(effect.measure.phase);
  }
  for (std::size_t name = 0; with_calls && name < names.size(); ++name) {
    names[name] += fmt::format(" ({})", fmt::join(calls[name], ", "));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// As the library does where a value is none of its kind.
[[noreturn]] void refuse(const std::string& word, const char* what) {
  throw Json::other_error::create(501, fmt::format("'{}' is no {}", word, what), nullptr);
}

models::Phase call_from(const std::string& name) {
  const auto row = std::find_if(models::kPhases.begin(), models::kPhases.end(),
                                [&](const models::PhaseRow& each) { return each.name == name; });
  if (row == models::kPhases.end()) refuse(name, "phase");
  return row->phase;
}

Change change_from(const std::string& name) {
  const auto place = std::find(kChanges.begin(), kChanges.end(), name);
  if (place == kChanges.end()) refuse(name, "change");
  return static_cast<Change>(place - kChanges.begin());
}

Measure measure_from(const Json& effect) {
  const auto statistic = effect.at("statistic").get<std::string>();
  if (find_statistic(statistic) == nullptr) refuse(statistic, "statistic");
  const auto during = effect.at("during").get<std::string>();
  return {statistic, effect.at("class").get<std::string>(), std::string(to_string(call_from(during))), ""};
}

Json to_json(const ClassEffect& effect) {
  Json json{{"class", effect.measure.class_name},
            {"during", effect.measure.phase},
            {"statistic", effect.measure.statistic},
            {"before_ns", effect.before.count()},
            {"after_ns", effect.after.count()}};
  if (effect.difference) {
    json["difference_ns"] = {{"mean", effect.difference->mean},
                             {"low", effect.difference->low},
                             {"high", effect.difference->high},
                             {"replications", effect.difference->samples}};
  }
  json["change"] = kChanges[static_cast<std::size_t>(effect.change)];
  return json;
}

ClassEffect effect_from(const Json& json) {
  ClassEffect effect;
  effect.measure = measure_from(json);
  effect.before = sim::Nanoseconds(json.at("before_ns").get<std::int64_t>());
  effect.after = sim::Nanoseconds(json.at("after_ns").get<std::int64_t>());
  if (const auto found = json.find("difference_ns"); found != json.end()) {
    effect.difference = {found->at("mean").get<double>(), found->at("low").get<double>(),
                         found->at("high").get<double>(), found->at("replications").get<std::size_t>()};
  }
  effect.change = change_from(json.at("change").get<std::string>());
  return effect;
}

}  // namespace

std::string ClassEffect::factor() const {
  return factor_text(static_cast<double>(before.count()), static_cast<double>(after.count()));
}

std::string PolicyAnswer::in_words() const {
  const bool with_calls = !call;
  const std::string better = names_of(effects, Change::shorter, with_calls);
  const std::string same = names_of(effects, Change::none, with_calls);
  const std::string worse = names_of(effects, Change::longer, with_calls);
  if (effects.empty()) return "No request fell due meanwhile: these runs cannot tell.";
  if (better.empty() && worse.empty()) return "No: next to no difference for anybody who competes here.";
  if (same.empty() && worse.empty()) return "Yes, for everybody who competes here.";
  std::string text;
  if (!better.empty()) text += fmt::format("Yes for {}. ", better);
  if (!same.empty()) text += fmt::format("Next to no difference for {}. ", same);
  if (!worse.empty()) text += fmt::format("Worse for {}. ", worse);
  text.pop_back();
  return text;
}

PolicyAnswer answer_to(const PolicyQuestion& question, const Comparison& comparison) {
  const models::Policy& before = comparison.policy(question.before);
  const models::Policy& after = comparison.policy(question.after);
  PolicyAnswer answer{question.question, before.name, after.name, question.call, keys_that_differ(before, after), {}};
  for (const Row& row : comparison.rows()) {
    const bool both = !comparison.pooled(question.before, row).latency().empty() &&
                      !comparison.pooled(question.after, row).latency().empty();
    if (both && row.call == question.call.value_or(row.call)) {
      answer.effects.push_back(effect_on(comparison, row, question));
    }
  }
  return answer;
}

std::vector<PolicyAnswer> answers_of(const Comparison& comparison) {
  std::vector<PolicyAnswer> answers;
  for (const PolicyQuestion& question : questions_between(comparison.scenario().policies)) {
    answers.push_back(answer_to(question, comparison));
  }
  return answers;
}

Json to_json(const PolicyAnswer& answer) {
  Json effects = Json::array();
  for (const ClassEffect& effect : answer.effects) effects.push_back(to_json(effect));
  return {{"question", answer.question},   {"before", answer.before},
          {"after", answer.after},         {"during", answer.call ? Json(to_string(*answer.call)) : Json(nullptr)},
          {"differ_in", answer.differ_in}, {"answer", answer.in_words()},
          {"effects", std::move(effects)}};
}

PolicyAnswer answer_from(const Json& json) {
  PolicyAnswer answer{json.at("question").get<std::string>(),
                      json.at("before").get<std::string>(),
                      json.at("after").get<std::string>(),
                      std::nullopt,
                      json.at("differ_in").get<std::vector<std::string>>(),
                      {}};
  if (const Json& during = json.at("during"); !during.is_null()) answer.call = call_from(during.get<std::string>());
  for (const Json& effect : json.at("effects")) answer.effects.push_back(effect_from(effect));
  return answer;
}

}  // namespace experiments
