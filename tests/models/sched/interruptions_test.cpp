#include "models/sched/interruptions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "models/locking/rwsem.h"
#include "models/task.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/rwsem_machine.h"
#include "tests/support/small_machine.h"

namespace models::interruptions_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Nanoseconds;
using sim::Time;
using tests::at;
using tests::check_in_child;
using tests::kLatency;
using tests::kOperation;
using tests::kSwitch;
using tests::kWake;
using tests::SmallMachine;
using tests::SmallMachineSpec;
using tests::work_in_steps;
using By = Interruption::By;

constexpr Nanoseconds kEvery = 1000ns;
constexpr Nanoseconds kLength = 100ns;

class InterruptionsTest : public testing::TestWithParam<bool> {
 protected:
  static SmallMachineSpec machine(RwsemFlavour flavour = RwsemFlavour::spin_handoff) {
    return tests::rwsem_machine(flavour, GetParam());
  }
  static SmallMachineSpec interrupted_machine(int cpus) {
    SmallMachineSpec spec = machine();
    spec.cpus = cpus;
    spec.noise.interruptions = {{By::interrupt, Constant{kEvery}, Constant{kLength}}};
    return spec;
  }
};
INSTANTIATE_TEST_SUITE_P(, InterruptionsTest, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

// One that is interrupted at a time of the test's choice.
class Interrupted : public SmallMachine {
 public:
  Interrupted(const SmallMachineSpec& settings, int cpu, std::int64_t when, Nanoseconds length, By by = By::interrupt)
      : SmallMachine(settings), event_(engine.calendar(), [this, cpu, length, by] {
          kernel.cpus.stand_still(cpu, length, by == By::hypervisor);
        }) {
    event_.schedule(at(when));
  }

 private:
  sim::Event event_;
};

SchedSpec on(int cpu) { return {0, {cpu}, -1}; }

// Holds it for write from `from` to `to`, and when that was over.
void hold(SmallMachine& world, int cpu, std::int64_t from, std::int64_t to, Time* left = nullptr) {
  world.add(
      [&world, from, to, left](Task& task) {
        task.sleep_until(at(from) - kLatency);
        world.mm.mmap_sem.down_write(task);
        work_in_steps(task, at(to) - task.now());
        world.mm.mmap_sem.up_write(task);
        if (left != nullptr) *left = task.now();
      },
      on(cpu));
}

TEST_P(InterruptionsTest, WorkTakesItsLengthAndThatOfTheInterruptionsThatFallIntoIt) {
  check_in_child([&] {
    constexpr Nanoseconds kWork = 100us;
    SmallMachine world(interrupted_machine(1));
    Time end;
    const Task& task = world.add([&](Task& self) {
      work_in_steps(self, kWork);
      end = self.settle();
      world.engine.stop();
    });
    world.run();
    Time expected = at(0) + kLatency + kWork;
    int interruptions = 0;
    for (Time next = at(0) + kEvery; next <= expected; next += kEvery) {
      expected += kLength;
      ++interruptions;
    }
    EXPECT_EQ(end, expected);
    EXPECT_EQ(world.spent(task, Cause::cpu), kWork);
    EXPECT_EQ(world.spent(task, Cause::interrupted), interruptions * kLength);
    EXPECT_EQ(world.spent(task, Cause::run_queue), 0ns);
  });
}

TEST_P(InterruptionsTest, WhoWakesOnAnIdleCpuThatStandsStillWaitsForThat) {
  check_in_child([&] {
    SmallMachine world(interrupted_machine(1));
    Time runs;
    const Task& task = world.add([&](Task& self) {
      self.sleep_until(at(2020));
      runs = self.now();
      world.engine.stop();
    });
    world.run();
    EXPECT_EQ(runs, at(2100) + kLatency);
    EXPECT_EQ(world.spent(task, Cause::interrupted), 80ns);
    EXPECT_EQ(world.spent(task, Cause::wake_up), 2 * kLatency);
  });
}

TEST_P(InterruptionsTest, NobodyIsPreemptedWhileTheCpuStandsStill) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.cpus = 1;
    spec.scheduler.preempt = Preemption::full;
    spec.scheduler.tick = 1000ns;
    Interrupted world(spec, 0, 950, 500ns);
    Time runs;
    const Task& first = world.add([&](Task& self) { work_in_steps(self, 2000ns); });
    world.add([&](Task& self) {
      runs = self.now();
      work_in_steps(self, 10ns);
    });
    world.run();
    // The tick at 1000 comes to nothing, the next one does not.
    EXPECT_EQ(runs, at(2000) + kSwitch);
    EXPECT_EQ(world.spent(first, Cause::interrupted), 500ns);
    EXPECT_EQ(world.spent(first, Cause::cpu), 2000ns);
  });
}

