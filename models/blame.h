// Where the time of a request goes: causes that add up to its latency without remainder.
//
// Every task carries a Ledger that is always charging exactly one cause. A request's parts are the difference
// between two readings of it, so they add up by construction. Waiting for a semaphore is split further, by
// who held it meanwhile (LockBlame).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "models/phase.h"
#include "sim/time.h"

namespace models {

enum class Cause {
  cpu,             ///< working, on a CPU
  run_queue,       ///< runnable, waiting for a CPU; includes the context switch that ends the wait
  wake_up,         ///< chosen to run: waiting for the waker to get to it and for an idle CPU to come alive
  lock_wait,       ///< waiting for a semaphore
  direct_reclaim,  ///< reclaiming pages for its own allocation: CPU time and waits for the device
  backlog,         ///< open loop only: due, but the same thread was still busy with an earlier request
  sleep,           ///< thinking or holding: never part of a request
};

inline constexpr std::size_t kCauseCount = 7;

constexpr std::string_view to_string(Cause cause) {
  constexpr std::array<std::string_view, kCauseCount> names{"cpu",            "run_queue", "wake_up", "lock_wait",
                                                            "direct_reclaim", "backlog",   "sleep"};
  return names[static_cast<std::size_t>(cause)];
}

using TimeByCause = std::array<sim::Nanoseconds, kCauseCount>;

enum class LockMode { read, write };

constexpr std::string_view to_string(LockMode mode) { return mode == LockMode::read ? "read" : "write"; }

/// Classes of competitors are numbered in the order of the scenario.
using ClassId = std::int32_t;

/// Who kept a waiter out of a semaphore.
struct LockBlame {
  ClassId holder = -1;  ///< among several readers, the one that has held it longest
  Phase phase = Phase::idle;
  LockMode mode = LockMode::read;
  ClassId convoy = -1;  ///< a reader kept out by readers: the class of the queued writer it stands behind

  auto operator<=>(const LockBlame&) const = default;
};

/// Waiting times by whom they are charged to. A request meets few holders, so a list is enough.
class LockWaits {
 public:
  void add(const LockBlame& blame, sim::Nanoseconds wait) {
    for (auto& [known, total] : waits_) {
      if (known == blame) {
        total += wait;
        return;
      }
    }
    waits_.emplace_back(blame, wait);
  }
  void clear() { waits_.clear(); }
  [[nodiscard]] auto begin() const { return waits_.begin(); }
  [[nodiscard]] auto end() const { return waits_.end(); }

 private:
  std::vector<std::pair<LockBlame, sim::Nanoseconds>> waits_;
};

/// What a task's time has gone into since the start of the run.
class Ledger {
 public:
  /// From `at` on, time is charged to `cause`; what has passed until then goes to the cause before.
  /// `at` may lie ahead of the clock when it is certain already; it never goes back.
  void charge(Cause cause, sim::Time at) {
    totals_[static_cast<std::size_t>(cause_)] += at - since_;
    cause_ = cause;
    since_ = at;
  }
  [[nodiscard]] Cause cause() const { return cause_; }
  [[nodiscard]] sim::Time since() const { return since_; }

  /// The totals at `now`.
  [[nodiscard]] TimeByCause read(sim::Time now) const {
    TimeByCause totals = totals_;
    totals[static_cast<std::size_t>(cause_)] += now - since_;
    return totals;
  }

 private:
  TimeByCause totals_{};
  Cause cause_ = Cause::sleep;
  sim::Time since_{};
};

}  // namespace models
