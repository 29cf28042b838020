#include "models/locking/rwsem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "sim/random.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/small_machine.h"

namespace models::rwsem_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using sim::Time;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 3ns;
constexpr Nanoseconds kWake = 11ns;
constexpr Nanoseconds kLatency = 30ns;

SmallMachineSpec machine(bool stepwise) {
  SmallMachineSpec spec;
  spec.scheduler.wake_up_latency = kLatency;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.rwsem_wake = kWake;
  spec.stepwise = stepwise;
  return spec;
}

using tests::Waits;
using tests::waits_of;

// Works `steps` x 10 ns.
void work_steps(Task& task, int steps) {
  for (; steps > 0; --steps) task.work(10ns);
}

class RwsemTest : public testing::TestWithParam<bool> {
 protected:
  // A task that holds the semaphore for write from `from` (when it asks) over 10 ns x steps of work.
  static Task& add_writer(SmallMachine& world, std::int64_t from, int steps) {
    return world.add_at(from, [&world, steps](Task& task) {
      task.ledger().remember();
      world.mm.mmap_sem.down_write(task);
      work_steps(task, steps);
      world.mm.mmap_sem.up_write(task);
    });
  }
  static Task& add_reader(SmallMachine& world, std::int64_t from, int steps) {
    return world.add_at(from, [&world, steps](Task& task) {
      task.ledger().remember();
      world.mm.mmap_sem.down_read(task);
      work_steps(task, steps);
      world.mm.mmap_sem.up_read(task);
    });
  }
};
INSTANTIATE_TEST_SUITE_P(, RwsemTest, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

// The holder works, waits for a device, is woken, and works again; meanwhile somebody waits for it.
TEST_P(RwsemTest, AWaitSaysWhatTheHolderDidMeanwhile) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      task.work(500ns);
      task.sleep_until(at(5000), Cause::device_io);
      task.charge_work_to(Cause::direct_reclaim);
      task.work(200ns);
      task.charge_work_to(Cause::cpu);
      world.mm.mmap_sem.up_write(task);
    });
    Task& waiter = add_reader(world, 1100, 1);
    world.run();
    const auto while_in = [](Cause doing) { return LockBlame{0, Phase::user, LockMode::write, -1, doing}; };
    const Nanoseconds until_it_sleeps = at(1000) + kOperation + 500ns - (at(1100) + kOperation);
    const Nanoseconds asleep = at(5000) - (at(1000) + kOperation + 500ns);
    EXPECT_EQ(tests::waits_by_blame(waiter), (Waits{{while_in(Cause::cpu), until_it_sleeps + kOperation},
                                                    {while_in(Cause::device_io), asleep},
                                                    {while_in(Cause::wake_up), kLatency},
                                                    {while_in(Cause::direct_reclaim), 200ns}}));
  });
}

// Until then is the time that a lock's queue has; what mmap_lock_acquire_returned and lock_stat see comes later.
TEST_P(RwsemTest, AWaitEndsWhenItsTaskRuns) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    add_writer(world, 1000, 100);
    add_reader(world, 1100, 1);
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    const Nanoseconds until_granted = (at(1000) + kOperation + 1000ns + kOperation) - (at(1100) + kOperation);
    EXPECT_EQ(statistics.total_wait, until_granted);
    EXPECT_EQ(statistics.all(LockMode::read).wait.max(), until_granted + kWake + kLatency);
  });
}

TEST_P(RwsemTest, ATrylockFailsWhereAWriterHoldsOrSomebodyQueues) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    add_reader(world, 1000, 100);
    add_writer(world, 1500, 100);
    const auto try_at = [&](std::int64_t when, bool expected) {
      world.add_at(when, [&world, expected](Task& task) {
        const bool got = world.mm.mmap_sem.down_read_trylock(task);
        EXPECT_EQ(got, expected) << "at " << task.now().time_since_epoch().count();
        if (got) world.mm.mmap_sem.up_read(task);
      });
    };
    try_at(1200, true);   // beside the reader
    try_at(1700, false);  // the writer queues
    try_at(2500, false);  // and holds
    try_at(9000, true);
    world.run();
  });
}

TEST_P(RwsemTest, TellsWhoWaitsForWhom) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    add_reader(world, 1000, 100);
    add_reader(world, 1000, 200);
    add_writer(world, 1500, 100);
    add_reader(world, 1600, 100);
    std::vector<std::string> told;
    for (const std::int64_t when : {1200, 1700, 2500, 9000}) {
      world.add_at(when, [&](Task& /*task*/) { told.push_back(world.mm.mmap_sem.waits()); });
    }
    world.run();
    const std::string beside =
        "task.2 waits for mmap_sem, which task.0 and task.1 hold\n"
        "task.3 waits for mmap_sem, which task.0 and task.1 hold\n";
    const std::string alone =
        "task.2 waits for mmap_sem, which task.1 holds\n"
        "task.3 waits for mmap_sem, which task.1 holds\n";
    EXPECT_THAT(told, testing::ElementsAre("", beside, alone, ""));
  });
}

