// The calendar of pending events, in an order that does not depend on who asked first.
//
// Two events due at the same nanosecond fire by rank, and a rank is given once, when the event is made.
// SimGrid 3.32 wakes actors whose sleeps end together in no useful order, and an order by scheduling time
// would differ between a run that takes every step and one that runs ahead; ranks are the same for both.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "sim/time.h"

namespace sim {

class Actor;
class Calendar;

/// Something that can be due at one moment at a time: the resumption of an actor, or a callback.
///
/// An event must outlive the run it was made for. It is neither copied nor moved: the calendar knows it by
/// address.
class Event {
 public:
  using Callback = std::function<void()>;

  /// An event that calls `callback`, on whichever stack happens to take the event: it must not block.
  Event(Calendar& calendar, Callback callback);
  /// An event that resumes `actor`.
  Event(Calendar& calendar, Actor& actor);
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Makes the event due at `at`, in place of any earlier appointment. `at` must not be in the past.
  void schedule(Time at);
  /// Forgets the appointment, if there is one.
  void cancel();
  /// When the event is due; nothing when it is not scheduled.
  [[nodiscard]] std::optional<Time> due() const { return due_; }
  /// Its place among those that are due at the same time.
  [[nodiscard]] std::uint32_t rank() const { return rank_; }

  /// The actor it resumes, or null for a callback.
  [[nodiscard]] Actor* actor() const { return actor_; }
  /// Calls the callback. Precondition: actor() is null.
  void fire() const { callback_(); }

 private:
  friend class Calendar;

  Calendar& calendar_;
  Actor* actor_ = nullptr;
  Callback callback_;
  std::uint32_t rank_;
  std::optional<Time> due_;
};

/// A priority queue of events by (time, rank).
///
/// A list in order, the next one at its end: a simulated machine has tens of appointments, and most that are made are
/// among the nearest. So an insertion passes a few neighbours in one stretch of memory, and the next one is just taken.
/// (A binary heap took twice as long, as did a tournament tree: at each level the processor guesses wrong every other
/// time.)
class Calendar {
 public:
  struct Due {
    Time at;
    Event* event;
  };

  /// Takes the next event off the calendar; nothing when none is scheduled.
  std::optional<Due> take_next() {
    if (entries_.empty()) return std::nullopt;
    const Entry next = entries_.back();
    entries_.pop_back();
    Event* const event = events_[next.rank];
    event->due_.reset();
    return Due{next.at, event};
  }

  /// Whether `event`, which is not scheduled, would be the next if it were due at `at`: until then nothing happens
  /// unless it makes it happen.
  [[nodiscard]] bool would_be_next(const Event& event, Time at) const {
    return entries_.empty() || later(entries_.back(), {at, event.rank()});
  }

 private:
  friend class Event;

  struct Entry {
    Time at;
    std::uint32_t rank;
  };

  static bool later(const Entry& one, const Entry& other) {
    return one.at != other.at ? one.at > other.at : one.rank > other.rank;
  }

  std::uint32_t add(Event& event);
  void insert(const Entry& entry);
  void remove(const Entry& entry);

  std::vector<Event*> events_;  // by rank
  std::vector<Entry> entries_;  // the latest first
};

}  // namespace sim
