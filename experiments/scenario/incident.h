// The report from the field that a scenario replays: where it stands, what was seen, what is a guess, and what it names
// as the cause.
//
//   incident:
//     source: influxdata/telegraf issue 15295              # or a list
//     observed: all threads that fault wait for seconds
//     guesses: [16 GiB in 2,000 VMAs]                      # what the report does not give
//     cause: {without: smaps}                              # or {set: [KEY=VALUE, ...]}, or {policy: NAME}
//     remedy: an option not to read smaps                  # as the report has it
//
// `cause` says how to take it away: then the scenario's expectations must fail, or they expect the wrong thing.
// Validated by tests/whole/incidents_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/scenario/yaml_reader.h"
#include "models/spec/scenario.h"

namespace experiments {

struct Incident {
  std::vector<std::string> source;
  std::string observed;
  std::vector<std::string> guesses;
  std::string remedy;
  std::vector<std::string> sets_without_cause;        ///< as --set takes them
  std::optional<std::string> policy_without_cause{};  ///< in place of the scenario's own
};

/// Mistakes become diagnostics.
[[nodiscard]] Incident read_incident(const YamlField& field, const models::Scenario& scenario);

}  // namespace experiments
