#include "experiments/report/study_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "experiments/base/statistics.h"

namespace experiments {

namespace {

using Key = std::vector<std::pair<std::string, std::string>>;

/// A point's values by the names of their axes: the order of axes makes no other point.
Key key_of(const StudyResults& results, const PointOutcomes& point) {
  Key key;
  for (std::size_t axis = 0; axis < results.axes.size(); ++axis) {
    if (point.labels[axis]) key.emplace_back(results.axes[axis], *point.labels[axis]);
  }
  std::sort(key.begin(), key.end());
  return key;
}

std::map<std::uint64_t, double> by_seed(const PolicyOutcomes& policy, const Measure& measure) {
  std::map<std::uint64_t, double> values;
  for (const auto& [replication, run] : policy.replications) {
    if (const auto value = policy.value(measure, replication)) values[run.seed] = *value;
  }
  return values;
}

std::optional<DifferenceRow> compare(const PolicyOutcomes& before, const PolicyOutcomes& after, const Measure& measure,
                                     const std::string& point) {
  std::vector<double> of_before;
  std::vector<double> of_after;
  const auto others = by_seed(after, measure);
  for (const auto& [seed, value] : by_seed(before, measure)) {
    const auto partner = others.find(seed);
    if (partner == others.end() || value <= 0 || partner->second <= 0) continue;
    of_before.push_back(value);
    of_after.push_back(partner->second);
  }
  if (of_before.empty()) return std::nullopt;
  DifferenceRow row{.point = point, .policy = before.policy, .measure = measure, .interval = {}};
  row.before = mean_of(of_before);
  row.after = mean_of(of_after);
  row.interval = paired_ratio(of_before, of_after);
  row.ratio = row.interval ? row.interval->mean : row.after / row.before;
  row.seeds = of_before.size();
  row.change = change_between(row.before, row.after, paired_difference(of_before, of_after));
  return row;
}

std::string name_of(const std::string& point, const std::string& policy) {
  return fmt::format("{}, {}", point, policy);
}

}  // namespace

std::size_t StudyDifference::count(Change change) const {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [&](const DifferenceRow& row) { return row.change == change; }));
}

StudyDifference difference_of(const ReportData& before, const ReportData& after) {
  StudyDifference difference;
  difference.before = before.results.name;
  difference.after = after.results.name;
  difference.out_of_memory = before.results.count_out_of_memory() + after.results.count_out_of_memory();
  std::map<std::pair<Key, std::string>, const PolicyOutcomes*> partners;
  for (const PointOutcomes& point : after.results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      partners[{key_of(after.results, point), policy.policy}] = &policy;
    }
  }
  std::vector<Measure> measures;
  for (const Measure& measure : before.measures) {
    const bool both = std::find(after.measures.begin(), after.measures.end(), measure) != after.measures.end();
    // A measure is read from any run, so it need not be among those that the other study shows.
    measures.push_back(measure);
    if (!both) difference.unmeasured.push_back(to_text(measure));
  }
  for (const PointOutcomes& point : before.results.points) {
    const std::string title = title_of(before.results, point);
    for (const PolicyOutcomes& policy : point.policies) {
      const auto partner = partners.find({key_of(before.results, point), policy.policy});
      if (partner == partners.end()) {
        difference.only_before.push_back(name_of(title, policy.policy));
        continue;
      }
      for (const Measure& measure : measures) {
        if (auto row = compare(policy, *partner->second, measure, title)) difference.rows.push_back(std::move(*row));
      }
      partners.erase(partner);
    }
  }
  for (const PointOutcomes& point : after.results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      if (partners.contains({key_of(after.results, point), policy.policy})) {
        difference.only_after.push_back(name_of(title_of(after.results, point), policy.policy));
      }
    }
  }
  return difference;
}

}  // namespace experiments