TEST_P(InterruptionsTest, ThoseOfTwoKindsFollowOneAnother) {
  check_in_child([&] {
    SmallMachineSpec spec = interrupted_machine(1);
    spec.noise.interruptions.push_back({By::hypervisor, Constant{2000ns}, Constant{70ns}});
    SmallMachine world(spec);
    Time end;
    const Task& task = world.add([&](Task& self) {
      work_in_steps(self, 2500ns);
      end = self.settle();
      world.engine.stop();
    });
    world.run();
    EXPECT_EQ(end, at(2530) + 2 * kLength + 70ns);
    EXPECT_EQ(world.spent(task, Cause::interrupted), 2 * kLength + 70ns);
  });
}

TEST_P(InterruptionsTest, AllTimeOfManyTasksIsChargedAndCpuTimeIsWhatTheyWorked) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.cpus = 2;
    spec.scheduler.tick = 700ns;
    spec.scheduler.preempt = Preemption::full;
    spec.noise.interruptions = {{By::interrupt, sim::Exponential{900ns}, sim::Uniform{0ns, 300ns}},
                                {By::hypervisor, sim::Exponential{5us}, sim::Exponential{700ns}}};
    SmallMachine world(spec);
    constexpr Nanoseconds kWork = 20us;
    int left = 5;
    std::vector<const Task*> tasks;
    for (int task = left; task > 0; --task) {
      tasks.push_back(&world.add([&](Task& self) {
        for (Nanoseconds done{}; done < kWork; done += 1us) {
          work_in_steps(self, 1us);
          self.sleep_until(self.settle() + 333ns);
        }
        if (--left == 0) world.engine.stop();
      }));
    }
    world.run();
    for (const Task* task : tasks) {
      EXPECT_EQ(world.spent(*task, Cause::cpu), kWork);
      Nanoseconds all{};
      for (const Nanoseconds each : task->ledger().read(world.now())) all += each;
      EXPECT_EQ(all, world.now() - at(0));
      EXPECT_GT(world.spent(*task, Cause::interrupted), 0ns);
    }
  });
}

