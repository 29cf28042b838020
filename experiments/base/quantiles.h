// The percentiles that results and studies know, by the names that expressions, stores and JSON have for them.
#pragma once

#include <array>
#include <string_view>

namespace experiments {

struct NamedQuantile {
  std::string_view name;  ///< `p999`
  double quantile;
};

inline constexpr std::array<NamedQuantile, 5> kQuantiles{
    {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999}}};

}  // namespace experiments
