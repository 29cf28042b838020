#include "models/sched/cpu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/random.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/random_scheduler.h"
#include "tests/support/small_machine.h"

namespace models::cpu_test {
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
  spec.scheduler = tests::in_turns(kSlice);
  spec.scheduler.context_switch = kSwitch;
  spec.scheduler.wake_up_latency = kLatency;
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

// ---------------------------------------------------------------------------------------------------------------
// Shares of a CPU

struct Share {
  int nice;
  std::int64_t weight;  // kernel/sched/core.c: sched_prio_to_weight
};

// Always running, each for its weight's part of the time; nobody waits for ever.
void check_shares(SchedulerSpec scheduler, const std::vector<Share>& shares, sim::Nanoseconds length,
                  double tolerance) {
  SmallMachineSpec spec;
  spec.cpus = 2;
  spec.scheduler = scheduler;
  SmallMachine machine(spec);
  std::vector<const Task*> tasks;
  std::int64_t all = 0;
  for (const Share& share : shares) {
    tasks.push_back(&machine.add(
        [](Task& task) {
          for (;;) {
            task.work(1ms);
            task.settle();
          }
        },
        {share.nice, {0}, -1}));
    all += share.weight;
  }
  machine.add(
      [&](Task& task) {
        task.sleep_until(at(length.count()));
        for (std::size_t index = 0; index < shares.size(); ++index) {
          const auto got = static_cast<double>(machine.spent(*tasks[index], Cause::cpu).count());
          const double due = static_cast<double>(length.count() * shares[index].weight) / static_cast<double>(all);
          EXPECT_NEAR(got / due, 1, tolerance) << "nice " << shares[index].nice;
        }
        machine.engine.stop();
      },
      {0, {1}, -1});
  machine.run();
}

class FairClass : public testing::TestWithParam<FairFlavour> {
 protected:
  static SchedulerSpec scheduler() {
    SchedulerSpec spec;
    spec.flavour = GetParam();
    spec.delayed_dequeue = true;
    return spec;
  }
};
INSTANTIATE_TEST_SUITE_P(, FairClass, testing::Values(FairFlavour::cfs, FairFlavour::eevdf), [](const auto& flavour) {
  return std::string(flavour.param == FairFlavour::cfs ? "Cfs" : "Eevdf");
});

TEST_P(FairClass, Nice0AndNice15ShareACpu1024To36Over10Seconds) {
  check_in_child([&] { check_shares(scheduler(), {{0, 1024}, {15, 36}}, 10s, 0.01); });
}

TEST_P(FairClass, ThreeLevelsOfNicenessShareACpuByWeight) {
  check_in_child([&] { check_shares(scheduler(), {{0, 1024}, {5, 335}, {-5, 3121}}, 10s, 0.01); });
  check_in_child([&] { check_shares(scheduler(), {{0, 1024}, {10, 110}, {15, 36}}, 20s, 0.01); });
}

TEST_P(FairClass, EqualsShareACpuEqually) {
  check_in_child([&] { check_shares(scheduler(), {{0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}}, 10s, 0.01); });
}

// ---------------------------------------------------------------------------------------------------------------
// Where a CPU changes hands

// Two CPUs. The first task works 10 us in the kernel on CPU 0 from 30 on; another one waits for that CPU, and a tick
// comes every 1000. Returns when the other one got it.
Time lost_at(Preemption preempt, bool stepwise, const std::function<void(Task&)>& in_kernel) {
  SmallMachineSpec spec = machine_with(2, stepwise);
  spec.scheduler.preempt = preempt;
  SmallMachine machine(spec);
  Time other_ran;
  machine.add(
      [&](Task& task) {
        task.enter(Phase::mlock);
        in_kernel(task);
        task.enter(Phase::user);
      },
      {0, {0}, -1});
  machine.add([&](Task& task) { other_ran = task.now(); }, {0, {0}, -1});
  machine.run();
  return other_ran;
}

void work_10us(Task& task) { work_in_steps(task, 10us); }

TEST_P(CpuTest, WithoutPreemptionNobodyLosesTheCpuInTheKernelBeforeItsWayBack) {
  check_in_child(
      [&] { EXPECT_EQ(lost_at(Preemption::none, GetParam(), work_10us), at(0) + kLatency + 10us + kSwitch); });
}

TEST_P(CpuTest, WithoutPreemptionACpuIsLostAtCondResched) {
  check_in_child([&] {
    const Time lost = lost_at(Preemption::none, GetParam(), [](Task& task) {
      work_in_steps(task, 500ns);
      task.cond_resched();  // the tick has not come yet
      work_in_steps(task, 2000ns);
      task.might_sleep();
      work_in_steps(task, 2000ns);
      task.cond_resched();
      work_in_steps(task, 2000ns);
    });
    EXPECT_EQ(lost, at(0) + kLatency + 4500ns + kSwitch);
  });
}

// A request to give way is answered by sleeping, too.
TEST_P(CpuTest, WhoHasSleptOwesNoPreemption) {
  check_in_child([&] {
    SmallMachineSpec spec = machine_with(1, GetParam());
    spec.scheduler.preempt = Preemption::none;
    SmallMachine machine(spec);
    Time done;
    machine.add([&](Task& task) {
      task.enter(Phase::mlock);
      work_in_steps(task, 2500ns);  // beyond a tick, and the second task waits
      task.sleep_until(at(10'000));
      work_in_steps(task, 200ns);
      task.cond_resched();
      work_in_steps(task, 200ns);
      done = task.settle();
    });
    machine.add([&](Task& task) { work_in_steps(task, 500ns); });
    machine.add_at(10'130, [&](Task& task) { work_in_steps(task, 500ns); });
    machine.run();
    EXPECT_EQ(done, at(10'000) + kLatency + 400ns);
  });
}

TEST_P(CpuTest, VoluntaryPreemptionAlsoGivesWayWhereATaskMightSleep) {
  check_in_child([&] {
    const Time lost = lost_at(Preemption::voluntary, GetParam(), [](Task& task) {
      work_in_steps(task, 2500ns);
      task.might_sleep();
      work_in_steps(task, 2000ns);
    });
    EXPECT_EQ(lost, at(0) + kLatency + 2500ns + kSwitch);
  });
}

TEST_P(CpuTest, FullPreemptionTakesTheCpuAtTheTick) {
  check_in_child([&] { EXPECT_EQ(lost_at(Preemption::full, GetParam(), work_10us), at(1000) + kSwitch); });
}

TEST_P(CpuTest, InUserModeTheTickTakesTheCpuHoweverTheKernelIsBuilt) {
  check_in_child([&] {
    const Time lost = lost_at(Preemption::none, GetParam(), [](Task& task) {
      task.enter(Phase::user);
      work_10us(task);
    });
    EXPECT_EQ(lost, at(1000) + kSwitch);
  });
}

// The sleeper has credit, so it takes the CPU from the one that works as soon as it wakes.
TEST_P(CpuTest, AWokenTaskThatIsFarEnoughBehindPreempts) {
  check_in_child([&] {
    SmallMachineSpec spec = machine_with(1, GetParam());
    spec.scheduler.tick = 1s;
    spec.scheduler.latency = 1000ns;
    spec.scheduler.wakeup_granularity = 300ns;
    SmallMachine machine(spec);
    machine.add([&](Task& task) { work_in_steps(task, 20us); });
    machine.add([&](Task& task) {
      task.sleep_until(at(5000));
      EXPECT_EQ(task.now(), at(5000) + kSwitch);
    });
    machine.run();
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Lazy requests

TEST_P(CpuTest, ALazyRequestOfATickTakesTheCpuInTheKernelAtTheTickAfter) {
  check_in_child([&] { EXPECT_EQ(lost_at(Preemption::lazy, GetParam(), work_10us), at(2000) + kSwitch); });
}

TEST_P(CpuTest, ALazyRequestIsHonouredOnTheWayBackToUserMode) {
  check_in_child([&] {
    const Time lost = lost_at(Preemption::lazy, GetParam(), [](Task& task) { work_in_steps(task, 1500ns); });
    EXPECT_EQ(lost, at(0) + kLatency + 1500ns + kSwitch);
  });
}

TEST_P(CpuTest, CondReschedKnowsNothingOfLazyRequests) {
  check_in_child([&] {
    const Time lost = lost_at(Preemption::lazy, GetParam(), [](Task& task) {
      work_in_steps(task, 1500ns);
      task.cond_resched();
      task.might_sleep();
      work_in_steps(task, 2000ns);
    });
    EXPECT_EQ(lost, at(2000) + kSwitch);
  });
}

TEST_P(CpuTest, InUserModeTheTickTakesTheCpuUnderLazyPreemption) {
  check_in_child([&] {
    const Time lost = lost_at(Preemption::lazy, GetParam(), [](Task& task) {
      task.enter(Phase::user);
      work_10us(task);
    });
    EXPECT_EQ(lost, at(1000) + kSwitch);
  });
}

// When a sleeper with credit that wakes at 5500 gets CPU 0 from one that works there in `phase` until 20030, without a
// cond_resched. `by_task`: it is woken by a task on CPU 1.
Time woken_runs_at(Preemption preempt, bool stepwise, Phase phase, bool by_task = false, int llc_cpus = 0) {
  SmallMachineSpec spec = machine_with(2, stepwise);
  spec.llc_cpus = llc_cpus;
  spec.scheduler.preempt = preempt;
  spec.scheduler.latency = 1000ns;
  spec.scheduler.wakeup_granularity = 300ns;
  SmallMachine machine(spec);
  Time ran;
  Task& sleeper = machine.add(
      [&](Task& task) {
        by_task ? task.block(Cause::sleep) : task.sleep_until(at(5500));
        ran = task.now();
      },
      {0, {0}, -1});
  machine.add(
      [&](Task& task) {
        task.enter(phase);
        work_in_steps(task, at(20'030) - task.now());
        task.enter(Phase::user);
      },
      {0, {0}, -1});
  if (by_task) {
    machine.add(
        [&](Task& task) {
          work_in_steps(task, at(5500) - task.now());
          task.settle();
          sleeper.wake(task);
        },
        {0, {1}, -1});
  }
  machine.run();
  return ran;
}

TEST_P(CpuTest, ALongKernelLoopDelaysAWakerToItsEndOrATickOrNotAtAll) {
  const auto runs_at = [&](Preemption preempt) { return woken_runs_at(preempt, GetParam(), Phase::mlock); };
  check_in_child([&] { EXPECT_EQ(runs_at(Preemption::none), at(20'030) + kSwitch); });
  check_in_child([&] { EXPECT_EQ(runs_at(Preemption::voluntary), at(20'030) + kSwitch); });
  check_in_child([&] { EXPECT_EQ(runs_at(Preemption::lazy), at(6000) + kSwitch); });
  check_in_child([&] { EXPECT_EQ(runs_at(Preemption::full), at(5500) + kSwitch); });
}

// No interrupt tells a CPU of a lazy request that another one makes, unless they share no cache.
TEST_P(CpuTest, UserCodeGivesWayToTheWokenAtOnceOrUnderLazyPreemptionAtTheNextInterrupt) {
  const auto runs_at = [&](Preemption preempt, bool by_task, int llc_cpus = 0) {
    return woken_runs_at(preempt, GetParam(), Phase::user, by_task, llc_cpus);
  };
  check_in_child([&] { EXPECT_EQ(runs_at(Preemption::none, true), at(5500) + kSwitch); });
  check_in_child([&] { EXPECT_EQ(runs_at(Preemption::lazy, true), at(6000) + kSwitch); });
  check_in_child([&] { EXPECT_EQ(runs_at(Preemption::lazy, true, 1), at(5500) + kSwitch); });
  check_in_child([&] { EXPECT_EQ(runs_at(Preemption::lazy, false), at(5500) + kSwitch); });
}

// ---------------------------------------------------------------------------------------------------------------
// Which CPU

TEST_P(CpuTest, AWokenTaskGoesWhereItWasOrToAnIdleCpuAndANewOneToTheLeastLoaded) {
  check_in_child([&] {
    SmallMachine machine(machine_with(3, GetParam()));
    const auto busy_until = [&](int cpu, int nice, Nanoseconds length) {
      machine.add([length](Task& task) { work_in_steps(task, length); }, {nice, {cpu}, -1});
    };
    const Task& wanderer = machine.add([&](Task& task) {
      EXPECT_EQ(task.cpu(), 0);
      task.sleep_until(at(500));
      EXPECT_EQ(task.cpu(), 0);  // idle, and where it was
      task.sleep_until(at(900));
    });
    busy_until(1, 0, 100us);
    machine.add(
        [&](Task& task) {
          task.sleep_until(at(700));
          work_in_steps(task, 100us);
        },
        {0, {0}, -1});
    machine.run();
    EXPECT_EQ(wanderer.cpu(), 2);  // CPU 0 and 1 are taken
  });
  check_in_child([&] {
    SmallMachine machine(machine_with(2, GetParam()));
    machine.add([](Task& task) { work_in_steps(task, 100us); }, {0, {0}, -1});
    machine.add([](Task& task) { work_in_steps(task, 100us); }, {5, {1}, -1});
    const Task& third = machine.add([](Task& task) { task.sleep_until(task.settle() + 5us); });
    machine.run();
    EXPECT_EQ(third.cpu(), 1);  // the lighter load
  });
}

// A task that sleeps first on CPU 0, beside busy ones on CPU 0 and, for longer, on CPU 1.
int goes_to(bool stepwise, int llc_cpus) {
  SmallMachineSpec spec = machine_with(4, stepwise);
  spec.llc_cpus = llc_cpus;
  spec.scheduler.tick = 1s;
  SmallMachine machine(spec);
  int went_to = -1;
  machine.add([&](Task& task) {
    task.sleep_until(at(5000));
    went_to = task.cpu();
  });
  for (int cpu = 0; cpu < 2; ++cpu) {
    machine.add([cpu](Task& task) { work_in_steps(task, cpu == 0 ? 10us : 20us); }, {0, {cpu}, -1});
  }
  machine.run();
  return went_to;
}

TEST_P(CpuTest, AWokenTaskLooksForAnIdleCpuOnlyInTheCacheWhereItIs) {
  check_in_child([&] { EXPECT_EQ(goes_to(GetParam(), 0), 2); });
  check_in_child([&] { EXPECT_EQ(goes_to(GetParam(), 3), 2); });
  check_in_child([&] { EXPECT_EQ(goes_to(GetParam(), 2), 0); });
}

// Woken by a task on CPU 1, beside `busy` that run on CPU 0, where it was.
int goes_from_the_loaded(bool stepwise, int busy) {
  SmallMachineSpec spec = machine_with(2, stepwise);
  spec.scheduler.tick = 1s;
  SmallMachine machine(spec);
  Task& woken = machine.add([&](Task& task) { task.block(Cause::sleep); });
  for (int number = 0; number < busy; ++number) {
    machine.add([](Task& task) { work_in_steps(task, 20us); }, {0, {0}, -1});
  }
  int went_to = -1;
  machine.add(
      [&](Task& task) {
        work_in_steps(task, 1us);
        task.settle();
        woken.wake(task);
        went_to = woken.cpu();
        work_in_steps(task, 1us);
      },
      {0, {1}, -1});
  machine.run();
  return went_to;
}

TEST_P(CpuTest, AWokenTaskGoesToItsWakersCpuWhereThatHasClearlyLessToDo) {
  check_in_child([&] { EXPECT_EQ(goes_from_the_loaded(GetParam(), 1), 0); });  // as many on one as on the other
  check_in_child([&] { EXPECT_EQ(goes_from_the_loaded(GetParam(), 2), 1); });
}

TEST_P(CpuTest, AWokenTaskGoesBackWhereItWasBefore) {
  check_in_child([&] {
    SmallMachine machine(machine_with(4, GetParam()));
    const auto busy = [&](int cpu, std::int64_t from, std::int64_t to) {
      machine.add(
          [from, to](Task& task) {
            task.sleep_until(at(from));
            work_in_steps(task, at(to) - task.now());
          },
          {0, {cpu}, -1});
    };
    machine.add([&](Task& task) {
      task.sleep_until(at(5000));
      EXPECT_EQ(task.cpu(), 1);  // CPU 0 is busy
      task.sleep_until(at(9000));
      EXPECT_EQ(task.cpu(), 0);  // CPU 1 is, and 2 would be the next
    });
    busy(0, 4000, 6000);
    busy(1, 8000, 10'000);
    machine.run();
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Who moves

// A task that may run anywhere, and runs on CPU 0; from 2500 on another one wants that CPU, and only that. CPU 1 is
// idle. Returns when the first one ran on CPU 1.
Time moved_at(bool stepwise, Nanoseconds migration_cost) {
  SmallMachineSpec spec = machine_with(2, stepwise);
  spec.scheduler.migration_cost = migration_cost;
  SmallMachine machine(spec);
  std::optional<Time> moved;
  machine.kernel.observer.cpu = [&](int cpu, const Task* task, Time time) {
    if (cpu == 1 && task != nullptr && task->class_id() == 2 && !moved) moved = time;
  };
  machine.add(
      [&](Task& task) {
        task.sleep_until(at(2500));
        work_in_steps(task, 20us);
      },
      {0, {0}, -1});
  machine.add([](Task& task) { work_in_steps(task, 200ns); }, {0, {1}, -1});  // so that the next one goes to CPU 0
  const Task& mover = machine.add([](Task& task) { work_in_steps(task, 20us); });
  machine.run();
  EXPECT_EQ(mover.cpu(), 1);
  return moved.value_or(Time{});
}

// The pinned one has the CPU at the tick, the other one goes at the tick after.
TEST_P(CpuTest, OneThatWaitsWhileACpuIsIdleIsThereWithinATick) {
  check_in_child([&] { EXPECT_EQ(moved_at(GetParam(), 0ns), at(4000) + kLatency); });
  check_in_child([&] { EXPECT_EQ(moved_at(GetParam(), 1000ns), at(4000) + kLatency); });
}

// It has run less than 1.5 ticks ago at 4000, and at 6000 again; the third time nobody asks.
TEST_P(CpuTest, OneThatIsHotMovesAfterTwoTries) {
  check_in_child([&] { EXPECT_EQ(moved_at(GetParam(), 1500ns), at(8000) + kLatency); });
}

// A CPU that runs empty at `empty`, beside one that two share in turns: who may leave it has run up to 3000.
Time pulled_at(bool stepwise, Nanoseconds migration_cost, std::int64_t empty) {
  SmallMachineSpec spec = machine_with(2, stepwise);
  spec.scheduler.migration_cost = migration_cost;
  SmallMachine machine(spec);
  std::optional<Time> moved;
  machine.kernel.observer.cpu = [&](int cpu, const Task* task, Time time) {
    if (cpu == 1 && task != nullptr && task->class_id() == 2) moved = time;
  };
  machine.add([](Task& task) { work_in_steps(task, 20us); }, {0, {0}, -1});
  machine.add([&](Task& task) { work_in_steps(task, at(empty) - task.now()); }, {0, {1}, -1});
  machine.add([](Task& task) { work_in_steps(task, 20us); });
  machine.run();
  return moved.value_or(Time{});
}

TEST_P(CpuTest, ACpuThatRunsEmptyLeavesAloneWhoRanAMomentAgo) {
  check_in_child([&] { EXPECT_EQ(pulled_at(GetParam(), 800ns, 2900), at(2900) + kSwitch); });
  check_in_child([&] { EXPECT_EQ(pulled_at(GetParam(), 800ns, 2400), at(3000) + kLatency); });
}

TEST_P(CpuTest, ACpuThatRunsEmptyTakesOneOfItsOwnCacheFirst) {
  check_in_child([&] {
    SmallMachineSpec spec = machine_with(4, GetParam());
    spec.llc_cpus = 2;
    spec.scheduler.tick = 1s;
    SmallMachine machine(spec);
    for (int cpu = 0; cpu < 4; ++cpu) {
      const Nanoseconds length = cpu == 3 ? 3us : 20us;
      machine.add([length](Task& task) { work_in_steps(task, length); }, {0, {cpu}, -1});
    }
    std::vector<int> at_three;
    machine.kernel.observer.cpu = [&](int cpu, const Task* task, Time) {
      if (cpu == 3 && task != nullptr) at_three.push_back(task->class_id());
    };
    machine.add([](Task& task) { work_in_steps(task, 5us); }, {5, {0, 3}, -1});   // has waited as long
    machine.add([](Task& task) { work_in_steps(task, 5us); }, {10, {2, 3}, -1});  // at a CPU with less load
    machine.run();
    EXPECT_EQ(at_three, (std::vector<int>{3, 5, 4}));
  });
}

TEST_P(CpuTest, ACpuThatRunsEmptyTakesOverTheOneThatHasWaitedLongest) {
  check_in_child([&] {
    SmallMachineSpec spec = machine_with(2, GetParam());
    spec.scheduler.tick = 1s;
    SmallMachine machine(spec);
    machine.add([](Task& task) { work_in_steps(task, 10us); }, {0, {0}, -1});
    machine.add([](Task& task) { work_in_steps(task, 3us); }, {-10, {1}, -1});  // so that the others queue for CPU 0
    machine.add([&](Task& task) { EXPECT_EQ(task.cpu(), 0); }, {0, {0}, -1});   // may not
    const Task& moved = machine.add(
        [&](Task& task) {
          EXPECT_EQ(task.cpu(), 1);
          EXPECT_EQ(task.now(), at(0) + kLatency + 3us + kSwitch);
        },
        {0, {}, -1});
    machine.run();
    EXPECT_EQ(machine.spent(moved, Cause::lock_wait), 0ns);
  });
}

TEST_P(CpuTest, OfTwoThatItMayTakeItTakesTheOneThatHasWaitedLonger) {
  check_in_child([&] {
    SmallMachineSpec spec = machine_with(2, GetParam());
    spec.scheduler.tick = 1s;
    SmallMachine machine(spec);
    std::vector<int> at_one;
    machine.kernel.observer.cpu = [&](int cpu, const Task* task, Time) {
      if (cpu == 1 && task != nullptr) at_one.push_back(task->class_id());
    };
    machine.add([](Task& task) {  // class 0: sleeps first, and so waits since 2000
      task.sleep_until(at(2000));
      work_in_steps(task, 5us);
    });
    machine.add([](Task& task) { work_in_steps(task, 3us); }, {-10, {1}, -1});
    machine.add([](Task& task) { work_in_steps(task, 20us); }, {0, {0}, -1});
    machine.add([](Task& task) { work_in_steps(task, 5us); });  // class 3: waits since 0
    machine.run();
    EXPECT_EQ(at_one, (std::vector<int>{1, 3, 0}));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Quotas

constexpr Nanoseconds kQuota = 20us;
constexpr Nanoseconds kPeriod = 100us;

SmallMachineSpec with_quota(bool stepwise, Throttling throttling) {
  SmallMachineSpec spec;
  spec.cpus = 2;
  spec.stepwise = stepwise;
  spec.scheduler = tests::in_turns(1us);
  spec.scheduler.preempt = Preemption::full;
  spec.scheduler.throttling = throttling;
  spec.scheduler.bandwidth_slice = 5us;
  spec.groups = {{"limited", 100, CpuMax{kQuota, kPeriod}}};
  return spec;
}

TEST_P(CpuTest, AGroupHasItsQuotaInEveryPeriod) {
  for (const Throttling throttling : {Throttling::in_kernel, Throttling::at_user_return}) {
    check_in_child([&] {
      SmallMachine machine(with_quota(GetParam(), throttling));
      const Task& limited = machine.add(
          [](Task& task) {
            for (;;) {
              work_in_steps(task, 100ns);
              task.settle();
            }
          },
          {0, {0}, 0});
      machine.add(
          [&](Task& task) {
            for (int period = 1; period <= 20; ++period) {
              task.sleep_until(at(0) + kPeriod * period);
              // It notices at a tick that it has used up its quota; what it has had too much is missing later.
              EXPECT_LE(machine.spent(limited, Cause::cpu), kQuota * period + 1us);
              EXPECT_GE(machine.spent(limited, Cause::cpu), kQuota * period - 1us);
            }
            EXPECT_EQ(machine.spent(limited, Cause::cpu) + machine.spent(limited, Cause::throttled) +
                          machine.spent(limited, Cause::run_queue) + machine.spent(limited, Cause::wake_up),
                      kPeriod * 20);
            machine.engine.stop();
          },
          {0, {1}, -1});
      machine.run();
    });
  }
}

// A reader whose group runs out of quota in its hold, and a writer that wants the semaphore then. The hold needs 10 us,
// and what the reader has done before leaves it 5.
Nanoseconds writer_waits(bool stepwise, Throttling throttling) {
  SmallMachine machine(with_quota(stepwise, throttling));
  machine.add(
      [&](Task& task) {
        work_in_steps(task, kQuota - 5us);
        task.enter(Phase::proc_read);
        machine.mm.mmap_sem.down_read(task);
        work_in_steps(task, 10us);
        machine.mm.mmap_sem.up_read(task);
        task.enter(Phase::user);
        if (throttling == Throttling::at_user_return) {
          EXPECT_EQ(task.now(), at(0) + kPeriod);
        }
        work_in_steps(task, 1us);
      },
      {0, {0}, 0});
  Nanoseconds waited{};
  machine.add(
      [&](Task& task) {
        task.sleep_until(at(0) + kQuota);
        machine.mm.mmap_sem.down_write(task);
        waited = machine.spent(task, Cause::lock_wait);
        machine.mm.mmap_sem.up_write(task);
      },
      {0, {1}, -1});
  machine.run();
  const RwsemStatistics::OffCpu& off_cpu = machine.mm.mmap_sem.statistics().read_off_cpu;
  EXPECT_EQ(off_cpu.preempted.count(), throttling == Throttling::in_kernel ? 1U : 0U);
  return waited;
}

// The rest of its hold, and the rest of the period while it is throttled in the kernel.
TEST_P(CpuTest, AWriterWaitsForAReaderThrottledInItsHoldForPeriodLessQuotaAtMost) {
  check_in_child([&] { EXPECT_EQ(writer_waits(GetParam(), Throttling::in_kernel), kPeriod - kQuota + 5us); });
}

TEST_P(CpuTest, AWriterWaitsForNothingButTheHoldWhereReadersAreThrottledOnTheirWayBack) {
  check_in_child([&] { EXPECT_EQ(writer_waits(GetParam(), Throttling::at_user_return), 5us); });
}

// ---------------------------------------------------------------------------------------------------------------
// A holder that lost its CPU

// What becomes of a reader at `nice` that always holds the semaphore, beside `busy` tasks on its CPU.
struct Away {
  double mean = 0;   // for how long a writer waits for it to come back each time that it has lost its CPU
  double slice = 0;  // what it runs in between
};

Away away_of(FairFlavour flavour, int nice, int busy) {
  SmallMachineSpec spec;
  spec.cpus = 2;
  spec.scheduler = SchedulerSpec{};
  spec.scheduler.flavour = flavour;
  spec.scheduler.preempt = Preemption::full;
  spec.scheduler.tick = 250us;  // short beside a slice, so that slices are hardly rounded to ticks
  SmallMachine machine(spec);
  const auto work_for_ever = [](Task& task) {
    for (;;) {
      task.work(1ms);
      task.settle();
    }
  };
  for (int number = 0; number < busy; ++number) machine.add(work_for_ever, {0, {0}, -1});
  const Task& reader = machine.add(
      [&](Task& task) {
        machine.mm.mmap_sem.down_read(task);
        work_for_ever(task);
      },
      {nice, {0}, -1});
  Nanoseconds ran{};
  machine.add(
      [&](Task& task) {
        task.sleep_until(at(0) + 100s);
        ran = machine.spent(reader, Cause::cpu);
        machine.engine.stop();
      },
      {0, {1}, -1});
  machine.run();
  const sim::Histogram& preempted = machine.mm.mmap_sem.statistics().read_off_cpu.preempted;
  return {preempted.mean(), static_cast<double>(ran.count()) / static_cast<double>(preempted.count())};
}

// While it has a slice, each of the others has one as many times as long as its weight is larger.
void check_away(FairFlavour flavour, int nice, int busy) {
  const Away away = away_of(flavour, nice, busy);
  const double ratio = 1024.0 / static_cast<double>(weight_of_nice(nice));
  EXPECT_NEAR(away.mean / (busy * away.slice * ratio), 1, 0.03) << "nice " << nice << ", " << busy << " busy";
  // With two CPUs the tunables count twice. A slice ends with a tick; that of a light task may be a tick only.
  const bool cfs = flavour == FairFlavour::cfs;
  EXPECT_GE(away.slice, 0.25e6 - 1) << "nice " << nice << ", " << busy << " busy";
  EXPECT_LE(away.slice, cfs ? 12.5e6 : 1.75e6 * 2) << "nice " << nice << ", " << busy << " busy";
}

TEST_P(FairClass, AReaderThatLosesItsCpuInAHoldIsAwayForTheOthersWeightToItsOwn) {
  for (const int nice : {0, 5, 15}) {
    for (int busy = 1; busy <= 8; ++busy) {
      check_in_child([&] { check_away(GetParam(), nice, busy); });
    }
  }
}

// Granted in its sleep, a reader holds the semaphore for as long as it waits for a CPU, under any preemption.
TEST_P(CpuTest, AReaderGrantedInItsSleepHoldsWhileItWaitsForACpu) {
  check_in_child([&] {
    SmallMachineSpec spec = machine_with(2, GetParam());
    spec.scheduler.preempt = Preemption::none;
    SmallMachine machine(spec);
    machine.add(
        [&](Task& task) {
          task.ledger().remember();
          machine.mm.mmap_sem.down_write(task);
          task.sleep_until(at(2500));
          machine.mm.mmap_sem.up_write(task);
          machine.mm.mmap_sem.down_write(task);  // waits for the reader, which waits for CPU 0
          EXPECT_EQ(task.now(), at(3000) + kSwitch + kLatency);
          machine.mm.mmap_sem.up_write(task);
        },
        {0, {1}, -1});
    machine.add(
        [&](Task& task) {
          task.sleep_until(at(500));
          machine.mm.mmap_sem.down_read(task);
          EXPECT_EQ(task.now(), at(3000) + kSwitch);  // its turn comes at the tick
          machine.mm.mmap_sem.up_read(task);
        },
        {0, {0}, -1});
    machine.add(
        [&](Task& task) {
          task.sleep_until(at(600));
          work_in_steps(task, 10us);
        },
        {0, {0}, -1});
    machine.run();
    const LockBlame reader{1, Phase::user, LockMode::read, -1, Cause::run_queue, 2};
    EXPECT_EQ(tests::waits_by_blame(machine.tasks.front()), (LockTimes{{reader, 470ns + kSwitch}}));
    const sim::Histogram& granted = machine.mm.mmap_sem.statistics().read_off_cpu.granted;
    EXPECT_EQ(granted.count(), 2U - 1U);  // the writer's grant is one for write
    EXPECT_EQ(granted.max(), 3000ns + kSwitch - (2500ns + kLatency));
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
      task.enter(chance_() % 2 == 0 ? Phase::user : Phase::mlock);
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
    for (const auto& [blame, time] : tests::waits_by_blame(task)) charged[{blame.holder, blame.mode}] += time;
  }
  for (const auto& [holds, lengths] : machine.mm.mmap_sem.statistics().hold) {
    held[{holds.holder, holds.mode}] += lengths.mean() * static_cast<double>(lengths.count());
  }
  const auto waiters = static_cast<double>(machine.tasks.size() - 1);
  for (const auto& [hold, time] : charged) {
    EXPECT_LE(static_cast<double>(time.count()), waiters * held[hold] + 1) << "class " << hold.first;
  }
}

// Every task runs where it may, and CPU time is what the CPUs were taken for.
class CpuWatch {
 public:
  CpuWatch(SmallMachine& machine, const std::vector<SchedSpec>& threads) : threads_(threads), cpus_(kMostCpus) {
    machine.kernel.observer.cpu = [this](int cpu, const Task* task, Time time) { on_switch(cpu, task, time); };
  }
  [[nodiscard]] Nanoseconds taken() const { return taken_; }

 private:
  static constexpr std::size_t kMostCpus = 16;

  void on_switch(int cpu, const Task* task, Time time) {
    std::optional<Time>& since = cpus_[static_cast<std::size_t>(cpu)];
    EXPECT_NE(since.has_value(), task != nullptr);
    if (task == nullptr) {
      taken_ += time - *since;
      return since.reset();
    }
    const std::vector<int>& allowed = threads_[static_cast<std::size_t>(task->class_id())].cpus;
    EXPECT_TRUE(allowed.empty() || std::count(allowed.begin(), allowed.end(), cpu) == 1);
    since = time;
  }

  const std::vector<SchedSpec>& threads_;
  std::vector<std::optional<Time>> cpus_;
  Nanoseconds taken_{};
};

std::string random_history(std::uint64_t seed, bool stepwise) {
  sim::Stream chance(seed, "test", "machine");
  SmallMachineSpec spec = machine_with(1 + static_cast<int>(chance() % 3), stepwise);
  const Nanoseconds unit{50 + tests::up_to(chance, 500)};
  spec.scheduler = tests::random_scheduler(chance, unit);
  spec.groups = tests::random_groups(chance, unit);
  spec.llc_cpus = static_cast<int>(chance() % 3);
  if (chance() % 3 != 0) spec.costs.rwsem_operation = 3ns;
  if (chance() % 3 != 0) spec.costs.rwsem_wake = 11ns;
  SmallMachine machine(spec);
  std::string log;
  const int tasks = 2 + static_cast<int>(chance() % 6);
  std::vector<SchedSpec> threads;
  for (int number = 0; number < tasks; ++number) {
    threads.push_back(tests::random_thread(chance, spec.cpus, spec.groups));
    machine.add(RandomTask(machine, seed, number, log), threads.back());
  }
  const CpuWatch watch(machine, threads);
  machine.run();
  expect_no_hold_is_charged_beyond_its_waiters(machine);
  Nanoseconds cpu{};
  for (const Task& task : machine.tasks) cpu += machine.spent(task, Cause::cpu);
  EXPECT_EQ(cpu, watch.taken());
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
}  // namespace models::cpu_test
