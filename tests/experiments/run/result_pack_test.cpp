#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "experiments/run/result_json.h"
#include "experiments/run/result_pack.h"
#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/synthetic_result.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::result_pack_test {
namespace {

using models::Phase;
using namespace std::chrono_literals;

void expect_equal(const models::Result& restored, const models::Result& original) {
  EXPECT_TRUE(restored == original) << to_json(restored).dump(1) << to_json(original).dump(1);
  EXPECT_EQ(pack(restored), pack(original));
}

TEST(ResultPack, BringsBackARealResultUnderEveryPolicy) {
  const models::Scenario scenario = tests::tiny_scenario();
  for (const models::Policy& policy : scenario.policies) {
    tests::check_in_child([&] {
      const models::Result result = models::simulate(scenario, policy, {});
      EXPECT_GT(result.classes[1].total().latency().count(), 100u);
      expect_equal(unpack(pack(result)), result);
    });
  }
}

TEST(ResultPack, BringsBackAnEmptyResult) { expect_equal(unpack(pack(models::Result())), models::Result()); }

TEST(ResultPack, BringsBackASeriesAsStoresUpToResultVersion9HaveIt) {
  models::Result result;
  result.memory.series.free.record(sim::Time{1us}, 7);
  result.memory.series.free.record(sim::Time{3us}, 5);
  auto json = nlohmann::json::from_cbor(pack(result));
  nlohmann::json& list = json.at("memory").at("series").at("free").at(2);
  const auto numbers = list.get<std::vector<std::int64_t>>();
  ASSERT_FALSE(numbers.empty());
  list = nlohmann::json::array();
  for (std::size_t at = 0; at < numbers.size(); at += 3) {
    list.push_back({{"min", numbers[at]}, {"max", numbers[at + 1]}, {"last", numbers[at + 2]}});
  }
  expect_equal(unpack(nlohmann::json::to_cbor(json)), result);
}

/// A list of values as an object that has a name for each.
nlohmann::json named(const nlohmann::json& list, const std::vector<const char*>& names) {
  EXPECT_EQ(list.size(), names.size());
  nlohmann::json object;
  for (std::size_t at = 0; at < names.size(); ++at) object[names[at]] = list.at(at);
  return object;
}

TEST(ResultPack, BringsBackBlameAndStepsAsStoresUpToResultVersion11HaveThem) {
  const auto lock_blame = [](const nlohmann::json& list) {
    return named(list, {"holder", "phase", "mode", "convoy", "doing", "cpu_taken_by", "lock"});
  };
  const models::LockBlame monitor{0, Phase::mlock_populate, models::LockMode::read, 2};
  auto result = tests::result_of({{"a", {{Phase::mlock, tests::waited(3, 1ms, monitor)}}}, {"b", {}}, {"c", {}}});
  models::WorstRequest worst;
  worst.steps = {{sim::Time{1us}, sim::Time{2us}, models::Cause::lock_wait, monitor},
                 {sim::Time{2us}, sim::Time{3us}, models::Cause::cpu, {}}};
  result.classes[0].worst = {worst};
  auto json = nlohmann::json::from_cbor(pack(result));
  nlohmann::json& first = json.at("classes").at(0);
  for (nlohmann::json& blame : first.at("during").at(0).at(1).at(1)) {
    blame.at(1) = named(blame.at(1), {"count", "causes", "lock_waits"});
    for (nlohmann::json& wait : blame.at(1).at("lock_waits")) wait.at(0) = lock_blame(wait.at(0));
  }
  for (nlohmann::json& step : first.at("worst").at(0).at("steps")) {
    step = named(step, {"from", "to", "cause", "lock"});
    for (nlohmann::json& lock : step.at("lock")) lock = lock_blame(lock);
  }
  expect_equal(unpack(nlohmann::json::to_cbor(json)), result);
}

TEST(ResultPack, BringsBackAClassWithoutSamples) {
  const auto result = tests::result_of({{"locker", {}}});
  const models::Result restored = unpack(pack(result));
  ASSERT_EQ(restored.classes.size(), 1u);
  EXPECT_EQ(restored.classes[0].name, "locker");
  EXPECT_TRUE(restored.classes[0].during.empty());
}

TEST(ResultPack, BringsBackWhoKeptWhomOut) {
  const models::LockBlame convoy{0, Phase::mlock_populate, models::LockMode::read, 2};
  const auto samples = tests::both(tests::waited(3, 1ms, convoy), tests::worked(2, 0ns));
  const auto result = tests::result_of({{"a", {{Phase::mlock, samples}}}, {"b", {}}, {"c", {}}});
  const auto restored = unpack(pack(result));
  EXPECT_TRUE(restored.classes.at(0).during.at(Phase::mlock) == samples);
  EXPECT_EQ(restored.classes.at(0).total().blame().lock_waits.at(convoy), 3ms);
}

TEST(ResultPack, HasRareCausesWhereThereAreAny) {
  const auto quiet = tests::result_of({{"a", {{Phase::idle, tests::worked(2, 3ms)}}}});
  for (const models::Cause cause : {models::Cause::interrupted, models::Cause::userfault}) {
    const auto result = tests::result_of({{"a", {{Phase::idle, tests::spent(2, 3ms, cause)}}}});
    const std::string name(to_string(cause));
    EXPECT_EQ(unpack(pack(result)).classes.at(0).total().blame().causes.at(static_cast<std::size_t>(cause)), 6ms);
    EXPECT_EQ(to_json(result)["classes"]["a"]["total"]["blame"][name], 6'000'000);
    EXPECT_EQ(to_json(result)["classes"]["a"]["time"][name], 6'000'000);
    EXPECT_FALSE(to_json(quiet)["classes"]["a"]["total"]["blame"].contains(name));
    EXPECT_EQ(to_json(quiet).dump().find(name), std::string::npos);
  }
}

TEST(ResultPack, BringsBackTheLargestFigures) {
  constexpr sim::Nanoseconds kLargest = sim::Histogram::kLargest;
  // Together the most that fits.
  const models::Samples samples = tests::both(tests::worked(1, kLargest), tests::worked(1, kLargest - 1ns));
  auto result = tests::result_of({{"a", {{Phase::idle, samples}}}}, std::numeric_limits<std::uint64_t>::max());
  result.sim_time = sim::Nanoseconds::max();
  result.events = std::numeric_limits<std::uint64_t>::max();
  const models::Result restored = unpack(pack(result));
  EXPECT_EQ(restored.seed, result.seed);
  EXPECT_EQ(restored.events, result.events);
  EXPECT_EQ(restored.sim_time, result.sim_time);
  EXPECT_TRUE(restored.classes[0].during.at(Phase::idle).latency() ==
              result.classes[0].during.at(Phase::idle).latency());
}

TEST(ResultPack, BringsBackFailedCallsAndTheOutcome) {
  models::Result result;
  result.outcome = models::Outcome::out_of_memory;
  result.classes.emplace_back().locker = true;
  models::CallRecord& mlock = result.classes.back().calls["mlock"];
  mlock.errors = {{EAGAIN, 2}, {ENOMEM, 5}};
  mlock.duration.record(1us);
  const models::Result restored = unpack(pack(result));
  EXPECT_EQ(restored.outcome, models::Outcome::out_of_memory);
  EXPECT_EQ(restored.classes.at(0).calls, result.classes.at(0).calls);
  EXPECT_EQ(to_json(restored).at("syscalls").at("mlock").at("failed"), 7);
  EXPECT_EQ(to_json(restored).at("syscalls").at("mlock").at("eagain"), 2);
}

TEST(ResultPack, RefusesAHistogramAndASeriesThatCannotBe) {
  auto result = tests::result_of({{"a", {{Phase::mlock, tests::worked(2, 3ms)}}}});
  result.memory.series.free.record(sim::Time{1us}, 7);
  const auto json = nlohmann::json::from_cbor(pack(result));
  auto sum = json;
  sum.at("classes").at(0).at("during").at(0).at(1).at(0).at("sum_low") = 1;
  EXPECT_THROW((void)unpack(nlohmann::json::to_cbor(sum)), nlohmann::json::exception);
  auto width = json;
  width.at("memory").at("series").at("free").at(1) = -1;
  EXPECT_THROW((void)unpack(nlohmann::json::to_cbor(width)), nlohmann::json::exception);
}

TEST(ResultPack, RefusesBytesThatItDidNotMake) {
  auto bytes = pack(tests::result_of({{"a", {{Phase::idle, tests::worked(20, 1us)}}}}));
  bytes.resize(bytes.size() / 2);
  EXPECT_THROW((void)unpack(bytes), nlohmann::json::exception);
  EXPECT_THROW((void)unpack({}), nlohmann::json::exception);
  EXPECT_THROW((void)unpack({0xa0}), nlohmann::json::exception) << "an empty map";
}

}  // namespace
}  // namespace experiments::result_pack_test
