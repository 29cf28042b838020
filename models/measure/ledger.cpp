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

void Ledger::add(LockStretches::Wait wait) {
  if (wait.empty()) return;
  wait.for_each_sum([&](const LockBlame& blame, sim::Nanoseconds time) {
    Reason& reason = reasons_[blame];
    reason.total += time;
    if (remembers_) change(blame, reason, time);
  });
  if (!remembers_) return;
  const std::size_t size = wait.size();
  waits_.push_back({std::move(wait), stretches_});
  stretches_ += size;
}

void Ledger::add(const LockWait& wait) {
  const LockStretches::Place began = own_.end();
  own_.forget_before(began);
  own_.add(wait);
  add(own_.since(began, LockMode::write));
}

LockTimes Ledger::lock_times() const {
  LockTimes times;
  for (const auto& [blame, reason] : reasons_) times.emplace_hint(times.end(), blame, reason.total);
  return times;
}

Ledger::LockWaits Ledger::lock_waits_after(sim::Time at) const {
  const auto ended = [at](const Remembered& each) { return each.wait.to() <= at; };
  LockWaits waits(std::partition_point(waits_.begin(), waits_.end(), ended), waits_.end());
  if (!waits.at_end()) waits.stretch_ = waits.wait_->wait.first_after(at);
  return waits;
}

std::size_t Ledger::pieces_since(sim::Time at) const {
  const auto causes = static_cast<std::size_t>(entries_.end() - in_force(at));
  const LockWaits first = lock_waits_after(at);
  if (first.at_end()) return causes;
  return causes + stretches_ - first.wait_->before - first.wait_->wait.before(first.stretch_);
}

void Ledger::count(const LockStretches::Wait::Iterator& from, const LockStretches::Wait::Iterator& to, int times) {
  LockStretches::Wait::for_each_sum(
      from, to, [&](const LockBlame& blame, sim::Nanoseconds time) { change(blame, reasons_[blame], time * times); });
}

// The first wait that counts no longer does, or what is left of it.
void Ledger::uncount_rest(const LockStretches::Wait& wait) {
  count(stretch_ ? stretch_ : wait.begin(), wait.end(), -1);
  stretch_ = {};
}

void Ledger::count_all() {
  if (stretch_) count(waits_[ended_].wait.begin(), std::exchange(stretch_, {}), 1);
  for (; ended_ > 0; --ended_) count(waits_[ended_ - 1].wait.begin(), waits_[ended_ - 1].wait.end(), 1);
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
  if (since < asked_) count_all();
  asked_ = since;
  for (; ended_ < waits_.size() && waits_[ended_].wait.to() <= since; ++ended_) uncount_rest(waits_[ended_].wait);
  if (ended_ == waits_.size()) return;
  if (!stretch_) stretch_ = waits_[ended_].wait.begin();
  const auto counted = stretch_;
  while ((*stretch_).to <= since) ++stretch_;
  count(counted, stretch_, -1);
}

void Ledger::add_lock_times_since(sim::Time since, LockTimes& sums) {
  if (&sums != sums_) settle_lock_times();
  sums_ = &sums;
  ask_since(since);
  if (ended_ == waits_.size()) return;
  ++requests_;
  // One after another: only the first can have begun before.
  const LockWait first = *stretch_;
  if (first.from < since) sums[first.blame] -= since - first.from;
}

void Ledger::forget_before(sim::Time at) {
  at = std::min(at, kept_from_);
  while (entries_.size() > 1 && entries_[1].from <= at) entries_.pop_front();
  while (!waits_.empty() && waits_.front().wait.to() <= at) {
    if (ended_ > 0) {
      --ended_;
    } else {
      uncount_rest(waits_.front().wait);
    }
    waits_.pop_front();
  }
}

}  // namespace models
