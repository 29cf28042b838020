#include "experiments/host/trace/traced_lock.h"

#include <algorithm>
#include <utility>

#include "experiments/host/trace/traced_thread.h"

namespace experiments {

namespace {

using models::LockMode;

bool excludes(LockMode a, LockMode b) { return a == LockMode::write || b == LockMode::write; }

}  // namespace

TracedLock::Waiter* TracedLock::waiter(const TracedThread& thread) {
  const auto found =
      std::find_if(waiters_.begin(), waiters_.end(), [&](const Waiter& each) { return each.thread == &thread; });
  return found == waiters_.end() ? nullptr : &*found;
}

const TracedLock::Waiter* TracedLock::first_writer() const {
  const auto found = std::find_if(waiters_.begin(), waiters_.end(),
                                  [](const Waiter& each) { return each.contends && each.mode == LockMode::write; });
  return found == waiters_.end() ? nullptr : &*found;
}

bool TracedLock::keeps_out(LockMode mode) const { return !holders_.empty() && excludes(holders_.front().mode, mode); }

void TracedLock::ask(TracedThread& thread, LockMode mode, models::Phase phase, sim::Time now) {
  waiters_.push_back({&thread, mode, phase, now});
  if (keeps_out(mode)) contend(waiters_.back(), now);
}

void TracedLock::sleep(TracedThread& thread, sim::Time now) {
  Waiter& sleeper = *waiter(thread);
  sleeper.slept = true;
  contend(sleeper, now);
}

// As Rwsem::contend, but that one knows who queues and who spins.
void TracedLock::contend(Waiter& waiter, sim::Time now) {
  waiter.seen_holder = waiter.seen_holder || !holders_.empty();
  if (std::exchange(waiter.contends, true)) return;
  statistics_.queue.record(now, ++contending_);
  statistics_.longest_queue = std::max(statistics_.longest_queue, static_cast<std::size_t>(contending_));
  const bool readers_hold = !holders_.empty() && holders_.front().mode == LockMode::read;
  if (waiter.mode == LockMode::read && readers_hold && first_writer() != nullptr) {
    ++statistics_.convoy_waits;
    ++convoy_readers_;
    if (!convoy_since_) {
      ++statistics_.convoys;
      convoy_since_ = waiter.since;
    }
  }
}

void TracedLock::take(TracedThread& thread, LockMode mode, models::Phase phase, sim::Time now) {
  models::RwsemStatistics::Waits& asked = statistics_.asked[{thread.id, phase, mode}];
  ++asked.acquisitions;
  if (const Waiter* const waited = waiter(thread)) {
    if (waited->contends) {
      asked.wait.record(now - waited->since);
      let_in(*waited, now);
    }
    waiters_.erase(waiters_.begin() + (waited - waiters_.data()));
  }
  std::erase_if(holders_, [&](const Holder& each) { return each.thread == &thread || excludes(each.mode, mode); });
  holders_.push_back({&thread, mode, phase});
  for (Waiter& other : waiters_) {
    if (excludes(other.mode, mode)) contend(other, now);
  }
  if (mode == LockMode::write) end_convoy(now);
}

void TracedLock::let_in(const Waiter& waiter, sim::Time now) {
  ++(waiter.slept ? statistics_.handoffs : statistics_.spins);
  statistics_.total_wait += now - waiter.since;
  statistics_.queue.record(now, --contending_);
  const bool past_writer = std::any_of(waiters_.begin(), waiters_.end(), [&](const Waiter& other) {
    return other.slept && other.mode == LockMode::write && other.since < waiter.since;
  });
  statistics_.writer_bypasses += past_writer ? 1 : 0;
}

void TracedLock::downgrade(TracedThread& thread, models::Phase phase) {
  const auto held =
      std::find_if(holders_.begin(), holders_.end(), [&](const Holder& each) { return each.thread == &thread; });
  if (held == holders_.end()) {
    holders_.push_back({&thread, LockMode::read, phase});
  } else {
    held->mode = LockMode::read;
  }
}

void TracedLock::give_up(const TracedThread& thread, sim::Time now) {
  const Waiter* const asked = waiter(thread);
  if (asked == nullptr) return;
  if (asked->contends) statistics_.queue.record(now, --contending_);
  waiters_.erase(waiters_.begin() + (asked - waiters_.data()));
}

void TracedLock::drop(const TracedThread& thread) {
  std::erase_if(holders_, [&](const Holder& each) { return each.thread == &thread; });
}

void TracedLock::end_convoy(sim::Time now) {
  if (!convoy_since_) return;
  statistics_.convoy_lengths.record(now - *convoy_since_);
  statistics_.largest_convoy = std::max(statistics_.largest_convoy, std::exchange(convoy_readers_, 0));
  convoy_since_.reset();
}

void TracedLock::leave(const TracedThread& thread) {
  std::erase_if(calls_, [&](const LockerCall& each) { return each.thread == &thread; });
}

models::RwsemStatistics TracedLock::statistics_at(sim::Time end) const {
  models::RwsemStatistics statistics = statistics_;
  for (const Waiter& each : waiters_) {
    if (!each.contends) continue;
    models::RwsemStatistics::Waits& waits = statistics.asked[{each.thread->id, each.phase, each.mode}];
    ++waits.acquisitions;
    ++waits.waiting;
    waits.longest_waiting = std::max(waits.longest_waiting, end - each.since);
  }
  return statistics;
}

}  // namespace experiments
