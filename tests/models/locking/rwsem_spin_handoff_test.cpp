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
#include "tests/models/locking/rwsem_exploration.h"

namespace models::rwsem_spin_handoff_test {
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

using tests::kEarly;
using tests::kLate;
using tests::kSections;
using tests::Section;
using tests::Stage;

constexpr Time kInTime = kLate - 1ns;

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

using SpinHandoffExploration = tests::Exploration<SpinHandoffRwsem<std::size_t>, false>;

TEST(SpinHandoffRulesInAllHistories, FewerTasksKeepTheRules) {
  tests::explore_fewer_tasks<SpinHandoffExploration>(true, true);
}

TEST(SpinHandoffRulesInAllHistories, FourTasksWithThreeSectionsKeepTheRules) {
  const SpinHandoffExploration exploration({4, 3, true, true});
  RecordProperty("situations", std::to_string(exploration.situations()));
  EXPECT_GT(exploration.situations(), 100'000U);
  EXPECT_GT(exploration.handoffs(), 0U);
  EXPECT_GT(exploration.steals(), 0U);
  EXPECT_GT(exploration.write_spins(), 0U);
}

TEST(SpinHandoffRulesInAllHistories, WithoutSpinningNobodyGetsItBySpinning) {
  const SpinHandoffExploration exploration({4, 3, false, true});
  EXPECT_GT(exploration.handoffs(), 0U);
  EXPECT_GT(exploration.steals(), 0U);
  EXPECT_EQ(exploration.write_spins(), 0U);
}

TEST(SpinHandoffRulesInAllHistories, BeforeTheTimeoutNobodyAsksForAHandoff) {
  EXPECT_EQ(SpinHandoffExploration({4, 3, true, false}).handoffs(), 0U);
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
}  // namespace models::rwsem_spin_handoff_test
