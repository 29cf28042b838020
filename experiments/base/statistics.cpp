#include "experiments/base/statistics.h"

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/statistics/univariate_statistics.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <vector>

namespace experiments {

namespace {

double student_quantile(std::size_t samples, double confidence) {
  const boost::math::students_t distribution(static_cast<double>(samples - 1));
  return quantile(complement(distribution, (1 - confidence) / 2));
}

}  // namespace

double mean_of(std::span<const double> samples) {
  assert(!samples.empty());
  return boost::math::statistics::mean(samples.begin(), samples.end());
}

std::optional<Interval> mean_interval(std::span<const double> samples, double confidence) {
  assert(confidence > 0 && confidence < 1);
  if (samples.size() < 2) return std::nullopt;
  const double mean = mean_of(samples);
  const double variance = boost::math::statistics::sample_variance(samples.begin(), samples.end());
  const double standard_error = std::sqrt(variance / static_cast<double>(samples.size()));
  const double half_width = student_quantile(samples.size(), confidence) * standard_error;
  return Interval{mean, mean - half_width, mean + half_width, samples.size()};
}

std::optional<Interval> paired_difference(std::span<const double> before, std::span<const double> after,
                                          double confidence) {
  assert(before.size() == after.size() && "every replication needs its partner");
  std::vector<double> differences(before.size());
  std::transform(after.begin(), after.end(), before.begin(), differences.begin(), std::minus<>());
  return mean_interval(differences, confidence);
}

std::optional<Interval> paired_ratio(std::span<const double> before, std::span<const double> after, double confidence) {
  assert(before.size() == after.size() && "every replication needs its partner");
  std::vector<double> logarithms(before.size());
  std::transform(after.begin(), after.end(), before.begin(), logarithms.begin(), [](double a, double b) {
    assert(a > 0 && b > 0);
    return std::log(a / b);
  });
  const auto interval = mean_interval(logarithms, confidence);
  if (!interval) return std::nullopt;
  return Interval{std::exp(interval->mean), std::exp(interval->low), std::exp(interval->high), interval->samples};
}

std::optional<Interval> quantile_interval(std::vector<double> samples, double quantile, double confidence) {
  assert(quantile > 0 && quantile < 1 && confidence > 0 && confidence < 1);
  const auto count = static_cast<double>(samples.size());
  if (samples.empty()) return std::nullopt;
  std::sort(samples.begin(), samples.end());
  // How many samples are below the quantile is binomial: B of them lie below the low end with P(B < low) and above the
  // high end with P(B >= high), and each may happen with half of what confidence leaves.
  const double tail = (1 - confidence) / 2;
  const boost::math::binomial_distribution<> below(count, quantile);
  const auto at_most = [&](std::size_t number) { return cdf(below, static_cast<double>(number)); };
  const auto at_least = [&](std::size_t number) {
    return number == 0 ? 1.0 : cdf(complement(below, static_cast<double>(number - 1)));
  };
  // The library's quantiles are near; which side of them is meant is for the steps to say.
  auto low = static_cast<std::size_t>(boost::math::quantile(below, tail));
  while (low > 0 && at_most(low - 1) > tail) --low;
  while (low < samples.size() && at_most(low) <= tail) ++low;
  auto high = static_cast<std::size_t>(boost::math::quantile(complement(below, tail)));
  while (high > 0 && at_least(high) <= tail) --high;
  while (high < samples.size() && at_least(high + 1) > tail) ++high;
  // The low-th smallest sample (from 1) is above the quantile when fewer than `low` are below it.
  if (low == 0 || high >= samples.size()) return std::nullopt;
  const auto rank = static_cast<std::size_t>(std::ceil(quantile * count));
  return Interval{samples[std::max<std::size_t>(rank, 1) - 1], samples[low - 1], samples[high], samples.size()};
}

bool shows_difference(const Interval& interval) { return interval.low > 0 || interval.high < 0; }

}  // namespace experiments
