#include "models/measure/samples.h"

#include <boost/container/flat_map.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace models {

namespace {

// Eight sizes to each power of two: the width in bits, and the three bits behind the first.
int size_of(sim::Nanoseconds latency) {
  const auto value = static_cast<std::uint64_t>(latency.count());
  const auto width = static_cast<int>(std::bit_width(value));
  const std::uint64_t behind_first = width > 3 ? value >> (width - 4) : value << (4 - width);
  return width * 8 + static_cast<int>(behind_first & 7U);
}

// Each sum of parts is at most that of the latencies.
void refuse_overflow(const sim::Histogram& latency) {
  if (latency.total_fits()) return;
  throw std::overflow_error(
      "the requests of a class have taken more than 292 years together, which is the most that can be counted: a "
      "shorter run, or one with fewer requests, can be told about");
}

}  // namespace

LockTimes& Samples::record(sim::Nanoseconds latency, const TimeByCause& parts) {
  assert(std::accumulate(parts.begin(), parts.end(), sim::Nanoseconds{0}) == latency);
  latency_.record(latency);
  refuse_overflow(latency_);
  Blame& blame = blame_by_size_[size_of(latency)];
  ++blame.count;
  for (std::size_t cause = 0; cause < kCauseCount; ++cause) blame.causes[cause] += parts[cause];
  return blame.lock_waits;
}

void Samples::merge(const Samples& other) {
  latency_.merge(other.latency_);
  refuse_overflow(latency_);
  for (const auto& [size, blame] : other.blame_by_size_) blame_by_size_[size].add(blame);
}

Blame Samples::blame_from(sim::Nanoseconds latency) const {
  Blame sum;
  for (auto size = blame_by_size_.lower_bound(size_of(latency)); size != blame_by_size_.end(); ++size) {
    sum.add(size->second);
  }
  return sum;
}

sim::Nanoseconds Samples::tail_start() const {
  for (const double quantile : {0.999, 0.99, 0.9, 0.5}) {
    if (const auto value = latency_.percentile(quantile)) return *value;
  }
  return latency_.max();
}

Samples Samples::restore(sim::Histogram latency, std::map<int, Blame> blame_by_size) {
  Samples samples;
  samples.latency_ = std::move(latency);
  samples.blame_by_size_ = std::move(blame_by_size);
  return samples;
}

}  // namespace models
