// Reads how threads are scheduled: control groups, and a thread's niceness, CPUs and group.
#pragma once

#include <vector>

#include "models/spec/sched.h"

namespace experiments {

class YamlField;
class YamlMap;

/// A map of control groups by name.
[[nodiscard]] std::vector<models::GroupSpec> read_groups(const YamlField& field);

/// The keys `nice`, `cpus` and `group` of a thread on a machine with so many CPUs, in one of `groups`.
[[nodiscard]] models::SchedSpec read_sched(YamlMap& map, int cpus, const std::vector<models::GroupSpec>& groups);

}  // namespace experiments