TEST_P(RwsemTest, AFreeSemaphoreCostsOneOperationEachWay) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.now(), at(1000) + kOperation);
      EXPECT_TRUE(world.mm.mmap_sem.held_by(task, LockMode::write));
      EXPECT_FALSE(world.mm.mmap_sem.held_by(task, LockMode::read));
      world.mm.mmap_sem.downgrade_write(task);
      EXPECT_EQ(task.now(), at(1000) + 2 * kOperation);
      EXPECT_TRUE(world.mm.mmap_sem.held_by(task, LockMode::read));
      EXPECT_FALSE(world.mm.mmap_sem.held_by(task, LockMode::write));
      world.mm.mmap_sem.up_read(task);
      EXPECT_EQ(task.now(), at(1000) + 3 * kOperation);
      EXPECT_FALSE(world.mm.mmap_sem.held_by(task, LockMode::read));
    });
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).acquisitions, 1U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::write).contended(), 0U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().total_wait, 0ns);
  });
}

// The write hold lasts from 1000 + one operation until its work and the releasing operation are done. A reader that
// asks at age a queues after its own operation, waits for the rest, is woken as the k-th and then has a CPU to wake up.
TEST_P(RwsemTest, AReaderThatComesAtAgeAOfAWriteHoldWaitsForTheRestOfIt) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    constexpr int kSteps = 500;
    const Time taken = at(1000) + kOperation;
    const Nanoseconds hold = kSteps * 10ns + kOperation;
    add_writer(world, 1000, kSteps);
    std::int64_t place = 0;
    for (const std::int64_t arrival : {1100, 1101, 2500, 5900}) {
      ++place;
      world.add_at(arrival, [&world, arrival, taken, hold, place](Task& task) {
        world.mm.mmap_sem.down_read(task);
        const Nanoseconds age = at(arrival) + kOperation - taken;
        EXPECT_EQ(world.spent(task, Cause::lock_wait), hold - age);
        EXPECT_EQ(task.now(), taken + hold + place * kWake + kLatency);
        EXPECT_EQ(world.spent(task, Cause::wake_up), 2 * kLatency + place * kWake + kLatency);
        world.mm.mmap_sem.up_read(task);
      });
    }
    world.run();
    EXPECT_EQ(world.mm.mmap_sem.statistics().handoffs, 4U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().longest_queue, 4U);
  });
}

TEST_P(RwsemTest, TheWakerPaysForEveryWakeUp) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    const Task& writer = add_writer(world, 1000, 100);
    for (int reader = 0; reader < 5; ++reader) add_reader(world, 1200, 1);
    world.run();
    EXPECT_EQ(world.spent(writer, Cause::cpu) - 2 * kOperation - 1000ns, 5 * kWake);
  });
}

TEST_P(RwsemTest, ADowngradeLetsTheWaitingReadersInAndKeepsTheHold) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    const Time downgraded = at(1000) + kOperation + 1000ns + kOperation;
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      work_steps(task, 100);
      world.mm.mmap_sem.downgrade_write(task);
      EXPECT_EQ(task.now(), downgraded + kWake);
      work_steps(task, 1000);
      world.mm.mmap_sem.up_read(task);
    });
    const Task& early = world.add_at(1500, [&](Task& task) {
      world.mm.mmap_sem.down_read(task);
      EXPECT_EQ(task.now(), downgraded + kWake + kLatency);
      world.mm.mmap_sem.up_read(task);
    });
    const Task& late = add_reader(world, 4000, 1);
    world.run();
    EXPECT_EQ(world.spent(early, Cause::lock_wait), downgraded - (at(1500) + kOperation));
    EXPECT_EQ(world.spent(late, Cause::lock_wait), 0ns);
    const auto& hold = world.mm.mmap_sem.statistics().hold;
    EXPECT_EQ(hold.at({0, Phase::user, LockMode::write}).max(), 1000ns + kOperation);
    EXPECT_EQ(hold.at({0, Phase::user, LockMode::read}).max(), kWake + 10'000ns + kOperation);
  });
}

