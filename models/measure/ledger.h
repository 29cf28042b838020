// The account of a task's time: always charging exactly one cause.
//
// A request's parts are the difference between two readings of it, so they add up to its latency by construction.
// Validated by tests/models/measure/recorder_test.cpp.
#pragma once

#include <boost/container/flat_map.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>

#include "models/measure/blame.h"
#include "models/measure/lock_stretches.h"
#include "sim/time.h"

namespace models {

/// What a task's time has gone into since the start of the run.
class Ledger {
 public:
  /// From `at` on, time is charged to `cause`; what has passed until then goes to the cause before.
  /// `at` may lie ahead of the clock when it is certain already; it never goes back.
  void charge(Cause cause, sim::Time at);

  /// A wait for a lock is over. In the order of time.
  void add(LockStretches::Wait wait);
  /// The same, of a wait that nobody shares.
  void add(const LockWait& wait);

  /// The totals at `at`: now, or any earlier moment since the one that was last forgotten.
  [[nodiscard]] TimeByCause read(sim::Time at) const;
  /// What the time from `from` to `to` went into, piece by piece: calls piece(from, to, cause) for each. Since the last
  /// charge, or the one before it, unless it remembers more.
  template <class Piece>
  void for_each_between(sim::Time from, sim::Time to, Piece piece) const {
    for (auto entry = in_force(from); entry != entries_.end() && from < to; ++entry) {
      const auto next = std::next(entry);
      const sim::Time end = next == entries_.end() ? to : std::min(to, next->from);
      if (from < end) piece(from, end, entry->cause);
      from = end;
    }
  }
  /// Whether it can still tell what was at `at`.
  [[nodiscard]] bool knows(sim::Time at) const { return entries_.front().from <= at; }
  /// How many pieces the time since `at` has: changes of the cause, and stretches of waits.
  [[nodiscard]] std::size_t pieces_since(sim::Time at) const;
  /// The stretches of waiting for locks, one after another.
  class LockWaits;
  /// Those that ended after `at`, which has not been forgotten.
  [[nodiscard]] LockWaits lock_waits_after(sim::Time at) const;
  /// Adds what the waits come to since `since`, which has not been forgotten, to `sums`. Not at once: what one request
  /// has waited for, the next one that was due meanwhile has waited for, too, so each wait is added when it no longer
  /// counts, as often as it did. `sums` stays where it is until settle_lock_times().
  void add_lock_times_since(sim::Time since, LockTimes& sums);
  /// Adds what has not been added yet.
  void settle_lock_times();

  /// What all of them come to, those forgotten included, whether it remembers or not.
  [[nodiscard]] LockTimes lock_times() const;

  /// Nobody will ask for what was before `at`, but as far as it is kept.
  void forget_before(sim::Time at);
  /// Whatever is forgotten, from then on it is not. Time::max(): nothing is kept.
  void keep_from(sim::Time at) { kept_from_ = at; }
  /// Remember what has passed, until it is forgotten; without this only the present can be read.
  void remember() { remembers_ = true; }

 private:
  /// From `from` on, `cause`; `totals` is what had gone into each until then.
  struct Entry {
    sim::Time from;
    Cause cause;
    TimeByCause totals;
  };

  /// The waits for one reason.
  struct Reason {
    sim::Nanoseconds total{};   // of all
    sim::Nanoseconds since{};   // of those that are remembered and had not ended at asked_
    std::uint64_t settled = 0;  // how many of the requests this has been added for
  };

  /// A wait for a lock that is remembered.
  struct Remembered {
    LockStretches::Wait wait;
    std::size_t before;  // stretches of waits, since the start of the run
  };

  void count(const LockStretches::Wait::Iterator& from, const LockStretches::Wait::Iterator& to, int times);
  void uncount_rest(const LockStretches::Wait& wait);
  void count_all();
  void change(const LockBlame& blame, Reason& reason, sim::Nanoseconds by);
  void settle(const LockBlame& blame, Reason& reason);
  /// Later, as a rule, than it was asked for before.
  void ask_since(sim::Time since);

  /// The entry that holds at `at`.
  [[nodiscard]] std::deque<Entry>::const_iterator in_force(sim::Time at) const;

  // A request that was overdue asks for the totals at the time it was due, so transitions are kept until forgotten.
  std::deque<Entry> entries_{{sim::Time{}, Cause::sleep, {}}};
  bool remembers_ = false;
  sim::Time kept_from_ = sim::Time::max();
  std::deque<Remembered> waits_;
  LockStretches own_;                                      // of the waits that nobody shares
  std::size_t stretches_ = 0;                              // of all waits that it has remembered
  boost::container::flat_map<LockBlame, Reason> reasons_;  // of the same waits
  sim::Time asked_{};                                      // from when on stretches count
  std::size_t ended_ = 0;                                  // of the waits that are remembered, by then
  LockStretches::Wait::Iterator stretch_;                  // of the next one, the first that counts; none: its first
  LockTimes* sums_ = nullptr;                              // what it was asked to add to
  std::uint64_t requests_ = 0;                             // how often
};

/// Goes from stretch to stretch, over all waits.
class Ledger::LockWaits {
 public:
  [[nodiscard]] bool at_end() const { return wait_ == end_; }
  /// Precondition of these two: it is not at the end.
  LockWait operator*() const { return *stretch_; }
  LockWaits& operator++() {
    if (++stretch_ == wait_->wait.end() && ++wait_ != end_) stretch_ = wait_->wait.begin();
    return *this;
  }

 private:
  friend class Ledger;
  using Waits = std::deque<Remembered>::const_iterator;
  LockWaits(const Waits& wait, const Waits& end) : wait_(wait), end_(end) {}

  Waits wait_;
  Waits end_;
  LockStretches::Wait::Iterator stretch_;
};

}  // namespace models
