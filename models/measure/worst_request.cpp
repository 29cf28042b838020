#include "models/measure/worst_request.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

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

}  // namespace

WorstRequest worst_request(const Ledger& ledger, std::string task, sim::Time due, sim::Time end, Phase phase) {
  WorstRequest worst{std::move(task), due, end - due, phase, steps_of(ledger, due, end), {}};
  join_alike(worst.steps);
  worst.rest = take_short_ones(worst.steps, worst.latency);
  return worst;
}

}  // namespace models
