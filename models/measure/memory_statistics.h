// What became of memory in a run. Values only: models/mm/page_alloc.h, models/mm/vmscan.h and
// models/block/block_device.h count them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "models/spec/page.h"
#include "sim/histogram.h"
#include "sim/time.h"
#include "sim/time_series.h"

namespace models {

struct Watermarks {
  PageCount min;   ///< at or below: an allocation reclaims for itself first
  PageCount low;   ///< at or below: kswapd is woken
  PageCount high;  ///< kswapd goes back to sleep

  bool operator==(const Watermarks&) const = default;
};

/// Where the zone's pages are. They always add up to the zone's size.
struct ZoneCounts {
  PageCount free{};
  PageCount per_cpu{};  ///< on the CPUs' own free lists
  PageCount inactive_anon{};
  PageCount active_anon{};
  PageCount inactive_file{};
  PageCount active_file{};
  PageCount unevictable{};  ///< locked by mlock
  PageCount writeback{};    ///< on their way to the device; then free to take
  PageCount compressed{};   ///< what zram keeps the others in
  PageCount hugetlb{};      ///< set aside for hugetlb, mapped or not
  PageCount slab{};         ///< what the kernel keeps its VMAs in
  PageCount children{};     ///< what children of fork have to themselves, since their parent has written to its copy
  PageCount in_flight{};    ///< taken from free and not yet mapped, or from a list and not yet back

  /// What is on the lists that reclaim scans.
  [[nodiscard]] PageCount evictable() const { return inactive_anon + active_anon + inactive_file + active_file; }
  [[nodiscard]] PageCount total() const {
    return free + per_cpu + evictable() + unevictable + writeback + compressed + hugetlb + slab + children + in_flight;
  }
  bool operator==(const ZoneCounts&) const = default;
};

/// How the zone's pages moved over the run.
struct ZoneSeries {
  sim::TimeSeries free;
  sim::TimeSeries anon;  ///< both lists
  sim::TimeSeries file;
  sim::TimeSeries unevictable;

  bool operator==(const ZoneSeries&) const = default;
};

/// Pages, unless it says otherwise.
struct ReclaimStatistics {
  std::uint64_t kswapd_wakeups = 0;  ///< times
  std::uint64_t kswapd_scanned = 0;
  std::uint64_t kswapd_reclaimed = 0;
  std::uint64_t direct_scanned = 0;
  std::uint64_t direct_reclaimed = 0;
  std::uint64_t kept = 0;         ///< touched: once more round the inactive list
  std::uint64_t activated = 0;    ///< touched twice, or nowhere to be written to
  std::uint64_t deactivated = 0;  ///< moved from an active list
  std::uint64_t culled = 0;       ///< found in a VM_LOCKED VMA: moved to the unevictable list
  std::uint64_t swapped_out = 0;
  std::uint64_t swapped_in = 0;
  std::uint64_t files_written = 0;
  std::uint64_t files_read = 0;       ///< by major faults
  std::uint64_t refaults = 0;         ///< of the background's working set
  std::uint64_t throttled = 0;        ///< times that somebody slept in reclaim for others to make progress
  std::uint64_t generations = 0;      ///< MGLRU: times that one was made
  std::uint64_t mms_walked = 0;       ///< MGLRU: walks of a process's page tables
  std::uint64_t mms_passed_over = 0;  ///< ... given up, as mmap_sem was not to be had at once
  int futile_rounds = 0;              ///< of the allocation that ended in OOM
  sim::Histogram direct_stalls;       ///< allocations that had to reclaim: how long it took them

  bool operator==(const ReclaimStatistics&) const = default;
};

/// What a control group with a memory limit took, and what that cost (models/mm/memcontrol.h). Pages, unless it says
/// otherwise.
struct GroupMemory {
  std::string name;
  PageCount at_end{};  ///< memory.current
  PageCount peak{};    ///< memory.peak
  std::uint64_t scanned = 0;
  std::uint64_t reclaimed = 0;
  std::uint64_t max_events = 0;   ///< charges that memory.max was in the way of
  std::uint64_t high_events = 0;  ///< returns to user mode, or long charges, with memory.high exceeded
  sim::Histogram stalls;          ///< charges that had to reclaim: how long it took them
  sim::Nanoseconds high_sleep{};  ///< slept for having exceeded memory.high
  bool out_of_memory = false;     ///< a charge found nothing that could be reclaimed: the run ended with it

  bool operator==(const GroupMemory&) const = default;
};

/// What a block device did.
struct DeviceStatistics {
  /// Requests that are done.
  struct Direction {
    std::uint64_t pages = 0;
    sim::Histogram latency;  ///< from submission to completion, the wait for room apart

    [[nodiscard]] std::uint64_t requests() const { return latency.count(); }
    bool operator==(const Direction&) const = default;
  };

  Direction read;
  Direction write;
  sim::Histogram room_waits;      ///< requests that could not be submitted at once: how long until they had a slot
  sim::Nanoseconds busy{};        ///< service time of the requests that are done; of queue_depth x the run's length
  std::uint64_t congestions = 0;  ///< times that it became congested
  std::size_t longest_queue = 0;  ///< requests in the queue and in service, at most
  sim::TimeSeries queue;          ///< requests in the queue and in service

  bool operator==(const DeviceStatistics&) const = default;
};

}  // namespace models
