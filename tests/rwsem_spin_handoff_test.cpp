#include "models/rwsem_spin_handoff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "models/rwsem.h"
#include "sim/random.h"
#include "tests/in_child.h"
#include "tests/small_machine.h"

namespace models {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using sim::Time;
using testing::ElementsAre;
using testing::IsEmpty;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

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
  rules_.join_spinners(2);
  ASSERT_TRUE(rules_.release_write());
  ASSERT_EQ(rules_.let_spinner_in(), 2);
  rules_.wake(kEarly, wakes_);
  EXPECT_THAT(wakes_.granted, IsEmpty());
  EXPECT_FALSE(rules_.handoff());
  // The same again, but 4 ms later: no further spinner gets in.
  rules_.join_spinners(3);
  ASSERT_TRUE(rules_.release_write());
  ASSERT_EQ(rules_.let_spinner_in(), 3);
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
  rules_.join_spinners(2);
  ASSERT_TRUE(rules_.release_write());
  ASSERT_EQ(rules_.let_spinner_in(), 2);
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
  rules_.join_spinners(2);
  ASSERT_TRUE(rules_.release_write());
  ASSERT_EQ(rules_.let_spinner_in(), 2);
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

// ---------------------------------------------------------------------------------------------------------------
// The semaphore with tasks

constexpr Nanoseconds kOperation = 3ns;
constexpr Nanoseconds kWake = 11ns;
constexpr Nanoseconds kLatency = 30ns;
constexpr Nanoseconds kSwitch = 7ns;

SmallMachineSpec machine(bool stepwise, RwsemFlavour flavour = RwsemFlavour::spin_handoff) {
  SmallMachineSpec spec;
  spec.scheduler.wake_up_latency = kLatency;
  spec.scheduler.context_switch = kSwitch;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.rwsem_wake = kWake;
  spec.policy.rwsem = flavour;
  spec.stepwise = stepwise;
  return spec;
}

using Waits = std::map<LockBlame, Nanoseconds>;

Waits waits_of(const Task& task) {
  Waits waits;
  for (const LockWait& wait : task.ledger().lock_waits()) waits[wait.blame] += wait.to - wait.from;
  return waits;
}

LockBlame by(ClassId holder, LockMode mode, ClassId convoy = -1) { return {holder, Phase::user, mode, convoy}; }

// Works for `duration` in steps of 10 ns.
void work(Task& task, Nanoseconds duration) {
  for (; duration > 10ns; duration -= 10ns) task.work(10ns);
  task.work(duration);
}

// What became of one critical section.
struct Entry {
  Time asked{};
  Time got{};
  Time left{};
};

class SpinHandoffTest : public testing::TestWithParam<bool> {
 protected:
  static SmallMachineSpec machine() { return models::machine(GetParam()); }

