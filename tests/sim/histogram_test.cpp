#include "sim/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sim/distribution.h"
#include "sim/random.h"

namespace sim::histogram_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSampleCount = 100'000;

struct NamedDistribution {
  std::string name;
  Distribution distribution;
};

std::vector<NamedDistribution> five_distributions() {
  return {
      {"uniform below the linear part's end", Uniform{0ns, 2000ns}},
      {"uniform over a second", Uniform{0ns, 1s}},
      {"exponential", Exponential{50us}},
      {"lognormal with a heavy tail", Lognormal{1us, 1s}},
      {"two far peaks", Empirical{{800ns, 801ns, 803ns, 3s, 3s + 1ns}}},
  };
}

std::vector<Nanoseconds> draw(const Distribution& distribution, std::uint64_t seed) {
  Stream stream(seed, "histogram_test", "samples");
  std::vector<Nanoseconds> samples(kSampleCount);
  std::generate(samples.begin(), samples.end(), [&] { return distribution.sample(stream); });
  return samples;
}

Histogram histogram_of(const std::vector<Nanoseconds>& samples) {
  Histogram histogram;
  for (const Nanoseconds sample : samples) histogram.record(sample);
  return histogram;
}

void expect_within_a_thousandth_above(Nanoseconds reported, Nanoseconds exact) {
  EXPECT_GE(reported, exact);
  EXPECT_LE(reported - exact, exact / 1000);
}

TEST(Histogram, QuantilesAreWithinAThousandthOfTheOrderStatistics) {
  struct Rank {
    double quantile;
    std::size_t rank;  // ceil(quantile * kSampleCount)
  };
  const std::vector<Rank> ranks{{0.0, 1},         {0.00001, 1},      {0.000011, 2},       {0.1, 10'000},
                                {0.5, 50'000},    {0.9, 90'000},     {0.99, 99'000},      {0.999, 99'900},
                                {0.9999, 99'990}, {0.99999, 99'999}, {0.999991, 100'000}, {1.0, 100'000}};
  for (const auto& [name, distribution] : five_distributions()) {
    std::vector<Nanoseconds> samples = draw(distribution, 1);
    const Histogram histogram = histogram_of(samples);
    std::sort(samples.begin(), samples.end());
    for (const auto& [quantile, rank] : ranks) {
      SCOPED_TRACE(name + " at " + std::to_string(quantile));
      expect_within_a_thousandth_above(histogram.value_at(quantile), samples[rank - 1]);
      EXPECT_LE(histogram.value_at(quantile), samples.back());
    }
  }
}

// With P(X > x) = (scale / x)^shape; the variance is infinite for a shape of at most 2.
std::vector<Nanoseconds> draw_pareto(Nanoseconds scale, double shape, std::uint64_t seed) {
  Stream stream(seed, "histogram_test", "pareto");
  std::vector<Nanoseconds> samples(kSampleCount);
  for (Nanoseconds& sample : samples) {
    const double beyond = (static_cast<double>(stream() >> 11) + 0.5) * 0x1p-53;
    const double value = static_cast<double>(scale.count()) * std::pow(beyond, -1 / shape);
    sample = std::min(Nanoseconds{std::llround(std::min(value, 1e18))}, Histogram::kLargest);
  }
  return samples;
}

// What users read: every percentile that is given at all.
TEST(Histogram, ReportedPercentilesAreWithinAThousandthOfExactOrderStatistics) {
  std::vector<std::pair<std::string, std::vector<Nanoseconds>>> all{{"constant", draw(Constant{12'345'678ns}, 7)},
                                                                    {"Pareto", draw_pareto(1us, 1.1, 7)}};
  for (const auto& [name, distribution] : five_distributions()) all.emplace_back(name, draw(distribution, 7));
  for (auto& [name, samples] : all) {
    const Histogram histogram = histogram_of(samples);
    std::sort(samples.begin(), samples.end());
    for (std::size_t rank = kSampleCount / 2; rank <= kSampleCount - 10; rank += 10) {
      const auto reported = histogram.percentile(static_cast<double>(rank) / kSampleCount);
      ASSERT_TRUE(reported.has_value()) << name << " " << rank;
      const Nanoseconds exact = samples[rank - 1];
      ASSERT_GE(*reported, exact) << name << " " << rank;
      ASSERT_LE(*reported - exact, exact / 1000) << name << " " << rank;
    }
    EXPECT_EQ(histogram.percentile(1 - 9.0 / kSampleCount), std::nullopt) << "nine samples lie beyond";
  }
}

TEST(Histogram, AConstantIsEveryPercentileExactly) {
  const Histogram histogram = histogram_of(draw(Constant{12'345'678ns}, 8));
  for (const double quantile : {0.5, 0.9, 0.99, 0.999, 0.9999}) {
    EXPECT_EQ(histogram.percentile(quantile), 12'345'678ns);
  }
  EXPECT_EQ(histogram.min(), histogram.max());
  EXPECT_EQ(histogram.mean(), 12'345'678);
}

// So that pooled replications have the percentiles of all their samples, in whatever order they come.
TEST(Histogram, PercentilesOfAMergeAreThoseOfAllSamples) {
  std::vector<Nanoseconds> all;
  Histogram forwards;
  std::vector<Histogram> parts;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const std::vector<Nanoseconds> samples = draw_pareto(2us, 0.9, seed);
    all.insert(all.end(), samples.begin(), samples.end());
    parts.push_back(histogram_of(samples));
    forwards.merge(parts.back());
  }
  Histogram backwards;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) backwards.merge(*part);
  EXPECT_EQ(forwards, backwards);
  EXPECT_EQ(forwards, histogram_of(all));
  std::sort(all.begin(), all.end());
  for (const double quantile : {0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const auto rank = static_cast<std::size_t>(std::llround(quantile * static_cast<double>(all.size())));
    expect_within_a_thousandth_above(*forwards.percentile(quantile), all[rank - 1]);
  }
}

