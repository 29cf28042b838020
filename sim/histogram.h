// Histograms of lengths of time: small however many samples they hold, exact where a reader looks closest.
//
// The layout is HdrHistogram's (Gil Tene, hdrhistogram.org) with a unit of 1 ns and 2048 sub-buckets, which it
// calls three significant digits. Values below 2048 ns have a bucket each. Above, every power of two is divided
// into 1024 buckets of equal width: a value v >= 2048 lies in a bucket of width w = 2^(bit_width(v) - 11), and
// v >= 1024 w, so the ends of a bucket differ by less than v / 1024, or 0.098 %.
// Count, sum, minimum and maximum are kept beside the buckets and are exact.
//
// Buckets come into memory in blocks of 128, as samples fall into them: a run has hundreds of histograms, most of them
// with a few samples, and a bucket for each of up to a second would be 160 KiB for each.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "sim/time.h"

namespace sim {

class Histogram {
 public:
  /// The largest value that can be recorded: 2^62 ns, or 146 years.
  static constexpr Nanoseconds kLargest{std::int64_t{1} << 62};

  /// The `count` samples from `lowest` to `highest`, both included, which the histogram cannot tell apart.
  struct Bucket {
    Nanoseconds lowest;
    Nanoseconds highest;
    std::uint64_t count;
    bool operator==(const Bucket&) const = default;
  };

  /// All that a histogram knows, in a form to store. An empty histogram is all zeros.
  struct Sparse {
    std::vector<std::pair<std::uint32_t, std::uint64_t>> counts;  ///< (bucket index, count > 0), by index
    std::uint64_t sum_high = 0;                                   ///< the sum in ns is sum_high 2^64 + sum_low
    std::uint64_t sum_low = 0;
    Nanoseconds min{0};
    Nanoseconds max{0};
    bool operator==(const Sparse&) const = default;
  };

  /// As many samples must lie beyond a percentile for it to have a value.
  static constexpr std::uint64_t kSamplesBeyond = 10;
  /// The least number of samples for which percentile(quantile) has an answer: the least n for which
  /// n (1 - quantile) >= 10. 20 for p50, 100 for p90, 1000 for p99; the largest integer for quantile 1.
  static std::uint64_t samples_needed(double quantile);

  /// The histogram that sparse() came from. Throws std::invalid_argument when no histogram has these contents:
  /// indices that do not rise or are out of range, empty buckets, counts that sum to 2^64 or more, or a
  /// minimum, maximum or sum that the buckets contradict.
  static Histogram from_sparse(const Sparse& sparse);