  // Asks at `when` and holds it over `hold` of work, or of sleep.
  static Task& add(SmallMachine& world, LockMode mode, std::int64_t when, Nanoseconds hold, Entry& entry,
                   bool asleep = false) {
    return world.add_at(when, [&world, &entry, mode, hold, asleep](Task& task) {
      Rwsem& semaphore = world.mm.mmap_sem;
      task.ledger().remember();
      entry.asked = task.now();
      mode == LockMode::read ? semaphore.down_read(task) : semaphore.down_write(task);
      entry.got = task.now();
      if (asleep) {
        task.sleep_until(task.now() + hold);
      } else {
        work(task, hold);
      }
      mode == LockMode::read ? semaphore.up_read(task) : semaphore.up_write(task);
      entry.left = task.now();
    });
  }
};
INSTANTIATE_TEST_SUITE_P(, SpinHandoffTest, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

TEST_P(SpinHandoffTest, ASpinningWriterHasItAtTheMomentOfTheRelease) {
  check_in_child([&] {
    SmallMachine world(machine());
    Entry first;
    Entry second;
    add(world, LockMode::write, 1000, 500ns, first);
    const Task& writer = add(world, LockMode::write, 1200, 100ns, second);
    world.run();
    EXPECT_EQ(first.left, at(1000) + 2 * kOperation + 500ns);
    EXPECT_EQ(second.got, first.left);
    EXPECT_EQ(second.left, first.left + 100ns + kOperation);
    EXPECT_EQ(waits_of(writer), (Waits{{by(0, LockMode::write), first.left - at(1200) - kOperation}}));
    EXPECT_EQ(world.spent(writer, Cause::lock_wait), first.left - at(1200) - kOperation);
    EXPECT_EQ(world.spent(writer, Cause::cpu), 2 * kOperation + 100ns);
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.spins, 1U);
    EXPECT_EQ(statistics.handoffs, 0U);
    EXPECT_EQ(statistics.steals, 0U);
    EXPECT_EQ(statistics.spin_time, first.left - at(1200) - kOperation);
    EXPECT_EQ(statistics.write.contended, 1U);
    EXPECT_EQ(statistics.write.wait.max(), statistics.spin_time);
  });
}

TEST_P(SpinHandoffTest, SpinnersStandInLine) {
  check_in_child([&] {
    SmallMachine world(machine());
    std::array<Entry, 4> entries;
    for (std::size_t number = 0; number < entries.size(); ++number) {
      add(world, LockMode::write, 1000 + 20 * static_cast<std::int64_t>(number), 300ns, entries[number]);
    }
    world.run();
    for (std::size_t number = 1; number < entries.size(); ++number) {
      EXPECT_EQ(entries[number].got, entries[number - 1].left);
    }
    EXPECT_EQ(world.mm.mmap_sem.statistics().spins, 3U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().longest_queue, 3U);
  });
}

// The owner sleeps with the semaphore: the waiter does, too, and pays for waking up.
TEST_P(SpinHandoffTest, NobodySpinsOnAnOwnerThatSleeps) {
  check_in_child([&] {
    SmallMachine world(machine());
    Entry second;
    Time released;
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      work(task, 400ns);
      task.sleep_until(at(5000));
      world.mm.mmap_sem.up_write(task);
    });
    released = at(5000) + kLatency + kOperation;
    const Task& writer = add(world, LockMode::write, 1100, 100ns, second);
    world.run();
    EXPECT_EQ(second.got, released + kWake + kLatency);
    EXPECT_EQ(waits_of(writer), (Waits{{by(0, LockMode::write), released - at(1100) - kOperation}}));
    EXPECT_EQ(world.spent(writer, Cause::lock_wait), released - at(1100) - kOperation);
    EXPECT_EQ(world.spent(writer, Cause::wake_up), 2 * kLatency + kWake + kLatency);
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    // It did while the owner ran.
    EXPECT_EQ(statistics.spin_time, at(1000) + kOperation + 400ns - at(1100) - kOperation);
    EXPECT_EQ(statistics.spins, 0U);
    EXPECT_EQ(statistics.handoffs, 1U);
  });
}

// The owner's slice begins at 30, the spinner's at 530; the third wants a CPU from 800 on and gets the owner's at 1030.
// The spinner stops and sleeps, so its own CPU goes to the owner.
TEST_P(SpinHandoffTest, NobodySpinsOnAnOwnerThatHasLostItsCpu) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.cpus = 2;
    spec.scheduler.timeslice = 1000ns;
    SmallMachine world(spec);
    Time released;
    const Task& owner = world.add([&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      work(task, 1400ns);
      world.mm.mmap_sem.up_write(task);
      released = task.now();
    });
    Entry second;
    const Task& writer = add(world, LockMode::write, 530, 0ns, second);
    world.add([&](Task& task) {
      task.sleep_until(at(800));
      EXPECT_EQ(task.now(), at(1030) + kSwitch);
      work(task, 2000ns);
    });
    world.run();
    EXPECT_EQ(world.spent(owner, Cause::run_queue), kSwitch);
    EXPECT_EQ(world.mm.mmap_sem.statistics().spin_time, at(1030) - at(530) - kOperation);
    EXPECT_EQ(released, at(30) + 1400ns + 2 * kOperation + kSwitch + kWake);
    // Both CPUs are busy until the owner ends.
    EXPECT_EQ(second.got, released + kSwitch);
    EXPECT_EQ(waits_of(writer), (Waits{{by(0, LockMode::write), released - kWake - at(530) - kOperation}}));
    EXPECT_EQ(world.kernel.cpus.preemptions(), 1U);
  });
}

