#include "experiments/study/study_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "experiments/study/study_progress.h"

namespace experiments::study_results_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Measure kMax{"max", "faulter", "total", ""};

RunOutcome run_with(std::int64_t max) {
  RunOutcome run;
  run.key = "key";
  run.status = "done";
  run.figures[{"faulter", "total"}] = {20, {}, {}, {}, {}, {}, {}, max};
  return run;
}

PolicyOutcomes policy_with(const std::string& name, const std::vector<std::int64_t>& maxima) {
  PolicyOutcomes policy{name, {}};
  for (const std::int64_t max : maxima)
    policy.replications[static_cast<int>(policy.replications.size())] = run_with(max);
  return policy;
}

TEST(StudyResultsTest, DifferencesArePaired) {
  const PolicyOutcomes before = policy_with("a", {1000, 2000, 3000});
  const PolicyOutcomes after = policy_with("b", {1100, 2100, 3100});
  const auto interval = difference(before, after, kMax);
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->mean, 100);
  EXPECT_TRUE(shows_difference(*interval));
}

TEST(StudyResultsTest, WhatIsNotShownIsNeverCalledEqual) {
  StudyResults results;
  results.name = "s";
  results.axes = {"region"};
  results.measures = {kMax};
  results.points = {{0, {"1MiB"}, {policy_with("a", {1000, 2000, 3000}), policy_with("b", {1100, 1900, 3010})}}};
  EXPECT_THAT(to_text(results), HasSubstr("no difference shown"));
  EXPECT_EQ(to_json(results)["points"][0]["policies"][1]["measures"][0]["difference_shown"], false);
}

TEST(StudyResultsTest, BisectionFindsWhereAConditionBegins) {
  const Line line{10, 11, 12, 13, 14, 15, 16, 17, 18};
  for (std::size_t first = 11; first <= 18; ++first) {
    const Bisection found = bisect(line, [&](std::size_t point) { return std::optional(point >= first); });
    ASSERT_TRUE(found.bracket);
    EXPECT_EQ(found.bracket->first, first - 1);
    EXPECT_EQ(found.bracket->second, first);
    EXPECT_LE(found.asked.size(), 5u);
  }
  EXPECT_FALSE(bisect(line, [](std::size_t) { return std::optional(true); }).bracket);
  EXPECT_THAT(bisect(line, [](std::size_t) { return std::optional<bool>(); }).asked, ElementsAre(10));
}

TEST(StudyResultsTest, LinesDifferInOneAxisOnly) {
  EXPECT_THAT(lines_of({{"1", "a"}, {"1", "b"}, {"2", "a"}, {"2", "b"}}, 0),
              ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3)));
}

TEST(StudyResultsTest, SharesCountReplications) {
  StudyResults results;
  results.axes = {"region"};
  const PointOutcomes point{0, {"1MiB"}, {policy_with("a", {1000, 2000, 3000, 4000})}};
  EXPECT_EQ(share_holding(point, *parse_expression("max(faulter, a) > 2500ns"), results), 0.5);
  EXPECT_EQ(share_holding(point, *parse_expression("max(faulter, a) > 2500ns or region == 1MiB"), results), 1);
  EXPECT_EQ(share_holding(point, *parse_expression("max(faulter, b) > 2500ns"), results), std::nullopt);
  EXPECT_EQ(share_holding(point, *parse_expression("max(faulter, a) / 0 > 2500ns"), results), std::nullopt)
      << "what cannot be told is not counted";
  EXPECT_EQ(share_holding(point, *parse_expression("1us / (max(faulter, a) - 1000ns) <= 1"), results), 1)
      << "three of three, and one that cannot be told";
}

TEST(StudyResultsTest, PrecisionIsTheHalfWidthOverTheMean) {
  const PointOutcomes point{0, {}, {policy_with("a", {1000, 1010, 990, 5000})}};
  EXPECT_TRUE(is_precise(point, kMax, 3, 0.03));
  EXPECT_FALSE(is_precise(point, kMax, 3, 0.02));
  EXPECT_FALSE(is_precise(point, kMax, 4, 0.05));
  EXPECT_FALSE(is_precise(point, kMax, 1, 1));
}

TEST(StudyResultsTest, EffectsAreElasticities) {
  // The answer is a * b^2: b has twice the elasticity of a, and neither has a spread.
  StudyResults results;
  results.axes = {"a", "b"};
  const auto add = [&](const std::string& a, const std::string& b) {
    const auto max = static_cast<std::int64_t>(1e6 * std::stod(a) * std::pow(std::stod(b), 2));
    results.points.push_back({results.points.size(), {a, b}, {policy_with("p", {max})}});
  };
  for (const auto& [a, b] : {std::pair("1", "1"), std::pair("0.5", "1"), std::pair("2", "1"), std::pair("1", "0.5"),
                             std::pair("1", "2"), std::pair("0.5", "0.5"), std::pair("2", "0.5"), std::pair("2", "2"),
                             std::pair("2", "2"), std::pair("2", "0.5"), std::pair("0.5", "0.5")}) {
    add(a, b);
  }
  const auto effects = rank_factors(results, kMax, 0);
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_EQ(effects[0].factor, "b");
  EXPECT_NEAR(effects[0].mean_size, 2, 1e-3);
  EXPECT_NEAR(effects[0].alone_high, 2, 1e-3);
  EXPECT_NEAR(effects[1].mean_size, 1, 1e-3);
  EXPECT_NEAR(effects[1].spread, 0, 1e-3);
}

}  // namespace
}  // namespace experiments::study_results_test
