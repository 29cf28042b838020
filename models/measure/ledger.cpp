#include "models/measure/ledger.h"

#include <algorithm>
#include <cassert>

namespace models {

void Ledger::charge(Cause cause, sim::Time at) {
  Entry& last = entries_.back();
  if (last.cause == cause) return;
  if (last.from == at) {
    last.cause = cause;
  } else {
    entries_.push_back({at, cause, read(at)});
    // The last one may lie ahead of the clock, so the one before it is still needed.
    if (!remembers_ && entries_.size() > 2) entries_.pop_front();
  }
}

std::deque<Ledger::Entry>::const_iterator Ledger::in_force(sim::Time at) const {
  if (entries_.back().from <= at) return std::prev(entries_.end());  // as a rule it is the present that is asked for
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), at,
                                      [](sim::Time time, const Entry& entry) { return time < entry.from; });
  assert(after != entries_.begin() && "that has been forgotten");
  return std::prev(after);
}

TimeByCause Ledger::read(sim::Time at) const {
  const Entry& entry = *in_force(at);
  TimeByCause totals = entry.totals;
  totals[static_cast<std::size_t>(entry.cause)] += at - entry.from;
  return totals;
}

void Ledger::add(const LockWait& wait) {
  Reason& reason = reasons_[wait.blame];
  const sim::Nanoseconds length = wait.to - wait.from;
  reason.total += length;
  if (!remembers_) return;
  lock_waits_.push_back(wait);
  reason.since += length;
}

LockTimes Ledger::lock_times() const {
  LockTimes times;
  for (const auto& [blame, reason] : reasons_) times.emplace_hint(times.end(), blame, reason.total);
  return times;
}

std::size_t Ledger::pieces_since(sim::Time at) const {
  const auto first = std::partition_point(lock_waits_.begin(), lock_waits_.end(),
                                          [at](const LockWait& wait) { return wait.to <= at; });
  return static_cast<std::size_t>(lock_waits_.end() - first) + static_cast<std::size_t>(entries_.end() - in_force(at));
}

void Ledger::ask_since(sim::Time since) {
  if (since < asked_) {
    for (; ended_ > 0; --ended_) {
      const LockWait& wait = lock_waits_[ended_ - 1];
      reasons_[wait.blame].since += wait.to - wait.from;
    }
  }
  for (; ended_ < lock_waits_.size() && lock_waits_[ended_].to <= since; ++ended_) {
    const LockWait& wait = lock_waits_[ended_];
    reasons_[wait.blame].since -= wait.to - wait.from;
  }
  asked_ = since;
}

LockTimes Ledger::lock_times_since(sim::Time since) {
  ask_since(since);
  LockTimes times;
  if (ended_ == lock_waits_.size()) return times;
  constexpr std::size_t kAsARule = 8;
  times.reserve(kAsARule);
  for (const auto& [blame, reason] : reasons_) {
    if (reason.since > sim::Nanoseconds{0}) times.emplace_hint(times.end(), blame, reason.since);
  }
  // One after another: only the first can have begun before.
  const LockWait& first = lock_waits_[ended_];
  if (first.from < since) times[first.blame] -= since - first.from;
  return times;
}

void Ledger::forget_before(sim::Time at) {
  at = std::min(at, kept_from_);
  while (entries_.size() > 1 && entries_[1].from <= at) entries_.pop_front();
  while (!lock_waits_.empty() && lock_waits_.front().to <= at) {
    const LockWait& wait = lock_waits_.front();
    if (ended_ > 0) {
      --ended_;
    } else {
      reasons_[wait.blame].since -= wait.to - wait.from;
    }
    lock_waits_.pop_front();
  }
}

}  // namespace models
