// Reads how threads are scheduled: control groups, and a thread's niceness, CPUs and group.
#pragma once

#include <vector>

#include "models/spec/memory.h"
#include "models/spec/sched.h"

namespace experiments {

class YamlField;
class YamlMap;

/// A map of control groups by name. `era`: whose rules memory is managed by; limits of memory need today's.
[[nodiscard]] std::vector<models::GroupSpec> read_groups(const YamlField& field, models::ReclaimEra era);

/// One of `groups` by its name: its number; -1 if there is none of that name, which is a mistake.
[[nodiscard]] int read_group(const YamlField& field, const std::vector<models::GroupSpec>& groups);

/// The keys `nice`, `cpus` and `group` of a thread on a machine with so many CPUs, in one of `groups`: without the key
/// `group` in `group_of_process`.
[[nodiscard]] models::SchedSpec read_sched(YamlMap& map, int cpus, const std::vector<models::GroupSpec>& groups,
                                           int group_of_process);

}  // namespace experiments
