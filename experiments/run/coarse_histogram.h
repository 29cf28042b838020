// A distribution of latencies, small enough to be kept for every class and call of every run of a study.
//
// sim::Histogram tells apart 1024 values in each power of two, which is what percentiles want and too much for a store.
// Here it is 32: a bucket's ends differ by at most 1/32, or 3.2 %, less than the width of a line on a logarithmic axis
// over a few decades. So it is for curves; the percentiles of a run that are shown as numbers are those of its result.
// Least and greatest latency are exact. Distributions add up exactly: those of replications to that of all of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/base/json.h"
#include "models/measure/result.h"
#include "sim/histogram.h"

namespace experiments {

class CoarseHistogram {
 public:
  CoarseHistogram() = default;
  explicit CoarseHistogram(const sim::Histogram& histogram);

  void merge(const CoarseHistogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// In nanoseconds. Precondition: count() > 0.
  [[nodiscard]] std::int64_t max() const { return max_; }

  /// A step of the distribution function.
  struct Step {
    std::int64_t latency_ns;  ///< the upper end of a bucket, or the greatest latency
    std::uint64_t beyond;     ///< how many latencies are longer
    bool operator==(const Step&) const = default;
  };
  /// All of them, from the shortest on; the last one has nothing beyond it.
  [[nodiscard]] std::vector<Step> steps() const;

  /// {"min": ns, "max": ns, "counts": [[bucket, count], ...]}; the way back throws nlohmann::json::exception for what
  /// is none.
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] static CoarseHistogram from_json(const Json& json);

  bool operator==(const CoarseHistogram&) const = default;

 private:
  std::map<std::uint32_t, std::uint64_t> counts_;  // by bucket
  std::uint64_t count_ = 0;
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
};

/// Distributions by class and call of the locker ("mlock", "idle" ...), or "total".
using Distributions = std::map<std::pair<std::string, std::string>, CoarseHistogram>;

/// Those of a result that are not empty. Parts of calls have none of their own.
[[nodiscard]] Distributions distributions_of(const models::Result& result);

/// {class: {call: distribution}}, and back.
[[nodiscard]] Json to_json(const Distributions& distributions);
[[nodiscard]] Distributions distributions_from(const Json& json);

}  // namespace experiments
