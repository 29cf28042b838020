// Latencies in the text format that HdrHistogram's tools read and plot (hdrhistogram.org): its percentile distribution.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/compare/comparison.h"
#include "sim/histogram.h"

namespace experiments {

/// `histogram` as HdrHistogram's outputPercentileDistribution prints it with five ticks per half distance and a value
/// unit scaling ratio of 1000: values in microseconds with three decimals, so that every nanosecond is there.
/// Rows are what HdrHistogram's percentile iterator stops at: the first bucket at or beyond each level, where the
/// levels are five equal steps from 0 to 50 %, five from there to 75 %, and so on, and last the maximum at 100 %.
/// `about` becomes a comment in the first line, as the tools that write such files do.
/// Where this knows more than HdrHistogram it tells more: mean and maximum are exact. Precondition: not empty.
[[nodiscard]] std::string hgrm(const sim::Histogram& histogram, const std::string& about);

/// The files of all that is compared, by name: CLASS.PHASE.POLICY.hgrm, or CLASS.PHASE.POLICY.SEED.hgrm with a seed.
/// PHASE is a call of the locker, `idle`, or `total`. Replications are merged, which loses nothing.
[[nodiscard]] std::map<std::string, std::string> hgrm_files(const Comparison& comparison,
                                                            std::optional<std::uint64_t> seed = std::nullopt);

}  // namespace experiments