// Common random numbers: policies meet the same ones.
TEST_P(InterruptionsTest, ACpusInterruptionsDoNotDependOnWhatRuns) {
  const auto end_beside = [](bool busy) {
    return tests::in_child([busy] {
      SmallMachineSpec spec = machine();
      spec.cpus = 2;
      spec.noise.interruptions = {{By::interrupt, sim::Exponential{900ns}, sim::Uniform{0ns, 300ns}}};
      SmallMachine world(spec);
      Time end;
      world.add(
          [&](Task& self) {
            work_in_steps(self, 100us);
            end = self.settle();
            world.engine.stop();
          },
          on(1));
      world.add(
          [&](Task& self) {
            for (int round = 0; busy && round < 50; ++round) {
              self.work(sim::Exponential{700ns}, Purpose::demand);
              self.sleep_until(self.settle() + 400ns);
            }
          },
          on(0));
      world.run();
      return std::to_string((end - at(0)).count());
    });
  };
  const std::string alone = end_beside(false);
  EXPECT_GT(std::stol(alone), 110'000);
  EXPECT_EQ(end_beside(true), alone);
}

// ---------------------------------------------------------------------------------------------------------------
// Holders and spinners

TEST_P(InterruptionsTest, AnInterruptedHolderIsWaitedForAndWaitersSeeWhy) {
  check_in_child([&] {
    Interrupted world(machine(), 0, 1500, 400ns);
    Time left;
    hold(world, 0, 1000, 2000, &left);
    Time got;
    const Task& waiter = world.add(
        [&](Task& self) {
          self.sleep_until(at(1200) - kLatency);
          world.mm.mmap_sem.down_write(self);
          got = self.now();
        },
        on(1));
    world.run();
    EXPECT_EQ(left, at(2000) + kOperation + 400ns);
    EXPECT_EQ(got, left);
    LockBlame works{0, Phase::user, LockMode::write, -1};
    LockBlame interrupted = works;
    interrupted.doing = Cause::interrupted;
    const LockTimes waits = waiter.ledger().lock_times();
    EXPECT_EQ(waits.at(interrupted), 400ns);
    EXPECT_EQ(waits.at(works), left - at(1200) - kOperation - 400ns);
    EXPECT_EQ(world.spent(waiter, Cause::interrupted), 0ns);
    EXPECT_EQ(world.mm.mmap_sem.statistics().spins, 1U) << "it has spun on: the holder is still on its CPU";
  });
}

TEST_P(InterruptionsTest, ASpinnerMissesAReleaseAndTakesItWhenItsCpuGoesOn) {
  check_in_child([&] {
    Interrupted world(machine(), 1, 1900, 500ns);
    Time left;
    hold(world, 0, 1000, 2000, &left);
    Time got;
    const Task& spinner = world.add(
        [&](Task& self) {
          self.sleep_until(at(1200) - kLatency);
          world.mm.mmap_sem.down_write(self);
          got = self.now();
        },
        on(1));
    world.run();
    EXPECT_EQ(got, at(2400));
    EXPECT_EQ(world.spent(spinner, Cause::lock_wait), left - at(1200) - kOperation);
    EXPECT_EQ(world.spent(spinner, Cause::interrupted), at(2400) - left);
    EXPECT_EQ(spinner.spin_time(), left - at(1200) - kOperation);
    EXPECT_EQ(world.mm.mmap_sem.statistics().spin_time, spinner.spin_time());
  });
}

TEST_P(InterruptionsTest, WhatASpinnerMissesAnotherTakes) {
  check_in_child([&] {
    Interrupted world(machine(), 1, 1900, 500ns);
    Time left;
    hold(world, 0, 1000, 2000, &left);
    hold(world, 2, 2100, 3000);
    Time got;
    const Task& spinner = world.add(
        [&](Task& self) {
          self.sleep_until(at(1200) - kLatency);
          world.mm.mmap_sem.down_write(self);
          got = self.now();
        },
        on(1));
    world.run();
    EXPECT_EQ(got, at(3000) + kOperation);
    EXPECT_EQ(world.spent(spinner, Cause::interrupted), at(2400) - left);
    EXPECT_EQ(world.spent(spinner, Cause::lock_wait), left - at(1200) - kOperation + (got - at(2400)));
  });
}

// It has seen a change, and is interrupted more than once before it looks; meanwhile the semaphore has been released.
// Who makes no requests remembers only the present.
TEST_P(InterruptionsTest, BehindASpinnerThatIsInterruptedOnItsWayToLookOthersWaitForIt) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.costs.cache_line = 1us;
    spec.noise.interruptions = {{By::interrupt, Constant{300ns}, Constant{50ns}}};
    for (const Nanoseconds after : {0ns, 200ns, 500ns, 1000ns, 1500ns}) {
      SmallMachine world(spec);
      world.add(
          [&](Task& holder) {
            world.mm.mmap_sem.down_write(holder);
            work_in_steps(holder, 20us);
            world.mm.mmap_sem.downgrade_write(holder);
            work_in_steps(holder, after);
            world.mm.mmap_sem.up_read(holder);
          },
          on(0));
      std::vector<const Task*> spinners;
      int left = 2;
      for (const int cpu : {1, 2}) {
        spinners.push_back(&world.add(
            [&world, &left, cpu](Task& spinner) {
              spinner.sleep_until(at(1000 * cpu));
              world.mm.mmap_sem.down_write(spinner);
              work_in_steps(spinner, 100ns);
              world.mm.mmap_sem.up_write(spinner);
              if (--left == 0) world.engine.stop();
            },
            on(cpu)));
      }
      world.run();
      for (const Task* spinner : spinners) {
        Nanoseconds blamed{};
        for (const auto& [blame, time] : spinner->ledger().lock_times()) blamed += time;
        EXPECT_EQ(blamed, world.spent(*spinner, Cause::lock_wait));
      }
    }
  });
}

// Those behind it in line wait for it as if it had taken the semaphore.
TEST_P(InterruptionsTest, BehindASpinnerThatMissesAReleaseOthersWaitForIt) {
  check_in_child([&] {
    Interrupted world(machine(), 1, 1900, 500ns);
    Time left;
    hold(world, 0, 1000, 2000, &left);
    hold(world, 1, 1200, 2600);
    Time got;
    const Task& second = world.add(
        [&](Task& self) {
          self.sleep_until(at(1300) - kLatency);
          world.mm.mmap_sem.down_write(self);
          got = self.now();
        },
        on(2));
    world.run();
    LockBlame by_first{1, Phase::user, LockMode::write, -1};
    by_first.doing = Cause::interrupted;
    EXPECT_EQ(second.ledger().lock_times().at(by_first), at(2400) - left);
    EXPECT_EQ(world.spent(second, Cause::lock_wait), got - at(1300) - kOperation);
  });
}

