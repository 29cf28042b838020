#include "sim/time_series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "sim/random.h"

namespace sim::time_series_test {
namespace {

using namespace std::chrono_literals;
using Bucket = TimeSeries::Bucket;
using Buckets = std::vector<Bucket>;

Time at(std::int64_t nanoseconds) { return Time{Nanoseconds{nanoseconds}}; }

struct Step {
  std::int64_t at;
  std::int64_t value;
};

TimeSeries series_of(const std::vector<Step>& steps, std::size_t capacity, Nanoseconds width) {
  TimeSeries series(capacity, width);
  for (const Step& step : steps) series.record(at(step.at), step.value);
  return series;
}

// Keeps every step and looks at all of them for each bucket.
Bucket naive_bucket(const std::vector<Step>& steps, std::int64_t from, std::int64_t to) {
  Bucket bucket{};
  bool begun = false;
  const auto see = [&](std::int64_t value) {
    bucket =
        begun ? Bucket{std::min(bucket.min, value), std::max(bucket.max, value), value} : Bucket{value, value, value};
    begun = true;
  };
  const auto first = std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.at >= from; });
  if (first == steps.end() || first->at > from) see(first == steps.begin() ? first->value : std::prev(first)->value);
  for (auto step = first; step != steps.end() && step->at < to; ++step) see(step->value);
  return bucket;
}

Buckets naive_buckets(const std::vector<Step>& steps, std::size_t capacity, std::int64_t width, std::int64_t end) {
  const auto count = [&] { return (end + width - 1) / width; };
  while (count() > static_cast<std::int64_t>(capacity)) width *= 2;
  Buckets buckets;
  for (std::int64_t index = 0; index < count(); ++index) {
    buckets.push_back(naive_bucket(steps, index * width, (index + 1) * width));
  }
  return buckets;
}

// Gaps of mostly a few nanoseconds, none in a third of the cases, now and then long ones.
std::vector<Step> random_steps(std::uint64_t seed, std::size_t count) {
  Stream chance(seed, "time_series_test", "steps");
  std::vector<Step> steps;
  std::int64_t now = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto kind = chance() % 12;
    if (kind >= 4) now += static_cast<std::int64_t>(chance() % (kind == 11 ? 300 : 9));
    steps.push_back({now, static_cast<std::int64_t>(chance() % 2001) - 1000});
  }
  return steps;
}

TEST(TimeSeries, NothingIsKnownBeforeTheFirstRecord) {
  const TimeSeries series;
  EXPECT_TRUE(series.empty());
  EXPECT_EQ(series.capacity(), 256U);
  EXPECT_EQ(series.width(), 1us);
  EXPECT_TRUE(series.buckets().empty());
  EXPECT_EQ(series.until(at(1'000'000)), series);
}

TEST(TimeSeries, ABucketHasItsRangeAndItsLastValue) {
  const TimeSeries series = series_of({{0, 5}, {3, 9}, {4, -2}, {9, 7}, {10, 8}}, 8, 10ns);
  EXPECT_EQ(series.buckets(), (Buckets{{-2, 9, 7}, {8, 8, 8}}));
}

TEST(TimeSeries, TheFirstValueHoldsFromTimeZero) {
  EXPECT_EQ(series_of({{25, 6}}, 8, 10ns).buckets(), (Buckets{{6, 6, 6}, {6, 6, 6}, {6, 6, 6}}));
}

TEST(TimeSeries, ABucketBeginsWithTheValueBeforeUnlessThatEndsThere) {
  EXPECT_EQ(series_of({{0, 1}, {11, 2}, {20, 3}}, 8, 10ns).buckets(), (Buckets{{1, 1, 1}, {1, 2, 2}, {3, 3, 3}}));
}

TEST(TimeSeries, ValuesOfNoLengthCount) {
  EXPECT_EQ(series_of({{0, 1}, {10, 50}, {10, -50}, {10, 2}}, 8, 10ns).buckets(), (Buckets{{1, 1, 1}, {-50, 50, 2}}));
}

