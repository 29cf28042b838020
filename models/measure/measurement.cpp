#include "models/measure/measurement.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace models {

void Measurement::begin_warm_up(std::optional<sim::Time> latest) {
  warm_up_end_.reset();
  latest_ = latest.value_or(sim::Time::max());
}

void Measurement::first_served(sim::Time now) {
  if (--unserved_threads_ == 0) end_warm_up(now);
}

void Measurement::end_warm_up(sim::Time now) {
  if (!warm_up_end_) warm_up_end_ = std::min(now, latest_);
}

void Measurement::begin_cool_down(sim::Time now, std::uint64_t left, std::function<void()> all_served) {
  assert(left > 0);
  end_ = now;
  left_ = left;
  all_served_ = std::move(all_served);
}

void Measurement::take_off(std::uint64_t count) {
  assert(end_ && count <= left_);
  left_ -= count;
  if (count > 0 && left_ == 0) all_served_();
}

}  // namespace models
