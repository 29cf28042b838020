#include "models/cpu.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "sim/random.h"
#include "tests/in_child.h"
#include "tests/small_machine.h"

namespace models {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using sim::Time;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;
using tests::work_in_steps;

constexpr Nanoseconds kSlice = 1000ns;
constexpr Nanoseconds kSwitch = 7ns;
constexpr Nanoseconds kLatency = 30ns;

SmallMachineSpec machine_with(int cpus, bool stepwise) {
  SmallMachineSpec spec;
  spec.cpus = cpus;
  spec.scheduler = {kSlice, kSwitch, kLatency};
  spec.stepwise = stepwise;
  return spec;
}

class CpuTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, CpuTest, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

TEST_P(CpuTest, UncontendedWorkTakesExactlyItsLength) {
  check_in_child([&] {
    SmallMachine machine(machine_with(3, GetParam()));
    std::vector<Time> ends(3);
    for (std::size_t number = 0; number < 3; ++number) {
      machine.add([&, number](Task& task) {
        work_in_steps(task, 123'456ns * static_cast<std::int64_t>(number + 1));
        ends[number] = task.settle();
      });
    }
    machine.run();
    for (std::size_t number = 0; number < 3; ++number) {
      EXPECT_EQ(ends[number], at(0) + kLatency + 123'456ns * static_cast<std::int64_t>(number + 1));
    }
    EXPECT_EQ(machine.kernel.cpus.preemptions(), 0U);
  });
}

// All become runnable at 0; each needs m slices and a rest r. After m rounds of n (slice + switch), the k-th ends its
// rest after k (r + switch) more and r.
TEST_P(CpuTest, TasksOnOneCpuTakeTurnsASliceLong) {
  constexpr int kTasks = 4;
  constexpr int kRounds = 5;
  constexpr Nanoseconds kRest = 300ns;
  check_in_child([&] {
    SmallMachine machine(machine_with(1, GetParam()));
    std::vector<Time> ends(kTasks);
    std::vector<const Task*> tasks;
    for (std::size_t number = 0; number < kTasks; ++number) {
      tasks.push_back(&machine.add([&, number](Task& task) {
        work_in_steps(task, kRounds * kSlice + kRest);
        ends[number] = task.settle();
        EXPECT_EQ(machine.spent(task, Cause::cpu), kRounds * kSlice + kRest);
        const Nanoseconds started = number == 0 ? kLatency : 0ns;
        EXPECT_EQ(machine.spent(task, Cause::wake_up), started);
        EXPECT_EQ(machine.spent(task, Cause::run_queue), ends[number] - at(0) - started - (kRounds * kSlice + kRest));
      }));
    }
    machine.run();
    for (int number = 0; number < kTasks; ++number) {
      EXPECT_EQ(ends[static_cast<std::size_t>(number)],
                at(0) + kLatency + kRounds * kTasks * (kSlice + kSwitch) + number * (kRest + kSwitch) + kRest);
    }
    EXPECT_EQ(machine.kernel.cpus.preemptions(), std::uint64_t{kRounds * kTasks});
  });
}

TEST_P(CpuTest, ATaskThatSleepsGivesItsCpuAway) {
  check_in_child([&] {
    SmallMachine machine(machine_with(1, GetParam()));
    Time first_is_back;
    Time second_ends;
    machine.add([&](Task& task) {
      task.work(100ns);
      task.sleep_until(at(5000));
      first_is_back = task.now();
    });
    machine.add([&](Task& task) {
      task.work(500ns);
      second_ends = task.settle();
    });
    machine.run();
    EXPECT_EQ(second_ends, at(0) + kLatency + 100ns + kSwitch + 500ns);
    EXPECT_EQ(first_is_back, at(5000) + kLatency);
  });
}

TEST_P(CpuTest, WakingUpOnAnIdleCpuTakesTheWakeUpLatency) {
  check_in_child([&] {
    SmallMachine machine(machine_with(2, GetParam()));
    machine.add([&](Task& task) {
      EXPECT_EQ(task.now(), at(0) + kLatency);
      task.sleep_until(at(1000));
      EXPECT_EQ(task.now(), at(1000) + kLatency);
      EXPECT_EQ(machine.spent(task, Cause::wake_up), 2 * kLatency);
      EXPECT_EQ(machine.spent(task, Cause::sleep), 1000ns - kLatency);
      EXPECT_EQ(machine.spent(task, Cause::run_queue), 0ns);
    });
    machine.run();
  });
}

TEST_P(CpuTest, SleepingUntilAMomentThatHasPassedCostsNothing) {
  check_in_child([&] {
    SmallMachine machine(machine_with(1, GetParam()));
    machine.add([&](Task& task) {
      task.work(500ns);
      task.sleep_until(at(100));
      EXPECT_EQ(task.now(), at(0) + kLatency + 500ns);
      EXPECT_EQ(machine.spent(task, Cause::sleep), 0ns);
    });
    machine.run();
  });
}

TEST_P(CpuTest, ATaskThatWakesOnABusyMachineWaitsForTheRestOfTheSlice) {
  check_in_child([&] {
    SmallMachine machine(machine_with(1, GetParam()));
    machine.add([&](Task& task) { work_in_steps(task, 10 * kSlice); });
    machine.add([&](Task& task) {
      // Its first turn comes when the first task's first slice is over.
      const Time first_turn = at(0) + kLatency + kSlice + kSwitch;
      EXPECT_EQ(task.now(), first_turn);
      task.sleep_until(first_turn + 400ns);
      // The first task got the CPU back at first_turn + switch and keeps it for a slice.
      EXPECT_EQ(task.now(), first_turn + kSwitch + kSlice + kSwitch);
      EXPECT_EQ(machine.spent(task, Cause::sleep), 400ns);
      EXPECT_EQ(machine.spent(task, Cause::run_queue),
                (kLatency + kSlice + kSwitch) + (kSwitch + kSlice - 400ns + kSwitch));
    });
    machine.run();
  });
}

TEST_P(CpuTest, ATaskThatHasOverrunItsSliceUnopposedLosesItsCpuAtOnce) {
  check_in_child([&] {
    SmallMachine machine(machine_with(1, GetParam()));
    Time long_ends;
    machine.add([&](Task& task) {
      task.sleep_until(at(100));
      work_in_steps(task, 10 * kSlice);
      long_ends = task.settle();
    });
    machine.add([&](Task& task) {
      task.sleep_until(at(100) + kLatency + 3 * kSlice);
      EXPECT_EQ(task.now(), at(100) + kLatency + 3 * kSlice + kSwitch);
      task.work(50ns);
    });
    machine.run();
    EXPECT_EQ(long_ends, at(100) + kLatency + 10 * kSlice + kSwitch + 50ns + kSwitch);
    EXPECT_EQ(machine.kernel.cpus.preemptions(), 1U);
  });
}

TEST_P(CpuTest, ATaskThatHasEndedUsesNoCpu) {
  check_in_child([&] {
    SmallMachine machine(machine_with(2, GetParam()));
    const Task& short_lived = machine.add([](Task& task) { task.work(100ns); });
    machine.add([](Task& task) { task.work(5000ns); });
    machine.run();
    EXPECT_EQ(machine.spent(short_lived, Cause::cpu), 100ns);
  });
}

TEST_P(CpuTest, NobodyLosesACpuWhileThereAreCpusForAll) {
  check_in_child([&] {
    SmallMachine machine(machine_with(4, GetParam()));
    for (int number = 0; number < 4; ++number) {
      machine.add([&](Task& task) {
        for (int round = 0; round < 20; ++round) {
          work_in_steps(task, 2 * kSlice);
          task.sleep_until(task.settle() + 100ns);
        }
        EXPECT_EQ(machine.spent(task, Cause::run_queue), 0ns);
      });
    }
    machine.run();
    EXPECT_EQ(machine.kernel.cpus.preemptions(), 0U);
  });
}

// One CPU. The holder takes the semaphore and needs 1.5 slices. The waiter and a busy task queue for the CPU. When the
// holder's slice ends, the waiter runs, blocks at once, and the busy task gets a full slice before the holder is back.
TEST_P(CpuTest, AWaiterAlsoWaitsWhileTheHolderHasLostItsCpu) {
  check_in_child([&] {
    constexpr Nanoseconds kHold = 1500ns;
    SmallMachine machine(machine_with(1, GetParam()));
    Time released;
    machine.add([&](Task& task) {
      machine.mm.mmap_sem.down_write(task);
      work_in_steps(task, kHold);
      machine.mm.mmap_sem.up_write(task);
      released = task.now();
    });
    machine.add([&](Task& task) {
      EXPECT_EQ(task.now(), at(0) + kLatency + kSlice + kSwitch);
      machine.mm.mmap_sem.down_read(task);
      machine.mm.mmap_sem.up_read(task);
      const Nanoseconds holder_left = kHold - kSlice;
      EXPECT_EQ(machine.spent(task, Cause::lock_wait), kSwitch + kSlice + kSwitch + holder_left);
    });
    machine.add([&](Task& task) { work_in_steps(task, 3 * kSlice); });
    machine.run();
    EXPECT_EQ(released, at(0) + kLatency + kHold + kSwitch + kSwitch + kSlice + kSwitch);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Properties of random histories on contended CPUs.

struct RandomTask {
  RandomTask(SmallMachine& machine, std::uint64_t seed, int number, std::string& log)
      : machine_(machine), chance_(seed, "task" + std::to_string(number), "test"), number_(number), log_(log) {}

  void operator()(Task& task) {
    task.ledger().remember();
    for (int round = 0; round < 25; ++round) {
      switch (chance_() % 6) {
        case 0:
          work(task);
          break;
        case 1:
          task.sleep_until(task.settle() + length(2000));
          break;
        case 2:
        case 3:
          machine_.mm.mmap_sem.down_read(task);
          work(task);
          machine_.mm.mmap_sem.up_read(task);
          break;
        case 4:
          machine_.mm.mmap_sem.down_write(task);
          work(task);
          machine_.mm.mmap_sem.up_write(task);
          break;
        default:
          machine_.mm.mmap_sem.down_write(task);
          work(task);
          machine_.mm.mmap_sem.downgrade_write(task);
          work(task);
          machine_.mm.mmap_sem.up_read(task);
          break;
      }
      note(task);
    }
  }

 private:
  Nanoseconds length(std::int64_t most) {
    return Nanoseconds{static_cast<std::int64_t>(chance_() % static_cast<std::uint64_t>(most + 1))};
  }
  void work(Task& task) {
    for (std::uint64_t steps = chance_() % 8; steps > 0; --steps) {
      const Nanoseconds step = length(60) * static_cast<std::int64_t>(chance_() % 8 == 0 ? 20 : 1);
      worked_ += step;
      task.work(step);
    }
  }
  void note(Task& task) {
    const Time now = task.settle();
    const TimeByCause spent = task.ledger().read(now);
    EXPECT_EQ(std::accumulate(spent.begin(), spent.end(), 0ns), now - at(0));
    for (const Nanoseconds part : spent) EXPECT_GE(part, 0ns);
    // Every semaphore operation costs 3 ns and every wake-up of another 11 ns, on top of what was asked for.
    EXPECT_GE(machine_.spent(task, Cause::cpu), worked_);
    log_ += std::to_string(now.time_since_epoch().count()) + " " + std::to_string(number_);
    for (const Nanoseconds part : spent) log_ += " " + std::to_string(part.count());
    log_ += "\n";
  }

  SmallMachine& machine_;
  sim::Stream chance_;
  int number_;
  std::string& log_;
  Nanoseconds worked_{};
};

// Each waiter can be charged to a hold for as long as it lasts, and no longer.
void expect_no_hold_is_charged_beyond_its_waiters(const SmallMachine& machine) {
  std::map<std::pair<ClassId, LockMode>, Nanoseconds> charged;
  std::map<std::pair<ClassId, LockMode>, double> held;
  for (const Task& task : machine.tasks) {
    for (const auto& [blame, time] : task.ledger().lock_times_since(at(0))) charged[{blame.holder, blame.mode}] += time;
  }
  for (const auto& [holds, lengths] : machine.mm.mmap_sem.statistics().hold) {
    held[{holds.holder, holds.mode}] += lengths.mean() * static_cast<double>(lengths.count());
  }
  const auto waiters = static_cast<double>(machine.tasks.size() - 1);
  for (const auto& [hold, time] : charged) {
    EXPECT_LE(static_cast<double>(time.count()), waiters * held[hold] + 1) << "class " << hold.first;
  }
}

std::string random_history(std::uint64_t seed, bool stepwise) {
  sim::Stream chance(seed, "test", "machine");
  SmallMachineSpec spec = machine_with(1 + static_cast<int>(chance() % 3), stepwise);
  spec.scheduler.timeslice = Nanoseconds{100 + static_cast<std::int64_t>(chance() % 900)};
  if (chance() % 3 == 0) spec.scheduler.context_switch = 0ns;
  if (chance() % 3 == 0) spec.scheduler.wake_up_latency = 0ns;
  if (chance() % 3 != 0) spec.costs.rwsem_operation = 3ns;
  if (chance() % 3 != 0) spec.costs.rwsem_wake = 11ns;
  SmallMachine machine(spec);
  std::string log;
  const int tasks = 2 + static_cast<int>(chance() % 6);
  for (int number = 0; number < tasks; ++number) machine.add(RandomTask(machine, seed, number, log));
  machine.run();
  expect_no_hold_is_charged_beyond_its_waiters(machine);
  Nanoseconds cpu{};
  for (const Task& task : machine.tasks) cpu += machine.spent(task, Cause::cpu);
  EXPECT_LE(cpu, (machine.now() - at(0)) * spec.cpus);
  return log + std::to_string(machine.kernel.cpus.preemptions()) + " preemptions\n";
}

TEST(CpuHistories, AreTheSameStepwiseAndByDefaultAndLoseNoTime) {
  bool preempted = false;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::string by_default = tests::in_child([&] { return random_history(seed, false); });
    const std::string stepwise = tests::in_child([&] { return random_history(seed, true); });
    ASSERT_EQ(by_default.find("child failed"), std::string::npos) << "seed " << seed << "\n" << by_default;
    ASSERT_EQ(by_default, stepwise) << "seed " << seed;
    preempted = preempted || by_default.find("\n0 preemptions") == std::string::npos;
  }
  EXPECT_TRUE(preempted);
}

}  // namespace
}  // namespace models
