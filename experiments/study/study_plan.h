// The points of a study: every combination of its axes' values that its constraints leave, each with its settings.
//
// Order: that of the axes, the last one changing fastest; zipped axes change together, at the place of the first of
// them. An axis whose `when` does not hold has no value, and its values make no points. The points of a sensitivity
// study are: the scenario as it is, each factor alone at either end of its range, and Morris' trajectories.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/scenario/resolved_scenario.h"
#include "experiments/scenario/run_spec.h"
#include "experiments/study/study_file.h"

namespace experiments {

/// One combination of values.
struct StudyPoint {
  std::size_t number = 0;                          ///< from 0
  std::vector<std::optional<std::string>> labels;  ///< of each axis of the plan; nothing where it has no value
  std::filesystem::path scenario;                  ///< the base's file
  std::vector<Setting> settings;                   ///< of the study, of the axes, derived ones: in this order
};

/// What the runs of a point need, read from its scenario.
struct PointRuns {
  models::Scenario scenario;
  std::vector<Expectation> expectations;
  std::vector<std::string> digests;                          ///< of each of the scenario's policies: what run_key takes
  std::vector<std::shared_ptr<const std::string>> resolved;  ///< of each: to_yaml() of resolved_scenario.h
  std::vector<RunSpec> specs;  ///< what repeats a run under each of them, without the seed
};

class StudyPlan {
 public:
  /// Throws InputError: there is no such scenario, a derived value is none, a condition cannot be told, or no point
  /// is left.
  explicit StudyPlan(Study study);

  [[nodiscard]] const Study& study() const { return study_; }
  /// The names of the axes; of a sensitivity study those of its factors.
  [[nodiscard]] const std::vector<std::string>& axes() const { return axes_; }
  [[nodiscard]] const std::vector<StudyPoint>& points() const { return points_; }

  /// Reads a point's scenario. Throws InputError, whose positions are those in the study where a value of an axis is
  /// what the scenario cannot take.
  [[nodiscard]] PointRuns runs_of(const StudyPoint& point);
  /// Gives those of all points to `take`, in order. Throws InputError with the mistakes of all points, each once.
  void read_runs(const std::function<void(PointRuns)>& take);

 private:
  void add_points(std::size_t axis, std::vector<const AxisValue*>& chosen);
  void add_point(const std::vector<const AxisValue*>& chosen);
  void add_sensitivity_points();
  /// Throws InputError where it cannot be told; `key`: the condition's, in the study.
  [[nodiscard]] bool holds(const Condition& condition, const std::string& key,
                           const std::vector<const AxisValue*>& chosen) const;
  [[nodiscard]] std::filesystem::path find_scenario(const std::string& name, const Position& at);
  [[nodiscard]] YamlNode tree_of(const StudyPoint& point, std::vector<Diagnostic>& diagnostics);
  [[nodiscard]] std::vector<RunSpec> specs_of(const StudyPoint& point, const YamlNode& tree);
  [[nodiscard]] ResolvedScenario factors_of(const StudyPoint& point);

  Study study_;
  std::vector<std::string> axes_;
  std::vector<StudyPoint> points_;
  ConfigFiles bases_;
  Resolver resolver_;
};

/// `text` with every number, size and duration in it times `factor`, whole where it was: `lognormal median 2us p99
/// 4us`.
[[nodiscard]] Expected<std::string> scaled(const std::string& text, double factor);

}  // namespace experiments
