#include "experiments/study/study_progress.h"

#include <algorithm>
#include <cmath>

namespace experiments {

namespace {

bool is_over(const RunOutcome& run) { return run.status == "done" || run.status == "failed"; }

/// Whether the first `replications` under every policy have been run.
bool is_complete(const PointOutcomes& point, int replications) {
  if (point.policies.empty()) return false;
  return std::all_of(point.policies.begin(), point.policies.end(), [&](const PolicyOutcomes& policy) {
    for (int replication = 0; replication < replications; ++replication) {
      const auto run = policy.replications.find(replication);
      if (run == policy.replications.end() || !is_over(run->second)) return false;
    }
    return true;
  });
}

/// Half as many again: as precise as adding them one by one, to a fifth, and in far fewer rounds.
int more_than(int replications) { return std::max(replications + 1, replications + replications / 2); }

int replications_for_precision(const Study& study, const PointOutcomes& point) {
  int replications = study.replications;
  while (replications < study.at_most && is_complete(point, replications) &&
         !is_precise(point, study.measures.front(), replications, *study.precision)) {
    replications = std::min(more_than(replications), study.at_most);
  }
  return replications;
}

/// The points that a search has looked at and wants to look at.
std::vector<std::size_t> points_to_look_at(const Study& study, const StudyResults& results, const Line& line) {
  return bisect(line,
                [&](std::size_t point) -> std::optional<bool> {
                  if (!is_complete(results.points[point], study.replications)) return std::nullopt;
                  return holds_for_most(results.points[point], study.find->where, results);
                })
      .asked;
}

}  // namespace

bool is_adaptive(const Study& study) { return study.find || study.precision; }

bool is_precise(const PointOutcomes& point, const Measure& measure, int replications, double precision) {
  return std::all_of(point.policies.begin(), point.policies.end(), [&](const PolicyOutcomes& policy) {
    std::vector<double> values;
    for (int replication = 0; replication < replications; ++replication) {
      if (const auto value = policy.value(measure, replication)) values.push_back(*value);
    }
    const auto interval = mean_interval(values);
    return interval && interval->high - interval->mean <= precision * std::abs(interval->mean);
  });
}

std::vector<int> wanted_replications(const StudyPlan& plan, const StudyResults& results, const Shard& shard) {
  const Study& study = plan.study();
  std::vector<int> wanted(plan.points().size(), 0);
  if (study.find) {
    const auto axis = std::find(plan.axes().begin(), plan.axes().end(), study.find->axis) - plan.axes().begin();
    const std::vector<Line> lines = lines_of(labels_of(plan.points()), static_cast<std::size_t>(axis));
    for (std::size_t line = shard.number - 1; line < lines.size(); line += shard.of) {
      for (const std::size_t point : points_to_look_at(study, results, lines[line])) wanted[point] = study.replications;
    }
    return wanted;
  }
  for (std::size_t point = shard.number - 1; point < wanted.size(); point += shard.of) {
    wanted[point] = study.precision ? replications_for_precision(study, results.points[point]) : study.replications;
  }
  return wanted;
}

}  // namespace experiments
