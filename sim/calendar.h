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
  inline void schedule(Time at);
  /// Forgets the appointment, if there is one.
  inline void cancel();
  /// When the event is due; nothing when it is not scheduled.
  [[nodiscard]] inline std::optional<Time> due() const;
  /// Its place among those that are due at the same time.
  [[nodiscard]] std::uint32_t rank() const { return rank_; }

  /// The actor it resumes, or null for a callback.
  [[nodiscard]] Actor* actor() const { return actor_; }
  /// Calls the callback. Precondition: actor() is null.
  void fire() const { callback_(); }

 private:
  Calendar& calendar_;
  Actor* actor_ = nullptr;
  Callback callback_;
  std::uint32_t rank_;
};

/// A priority queue of events by (time, rank).
///
/// A tournament: a binary tree over the ranks, with the earlier of two in each node and the next of all at the root. An
/// appointment that is made, moved or taken back plays again the matches on its way up, until one ends as before;
/// nothing is searched, and nothing void is left behind.
class Calendar {
 public:
  struct Due {
    Time at;
    Event* event;
  };

  /// Takes the next event off the calendar; nothing when none is scheduled.
  std::optional<Due> take_next() {
    const Entry next = tree_[1];
    if (next.at == kNever) return std::nullopt;
    set(next.rank, kNever);
    return Due{next.at, events_[next.rank]};
  }

  /// Whether `event`, which is not scheduled, would be the next if it were due at `at`: until then nothing happens
  /// unless it makes it happen.
  [[nodiscard]] bool would_be_next(const Event& event, Time at) const {
    const Entry& next = tree_[1];
    return at != next.at ? at < next.at : event.rank() < next.rank;
  }

 private:
  friend class Event;

  struct Entry {
    Time at = kNever;
    std::uint32_t rank = 0;
  };

  static constexpr Time kNever = Time::max();

  std::uint32_t add(Event& event);
  void grow();
  [[nodiscard]] Time due(std::uint32_t rank) const { return tree_[leaves_ + rank].at; }
  void set(std::uint32_t rank, Time at);

  std::vector<Event*> events_;                    // by rank
  std::size_t leaves_ = 1;                        // a power of two
  std::vector<Entry> tree_ = {Entry{}, Entry{}};  // the root is 1, the leaf of a rank is leaves_ + rank
};

inline void Event::schedule(Time at) { calendar_.set(rank_, at); }
inline void Event::cancel() { calendar_.set(rank_, Calendar::kNever); }
inline std::optional<Time> Event::due() const {
  const Time at = calendar_.due(rank_);
  return at == Calendar::kNever ? std::nullopt : std::optional(at);
}

}  // namespace sim
