// How fast memory takes zeroes: what keeps many threads from clearing pages as fast as one.
//
// Models. clear_page writes 4 KiB that are in no cache. One CPU is limited by itself (the cost of the page); N that
// populate at once by what they can do together, too: a page of each then lasts N x 4096 B / bandwidth, if that is
// longer. Simplified. One memory for all CPUs, shared equally by those who populate (mlock, MAP_POPULATE, madvise),
// whatever else goes over the bus; of a page's cost all counts as clearing. Faults of single pages are neither counted
// nor slowed down. A batch of pages, 64 at most, goes at the rate at which it began. Validated by
// tests/models/mm/gup_test.cpp: closed forms.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

class Mm;
class Task;
struct Populating;

class ClearBandwidth {
 public:
  /// `a_second` (> 0): what all CPUs together can clear; none: no limit.
  explicit ClearBandwidth(std::optional<Bytes> a_second = std::nullopt) : a_second_(a_second) {}

  /// A task begins, or ends, to clear. To be told at settled times, as all others see it.
  void begin() { ++tasks_; }
  void end() { --tasks_; }

  /// What a page takes at least, with all who clear at present and so many more.
  [[nodiscard]] sim::Nanoseconds least_for_page(int more = 0) const {
    constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
    if (!a_second_) return sim::Nanoseconds{0};
    return sim::Nanoseconds{(tasks_ + more) * kPageSize * kNanosecondsPerSecond / a_second_->count()};
  }

 private:
  std::optional<Bytes> a_second_;
  std::int64_t tasks_ = 0;
};

/// `current`, which has settled, begins to clear pages of [start, end), absent so far: others see it, and share the
/// bandwidth with it.
void begin_clearing(Task& current, Mm& mm, PageIndex start, PageIndex end);
/// It has cleared them, and moves as many pages as `to_lists` to their lists. `current` has settled on return.
void end_clearing(Task& current, Mm& mm, PageCount to_lists);

/// Another task that is clearing pages of [start, end) at this moment, on a CPU: the first by address, or null. One
/// that has lost its CPU in between is not waited for. `current` has settled.
[[nodiscard]] const Populating* clearing_elsewhere(const Task& current, const Mm& mm, PageIndex start, PageIndex end);

/// What it takes to clear in vain what another task is clearing: time passes for that one, too, whatever pages cost.
[[nodiscard]] constexpr sim::Nanoseconds clearing_in_vain(sim::Nanoseconds cost) {
  return std::max(cost, sim::Nanoseconds{1});
}

}  // namespace models