TEST(Histogram, CountMinimumMaximumAndMeanAreExact) {
  for (const auto& [name, distribution] : five_distributions()) {
    SCOPED_TRACE(name);
    const std::vector<Nanoseconds> samples = draw(distribution, 2);
    const Histogram histogram = histogram_of(samples);
    const auto sum = std::accumulate(samples.begin(), samples.end(), 0ns);
    EXPECT_EQ(histogram.count(), samples.size());
    EXPECT_EQ(histogram.min(), *std::min_element(samples.begin(), samples.end()));
    EXPECT_EQ(histogram.max(), *std::max_element(samples.begin(), samples.end()));
    EXPECT_EQ(histogram.mean(), static_cast<double>(sum.count()) / static_cast<double>(samples.size()));
    EXPECT_EQ(histogram.sparse().sum_low, static_cast<std::uint64_t>(sum.count()));
    EXPECT_EQ(histogram.sparse().sum_high, 0U);
  }
}

TEST(Histogram, QuantileOneIsTheExactMaximum) {
  Histogram histogram;
  histogram.record(1'000'001ns);
  histogram.record(123'456'789ns);
  EXPECT_EQ(histogram.value_at(1), 123'456'789ns);
}

TEST(Histogram, ValuesBelow2048AreReportedExactly) {
  Histogram histogram;
  for (Nanoseconds value = 0ns; value < 2048ns; ++value) histogram.record(value);
  for (int value = 0; value < 2048; ++value) {
    EXPECT_EQ(histogram.value_at((value + 1) / 2048.0), Nanoseconds{value});
  }
}

TEST(Histogram, OneSampleIsEveryQuantile) {
  Histogram histogram;
  histogram.record(9'999'999ns);
  for (const double quantile : {0.0, 0.5, 0.999, 1.0}) EXPECT_EQ(histogram.value_at(quantile), 9'999'999ns);
}

TEST(Histogram, BucketsAdjoinAndAreNarrowerThanAThousandthOfTheirValues) {
  Histogram histogram;
  std::vector<Nanoseconds> edges;
  for (int exponent = 11; exponent < 62; ++exponent) {
    const Nanoseconds power{std::int64_t{1} << exponent};
    edges.insert(edges.end(), {power - 1ns, power});
  }
  for (const Nanoseconds edge : edges) histogram.record(edge);
  const std::vector<Histogram::Bucket> buckets = histogram.buckets();
  ASSERT_EQ(buckets.size(), edges.size());
  for (std::size_t i = 0; i < buckets.size(); i += 2) {
    EXPECT_EQ(buckets[i].highest, edges[i]);
    EXPECT_EQ(buckets[i + 1].lowest, edges[i + 1]);
    EXPECT_LE(buckets[i].highest - buckets[i].lowest, buckets[i].lowest / 1000);
    EXPECT_LE(buckets[i + 1].highest - buckets[i + 1].lowest, buckets[i + 1].lowest / 1000);
  }
}

