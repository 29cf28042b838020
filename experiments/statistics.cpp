#include "experiments/statistics.h"

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

std::optional<Interval> mean_interval(std::span<const double> samples, double confidence) {
  assert(confidence > 0 && confidence < 1);
  if (samples.size() < 2) return std::nullopt;
  const double mean = boost::math::statistics::mean(samples.begin(), samples.end());
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

bool shows_difference(const Interval& interval) { return interval.low > 0 || interval.high < 0; }

}  // namespace experiments
