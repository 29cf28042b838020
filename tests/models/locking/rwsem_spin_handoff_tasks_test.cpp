// The semaphore of 6.1 as tasks on CPUs take it: who spins, sleeps, steals and is woken, for how long, and on whose
// account. tests/models/locking/rwsem_spin_handoff_test.cpp has its rules.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "models/locking/rwsem.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/rwsem_machine.h"
#include "tests/support/small_machine.h"

namespace models::rwsem_spin_handoff_tasks_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using sim::Time;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;
using tests::work_in_steps;

using tests::kLatency;
using tests::kOperation;
using tests::kSwitch;
using tests::kWake;

SmallMachineSpec machine(bool stepwise) { return tests::rwsem_machine(RwsemFlavour::spin_handoff, stepwise); }

using tests::Waits;
using tests::waits_of;

LockBlame by(ClassId holder, LockMode mode) { return {holder, Phase::user, mode, -1}; }

// What became of one critical section.
struct Entry {
  Time asked{};
  Time got{};
  Time left{};
};

class SpinHandoffTest : public testing::TestWithParam<bool> {
 protected:
  static SmallMachineSpec machine() { return rwsem_spin_handoff_tasks_test::machine(GetParam()); }

  // Asks at `when` and holds it over `hold` of work.
  static Task& add(SmallMachine& world, LockMode mode, std::int64_t when, Nanoseconds hold, Entry& entry) {
    return world.add_at(when, [&world, &entry, mode, hold](Task& task) {
      Rwsem& semaphore = world.mm.mmap_sem;
      task.ledger().remember();
      entry.asked = task.now();
      mode == LockMode::read ? semaphore.down_read(task) : semaphore.down_write(task);
      entry.got = task.now();
      work_in_steps(task, hold);
      mode == LockMode::read ? semaphore.up_read(task) : semaphore.up_write(task);
      entry.left = task.now();
    });
  }

  // Asks for write at 1000 and sleeps over `hold` with it; returns the time of its release.
  static Time add_sleeping_owner(SmallMachine& world, Nanoseconds hold) {
    world.add_at(1000, [&world, hold](Task& task) {
      world.mm.mmap_sem.down_write(task);
      task.sleep_until(task.now() + hold);
      world.mm.mmap_sem.up_write(task);
    });
    return at(1000) + kOperation + hold + kLatency + kOperation;
  }

  // For two tasks with a CPU each, and a third.
  static SmallMachineSpec two_cpus() {
    SmallMachineSpec spec = machine();
    spec.cpus = 2;
    spec.scheduler.tick = 1030ns;
    return spec;
  }
  // Wants the CPU of that number, and gets it at the tick.
  static void add_third(SmallMachine& world, int cpu, Nanoseconds duration) {
    const auto body = [duration](Task& task) {
      EXPECT_EQ(task.now(), at(1030) + kSwitch);
      work_in_steps(task, duration);
    };
    world.add(body, {0, {cpu}, -1});
  }
};
INSTANTIATE_TEST_SUITE_P(, SpinHandoffTest, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

// mlock gives write mode up and takes read mode a moment later; pieces of a munlock are system calls apart.
TEST_P(SpinHandoffTest, WhoGivesItUpMayHaveItAgainBeforeASpinnerHasSeenThat) {
  constexpr Nanoseconds kLine{20};
  for (const Nanoseconds pause : {0ns, kLine + 10ns}) {
    check_in_child([&] {
      SmallMachineSpec spec = machine();
      spec.costs.cache_line = kLine;
      SmallMachine world(spec);
      Rwsem& semaphore = world.mm.mmap_sem;
      Time given_up{};
      Time left{};
      world.add_at(1000, [&](Task& task) {
        semaphore.down_write(task);
        task.work(500ns);
        semaphore.up_write(task);
        given_up = task.now();
        task.work(pause);
        semaphore.down_read(task);
        task.work(300ns);
        semaphore.up_read(task);
        left = task.now();
      });
      Entry writer;
      add(world, LockMode::write, 1200, 100ns, writer);
      world.run();
      if (pause == 0ns) {
        EXPECT_EQ(writer.got, left + kLine);
      } else {
        EXPECT_EQ(writer.got, given_up + kLine);
      }
    });
  }
}

// The second release finds the writer awake, on its way to try: four operations, in which nobody holds it.
TEST_P(SpinHandoffTest, AReleaserLooksForWaitersBeforeItGoesOn) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.cpus = 2;
    SmallMachine world(spec);
    Rwsem& semaphore = world.mm.mmap_sem;
    std::array<Time, 2> before{};
    std::array<Time, 2> after{};
    world.add_at(1000, [&](Task& task) {
      for (const std::size_t round : {0U, 1U}) {
        semaphore.down_read(task);
        // The writer spins on a reader for 10.5 us, and then queues.
        task.work(round == 0 ? 20us : 5ns);
        task.settle();
        before.at(round) = task.now();
        semaphore.up_read(task);
        after.at(round) = task.now();
      }
    });
    Entry writer;
    add(world, LockMode::write, 1200, 100ns, writer);
    world.run();
    EXPECT_EQ(after[0] - before[0], kOperation + kWake);
    EXPECT_EQ(after[1] - before[1], kOperation + 4 * kOperation);
  });
}

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
    EXPECT_EQ(statistics.all(LockMode::write).contended(), 1U);
    EXPECT_EQ(statistics.all(LockMode::write).wait.max(), statistics.spin_time);
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
    world.add_at(1000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      work_in_steps(task, 400ns);
      task.sleep_until(at(5000));
      world.mm.mmap_sem.up_write(task);
    });
    const Time released = at(5000) + kLatency + kOperation;
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

