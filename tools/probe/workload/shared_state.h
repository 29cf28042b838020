// What the processes of a workload share: when it begins and ends, the warm-up, and what the lockers are doing.
//
// In memory that is mapped by all of them. The rules are the simulator's (models/measure/measurement.h).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "models/measure/phase.h"

namespace probe {

/// What the lockers of one process were doing, and since when.
class PhaseLog {
 public:
  /// One after another: `since`, in nanoseconds, must not go back.
  void enter(models::Phase phase, std::int64_t since) {
    const std::uint64_t count = count_.load(std::memory_order_relaxed);
    Entry& entry = entries_[count % kEntries];
    entry.since.store(since, std::memory_order_relaxed);
    entry.phase.store(phase, std::memory_order_relaxed);
    count_.store(count + 1, std::memory_order_release);
  }
  /// `idle` before the first entry, and before those that are kept.
  [[nodiscard]] models::Phase at(std::int64_t time) const {
    const std::uint64_t count = count_.load(std::memory_order_acquire);
    for (std::uint64_t back = 1; back <= count && back < kEntries; ++back) {
      const Entry& entry = entries_[(count - back) % kEntries];
      if (entry.since.load(std::memory_order_relaxed) <= time) return entry.phase.load(std::memory_order_relaxed);
    }
    return models::Phase::idle;
  }

 private:
  static constexpr std::size_t kEntries = std::size_t{1} << 14U;
  struct Entry {
    std::atomic<std::int64_t> since{0};
    std::atomic<models::Phase> phase{models::Phase::idle};
  };
  std::atomic<std::uint64_t> count_{0};
  std::array<Entry, kEntries> entries_{};
};

/// What others must know of a process.
struct SharedProcess {
  std::atomic<int> pid{0};
  std::atomic<std::int64_t> first_region{0};  ///< the page at which it begins
  std::atomic<std::int64_t> first_region_pages{0};
  PhaseLog lockers;
};

inline constexpr std::size_t kMostProcesses = 16;

struct SharedState {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  std::atomic<int> ready{0};  ///< threads of all processes
  std::atomic<bool> failed{false};
  std::atomic<std::int64_t> start{0};             ///< 0 until all are ready
  std::atomic<std::int64_t> end{kNever};          ///< requests that are due after it do not count
  std::atomic<std::int64_t> warm_up_end{kNever};  ///< those that are due before it do not either
  std::atomic<int> unserved{0};                   ///< threads whose first request is not over
  std::atomic<int> lockers{0};                    ///< whose scripts are not over
  std::array<SharedProcess, kMostProcesses> processes{};

  /// Ends the warm-up, if it has not ended before.
  void end_warm_up(std::int64_t time) {
    for (std::int64_t known = warm_up_end; time < known;) {
      if (warm_up_end.compare_exchange_weak(known, time)) break;
    }
  }
  void end_run(std::int64_t time) {
    std::int64_t never = kNever;
    end.compare_exchange_strong(never, time);
  }
};

}  // namespace probe
