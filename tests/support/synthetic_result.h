// Results that nobody simulated: figures chosen by a test, for what is computed from results.
#pragma once

#include <boost/container/flat_map.hpp>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/measure/result.h"
#include "models/spec/scenario.h"

namespace tests {

/// `count` requests of this latency, all of it due to `cause`.
inline models::Samples spent(std::uint64_t count, sim::Nanoseconds latency, models::Cause cause) {
  models::Samples samples;
  models::TimeByCause parts{};
  parts[static_cast<std::size_t>(cause)] = latency;
  for (std::uint64_t sample = 0; sample < count; ++sample) samples.record(latency, parts);
  return samples;
}

inline models::Samples worked(std::uint64_t count, sim::Nanoseconds latency) {
  return spent(count, latency, models::Cause::cpu);
}

/// `count` requests of this latency, all of it waiting for the semaphore because of `blame`.
inline models::Samples waited(std::uint64_t count, sim::Nanoseconds latency, const models::LockBlame& blame) {
  models::Samples samples;
  models::TimeByCause parts{};
  parts[static_cast<std::size_t>(models::Cause::lock_wait)] = latency;
  for (std::uint64_t sample = 0; sample < count; ++sample) {
    samples.record(latency, parts)[blame] += latency;
  }
  return samples;
}

inline models::Samples both(models::Samples some, const models::Samples& more) {
  some.merge(more);
  return some;
}

using ClassSamples = std::map<models::Phase, models::Samples>;
using Classes = std::vector<std::pair<std::string, ClassSamples>>;

inline models::Result result_of(const Classes& classes, std::uint64_t seed = 1) {
  models::Result result;
  result.scenario = "synthetic";
  result.seed = seed;
  result.sim_time = std::chrono::seconds{1};
  for (const auto& [name, during] : classes) {
    models::ClassResult each;
    each.name = name;
    each.during = during;
    for (const auto& [phase, samples] : during) {
      const models::Blame blame = samples.blame();
      for (std::size_t cause = 0; cause < models::kCauseCount; ++cause) each.time[cause] += blame.causes[cause];
      for (const auto& [lock, wait] : blame.lock_waits) each.lock_waits[lock] += wait;
    }
    result.classes.push_back(each);
  }
  return result;
}

inline models::Policy write_held() {
  models::Policy policy;
  policy.name = "write_held";
  return policy;
}

inline models::Policy downgrade() {
  models::Policy policy;
  policy.name = "downgrade";
  policy.populate = {models::HoldMode::downgrade};
  return policy;
}

inline models::Policy unlock_downgrade() {
  models::Policy policy = downgrade();
  policy.name = "unlock_downgrade";
  policy.munlock = {models::HoldMode::downgrade};
  return policy;
}

inline models::Scenario scenario_of(std::vector<models::Policy> policies) {
  models::Scenario scenario;
  scenario.name = "synthetic";
  scenario.policies = std::move(policies);
  return scenario;
}

}  // namespace tests
