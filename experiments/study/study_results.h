// What a store knows of a study: tables for people, CSV and JSON for programs.
//
// Statistics. A replication gives one number for each measure, such as a percentile of its run. Over replications: the
// mean with Student's 95 % interval, and the median with its interval by order statistics, where there are enough.
// Policies ran on common random numbers, so differences are paired, seed by seed, and a difference whose interval
// crosses zero is "no difference shown", never "equal".
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/base/expression.h"
#include "experiments/base/json.h"
#include "experiments/base/statistic_list.h"
#include "experiments/base/statistics.h"
#include "experiments/study/store.h"

namespace experiments {

/// The latencies of one class during one phase of a run, or of one of a locker's calls, in the order of kStatistics;
/// nothing where there were too few samples.
using Figures = std::array<std::optional<std::int64_t>, kStatistics.size()>;

/// Which mlocksim ran a run.
struct ProgramVersion {
  std::string program;     ///< empty: not known
  int result_version = 0;  ///< kResultVersion of resolved_scenario.h

  auto operator<=>(const ProgramVersion&) const = default;
};

/// One replication of a point under a policy.
struct RunOutcome {
  std::string key;
  std::string status;  ///< of the store: done, failed, running; empty: not begun
  std::string reason;
  std::string command;
  std::uint64_t seed = 0;
  std::int64_t wall_ns = 0;
  std::map<std::pair<std::string, std::string>, Figures> figures;  ///< by class and phase
  bool out_of_memory = false;                                      ///< it is done, and its figures end there
  std::int64_t sim_time_ns = 0;                                    ///< how long it was, if that is known
  std::string digest;  ///< the key of its resolved scenario in the store; empty: not known
  ProgramVersion version;

  /// Whether its figures count: it is done and did not run out of memory.
  [[nodiscard]] bool is_whole() const { return status == "done" && !out_of_memory; }
};

struct PolicyOutcomes {
  std::string policy;
  std::map<int, RunOutcome> replications;

  /// A measure of one replication; nothing where it has none.
  [[nodiscard]] std::optional<double> value(const Measure& measure, int replication) const;
  /// Those of all replications that have one. A run that ran out of memory has none.
  [[nodiscard]] std::vector<double> values(const Measure& measure) const;
  /// How many replications ran out of memory.
  [[nodiscard]] std::size_t out_of_memory() const;
};

struct PointOutcomes {
  std::size_t number = 0;
  std::vector<std::optional<std::string>> labels;
  std::vector<PolicyOutcomes> policies;  ///< in the order of the study

  [[nodiscard]] const PolicyOutcomes* policy(const std::string& name) const;
};

/// What a search looks for (study_file.h).
struct FindFacts {
  std::string axis;
  std::string where;
};

/// What a sensitivity study varies.
struct SensitivityFacts {
  std::vector<std::string> factors;
  int trajectories = 0;
};

struct StudyResults {
  std::string name;
  std::string about;
  std::vector<std::string> axes;
  std::vector<Measure> measures;
  std::string command;  ///< that made it, without -o; empty: not known
  std::optional<FindFacts> find;
  std::optional<SensitivityFacts> sensitivity;
  std::vector<PointOutcomes> points;  ///< in the order of the plan; those without runs, too

  /// Runs, each counted once, but those that have not begun (status "") at each place.
  [[nodiscard]] std::size_t count(const std::string& status) const;
  [[nodiscard]] std::size_t count_out_of_memory() const;
  /// What ran the runs that are done, and how many.
  [[nodiscard]] std::map<ProgramVersion, std::size_t> versions() const;
};

/// Reads everything, in one transaction. Throws StoreError, and InputError where what the store says makes no sense.
[[nodiscard]] StudyResults read_results(Store& store);

/// What is shown of a study: its measures, or p99 of every class that competes, over the whole run.
[[nodiscard]] std::vector<Measure> shown_measures(const StudyResults& results);

/// Its values of the axes, in words: `region 64MiB, faulters 7`.
[[nodiscard]] std::string title_of(const StudyResults& results, const PointOutcomes& point);

/// The differences of a measure from the first policy's, replication by replication.
[[nodiscard]] std::optional<Interval> difference(const PolicyOutcomes& first, const PolicyOutcomes& other,
                                                 const Measure& measure);

/// Points and policies with their measures, and the differences; what failed; then what `find` or `sensitivity` has
/// found.
[[nodiscard]] std::string to_text(const StudyResults& results);

/// What `find` or `sensitivity` has found, for people. Empty where the study asks neither.
[[nodiscard]] std::string study_findings_text(const StudyResults& results);

/// One line for each finished run, class and phase: point, axes, policy, replication, seed, status, class, phase, then
/// the statistics in nanoseconds. The order is that of the plan; nothing in it depends on when or where runs were done.
[[nodiscard]] std::string to_csv(const StudyResults& results);

/// Points, policies, means and intervals of the measures shown, differences. In the same order.
[[nodiscard]] Json to_json(const StudyResults& results);

// --- find ---------------------------------------------------------------------------------------------------

/// Points that differ in the axis that is searched only, in the order of its values.
using Line = std::vector<std::size_t>;

/// A point's values of the axes; nothing where it has none.
using Labels = std::vector<std::optional<std::string>>;

/// Those of `points`: of a plan, or of results.
template <typename Points>
[[nodiscard]] std::vector<Labels> labels_of(const Points& points) {
  std::vector<Labels> labels;
  for (const auto& point : points) labels.push_back(point.labels);
  return labels;
}

/// The lines of a study whose points have these labels.
[[nodiscard]] std::vector<Line> lines_of(const std::vector<Labels>& labels, std::size_t axis);

/// The share of a point's replications for which a condition holds; nothing before there are any. Those for which it
/// cannot be told, as it divides by zero, do not count.
[[nodiscard]] std::optional<double> share_holding(const PointOutcomes& point, const Expression& condition,
                                                  const StudyResults& results);

/// Whether it holds for most of them.
[[nodiscard]] std::optional<bool> holds_for_most(const PointOutcomes& point, const Expression& condition,
                                                 const StudyResults& results);

/// A bisection's next point, or that it has ended: with a bracket of neighbours, or because the ends agree.
struct Bisection {
  std::vector<std::size_t> asked;                              ///< points, by number: all that have been looked at
  std::optional<std::size_t> next;                             ///< the point to look at next
  std::optional<std::pair<std::size_t, std::size_t>> bracket;  ///< neighbours on either side, once it is found
};

/// Bisects a line. `holds`: of a point, whether the condition holds for most replications; nothing if not known yet.
[[nodiscard]] Bisection bisect(const Line& line, const std::function<std::optional<bool>(std::size_t)>& holds);

// --- sensitivity --------------------------------------------------------------------------------------------

/// What a measure under a policy hangs on. Effects are elasticities: 1 means that the answer doubles with the factor.
struct FactorEffect {
  std::string factor;
  double alone_low = 0;   ///< from the low end of its range to the scenario's own value, the others as they are
  double alone_high = 0;  ///< from there to the high end
  double mean_size = 0;   ///< Morris' mu*: the mean absolute effect over the trajectories
  double spread = 0;      ///< Morris' sigma: large where it is not linear or depends on other factors
};

/// The factors, the one that matters most first.
[[nodiscard]] std::vector<FactorEffect> rank_factors(const StudyResults& results, const Measure& measure,
                                                     std::size_t policy);

}  // namespace experiments
