// The semaphore's rules, free of tasks and costs: one by one, in all their histories, and beside those of the other
// flavour. tests/models/locking/rwsem_spin_handoff_tasks_test.cpp has the semaphore that tasks take.
#include "models/locking/rwsem_spin_handoff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "models/locking/rwsem_fifo.h"

namespace models {
namespace {

using namespace std::chrono_literals;
using sim::Time;
using testing::ElementsAre;
using testing::IsEmpty;

// ---------------------------------------------------------------------------------------------------------------
// The rules, one by one

using Rules = SpinHandoffRwsem<int>;
using Wakes = Rules::Wakes;
using Read = Rules::Read;
using Spin = Rules::Spin;
using Try = Rules::Try;

constexpr Time kEarly{};
constexpr Time kInTime = kEarly + kRwsemWaitTimeout;
constexpr Time kLate = kInTime + 1ns;

class SpinHandoffRules : public testing::Test {
 protected:
  Read down_read(int task, Time now = kEarly) {
    wakes_ = {};
    return rules_.down_read(task, now, wakes_);
  }
  Try queue_write(int task) {
    wakes_ = {};
    return rules_.queue_write(task, kEarly, wakes_);
  }
  // The last holder leaves, and the wake-up follows at once.
  void up_read(Time now = kEarly) {
    wakes_ = {};
    if (rules_.release_read()) rules_.wake(now, wakes_);
  }
  void up_write(Time now = kEarly) {
    wakes_ = {};
    if (rules_.release_write()) rules_.wake(now, wakes_);
  }
  void downgrade_write() {
    wakes_ = {};
    rules_.downgrade_write(wakes_);
  }
  // The writer inside leaves, and `task`, the only spinner, is faster than those who queue.
  [[nodiscard]] bool pass_to_spinner(int task) {
    rules_.join_spinners(task);
    return rules_.release_write() && rules_.let_spinner_in() == task;
  }
  std::vector<int> queue() const {
    std::vector<int> tasks;
    for (const Rules::Queued& each : rules_.queue()) tasks.push_back(each.waiter);
    return tasks;
  }

  Rules rules_;
  Wakes wakes_;
};

TEST_F(SpinHandoffRules, ReadersShareAndKeepWritersOut) {
  EXPECT_EQ(down_read(1), Read::taken);
  EXPECT_EQ(down_read(2), Read::taken);
  EXPECT_FALSE(rules_.down_write());
  EXPECT_EQ(rules_.readers(), 2U);
}

TEST_F(SpinHandoffRules, AWriterKeepsEverybodyOut) {
  EXPECT_TRUE(rules_.down_write());
  EXPECT_FALSE(rules_.down_write());
  EXPECT_EQ(down_read(1), Read::queued);
  EXPECT_EQ(queue_write(2), Try::sleep);
  EXPECT_THAT(queue(), ElementsAre(1, 2));
}

TEST_F(SpinHandoffRules, AReaderQueuesBehindAWaitingWriterAlthoughReadersHold) {
  ASSERT_EQ(down_read(1), Read::taken);
  ASSERT_EQ(queue_write(2), Try::sleep);
  EXPECT_EQ(down_read(3), Read::queued);
  EXPECT_THAT(wakes_.granted, IsEmpty());
}

TEST_F(SpinHandoffRules, AReleaseWakesTheWriterAtTheHeadWithoutGrantingAnything) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  ASSERT_EQ(queue_write(2), Try::sleep);
  up_write();
  EXPECT_EQ(wakes_.to_try, 1);
  EXPECT_FALSE(rules_.write_held());
  EXPECT_EQ(rules_.try_queued_write(1, kEarly), Try::taken);
  EXPECT_THAT(queue(), ElementsAre(2));
}

TEST_F(SpinHandoffRules, AReaderStealsTheSemaphoreFromAWriterThatIsStillWakingUp) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  up_write();
  EXPECT_EQ(down_read(2), Read::stolen);
  // Only the first: with a reader inside, the next one stands behind the writer.
  EXPECT_EQ(down_read(3), Read::queued);
  EXPECT_EQ(rules_.try_queued_write(1, kEarly), Try::sleep);
  up_read();
  EXPECT_EQ(wakes_.to_try, 1);
}

TEST_F(SpinHandoffRules, AStealingReaderBringsTheReadersOfAQueueThatAReaderHeads) {
  ASSERT_TRUE(rules_.down_write());
  for (const int reader : {1, 2}) ASSERT_EQ(down_read(reader), Read::queued);
  ASSERT_EQ(queue_write(3), Try::sleep);
  ASSERT_TRUE(rules_.release_write());
  // Faster than the wake-up.
  EXPECT_EQ(down_read(4), Read::stolen);
  EXPECT_THAT(wakes_.granted, ElementsAre(1, 2));
  EXPECT_EQ(rules_.readers(), 3U);
}