TEST_P(RwsemTest, AWaitIsChargedToTheHolderAndToEachOfItsPhases) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    world.add_at(1000, [&](Task& task) {
      task.enter(Phase::munlock);
      world.mm.mmap_sem.down_write(task);
      work_steps(task, 50);
      task.enter(Phase::munlock_walk);
      work_steps(task, 70);
      task.enter(Phase::munlock);
      work_steps(task, 20);
      world.mm.mmap_sem.up_write(task);
    });
    const Task& reader = add_reader(world, 1100, 1);
    world.run();
    const Time queued = at(1100) + kOperation;
    const Time walk = at(1000) + kOperation + 500ns;
    EXPECT_EQ(waits_of(reader), (Waits{{{0, Phase::munlock, LockMode::write, -1}, walk - queued + 200ns + kOperation},
                                       {{0, Phase::munlock_walk, LockMode::write, -1}, 700ns}}));
  });
}

TEST_P(RwsemTest, AReaderBehindAQueuedWriterIsInAConvoyOfThatWriter) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    add_reader(world, 1000, 1000);
    const Task& writer = add_writer(world, 2000, 30);
    const Task& reader = add_reader(world, 3000, 1);
    const Task& last = add_reader(world, 4000, 1);
    world.run();
    const Time granted = at(1000) + kOperation + 10'000ns + kOperation;
    // The writer holds it from the grant on, while it is still being woken.
    const Time passed_on = granted + kWake + kLatency + 300ns + kOperation;
    EXPECT_EQ(waits_of(writer), (Waits{{{0, Phase::user, LockMode::read, -1}, granted - at(2000) - kOperation}}));
    EXPECT_EQ(waits_of(reader), (Waits{{{0, Phase::user, LockMode::read, 1}, granted - at(3000) - kOperation},
                                       {{1, Phase::user, LockMode::write, -1}, passed_on - granted}}));
    EXPECT_EQ(waits_of(last), (Waits{{{0, Phase::user, LockMode::read, 1}, granted - at(4000) - kOperation},
                                     {{1, Phase::user, LockMode::write, -1}, passed_on - granted}}));
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.convoys, 1U);
    EXPECT_EQ(statistics.convoy_waits, 2U);
    EXPECT_EQ(statistics.convoy_lengths.max(), granted - at(3000) - kOperation);
    EXPECT_EQ(statistics.largest_convoy, 2U);
    EXPECT_EQ(statistics.writer_bypasses, 0U);
  });
}

TEST_P(RwsemTest, AConvoyEndsWithItsWriter) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    for (const std::int64_t begin : {1000, 50'000}) {
      add_reader(world, begin, 1000);
      add_writer(world, begin + 1000, 30);
      add_reader(world, begin + 2000, 1);
    }
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    EXPECT_EQ(statistics.convoys, 2U);
    EXPECT_EQ(statistics.convoy_lengths.count(), 2U);
    EXPECT_EQ(statistics.convoy_lengths.min(), statistics.convoy_lengths.max());
    EXPECT_EQ(statistics.largest_convoy, 1U);
  });
}

TEST_P(RwsemTest, AmongSeveralReadersTheLongestHoldIsToBlame) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    add_reader(world, 1000, 300);  // until 4006
    add_reader(world, 2000, 500);  // until 7006
    const Task& writer = add_writer(world, 3000, 1);
    world.run();
    const Time first_leaves = at(1000) + 2 * kOperation + 3000ns;
    const Time second_leaves = at(2000) + 2 * kOperation + 5000ns;
    EXPECT_EQ(waits_of(writer), (Waits{{{0, Phase::user, LockMode::read, -1}, first_leaves - at(3000) - kOperation},
                                       {{1, Phase::user, LockMode::read, -1}, second_leaves - first_leaves}}));
  });
}

TEST_P(RwsemTest, OwnershipPassesWhenItIsGrantedNotWhenTheWokenRuns) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    add_writer(world, 1000, 100);
    const Task& second = add_writer(world, 1500, 10);
    const Time granted = at(1000) + 2 * kOperation + 1000ns;
    // Asks while the second writer has been granted it and still wakes up.
    const Time asks = granted + kWake + 2ns - kOperation;
    const Task& late = add_reader(world, (asks - at(0)).count(), 1);
    world.run();
    EXPECT_EQ(world.spent(second, Cause::lock_wait), granted - at(1500) - kOperation);
    EXPECT_EQ(waits_of(late), (Waits{{{1, Phase::user, LockMode::write, -1}, kLatency - 2ns + 100ns + kOperation}}));
    // Its hold counts from the grant.
    EXPECT_EQ(world.mm.mmap_sem.statistics().hold.at({1, Phase::user, LockMode::write}).max(),
              kWake + kLatency + 100ns + kOperation);
  });
}