TEST(TimeSeries, AGapCarriesTheValueOn) {
  const TimeSeries series = series_of({{0, 1}, {2, 4}, {3, 3}, {47, 9}}, 8, 10ns);
  EXPECT_EQ(series.buckets(), (Buckets{{1, 4, 3}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}, {3, 9, 9}}));
  EXPECT_EQ(series.width(), 10ns);
}

TEST(TimeSeries, TheWidthDoublesWhenABucketTooManyIsNeeded) {
  std::vector<Step> steps{{0, 0}, {10, 1}, {20, 2}, {39, 3}};
  EXPECT_EQ(series_of(steps, 4, 10ns).width(), 10ns);
  steps.push_back({40, 4});
  const TimeSeries series = series_of(steps, 4, 10ns);
  EXPECT_EQ(series.width(), 20ns);
  EXPECT_EQ(series.buckets(), (Buckets{{0, 1, 1}, {2, 3, 3}, {4, 4, 4}}));
}

TEST(TimeSeries, TheWidthDoublesAsOftenAsItTakes) {
  const TimeSeries series = series_of({{0, 1}, {35, 7}, {36, 2}, {1'000, 3}}, 4, 10ns);
  EXPECT_EQ(series.width(), 320ns);
  EXPECT_EQ(series.buckets(), (Buckets{{1, 7, 2}, {2, 2, 2}, {2, 2, 2}, {2, 3, 3}}));
}

TEST(TimeSeries, AnOddBucketGoesOnAsTheFirstHalfOfAWiderOne) {
  const TimeSeries series = series_of({{0, 0}, {10, 1}, {20, 2}, {30, 3}}, 3, 10ns);
  EXPECT_EQ(series.width(), 20ns);
  EXPECT_EQ(series.buckets(), (Buckets{{0, 1, 1}, {2, 3, 3}}));
}

TEST(TimeSeries, OneBucketKeepsTheRangeOfAll) {
  const TimeSeries series = series_of({{0, 4}, {17, -3}, {900, 12}, {5'000, 1}}, 1, 1ns);
  EXPECT_EQ(series.width(), 8192ns);
  EXPECT_EQ(series.buckets(), (Buckets{{-3, 12, 1}}));
}

TEST(TimeSeries, RandomStepsGiveWhatANaiveRecordOfAllStepsGives) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    const std::size_t capacity = 1 + seed % 17;
    const std::int64_t width = 1 + static_cast<std::int64_t>(seed % 7);
    const std::vector<Step> steps = random_steps(seed, 200);
    TimeSeries series(capacity, Nanoseconds{width});
    std::vector<Step> so_far;
    for (const Step& step : steps) {
      series.record(at(step.at), step.value);
      so_far.push_back(step);
      ASSERT_EQ(series.buckets(), naive_buckets(so_far, capacity, width, step.at + 1)) << "at " << step.at;
    }
    for (const std::int64_t more : {0, 1, 2, 63, 64, 65, 10'000}) {
      const std::int64_t end = steps.back().at + 1 + more;
      ASSERT_EQ(series.until(at(end)).buckets(), naive_buckets(steps, capacity, width, end)) << "until " << end;
    }
  }
}

TEST(TimeSeries, WhenTheWidthDoubledDoesNotShow) {
  const std::vector<Step> steps = random_steps(1, 5'000);
  const TimeSeries fine = series_of(steps, 64, 1ns);
  EXPECT_GT(fine.width(), 100ns);
  EXPECT_EQ(series_of(steps, 64, fine.width()), fine);
}

TEST(TimeSeries, LookingAheadLeavesTheSeriesAlone) {
  TimeSeries series = series_of({{0, 1}, {5, 2}}, 4, 10ns);
  const TimeSeries before = series;
  EXPECT_EQ(series.until(at(10)), before);
  EXPECT_EQ(series.until(at(3)), before);
  EXPECT_EQ(series.until(at(11)).buckets(), (Buckets{{1, 2, 2}, {2, 2, 2}}));
  EXPECT_EQ(series.until(at(40)).buckets().size(), 4U);
  EXPECT_EQ(series.until(at(41)).width(), 20ns);
  EXPECT_EQ(series, before);
}

TEST(TimeSeries, ALongRunNeedsNoMoreThanItsCapacity) {
  constexpr std::int64_t kSteps = 3'000'000;
  TimeSeries series;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    series.record(at(288 * step * step), step);  // 30 days in all, at growing distances
    ASSERT_LE(series.buckets().size(), 256U);
  }
  EXPECT_GT(series.buckets().size(), 128U);
  EXPECT_EQ(series.buckets().front().min, 0);
  EXPECT_EQ(series.buckets().back().last, kSteps - 1);
  for (std::size_t index = 1; index < series.buckets().size(); ++index) {
    const std::int64_t before = series.buckets()[index - 1].last;
    const bool begins_with_a_step = series.buckets()[index].min == before + 1;
    ASSERT_TRUE(begins_with_a_step || series.buckets()[index].min == before) << index;
  }
}

TEST(TimeSeries, AShortPeakSurvivesEveryDoubling) {
  TimeSeries series(512, 1ns);
  series.record(at(0), 10);
  series.record(at(777), 1'000'000);
  series.record(at(777), 10);
  series.record(at(std::int64_t{1} << 52), 11);
  EXPECT_EQ(series.buckets().front(), (Bucket{10, 1'000'000, 10}));
  EXPECT_EQ(series.buckets()[1], (Bucket{10, 10, 10}));
}

TEST(TimeSeries, TheGreatestTimeAndTheExtremeValuesFit) {
  TimeSeries series(512, 1ns);
  series.record(at(0), std::numeric_limits<std::int64_t>::min());
  series.record(at(std::int64_t{1} << 62), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(series.buckets().size(), 257U);
  EXPECT_EQ(series.buckets().back(),
            (Bucket{std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max(),
                    std::numeric_limits<std::int64_t>::max()}));
}

TEST(TimeSeries, SeriesThatDifferInOnePartAreNotEqual) {
  const std::vector<Step> steps{{0, 1}, {12, 3}, {13, 2}};
  const TimeSeries series = series_of(steps, 8, 10ns);
  EXPECT_EQ(series_of(steps, 8, 10ns), series);
  EXPECT_NE(series_of(steps, 7, 10ns), series);
  EXPECT_NE(series_of(steps, 8, 9ns), series);
  EXPECT_NE(series_of({{0, 1}, {12, 4}, {13, 2}}, 8, 10ns), series);
}

TEST(TimeSeries, ItsPartsRebuildTheSameSeries) {
  const auto rebuild = [](const TimeSeries& series) {
    return TimeSeries::restore(series.capacity(), series.width(), series.buckets());
  };
  EXPECT_EQ(rebuild(TimeSeries{}), TimeSeries{});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    TimeSeries series = series_of(random_steps(seed, 300), 5 + seed, 3ns);
    TimeSeries rebuilt = rebuild(series);
    EXPECT_EQ(rebuilt, series);
    for (const std::int64_t time : {100'000, 100'001, 900'000}) {
      series.record(at(time), time);
      rebuilt.record(at(time), time);
      EXPECT_EQ(rebuilt, series);
    }
  }
}

TEST(TimeSeries, PartsThatNoSeriesHasAreRefused) {
  const Buckets good{{1, 3, 2}, {2, 2, 2}};
  EXPECT_NO_THROW(TimeSeries::restore(2, 10ns, good));
  EXPECT_THROW(TimeSeries::restore(1, 10ns, good), std::invalid_argument);
  EXPECT_THROW(TimeSeries::restore(0, 10ns, {}), std::invalid_argument);
  EXPECT_THROW(TimeSeries::restore(2, 0ns, good), std::invalid_argument);
  EXPECT_THROW(TimeSeries::restore(2, -10ns, good), std::invalid_argument);
  EXPECT_THROW(TimeSeries::restore(2, Nanoseconds::max(), good), std::invalid_argument);
  EXPECT_THROW(TimeSeries::restore(2, 10ns, {{3, 1, 2}}), std::invalid_argument);
  EXPECT_THROW(TimeSeries::restore(2, 10ns, {{1, 3, 0}}), std::invalid_argument);
  EXPECT_THROW(TimeSeries::restore(2, 10ns, {{1, 3, 4}}), std::invalid_argument);
}

}  // namespace
}  // namespace sim::time_series_test
