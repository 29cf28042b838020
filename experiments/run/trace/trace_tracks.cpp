#include "experiments/run/trace/trace_tracks.h"

#include <algorithm>
#include <utility>

namespace experiments::trace {

void Track::begin(sim::Time at, Slice slice) {
  slice_ = std::move(slice);
  open_ = true;
  start_ = at;
  written_until_ = at;
}

void Track::end(sim::Time at, bool unfinished) {
  if (!open_) return;
  write_until(at);
  if (begun_) events_.end(place_, at, unfinished);
  begun_ = false;
  open_ = false;
  if (start_ == at) return;
  last_end_ = at;
  if (slice_.runs) arriving_.reset();  // one that arrived outside of all windows is not for a later slice
}

bool Track::leave(sim::Time at) {
  if (!windows_.contain(at)) return false;
  if (!open_ || start_ > at) return last_end_ > at;
  write_until(at + kTick);
  return true;
}

// Writes what begins or ends before `now`, or is cut there by a window; one that goes on beyond stays begun.
void Track::write_until(sim::Time now) {
  while (const TimeWindow* window = windows_.not_over_at(written_until_)) {
    const sim::Time from = std::max(written_until_, window->from);
    if (from >= now) return;
    if (!std::exchange(begun_, true)) write_begin(from);
    if (window->to >= now) return;
    events_.end(place_, window->to, false);
    begun_ = false;
    written_until_ = window->to;
  }
}

void Track::write_begin(sim::Time at) {
  events_.begin(place_, at, slice_.name, slice_.category, slice_.phase);
  if (!slice_.runs || !arriving_) return;
  if (at == start_) events_.flow(*arriving_, place_, at);
  arriving_.reset();
}

void Counter::set(sim::Time at, std::int64_t value) {
  if (value_ && *value_ == value) return;
  if (since_ < at) write_until(at);
  since_ = at;
  value_ = value;
}

void Counter::write_until(sim::Time now) {
  if (!value_) return;
  while (const TimeWindow* window = windows_.not_over_at(since_)) {
    const sim::Time from = std::max(since_, window->from);
    if (from >= now) return;
    events_.counter(pid_, from, name_, unit_, *value_);
    since_ = window->to;
  }
}

}  // namespace experiments::trace