TEST_F(SpinHandoffRules, AWriterThatQueuesMayTakeAFreeSemaphoreBeforeThoseWhoQueuedEarlier) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  up_write();
  EXPECT_FALSE(rules_.down_write());
  EXPECT_EQ(queue_write(2), Try::taken);
  EXPECT_THAT(queue(), ElementsAre(1));
}

TEST_F(SpinHandoffRules, ReadersEnterPastWritersOnceAReaderHeadsTheQueue) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(down_read(1), Read::queued);
  ASSERT_EQ(queue_write(2), Try::sleep);
  ASSERT_EQ(down_read(3), Read::queued);
  ASSERT_EQ(queue_write(4), Try::sleep);
  up_write();
  EXPECT_THAT(wakes_.granted, ElementsAre(1, 3));
  EXPECT_EQ(wakes_.to_try, std::nullopt);
  EXPECT_THAT(queue(), ElementsAre(2, 4));
}

TEST_F(SpinHandoffRules, NoMoreThan256ReadersEnterAtOnce) {
  ASSERT_TRUE(rules_.down_write());
  for (int reader = 0; reader < 300; ++reader) ASSERT_EQ(down_read(reader), Read::queued);
  up_write();
  EXPECT_EQ(wakes_.granted.size(), 256U);
  EXPECT_EQ(rules_.readers(), 256U);
  // The next who queues finds a reader at the head and lets the rest in, himself included.
  EXPECT_EQ(down_read(300), Read::taken);
  EXPECT_EQ(wakes_.granted.size(), 44U);
  EXPECT_EQ(rules_.readers(), 301U);
  EXPECT_EQ(rules_.queue_length(), 0U);
}

TEST_F(SpinHandoffRules, ADowngradeLetsAllReadersInIfOneHeadsTheQueue) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(down_read(1), Read::queued);
  ASSERT_EQ(queue_write(2), Try::sleep);
  ASSERT_EQ(down_read(3), Read::queued);
  downgrade_write();
  EXPECT_THAT(wakes_.granted, ElementsAre(1, 3));
  EXPECT_EQ(rules_.readers(), 3U);
}

TEST_F(SpinHandoffRules, ADowngradeWakesNobodyIfAWriterHeadsTheQueueAndNewReadersQueueToo) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  ASSERT_EQ(down_read(2), Read::queued);
  downgrade_write();
  EXPECT_THAT(wakes_.granted, IsEmpty());
  EXPECT_EQ(wakes_.to_try, std::nullopt);
  // The downgrader counts as a reader inside.
  EXPECT_EQ(down_read(3), Read::queued);
  up_read();
  EXPECT_EQ(wakes_.to_try, 1);
}

TEST_F(SpinHandoffRules, AWriterSpinsWhileTheOwnerRuns) {
  ASSERT_TRUE(rules_.down_write());
  EXPECT_FALSE(rules_.may_spin(false));
  ASSERT_TRUE(rules_.may_spin(true));
  rules_.join_spinners(1);
  EXPECT_EQ(rules_.spin(true), Spin::on_writer);
  EXPECT_EQ(rules_.spin(false), Spin::give_up);
  EXPECT_THAT(rules_.spinners(), IsEmpty());
}

TEST_F(SpinHandoffRules, TheFirstSpinnerGetsAheadOfTheQueue) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  for (const int spinner : {2, 3}) rules_.join_spinners(spinner);
  ASSERT_TRUE(rules_.release_write());
  EXPECT_EQ(rules_.let_spinner_in(), 2);
  EXPECT_EQ(rules_.let_spinner_in(), std::nullopt);
  rules_.wake(kEarly, wakes_);
  // In vain: that is how the waiter finds out how long it has waited.
  EXPECT_EQ(wakes_.to_try, 1);
  EXPECT_EQ(rules_.try_queued_write(1, kEarly), Try::sleep);
  EXPECT_EQ(rules_.spin(true), Spin::on_writer);
}

