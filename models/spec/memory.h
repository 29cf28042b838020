// The machine's memory at the start, whose rules it is managed by, and where it can be swapped to.
#pragma once

#include <chrono>
#include <optional>

#include "models/spec/device.h"
#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

/// Whose rules memory is managed by. A policy says nothing about it: policies are compared on one memory.
enum class ReclaimEra {
  linux_2_6_28,  ///< congestion_wait between rounds, OOM after one futile round
  linux_6_1,     ///< reclaim_throttle, 16 retries, the reserve is guarded by kswapd
};

/// Swap that keeps pages compressed in memory, on the CPU's time (drivers/block/zram).
struct ZramSpec {
  sim::Nanoseconds compress{};    ///< a page
  sim::Nanoseconds decompress{};  ///< a page
  double ratio = 1;               ///< of a page to what it is compressed to, >= 1

  bool operator==(const ZramSpec&) const = default;
};

struct SwapSpec {
  Bytes size{};
  std::optional<ZramSpec> zram;  ///< none: on the machine's block device
  PageCount readahead{8};        ///< pages read with the one that is asked for: 1 << page_cluster (mm/swap.c)

  bool operator==(const SwapSpec&) const = default;
};

/// The zone at the start and what keeps it busy. What is neither free nor in the working set nor in a region is page
/// cache that nobody touches.
struct MemorySpec {
  Bytes size{};  ///< all of the machine's memory
  Bytes free{};  ///< at the start
  ReclaimEra era = ReclaimEra::linux_6_1;
  std::optional<Bytes> min_free;                  ///< the min watermark; by default the kernel's formula
  int watermark_scale_factor = 10;                ///< in 1/10000 of the memory, 1 .. 3000 (6.1 only)
  int swappiness = 60;                            ///< 0 .. 200
  Bytes anon{};                                   ///< anonymous memory of other processes: their working set
  Bytes file{};                                   ///< page cache that they use
  std::optional<sim::Nanoseconds> touched_every;  ///< mean time between two touches of a page of the working set
  double dirty = 0;              ///< share of page cache that must be written before it can be freed, 0 .. 1
  Bytes background{};            ///< what other processes read from files in a second
  DeviceSpec device{};           ///< for files, and for swap that is not zram
  std::optional<SwapSpec> swap;  ///< none: anonymous pages cannot be reclaimed
  PageCount readahead{32};       ///< pages of a file read at a time (read_ahead_kb 128)
  PageCount fault_around{16};    ///< pages mapped at a time if they are cached (fault_around_bytes 64 KiB)
  /// How often the flusher looks for what has been dirty for too long (dirty_writeback_centisecs); 0: never.
  sim::Nanoseconds dirty_writeback{std::chrono::seconds{5}};
  sim::Nanoseconds dirty_expire{std::chrono::seconds{30}};  ///< how long that is (dirty_expire_centisecs)

  bool operator==(const MemorySpec&) const = default;
};

}  // namespace models
