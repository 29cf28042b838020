#include "sim/calendar.h"

#include <algorithm>
#include <utility>

namespace sim {

Event::Event(Calendar& calendar, Callback callback)
    : calendar_(calendar), callback_(std::move(callback)), rank_(calendar.add(*this)) {}

Event::Event(Calendar& calendar, Actor& actor) : calendar_(calendar), actor_(&actor), rank_(calendar.add(*this)) {}

void Event::schedule(Time at) {
  ++appointment_;
  scheduled_ = true;
  due_ = at;
  calendar_.push(*this);
}

void Event::cancel() { scheduled_ = false; }

std::optional<Time> Event::due() const { return scheduled_ ? std::optional(due_) : std::nullopt; }

std::uint32_t Calendar::add(Event& event) {
  events_.push_back(&event);
  return static_cast<std::uint32_t>(events_.size() - 1);
}

void Calendar::push(const Event& event) {
  if (heap_.size() > 2 * events_.size() + 64) drop_void_entries();
  heap_.push_back({event.due_, event.rank_, event.appointment_});
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

void Calendar::drop_void_entries() {
  std::erase_if(heap_, [this](const Entry& entry) { return !in_force(entry); });
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
}

bool Calendar::in_force(const Entry& entry) const {
  const Event& event = *events_[entry.rank];
  return event.scheduled_ && event.appointment_ == entry.appointment;
}

std::optional<Calendar::Due> Calendar::take_next() {
  while (!heap_.empty()) {
    const Entry entry = heap_.front();
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
    if (in_force(entry)) {
      Event& event = *events_[entry.rank];
      event.scheduled_ = false;
      return Due{entry.at, &event};
    }
  }
  return std::nullopt;
}

}  // namespace sim