TEST_F(SpinHandoffRules, ReadersStayQueuedIfASpinnerWasFaster) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(down_read(1), Read::queued);
  ASSERT_TRUE(pass_to_spinner(2));
  rules_.wake(kEarly, wakes_);
  EXPECT_THAT(wakes_.granted, IsEmpty());
  EXPECT_FALSE(rules_.handoff());
  // The same again, but 4 ms later: no further spinner gets in.
  ASSERT_TRUE(pass_to_spinner(3));
  rules_.wake(kLate, wakes_);
  EXPECT_TRUE(rules_.handoff());
  rules_.join_spinners(4);
  ASSERT_TRUE(rules_.release_write());
  EXPECT_EQ(rules_.let_spinner_in(), std::nullopt);
  EXPECT_EQ(rules_.spin(true), Spin::on_nobody);
  rules_.wake(kLate, wakes_);
  EXPECT_THAT(wakes_.granted, ElementsAre(1));
  EXPECT_FALSE(rules_.handoff());
}

TEST_F(SpinHandoffRules, SpinningOnReadersIsLimitedAndThenForbiddenUntilTheyAreGone) {
  ASSERT_EQ(down_read(1), Read::taken);
  rules_.join_spinners(2);
  EXPECT_EQ(rules_.spin(true), Spin::on_readers);
  rules_.reader_spin_expired();
  EXPECT_TRUE(rules_.nonspinnable());
  EXPECT_FALSE(rules_.may_spin(true));
  ASSERT_EQ(queue_write(2), Try::sleep);
  up_read();
  EXPECT_FALSE(rules_.nonspinnable());
  EXPECT_TRUE(rules_.may_spin(true));
}

TEST_F(SpinHandoffRules, TheLimitOfSpinningOnReadersGrowsWithTheirNumberUpToThirty) {
  EXPECT_EQ(rules_.reader_spin_limit(), 10us);
  ASSERT_EQ(down_read(0), Read::taken);
  EXPECT_EQ(rules_.reader_spin_limit(), 10'500ns);
  for (int reader = 1; reader < 30; ++reader) ASSERT_EQ(down_read(reader), Read::taken);
  EXPECT_EQ(rules_.reader_spin_limit(), 25us);
  ASSERT_EQ(down_read(30), Read::taken);
  EXPECT_EQ(rules_.reader_spin_limit(), 25us);
}

TEST_F(SpinHandoffRules, AWriterThatFailsAfterMoreThan4MsKeepsEverybodyElseOut) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  ASSERT_TRUE(pass_to_spinner(2));
  EXPECT_EQ(rules_.try_queued_write(1, kInTime), Try::sleep);
  EXPECT_FALSE(rules_.handoff());
  EXPECT_EQ(rules_.try_queued_write(1, kLate), Try::spin_on_owner);
  EXPECT_TRUE(rules_.handoff());

  ASSERT_TRUE(rules_.release_write());
  rules_.join_spinners(3);
  EXPECT_EQ(rules_.let_spinner_in(), std::nullopt);
  EXPECT_EQ(down_read(4), Read::queued);
  EXPECT_EQ(queue_write(5), Try::sleep);
  EXPECT_FALSE(rules_.down_write());
  EXPECT_EQ(rules_.try_queued_write(1, kLate), Try::taken);
  EXPECT_FALSE(rules_.handoff());
}

TEST_F(SpinHandoffRules, ADowngradeUnderAWritersHandoffLetsNobodyIn) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(queue_write(1), Try::sleep);
  ASSERT_EQ(down_read(2), Read::queued);
  ASSERT_EQ(rules_.try_queued_write(1, kLate), Try::spin_on_owner);
  downgrade_write();
  EXPECT_THAT(wakes_.granted, IsEmpty());
  EXPECT_EQ(down_read(3), Read::queued);
  up_read();
  EXPECT_EQ(wakes_.to_try, 1);
  EXPECT_EQ(rules_.try_queued_write(1, kLate), Try::taken);
}

TEST_F(SpinHandoffRules, ADowngradeUnderAReadersHandoffEndsIt) {
  ASSERT_TRUE(rules_.down_write());
  ASSERT_EQ(down_read(1), Read::queued);
  ASSERT_TRUE(pass_to_spinner(2));
  rules_.wake(kLate, wakes_);
  ASSERT_TRUE(rules_.handoff());
  downgrade_write();
  EXPECT_THAT(wakes_.granted, ElementsAre(1));
  EXPECT_FALSE(rules_.handoff());
}

// ---------------------------------------------------------------------------------------------------------------
// How often a writer can be passed over

// What a semaphore does that lets readers in whenever no writer holds it.
struct PureReaderPreference {
  bool down_read() {
    if (!writer) ++readers;
    return !writer;
  }
  [[nodiscard]] bool down_write() const { return !writer && readers == 0; }
  void up_read() { --readers; }

  bool writer = false;
  int readers = 0;
};

