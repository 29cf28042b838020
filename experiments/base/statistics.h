// What a handful of replications says about a mean, and about the difference between two policies.
//
// Scope. Replications are independent and are one number each (a percentile of one run, a total, a duration).
// The intervals are Student's: exact for normal numbers, and close for others as replications become many.
// Policies run on common random numbers, so they are compared seed by seed: the paired difference has the
// demands' own variance taken out (Law, "Simulation Modeling and Analysis", sections 10.2 and 11.2).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace experiments {

/// As many as a command or a study may ask for: an interval gets narrower with the root of their number, and more than
/// these mean a mistake.
inline constexpr int kMostReplications = 10'000;

/// A mean and the confidence interval around it, in the unit of the samples. low <= mean <= high.
struct Interval {
  double mean;
  double low;
  double high;
  std::size_t samples;
  bool operator==(const Interval&) const = default;
};

/// The arithmetic mean. Precondition: there are samples.
double mean_of(std::span<const double> samples);

/// mean +- t sqrt(s^2 / n), where s^2 is the unbiased sample variance and t the (1 + confidence) / 2 quantile
/// of Student's distribution with n - 1 degrees of freedom. Samples that are all equal give an interval of
/// width zero. Nothing for fewer than two samples, which say nothing about their spread.
/// Preconditions: 0 < confidence < 1; every sample is finite.
std::optional<Interval> mean_interval(std::span<const double> samples, double confidence = 0.95);

/// The mean_interval of after[i] - before[i], where i is the replication (one seed for both).
/// Precondition: both have the same number of samples.
std::optional<Interval> paired_difference(std::span<const double> before, std::span<const double> after,
                                          double confidence = 0.95);

/// The geometric mean of after[i] / before[i] and its interval: the mean_interval of their logarithms.
/// Preconditions: as many of both, and all above 0.
std::optional<Interval> paired_ratio(std::span<const double> before, std::span<const double> after,
                                     double confidence = 0.95);

/// A confidence interval for a quantile of the distribution that `samples` come from, by order statistics: whatever the
/// distribution, it covers the quantile with at least `confidence` (David and Nagaraja, "Order Statistics", 7.1).
/// `mean` is the sample quantile itself. Nothing where there are too few samples for any two of them to enclose it: the
/// median needs 6 at 95 %, the 99th percentile 368.
/// Preconditions: 0 < quantile < 1, 0 < confidence < 1; samples are independent.
std::optional<Interval> quantile_interval(std::vector<double> samples, double quantile, double confidence = 0.95);

/// Whether the interval of a difference excludes zero.
bool shows_difference(const Interval& interval);

}  // namespace experiments
