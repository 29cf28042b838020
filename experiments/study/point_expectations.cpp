#include "experiments/study/point_expectations.h"

#include <optional>
#include <string>

namespace experiments {

std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                 const PointOutcomes& point) {
  std::vector<std::string> policies;
  for (const PolicyOutcomes& each : point.policies) policies.push_back(each.policy);
  std::vector<ExpectationCheck> checks;
  std::vector<Expectation> known;
  for (const Expectation& each : expectations) {
    if (each.of_calls) {
      checks.push_back({each.text, {}, Holds::not_checked, {}, {}, "a study does not keep the calls of lockers"});
    } else {
      known.push_back(each);
    }
  }
  const std::vector<ExpectationCheck> rest = check_expectations(
      known, policies, FigureLookup([&](const Measure& measure) -> std::optional<std::vector<FigureSample>> {
        const PolicyOutcomes* const outcomes = point.policy(measure.policy);
        if (outcomes == nullptr) return std::nullopt;
        Measure count = measure;
        count.statistic = "count";
        std::vector<FigureSample> samples;
        for (const auto& [replication, run] : outcomes->replications) {
          if (run.status != "done") continue;
          const auto requests = outcomes->value(count, replication);
          samples.push_back(
              {outcomes->value(measure, replication), static_cast<std::uint64_t>(requests.value_or(0)), {}});
        }
        return samples.empty() ? std::nullopt : std::optional(samples);
      }));
  checks.insert(checks.end(), rest.begin(), rest.end());
  return checks;
}

}  // namespace experiments
