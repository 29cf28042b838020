#include "models/measure/ledger.h"

#include <algorithm>
#include <cassert>
#include <utility>

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
  const sim::Nanoseconds length = wait.to - wait.from;
  Reason& reason = reasons_[wait.blame];
  reason.total += length;
  if (!remembers_) return;
  lock_waits_.push_back(wait);
  change(wait.blame, reason, length);
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

// The requests until now waited for as long as it was; those from now on, for more or less.
void Ledger::change(const LockBlame& blame, Reason& reason, sim::Nanoseconds by) {
  settle(blame, reason);
  reason.since += by;
}

void Ledger::settle(const LockBlame& blame, Reason& reason) {
  const auto requests = static_cast<std::int64_t>(requests_ - std::exchange(reason.settled, requests_));
  if (requests > 0 && reason.since > sim::Nanoseconds{0}) (*sums_)[blame] += reason.since * requests;
}

void Ledger::settle_lock_times() {
  if (requests_ == 0) return;
  for (auto& [blame, reason] : reasons_) {
    settle(blame, reason);
    reason.settled = 0;
  }
  requests_ = 0;
}

void Ledger::ask_since(sim::Time since) {
  if (since < asked_) {
    for (; ended_ > 0; --ended_) {
      const LockWait& wait = lock_waits_[ended_ - 1];
      change(wait.blame, reasons_[wait.blame], wait.to - wait.from);
    }
  }
  for (; ended_ < lock_waits_.size() && lock_waits_[ended_].to <= since; ++ended_) {
    const LockWait& wait = lock_waits_[ended_];
    change(wait.blame, reasons_[wait.blame], wait.from - wait.to);
  }
  asked_ = since;
}

void Ledger::add_lock_times_since(sim::Time since, LockTimes& sums) {
  if (&sums != sums_) settle_lock_times();
  sums_ = &sums;
  ask_since(since);
  if (ended_ == lock_waits_.size()) return;
  ++requests_;
  // One after another: only the first can have begun before.
  const LockWait& first = lock_waits_[ended_];
  if (first.from < since) sums[first.blame] -= since - first.from;
}

void Ledger::forget_before(sim::Time at) {
  at = std::min(at, kept_from_);
  while (entries_.size() > 1 && entries_[1].from <= at) entries_.pop_front();
  while (!lock_waits_.empty() && lock_waits_.front().to <= at) {
    const LockWait& wait = lock_waits_.front();
    if (ended_ > 0) {
      --ended_;
    } else {
      change(wait.blame, reasons_[wait.blame], wait.from - wait.to);
    }
    lock_waits_.pop_front();
  }
}

}  // namespace models