// The third gets the owner's CPU at 1030.
// The spinner stops and sleeps, so its own CPU goes to the owner.
TEST_P(SpinHandoffTest, NobodySpinsOnAnOwnerThatHasLostItsCpu) {
  check_in_child([&] {
    SmallMachine world(two_cpus());
    Time released;
    const Task& owner = world.add([&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      work_in_steps(task, 1400ns);
      world.mm.mmap_sem.up_write(task);
      released = task.now();
    });
    Entry second;
    const Task& writer = add(world, LockMode::write, 530, 0ns, second);
    add_third(world, 0, 2000ns);
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

// The third wants the spinner's CPU.
TEST_P(SpinHandoffTest, ASpinnerThatShouldGiveWaySleepsInTheQueue) {
  check_in_child([&] {
    SmallMachine world(two_cpus());
    Entry owner;
    add(world, LockMode::write, 530, 2000ns, owner);
    Time got;
    const Task& writer = world.add([&](Task& task) {
      task.work(670ns);
      world.mm.mmap_sem.down_write(task);
      got = task.now();
      world.mm.mmap_sem.up_write(task);
    });
    add_third(world, 1, 300ns);
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
      work_in_steps(task, 20us);
      world.mm.mmap_sem.downgrade_write(task);
      work_in_steps(task, 30us);
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
    std::array<Entry, 2> readers;
    Entry writer;
    const Time granted = add_sleeping_owner(world, 5us);
    const Task& before = add(world, LockMode::read, 2000, 300ns, readers[0]);
    add(world, LockMode::write, 3000, 300ns, writer);
    const Task& behind = add(world, LockMode::read, 4000, 300ns, readers[1]);
    world.run();
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
    Entry second;
    Entry third;
    const Time released = add_sleeping_owner(world, 5us);
    const Task& woken = add(world, LockMode::write, 2000, 300ns, second);
    const Task& next = add(world, LockMode::write, 3000, 300ns, third);
    world.run();
    EXPECT_EQ(second.got, released + kWake + kLatency);
    EXPECT_EQ(waits_of(woken), (Waits{{by(0, LockMode::write), released - at(2000) - kOperation}}));
    EXPECT_EQ(waits_of(next), (Waits{{by(0, LockMode::write), released - at(3000) - kOperation},
                                     {by(1, LockMode::write), second.left - kWake - released}}));
  });
}

TEST_P(SpinHandoffTest, AReaderStealsItFromAWriterThatIsBeingWoken) {
  check_in_child([&] {
    SmallMachine world(machine());
    Entry second;
    Entry thief;
    const Time released = add_sleeping_owner(world, 5us);
    const Task& woken = add(world, LockMode::write, 2000, 300ns, second);
    add(world, LockMode::read, (released - at(0)).count() + 5, 700ns, thief);
    world.run();
    const Time tried = released + kWake + kLatency;
    EXPECT_EQ(thief.got, thief.asked + kOperation);
    EXPECT_LT(thief.got, tried);
    EXPECT_EQ(second.got, thief.left + kLatency);
    EXPECT_EQ(waits_of(woken), (Waits{{by(0, LockMode::write), released - at(2000) - kOperation},
                                      {by(2, LockMode::read), thief.left - kWake - tried}}));
    EXPECT_EQ(world.mm.mmap_sem.statistics().steals, 1U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).contended(), 0U);
  });
}

// One sleeps in the queue; three, of which at least one spins at any time, pass it over for 4 ms. Then it gets its
// turn.
TEST_P(SpinHandoffTest, SpinnersPassAQueuedWriterOverUntilItAsksForTheHandoff) {
  check_in_child([&] {
    constexpr Nanoseconds kHold = 20us;
    SmallMachine world(machine());
    Entry queued;
    add_sleeping_owner(world, 10us);
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
    const Time timeout = RwsemTimeout(world.spec.scheduler.tick).end(at(2000) + kOperation);
    EXPECT_EQ(timeout, at(5'000'000));
    EXPECT_GT(queued.got, timeout);
    // One hold until it is woken and fails for the last time, one that it then spins through.
    EXPECT_LT(queued.got, timeout + 2 * (kHold + 2 * kOperation + kWake + kLatency));
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
    SmallMachineSpec spec = machine();
    spec.policy.rwsem = RwsemFlavour::fifo;
    SmallMachine world(spec);
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
      work_in_steps(task, 500ns);
      task.settle();
      EXPECT_FALSE(semaphore.is_contended());
      work_in_steps(task, 500ns);
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

}  // namespace
}  // namespace models::rwsem_spin_handoff_tasks_test