TEST_P(RwsemTest, HoldsAreCountedByHolderCallAndMode) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    world.add_at(1000, [&](Task& task) {
      for (int round = 0; round < 3; ++round) {
        task.enter(Phase::mlock);
        world.mm.mmap_sem.down_write(task);
        work_steps(task, 5);
        task.enter(Phase::mlock_populate);
        work_steps(task, 5);
        world.mm.mmap_sem.up_write(task);
      }
      world.mm.mmap_sem.down_read(task);
      world.mm.mmap_sem.up_read(task);
    });
    world.run();
    const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
    const sim::Histogram& holds = statistics.hold.at({0, Phase::mlock, LockMode::write});
    EXPECT_EQ(holds.count(), 3U);
    EXPECT_EQ(holds.min(), 100ns + kOperation);
    EXPECT_EQ(holds.max(), 100ns + kOperation);
    EXPECT_EQ(statistics.all(LockMode::write).acquisitions, 3U);
    EXPECT_EQ(statistics.all(LockMode::read).acquisitions, 1U);
  });
}

// ---------------------------------------------------------------------------------------------------------------

// Tasks at random, with fewer CPUs than they would like: every wait is accounted for.
void check_random_waits(std::uint64_t seed) {
  sim::Stream chance(seed, "test", "rwsem");
  const auto up_to = [](sim::Stream& stream, std::uint64_t most) { return static_cast<std::int64_t>(stream() % most); };
  SmallMachineSpec spec = machine(false);
  spec.cpus = 2 + static_cast<int>(chance() % 5);
  spec.scheduler.tick = 700ns;
  spec.scheduler.context_switch = 5ns;
  SmallMachine world(spec);
  constexpr int kTasks = 6;
  for (int number = 0; number < kTasks; ++number) {
    world.add([&world, &up_to, seed, number](Task& task) {
      sim::Stream own(seed, "task", std::to_string(number));
      task.ledger().remember();
      for (int round = 0; round < 40; ++round) {
        task.sleep_until(task.settle() + Nanoseconds{up_to(own, 500)});
        const LockMode mode = own() % 3 == 0 ? LockMode::write : LockMode::read;
        const Time asked = task.now();
        const Nanoseconds before = world.spent(task, Cause::lock_wait);
        task.ledger().forget_before(asked);
        if (mode == LockMode::read) {
          world.mm.mmap_sem.down_read(task);
        } else {
          world.mm.mmap_sem.down_write(task);
        }
        const Nanoseconds waited = world.spent(task, Cause::lock_wait) - before;
        Nanoseconds blamed{};
        Time last = asked;
        for (const LockWait& wait : tests::lock_waits(task.ledger())) {
          EXPECT_LT(wait.from, wait.to);
          EXPECT_TRUE(last == asked || wait.from == last);  // without a gap
          EXPECT_NE(wait.blame.holder, task.class_id());
          EXPECT_GE(wait.blame.holder, 0);
          // Only a reader is kept out by readers because of a writer, and then there always is one.
          EXPECT_EQ(wait.blame.convoy >= 0, mode == LockMode::read && wait.blame.mode == LockMode::read);
          last = wait.to;
          blamed += wait.to - wait.from;
        }
        EXPECT_EQ(blamed, waited);
        task.work(Nanoseconds{up_to(own, 300)});
        task.enter(own() % 2 == 0 ? Phase::mlock : Phase::mlock_populate);
        task.work(Nanoseconds{up_to(own, 300)});
        if (mode == LockMode::read) {
          world.mm.mmap_sem.up_read(task);
        } else {
          world.mm.mmap_sem.up_write(task);
        }
      }
    });
  }
  world.run();
  const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
  Nanoseconds waited{};
  for (const Task& task : world.tasks) waited += world.spent(task, Cause::lock_wait);
  EXPECT_EQ(statistics.total_wait, waited);
  EXPECT_EQ(statistics.all(LockMode::read).acquisitions + statistics.all(LockMode::write).acquisitions,
            std::uint64_t{kTasks * 40});
  EXPECT_EQ(statistics.all(LockMode::read).contended() + statistics.all(LockMode::write).contended(),
            statistics.handoffs);
  EXPECT_EQ(statistics.all(LockMode::read).wait.count(), statistics.all(LockMode::read).contended());
  EXPECT_EQ(statistics.all(LockMode::write).wait.count(), statistics.all(LockMode::write).contended());
  EXPECT_GT(statistics.handoffs, 0U);
  std::uint64_t holds = 0;
  for (const auto& [key, histogram] : statistics.hold) holds += histogram.count();
  EXPECT_EQ(holds, std::uint64_t{kTasks * 40});
}

TEST(RwsemHistories, EveryNanosecondOfWaitingHasSomebodyToBlame) {
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    check_in_child([&] { check_random_waits(seed); });
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace models::rwsem_test
