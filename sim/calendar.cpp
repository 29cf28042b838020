#include "sim/calendar.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace sim {

Event::Event(Calendar& calendar, Callback callback)
    : calendar_(calendar), callback_(std::move(callback)), rank_(calendar.add(*this)) {}

Event::Event(Calendar& calendar, Actor& actor) : calendar_(calendar), actor_(&actor), rank_(calendar.add(*this)) {}

void Event::schedule(Time at) {
  cancel();
  due_ = at;
  calendar_.insert({at, rank_});
}

void Event::cancel() {
  if (!due_) return;
  calendar_.remove({*due_, rank_});
  due_.reset();
}

std::uint32_t Calendar::add(Event& event) {
  events_.push_back(&event);
  return static_cast<std::uint32_t>(events_.size() - 1);
}

void Calendar::insert(const Entry& entry) {
  constexpr std::size_t kNear = 16;
  const auto near = entries_.end() - static_cast<std::ptrdiff_t>(std::min(entries_.size(), kNear));
  auto place = entries_.end();
  while (place != near && later(entry, *std::prev(place))) --place;
  if (place == near) place = std::upper_bound(entries_.begin(), near, entry, later);
  entries_.insert(place, entry);
}

void Calendar::remove(const Entry& entry) {
  entries_.erase(std::lower_bound(entries_.begin(), entries_.end(), entry, later));
}

}  // namespace sim
