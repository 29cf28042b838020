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
  if (remembers_) {
    lock_waits_.push_back(wait);
    reason.pieces.push_back({wait.from, wait.to, reason.total});
  }
  reason.total += wait.to - wait.from;
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

LockTimes Ledger::lock_times_since(sim::Time since) {
  LockTimes times;
  if (lock_waits_.empty()) return times;
  constexpr std::size_t kAsARule = 8;
  times.reserve(kAsARule);
  for (auto& [blame, reason] : reasons_) {
    const std::deque<Piece>& pieces = reason.pieces;
    std::size_t& ended = reason.ended;
    if (ended > 0 && since < pieces[ended - 1].to) ended = 0;
    while (ended < pieces.size() && pieces[ended].to <= since) ++ended;
    if (ended == pieces.size()) continue;
    const Piece& first = pieces[ended];
    const sim::Nanoseconds all = reason.total - first.before;
    times.emplace_hint(times.end(), blame, all - std::max(since - first.from, sim::Nanoseconds{0}));
  }
  return times;
}

void Ledger::forget_before(sim::Time at) {
  at = std::min(at, kept_from_);
  while (entries_.size() > 1 && entries_[1].from <= at) entries_.pop_front();
  while (!lock_waits_.empty() && lock_waits_.front().to <= at) {
    Reason& reason = reasons_[lock_waits_.front().blame];
    reason.pieces.pop_front();  // the same wait
    if (reason.ended > 0) --reason.ended;
    lock_waits_.pop_front();
  }
}

}  // namespace models
