// The default way through a run, with its look-ahead, and one step at a time: the same bytes for all that is shipped.
// Random scenarios are in simulation_test.cpp.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "experiments/run/result_json.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/scenario_file.h"
#include "models/simulation.h"
#include "sim/overloaded.h"
#include "tests/support/in_child.h"
#include "tests/support/places.h"

namespace experiments::stepwise_test {
namespace {

using models::Bytes;
using models::kPageSize;

std::vector<models::Policy> shipped_policies() {
  std::vector<models::Policy> policies;
  for (const ConfigEntry& entry : list_configs(ConfigKind::policies)) policies.push_back(read_policy(entry.path));
  return policies;
}

std::string bytes_of(const models::Scenario& scenario, const models::Policy& policy, bool stepwise) {
  return tests::in_child([&] {
    Json json = to_json(models::simulate(scenario, policy, {stepwise, {}}));
    json["engine"].erase("wall_ns");
    return json.dump(1);
  });
}

// The first line that differs, for a person.
std::string difference(const std::string& one, const std::string& other) {
  const auto [left, right] = std::mismatch(one.begin(), one.end(), other.begin(), other.end());
  if (left == one.end() && right == other.end()) return {};
  const auto line = [](const std::string& text, std::string::const_iterator at) {
    const auto place = static_cast<std::size_t>(at - text.begin());
    const std::size_t begin = place == 0 ? 0 : text.rfind('\n', place - 1) + 1;
    return text.substr(begin, 120);
  };
  return line(one, left) + "\nstepwise:\n" + line(other, right);
}

void expect_same_bytes(const models::Scenario& scenario, const models::Policy& policy) {
  const std::string by_default = bytes_of(scenario, policy, false);
  ASSERT_EQ(by_default.find("child failed"), std::string::npos) << by_default.substr(0, 500);
  EXPECT_EQ(difference(by_default, bytes_of(scenario, policy, true)), "") << scenario.name << " under " << policy.name;
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

TEST_P(ShippedScenarios, GiveTheSameBytesStepwiseUnderEveryPolicy) {
  const models::Scenario scenario = in_small(read_scenario(GetParam()));
  for (const models::Policy& policy : shipped_policies()) expect_same_bytes(scenario, policy);
}

}  // namespace
}  // namespace experiments::stepwise_test