  /// Adds a sample. Precondition: 0 <= value <= kLargest.
  void record(Nanoseconds value) {
    assert(value >= Nanoseconds{0} && value <= kLargest);
    const auto nanoseconds = static_cast<std::uint64_t>(value.count());
    const std::uint32_t index = index_of(nanoseconds);
    ++count_at(index);
    ++count_;
    sum_ += nanoseconds;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  /// Adds every sample of `other`. Loses nothing: the result equals a histogram that recorded them all.
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// The least sample, exactly. Precondition: not empty.
  [[nodiscard]] Nanoseconds min() const;
  /// The greatest sample, exactly. Precondition: not empty.
  [[nodiscard]] Nanoseconds max() const;
  /// The arithmetic mean in nanoseconds: the exact sum divided by the count. Precondition: not empty.
  [[nodiscard]] double mean() const;

  /// Whether the sum of the samples is at most Nanoseconds::max(), 292 years.
  [[nodiscard]] bool total_fits() const { return sum_ <= static_cast<Wide>(Nanoseconds::max().count()); }
  /// The exact sum of the samples. Precondition: total_fits().
  [[nodiscard]] Nanoseconds total() const {
    assert(total_fits());
    return Nanoseconds{static_cast<std::int64_t>(sum_)};
  }

  /// The highest value that the histogram cannot tell from the ceil(quantile * count)-th least sample (the
  /// least one for quantile 0), but never more than max(): at most 0.1 % above that sample, never below it,
  /// and exactly max() for quantile 1. Quantiles are read to 12 decimals, so 0.999 means 999 of 1000 samples
  /// although no double is exactly 0.999. Preconditions: 0 <= quantile <= 1; not empty.
  [[nodiscard]] Nanoseconds value_at(double quantile) const;

  /// value_at(quantile) if enough samples stand behind it to report it, else nothing.
  ///
  /// The rule: count (1 - quantile) >= 10, that is, ten samples are expected beyond the percentile. Their
  /// number is binomial with mean m = count (1 - quantile) and standard deviation sqrt(m quantile), so the
  /// fraction of samples beyond the reported value is known with a standard error of at most 1 / sqrt(10), or
  /// about a third of itself. With fewer, a percentile mostly restates the greatest samples. The rule looks
  /// at the upper tail only: it is meant for quantiles from 0.5 on. Precondition: 0 <= quantile <= 1.
  [[nodiscard]] std::optional<Nanoseconds> percentile(double quantile) const;

  /// The buckets that are not empty, from the lowest on.
  [[nodiscard]] std::vector<Bucket> buckets() const;
  /// How many samples lie from a power of two up to the next, by that power; 0 for those of 0. None that has no
  /// samples.
  [[nodiscard]] std::map<Nanoseconds, std::uint64_t> by_power_of_two() const;
  /// The contents in a form to store; from_sparse() is the way back.
  [[nodiscard]] Sparse sparse() const;

  bool operator==(const Histogram& other) const;

 private:
  // 2^62 ns a sample and up to 2^64 samples. The keyword is what -Wpedantic asks for.
  __extension__ typedef unsigned __int128 Wide;

  static constexpr std::uint32_t kHalfBits = 10;
  static constexpr std::uint32_t kHalfCount = 1U << kHalfBits;
  static constexpr std::uint64_t kSubBucketMask = 2 * kHalfCount - 1;

  /// The bucket of a value: consecutive integers without a gap from one power of two to the next.
  static constexpr std::uint32_t index_of(std::uint64_t value) {
    const auto shift = static_cast<std::uint32_t>(std::bit_width(value | kSubBucketMask)) - (kHalfBits + 1);
    return (shift << kHalfBits) + static_cast<std::uint32_t>(value >> shift);
  }
  static constexpr std::uint32_t shift_of(std::uint32_t index) {
    return index < 2 * kHalfCount ? 0 : (index >> kHalfBits) - 1;
  }
  static constexpr std::uint64_t lowest_in(std::uint32_t index) {
    const std::uint32_t shift = shift_of(index);
    return std::uint64_t{index - (shift << kHalfBits)} << shift;
  }
  static constexpr std::uint64_t highest_in(std::uint32_t index) {
    return lowest_in(index) + (std::uint64_t{1} << shift_of(index)) - 1;
  }

  static constexpr std::uint32_t kBlockBits = 7;
  static constexpr std::uint32_t kBlockSize = 1U << kBlockBits;
  using Block = std::array<std::uint64_t, kBlockSize>;
  static constexpr std::uint16_t kNone = 0;

  std::uint64_t& count_at(std::uint32_t index) {
    const std::uint32_t block = index >> kBlockBits;
    if (block >= places_.size() || places_[block] == kNone) make_room_for(block);
    return blocks_[places_[block] - 1U][index % kBlockSize];
  }

  [[nodiscard]] std::uint64_t count_in(std::uint32_t index) const {
    const std::uint32_t block = index >> kBlockBits;
    return block >= places_.size() || places_[block] == kNone ? 0 : blocks_[places_[block] - 1U][index % kBlockSize];
  }

  static void check(const Sparse& sparse);
  void make_room_for(std::uint32_t block);
  // Calls `each` with the index and the count of the buckets that are not empty, from the lowest on, until it returns
  // false.
  template <class Each>
  void for_each_bucket(Each each) const;

  std::vector<std::uint16_t> places_;  // by number of the block: one more than where it is in blocks_
  std::vector<Block> blocks_;          // none without a sample
  std::uint64_t count_ = 0;
  Wide sum_ = 0;
  Nanoseconds min_ = Nanoseconds::max();
  Nanoseconds max_{0};
};

}  // namespace sim
