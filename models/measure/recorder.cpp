#include "models/measure/recorder.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "models/kernel.h"

namespace models {

namespace {

// The stretch [from, to) of waiting for a semaphore, by whom it was for. A request that is long overdue has thousands
// of stretches and of waits, which are in the order of time: not each with each.
void add_lock_waits(std::vector<WorstStep>& steps, const std::deque<LockWait>& waits, sim::Time from, sim::Time to) {
  sim::Time known = from;
  auto wait = std::partition_point(waits.begin(), waits.end(), [&](const LockWait& each) { return each.to <= from; });
  for (; wait != waits.end() && wait->from < to; ++wait) {
    const sim::Time begin = std::max(known, wait->from);
    const sim::Time end = std::min(to, wait->to);
    if (begin >= end) continue;
    if (known < begin) steps.push_back({known, begin, Cause::lock_wait, std::nullopt});
    steps.push_back({begin, end, Cause::lock_wait, wait->blame});
    known = end;
  }
  if (known < to) steps.push_back({known, to, Cause::lock_wait, std::nullopt});
}

// What happened between `due` and `now`, piece by piece.
std::vector<WorstStep> steps_of(const Ledger& ledger, sim::Time due, sim::Time now) {
  std::vector<WorstStep> steps;
  ledger.for_each_between(due, now, [&](sim::Time from, sim::Time to, Cause cause) {
    if (cause == Cause::lock_wait) {
      add_lock_waits(steps, ledger.lock_waits(), from, to);
    } else {
      steps.push_back({from, to, cause, std::nullopt});
    }
  });
  return steps;
}

// Neighbours that are alike are one step.
void join_alike(std::vector<WorstStep>& steps) {
  std::vector<WorstStep> joined;
  for (const WorstStep& step : steps) {
    if (!joined.empty() && joined.back().cause == step.cause && joined.back().lock == step.lock) {
      joined.back().to = step.to;
    } else {
      joined.push_back(step);
    }
  }
  steps = std::move(joined);
}

// Leaves the steps that are worth a line; what the others come to by cause.
TimeByCause take_short_ones(std::vector<WorstStep>& steps, sim::Nanoseconds latency) {
  TimeByCause rest{};
  std::erase_if(steps, [&](const WorstStep& step) {
    if ((step.to - step.from) * 100 >= latency) return false;
    rest[static_cast<std::size_t>(step.cause)] += step.to - step.from;
    return true;
  });
  return rest;
}

// A request that was due at `due` and ends now.
WorstRequest as_worst(const Task& task, sim::Time due, Phase phase) {
  const sim::Time now = task.now();
  WorstRequest worst{task.name(), due, now - due, phase, steps_of(task.ledger(), due, now), {}};
  join_alike(worst.steps);
  worst.rest = take_short_ones(worst.steps, worst.latency);
  return worst;
}

}  // namespace

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
    if (!record.longest_warm_up || now - due_ > record.longest_warm_up->latency) {
      record.longest_warm_up = as_worst(task_, due_, phases.at(due_));
    }
    return;
  }
  if (measurement.in_cool_down(due_)) return;
  TimeByCause parts = task_.ledger().read(now);
  for (std::size_t cause = 0; cause < kCauseCount; ++cause) parts[cause] -= before_[cause];
  parts[static_cast<std::size_t>(Cause::sleep)] = sim::Nanoseconds{0};
  const Phase phase = phases.at(due_);
  record.during[static_cast<std::size_t>(phase)].record(now - due_, parts, task_.ledger().lock_times_since(due_));
  if (!record.worst.admits(now - due_)) return;
  record.worst.add(as_worst(task_, due_, phase));
}

}  // namespace models
