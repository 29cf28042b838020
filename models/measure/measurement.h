// Which requests count: those that fall due between the warm-up and the cool-down.
//
// Rules, the same for every scenario, so that nobody has to cut by hand:
// Warm-up. All threads start at time 0, in step, and that first crowd is nobody's workload. Requests due in it are left
// out. It ends when every thread that makes requests has been served once; when a locker makes its first call, if that
// is earlier, as from there on we want to see everything; and after a tenth of the run at the latest, if its length is
// given. Threads that go through their region once and end (Visits::once) have no part in it: all that they do counts.
// Cool-down. A run that stopped dead would lose the requests under way, and these are the longest ones: a long
// hold that ends with the run is waited for by requests that end after it (right censoring; Law, "Simulation Modeling
// and Analysis", section 9.1). So everybody goes on until the last request that was due by the end has been served, for
// as long again as the run at most; requests that fall due meanwhile are left out. What is left then is unfinished.
// Everything else (locks, memory, CPU time) is measured over the whole run, up to its end.
// Validated by tests/models/measure/measurement_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "sim/time.h"

namespace models {

class Measurement {
 public:
  /// The run begins with a warm-up, until `latest` at most. Without this call it has none.
  void begin_warm_up(std::optional<sim::Time> latest);
  /// A thread that makes requests takes part in the warm-up.
  void add_thread() { ++unserved_threads_; }
  /// It has been served for the first time, or never will be.
  void first_served(sim::Time now);
  /// A locker makes a call.
  void locker_calls(sim::Time now) { end_warm_up(now); }

  /// The end of the run: `left` (> 0) requests that were due by `now` are still to be served. When they have been,
  /// `all_served` is called.
  void begin_cool_down(sim::Time now, std::uint64_t left, std::function<void()> all_served);
  /// Takes `count` of those off, which have been served or never will be.
  void take_off(std::uint64_t count);

  /// Whether a request that was due at `due`, at or before now, counts.
  [[nodiscard]] bool counts(sim::Time due) const { return !in_warm_up(due) && !in_cool_down(due); }
  [[nodiscard]] bool in_warm_up(sim::Time due) const { return due < warm_up_end(); }
  /// Whether `due` is after the end of the run.
  [[nodiscard]] bool in_cool_down(sim::Time due) const { return end_ && due > *end_; }
  /// The end of the run, once it has come.
  [[nodiscard]] std::optional<sim::Time> end() const { return end_; }
  /// The end of the warm-up as far as is known: Time::max() while it goes on.
  [[nodiscard]] sim::Time warm_up_end() const { return warm_up_end_.value_or(latest_); }

 private:
  void end_warm_up(sim::Time now);

  std::optional<sim::Time> warm_up_end_ = sim::Time{};
  sim::Time latest_ = sim::Time::max();
  int unserved_threads_ = 0;
  std::optional<sim::Time> end_;
  std::uint64_t left_ = 0;
  std::function<void()> all_served_;
};

}  // namespace models
