#include "experiments/compare/hgrm_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace experiments {

namespace {

constexpr double kNanosecondsInUnit = 1000;
constexpr double kTicksPerHalfDistance = 5;
constexpr std::uint64_t kSubBuckets = 2048;

double in_unit(double nanoseconds) { return nanoseconds / kNanosecondsInUnit; }
double in_unit(sim::Nanoseconds time) { return in_unit(static_cast<double>(time.count())); }

// The level after `level`, both in per cent. The step halves with each half of the distance to 100 % that is done.
double next_level(double level) {
  const double halves = std::floor(std::log2(100 / (100 - level)));
  return level + 100 / (kTicksPerHalfDistance * std::exp2(halves + 1));
}

std::string rows(const sim::Histogram& histogram) {
  const auto count = static_cast<double>(histogram.count());
  std::string text;
  std::uint64_t seen = 0;
  double level = 0;
  for (const sim::Histogram::Bucket& bucket : histogram.buckets()) {
    seen += bucket.count;
    const sim::Nanoseconds value = std::min(bucket.highest, histogram.max());
    // All levels that the bucket reaches have a row, but the last bucket has one, and the one for 100 %.
    while (100 * static_cast<double>(seen) / count >= level) {
      text +=
          fmt::format("{:12.3f} {:.12f} {:10} {:14.2f}\n", in_unit(value), level / 100, seen, 1 / (1 - level / 100));
      level = next_level(level);
      if (seen == histogram.count()) break;
    }
  }
  return text + fmt::format("{:12.3f} {:.12f} {:10}\n", in_unit(histogram.max()), 1.0, histogram.count());
}

// As HdrHistogram does, from the middles of the buckets; but no middle lies outside of what was recorded.
double standard_deviation(const sim::Histogram& histogram) {
  double squares = 0;
  for (const sim::Histogram::Bucket& bucket : histogram.buckets()) {
    const auto low = static_cast<double>(std::max(bucket.lowest, histogram.min()).count());
    const auto high = static_cast<double>(std::min(bucket.highest, histogram.max()).count());
    const double distance = low + (high - low) / 2 - histogram.mean();
    squares += distance * distance * static_cast<double>(bucket.count);
  }
  return std::sqrt(squares / static_cast<double>(histogram.count()));
}

// How many powers of two HdrHistogram keeps so many sub-buckets for, up to the maximum.
std::uint64_t bucket_count(const sim::Histogram& histogram) {
  const auto max = static_cast<std::uint64_t>(histogram.max().count());
  return static_cast<std::uint64_t>(std::bit_width(max / kSubBuckets)) + 1;
}

// Of a class under a policy.
void add(std::map<std::string, std::string>& files, const Comparison& comparison, std::size_t policy,
         const std::string& class_name, const std::string& phase, const sim::Histogram& histogram,
         std::optional<std::uint64_t> seed) {
  if (histogram.empty()) return;
  const std::string& policy_name = comparison.policy(policy).name;
  const std::string about = fmt::format(
      "Latency of {} {} under {}, {}, in microseconds", class_name,
      phase == "total" ? std::string("in all") : "due during " + phase, policy_name,
      seed ? fmt::format("seed {}", *seed)
           : fmt::format("{} replication{}", comparison.replications(), comparison.replications() == 1 ? "" : "s"));
  const std::string seed_part = seed ? fmt::format(".{}", *seed) : "";
  std::string name = fmt::format("{}.{}.{}{}.hgrm", class_name, phase, policy_name, seed_part);
  // Names may have dots in them, so that two could make one in theory. Neither may be lost.
  while (files.count(name) > 0) name.insert(name.size() - std::string_view(".hgrm").size(), "~");
  files.emplace(std::move(name), hgrm(histogram, about));
}

}  // namespace

std::string hgrm(const sim::Histogram& histogram, const std::string& about) {
  assert(!histogram.empty());
  return fmt::format("#[{}]\n{:>12} {:>14} {:>10} {:>14}\n\n", about, "Value", "Percentile", "TotalCount",
                     "1/(1-Percentile)") +
         rows(histogram) +
         fmt::format("#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n", in_unit(histogram.mean()),
                     in_unit(standard_deviation(histogram))) +
         fmt::format("#[Max     = {:12.3f}, Total count    = {:12}]\n", in_unit(histogram.max()), histogram.count()) +
         fmt::format("#[Buckets = {:12}, SubBuckets     = {:12}]\n", bucket_count(histogram), kSubBuckets);
}

std::map<std::string, std::string> hgrm_files(const Comparison& comparison, std::optional<std::uint64_t> seed) {
  std::map<std::string, std::string> files;
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    std::map<std::string, sim::Histogram> totals;
    for (const Row& row : comparison.rows()) {
      const sim::Histogram& latency = comparison.pooled(policy, row).latency();
      totals[row.class_name].merge(latency);
      add(files, comparison, policy, row.class_name, std::string(to_string(row.call)), latency, seed);
    }
    for (const auto& [name, total] : totals) add(files, comparison, policy, name, "total", total, seed);
  }
  return files;
}

}  // namespace experiments