TEST(WriterBypass, UnderPureReaderPreferenceOverlappingReadersPassAWriterOverForEver) {
  PureReaderPreference semaphore;
  ASSERT_TRUE(semaphore.down_read());
  ASSERT_FALSE(semaphore.down_write());  // queues
  for (int passed_over = 0; passed_over < 10'000; ++passed_over) {
    ASSERT_TRUE(semaphore.down_read());
    semaphore.up_read();
    ASSERT_FALSE(semaphore.down_write());
  }
}

TEST(WriterBypass, OverlappingReadersPassNoQueuedWriterOver) {
  Rules rules;
  Wakes wakes;
  ASSERT_EQ(rules.down_read(0, kEarly, wakes), Read::taken);
  ASSERT_EQ(rules.queue_write(1, kEarly, wakes), Try::sleep);
  ASSERT_EQ(rules.down_read(2, kEarly, wakes), Read::queued);
  ASSERT_TRUE(rules.release_read());
  rules.wake(kEarly, wakes);
  EXPECT_EQ(wakes.to_try, 1);
  EXPECT_EQ(rules.try_queued_write(1, kEarly), Try::taken);
}

// Whoever is quicker than the woken writer can take its turn, again and again, but only for 4 ms.
TEST(WriterBypass, EndsWithTheFirstTryAfterTheTimeout) {
  for (const bool by_spinners : {false, true}) {
    Rules rules;
    Wakes wakes;
    ASSERT_TRUE(rules.down_write());
    ASSERT_EQ(rules.queue_write(1, kEarly, wakes), Try::sleep);
    ASSERT_TRUE(rules.release_write());
    const auto pass_over = [&] {
      if (!by_spinners) return rules.down_read(2, kEarly, wakes) == Read::stolen;
      rules.join_spinners(2);
      return rules.spin(true) == Spin::taken;
    };
    const auto release = [&] { return by_spinners ? rules.release_write() : rules.release_read(); };
    for (int passed_over = 0; passed_over < 10'000; ++passed_over) {
      ASSERT_TRUE(pass_over());
      ASSERT_EQ(rules.try_queued_write(1, kInTime), Try::sleep);
      ASSERT_TRUE(release());
    }
    ASSERT_TRUE(pass_over());
    ASSERT_EQ(rules.try_queued_write(1, kLate), Try::spin_on_owner);
    ASSERT_TRUE(release());
    EXPECT_FALSE(pass_over());
    EXPECT_EQ(rules.try_queued_write(1, kLate), Try::taken);
  }
}

// ---------------------------------------------------------------------------------------------------------------
// All histories

enum class Section { read, write, downgrade };
constexpr std::array kSections{Section::read, Section::write, Section::downgrade};

enum class Stage {
  outside,
  spinning,
  before_queue,       // a writer that could not, or no longer, spin
  queued,             // asleep
  woken,              // a writer that is to try
  spinning_on_owner,  // first in the queue, with the handoff
  inside,
  downgraded,
  releasing,  // has left, and has still to wake somebody
};

constexpr std::size_t kMostTasks = 4;

struct Situation {
  struct Task {
    int sections_left = 0;
    Section section = Section::read;
    Stage stage = Stage::outside;
    bool waited_long = false;  // in the queue, more than 4 ms
  };

  [[nodiscard]] bool holds(std::size_t number) const {
    return tasks[number].stage == Stage::inside || tasks[number].stage == Stage::downgraded;
  }
  [[nodiscard]] bool reads(std::size_t number) const {
    return tasks[number].section == Section::read || tasks[number].stage == Stage::downgraded;
  }
  [[nodiscard]] std::optional<std::size_t> head() const {
    return rules.queue().empty() ? std::nullopt : std::optional(rules.queue().front().waiter);
  }
  // What time it is only matters for the first in the queue.
  [[nodiscard]] Time time() const { return head() && tasks[*head()].waited_long ? kLate : kEarly; }

  SpinHandoffRwsem<std::size_t> rules;
  std::array<Task, kMostTasks> tasks;
};

struct Scope {
  std::size_t tasks;
  int sections;
  bool spinning;
  bool timeouts;
};

class Exploration {
 public:
  explicit Exploration(Scope scope) : scope_(scope) {
    Situation start;
    for (std::size_t number = 0; number < scope.tasks; ++number) start.tasks[number].sections_left = scope.sections;
    explore(start);
  }

  [[nodiscard]] std::size_t situations() const {
    std::size_t count = 0;
    for (const auto& each : seen_) count += each.size();
    return count;
  }
  [[nodiscard]] std::uint64_t handoffs() const { return handoffs_; }
  [[nodiscard]] std::uint64_t steals() const { return steals_; }
  [[nodiscard]] std::uint64_t spins() const { return spins_; }

