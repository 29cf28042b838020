#include "sim/distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "sim/random.h"

namespace sim::distribution_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSampleCount = 200'000;

// Wide enough that a right implementation fails one check in 16,000 seeds. The seeds are fixed.
constexpr double kStandardErrors = 4;

std::vector<Nanoseconds> draw(const Distribution& distribution) {
  Stream stream(1, "distribution_test", "samples");
  std::vector<Nanoseconds> samples(kSampleCount);
  std::generate(samples.begin(), samples.end(), [&] { return distribution.sample(stream); });
  return samples;
}

double mean_of(const std::vector<Nanoseconds>& samples) {
  const auto sum = std::accumulate(samples.begin(), samples.end(), 0ns);
  return static_cast<double>(sum.count()) / static_cast<double>(samples.size());
}

void expect_mean(const std::vector<Nanoseconds>& samples, double mean, double deviation) {
  EXPECT_NEAR(mean_of(samples), mean, kStandardErrors * deviation / std::sqrt(kSampleCount));
}

// The number of samples up to the true quantile is binomial.
void expect_quantile(const std::vector<Nanoseconds>& samples, double quantile, Nanoseconds value) {
  const auto below = std::count_if(samples.begin(), samples.end(), [&](Nanoseconds sample) { return sample <= value; });
  const double standard_error = std::sqrt(quantile * (1 - quantile) / kSampleCount);
  EXPECT_NEAR(static_cast<double>(below) / kSampleCount, quantile, kStandardErrors * standard_error)
      << "at the quantile " << quantile;
}

void expect_none_below_least(const Distribution& distribution, const std::vector<Nanoseconds>& samples) {
  EXPECT_GE(*std::min_element(samples.begin(), samples.end()), distribution.least());
}

bool leaves_the_stream_alone(const Distribution& distribution) {
  Stream used(1, "distribution_test", "alone");
  Stream untouched = used;
  static_cast<void>(distribution.sample(used));
  return used() == untouched();
}

TEST(Distribution, AConstantIsAlwaysItsValue) {
  const Distribution constant = Constant{250ns};
  Stream stream(1, "distribution_test", "constant");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(constant.sample(stream), 250ns);
  EXPECT_EQ(constant.constant(), 250ns);
  EXPECT_EQ(constant.least(), 250ns);
  EXPECT_EQ(constant.mean(), 250);
}

TEST(Distribution, OnlyAConstantLeavesTheStreamAlone) {
  EXPECT_TRUE(leaves_the_stream_alone(Constant{250ns}));
  EXPECT_FALSE(leaves_the_stream_alone(Uniform{1ns, 2ns}));
  EXPECT_FALSE(leaves_the_stream_alone(Exponential{1us}));
  EXPECT_FALSE(leaves_the_stream_alone(Lognormal{1us, 2us}));
  EXPECT_FALSE(leaves_the_stream_alone(Empirical{{1ns, 2ns}}));
}

TEST(Distribution, OnlyAConstantHasAConstant) {
  EXPECT_EQ(Distribution(Uniform{1ns, 2ns}).constant(), std::nullopt);
  EXPECT_EQ(Distribution(Exponential{1us}).constant(), std::nullopt);
  EXPECT_EQ(Distribution(Lognormal{1us, 2us}).constant(), std::nullopt);
  EXPECT_EQ(Distribution(Empirical{{1ns, 2ns}}).constant(), std::nullopt);
}

TEST(Distribution, TheDefaultIsNoTimeAtAll) { EXPECT_EQ(Distribution(), Distribution(Constant{0ns})); }