// The spinner's slice begins at 30, the owner's at 530; the third wants a CPU from 800 on.
TEST_P(SpinHandoffTest, ASpinnerWhoseTimeSliceEndsSleepsInTheQueue) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.cpus = 2;
    spec.scheduler.timeslice = 1000ns;
    SmallMachine world(spec);
    Entry owner;
    add(world, LockMode::write, 530, 2000ns, owner);
    Time got;
    const Task& writer = world.add([&](Task& task) {
      task.work(670ns);
      world.mm.mmap_sem.down_write(task);
      got = task.now();
      world.mm.mmap_sem.up_write(task);
    });
    world.add([&](Task& task) {
      task.sleep_until(at(800));
      EXPECT_EQ(task.now(), at(1030) + kSwitch);
      work(task, 300ns);
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().spin_time, at(1030) - at(700) - kOperation);
    EXPECT_EQ(owner.left, at(530) + 2000ns + 2 * kOperation + kWake);
    EXPECT_EQ(got, owner.left + kLatency);
    EXPECT_EQ(world.spent(writer, Cause::lock_wait), owner.left - kWake - at(700) - kOperation);
    EXPECT_EQ(world.spent(writer, Cause::run_queue), 0ns);
    EXPECT_EQ(world.kernel.cpus.preemptions(), 0U);
  });
}