 private:
  void require(bool holds, const char* what) {
    if (!holds && !std::exchange(failed_, true)) ADD_FAILURE() << what << "\n" << history();
  }

  void explore(const Situation& situation) {
    if (failed_ || !see(situation)) return;
    check(situation);
    bool stuck = true;
    for (std::size_t number = 0; number < scope_.tasks; ++number) {
      each_step(situation, number, [&](const char* name, const Situation& next) {
        stuck = false;
        steps_.push_back(std::to_string(number) + " " + name);
        check_step(situation, next);
        explore(next);
        steps_.pop_back();
      });
    }
    const bool finished = std::all_of(situation.tasks.begin(), situation.tasks.end(), [](const Situation::Task& each) {
      return each.stage == Stage::outside && each.sections_left == 0;
    });
    require(stuck == finished, "nobody can do anything, but not all have finished");
  }

  // Calls `go` with each situation that a step of task `number` leads to.
  template <class Go>
  void each_step(const Situation& situation, std::size_t number, const Go& go) {
    const Situation::Task& task = situation.tasks[number];
    switch (task.stage) {
      case Stage::outside:
        if (task.sections_left == 0) return;
        for (const Section section : kSections) begin(situation, number, section, go);
        return;
      case Stage::spinning:
        return spin(situation, number, go);
      case Stage::before_queue:
        return go("queues", queue_write(situation, number));
      case Stage::queued:
        if (scope_.timeouts && situation.head() == number && !task.waited_long) {
          Situation next = situation;
          next.tasks[number].waited_long = true;
          go("has waited long", next);
        }
        return;
      case Stage::spinning_on_owner: {
        Situation next = situation;
        next.tasks[number].stage = Stage::queued;
        // With no owner it does not sleep but tries.
        if (next.rules.write_held() || next.rules.reader_owned()) go("falls asleep", next);
        if (!next.rules.write_held() && next.rules.readers() == 0) go("tries", try_queued(situation, number));
        return;
      }
      case Stage::woken:
        return go("tries", try_queued(situation, number));
      case Stage::inside:
        if (task.section == Section::downgrade) return go("downgrades", downgrade(situation, number));
        return go("leaves", release(situation, number));
      case Stage::downgraded:
        return go("leaves", release(situation, number));
      case Stage::releasing:
        return go("wakes", wake(situation, number));
    }
  }

  template <class Go>
  void begin(const Situation& situation, std::size_t number, Section section, const Go& go) {
    Situation next = situation;
    Situation::Task& task = next.tasks[number];
    task = {task.sections_left - 1, section, Stage::inside, false};
    if (section == Section::read) {
      SpinHandoffRwsem<std::size_t>::Wakes wakes;
      const auto outcome = next.rules.down_read(number, next.time(), wakes);
      if (outcome == SpinHandoffRwsem<std::size_t>::Read::queued) task.stage = Stage::queued;
      if (outcome == SpinHandoffRwsem<std::size_t>::Read::stolen) ++steals_;
      obey(next, wakes);
      return go("down_read", next);
    }
    if (next.rules.down_write()) return go("down_write", next);
    task.stage = Stage::before_queue;
    go("down_write", next);
    if (!scope_.spinning || !next.rules.may_spin(true)) return;
    task.stage = Stage::spinning;
    next.rules.join_spinners(number);
    go("down_write, spins", next);
  }

  template <class Go>
  void spin(const Situation& situation, std::size_t number, const Go& go) {
    {
      Situation next = situation;
      next.rules.leave_spinners(number);
      next.tasks[number].stage = Stage::before_queue;
      go("must yield", next);
    }
    if (situation.rules.spinners().front() != number) return;
    for (const bool owner_on_cpu : {true, false}) {
      if (!owner_on_cpu && !situation.rules.write_held()) continue;
      Situation next = situation;
      Situation between = situation;
      const auto quick = between.rules.let_spinner_in();
      const auto outcome = next.rules.spin(owner_on_cpu);
      using Outcome = SpinHandoffRwsem<std::size_t>::Spin;
      require(quick.has_value() == (outcome == Outcome::taken), "let_spinner_in differs from spin");
      if (outcome == Outcome::taken) {
        ++spins_;
        next.tasks[number].stage = Stage::inside;
        go("got it by spinning", next);
      } else if (outcome == Outcome::give_up) {
        next.tasks[number].stage = Stage::before_queue;
        go("gives up spinning", next);
      } else if (outcome == Outcome::on_readers) {
        next.rules.reader_spin_expired();
        next.tasks[number].stage = Stage::before_queue;
        go("has spun on readers too long", next);
      }
    }
  }

