// The default way through a run, with its look-ahead, and one step at a time: the same result for all that is shipped.
// Random scenarios are in simulation_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/scenario_file.h"
#include "models/simulation.h"
#include "sim/overloaded.h"
#include "tests/support/in_child.h"
#include "tests/support/places.h"
#include "tests/support/result_text.h"

namespace experiments::stepwise_test {
namespace {

using models::Bytes;
using models::kPageSize;

const std::vector<models::Policy>& shipped_policies() {
  static const std::vector<models::Policy> kPolicies = [] {
    std::vector<models::Policy> policies;
    for (const ConfigEntry& entry : list_configs(ConfigKind::policies)) policies.push_back(read_policy(entry.path));
    return policies;
  }();
  return kPolicies;
}

std::string bytes_of(const models::Scenario& scenario, const models::Policy& policy, bool stepwise) {
  return tests::in_child([&] { return tests::packed(models::simulate(scenario, policy, {stepwise, {}}), stepwise); });
}

void expect_same_bytes(const models::Scenario& scenario, const models::Policy& policy) {
  EXPECT_EQ(tests::difference(bytes_of(scenario, policy, false), bytes_of(scenario, policy, true)), "")
      << scenario.name << " under " << policy.name;
}

// --- in small ------------------------------------------------------------------------------------------------

constexpr std::int64_t kSmaller = 1024;
constexpr std::int64_t kShorter = 200;
constexpr std::int64_t kMoreOften = 4;

Bytes smaller(Bytes bytes) { return Bytes(bytes.count() / kSmaller / kPageSize * kPageSize); }

sim::Distribution more_often(const sim::Distribution& distribution) {
  return std::visit(
      sim::Overloaded{
          [](const sim::Constant& each) -> sim::Distribution { return sim::Constant{each.value / kMoreOften}; },
          [](const sim::Exponential& each) -> sim::Distribution { return sim::Exponential{each.mean / kMoreOften}; },
          [](const auto& each) -> sim::Distribution { return each; },
      },
      distribution.kind());
}

void come_more_often(models::Arrival& arrival) {
  std::visit(sim::Overloaded{
                 [](models::ClosedLoop& closed) { closed.think = more_often(closed.think); },
                 [](models::OpenLoop& open) { open.every = more_often(open.every); },
             },
             arrival);
}

void shrink(models::LockerSpec& locker) {
  locker.repeat = std::max(1, locker.repeat / 1000);
  for (models::ScriptStep& step : locker.script) {
    step.hold /= kShorter;
    step.size = std::max(smaller(step.size), std::min(step.size, Bytes(kPageSize)));
  }
}

models::Scenario in_small(models::Scenario scenario) {
  models::MemorySpec& memory = scenario.memory;
  memory.size = Bytes(memory.size.count() / kSmaller + (Bytes(8 << 20)).count());
  for (Bytes* each : {&memory.free, &memory.anon, &memory.file}) *each = smaller(*each);
  memory.free = Bytes(memory.free.count() + (8 << 20));
  if (scenario.duration) *scenario.duration /= kShorter;
  for (models::ProcessSpec& process : scenario.processes) {
    for (models::RegionSpec& region : process.regions) {
      region.vmas = std::min(region.vmas, 50);
      region.size = std::max(smaller(region.size), Bytes(region.vmas * kPageSize));
    }
    for (models::ThreadSpec& thread : process.threads) {
      std::visit(sim::Overloaded{
                     [](models::LockerSpec& spec) { shrink(spec); },
                     [](models::BusySpec&) {},
                     [](models::ReplaySpec&) {},
                     [](models::UserfaultSpec& spec) {
                       if (spec.push) *spec.push = more_often(*spec.push);
                     },
                     [](auto& spec) { come_more_often(spec.arrival); },
                 },
                 thread.run);
    }
  }
  return scenario;
}

std::vector<std::filesystem::path> shipped_scenarios() {
  tests::use_source_configs();
  std::vector<std::filesystem::path> files;
  for (const ConfigKind kind : {ConfigKind::scenarios, ConfigKind::incidents}) {
    for (const auto& entry : list_configs(kind)) files.push_back(entry.path);
  }
  return files;
}

class ShippedScenarios : public testing::TestWithParam<std::filesystem::path> {};
INSTANTIATE_TEST_SUITE_P(, ShippedScenarios, testing::ValuesIn(shipped_scenarios()),
                         [](const auto& each) { return each.param.stem().string(); });

// Every twelfth policy for one scenario, the next ones for the next: each policy has its turn in three scenarios or
// more.
TEST_P(ShippedScenarios, GiveTheSameBytesStepwise) {
  constexpr std::size_t kTurns = 12;
  const models::Scenario scenario = in_small(read_scenario(GetParam()));
  const std::vector<std::filesystem::path> scenarios = shipped_scenarios();
  const std::vector<models::Policy>& policies = shipped_policies();
  const auto turn = std::find(scenarios.begin(), scenarios.end(), GetParam()) - scenarios.begin();
  for (auto each = static_cast<std::size_t>(turn) % kTurns; each < policies.size(); each += kTurns)
    expect_same_bytes(scenario, policies[each]);
}

}  // namespace
}  // namespace experiments::stepwise_test