// Held by one reader: (20 + 1) / 2 us.
TEST_P(SpinHandoffTest, SpinningOnReadersEndsAtItsLimitAndNobodyBeginsAfterwards) {
  check_in_child([&] {
    SmallMachine world(machine());
    Entry reader;
    Entry second;
    Entry third;
    add(world, LockMode::read, 1000, 50us, reader);
    const Task& spinner = add(world, LockMode::write, 2000, 100ns, second);
    add(world, LockMode::write, 20'000, 100ns, third);
    world.run();
    EXPECT_EQ(reader.left, at(1000) + kOperation + 50us + kOperation + kWake);
    EXPECT_EQ(second.got, reader.left + kLatency);
    EXPECT_EQ(world.mm.mmap_sem.statistics().spin_time, 10'500ns);
    EXPECT_EQ(waits_of(spinner), (Waits{{by(0, LockMode::read), reader.left - kWake - at(2000) - kOperation}}));
    // No spinner is there when the second leaves: the third has to be woken, too.
    EXPECT_EQ(third.got, second.left + kLatency);
    EXPECT_EQ(world.mm.mmap_sem.statistics().spins, 0U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().handoffs, 2U);
  });
}

TEST_P(SpinHandoffTest, AWriterThatSpinsOnAShortReaderHasItAtOnce) {
  check_in_child([&] {
    SmallMachine world(machine());
    Entry reader;
    Entry writer;
    add(world, LockMode::read, 1000, 5us, reader);
    add(world, LockMode::write, 2000, 100ns, writer);
    world.run();
    EXPECT_EQ(writer.got, reader.left);
    EXPECT_EQ(world.mm.mmap_sem.statistics().spins, 1U);
  });
}

// The limit counts from the downgrade.
TEST_P(SpinHandoffTest, ADowngradeTurnsSpinningOnAWriterIntoSpinningOnReaders) {
  check_in_child([&] {
    SmallMachine world(machine());
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      work(task, 20us);
      world.mm.mmap_sem.downgrade_write(task);
      work(task, 30us);
      world.mm.mmap_sem.up_read(task);
    });
    Entry writer;
    add(world, LockMode::write, 2000, 100ns, writer);
    world.run();
    const Time downgraded = at(1000) + kOperation + 20us + kOperation;
    EXPECT_EQ(world.mm.mmap_sem.statistics().spin_time, downgraded + 10'500ns - at(2000) - kOperation);
    EXPECT_EQ(writer.got, downgraded + 30us + kOperation + kWake + kLatency);
  });
}

TEST_P(SpinHandoffTest, QueuedReadersAreGrantedItPastWriters) {
  check_in_child([&] {
    SmallMachine world(machine());
    Entry owner;
    std::array<Entry, 2> readers;
    Entry writer;
    add(world, LockMode::write, 1000, 5us, owner, true);
    const Task& before = add(world, LockMode::read, 2000, 300ns, readers[0]);
    add(world, LockMode::write, 3000, 300ns, writer);
    const Task& behind = add(world, LockMode::read, 4000, 300ns, readers[1]);
    world.run();
    const Time granted = at(1000) + kOperation + 5us + kLatency + kOperation;
    EXPECT_EQ(readers[0].got, granted + kWake + kLatency);
    EXPECT_EQ(readers[1].got, granted + 2 * kWake + kLatency);
    EXPECT_EQ(waits_of(before), (Waits{{by(0, LockMode::write), granted - at(2000) - kOperation}}));
    EXPECT_EQ(waits_of(behind), (Waits{{by(0, LockMode::write), granted - at(4000) - kOperation}}));
    EXPECT_EQ(writer.got, readers[1].left + kLatency);
  });
}

// Between the release and the try nobody holds it: what others wait is on account of the writer that is being woken.
TEST_P(SpinHandoffTest, WhileAWriterIsBeingWokenOthersWaitForIt) {
  check_in_child([&] {
    SmallMachine world(machine());
    Entry owner;
    Entry second;
    Entry third;
    add(world, LockMode::write, 1000, 5us, owner, true);
    const Task& woken = add(world, LockMode::write, 2000, 300ns, second);
    const Task& next = add(world, LockMode::write, 3000, 300ns, third);
    world.run();
    const Time released = at(1000) + kOperation + 5us + kLatency + kOperation;
    EXPECT_EQ(second.got, released + kWake + kLatency);
    EXPECT_EQ(waits_of(woken), (Waits{{by(0, LockMode::write), released - at(2000) - kOperation}}));
    EXPECT_EQ(waits_of(next), (Waits{{by(0, LockMode::write), released - at(3000) - kOperation},
                                     {by(1, LockMode::write), second.left - kWake - released}}));
  });
}

TEST_P(SpinHandoffTest, AReaderStealsItFromAWriterThatIsBeingWoken) {
  check_in_child([&] {
    SmallMachine world(machine());
    Entry owner;
    Entry second;
    Entry thief;
    add(world, LockMode::write, 1000, 5us, owner, true);
    const Task& woken = add(world, LockMode::write, 2000, 300ns, second);
    const Time released = at(1000) + kOperation + 5us + kLatency + kOperation;
    add(world, LockMode::read, (released - at(0)).count() + 5, 700ns, thief);
    world.run();
    const Time tried = released + kWake + kLatency;
    EXPECT_EQ(thief.got, thief.asked + kOperation);
    EXPECT_LT(thief.got, tried);
    EXPECT_EQ(second.got, thief.left + kLatency);
    EXPECT_EQ(waits_of(woken), (Waits{{by(0, LockMode::write), released - at(2000) - kOperation},
                                      {by(2, LockMode::read), thief.left - kWake - tried}}));
    EXPECT_EQ(world.mm.mmap_sem.statistics().steals, 1U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().read.contended, 0U);
  });
}

// One sleeps in the queue; three, of which at least one spins at any time, pass it over for 4 ms. Then it gets its
// turn.
TEST_P(SpinHandoffTest, SpinnersPassAQueuedWriterOverUntilItAsksForTheHandoff) {
  check_in_child([&] {
    constexpr Nanoseconds kHold = 20us;
    SmallMachine world(machine());
    Entry owner;
    Entry queued;
    add(world, LockMode::write, 1000, 10us, owner, true);
    const Task& waiter = add(world, LockMode::write, 2000, 1us, queued);
    for (int spinner = 0; spinner < 3; ++spinner) {
      // When the first owner is back on its CPU and about to leave.
      world.add_at(11'005, [&](Task& task) {
        while (task.now() < at(8'000'000)) {
          world.mm.mmap_sem.down_write(task);
          task.work(kHold);
          world.mm.mmap_sem.up_write(task);
        }
      });
    }
    world.run();
    const Time asked = at(2000) + kOperation;
    EXPECT_GT(queued.got, asked + kRwsemWaitTimeout);
    // One hold until it is woken and fails for the last time, one that it then spins through.
    EXPECT_LT(queued.got, asked + kRwsemWaitTimeout + 2 * (kHold + 2 * kOperation + kWake + kLatency));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.handoffs_set, 1U);
    EXPECT_GT(statistics.steals, 100U);
    Nanoseconds blamed{};
    for (const auto& [blame, time] : waits_of(waiter)) blamed += time;
    EXPECT_EQ(blamed, world.spent(waiter, Cause::lock_wait));
  });
}

