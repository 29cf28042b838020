// Reads studies: a scenario, the axes along which it is varied, and what is to be learnt from that.
//
//   schema: mlocksim/1
//   name: region_size
//   scenario: unlock_question                # a name or a file; or an axis called `scenario`
//   policies: [downgrade, unlock_downgrade]  # names, files or maps, or `all`; by default the scenario's
//   set: {machine.cpus: 16}                  # for all points
//   axes:
//     region: {set: "processes[0].regions.heap.size", values: 64MiB..4GiB x2}   # or `1..8 +1`, or a list
//     pressure: {set: memory.pressure, values: [none, heavy]}
//     swap: {set: memory.swap.size, values: [1GiB, 8GiB], when: pressure == heavy}    # elsewhere it has no value
//     box: {values: {small: {memory.size: 8GiB, machine.cpus: 2}, large: {memory.size: 64GiB, machine.cpus: 32}}}
//   zip: [[pressure, box]]                   # axes of one length that go in step
//   derive: {memory.size: 4 * region}        # `set` of what is computed from axes of numbers ...
//   only_if: [region >= 1GiB or pressure == none]             # points that do not hold are dropped
//   replications: 5                          # seeds `seed`, seed + 1, ...
//   seed: 1
//   measure: [p99(faulter.munlock)]          # what `results` shows; the first one counts for precision
//   precision: 5%                            # more replications until the mean's 95 % interval is that narrow
//   at_most: 40                              # ... but no more than this many
//   find: {axis: region, where: "p999(faulter.munlock, downgrade) > 10 * p999(faulter.munlock, unlock_downgrade)"}
//   sensitivity: {factors: [machine.costs.fault], range: 0.5..2, trajectories: 10}
//   smoke: {axes: {region: [64MiB]}, replications: 1}         # what --smoke puts in place of the above
//
// `policies`, `seed` and `replications` take the place of the scenario's `policies` and `seed`, whatever these are. So
// no axis, `set`, `derive` or factor may lead to `seed`; and none that is to differ from point to point to what no
// result hangs on (`name`, `about`, `incident`). `expect` may be set: it says what a point is checked for.
//
// A study is read without its scenario; study_plan.h puts both together and checks every point.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/base/expression.h"
#include "experiments/scenario/yaml_reader.h"

namespace experiments {

/// A condition on the values of axes.
struct Condition {
  Expression expression;
  std::string text;
  Position at;
};

/// A key of the scenario and what it is set to, as --set takes it.
struct Setting {
  std::string set;  ///< `path=value`
  Position at;      ///< in the study
};

struct AxisValue {
  std::string label;  ///< as it is written, or its name where it is a map of settings
  Value value;        ///< what expressions see
  std::vector<Setting> settings;
  Position at;
};

struct Axis {
  std::string name;
  ValueType type = ValueType::word;  ///< of all its values
  std::vector<AxisValue> values;     ///< at least one
  std::optional<Condition> when;     ///< names earlier axes only; where it does not hold the axis has no value
};

/// A key of the scenario that is computed at each point.
struct Derived {
  std::string path;
  Expression value;
  Position at;
};

/// The search for the value of an axis from which on (or up to which) a condition holds.
struct Find {
  std::string axis;
  Expression where;
  std::string text;  ///< of `where`
};

/// How much the answer hangs on constants of the scenario.
struct SensitivitySpec {
  std::vector<std::pair<std::string, Position>> factors;  ///< paths to durations, sizes, numbers or distributions
  double low = 0.5;                                       ///< times the scenario's own value
  double high = 2;
  int trajectories = 10;  ///< of Morris' screening
};

struct Study {
  std::string name;
  std::string about;
  std::filesystem::path file;
  bool smoke = false;    ///< whether this is the small size of it
  std::string scenario;  ///< empty where there is an axis of this name
  Position scenario_at;
  YamlNode policies;  ///< a list, or null: the scenario's own
  std::vector<Setting> settings;
  std::vector<Axis> axes;
  std::vector<std::vector<std::size_t>> zips;  ///< by number, each in the order of the axes
  std::vector<Derived> derived;
  std::vector<Condition> only_if;
  int replications = 1;
  std::uint64_t seed = 1;
  std::vector<Measure> measures;    ///< perhaps none
  std::optional<double> precision;  ///< relative half-width, 0 .. 1
  int at_most = 1;                  ///< replications; >= `replications`
  std::optional<Find> find;
  std::optional<SensitivitySpec> sensitivity;

  [[nodiscard]] const Axis* axis(const std::string& axis_name) const;
};

/// Reads a study, or the size of it that --smoke asks for. Throws InputError.
[[nodiscard]] Study read_study(const std::filesystem::path& file, bool smoke = false);
/// The same of a tree that has been loaded from `file`; `diagnostics`: what was wrong with it already.
[[nodiscard]] Study read_study(const YamlNode& root, const std::filesystem::path& file, bool smoke,
                               std::vector<Diagnostic> diagnostics);

/// The values of a range: `64MiB..64GiB x2`, `1..8 +1` or `1..8` (by one). Both ends are values, as far as the steps
/// meet the upper one. At most 10,000 values.
[[nodiscard]] Expected<std::vector<Value>> parse_range(const std::string& text);

}  // namespace experiments
