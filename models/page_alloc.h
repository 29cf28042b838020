// One zone of physical memory: who has its pages, and when an allocation has to wait for reclaim.
//
// Models the page counts of a zone, its watermarks, and the way of an allocation through them.
// Kernel. mm/page_alloc.c of 2.6.28: __alloc_pages_internal (above low: take a page; below: wake kswapd; at min:
// direct reclaim, then try again), setup_per_zone_pages_min, init_per_zone_pages_min.
// Simplified. One zone, order 0, no per-CPU lists, no reserves below min for atomic or dying callers. Reclaim takes
// page cache and streamed anonymous pages without regard to their age and never the pages of a locker's region: safe
// for a question about who waits for whom; the lists' own dynamics are not modelled. Validated by
// tests/page_alloc_test.cpp: the formula, conservation of pages, where direct reclaim begins.
#pragma once

#include <cstdint>

#include "models/page.h"
#include "models/scenario.h"
#include "sim/histogram.h"

namespace models {

class Task;
struct Kernel;

struct Watermarks {
  PageCount min;   ///< below: an allocation reclaims for itself first
  PageCount low;   ///< below: kswapd is woken
  PageCount high;  ///< kswapd goes back to sleep

  bool operator==(const Watermarks&) const = default;
};

/// min_free_kbytes of 2.6.28, init_per_zone_pages_min: sqrt(16 x kbytes of low memory), within 128 .. 65536 KiB.
[[nodiscard]] Bytes min_free(Bytes memory);

/// setup_per_zone_pages_min of 2.6.28: low = min * 5/4, high = min * 3/2.
[[nodiscard]] Watermarks watermarks(Bytes min_free);

/// Where the zone's pages are. They always add up to the zone's size.
struct ZoneCounts {
  PageCount free;
  PageCount evictable;    ///< can be reclaimed: page cache and what the faulters have left behind
  PageCount mapped;       ///< resident in a locker's region, not locked
  PageCount unevictable;  ///< locked by mlock
  PageCount in_flight;    ///< taken from free, not yet mapped

  [[nodiscard]] PageCount total() const { return free + evictable + mapped + unevictable + in_flight; }
  bool operator==(const ZoneCounts&) const = default;
};

struct ZoneStatistics {
  std::uint64_t allocated = 0;  ///< pages
  std::uint64_t kswapd_wakeups = 0;
  std::uint64_t kswapd_reclaimed = 0;  ///< pages
  std::uint64_t direct_reclaimed = 0;  ///< pages
  sim::Histogram direct_stalls;        ///< allocations that had to reclaim: how long it took them
  PageCount lowest_free;
};

/// The kind of place that a page goes to or comes from.
using PageList = PageCount ZoneCounts::*;

class Zone {
 public:
  explicit Zone(const MemorySpec& memory);

  [[nodiscard]] const ZoneCounts& counts() const { return counts_; }
  [[nodiscard]] const Watermarks& marks() const { return marks_; }
  [[nodiscard]] const ZoneStatistics& statistics() const { return statistics_; }
  [[nodiscard]] ZoneStatistics& statistics() { return statistics_; }

  [[nodiscard]] bool below_low() const { return counts_.free <= marks_.low; }
  [[nodiscard]] bool at_min() const { return counts_.free <= marks_.min; }
  [[nodiscard]] bool below_high() const { return counts_.free < marks_.high; }

  /// Moves `pages` from one place to another. Precondition: there are that many.
  void move(PageList from, PageList to, PageCount pages);

 private:
  Watermarks marks_;
  ZoneCounts counts_;
  PageCount size_;
  ZoneStatistics statistics_;
};

/// Takes one free page for `current`, reclaiming for it where the watermarks say so. The page is then in flight.
/// When nothing is left to reclaim the run ends with the outcome `out of memory`, and this does not return.
void alloc_page(Task& current);

}  // namespace models