TEST(Histogram, EverySampleLiesInItsBucket) {
  std::vector<Nanoseconds> samples = draw(Lognormal{1us, 1s}, 3);
  samples.resize(1000);
  for (const Nanoseconds value : samples) {
    Histogram histogram;
    histogram.record(value);
    const Histogram::Bucket bucket = histogram.buckets().front();
    ASSERT_LE(bucket.lowest, value);
    ASSERT_GE(bucket.highest, value);
  }
}

TEST(Histogram, BucketsListEverySampleInOrder) {
  Histogram histogram = histogram_of({4097ns, 7ns, 4096ns, 7ns, 100'000ns});
  const std::vector<Histogram::Bucket> expected{{7ns, 7ns, 2}, {4096ns, 4099ns, 2}, {99'968ns, 100'031ns, 1}};
  EXPECT_EQ(histogram.buckets(), expected);
}

TEST(Histogram, LargeValuesKeepAnExactSum) {
  Histogram histogram;
  for (int i = 0; i < 12; ++i) histogram.record(Histogram::kLargest);
  histogram.record(5ns);
  EXPECT_EQ(histogram.max(), Histogram::kLargest);
  EXPECT_EQ(histogram.value_at(0.5), Histogram::kLargest);
  const Histogram::Sparse sparse = histogram.sparse();
  EXPECT_EQ(sparse.sum_high, 3U);  // 12 * 2^62 = 3 * 2^64
  EXPECT_EQ(sparse.sum_low, 5U);
  EXPECT_DOUBLE_EQ(histogram.mean(), 12.0 / 13.0 * 0x1p62);
}

TEST(Histogram, MergingEqualsRecordingAllSamples) {
  const std::vector<NamedDistribution> distributions = five_distributions();
  for (const auto& a : distributions) {
    for (const auto& b : distributions) {
      SCOPED_TRACE(a.name + " and " + b.name);
      std::vector<Nanoseconds> all = draw(a.distribution, 4);
      const std::vector<Nanoseconds> others = draw(b.distribution, 5);
      Histogram merged = histogram_of(all);
      merged.merge(histogram_of(others));
      all.insert(all.end(), others.begin(), others.end());
      EXPECT_EQ(merged, histogram_of(all));
    }
  }
}

TEST(Histogram, MergingWithAnEmptyHistogramChangesNothing) {
  Histogram histogram;
  histogram.record(3us);
  const Histogram before = histogram;
  histogram.merge(Histogram{});
  EXPECT_EQ(histogram, before);
  Histogram empty;
  empty.merge(before);
  EXPECT_EQ(empty, before);
}

TEST(Histogram, MergingWithItselfDoublesEveryCount) {
  Histogram histogram = histogram_of({1ns, 1ns, 5us});
  Histogram expected = histogram_of({1ns, 1ns, 1ns, 1ns, 5us, 5us});
  histogram.merge(histogram);
  EXPECT_EQ(histogram, expected);
}

TEST(Histogram, HistogramsThatDifferInOneSampleAreNotEqual) {
  Histogram a;
  Histogram b;
  a.record(1'000'000ns);
  b.record(1'000'001ns);
  EXPECT_EQ(a.buckets(), b.buckets());
  EXPECT_NE(a, b);
}

TEST(Histogram, SparseFormRebuildsTheSameHistogram) {
  for (const auto& [name, distribution] : five_distributions()) {
    SCOPED_TRACE(name);
    Histogram histogram = histogram_of(draw(distribution, 6));
    Histogram rebuilt = Histogram::from_sparse(histogram.sparse());
    EXPECT_EQ(rebuilt, histogram);
    histogram.record(17s);
    rebuilt.record(17s);
    EXPECT_EQ(rebuilt, histogram);
  }
}

TEST(Histogram, SparseFormOfTheExtremesRebuildsThem) {
  EXPECT_EQ(Histogram{}.sparse(), Histogram::Sparse{});
  EXPECT_EQ(Histogram::from_sparse(Histogram::Sparse{}), Histogram{});
  Histogram histogram = histogram_of({0ns, Histogram::kLargest, Histogram::kLargest});
  EXPECT_EQ(Histogram::from_sparse(histogram.sparse()), histogram);
}

TEST(Histogram, SparseFormsThatNoHistogramHasAreRefused) {
  Histogram histogram = histogram_of({10ns, 20ns, 5us});
  const Histogram::Sparse good = histogram.sparse();
  const auto refuses = [&](auto&& spoil) {
    Histogram::Sparse sparse = good;
    spoil(sparse);
    EXPECT_THROW(Histogram::from_sparse(sparse), std::invalid_argument);
  };
  using Sparse = Histogram::Sparse;
  refuses([](Sparse& sparse) { sparse.counts.clear(); });
  refuses([](Sparse& sparse) { std::swap(sparse.counts[0], sparse.counts[1]); });
  refuses([](Sparse& sparse) { sparse.counts[1].first = sparse.counts[0].first; });
  refuses([](Sparse& sparse) { sparse.counts[1].second = 0; });
  refuses([](Sparse& sparse) { sparse.counts[1].second = std::numeric_limits<std::uint64_t>::max(); });
  refuses([](Sparse& sparse) { sparse.counts[2].first = 60'000; });
  refuses([](Sparse& sparse) { sparse.counts[2].first = std::numeric_limits<std::uint32_t>::max(); });
  refuses([](Sparse& sparse) { sparse.min = 11ns; });
  refuses([](Sparse& sparse) { sparse.min = -1ns; });
  refuses([](Sparse& sparse) { sparse.max = 6us; });
  refuses([](Sparse& sparse) { sparse.sum_low += 1000; });
  refuses([](Sparse& sparse) { sparse.sum_high = 1; });
}

TEST(Histogram, CountsByPowersOfTwo) {
  Histogram histogram;
  for (const std::int64_t value : {0, 1, 2, 3, 4, 1023, 1024, 2047, 2048, 5'000'000})
    histogram.record(Nanoseconds{value});
  const std::map<Nanoseconds, std::uint64_t> expected{
      {Nanoseconds{0}, 1},   {Nanoseconds{1}, 1},    {Nanoseconds{2}, 2},    {Nanoseconds{4}, 1},
      {Nanoseconds{512}, 1}, {Nanoseconds{1024}, 2}, {Nanoseconds{2048}, 1}, {Nanoseconds{4'194'304}, 1},
  };
  EXPECT_EQ(histogram.by_power_of_two(), expected);
  EXPECT_EQ(histogram.total(), Nanoseconds{5'006'152});
}

TEST(Histogram, PercentilesNeedTenSamplesBeyondThem) {
  EXPECT_EQ(Histogram::samples_needed(0.5), 20U);
  EXPECT_EQ(Histogram::samples_needed(0.9), 100U);
  EXPECT_EQ(Histogram::samples_needed(0.95), 200U);
  EXPECT_EQ(Histogram::samples_needed(0.99), 1'000U);
  EXPECT_EQ(Histogram::samples_needed(0.999), 10'000U);
  EXPECT_EQ(Histogram::samples_needed(0.9999), 100'000U);
  EXPECT_EQ(Histogram::samples_needed(0.999999999), 10'000'000'000U);
  EXPECT_EQ(Histogram::samples_needed(0.7), 34U);
  EXPECT_EQ(Histogram::samples_needed(1), std::numeric_limits<std::uint64_t>::max());
}

TEST(Histogram, PercentilesWithTooFewSamplesAreWithheld) {
  for (const double quantile : {0.5, 0.9, 0.99, 0.999, 0.9999}) {
    SCOPED_TRACE(quantile);
    Histogram histogram;
    while (histogram.count() + 1 < Histogram::samples_needed(quantile)) histogram.record(8us);
    EXPECT_EQ(histogram.percentile(quantile), std::nullopt);
    histogram.record(8us);
    EXPECT_EQ(histogram.percentile(quantile), 8us);
  }
}

TEST(Histogram, AnEmptyHistogramHasNoPercentiles) {
  const Histogram histogram;
  EXPECT_TRUE(histogram.empty());
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(0.5), std::nullopt);
  EXPECT_EQ(histogram.percentile(1), std::nullopt);
  EXPECT_TRUE(histogram.buckets().empty());
}

}  // namespace
}  // namespace sim::histogram_test