  Situation queue_write(Situation next, std::size_t number) {
    SpinHandoffRwsem<std::size_t>::Wakes wakes;
    const bool first = !next.head();
    // For the newcomer it is early; for the first in the queue it may be late.
    const auto outcome = next.rules.queue_write(number, kEarly, wakes);
    settle_try(next, number, outcome, first);
    obey(next, wakes);
    return next;
  }

  Situation try_queued(Situation next, std::size_t number) {
    require(next.head() == number, "a writer tries that is not first in the queue");
    const bool late = next.time() == kLate;
    const auto outcome = next.rules.try_queued_write(number, next.time());
    settle_try(next, number, outcome, true);
    if (late && next.tasks[number].stage != Stage::inside) {
      require(next.rules.handoff(),
              "the first has tried after its timeout and "
              "failed, but there is no handoff");
    }
    return next;
  }

  void settle_try(Situation& next, std::size_t number, SpinHandoffRwsem<std::size_t>::Try outcome, bool first) {
    using Outcome = SpinHandoffRwsem<std::size_t>::Try;
    Situation::Task& task = next.tasks[number];
    task.stage = outcome == Outcome::taken   ? Stage::inside
                 : outcome == Outcome::sleep ? Stage::queued
                                             : Stage::spinning_on_owner;
    if (outcome == Outcome::taken) {
      task.waited_long = false;
      steals_ += first ? 0 : 1;
    }
    if (outcome == Outcome::spin_on_owner) require(first && next.rules.handoff(), "spins on the owner without handoff");
  }

  Situation downgrade(Situation next, std::size_t number) {
    SpinHandoffRwsem<std::size_t>::Wakes wakes;
    next.rules.downgrade_write(wakes);
    next.tasks[number].stage = Stage::downgraded;
    require(!wakes.to_try, "a downgrade has woken a writer");
    obey(next, wakes);
    return next;
  }

  Situation release(Situation next, std::size_t number) {
    const bool must_wake = next.reads(number) ? next.rules.release_read() : next.rules.release_write();
    Situation::Task& task = next.tasks[number];
    task = {task.sections_left, Section::read, must_wake ? Stage::releasing : Stage::outside, false};
    return next;
  }

  Situation wake(Situation next, std::size_t number) {
    SpinHandoffRwsem<std::size_t>::Wakes wakes;
    next.rules.wake(next.time(), wakes);
    next.tasks[number].stage = Stage::outside;
    obey(next, wakes);
    return next;
  }

  void obey(Situation& next, const SpinHandoffRwsem<std::size_t>::Wakes& wakes) {
    for (const std::size_t reader : wakes.granted) {
      require(next.tasks[reader].stage == Stage::queued, "let in, but did not queue");
      next.tasks[reader].stage = Stage::inside;
      next.tasks[reader].waited_long = false;
    }
    if (wakes.to_try) next.tasks[*wakes.to_try].stage = Stage::woken;
  }

  void check(const Situation& situation) {
    const auto& rules = situation.rules;
    std::size_t readers = 0;
    std::size_t writers = 0;
    std::size_t queued = 0;
    bool releasing = false;
    for (std::size_t number = 0; number < scope_.tasks; ++number) {
      const Stage stage = situation.tasks[number].stage;
      if (situation.holds(number)) ++(situation.reads(number) ? readers : writers);
      queued += stage == Stage::queued || stage == Stage::woken || stage == Stage::spinning_on_owner ? 1 : 0;
      releasing = releasing || stage == Stage::releasing;
    }
    require(writers == 0 || (writers == 1 && readers == 0), "no mutual exclusion");
    require(rules.readers() == readers && rules.write_held() == (writers == 1), "it says that others hold it");
    require(rules.queue_length() == queued, "it says that others queue");
    require(!rules.handoff() || (queued > 0 && rules.queue().front().handoff_set), "a handoff to nobody");
    // Stronger than that somebody spins: spinners may find it free, but it does not depend on them.
    if (readers + writers == 0 && queued > 0) {
      const Stage first = situation.tasks[*situation.head()].stage;
      require(releasing || first == Stage::woken || first == Stage::spinning_on_owner, "a wake-up was lost");
    }
  }

  void check_step(const Situation& before, const Situation& after) {
    bool first_got_it = false;
    bool other_got_it = false;
    for (std::size_t number = 0; number < scope_.tasks; ++number) {
      if (before.holds(number) || !after.holds(number)) continue;
      (before.head() == number ? first_got_it : other_got_it) = true;
      // Writers that sleep in the queue keep their order.
      const Stage stage = before.tasks[number].stage;
      if (stage == Stage::woken || stage == Stage::spinning_on_owner) {
        require(before.rules.first_writer() == number, "a writer was overtaken in the queue");
      }
    }
    if (before.rules.handoff()) {
      require(!other_got_it || first_got_it, "somebody else got it under a handoff");
      require(after.rules.handoff() || first_got_it, "a handoff was dropped");
    }
    handoffs_ += !before.rules.handoff() && after.rules.handoff() ? 1 : 0;
  }

