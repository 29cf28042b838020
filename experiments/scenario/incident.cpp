#include "experiments/scenario/incident.h"

#include <fmt/format.h>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/edits.h"
#include "experiments/scenario/scenario_threads.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

std::vector<std::string> texts_of(const YamlField& field, std::string_view expected) {
  if (field.node().kind == YamlNode::Kind::scalar) {
    const auto text = field.text(expected);
    return text ? std::vector{*text} : std::vector<std::string>{};
  }
  std::vector<std::string> texts;
  for (const YamlField& item : field.items(expected)) {
    if (const auto text = item.text(expected)) texts.push_back(*text);
  }
  return texts;
}

void read_without(const YamlField& field, const models::Scenario& scenario, Incident& incident) {
  const auto name = name_of(field);
  if (!name) return;
  if (thread_named(scenario, *name) == nullptr) {
    return field.refuse_expecting("the name of a thread", did_you_mean(*name, thread_names(scenario)));
  }
  // How long the run is to be without its last locker nobody can know.
  incident.sets_without_cause = without(scenario, *name, scenario.duration.value_or(std::chrono::seconds{1}));
}

void read_cause(const YamlField& field, const models::Scenario& scenario, Incident& incident) {
  YamlMap map = field.map("a map such as {without: smaps}");
  const auto thread = map.find("without");
  const auto set = map.find("set");
  const auto policy = map.find("policy");
  const int given = (thread ? 1 : 0) + (set ? 1 : 0) + (policy ? 1 : 0);
  if (map && given != 1) map.refuse("expected one of `without: CLASS`, `set: [KEY=VALUE]` and `policy: NAME`");
  if (thread) read_without(*thread, scenario, incident);
  if (set) incident.sets_without_cause = texts_of(*set, "KEY=VALUE as --set takes it");
  if (policy && file_of(*policy, ConfigKind::policies, {})) incident.policy_without_cause = policy->node().scalar;
  map.refuse_unknown();
}

}  // namespace

Incident read_incident(const YamlField& field, const models::Scenario& scenario) {
  Incident incident;
  YamlMap map = field.map("a map with source, observed and cause");
  if (const auto source = map.require("source")) incident.source = texts_of(*source, "where the report stands");
  assign(incident.observed, map.require("observed"), text_of);
  if (const auto guesses = map.find("guesses")) incident.guesses = texts_of(*guesses, "what is a guess");
  assign(incident.remedy, map.find("remedy"), text_of);
  if (const auto cause = map.require("cause")) read_cause(*cause, scenario, incident);
  map.refuse_unknown();
  return incident;
}

}  // namespace experiments
