// The part of a scenario that can be run for real: address spaces, and threads that make the calls themselves.
//
// What is left out has no counterpart that an unprivileged process could be (control groups, devices that pin memory,
// pages that are swapped out at the start), and says so by class. The probe (tools/probe) runs it; validate compares.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/spec/policy.h"
#include "models/spec/scenario.h"
#include "sim/time.h"

namespace experiments {

/// How mlock and munlock are to hold mmap_lock, on a kernel that can be told (tools/kernel-lab --patched).
struct LockPaths {
  models::Hold munlock{};  ///< write_held, downgrade, or chunked_write with a batch
  models::HoldMode populate = models::HoldMode::drop_and_read;  ///< of mlock; not chunked_write

  bool operator==(const LockPaths&) const = default;
};

struct Workload {
  std::string scenario;  ///< its name
  std::uint64_t seed = 1;
  std::optional<sim::Nanoseconds> duration{};  ///< none: until every locker's script has ended
  bool warm_up = true;
  std::vector<models::ProcessSpec> processes{};
  std::optional<LockPaths> lock_paths{};  ///< none: as the kernel does it

  bool operator==(const Workload&) const = default;
};

/// Which classes cannot be run for real, and why.
using LeftOut = std::map<std::string, std::string>;

/// What of `scenario` can be run for real; the reasons for the rest go to `left_out`.
[[nodiscard]] Workload workload_of(const models::Scenario& scenario, LeftOut& left_out);

/// The bytes that it touches at most, the arenas of its faulters aside.
[[nodiscard]] models::Bytes memory_of(const Workload& workload);

}  // namespace experiments