  // Returns whether it is new. Tasks are alike, so it counts once whichever of them is in which place.
  bool see(const Situation& situation) {
    const auto& rules = situation.rules;
    std::array<std::uint64_t, kMostTasks> places{};
    for (std::size_t number = 0; number < scope_.tasks; ++number) {
      const Situation::Task& task = situation.tasks[number];
      std::uint64_t place = static_cast<std::uint64_t>(task.stage) << 5U |
                            static_cast<std::uint64_t>(task.section) << 3U |
                            static_cast<std::uint64_t>(task.sections_left) << 1U | (task.waited_long ? 1U : 0U);
      for (std::size_t index = 0; index < rules.queue_length(); ++index) {
        if (rules.queue()[index].waiter == number) place |= (index + 1) << 9U;
      }
      for (std::size_t index = 0; index < rules.spinners().size(); ++index) {
        if (rules.spinners()[index] == number) place |= (index + 1) << 12U;
      }
      places[number] = place;
    }
    std::sort(places.begin(), places.end());
    std::uint64_t key = 0;
    for (const std::uint64_t place : places) key = key << 16U | place;
    const std::size_t bits =
        (rules.handoff() ? 1U : 0U) | (rules.nonspinnable() ? 2U : 0U) | (rules.reader_owned() ? 4U : 0U);
    return seen_[bits].insert(key).second;
  }

  [[nodiscard]] std::string history() const {
    std::string text;
    for (const std::string& step : steps_) text += step + "\n";
    return text;
  }

  Scope scope_;
  std::array<std::unordered_set<std::uint64_t>, 8> seen_;
  std::vector<std::string> steps_;
  std::uint64_t handoffs_ = 0;
  std::uint64_t steals_ = 0;
  std::uint64_t spins_ = 0;
  bool failed_ = false;
};

TEST(SpinHandoffExploration, FewerTasksKeepTheRules) {
  for (const std::size_t tasks : {1U, 2U, 3U}) {
    for (const int sections : {1, 2, 3}) EXPECT_GT(Exploration({tasks, sections, true, true}).situations(), 0U);
  }
}

