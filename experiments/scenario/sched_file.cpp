#include "experiments/scenario/sched_file.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

constexpr int kHighestWeight = 10'000;  // CGROUP_WEIGHT_MAX

models::CpuMax read_cpu_max(const YamlField& field) {
  models::CpuMax cpu_max;
  cpu_max.period = std::chrono::milliseconds(100);
  YamlMap map = field.map("a map such as {quota: 20ms, period: 100ms}");
  assign(cpu_max.quota, map.require("quota"), positive_duration_of);
  assign(cpu_max.period, map.find("period"), positive_duration_of);
  map.refuse_unknown();
  return cpu_max;
}

std::vector<int> read_cpus(const YamlField& field, int count) {
  std::vector<int> cpus;
  for (const YamlField& item : field.items("a list of CPUs such as [0, 2]")) {
    if (const auto cpu = item.whole_number(0, static_cast<std::uint64_t>(std::max(1, count)) - 1, Limit::by_others)) {
      cpus.push_back(static_cast<int>(*cpu));
    }
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

/// A limit on the memory of the processes in a group.
std::optional<models::Bytes> read_memory_limit(const YamlField& field, models::ReclaimEra era) {
  if (era != models::ReclaimEra::linux_6_1) {
    field.refuse("limits of memory are modelled with `reclaim: linux-6.1` only");
    return std::nullopt;
  }
  return whole_pages_of(field);
}

}  // namespace

int read_group(const YamlField& field, const std::vector<models::GroupSpec>& groups) {
  const auto* const group = one_named(field, groups, "one of the scenario's `groups`");
  return group == nullptr ? -1 : static_cast<int>(group - groups.data());
}

std::vector<models::GroupSpec> read_groups(const YamlField& field, models::ReclaimEra era) {
  std::vector<models::GroupSpec> groups;
  const YamlMap map =
      field.map("a map of control groups, such as {monitoring: {cpu_max: {quota: 20ms, period: 100ms}}}");
  for (const YamlMap::Item& item : map.items_called("control group")) {
    check_name(map, item);
    models::GroupSpec& group = groups.emplace_back();
    group.name = item.key;
    YamlMap keys = item.value.map("a map with cpu_max, cpu_weight, memory_max or memory_high");
    assign(group.cpu_weight, keys.find("cpu_weight"), count_up_to(kHighestWeight));
    if (const auto cpu_max = keys.find("cpu_max")) group.cpu_max = read_cpu_max(*cpu_max);
    if (const auto max = keys.find("memory_max")) group.memory_max = read_memory_limit(*max, era);
    if (const auto high = keys.find("memory_high")) group.memory_high = read_memory_limit(*high, era);
    keys.refuse_unknown();
  }
  return groups;
}

models::SchedSpec read_sched(YamlMap& map, int cpus, const std::vector<models::GroupSpec>& groups,
                             int group_of_process) {
  models::SchedSpec sched;
  sched.group = group_of_process;
  assign(sched.nice, map.find("nice"), nice_of);
  if (const auto allowed = map.find("cpus")) sched.cpus = read_cpus(*allowed, cpus);
  const auto group = map.find("group");
  if (!group) return sched;
  sched.group = read_group(*group, groups);
  const bool limits = sched.group >= 0 && limits_memory(groups[static_cast<std::size_t>(sched.group)]);
  if (limits && sched.group != group_of_process) {
    group->refuse("memory is limited by process: expected `group` beside the name of the process, not of a thread");
  }
  return sched;
}

}  // namespace experiments
