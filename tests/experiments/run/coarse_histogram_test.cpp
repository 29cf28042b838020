#include "experiments/run/coarse_histogram.h"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "sim/random.h"

namespace experiments::coarse_histogram_test {
namespace {

std::vector<std::int64_t> some_latencies(std::uint64_t seed, std::size_t count) {
  sim::Stream chance(seed, "test", "coarse");
  std::vector<std::int64_t> latencies(count);
  for (std::int64_t& each : latencies) each = static_cast<std::int64_t>(chance() >> (24 + chance() % 40));
  return latencies;
}

CoarseHistogram histogram_of(const std::vector<std::int64_t>& latencies) {
  sim::Histogram histogram;
  for (const std::int64_t each : latencies) histogram.record(sim::Nanoseconds{each});
  return CoarseHistogram(histogram);
}

TEST(CoarseHistogram, AStepLiesWithinAThirtySecondAboveTheLatenciesItStandsFor) {
  const auto latencies = some_latencies(1, 2000);
  for (const auto& step : histogram_of(latencies).steps()) {
    std::uint64_t beyond = 0;
    std::uint64_t well_below = 0;
    for (const std::int64_t each : latencies) {
      if (each > step.latency_ns) ++beyond;
      if (static_cast<double>(each) > static_cast<double>(step.latency_ns) * (1 - 1.0 / 16) - 1) ++well_below;
    }
    EXPECT_EQ(step.beyond, beyond);
    EXPECT_GT(well_below, beyond) << "nothing lies just below " << step.latency_ns;
  }
}

TEST(CoarseHistogram, TheLastStepIsTheGreatestLatencyWithNothingBeyond) {
  const auto histogram = histogram_of({5, 70'001, 3});
  EXPECT_EQ(histogram.max(), 70'001);
  EXPECT_EQ(histogram.steps().back(), (CoarseHistogram::Step{70'001, 0}));
}

TEST(CoarseHistogram, DistributionsAddUpExactly) {
  const auto one = some_latencies(2, 300);
  const auto other = some_latencies(3, 500);
  auto all = one;
  all.insert(all.end(), other.begin(), other.end());
  CoarseHistogram sum = histogram_of(one);
  sum.merge(histogram_of(other));
  EXPECT_EQ(sum, histogram_of(all));
  EXPECT_EQ(sum.count(), 800U);
}

TEST(CoarseHistogram, ComesBackFromItsStoredForm) {
  const CoarseHistogram histogram = histogram_of(some_latencies(4, 400));
  EXPECT_EQ(CoarseHistogram::from_json(histogram.to_json()), histogram);
  EXPECT_THROW((void)CoarseHistogram::from_json(Json::parse("[1]")), nlohmann::json::exception);
}

}  // namespace
}  // namespace experiments::coarse_histogram_test
