// The statistics of latencies that results, studies and stores know, in the order in which tables have them.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sim/histogram.h"

namespace experiments {

struct NamedStatistic {
  std::string_view name;    ///< in expressions: `p999`
  std::string_view column;  ///< in stores and JSON: `p999_ns`
  std::string_view title;   ///< for people: `p99.9`
  double quantile;          ///< of a percentile; others: 0
  /// Its value in whole nanoseconds (of `count`: a number); nothing where there are too few samples to tell.
  std::optional<std::int64_t> (*read)(const sim::Histogram& histogram);

  [[nodiscard]] constexpr bool is_percentile() const { return quantile > 0; }
};

namespace statistic_list {

inline std::optional<std::int64_t> count(const sim::Histogram& histogram) {
  return static_cast<std::int64_t>(histogram.count());
}

inline std::optional<std::int64_t> mean(const sim::Histogram& histogram) {
  return histogram.empty() ? std::nullopt : std::optional<std::int64_t>(std::llround(histogram.mean()));
}

inline std::optional<std::int64_t> max(const sim::Histogram& histogram) {
  return histogram.empty() ? std::nullopt : std::optional<std::int64_t>(histogram.max().count());
}

template <int kHundredThousandths>
std::optional<std::int64_t> percentile(const sim::Histogram& histogram) {
  if (histogram.empty()) return std::nullopt;
  const auto value = histogram.percentile(kHundredThousandths / 1e5);
  return value ? std::optional<std::int64_t>(value->count()) : std::nullopt;
}

}  // namespace statistic_list

inline constexpr std::array<NamedStatistic, 8> kStatistics{{
    {"count", "count", "count", 0, &statistic_list::count},
    {"mean", "mean_ns", "mean", 0, &statistic_list::mean},
    {"p50", "p50_ns", "p50", 0.5, &statistic_list::percentile<50'000>},
    {"p90", "p90_ns", "p90", 0.9, &statistic_list::percentile<90'000>},
    {"p99", "p99_ns", "p99", 0.99, &statistic_list::percentile<99'000>},
    {"p999", "p999_ns", "p99.9", 0.999, &statistic_list::percentile<99'900>},
    {"p9999", "p9999_ns", "p99.99", 0.9999, &statistic_list::percentile<99'990>},
    {"max", "max_ns", "max", 0, &statistic_list::max},
}};

/// The one of that name, or null.
constexpr const NamedStatistic* find_statistic(std::string_view name) {
  for (const NamedStatistic& statistic : kStatistics) {
    if (statistic.name == name) return &statistic;
  }
  return nullptr;
}

/// Its place in kStatistics. Precondition: there is one of that name.
constexpr std::size_t statistic_place(std::string_view name) {
  return static_cast<std::size_t>(find_statistic(name) - kStatistics.data());
}

}  // namespace experiments
