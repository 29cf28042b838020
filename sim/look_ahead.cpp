#include "sim/look_ahead.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

namespace sim {

std::size_t LookAhead::run(std::span<const Nanoseconds> steps, const Begun& begun) {
  assert(ends_.empty() && !steps.empty());
  if (actor_.skips_to(std::accumulate(steps.begin(), steps.end(), engine_.now()))) {  // there is nobody to cut it
    engine_.count_events(steps.size() - 1);
    begun(steps.size());
    return steps.size();
  }
  Time end = engine_.now();
  ends_.resize(steps.size(), boost::container::default_init);
  std::transform(steps.begin(), steps.end(), ends_.begin(), [&end](Nanoseconds step) { return end += step; });
  begun_ = 1;
  tell_ = &begun;
  begun(1);
  try {
    actor_.pass_time_until(end);
  } catch (...) {  // the run has ended, and with it this stack
    cut();
    ends_.clear();
    throw;
  }
  const std::size_t taken = ends_.size();
  begin_up_to(taken);
  ends_.clear();
  return taken;
}

void LookAhead::cut() {
  if (ends_.empty()) return;
  const std::size_t present = std::min(ended() + 1, ends_.size());
  begin_up_to(present);
  if (present == ends_.size()) return;
  ends_.resize(present);
  actor_.resume_at(ends_.back());
}

// Between two steps the actor would have met the others.
void LookAhead::begin_up_to(std::size_t steps) {
  if (steps == begun_) return;
  const std::size_t more = steps - std::exchange(begun_, steps);
  engine_.count_events(more);
  (*tell_)(more);
}

// A step that ends at this very moment has ended if the actor's turn would have come before the present one.
std::size_t LookAhead::ended() const {
  const auto first_left = engine_.is_past(actor_) ? std::upper_bound(ends_.begin(), ends_.end(), engine_.now())
                                                  : std::lower_bound(ends_.begin(), ends_.end(), engine_.now());
  return static_cast<std::size_t>(first_left - ends_.begin());
}

}  // namespace sim
