#include "models/measure/result.h"

#include <algorithm>

namespace models {

sim::Nanoseconds ClassResult::cpu() const {
  return time[static_cast<std::size_t>(Cause::cpu)] + time[static_cast<std::size_t>(Cause::direct_reclaim)] + spin;
}

sim::Nanoseconds ClassResult::longest() const {
  sim::Nanoseconds longest = longest_cut_off;
  if (longest_warm_up) longest = std::max(longest, longest_warm_up->latency);
  for (const auto& [phase, samples] : during) {
    if (!samples.latency().empty()) longest = std::max(longest, samples.latency().max());
  }
  return longest;
}

Samples ClassResult::total() const {
  Samples all;
  for (const auto& [phase, samples] : during) all.merge(samples);
  return all;
}

Samples ClassResult::during_call(Phase call) const {
  Samples all;
  for (const auto& [phase, samples] : during) {
    if (call_of(phase) == call) all.merge(samples);
  }
  return all;
}

std::vector<std::string> Result::class_names() const {
  std::vector<std::string> names;
  for (const ClassResult& each : classes) names.push_back(each.name);
  return names;
}

const ClassResult* Result::find_class(const std::string& name) const {
  const auto found =
      std::find_if(classes.begin(), classes.end(), [&](const ClassResult& each) { return each.name == name; });
  return found == classes.end() ? nullptr : &*found;
}

CallRecords Result::calls() const {
  CallRecords all;
  for (const ClassResult& each : classes) {
    if (!each.locker) continue;
    for (const auto& [name, call] : each.calls) all[name].add(call);
  }
  return all;
}

Result without_wall(Result result) {
  result.wall = {};
  return result;
}

}  // namespace models