TEST(Distribution, UniformHasTheMeanAndQuantilesOfItsRange) {
  const Distribution uniform = Uniform{1000ns, 10'999ns};
  const std::vector<Nanoseconds> samples = draw(uniform);
  EXPECT_EQ(uniform.mean(), 5999.5);
  expect_mean(samples, 5999.5, 10'000 / std::sqrt(12));
  expect_quantile(samples, 0.1, 1999ns);
  expect_quantile(samples, 0.5, 5999ns);
  expect_quantile(samples, 0.99, 10'899ns);
}

TEST(Distribution, UniformIncludesBothEndsEquallyOften) {
  const Distribution die = Uniform{1ns, 6ns};
  const std::vector<Nanoseconds> samples = draw(die);
  for (Nanoseconds face = 1ns; face <= 6ns; ++face) {
    expect_quantile(samples, static_cast<double>(face.count()) / 6, face);
  }
  EXPECT_EQ(*std::min_element(samples.begin(), samples.end()), 1ns);
  EXPECT_EQ(*std::max_element(samples.begin(), samples.end()), 6ns);
  EXPECT_EQ(die.least(), 1ns);
}

TEST(Distribution, ExponentialHasItsMeanAndQuantiles) {
  const Distribution exponential = Exponential{50us};
  const std::vector<Nanoseconds> samples = draw(exponential);
  EXPECT_EQ(exponential.mean(), 50'000);
  expect_mean(samples, 50'000, 50'000);
  for (const double quantile : {0.1, 0.5, 0.9, 0.99, 0.999}) {
    expect_quantile(samples, quantile, Nanoseconds{std::llround(-50'000 * std::log(1 - quantile))});
  }
  expect_none_below_least(exponential, samples);
}

TEST(Distribution, LognormalHasItsMedianAndP99) {
  const Distribution lognormal = Lognormal{10us, 80us};
  const std::vector<Nanoseconds> samples = draw(lognormal);
  expect_quantile(samples, 0.5, 10us);
  expect_quantile(samples, 0.99, 80us);
  // By symmetry in the logarithm.
  expect_quantile(samples, 0.01, 1250ns);
  expect_none_below_least(lognormal, samples);
}

TEST(Distribution, LognormalHasTheMeanThatFollowsFromMedianAndP99) {
  const Distribution lognormal = Lognormal{10us, 80us};
  const double sigma = std::log(8.0) / 2.326347874;
  const double mean = 10'000 * std::exp(sigma * sigma / 2);
  EXPECT_NEAR(lognormal.mean(), mean, mean * 1e-8);
  expect_mean(draw(lognormal), mean, mean * std::sqrt(std::exp(sigma * sigma) - 1));
}

TEST(Distribution, LognormalWithItsP99AtItsMedianIsItsMedian) {
  const std::vector<Nanoseconds> samples = draw(Lognormal{10us, 10us});
  EXPECT_EQ(std::count(samples.begin(), samples.end(), 10us), static_cast<std::ptrdiff_t>(kSampleCount));
}

TEST(Distribution, EmpiricalDrawsItsSamplesEquallyOften) {
  const Distribution empirical = Empirical{{40ns, 10ns, 1000ns, 20ns, 30ns}};
  const std::vector<Nanoseconds> samples = draw(empirical);
  EXPECT_EQ(empirical.mean(), 220);
  EXPECT_EQ(empirical.least(), 10ns);
  // Deviation of the five values: sqrt of the mean square 200,600 less 220 squared.
  expect_mean(samples, 220, std::sqrt(200'600 - 48'400));
  expect_quantile(samples, 0.2, 10ns);
  expect_quantile(samples, 0.4, 20ns);
  expect_quantile(samples, 0.6, 30ns);
  expect_quantile(samples, 0.8, 999ns);
  EXPECT_EQ(*std::max_element(samples.begin(), samples.end()), 1000ns);
}

TEST(Distribution, EmpiricalCountsARepeatedSampleTwice) {
  const Distribution empirical = Empirical{{10ns, 10ns, 20ns, 30ns}};
  EXPECT_EQ(empirical.mean(), 17.5);
  expect_quantile(draw(empirical), 0.5, 10ns);
}

TEST(Distribution, EmpiricalOfOneSampleIsThatSample) {
  const std::vector<Nanoseconds> samples = draw(Empirical{{7ns}});
  EXPECT_EQ(std::count(samples.begin(), samples.end(), 7ns), static_cast<std::ptrdiff_t>(kSampleCount));
}

TEST(Distribution, LeastIsZeroWhereNothingKeepsADrawFromIt) {
  EXPECT_EQ(Distribution(Exponential{1us}).least(), 0ns);
  EXPECT_EQ(Distribution(Lognormal{1us, 2us}).least(), 0ns);
}

TEST(Distribution, KindsWithEqualParametersAreEqual) {
  EXPECT_EQ(Distribution(Uniform{1ns, 2ns}), Distribution(Uniform{1ns, 2ns}));
  EXPECT_NE(Distribution(Uniform{1ns, 2ns}), Distribution(Uniform{1ns, 3ns}));
  EXPECT_NE(Distribution(Constant{1ns}), Distribution(Exponential{1ns}));
}

}  // namespace
}  // namespace sim::distribution_test
