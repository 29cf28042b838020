// Reads what a thread of a scenario does: its `run:` and the keys that go with it.
//
// A kind of thread is one reader and one row in competitors.cpp, one row in models/spec/competitors.h and one body in
// models/workload/competitors.cpp.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "experiments/scenario/yaml_reader.h"
#include "models/spec/competitors.h"
#include "models/spec/scenario.h"

namespace experiments {

using Regions = std::vector<models::RegionSpec>;

/// The processes that threads name, to be looked up when all processes have been read.
class Targets {
 public:
  void add(YamlField target);
  /// One out of whose first region somebody reads.
  void add_with_region(YamlField target);
  using RegionCheck = std::function<void(const models::RegionSpec&)>;
  /// One of whose regions somebody works on the one that `region` names: `check` looks whether it can be.
  void add_region(const YamlField& target, YamlField region, RegionCheck check);

  /// Refuses those that are not among `processes`, or lack the region.
  void check(const std::vector<models::ProcessSpec>& processes) const;

 private:
  struct NamedRegion {
    YamlField target;
    YamlField region;
    RegionCheck check;
  };

  void check_regions(const std::vector<models::ProcessSpec>& processes) const;

  std::vector<YamlField> named_;
  std::vector<YamlField> read_;
  std::vector<NamedRegion> regions_;
};

/// Reads the keys of a thread whose process has `regions`; adds whom it names to `targets`. Leaves it to the caller to
/// refuse unknown keys.
using CompetitorReader = models::Competitor (*)(YamlMap& thread, const Regions& regions, Targets& targets);

/// That of the kind which `run` names. Nothing after a diagnostic.
[[nodiscard]] std::optional<CompetitorReader> competitor_reader(const YamlField& run);

}  // namespace experiments
