// A thread of a trace: what it is about, which locks it holds or waits for, and what its time goes into.
//
// Its account is the one that simulated tasks have (models/measure/ledger.h): always charging exactly one cause.
#pragma once

#include <boost/container/small_vector.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "models/measure/ledger.h"
#include "models/measure/phase.h"
#include "models/spec/recording.h"
#include "sim/time.h"

namespace experiments {

class TracedLock;

/// Something that a thread asks of its address space, from its beginning: a system call, a fault, or a stretch with
/// mmap_lock of which the trace does not tell what it is for.
struct TracedRequest {
  models::Phase phase = models::Phase::other;  ///< what it is
  models::Phase during = models::Phase::idle;  ///< what the lockers of its address space were doing then
  sim::Time due;
  models::TimeByCause before{};              ///< what the thread's time had gone into by then
  std::uint64_t mm = 0;                      ///< whose mmap_lock it has asked for; 0: none
  std::string call{};                        ///< of a system call its name
  std::array<std::uint64_t, 4> arguments{};  ///< of a system call
  std::uint64_t address = 0;                 ///< of a fault
  bool in_kernel = false;                    ///< of a fault
  sim::Nanoseconds write_hold{};             ///< how long it has held mmap_lock
  sim::Nanoseconds read_hold{};
  bool asks_again = false;     ///< for read, after it has held it for write: no downgrade
  models::WakeUps wake_ups{};  ///< for mmap_lock, each until it ran, where its CPU had been idle or somebody else's

  [[nodiscard]] bool locked() const { return mm != 0; }
};

struct TracedThread {
  enum class Run { unknown, running, runnable, asleep };
  struct Hold {
    TracedLock* lock;
    models::LockMode mode;
    models::Phase phase;
    sim::Time since;
  };

  int tid = 0;
  std::string comm{};
  models::ClassId id = -1;       ///< of its class
  TracedLock* home = nullptr;    ///< that of the address space it works on: of its faults and calls
  sim::Nanoseconds home_held{};  ///< for how long it has held that one
  Run run = Run::unknown;
  std::optional<sim::Time> woken{};        ///< while it is runnable: when it was woken
  std::optional<sim::Time> woken_awake{};  ///< for the lock before it had gone to sleep: when, until it has it
  sim::Time cpu_others_until{};            ///< when its CPU was last idle, or somebody's who never asks for mmap_lock
  models::ClassId cpu_taken_by = -1;       ///< while it is runnable and does not run: who has its CPU
  std::optional<sim::Time> lost_cpu{};     ///< since when, if it held a lock then
  std::optional<TracedRequest> call{};     ///< the system call that it is in
  std::optional<TracedRequest> section{};  ///< a fault, or a stretch with the lock that is of no known call
  boost::container::small_vector<Hold, 2> holds{};
  TracedLock* waits_for = nullptr;  ///< between start_locking and acquire_returned
  bool waits_elsewhere = false;     ///< for a lock that is no mmap_lock
  models::Ledger ledger{};
  models::Cause cause = models::Cause::sleep;  ///< that is being charged
  sim::Time told_until{};                      ///< while that is lock_wait: until when it has been told for whom

  /// As far as the trace tells.
  [[nodiscard]] bool has_cpu() const { return run == Run::running || run == Run::unknown; }
  /// What it has asked for mmap_lock for, or is in.
  [[nodiscard]] std::optional<TracedRequest>& asking() { return section && section->locked() ? section : call; }
  [[nodiscard]] Hold* hold_of(const TracedLock& lock) {
    const auto found = std::find_if(holds.begin(), holds.end(), [&](const Hold& each) { return each.lock == &lock; });
    return found == holds.end() ? nullptr : &*found;
  }
};

}  // namespace experiments
