// How fast memory takes zeroes: what keeps many threads from clearing pages as fast as one.
//
// Models. clear_page writes 4 KiB that are in no cache. One CPU is limited by itself (the cost of the page); N that
// populate at once by what they can do together, too: a page of each then lasts N x 4096 B / bandwidth, if that is
// longer. Simplified. One memory for all CPUs, shared equally by those who populate (mlock, MAP_POPULATE, madvise),
// whatever else goes over the bus; of a page's cost all counts as clearing. Faults of single pages are neither counted
// nor slowed down. A batch of pages, 64 at most, goes at the rate at which it began. Validated by
// tests/models/mm/gup_test.cpp: closed forms.
#pragma once

#include <cstdint>
#include <optional>

#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

class ClearBandwidth {
 public:
  /// `a_second` (> 0): what all CPUs together can clear; none: no limit.
  explicit ClearBandwidth(std::optional<Bytes> a_second = std::nullopt) : a_second_(a_second) {}

  /// A task begins, or ends, to clear. To be told at settled times, as all others see it.
  void begin() { ++tasks_; }
  void end() { --tasks_; }

  /// What a page takes at least, with all who clear at present.
  [[nodiscard]] sim::Nanoseconds least_for_page() const {
    constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
    if (!a_second_) return sim::Nanoseconds{0};
    return sim::Nanoseconds{tasks_ * kPageSize * kNanosecondsPerSecond / a_second_->count()};
  }

 private:
  std::optional<Bytes> a_second_;
  std::int64_t tasks_ = 0;
};

}  // namespace models
