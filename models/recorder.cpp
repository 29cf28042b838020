#include "models/recorder.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>

namespace models {

namespace {

int power_of(sim::Nanoseconds latency) {
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(latency.count())));
}

}  // namespace

void Blame::add(const Blame& other) {
  count += other.count;
  for (std::size_t cause = 0; cause < kCauseCount; ++cause) causes[cause] += other.causes[cause];
  for (const auto& [blame, wait] : other.lock_waits) lock_waits[blame] += wait;
}

void Samples::record(sim::Time due, sim::Nanoseconds latency, const TimeByCause& parts,
                     const std::deque<LockWait>& lock_waits) {
  assert(std::accumulate(parts.begin(), parts.end(), sim::Nanoseconds{0}) == latency);
  latency_.record(latency);
  Blame& blame = blame_by_power_[power_of(latency)];
  ++blame.count;
  for (std::size_t cause = 0; cause < kCauseCount; ++cause) blame.causes[cause] += parts[cause];
  for (const LockWait& wait : lock_waits) blame.lock_waits[wait.blame] += wait.to - std::max(wait.from, due);
}

void Samples::merge(const Samples& other) {
  latency_.merge(other.latency_);
  for (const auto& [power, blame] : other.blame_by_power_) blame_by_power_[power].add(blame);
}

Blame Samples::blame_from(sim::Nanoseconds latency) const {
  Blame sum;
  for (auto power = blame_by_power_.lower_bound(power_of(latency)); power != blame_by_power_.end(); ++power) {
    sum.add(power->second);
  }
  return sum;
}

sim::Nanoseconds Samples::tail_start() const {
  for (const double quantile : {0.999, 0.99, 0.9, 0.5}) {
    if (const auto value = latency_.percentile(quantile)) return *value;
  }
  return latency_.max();
}

Samples Samples::restore(sim::Histogram latency, std::map<int, Blame> blame_by_power) {
  Samples samples;
  samples.latency_ = std::move(latency);
  samples.blame_by_power_ = std::move(blame_by_power);
  return samples;
}

std::uint64_t OpenArrivals::left_until(sim::Time end) const {
  if (stopped_) return 0;
  OpenArrivals rest = *this;
  std::uint64_t count = 0;
  while (rest.next() <= end) ++count;
  return count;
}

std::uint64_t ClassRecord::unfinished(sim::Time end) const {
  return std::accumulate(open_arrivals.begin(), open_arrivals.end(), in_service,
                         [&](std::uint64_t sum, const OpenArrivals& arrivals) {
                           return sum + arrivals.left_until(end) + (arrivals.waking(end) ? 1 : 0);
                         });
}

Request::Request(Task& task, sim::Time due, const TimeByCause& before) : task_(task), due_(due), before_(before) {
  task.ledger().forget_before(due);
}

Request::Request(Task& task) : task_(task), due_(task.settle()), before_(task.ledger().read(due_)) {
  task.ledger().forget_before(due_);
}

Request Request::overdue(Task& task, sim::Time due) {
  task.settle();
  return {task, due, task.ledger().read(due)};
}

Request Request::sleep_until(Task& task, sim::Time due) {
  task.settle();
  // Read before sleeping: what comes on top until `due` is sleep, which is no part of a request.
  const TimeByCause before = task.ledger().read(task.now());
  task.sleep_until(due);
  return {task, due, before};
}

void Request::end(ClassRecord& record, const PhaseLog& phases) {
  const sim::Time now = task_.settle();
  TimeByCause parts = task_.ledger().read(now);
  for (std::size_t cause = 0; cause < kCauseCount; ++cause) parts[cause] -= before_[cause];
  parts[static_cast<std::size_t>(Cause::sleep)] = sim::Nanoseconds{0};
  record.during[static_cast<std::size_t>(phases.at(due_))].record(due_, now - due_, parts, task_.ledger().lock_waits());
}

}  // namespace models
