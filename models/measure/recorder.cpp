#include "models/measure/recorder.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "models/kernel.h"

namespace models {

std::uint64_t OpenArrivals::left_until(sim::Time end) const {
  if (stopped_) return 0;
  OpenArrivals rest = *this;
  std::uint64_t count = 0;
  while (rest.next() <= end) ++count;
  return count;
}

std::optional<sim::Time> ClassRecord::oldest_in_service() const {
  std::optional<sim::Time> oldest;
  for (const std::optional<sim::Time>& due : in_service) {
    if (due && (!oldest || *due < *oldest)) oldest = due;
  }
  return oldest;
}

std::uint64_t ClassRecord::unfinished(sim::Time end) const {
  const auto begun = static_cast<std::uint64_t>(
      std::count_if(in_service.begin(), in_service.end(), [](const auto& due) { return due.has_value(); }));
  return std::accumulate(open_arrivals.begin(), open_arrivals.end(), begun,
                         [&](std::uint64_t sum, const OpenArrivals& arrivals) {
                           return sum + arrivals.left_until(end) + (arrivals.waking(end) ? 1 : 0);
                         });
}

void ClassRecord::take_off(Measurement& measurement, std::uint64_t count) {
  left -= count;
  measurement.take_off(count);
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
  const Measurement& measurement = task_.kernel().measurement;
  if (measurement.in_warm_up(due_) && !record.counts_warm_up) {
    ++record.warm_up;
    add_if_long(record.longest_warm_up, now, phases.at(due_));
    return;
  }
  if (measurement.in_cool_down(due_)) return;
  TimeByCause parts = task_.ledger().read(now);
  for (std::size_t cause = 0; cause < kCauseCount; ++cause) parts[cause] -= before_[cause];
  parts[static_cast<std::size_t>(Cause::sleep)] = sim::Nanoseconds{0};
  const Phase phase = phases.at(due_);
  LockTimes& lock_times = record.during[static_cast<std::size_t>(phase)].record(now - due_, parts);
  task_.ledger().add_lock_times_since(due_, lock_times);
  record.longest_warm_up.put_together();  // a ledger keeps for one of the two
  add_if_long(record.worst, now, phase);
}

void Request::add_if_long(WorstRequests& longest, sim::Time now, Phase phase) const {
  longest.ended();
  if (longest.admits(now - due_)) longest.add(task_.ledger(), task_.name(), due_, now, phase);
}

}  // namespace models
