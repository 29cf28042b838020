#include "experiments/study/stored_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <tuple>
#include <vector>

#include "experiments/run/result_pack.h"
#include "tests/support/synthetic_result.h"

namespace experiments::stored_result_test {
namespace {

using testing::Contains;
using testing::ElementsAre;

using std::chrono::nanoseconds;

/// Twenty faults of nine nanoseconds, and a call of forty.
models::Result result_of_faults() {
  models::Result result =
      tests::result_of({{"locker", {}}, {"faulter", {{models::Phase::idle, tests::worked(20, nanoseconds(9))}}}});
  result.classes[0].locker = true;
  result.classes[0].calls["mlock"].duration.record(nanoseconds(40));
  return result;
}

TEST(StoredResult, HasAFigureForEachClassPhaseAndCall) {
  const StoredResult stored = stored_result(result_of_faults());
  std::vector<std::string> places;
  for (const auto& figure : stored.figures) places.push_back(figure.class_name + " " + figure.phase);
  EXPECT_THAT(places, ElementsAre("locker total", "locker mlock", "faulter total", "faulter idle"));
  const auto& faults = stored.figures.at(2);
  EXPECT_EQ(faults.values.at(statistic_place("count")), 20);
  EXPECT_EQ(faults.values.at(statistic_place("p50")), 9);
  EXPECT_EQ(faults.values.at(statistic_place("p999")), std::nullopt) << "of twenty samples";
  EXPECT_FALSE(faults.blame.empty());
  EXPECT_TRUE(stored.figures.at(1).blame.empty()) << "of a call";
}

TEST(StoredResult, HasTheNumbersOutsideTheClassesAsFacts) {
  const StoredResult stored = stored_result(result_of_faults());
  std::vector<std::string> names;
  for (const auto& fact : stored.facts) names.push_back(fact.name);
  EXPECT_THAT(names, Contains("syscalls.mlock.mean_ns"));
  EXPECT_THAT(names, Contains("sim_time_ns"));
  EXPECT_THAT(names, testing::Not(Contains("engine.wall_ns"))) << "it differs from run to run";
  EXPECT_THAT(names, testing::Not(Contains(testing::StartsWith("classes."))));
}

TEST(StoredResult, ArrivesAsItWasSent) {
  const models::Result result = result_of_faults();
  const StoredResult sent = stored_result(result);
  const StoredResult got = read_stored_result(to_bytes(sent));
  const auto fields = [](const StoredResult::Figure& figure) {
    return std::tie(figure.class_name, figure.phase, figure.values, figure.blame, figure.tail_blame);
  };
  EXPECT_EQ(got.outcome, sent.outcome);
  EXPECT_EQ(got.result, sent.result);
  EXPECT_EQ(unpack(got.result), result);
  EXPECT_TRUE(std::equal(got.figures.begin(), got.figures.end(), sent.figures.begin(), sent.figures.end(),
                         [&](const auto& a, const auto& b) { return fields(a) == fields(b); }));
  EXPECT_TRUE(std::equal(got.facts.begin(), got.facts.end(), sent.facts.begin(), sent.facts.end(),
                         [](const auto& a, const auto& b) { return a.name == b.name && a.value == b.value; }));
}

}  // namespace
}  // namespace experiments::stored_result_test
