#include "experiments/run/trace/lock_tracks.h"

#include <algorithm>

namespace experiments::trace {

LockTracks::LockTracks(Writer& events, const Windows& windows, int pid, const std::string& name, int& next_tid)
    : events_(events),
      windows_(windows),
      pid_(pid),
      next_tid_(next_tid),
      writer_((events.process(pid, name), add_lane("writer"))),
      queue_(events, windows, pid, "queue length", "tasks"),
      holding_(events, windows, pid, "readers holding", "tasks") {}

void LockTracks::begin(const void* owner, models::LockMode mode, const std::string& title, sim::Time at) {
  Lane& lane = mode == models::LockMode::write ? writer_ : idle_reader();
  lane.track.end(at);
  lane.owner = owner;
  lane.track.begin(at, {.name = title, .category = "hold"});
}

void LockTracks::end(const void* owner, sim::Time at) {
  Lane* const lane = lane_of(owner);
  if (lane == nullptr) return;
  lane->track.end(at);
  lane->owner = nullptr;
}

void LockTracks::count(sim::Time at, std::int64_t queue) {
  queue_.set(at, queue);
  holding_.set(at, std::count_if(readers_.begin(), readers_.end(), [](const Lane& reader) { return reader.owner; }));
}

void LockTracks::finish(sim::Time end) {
  writer_.track.end(end, true);
  for (Lane& reader : readers_) reader.track.end(end, true);
  queue_.write_until(end);
  holding_.write_until(end);
}

LockTracks::Lane LockTracks::add_lane(const std::string& name) {
  const Place place{pid_, next_tid_++};
  events_.thread(place, name);
  return {{events_, windows_, place}};
}

LockTracks::Lane& LockTracks::idle_reader() {
  const auto idle =
      std::find_if(readers_.begin(), readers_.end(), [](const Lane& reader) { return reader.owner == nullptr; });
  return idle != readers_.end() ? *idle : readers_.emplace_back(add_lane("reader"));
}

LockTracks::Lane* LockTracks::lane_of(const void* owner) {
  if (writer_.owner == owner) return &writer_;
  const auto found =
      std::find_if(readers_.begin(), readers_.end(), [&](const Lane& reader) { return reader.owner == owner; });
  return found == readers_.end() ? nullptr : &*found;
}

}  // namespace experiments::trace
