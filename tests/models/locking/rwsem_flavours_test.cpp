// The semaphore as tasks on CPUs take it, under the rules of each kernel: what one flavour does and its neighbour does
// not, how long a wait can be, and random histories under all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "models/locking/rwsem.h"
#include "sim/random.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/random_scheduler.h"
#include "tests/support/rwsem_machine.h"
#include "tests/support/small_machine.h"

namespace models::rwsem_flavours_test {
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

void take(Task& task, Rwsem& semaphore, LockMode mode, Nanoseconds hold) {
  mode == LockMode::read ? semaphore.down_read(task) : semaphore.down_write(task);
  work_in_steps(task, hold);
  mode == LockMode::read ? semaphore.up_read(task) : semaphore.up_write(task);
}

// Asks at `when`, holds it for `hold`; `got`: when it has it.
void add(SmallMachine& world, LockMode mode, std::int64_t when, Nanoseconds hold, Time& got) {
  world.add_at(when, [&world, &got, mode, hold](Task& task) {
    Rwsem& semaphore = world.mm.mmap_sem;
    mode == LockMode::read ? semaphore.down_read(task) : semaphore.down_write(task);
    got = task.now();
    work_in_steps(task, hold);
    mode == LockMode::read ? semaphore.up_read(task) : semaphore.up_write(task);
  });
}

// Asks for write at 1000 and sleeps until 6000 with it. Returns the time of its release.
Time add_sleeping_writer(SmallMachine& world) {
  world.add_at(1000, [&world](Task& task) {
    world.mm.mmap_sem.down_write(task);
    task.sleep_until(at(6000));
    world.mm.mmap_sem.up_write(task);
  });
  return at(6000) + kLatency + kOperation;
}

// Takes it again and again until `end`.
void add_loop(SmallMachine& world, LockMode mode, std::int64_t begin, Nanoseconds hold, Nanoseconds think, Time end) {
  world.add_at(begin, [&world, mode, hold, think, end](Task& task) {
    while (task.now() < end) {
      take(task, world.mm.mmap_sem, mode, hold);
      work_in_steps(task, think);
    }
  });
}

// ---------------------------------------------------------------------------------------------------------------
// One flavour and its neighbour

TEST(WriterSteal, ANewcomerTakesItWhileTheFirstInTheQueueWakesUp) {
  for (const RwsemFlavour flavour : {RwsemFlavour::fifo, RwsemFlavour::writer_steal}) {
    check_in_child([&] {
      SmallMachine world(tests::rwsem_machine(flavour));
      Time queued;
      Time newcomer;
      const Time released = add_sleeping_writer(world);
      add(world, LockMode::write, 2000, 300ns, queued);
      add(world, LockMode::write, (released - at(0)).count() + 5, 700ns, newcomer);
      world.run();
      const bool steals = flavour == RwsemFlavour::writer_steal;
      EXPECT_EQ(newcomer < queued, steals);
      EXPECT_EQ(world.mm.mmap_sem.statistics().steals, steals ? 1U : 0U);
      EXPECT_EQ(world.mm.mmap_sem.statistics().spin_time, 0ns);
    });
  }
}

TEST(WriterSteal, ANewReaderWaitsForTheWriterThatWakesUp) {
  check_in_child([] {
    SmallMachine world(tests::rwsem_machine(RwsemFlavour::writer_steal));
    Time queued;
    Time reader;
    const Time released = add_sleeping_writer(world);
    add(world, LockMode::write, 2000, 300ns, queued);
    add(world, LockMode::read, (released - at(0)).count() + 5, 700ns, reader);
    world.run();
    EXPECT_EQ(queued, released + kWake + kLatency);
    EXPECT_EQ(reader, queued + 300ns + kOperation + kWake + kLatency);
  });
}

TEST(WriterSpin, AWriterSpinsOnAWriterAndNotOnReaders) {
  check_in_child([] {
    SmallMachine world(tests::rwsem_machine(RwsemFlavour::writer_spin));
    std::array<Time, 4> got;
    add(world, LockMode::write, 1000, 500ns, got[0]);
    add(world, LockMode::write, 1200, 100ns, got[1]);
    add(world, LockMode::read, 5000, 500ns, got[2]);
    add(world, LockMode::write, 5200, 100ns, got[3]);
    world.run();
    EXPECT_EQ(got[1], got[0] + 500ns + kOperation);
    EXPECT_EQ(got[3], got[2] + 500ns + kOperation + kWake + kLatency);
    EXPECT_EQ(world.mm.mmap_sem.statistics().spins, 1U);
    EXPECT_EQ(world.mm.mmap_sem.statistics().spin_time, got[1] - at(1200) - kOperation);
  });
}

TEST(ReaderSpin, AReaderSpinsOnAWriterAndSoHasItAtTheMomentOfTheRelease) {
  for (const RwsemFlavour flavour : {RwsemFlavour::reader_spin, RwsemFlavour::spin_handoff}) {
    check_in_child([&] {
      SmallMachine world(tests::rwsem_machine(flavour));
      std::array<Time, 2> got;
      add(world, LockMode::write, 1000, 500ns, got[0]);
      add(world, LockMode::read, 1200, 300ns, got[1]);
      world.run();
      const Time released = got[0] + 500ns + kOperation;
      EXPECT_EQ(got[1], flavour == RwsemFlavour::reader_spin ? released : released + kWake + kLatency);
    });
  }
}

// The writer queues because the owner sleeps; then that one becomes a reader.
TEST(ReaderSpin, AReaderGetsInBesideReadersPastAWriterThatQueues) {
  for (const RwsemFlavour flavour : {RwsemFlavour::reader_spin, RwsemFlavour::spin_handoff}) {
    check_in_child([&] {
      SmallMachine world(tests::rwsem_machine(flavour));
      world.add_at(1000, [&world](Task& task) {
        world.mm.mmap_sem.down_write(task);
        task.sleep_until(at(6000));
        world.mm.mmap_sem.downgrade_write(task);
        work_in_steps(task, 30us);
        world.mm.mmap_sem.up_read(task);
      });
      Time writer;
      Time reader;
      add(world, LockMode::write, 2000, 300ns, writer);
      add(world, LockMode::read, 8000, 300ns, reader);
      world.run();
      const bool passes = flavour == RwsemFlavour::reader_spin;
      EXPECT_EQ(reader < writer, passes);
      EXPECT_EQ(world.mm.mmap_sem.statistics().steals, passes ? 1U : 0U);
      EXPECT_EQ(world.mm.mmap_sem.statistics().writer_bypasses, passes ? 1U : 0U);
    });
  }
}

TEST(ReaderSpin, AfterAWriterHasSpunOnReadersInVainReadersQueueBehindIt) {
  check_in_child([] {
    SmallMachine world(tests::rwsem_machine(RwsemFlavour::reader_spin));
    std::array<Time, 3> got;
    add(world, LockMode::read, 1000, 30us, got[0]);
    add(world, LockMode::write, 2000, 100ns, got[1]);
    add(world, LockMode::read, 20'000, 100ns, got[2]);
    world.run();
    EXPECT_EQ(got[1], got[0] + 30us + kOperation + kWake + kLatency);
    EXPECT_EQ(got[2], got[1] + 100ns + kOperation + kWake + kLatency);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// How long the first in the queue waits

// A writer beside a reader that takes it again as soon as it has given it up, before the writer has woken up.
Nanoseconds longest_wait_beside_a_reader_loop(RwsemFlavour flavour, Nanoseconds tick) {
  const std::string longest = tests::in_child([&] {
    SmallMachineSpec spec = tests::rwsem_machine(flavour);
    spec.scheduler.tick = tick;
    spec.scheduler.wake_up_latency = 5us;
    SmallMachine world(spec);
    const Time end = at(400'000'000);
    add_loop(world, LockMode::read, 6000, 50us, 100ns, end);
    add_loop(world, LockMode::write, 7000, 10us, 300us, end);
    world.run();
    return std::to_string(world.mm.mmap_sem.statistics().all(LockMode::write).wait.max().count());
  });
  return Nanoseconds{std::stoll(longest)};
}

// And a hold of the reader and a wake-up.
TEST(WaitTimeout, EndsAWaitWithin8MsAtHz250AndWithin5MsAtHz1000) {
  const Nanoseconds at_250 = longest_wait_beside_a_reader_loop(RwsemFlavour::spin_handoff, 4ms);
  EXPECT_GT(at_250, 7ms);
  EXPECT_LT(at_250, 8ms + 110us);
  const Nanoseconds at_1000 = longest_wait_beside_a_reader_loop(RwsemFlavour::spin_handoff, 1ms);
  EXPECT_GT(at_1000, 4ms);
  EXPECT_LT(at_1000, 5ms + 110us);
}

TEST(WaitTimeout, IsNotReachedBesideAReaderLoopWhereAWriterStopsTheReadersFromSpinning) {
  EXPECT_LT(longest_wait_beside_a_reader_loop(RwsemFlavour::reader_spin, 4ms), 100us);
}

TEST(WaitTimeout, CountsWholeTicksAfterTheOneInWhichItBegins) {
  const RwsemTimeout at_250(4ms);
  EXPECT_EQ(at_250.end(at(0)), Time{8ms});
  EXPECT_EQ(at_250.end(Time{4ms} - 1ns), Time{8ms});
  EXPECT_EQ(at_250.end(Time{4ms}), Time{12ms});
  EXPECT_FALSE(at_250.has_passed(at(0), Time{8ms} - 1ns));
  EXPECT_TRUE(at_250.has_passed(at(0), Time{8ms}));
  EXPECT_EQ(RwsemTimeout(1ms).end(at(0)), Time{5ms});
  EXPECT_EQ(RwsemTimeout(10ms).end(at(0)), Time{20ms});
  // HZ 300: two ticks.
  EXPECT_EQ(RwsemTimeout(3'333'333ns).end(at(0)), Time{3 * 3'333'333ns});
}

// One that has fallen asleep, among three of which one always spins.
Nanoseconds wait_beside_spinners(RwsemFlavour flavour, Nanoseconds duration) {
  const std::string waited = tests::in_child([&] {
    SmallMachine world(tests::rwsem_machine(flavour));
    add_sleeping_writer(world);
    Time got;
    add(world, LockMode::write, 2000, 1us, got);
    for (int spinner = 0; spinner < 3; ++spinner) {
      add_loop(world, LockMode::write, 6005, 20us, 0ns, at(duration.count()));
    }
    world.run();
    return std::to_string((got - at(2000)).count());
  });
  return Nanoseconds{std::stoll(waited)};
}

TEST(WriterSpin, NothingEndsTheWaitOfAQueuedWriterBesideWritersThatAlwaysSpin) {
  EXPECT_GT(wait_beside_spinners(RwsemFlavour::writer_spin, 50ms), 49ms);
  EXPECT_LT(wait_beside_spinners(RwsemFlavour::spin_handoff, 50ms), 6ms);
  EXPECT_LT(wait_beside_spinners(RwsemFlavour::reader_spin, 50ms), 6ms);
  EXPECT_LT(wait_beside_spinners(RwsemFlavour::fifo, 50ms), 1ms);
}

// ---------------------------------------------------------------------------------------------------------------
// Who is faster at a release: the writer that spins or the reader that heads the queue

// How often a reader that queued first gets in before the writer that spins.
int queue_wins(RwsemFlavour flavour, int rounds, std::uint64_t seed) {
  const std::string wins = tests::in_child([&] {
    SmallMachineSpec spec = tests::rwsem_machine(flavour);
    spec.seed = seed;
    SmallMachine world(spec);
    std::vector<Time> read(static_cast<std::size_t>(rounds));
    std::vector<Time> written(static_cast<std::size_t>(rounds));
    // The owner sleeps when the reader comes, which so queues, and runs when the writer comes, which so spins.
    for (int round = 0; round < rounds; ++round) {
      const std::int64_t begin = 1000 + 10'000 * round;
      world.add_at(begin, [&world, begin](Task& task) {
        world.mm.mmap_sem.down_write(task);
        task.sleep_until(at(begin + 1000));
        work_in_steps(task, 1000ns);
        world.mm.mmap_sem.up_write(task);
      });
      const auto index = static_cast<std::size_t>(round);
      add(world, LockMode::read, begin + 500, 100ns, read[index]);
      add(world, LockMode::write, begin + 1500, 100ns, written[index]);
    }
    world.run();
    int count = 0;
    for (std::size_t index = 0; index < read.size(); ++index) count += read[index] < written[index] ? 1 : 0;
    return std::to_string(count);
  });
  return std::stoi(wins);
}

TEST(SpinnerAndQueue, AreAboutEquallyFast) {
  for (const RwsemFlavour flavour :
       {RwsemFlavour::writer_spin, RwsemFlavour::reader_spin, RwsemFlavour::spin_handoff}) {
    constexpr int kRounds = 400;
    const int wins = queue_wins(flavour, kRounds, 1);
    EXPECT_GT(wins, kRounds * 4 / 10);
    EXPECT_LT(wins, kRounds * 6 / 10);
    EXPECT_EQ(queue_wins(flavour, kRounds, 1), wins);
  }
}

TEST(SpinnerAndQueue, RaceTheSameWayUnderEachFlavourAndAnotherUnderAnotherSeed) {
  EXPECT_EQ(queue_wins(RwsemFlavour::writer_spin, 100, 2), queue_wins(RwsemFlavour::spin_handoff, 100, 2));
  const auto wins = [](std::uint64_t seed) { return queue_wins(RwsemFlavour::writer_spin, 100, seed); };
  EXPECT_TRUE(wins(1) != wins(2) || wins(2) != wins(3));
}

TEST(SpinnerAndQueue, AWriterAtTheHeadIsAlwaysLateBecauseItHasToWakeUp) {
  check_in_child([] {
    SmallMachine world(tests::rwsem_machine(RwsemFlavour::writer_spin));
    world.add_at(1000, [&world](Task& task) {
      world.mm.mmap_sem.down_write(task);
      task.sleep_until(at(2000));
      work_in_steps(task, 1000ns);
      world.mm.mmap_sem.up_write(task);
    });
    Time queued;
    Time spinner;
    add(world, LockMode::write, 1500, 100ns, queued);
    add(world, LockMode::write, 2500, 100ns, spinner);
    world.run();
    EXPECT_EQ(spinner, at(2000) + kLatency + 1000ns + kOperation);
    EXPECT_EQ(queued, spinner + 100ns + kOperation + kWake + kLatency);
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
    for (const LockWait& wait : tests::lock_waits(task.ledger())) {
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

std::string random_history(RwsemFlavour flavour, std::uint64_t seed, bool stepwise) {
  sim::Stream chance(seed, "test", "rwsem");
  SmallMachineSpec spec = tests::rwsem_machine(flavour, stepwise);
  spec.cpus = 1 + static_cast<int>(chance() % 6);
  // With the longer unit, waits come near the limit of spinning on readers, or the timeout.
  const Nanoseconds unit = std::array{1ns, 100ns, 5000ns}[chance() % 3];
  spec.scheduler = tests::random_scheduler(chance, unit * (100 + tests::up_to(chance, 1000)));
  if (chance() % 4 == 0) spec.costs.rwsem_wake = 0ns;
  if (chance() % 4 == 0) spec.costs.rwsem_operation = 0ns;
  SmallMachine world(spec);
  std::string log;
  constexpr int kTasks = 6;
  for (int number = 0; number < kTasks; ++number) world.add(RandomSections(world, seed, number, unit, log));
  world.run();
  const RwsemStatistics& statistics = world.mm.mmap_sem.statistics();
  EXPECT_EQ(statistics.all(LockMode::read).acquisitions + statistics.all(LockMode::write).acquisitions,
            std::uint64_t{kTasks * 40});
  EXPECT_EQ(statistics.all(LockMode::read).contended() + statistics.all(LockMode::write).contended(),
            statistics.handoffs + statistics.spins);
  EXPECT_EQ(statistics.all(LockMode::read).wait.count(), statistics.all(LockMode::read).contended());
  EXPECT_EQ(statistics.all(LockMode::write).wait.count(), statistics.all(LockMode::write).contended());
  EXPECT_FALSE(world.mm.mmap_sem.is_contended());
  Nanoseconds on_cpu = statistics.spin_time;
  for (const Task& task : world.tasks) on_cpu += world.spent(task, Cause::cpu);
  EXPECT_LE(on_cpu, (world.now() - at(0)) * spec.cpus);
  return log + std::to_string(statistics.steals) + " steals, " + std::to_string(statistics.spins) + " spins, " +
         std::to_string(statistics.handoffs_set) + " handoffs, " + std::to_string(statistics.spin_time.count()) +
         " ns, " + std::to_string(world.kernel.cpus.preemptions()) + " preemptions, " +
         std::to_string(world.engine.events()) + " events\n";
}

struct Expected {
  RwsemFlavour flavour;
  bool steals;
  bool spins;
  bool handoffs;
};

std::string name_of(const testing::TestParamInfo<Expected>& each) {
  constexpr std::array kNames{"Fifo", "WriterSteal", "WriterSpin", "ReaderSpin", "SpinHandoff"};
  return kNames[static_cast<std::size_t>(each.param.flavour)];
}

class FlavourHistories : public testing::TestWithParam<Expected> {};
INSTANTIATE_TEST_SUITE_P(, FlavourHistories,
                         testing::Values(Expected{RwsemFlavour::fifo, false, false, false},
                                         Expected{RwsemFlavour::writer_steal, true, false, false},
                                         Expected{RwsemFlavour::writer_spin, true, true, false},
                                         Expected{RwsemFlavour::reader_spin, true, true, true},
                                         Expected{RwsemFlavour::spin_handoff, true, true, true}),
                         name_of);

TEST_P(FlavourHistories, AreTheSameStepwiseAndByDefaultAndEveryWaitHasSomebodyToBlame) {
  const Expected expected = GetParam();
  bool stolen = false;
  bool spun = false;
  bool handed_off = false;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::string by_default = tests::in_child([&] { return random_history(expected.flavour, seed, false); });
    const std::string stepwise = tests::in_child([&] { return random_history(expected.flavour, seed, true); });
    ASSERT_EQ(by_default.find("child failed"), std::string::npos) << "seed " << seed << "\n" << by_default;
    ASSERT_EQ(by_default, stepwise) << "seed " << seed;
    stolen = stolen || by_default.find("\n0 steals") == std::string::npos;
    handed_off = handed_off || by_default.find(", 0 handoffs") == std::string::npos;
    spun = spun || by_default.find(", 0 spins") == std::string::npos;
  }
  EXPECT_EQ(stolen, expected.steals);
  EXPECT_EQ(spun, expected.spins);
  EXPECT_EQ(handed_off, expected.handoffs);
}

}  // namespace
}  // namespace models::rwsem_flavours_test
