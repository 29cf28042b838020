#include "sim/time_series.h"

#include <stdexcept>
#include <string>
#include <utility>

namespace sim {

namespace {

void must_hold(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(std::string("stored time series: ") + message);
}

TimeSeries::Bucket flat(std::int64_t value) { return {value, value, value}; }

}  // namespace

TimeSeries::TimeSeries(std::size_t capacity, Nanoseconds first_width) : capacity_(capacity), width_(first_width) {
  assert(capacity >= 1 && first_width >= Nanoseconds{1});
}

TimeSeries TimeSeries::restore(std::size_t capacity, Nanoseconds width, std::vector<Bucket> buckets) {
  must_hold(capacity >= 1, "its capacity must be at least 1");
  must_hold(width >= Nanoseconds{1}, "its width must be at least 1 ns");
  must_hold(buckets.size() <= capacity, "it has more buckets than its capacity");
  must_hold(buckets.size() <= static_cast<std::size_t>(Nanoseconds::max() / width), "it ends beyond the largest time");
  for (const Bucket& bucket : buckets) {
    must_hold(bucket.min <= bucket.last && bucket.last <= bucket.max, "a last value is outside its bucket's range");
  }
  TimeSeries series(capacity, width);
  series.buckets_ = std::move(buckets);
  series.end_ = series.start_of(series.buckets_.size());
  return series;
}

TimeSeries TimeSeries::until(Time end) const {
  TimeSeries series = *this;
  if (empty() || end <= end_) return series;
  series.record(end - Nanoseconds{1}, buckets_.back().last);
  return series;
}

void TimeSeries::open_bucket(Time at, std::int64_t value) {
  make_room_for(at);
  const std::size_t index = index_of(at);
  if (index >= buckets_.size()) {
    const std::int64_t before = empty() ? value : buckets_.back().last;
    buckets_.resize(index, flat(before));
    buckets_.push_back(flat(at == start_of(index) ? value : before));
  }
  end_ = start_of(buckets_.size());
}

void TimeSeries::make_room_for(Time at) {
  while (index_of(at) >= capacity_) merge_pairs();
}

// An odd bucket at the end becomes the first half of one that goes on.
void TimeSeries::merge_pairs() {
  width_ *= 2;
  for (std::size_t index = 0; index < buckets_.size(); index += 2) {
    Bucket merged = buckets_[index];
    if (index + 1 < buckets_.size()) {
      const Bucket& second = buckets_[index + 1];
      merged = {std::min(merged.min, second.min), std::max(merged.max, second.max), second.last};
    }
    buckets_[index / 2] = merged;
  }
  buckets_.resize((buckets_.size() + 1) / 2);
}

}  // namespace sim
