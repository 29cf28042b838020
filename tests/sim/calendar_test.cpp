#include "sim/calendar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/random.h"

namespace sim::calendar_test {
namespace {

using namespace std::chrono_literals;

Time at(std::int64_t nanoseconds) { return Time{Nanoseconds{nanoseconds}}; }

// Events whose callbacks write their ranks into a log.
class CalendarTest : public testing::Test {
 protected:
  void add_events(std::size_t count) {
    while (events_.size() < count) {
      events_.emplace_back(calendar_, [this, rank = events_.size()] { fired_.push_back(rank); });
    }
  }

  std::vector<std::size_t> fire_all() {
    while (const auto due = calendar_.take_next()) due->event->fire();
    return std::exchange(fired_, {});
  }

  Calendar calendar_;
  std::deque<Event> events_;
  std::vector<std::size_t> fired_;
};

TEST_F(CalendarTest, AnEmptyCalendarHasNoNext) {
  EXPECT_FALSE(calendar_.take_next());
  add_events(3);
  EXPECT_FALSE(calendar_.take_next());
}

TEST_F(CalendarTest, EventsComeInTheOrderOfTheirTimes) {
  add_events(4);
  events_[0].schedule(at(30));
  events_[1].schedule(at(10));
  events_[2].schedule(at(40));
  events_[3].schedule(at(20));
  EXPECT_EQ(fire_all(), (std::vector<std::size_t>{1, 3, 0, 2}));
}

TEST_F(CalendarTest, NeighbouringNanosecondsStayApart) {
  add_events(2);
  constexpr std::int64_t kThirtyDays = 30LL * 24 * 3600 * 1'000'000'000;
  events_[0].schedule(at(kThirtyDays + 1));
  events_[1].schedule(at(kThirtyDays));
  EXPECT_EQ(fire_all(), (std::vector<std::size_t>{1, 0}));
}

TEST_F(CalendarTest, AtOneTimeEventsComeByRankInWhateverOrderTheyWereScheduled) {
  add_events(5);
  const std::vector<std::size_t> by_rank{0, 1, 2, 3, 4};
  std::vector<std::size_t> order = by_rank;
  do {
    for (const std::size_t rank : order) events_[rank].schedule(at(7));
    ASSERT_EQ(fire_all(), by_rank);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(CalendarTest, ATakenEventTellsItsTimeAndIsNoLongerScheduled) {
  add_events(1);
  events_[0].schedule(at(5));
  EXPECT_EQ(events_[0].due(), at(5));
  const auto due = calendar_.take_next();
  ASSERT_TRUE(due);
  EXPECT_EQ(due->at, at(5));
  EXPECT_EQ(due->event, &events_[0]);
  EXPECT_EQ(due->event->actor(), nullptr);
  EXPECT_EQ(events_[0].due(), std::nullopt);
  EXPECT_FALSE(calendar_.take_next());
}

TEST_F(CalendarTest, ReschedulingReplacesTheAppointment) {
  add_events(2);
  events_[1].schedule(at(20));
  events_[0].schedule(at(10));
  events_[0].schedule(at(30));
  EXPECT_EQ(events_[0].due(), at(30));
  EXPECT_EQ(fire_all(), (std::vector<std::size_t>{1, 0}));
  events_[1].schedule(at(50));
  events_[0].schedule(at(60));
  events_[0].schedule(at(40));
  EXPECT_EQ(fire_all(), (std::vector<std::size_t>{0, 1}));
}

TEST_F(CalendarTest, ReschedulingAtTheSameTimeFiresOnce) {
  add_events(1);
  for (int i = 0; i < 3; ++i) events_[0].schedule(at(10));
  EXPECT_EQ(fire_all(), (std::vector<std::size_t>{0}));
}

TEST_F(CalendarTest, ACancelledEventDoesNotFire) {
  add_events(2);
  events_[0].schedule(at(10));
  events_[1].schedule(at(20));
  events_[0].cancel();
  EXPECT_EQ(events_[0].due(), std::nullopt);
  EXPECT_EQ(fire_all(), (std::vector<std::size_t>{1}));
}

TEST_F(CalendarTest, CancellingAnUnscheduledEventDoesNothing) {
  add_events(1);
  events_[0].cancel();
  EXPECT_FALSE(calendar_.take_next());
  events_[0].schedule(at(10));
  EXPECT_EQ(fire_all(), (std::vector<std::size_t>{0}));
}

TEST_F(CalendarTest, AnEventScheduledAgainAfterCancelFiresOnceAtItsNewTime) {
  add_events(1);
  events_[0].schedule(at(10));
  events_[0].cancel();
  events_[0].schedule(at(10));
  const auto due = calendar_.take_next();
  ASSERT_TRUE(due);
  EXPECT_EQ(due->at, at(10));
  EXPECT_FALSE(calendar_.take_next());
}

TEST_F(CalendarTest, AnEventMayScheduleItselfAndOthersWhenItFires) {
  std::vector<std::int64_t> times;
  Time now{};
  Event tick(calendar_, [&] {
    times.push_back(now.time_since_epoch().count());
    if (times.size() < 4) tick.schedule(now + 5ns);
  });
  tick.schedule(at(0));
  while (const auto due = calendar_.take_next()) {
    now = due->at;
    due->event->fire();
  }
  EXPECT_EQ(times, (std::vector<std::int64_t>{0, 5, 10, 15}));
}

// The same promises kept by the simplest thing that can keep them.
class ReferenceCalendar {
 public:
  void schedule(std::size_t rank, Time time) {
    cancel(rank);
    due_[rank] = time;
    queue_[{time, rank}] = rank;
  }

  void cancel(std::size_t rank) {
    if (const auto entry = due_.find(rank); entry != due_.end()) {
      queue_.erase({entry->second, rank});
      due_.erase(entry);
    }
  }

  std::optional<Time> due(std::size_t rank) const {
    const auto entry = due_.find(rank);
    return entry == due_.end() ? std::nullopt : std::optional(entry->second);
  }

  std::optional<std::pair<Time, std::size_t>> take_next() {
    if (queue_.empty()) return std::nullopt;
    const auto next = queue_.begin()->first;
    cancel(next.second);
    return next;
  }

 private:
  std::map<std::pair<Time, std::size_t>, std::size_t> queue_;
  std::map<std::size_t, Time> due_;
};

class CalendarProperty : public CalendarTest, public testing::WithParamInterface<std::uint64_t> {
 protected:
  static constexpr std::size_t kEvents = 24;

  std::size_t below(std::size_t bound) { return stream_() % bound; }

  void take_from_both() {
    const auto due = calendar_.take_next();
    const auto expected = reference_.take_next();
    ASSERT_EQ(due.has_value(), expected.has_value());
    if (!due) return;
    ASSERT_EQ(due->at, expected->first);
    ASSERT_EQ(due->event, &events_[expected->second]);
    now_ = due->at;
  }

  void take_random_step() {
    const std::size_t rank = below(kEvents);
    const std::size_t step = below(10);
    if (step < 5) {
      // Few different times, so that ties and appointments at an abandoned time are common.
      const Time time = now_ + Nanoseconds{static_cast<std::int64_t>(below(12))};
      events_[rank].schedule(time);
      reference_.schedule(rank, time);
    } else if (step < 7) {
      events_[rank].cancel();
      reference_.cancel(rank);
    } else {
      take_from_both();
    }
    ASSERT_EQ(events_[rank].due(), reference_.due(rank));
  }

  Stream stream_{GetParam(), "calendar_test", "steps"};
  ReferenceCalendar reference_;
  Time now_{};
};

TEST_P(CalendarProperty, RandomStepsAgreeWithASortedMap) {
  add_events(kEvents);
  for (int step = 0; step < 20'000; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    take_random_step();
    if (HasFatalFailure()) return;
  }
  for (std::size_t i = 0; i <= kEvents; ++i) take_from_both();
  EXPECT_FALSE(calendar_.take_next());
}

INSTANTIATE_TEST_SUITE_P(Seeds, CalendarProperty, testing::Range(std::uint64_t{1}, std::uint64_t{6}));

}  // namespace
}  // namespace sim::calendar_test
