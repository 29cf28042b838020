// Regions side by side, and who waits for a munlock of one of them: the last columns of what was observed on 6.12 and
// 6.18 (who_waits_test.cpp), as scenarios say it.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/policy_file.h"
#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/places.h"
#include "tests/support/small_machine.h"

namespace experiments::beside_test {
namespace {

using namespace std::chrono_literals;
using models::Bytes;
using models::kPageSize;
using models::RegionSpec;
using sim::Constant;
using sim::Nanoseconds;
using Call = models::ScriptStep::Call;

constexpr std::int64_t kPages = 1000;
constexpr Nanoseconds kPage = 100ns;
constexpr Nanoseconds kCall = kPages * kPage;

struct Neighbour {
  bool beside = true;
  bool joins_anon_vma = true;
  RegionSpec::Pages pages = RegionSpec::Pages::resident;
};

models::Scenario scenario_with(const Neighbour& neighbour) {
  models::Scenario scenario;
  scenario.name = "beside";
  scenario.machine.cpus = 4;
  scenario.machine.scheduler = {1ms, 0ns, 0ns};
  scenario.machine.costs.munlock_page = Constant{kPage};
  scenario.machine.costs.mlock_page = Constant{1ns};
  scenario.machine.costs.fault = Constant{10ns};
  scenario.memory.size = Bytes(64 * tests::kMiB);
  scenario.memory.free = Bytes(32 * tests::kMiB);
  RegionSpec heap{"heap", Bytes(kPages * kPageSize)};
  heap.pages = RegionSpec::Pages::resident;
  heap.locked = true;
  RegionSpec near{"near", Bytes(10 * kPageSize)};
  near.pages = neighbour.pages;
  if (neighbour.beside) near.beside = "heap";
  near.joins_anon_vma = neighbour.beside && neighbour.joins_anon_vma;
  scenario.processes.push_back({"db", true, {}, {heap, near}, {}});
  using models::LockerSpec;
  scenario.processes.front().threads.push_back(
      {"locker", 1, LockerSpec{"heap", {{Call::hold, 50us}, {Call::munlock}, {Call::hold, 50us}}, 1}});
  models::FaulterSpec faulter;
  faulter.region = "near";
  faulter.arrival = models::OpenLoop{Constant{5us}};
  scenario.processes.front().threads.push_back({"faulter", 1, faulter});
  return scenario;
}

// The longest fault in the neighbour that was due during the call.
Nanoseconds longest_fault(const std::string& kernel, const Neighbour& neighbour) {
  tests::use_source_configs();
  const std::string longest = tests::in_child([&] {
    const models::Policy policy = read_policy(*find_config(ConfigKind::policies, kernel));
    const models::Result result = simulate(scenario_with(neighbour), policy, {});
    return std::to_string(result.classes.at(1).during_call(models::Phase::munlock).latency().max().count());
  });
  return Nanoseconds{std::stoll(longest)};
}

void expect_waits(const Neighbour& neighbour, const std::string& kernel, bool waits) {
  const Nanoseconds longest = longest_fault(kernel, neighbour);
  if (waits) {
    EXPECT_GT(longest, kCall * 9 / 10) << kernel;
  } else {
    EXPECT_LT(longest, kCall / 10) << kernel;
  }
}

TEST(Beside, AFaultInANeighbourThatIsMergedWithWaitsForTheMunlock) {
  for (const std::string kernel : {"linux-6.1", "linux-6.12", "linux-6.18"}) expect_waits({}, kernel, true);
}

TEST(Beside, WithAPageInBetweenItWaitsOnlyWithoutLocksOfVmas) {
  const Neighbour apart{.beside = false};
  expect_waits(apart, "linux-6.1", true);
  expect_waits(apart, "linux-6.12", false);
  expect_waits(apart, "linux-6.18", false);
}

TEST(Beside, WithAnAnonVmaOfItsOwnItIsNotMergedWith) {
  const Neighbour touched_apart{.joins_anon_vma = false};
  expect_waits(touched_apart, "linux-6.1", true);
  expect_waits(touched_apart, "linux-6.12", false);
  expect_waits(touched_apart, "linux-6.18", false);
}

TEST(Beside, OneThatNobodyHasTouchedYetIsMergedWith) {
  const Neighbour untouched{.joins_anon_vma = false, .pages = RegionSpec::Pages::absent};
  // Its first fault gives it an anon_vma of its own: with other flags it takes over none.
  expect_waits(untouched, "linux-6.12", false);
  models::Scenario scenario = scenario_with(untouched);
  scenario.processes.front().threads.back().run = [] {
    models::FaulterSpec late;
    late.region = "near";
    late.arrival = models::OpenLoop{Constant{60us}};
    return late;
  }();
  tests::check_in_child([&] {
    const models::Policy policy = read_policy(*find_config(ConfigKind::policies, "linux-6.12"));
    const models::Result result = simulate(scenario, policy, {});
    EXPECT_GT(result.classes.at(1).during_call(models::Phase::munlock).latency().max(), kCall / 2);
  });
}

TEST(Beside, WhatIsLockedFromTheStartIsCountedAndMlocked) {
  tests::check_in_child([] {
    models::Scenario scenario = scenario_with({});
    scenario.processes.front().threads.pop_back();
    const auto& locker = std::get<models::LockerSpec>(scenario.processes.front().threads.front().run);
    scenario.processes.front().threads.front().run = models::LockerSpec{"heap", {locker.script.front()}, 1};
    const models::Result result = simulate(scenario, models::Policy{}, {});
    EXPECT_EQ(result.memory.at_end.unevictable, models::PageCount(kPages));
  });
}

}  // namespace
}  // namespace experiments::beside_test
