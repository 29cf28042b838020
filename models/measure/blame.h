// Where the time of a request goes: causes that add up to its latency without remainder.
//
// Values only. What charges them is the Ledger of each task (models/measure/ledger.h), which is always charging exactly
// one cause. Waiting for a semaphore is split further, by who held it meanwhile (LockBlame).
#pragma once

#include <boost/container/container_fwd.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>

#include "models/measure/phase.h"
#include "sim/time.h"

namespace models {

enum class Cause {
  cpu,               ///< working, on a CPU
  run_queue,         ///< runnable, waiting for a CPU; includes the context switch that ends the wait
  throttled,         ///< runnable, and its group has used up its quota of CPU time
  wake_up,           ///< chosen to run: waiting for the waker to get to it and for an idle CPU to come alive
  lock_wait,         ///< waiting for a semaphore
  direct_reclaim,    ///< reclaiming pages for its own allocation, on a CPU
  reclaim_throttle,  ///< asleep in direct reclaim until others have made progress, or for exceeding memory.high
  device_io,         ///< waiting for the device: a major fault, or room in its queue
  sleep,             ///< thinking or holding: never part of a request
  interrupted,       ///< on a CPU, or about to be, that stands still; results are stored by number: hence the last
  userfault,         ///< waiting for userfaultfd's monitor to fill a page in; stands behind for the same reason
};

inline constexpr std::size_t kCauseCount = 11;

/// From here on causes are rare: as a rule nobody's time goes to them.
inline constexpr std::size_t kFirstRareCause = static_cast<std::size_t>(Cause::interrupted);

constexpr std::string_view to_string(Cause cause) {
  constexpr std::array<std::string_view, kCauseCount> names{
      "cpu",       "run_queue", "throttled",   "wake_up",  "lock_wait", "direct_reclaim", "reclaim_throttle",
      "device_io", "sleep",     "interrupted", "userfault"};
  return names[static_cast<std::size_t>(cause)];
}

using TimeByCause = std::array<sim::Nanoseconds, kCauseCount>;

enum class LockMode { read, write };

constexpr std::string_view to_string(LockMode mode) { return mode == LockMode::read ? "read" : "write"; }

/// Classes of competitors are numbered in the order of the scenario.
using ClassId = std::int32_t;

/// What a task can wait for under Cause::lock_wait.
enum class LockKind {
  mmap_sem,
  vma,
  mutex,  ///< of user space, held around a system call
};

constexpr std::string_view to_string(LockKind lock) {
  constexpr std::array<std::string_view, 3> names{"mmap_sem", "a VMA's lock", "the mutex"};
  return names[static_cast<std::size_t>(lock)];
}

/// Who kept a waiter out of a lock.
struct LockBlame {
  ClassId holder = -1;  ///< among several readers, the one that has held it longest
  Phase phase = Phase::idle;
  LockMode mode = LockMode::read;
  ClassId convoy = -1;        ///< a reader kept out by readers: the class of the queued writer it stands behind
  Cause doing = Cause::cpu;   ///< what the holder's own time went into meanwhile
  ClassId cpu_taken_by = -1;  ///< a holder that waits for a CPU: who had its CPU when that wait began
  LockKind lock = LockKind::mmap_sem;

  auto operator<=>(const LockBlame&) const = default;
};

/// How long, by whom it was for.
using LockTimes = std::map<LockBlame, sim::Nanoseconds>;

/// Sums of where the time of requests went.
struct Blame {
  std::uint64_t count = 0;
  TimeByCause causes{};
  LockTimes lock_waits;  ///< what Cause::lock_wait consists of

  void add(const Blame& other);
  bool operator==(const Blame&) const = default;
};

}  // namespace models
