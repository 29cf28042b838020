#include "models/sched/idle_memory.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

namespace models {

namespace {

const sim::Distribution& first_run(const IdleState& state, KernelPath path) {
  switch (path) {
    case KernelPath::fault:
      return state.faults;
    case KernelPath::proc_file:
      return state.files;
    default:
      return state.calls;
  }
}

/// What most of `lengths` are, if they are alike: get_typical_interval(), whose bounds these are.
std::optional<sim::Nanoseconds> typical_interval(std::vector<double> lengths) {
  constexpr double kAlike = 20'000;  // standard deviation
  constexpr double kFarApart = 6;    // mean by standard deviation
  const std::size_t least = lengths.size() * 3 / 4;
  std::sort(lengths.begin(), lengths.end());
  for (; lengths.size() >= least; lengths.pop_back()) {
    const auto count = static_cast<double>(lengths.size());
    const double mean = std::accumulate(lengths.begin(), lengths.end(), 0.0) / count;
    const double squares = std::inner_product(lengths.begin(), lengths.end(), lengths.begin(), 0.0);
    const double deviation = std::sqrt(std::max(0.0, squares / count - mean * mean));
    if (deviation <= kAlike || mean > kFarApart * deviation) return sim::Nanoseconds(std::llround(mean));
  }
  return std::nullopt;
}

}  // namespace

// The tick looks again: by then it was not as short as was thought.
sim::Nanoseconds IdleMemory::expected(sim::Nanoseconds idle) const {
  if (states_.size() < 2 || !lately_.full() || idle > tick_) return idle;
  std::vector<double> lengths;
  for (const sim::Nanoseconds each : lately_) lengths.push_back(static_cast<double>(each.count()));
  return std::min(idle, typical_interval(std::move(lengths)).value_or(idle));
}

const IdleState* IdleMemory::end_idle(sim::Nanoseconds idle, sim::Stream& stream) {
  const IdleState* state = nullptr;
  for (std::size_t deepest = states_.size(); state == nullptr && deepest-- > 0;) {
    const sim::Nanoseconds after = states_[deepest].after.sample(stream);
    // Most periods are short: what was expected of the others alone is looked up.
    if (idle < after || (deepest > 0 && expected(idle) < after)) continue;
    ++idle_periods_;
    std::fill_n(forgotten_.begin(), deepest + 1, idle_periods_);
    state = &states_[deepest];
  }
  lately_.push_back(idle);
  return state;
}

sim::Nanoseconds IdleMemory::run(KernelPath path, sim::Stream& stream) {
  const std::uint64_t known = std::exchange(known_[static_cast<std::size_t>(path)], idle_periods_);
  for (std::size_t deepest = states_.size(); deepest-- > 0;) {
    if (known < forgotten_[deepest]) return first_run(states_[deepest], path).sample(stream);
  }
  return sim::Nanoseconds{0};
}

}  // namespace models