// vcpu_is_preempted: from 4.10 on.
TEST_P(InterruptionsTest, AWriterStopsSpinningOnAnOwnerThatTheHypervisorHasStopped) {
  for (const RwsemFlavour flavour :
       {RwsemFlavour::writer_spin, RwsemFlavour::reader_spin, RwsemFlavour::spin_handoff}) {
    check_in_child([&] {
      Interrupted world(machine(flavour), 0, 1500, 400ns, By::hypervisor);
      Time left;
      hold(world, 0, 1000, 2000, &left);
      Time got;
      world.add(
          [&](Task& self) {
            self.sleep_until(at(1200) - kLatency);
            world.mm.mmap_sem.down_write(self);
            got = self.now();
          },
          on(1));
      world.run();
      const bool spins_on = flavour == RwsemFlavour::writer_spin;
      EXPECT_EQ(world.mm.mmap_sem.statistics().spins, spins_on ? 1U : 0U);
      EXPECT_EQ(got, spins_on ? left : left + kLatency);
    });
  }
}

// A holder that lets go for a moment after each 50 us. A writer that spins has it at the next release. One whose CPU a
// thread takes for a moment queues, and finds it taken again each time that it is woken, until it asks for the handoff.
TEST_P(InterruptionsTest, AnInterruptingTaskMakesASpinnerQueueUntilTheHandoff) {
  for (const bool disturbed : {false, true}) {
    check_in_child([&] {
      SmallMachineSpec spec = machine();
      spec.scheduler.tick = 4ms;
      spec.scheduler.wakeup_granularity = 0ns;
      SmallMachine world(spec);
      bool ends = false;
      world.add(
          [&](Task& self) {
            while (!ends) {
              world.mm.mmap_sem.down_write(self);
              self.work(50us);
              world.mm.mmap_sem.up_write(self);
            }
          },
          on(0));
      const Interruption taken{By::task, Constant{10'020us}, Constant{130us}};
      if (disturbed) world.add([&](Task& self) { run_interrupting_task(self, taken); }, on(1));
      Nanoseconds waited{};
      world.add(
          [&](Task& self) {
            self.sleep_until(at(10'010'000));
            const Time asked = self.now();
            world.mm.mmap_sem.down_write(self);
            waited = self.now() - asked;
            world.mm.mmap_sem.up_write(self);
            ends = true;
            world.engine.stop();
          },
          on(1));
      world.run();
      EXPECT_EQ(world.mm.mmap_sem.statistics().handoffs_set, disturbed ? 1U : 0U);
      EXPECT_EQ(world.mm.mmap_sem.statistics().handoffs, disturbed ? 1U : 0U);
      if (disturbed) {
        EXPECT_GT(waited, 4ms);
        EXPECT_LT(waited, 8ms + 200us);
      } else {
        EXPECT_LT(waited, 51us);
      }
    });
  }
}

// ---------------------------------------------------------------------------------------------------------------
// The rest of the noise

TEST_P(InterruptionsTest, WakeUpsTakeLongerAndTimersAreLateByWhatTheNoiseSays) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.noise.wake_up = Constant{spec.scheduler.wake_up_latency + 5ns};
    spec.noise.timer = Constant{70ns};
    SmallMachine world(spec);
    const Task& task = world.add([&](Task& self) {
      self.sleep_until(at(1000));
      EXPECT_EQ(self.now(), at(1005) + kLatency);
      self.sleep_on_timer_until(at(2000));
      EXPECT_EQ(self.now(), at(2075) + kLatency);
      self.sleep_on_timer_until(at(2000));
      EXPECT_EQ(self.now(), at(2075) + kLatency);
    });
    world.run();
    EXPECT_EQ(world.spent(task, Cause::wake_up), 3 * (kLatency + 5ns));
    EXPECT_EQ(world.spent(task, Cause::interrupted), 0ns);
  });
}

TEST_P(InterruptionsTest, ACallHasOneFactorForAllItsPages) {
  check_in_child([&] {
    SmallMachineSpec spec = machine();
    spec.noise.page_costs = {500, 3000};
    SmallMachine world(spec);
    std::vector<Nanoseconds> took;
    world.add([&](Task& self) {
      for (int call = 0; call < 50; ++call) {
        self.enter(Phase::munlock);
        const Time began = self.now();
        self.work_for_each(PageCount(10), Constant{101ns}, Purpose::pages);
        took.push_back(self.settle() - began);
        self.enter(Phase::user);
      }
    });
    world.run();
    EXPECT_GT(std::count(took.begin(), took.end(), 500ns), 10) << "of each page whole nanoseconds";
    EXPECT_GT(std::count(took.begin(), took.end(), 3030ns), 10);
    EXPECT_EQ(std::count(took.begin(), took.end(), 500ns) + std::count(took.begin(), took.end(), 3030ns), 50);
  });
}

}  // namespace
}  // namespace models::interruptions_test
