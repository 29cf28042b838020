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
  [[nodiscard]] std::optional<Time> due() const;

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
  std::uint32_t appointment_ = 0;  // counts (re)schedulings: an entry with an older count is void
  bool scheduled_ = false;
  Time due_{};
};

/// A priority queue of events by (time, rank).
class Calendar {
 public:
  struct Due {
    Time at;
    Event* event;
  };

  /// Takes the next event off the calendar; nothing when none is scheduled.
  std::optional<Due> take_next();

 private:
  friend class Event;

  struct Entry {
    Time at;
    std::uint32_t rank;
    std::uint32_t appointment;
    bool operator>(const Entry& other) const { return at != other.at ? at > other.at : rank > other.rank; }
  };

  std::uint32_t add(Event& event);
  void push(const Event& event);
  [[nodiscard]] bool in_force(const Entry& entry) const;
  void drop_void_entries();

  std::vector<Event*> events_;  // by rank
  std::vector<Entry> heap_;     // earliest in front; entries that are no longer in force are skipped
};

}  // namespace sim
