// An mmap_lock in a trace: a process of its own, with its holds as slices and how many wait for it and read it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "experiments/run/trace/trace_tracks.h"
#include "models/measure/blame.h"
#include "sim/time.h"

namespace experiments::trace {

class LockTracks {
 public:
  /// `next_tid`: of the whole file; counted on with each track.
  LockTracks(Writer& events, const Windows& windows, int pid, const std::string& name, int& next_tid);

  /// `owner` holds it: a slice of category `hold`, on the thread `writer`, or on a `reader` that is idle. What the
  /// writer's track showed of somebody else has ended.
  void begin(const void* owner, models::LockMode mode, const std::string& title, sim::Time at);
  /// Does nothing if it is not shown to hold it.
  void end(const void* owner, sim::Time at);
  /// `queue`: how many wait. Those who read are counted here.
  void count(sim::Time at, std::int64_t queue);
  void finish(sim::Time end);

 private:
  struct Lane {
    Track track;
    const void* owner = nullptr;  // null: idle
  };

  Lane add_lane(const std::string& name);
  Lane& idle_reader();
  Lane* lane_of(const void* owner);

  Writer& events_;
  const Windows& windows_;
  int pid_;
  int& next_tid_;
  Lane writer_;
  std::deque<Lane> readers_;
  Counter queue_;
  Counter holding_;
};

}  // namespace experiments::trace
