#include "experiments/base/statistics.h"

#include <gtest/gtest.h>

#include <boost/random/normal_distribution.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "sim/random.h"

namespace experiments::statistics_test {
namespace {

std::vector<double> normal_draws(sim::Stream& stream, std::size_t count, double mean, double deviation) {
  boost::random::normal_distribution<double> normal(mean, deviation);
  std::vector<double> draws(count);
  std::generate(draws.begin(), draws.end(), [&] { return normal(stream); });
  return draws;
}

TEST(MeanInterval, EqualsTheIntervalComputedByHand) {
  const std::vector<double> samples{1, 2, 3, 4, 5};
  const auto interval = mean_interval(samples);
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->samples, 5U);
  EXPECT_DOUBLE_EQ(interval->mean, 3);
  // s^2 = 2.5, standard error sqrt(2.5 / 5) = 0.7071068, t(0.975; 4) = 2.7764451 in any table.
  EXPECT_NEAR(interval->low, 3 - 1.9632432, 1e-6);
  EXPECT_NEAR(interval->high, 3 + 1.9632432, 1e-6);
}

TEST(MeanInterval, WidensWithConfidence) {
  const std::vector<double> samples{1, 2, 3, 4, 5};
  const auto interval = mean_interval(samples, 0.99);
  ASSERT_TRUE(interval);
  // t(0.995; 4) = 4.6040949
  EXPECT_NEAR(interval->high - interval->mean, 3.2555867, 1e-6);
  EXPECT_NEAR(interval->mean - interval->low, 3.2555867, 1e-6);
}

TEST(MeanInterval, OfTwoSamplesIsWide) {
  const std::vector<double> samples{1, 3};
  const auto interval = mean_interval(samples);
  ASSERT_TRUE(interval);
  // s^2 = 2, standard error 1, t(0.975; 1) = 12.7062047
  EXPECT_NEAR(interval->low, 2 - 12.7062047, 1e-6);
  EXPECT_NEAR(interval->high, 2 + 12.7062047, 1e-6);
}

TEST(MeanInterval, NeedsTwoSamples) {
  EXPECT_FALSE(mean_interval({}));
  EXPECT_FALSE(mean_interval(std::array{1.0}));
  EXPECT_TRUE(mean_interval(std::array{1.0, 1.0}));
}

TEST(MeanInterval, OfEqualSamplesHasNoWidth) {
  for (const double value : {0.0, 0.1, -3e9}) {
    const std::vector<double> samples(7, value);
    const auto interval = mean_interval(samples);
    ASSERT_TRUE(interval);
    EXPECT_DOUBLE_EQ(interval->mean, value);
    EXPECT_EQ(interval->low, interval->mean);
    EXPECT_EQ(interval->high, interval->mean);
  }
}

TEST(MeanInterval, CoversTheTrueMeanAsOftenAsItSays) {
  constexpr int kExperiments = 2000;
  constexpr double kTrueMean = 42;
  sim::Stream stream(20090203, "statistics_test", "coverage");
  int covered = 0;
  for (int experiment = 0; experiment < kExperiments; ++experiment) {
    const auto interval = mean_interval(normal_draws(stream, 10, kTrueMean, 5));
    ASSERT_TRUE(interval);
    if (interval->low <= kTrueMean && kTrueMean <= interval->high) ++covered;
  }
  EXPECT_NEAR(static_cast<double>(covered) / kExperiments, 0.95, 0.02);
}

TEST(PairedDifference, IsTheIntervalOfSecondMinusFirst) {
  const std::vector<double> before{10, 20, 30, 40, 50};
  const std::vector<double> after{11, 22, 33, 44, 55};
  EXPECT_EQ(paired_difference(before, after), mean_interval(std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(paired_difference(before, after, 0.99), mean_interval(std::vector<double>{1, 2, 3, 4, 5}, 0.99));
}

TEST(PairedDifference, NeedsTwoPairs) {
  EXPECT_FALSE(paired_difference({}, {}));
  EXPECT_FALSE(paired_difference(std::array{1.0}, std::array{2.0}));
}

TEST(PairedDifference, SeesThroughNoiseThatBothSidesShare) {
  sim::Stream stream(7, "statistics_test", "pairs");
  const std::vector<double> before = normal_draws(stream, 20, 100, 30);
  std::vector<double> after = normal_draws(stream, 20, 1, 0.5);
  std::transform(after.begin(), after.end(), before.begin(), after.begin(), std::plus<>());
  EXPECT_LT(mean_interval(after)->low, mean_interval(before)->high);
  EXPECT_TRUE(shows_difference(*paired_difference(before, after)));
}

TEST(QuantileInterval, IsBetweenTheOrderStatisticsOfTheTables) {
  // Median of 10: the 2nd and the 9th smallest, confidence 97.9 % (the 3rd and the 8th have 89.1 %).
  const auto interval = quantile_interval({10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.5);
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->low, 2);
  EXPECT_EQ(interval->high, 9);
  EXPECT_EQ(interval->mean, 5);
}

TEST(QuantileInterval, NeedsSamplesOnBothSides) {
  EXPECT_FALSE(quantile_interval({}, 0.5));
  EXPECT_FALSE(quantile_interval({1, 2, 3, 4, 5}, 0.5));
  EXPECT_TRUE(quantile_interval({1, 2, 3, 4, 5, 6}, 0.5));
  EXPECT_FALSE(quantile_interval(std::vector<double>(367, 1), 0.99));
  EXPECT_TRUE(quantile_interval(std::vector<double>(368, 1), 0.99));
}

// The share of trials in which an interval covers what it is for.
template <typename Interval>
double coverage(Interval interval, double truth) {
  constexpr int kTrials = 2000;
  int covered = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto found = interval(trial);
    if (found && found->low <= truth && truth <= found->high) ++covered;
  }
  return static_cast<double>(covered) / kTrials;
}

TEST(QuantileInterval, CoversThePercentilesOfALognormalDistribution) {
  // Percentiles of exp(N(0, 1)): exp of those of the normal distribution.
  for (const auto& [quantile, normal] :
       {std::pair(0.5, 0.0), std::pair(0.9, 1.2815515655446), std::pair(0.99, 2.3263478740408)}) {
    const auto interval = [quantile = quantile](int trial) {
      sim::Stream stream(static_cast<std::uint64_t>(trial), "statistics_test", "coverage");
      std::vector<double> draws = normal_draws(stream, 4000, 0, 1);
      for (double& draw : draws) draw = std::exp(draw);
      return quantile_interval(std::move(draws), quantile);
    };
    EXPECT_NEAR(coverage(interval, std::exp(normal)), 0.95, 0.02) << quantile;
  }
}

TEST(ShowsDifference, MeansThatTheIntervalExcludesZero) {
  EXPECT_TRUE(shows_difference({.mean = 2, .low = 1, .high = 3, .samples = 5}));
  EXPECT_TRUE(shows_difference({.mean = -2, .low = -3, .high = -1, .samples = 5}));
  EXPECT_FALSE(shows_difference({.mean = 1, .low = -1, .high = 3, .samples = 5}));
  EXPECT_FALSE(shows_difference({.mean = 1, .low = 0, .high = 2, .samples = 5}));
  EXPECT_FALSE(shows_difference({.mean = 0, .low = 0, .high = 0, .samples = 5}));
}

}  // namespace
}  // namespace experiments::statistics_test
