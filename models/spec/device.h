// A block device: how long it takes, and how much of it goes on at once. models/block/block_device.h says what of.
#pragma once

#include <string>

#include "sim/distribution.h"
#include "sim/time.h"

namespace models {

/// How a device serves requests.
struct DeviceSpec {
  std::string name;
  int queue_depth = 1;               ///< requests that it serves at once; >= 1
  int nr_requests = 128;             ///< that may be in the queue and in service; >= 1 (BLKDEV_MAX_RQ)
  sim::Distribution read{};          ///< service time of a request, its pages' transfer apart
  sim::Distribution write{};         ///< likewise
  sim::Nanoseconds transfer_page{};  ///< before, for each page of a request, over the link that all share; >= 0
  /// A page must not change while it is written (SB_I_STABLE_WRITES): checksums, parity, NFS.
  bool stable_pages = false;

  bool operator==(const DeviceSpec&) const = default;
};

}  // namespace models
