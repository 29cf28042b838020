#include "experiments/study/point_expectations.h"

#include <optional>
#include <string>

namespace experiments {

std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                 const PointOutcomes& point) {
  std::vector<std::string> policies;
  for (const PolicyOutcomes& each : point.policies) policies.push_back(each.policy);
  const auto look_up = [&](const Measure& measure) -> std::optional<std::vector<FigureSample>> {
    const PolicyOutcomes* const outcomes = point.policy(measure.policy);
    if (outcomes == nullptr) return std::nullopt;
    Measure count = measure;
    count.statistic = "count";
    std::vector<FigureSample> samples;
    for (const auto& [replication, run] : outcomes->replications) {
      if (!run.is_whole()) continue;
      const auto requests = outcomes->value(count, replication);
      samples.push_back({outcomes->value(measure, replication), static_cast<std::uint64_t>(requests.value_or(0)), {}});
    }
    return samples.empty() ? std::nullopt : std::optional(samples);
  };
  return check_expectations(expectations, policies, FigureLookup(look_up));
}

}  // namespace experiments
