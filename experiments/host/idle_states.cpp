#include "experiments/host/idle_states.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <span>
#include <utility>

namespace experiments {

namespace {

constexpr const char* kWakeUp = "wake_up";
constexpr double kMore = 1.25;  // what takes so many times as long stands out
constexpr std::size_t kTenths = 10;

const Quantity* after(const ProbeReading& reading, const AfterIdle& idle, const char* call) {
  return find_quantity(reading, idle.quantity(call));
}

double halfway(const Quantity& one, const Quantity& other) { return std::sqrt(one.median * other.median); }

bool stands_out(const Quantity& longer, const Quantity& from) { return longer.median > kMore * from.median; }

/// Null: there is none.
const AfterIdle* deeper_than(const AfterIdle& idle) {
  if (idle.length < kHalted.length) return &kHalted;
  return idle.length < kDeepIdle.back().length ? &kDeepIdle.back() : nullptr;
}

/// As the call is distributed in that state: those that take as long as in the next one were in it, and the longest of
/// the others stands for them.
std::array<double, kTenths> tenths_in_state(const ProbeReading& reading, const AfterIdle& idle, const char* call) {
  const Quantity& times = *after(reading, idle, call);
  auto tenths = tenths_of(times);
  const AfterIdle* const deeper = deeper_than(idle);
  const Quantity* const next = deeper == nullptr ? nullptr : after(reading, *deeper, call);
  if (next == nullptr || next->median <= times.median) return tenths;
  for (std::size_t tenth = 1; tenth < kTenths; ++tenth) {
    if (tenths[tenth] > halfway(times, *next)) tenths[tenth] = tenths[tenth - 1];
  }
  return tenths;
}

/// A call, and the same as it usually is.
struct FirstCall {
  const char* name;
  const char* usual;
};

/// The mean of those that were measured.
std::vector<double> how_much_longer(const ProbeReading& reading, const AfterIdle& idle,
                                    std::initializer_list<FirstCall> calls) {
  std::vector<double> sums(kTenths);
  double measured = 0;
  for (const auto& [name, usual_name] : calls) {
    const Quantity* const usual = find_quantity(reading, usual_name);
    if (usual == nullptr || after(reading, idle, name) == nullptr) continue;
    const auto tenths = tenths_in_state(reading, idle, name);
    for (std::size_t tenth = 0; tenth < kTenths; ++tenth) sums[tenth] += tenths[tenth] - usual->median;
    ++measured;
  }
  for (double& sum : sums) sum = measured == 0 ? 0 : std::max(0.0, sum / measured);
  return sums;
}

/// The share of these calls that take longer than that.
double share_beyond(const Quantity* times, double length) {
  if (times == nullptr) return 0;
  const auto tenths = tenths_of(*times);
  const auto longer = std::count_if(tenths.begin(), tenths.end(), [&](double each) { return each > length; });
  return static_cast<double>(longer) / kTenths;
}

/// From how much idleness on the call takes more than `limit`. What does so after the shortest has been disturbed, and
/// says nothing.
std::vector<double> idleness_until(const ProbeReading& reading, const char* call, std::span<const AfterIdle> idles,
                                   double limit) {
  std::vector<double> lengths(kTenths, static_cast<double>(idles.back().length));
  const double disturbed = std::min(share_beyond(after(reading, idles.front(), call), limit), 0.5);
  auto length_before = static_cast<double>(idles.front().length);
  double share_before = 0;
  for (const AfterIdle& idle : idles) {
    const auto length = static_cast<double>(idle.length);
    const double beyond = (share_beyond(after(reading, idle, call), limit) - disturbed) / (1 - disturbed);
    const double share = std::max(share_before, beyond);
    for (std::size_t tenth = 0; tenth < kTenths; ++tenth) {
      const double place = (static_cast<double>(tenth) + 0.5) / kTenths;
      if (place <= share_before || place > share) continue;
      const double part = (place - share_before) / (share - share_before);
      lengths[tenth] = length_before + (length - length_before) * part;
    }
    length_before = length;
    share_before = share;
  }
  return lengths;
}

MeasuredIdleState state_of(const ProbeReading& reading, const AfterIdle& idle, std::vector<double> begins,
                           const char* seen_at) {
  return {idle,
          std::move(begins),
          seen_at,
          how_much_longer(reading, idle, {{"mmap", "mmap_call"}, {"munmap", "munmap_call"}}),
          how_much_longer(reading, idle, {{"fault", "fault_4k"}}),
          how_much_longer(reading, idle, {{"maps_file", "maps_file"}, {"cmdline_file", "cmdline_file"}})};
}

}  // namespace

std::vector<MeasuredIdleState> measured_idle_states(const ProbeReading& reading) {
  const Quantity* const usual = find_quantity(reading, "mmap_call");
  const Quantity* const halted = after(reading, kHalted, "mmap");
  const Quantity* const deep = after(reading, kDeepIdle.back(), "mmap");
  if (usual == nullptr || halted == nullptr || deep == nullptr) return {};
  const Quantity* const polling = after(reading, kHardlyIdle.front(), kWakeUp);
  const Quantity* const woken = after(reading, kHalted, kWakeUp);
  const bool halts = polling != nullptr && woken != nullptr && stands_out(*woken, *polling);
  const bool loses_caches = stands_out(*deep, *halted);
  if (!halts && !loses_caches && !stands_out(*halted, *usual)) return {};

  std::vector<MeasuredIdleState> states;
  if (halts) {
    const auto length = idleness_until(reading, kWakeUp, kHardlyIdle, halfway(*polling, *woken));
    states.push_back(state_of(reading, kHalted, length, "wake-ups"));
  } else {
    states.push_back(state_of(reading, kHalted, {static_cast<double>(kHalted.length)}, "calls"));
  }
  if (loses_caches) {
    const auto length = idleness_until(reading, "each_mmap", kDeepIdle, halfway(*halted, *deep));
    states.push_back(state_of(reading, kDeepIdle.back(), length, "calls of mmap"));
  }
  return states;
}

std::optional<std::vector<double>> wake_ups_after(const ProbeReading& reading, const AfterIdle& idle) {
  if (after(reading, idle, kWakeUp) == nullptr) return std::nullopt;
  const auto tenths = tenths_in_state(reading, idle, kWakeUp);
  return std::vector<double>(tenths.begin(), tenths.end());
}

}  // namespace experiments
