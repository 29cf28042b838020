#include "sim/histogram.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace sim {

namespace {

constexpr std::uint64_t kTailUnits = 1'000'000'000'000;

// 1 - quantile in units of 10^-12. A double between 0 and 1 is within 10^-16 of the decimal it stands for, so
// that rounding finds the decimal again, and all further arithmetic is exact.
std::uint64_t tail_of(double quantile) {
  assert(quantile >= 0 && quantile <= 1);
  return static_cast<std::uint64_t>(std::llround((1 - quantile) * static_cast<double>(kTailUnits)));
}

Nanoseconds nanoseconds(std::uint64_t count) { return Nanoseconds{static_cast<std::int64_t>(count)}; }

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(std::string("stored histogram: ") + message);
}

}  // namespace

std::uint64_t Histogram::samples_needed(double quantile) {
  const std::uint64_t tail = tail_of(quantile);
  if (tail == 0) return std::numeric_limits<std::uint64_t>::max();
  return (kSamplesBeyond * kTailUnits + tail - 1) / tail;
}

Histogram Histogram::from_sparse(const Sparse& sparse) {
  check(sparse);
  Histogram histogram;
  if (sparse.counts.empty()) return histogram;
  for (const auto& [index, count] : sparse.counts) {
    histogram.count_at(index) = count;
    histogram.count_ += count;
  }
  histogram.sum_ = (Wide{sparse.sum_high} << 64) + sparse.sum_low;
  histogram.min_ = sparse.min;
  histogram.max_ = sparse.max;
  return histogram;
}

void Histogram::check(const Sparse& sparse) {
  constexpr std::uint32_t last_index = index_of(static_cast<std::uint64_t>(kLargest.count()));
  if (sparse.counts.empty()) {
    require(sparse == Sparse{}, "it has no samples, so its sum, minimum and maximum must be 0");
    return;
  }
  const Wide sum = (Wide{sparse.sum_high} << 64) + sparse.sum_low;
  std::uint64_t total = 0;
  Wide least_sum = 0;
  Wide greatest_sum = 0;
  std::uint32_t next_index = 0;
  for (const auto& [index, count] : sparse.counts) {
    require(index >= next_index, "bucket indices must rise");
    require(index <= last_index, "a bucket index is beyond 2^62 ns");
    require(count > 0, "a bucket without samples must be left out");
    require(count <= std::numeric_limits<std::uint64_t>::max() - total, "the counts sum to 2^64 or more");
    next_index = index + 1;
    total += count;
    least_sum += Wide{lowest_in(index)} * count;
    greatest_sum += Wide{highest_in(index)} * count;
  }
  require(sparse.min >= Nanoseconds{0} && sparse.min <= sparse.max && sparse.max <= kLargest,
          "minimum and maximum must be in order and within 0 and 2^62 ns");
  require(index_of(static_cast<std::uint64_t>(sparse.min.count())) == sparse.counts.front().first,
          "the minimum is not in the first bucket");
  require(index_of(static_cast<std::uint64_t>(sparse.max.count())) == sparse.counts.back().first,
          "the maximum is not in the last bucket");
  require(sum >= least_sum && sum <= greatest_sum, "the buckets cannot have this sum");
}

template <class Each>
void Histogram::for_each_bucket(Each each) const {
  for (std::uint32_t block = 0; block < places_.size(); ++block) {
    if (places_[block] == kNone) continue;
    const Block& counts = blocks_[places_[block] - 1U];
    for (std::uint32_t index = 0; index < kBlockSize; ++index) {
      if (counts[index] > 0 && !each((block << kBlockBits) + index, counts[index])) return;
    }
  }
}

bool Histogram::operator==(const Histogram& other) const {
  if (count_ != other.count_ || sum_ != other.sum_ || min_ != other.min_ || max_ != other.max_) return false;
  // As many samples: if each bucket here has as many as there, none is left for another one there.
  bool alike = true;
  for_each_bucket([&](std::uint32_t index, std::uint64_t count) { return alike = other.count_in(index) == count; });
  return alike;
}

void Histogram::merge(const Histogram& other) {
  for (std::uint32_t block = 0; block < other.places_.size(); ++block) {
    if (other.places_[block] == kNone) continue;
    const Block& from = other.blocks_[other.places_[block] - 1U];
    std::uint64_t* const to = &count_at(block << kBlockBits);
    for (std::uint32_t index = 0; index < kBlockSize; ++index) to[index] += from[index];
  }
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

Nanoseconds Histogram::min() const {
  assert(!empty());
  return min_;
}

Nanoseconds Histogram::max() const {
  assert(!empty());
  return max_;
}

double Histogram::mean() const {
  assert(!empty());
  return static_cast<double>(sum_) / static_cast<double>(count_);
}

Nanoseconds Histogram::value_at(double quantile) const {
  assert(!empty());
  const auto beyond = static_cast<std::uint64_t>(Wide{count_} * tail_of(quantile) / kTailUnits);
  const std::uint64_t rank = std::max<std::uint64_t>(count_ - beyond, 1);
  std::uint32_t found = 0;
  std::uint64_t seen = 0;
  for_each_bucket([&](std::uint32_t index, std::uint64_t count) {
    found = index;
    seen += count;
    return seen < rank;
  });
  return std::min(nanoseconds(highest_in(found)), max_);
}

std::optional<Nanoseconds> Histogram::percentile(double quantile) const {
  if (count_ < samples_needed(quantile)) return std::nullopt;
  return value_at(quantile);
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
  std::vector<Bucket> result;
  for (const auto& [index, count] : sparse().counts) {
    result.push_back({nanoseconds(lowest_in(index)), nanoseconds(highest_in(index)), count});
  }
  return result;
}

std::map<Nanoseconds, std::uint64_t> Histogram::by_power_of_two() const {
  std::map<Nanoseconds, std::uint64_t> octaves;
  for_each_bucket([&](std::uint32_t index, std::uint64_t count) {
    // No bucket reaches across a power of two.
    const auto octave = static_cast<std::int64_t>(std::bit_floor(lowest_in(index)));
    octaves[Nanoseconds{octave}] += count;
    return true;
  });
  return octaves;
}

Histogram::Sparse Histogram::sparse() const {
  if (empty()) return {};
  Sparse result;
  for_each_bucket([&](std::uint32_t index, std::uint64_t count) {
    result.counts.emplace_back(index, count);
    return true;
  });
  result.sum_high = static_cast<std::uint64_t>(sum_ >> 64);
  result.sum_low = static_cast<std::uint64_t>(sum_);
  result.min = min_;
  result.max = max_;
  return result;
}

void Histogram::make_room_for(std::uint32_t block) {
  if (block >= places_.size()) places_.resize(block + 1U, kNone);
  blocks_.emplace_back();
  places_[block] = static_cast<std::uint16_t>(blocks_.size());
}

}  // namespace sim