TEST(SpinHandoffExploration, FourTasksWithThreeSectionsKeepTheRules) {
  const Exploration exploration({4, 3, true, true});
  RecordProperty("situations", std::to_string(exploration.situations()));
  EXPECT_GT(exploration.situations(), 100'000U);
  EXPECT_GT(exploration.handoffs(), 0U);
  EXPECT_GT(exploration.steals(), 0U);
  EXPECT_GT(exploration.spins(), 0U);
}

TEST(SpinHandoffExploration, WithoutSpinningNobodyGetsItBySpinning) {
  const Exploration exploration({4, 3, false, true});
  EXPECT_GT(exploration.handoffs(), 0U);
  EXPECT_GT(exploration.steals(), 0U);
  EXPECT_EQ(exploration.spins(), 0U);
}

TEST(SpinHandoffExploration, BeforeTheTimeoutNobodyAsksForAHandoff) {
  EXPECT_EQ(Exploration({4, 3, true, false}).handoffs(), 0U);
}

// ---------------------------------------------------------------------------------------------------------------
// Where both flavours must agree: nobody spins, and a woken writer tries before anybody else does anything. Then they
// differ only in the readers that 6.1 lets in past a writer; histories are followed up to there.

class Agreement {
 public:
  Agreement(int tasks, int sections) : tasks_(tasks) {
    Pair start;
    start.sections_left.assign(static_cast<std::size_t>(tasks), sections);
    start.stages.assign(static_cast<std::size_t>(tasks), Stage::outside);
    start.sections.assign(static_cast<std::size_t>(tasks), Section::read);
    explore(start);
  }

  [[nodiscard]] std::uint64_t steps() const { return step_count_; }
  [[nodiscard]] std::uint64_t partings() const { return partings_; }

 private:
  struct Pair {
    FifoRwsem<int> fifo;
    Rules rules;
    std::vector<int> sections_left;
    std::vector<Section> sections;
    std::vector<Stage> stages;
  };

  static bool readers_on_both_sides_of_a_writer(const Rules& rules) {
    const auto is_writer = [](const Rules::Queued& each) { return each.mode == LockMode::write; };
    const auto& queue = rules.queue();
    const auto writer = std::find_if(queue.begin(), queue.end(), is_writer);
    return writer != queue.begin() && !std::all_of(writer, queue.end(), is_writer);
  }

  // As long as they agree, the order of the queue is the same in both.
  bool see(const Pair& pair) {
    std::vector<int> key;
    for (std::size_t task = 0; task < pair.stages.size(); ++task) {
      key.push_back(pair.sections_left[task] * 100 + static_cast<int>(pair.sections[task]) * 10 +
                    static_cast<int>(pair.stages[task]));
    }
    for (const Rules::Queued& each : pair.rules.queue()) key.push_back(each.waiter);
    return seen_.insert(std::move(key)).second;
  }

  void explore(const Pair& pair) {
    if (testing::Test::HasFailure() || !see(pair)) return;
    for (int task = 0; task < tasks_; ++task) {
      const auto index = static_cast<std::size_t>(task);
      if (pair.stages[index] == Stage::outside && pair.sections_left[index] > 0) {
        for (const Section section : kSections) follow(begin(pair, task, section));
      } else if (pair.stages[index] == Stage::inside && pair.sections[index] == Section::downgrade) {
        follow(downgrade(pair, task));
      } else if (pair.stages[index] == Stage::inside || pair.stages[index] == Stage::downgraded) {
        follow(end(pair, task));
      }
    }
  }

  void follow(const Pair& pair) {
    ++step_count_;
    EXPECT_EQ(pair.fifo.readers(), pair.rules.readers());
    EXPECT_EQ(pair.fifo.write_held(), pair.rules.write_held());
    EXPECT_EQ(pair.fifo.queue_length(), pair.rules.queue_length());
    EXPECT_EQ(pair.fifo.first_writer(), pair.rules.first_writer());
    if (readers_on_both_sides_of_a_writer(pair.rules)) {
      ++partings_;
    } else {
      explore(pair);
    }
  }

  static Pair begin(Pair next, int task, Section section) {
    const auto index = static_cast<std::size_t>(task);
    --next.sections_left[index];
    next.sections[index] = section;
    Wakes wakes;
    bool entered = false;
    if (section == Section::read) {
      entered = next.rules.down_read(task, kEarly, wakes) == Read::taken;
    } else {
      entered = next.rules.down_write() || next.rules.queue_write(task, kEarly, wakes) == Try::taken;
    }
    EXPECT_EQ(next.fifo.down(section == Section::read ? LockMode::read : LockMode::write, task), entered);
    EXPECT_TRUE(wakes.granted.empty());
    next.stages[index] = entered ? Stage::inside : Stage::queued;
    return next;
  }

  static Pair downgrade(Pair next, int task) {
    Wakes wakes;
    std::vector<int> granted;
    next.rules.downgrade_write(wakes);
    next.fifo.downgrade_write(granted);
    next.stages[static_cast<std::size_t>(task)] = Stage::downgraded;
    compare(next, wakes, granted);
    return next;
  }

  static Pair end(Pair next, int task) {
    const auto index = static_cast<std::size_t>(task);
    Wakes wakes;
    std::vector<int> granted;
    if (next.sections[index] == Section::write) {
      if (next.rules.release_write()) next.rules.wake(kEarly, wakes);
      next.fifo.up_write(granted);
    } else {
      if (next.rules.release_read()) next.rules.wake(kEarly, wakes);
      next.fifo.up_read(granted);
    }
    next.stages[index] = Stage::outside;
    compare(next, wakes, granted);
    return next;
  }

  static void compare(Pair& next, const Wakes& wakes, const std::vector<int>& granted) {
    std::vector<int> entered = wakes.granted;
    if (wakes.to_try && next.rules.try_queued_write(*wakes.to_try, kEarly) == Try::taken) {
      entered.push_back(*wakes.to_try);
    }
    EXPECT_EQ(entered, granted);
    for (const int task : granted) next.stages[static_cast<std::size_t>(task)] = Stage::inside;
  }

  int tasks_;
  std::set<std::vector<int>> seen_;
  std::uint64_t step_count_ = 0;
  std::uint64_t partings_ = 0;
};

TEST(Flavours, AgreeUntilReadersQueueOnBothSidesOfAWriter) {
  EXPECT_EQ(Agreement(2, 3).partings(), 0U);
  EXPECT_EQ(Agreement(3, 3).partings(), 0U);
  const Agreement agreement(4, 2);
  EXPECT_GT(agreement.steps(), 10'000U);
  EXPECT_GT(agreement.partings(), 0U);
}

}  // namespace
}  // namespace models