TEST_P(SpinHandoffTest, TheFifoFlavourHasNoSpinners) {
  check_in_child([&] {
    SmallMachine world(models::machine(GetParam(), RwsemFlavour::fifo));
    Entry first;
    Entry second;
    add(world, LockMode::write, 1000, 500ns, first);
    add(world, LockMode::write, 1200, 100ns, second);
    world.run();
    EXPECT_EQ(second.got, first.left + kLatency);
    EXPECT_EQ(world.mm.mmap_sem.statistics().spin_time, 0ns);
  });
}

TEST_P(SpinHandoffTest, IsContendedWhenSomebodyQueuesAndNotWhenSomebodySpins) {
  check_in_child([&] {
    SmallMachine world(machine());
    Entry spinner;
    Entry reader;
    world.add_at(1000, [&](Task& task) {
      Rwsem& semaphore = world.mm.mmap_sem;
      semaphore.down_write(task);
      work(task, 500ns);
      task.settle();
      EXPECT_FALSE(semaphore.is_contended());
      work(task, 500ns);
      task.settle();
      EXPECT_TRUE(semaphore.is_contended());
      semaphore.up_write(task);
    });
    add(world, LockMode::write, 1200, 10ns, spinner);
    add(world, LockMode::read, 1800, 10ns, reader);
    world.run();
    EXPECT_FALSE(world.mm.mmap_sem.is_contended());
    EXPECT_LT(spinner.got, reader.got);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Random histories on contended CPUs

// Sections of one task, with all that can happen in them; what it saw goes to `log`.
class RandomSections {
 public:
  RandomSections(SmallMachine& world, std::uint64_t seed, int number, Nanoseconds unit, std::string& log)
      : world_(world), chance_(seed, "task", std::to_string(number)), number_(number), unit_(unit), log_(log) {}

  void operator()(Task& task) {
    Rwsem& semaphore = world_.mm.mmap_sem;
    task.ledger().remember();
    for (int round = 0; round < 40; ++round) {
      task.sleep_until(task.settle() + up_to(600));
      const auto kind = chance_() % 6;
      ask(task, kind < 3 ? LockMode::read : LockMode::write);
      hold(task);
      if (kind < 3) {
        semaphore.up_read(task);
      } else if (kind < 5) {
        semaphore.up_write(task);
      } else {
        semaphore.downgrade_write(task);
        hold(task);
        semaphore.up_read(task);
      }
    }
  }

 private:
  Nanoseconds up_to(std::uint64_t most) { return unit_ * static_cast<std::int64_t>(chance_() % most); }

  void ask(Task& task, LockMode mode) {
    const Time asked = task.settle();
    const Nanoseconds before = world_.spent(task, Cause::lock_wait);
    task.ledger().forget_before(asked);
    mode == LockMode::read ? world_.mm.mmap_sem.down_read(task) : world_.mm.mmap_sem.down_write(task);
    EXPECT_TRUE(world_.mm.mmap_sem.held_by(task, mode));
    Nanoseconds blamed{};
    Time last = asked;
    for (const LockWait& wait : task.ledger().lock_waits()) {
      EXPECT_LE(last, wait.from);
      EXPECT_LT(wait.from, wait.to);
      EXPECT_NE(wait.blame.holder, task.class_id());
      EXPECT_GE(wait.blame.holder, 0);
      last = wait.to;
      blamed += wait.to - wait.from;
    }
    EXPECT_EQ(blamed, world_.spent(task, Cause::lock_wait) - before);
    const TimeByCause spent = task.ledger().read(task.now());
    EXPECT_EQ(std::accumulate(spent.begin(), spent.end(), 0ns), task.now() - at(0));
    log_ += std::to_string((task.now() - at(0)).count()) + " " + std::to_string(number_) + " " +
            std::to_string(blamed.count()) + "\n";
  }

  void hold(Task& task) {
    task.enter(chance_() % 2 == 0 ? Phase::mlock : Phase::mlock_populate);
    for (auto steps = chance_() % 6; steps > 0; --steps) task.work(up_to(100));
    if (chance_() % 5 == 0) task.sleep_until(task.settle() + up_to(400));
  }

  SmallMachine& world_;
  sim::Stream chance_;
  int number_;
  Nanoseconds unit_;
  std::string& log_;
};

std::string random_history(std::uint64_t seed, bool stepwise) {
  sim::Stream chance(seed, "test", "rwsem");
  SmallMachineSpec spec = machine(stepwise);
  spec.cpus = 1 + static_cast<int>(chance() % 6);
  // With the longer unit, waits come near the limit of spinning on readers, or the timeout.
  const Nanoseconds unit = std::array{1ns, 100ns, 5000ns}[chance() % 3];
  spec.scheduler.timeslice = unit * (200 + static_cast<std::int64_t>(chance() % 2000));
  if (chance() % 4 == 0) spec.scheduler.wake_up_latency = 0ns;
  if (chance() % 4 == 0) spec.costs.rwsem_wake = 0ns;
  if (chance() % 4 == 0) spec.costs.rwsem_operation = 0ns;
  SmallMachine world(spec);
  std::string log;
  constexpr int kTasks = 6;
  for (int number = 0; number < kTasks; ++number) world.add(RandomSections(world, seed, number, unit, log));
  world.run();
  const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
  EXPECT_EQ(statistics.read.acquisitions + statistics.write.acquisitions, std::uint64_t{kTasks * 40});
  EXPECT_EQ(statistics.read.contended + statistics.write.contended, statistics.handoffs + statistics.spins);
  EXPECT_EQ(statistics.read.wait.count(), statistics.read.contended);
  EXPECT_EQ(statistics.write.wait.count(), statistics.write.contended);
  EXPECT_FALSE(world.mm.mmap_sem.is_contended());
  Nanoseconds on_cpu = statistics.spin_time;
  for (const Task& task : world.tasks) on_cpu += world.spent(task, Cause::cpu);
  EXPECT_LE(on_cpu, (world.now() - at(0)) * spec.cpus);
  return log + std::to_string(statistics.steals) + " steals, " + std::to_string(statistics.spins) + " spins, " +
         std::to_string(statistics.handoffs_set) + " handoffs, " + std::to_string(statistics.spin_time.count()) +
         " ns, " + std::to_string(world.kernel.cpus.preemptions()) + " preemptions, " +
         std::to_string(world.engine.events()) + " events\n";
}

TEST(SpinHandoffHistories, AreTheSameStepwiseAndByDefaultAndEveryWaitHasSomebodyToBlame) {
  bool stolen = false;
  bool spun = false;
  bool handed_off = false;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::string by_default = tests::in_child([&] { return random_history(seed, false); });
    const std::string stepwise = tests::in_child([&] { return random_history(seed, true); });
    ASSERT_EQ(by_default.find("child failed"), std::string::npos) << "seed " << seed << "\n" << by_default;
    ASSERT_EQ(by_default, stepwise) << "seed " << seed;
    stolen = stolen || by_default.find("\n0 steals") == std::string::npos;
    handed_off = handed_off || by_default.find(", 0 handoffs") == std::string::npos;
    spun = spun || by_default.find(", 0 spins") == std::string::npos;
  }
  EXPECT_TRUE(stolen);
  EXPECT_TRUE(spun);
  EXPECT_TRUE(handed_off);
}

}  // namespace
}  // namespace models
