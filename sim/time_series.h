// A quantity that changes in steps over virtual time, in bounded memory: how many pages are free, how many tasks queue.
//
// Time is divided into buckets of equal width from time 0 on, [0, w), [w, 2w) and so on. A time that lies beyond the
// last of `capacity` buckets makes neighbours merge in pairs and the width double, as often as it takes. So there are
// between capacity / 2 and capacity buckets for any run longer than capacity * first_width, and they are exactly what
// recording with the final width from the beginning would have given: nothing depends on when the width doubled.
// What is kept of a bucket is its range and its last value: peaks survive, however short they were.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/time.h"

namespace sim {

class TimeSeries {
 public:
  /// What the value was from the beginning of a bucket, included, to its end, excluded. `min` and `max` are over every
  /// value recorded in between, even if the next one came at the same moment, and the value that it began with.
  /// A bucket in which nothing was recorded carries on the value before.
  struct Bucket {
    std::int64_t min;
    std::int64_t max;
    std::int64_t last;
    bool operator==(const Bucket&) const = default;
  };

  /// Preconditions: capacity >= 1, first_width >= 1 ns.
  explicit TimeSeries(std::size_t capacity = 256, Nanoseconds first_width = std::chrono::microseconds{1});

  /// The series that capacity(), width() and buckets() came from. Throws std::invalid_argument when no series has
  /// these: more buckets than the capacity, a width below 1 ns, a last value outside its bucket's range, or an end
  /// beyond the largest Time.
  static TimeSeries restore(std::size_t capacity, Nanoseconds width, std::vector<Bucket> buckets);

  /// From `at` on the quantity is `value`. The first value recorded also counts for all the time before it.
  /// Precondition: 0 <= `at` <= 2^62 ns, and not before the `at` of an earlier call.
  void record(Time at, std::int64_t value) {
    assert(at >= end_ - width_ && "time went back");
    if (at >= end_) open_bucket(at, value);
    Bucket& bucket = buckets_.back();
    bucket.min = std::min(bucket.min, value);
    bucket.max = std::max(bucket.max, value);
    bucket.last = value;
  }

  /// This series with its last value carried on to `end`, excluded: the one to look at when a run has ended at `end`.
  /// It may be coarser than this one. The same if it reaches that far already or if nothing was recorded.
  [[nodiscard]] TimeSeries until(Time end) const;

  [[nodiscard]] bool empty() const { return buckets_.empty(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  /// The present width of a bucket: the first width times a power of two.
  [[nodiscard]] Nanoseconds width() const { return width_; }
  /// From time 0 to the bucket of the last time recorded; at most capacity() of them.
  [[nodiscard]] const std::vector<Bucket>& buckets() const { return buckets_; }

  bool operator==(const TimeSeries&) const = default;

 private:
  [[nodiscard]] std::size_t index_of(Time at) const { return static_cast<std::size_t>(at.time_since_epoch() / width_); }
  [[nodiscard]] Time start_of(std::size_t index) const { return Time{width_ * static_cast<std::int64_t>(index)}; }

  void open_bucket(Time at, std::int64_t value);
  void make_room_for(Time at);
  void merge_pairs();

  std::size_t capacity_;
  Nanoseconds width_;
  std::vector<Bucket> buckets_;
  Time end_{};  // of the last bucket
};

}  // namespace sim
