// RCU's thread: how often it runs, where, and until when a grace period goes on.
#include "models/sched/rcu.h"

#include <gtest/gtest.h>

#include <string>

#include "models/locking/rwsem.h"
#include "models/task.h"
#include "tests/support/in_child.h"
#include "tests/support/rwsem_machine.h"
#include "tests/support/small_machine.h"

namespace models::rcu_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;
using tests::work_in_steps;

constexpr Nanoseconds kTick = 1ms;
constexpr Nanoseconds kStep = 10us;

class RcuTest : public testing::TestWithParam<bool> {
 protected:
  static SmallMachineSpec machine(int cpus) {
    SmallMachineSpec spec;
    spec.stepwise = GetParam();
    spec.cpus = cpus;
    spec.scheduler.tick = kTick;
    spec.scheduler.latency = 6ms;  // who has slept runs before who has not
    spec.scheduler.wakeup_granularity = 1us;
    spec.noise.grace_periods = Constant{kStep};
    return spec;
  }
};
INSTANTIATE_TEST_SUITE_P(, RcuTest, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

// Uses its CPU for so long, in steps of 20 us; `maps` of them leave something behind for RCU.
void work(SmallMachine& world, Nanoseconds time, int maps) {
  world.add([&world, time, maps](Task& task) {
    for (Nanoseconds done{}; done < time; done += 20us) {
      task.work(20us);
      task.settle();
      if (done < 20us * maps) call_rcu(world.kernel);
    }
  });
}

std::int64_t steps(const SmallMachine& world) { return world.spent(*world.kernel.rcu.gp_kthread, Cause::cpu) / kStep; }

TEST_P(RcuTest, SleepsWhereNoVmaComesOrGoes) {
  check_in_child([] {
    SmallMachine world(machine(2));
    work(world, 20ms, 0);
    world.run();
    EXPECT_EQ(steps(world), 0);
  });
}

TEST_P(RcuTest, TakesAStepOfABusyCpuEachTickWhileSomebodyMaps) {
  check_in_child([] {
    SmallMachine world(machine(2));
    work(world, 50ms, 2'500);
    work(world, 50ms, 0);
    world.run();
    EXPECT_NEAR(static_cast<double>(steps(world)), 50, 2);
    EXPECT_NEAR(static_cast<double>(world.kernel.cpus.preemptions()), 50, 2);
  });
}

TEST_P(RcuTest, OnAnIdleCpuItDisturbsNobody) {
  check_in_child([] {
    SmallMachine world(machine(3));
    work(world, 50ms, 2'500);
    work(world, 50ms, 0);
    world.run();
    EXPECT_NEAR(static_cast<double>(steps(world)), 50, 2);
    EXPECT_EQ(world.kernel.cpus.preemptions(), 0U);
  });
}

TEST_P(RcuTest, AGracePeriodIsOverWhenAllHaveBeenInUserModeIdleOrSwitched) {
  for (const bool in_kernel : {false, true}) {
    check_in_child([in_kernel] {
      SmallMachine world(machine(4));
      work(world, 20ms, 1);
      world.add([in_kernel](Task& task) {
        if (in_kernel) task.enter(Phase::munlock);
        work_in_steps(task, 7'500us);
        task.enter(Phase::idle);
      });
      world.run();
      // One to begin with, one for each look, the last of them at the first tick after it.
      EXPECT_EQ(steps(world), in_kernel ? 1 + 7 : 1 + 1);
    });
  }
}

TEST_P(RcuTest, WhoSpinsForASemaphoreHasToStop) {
  check_in_child([] {
    SmallMachineSpec spec = tests::rwsem_machine(RwsemFlavour::spin_handoff, GetParam());
    spec.cpus = 2;
    spec.scheduler.tick = kTick;
    spec.scheduler.latency = 6ms;
    spec.scheduler.wakeup_granularity = 1us;
    spec.noise.grace_periods = Constant{kStep};
    SmallMachine world(spec);
    world.add(
        [&](Task& holder) {
          holder.enter(Phase::munlock);  // not quiescent until it has switched
          call_rcu(world.kernel);
          world.mm.mmap_sem.down_write(holder);
          work_in_steps(holder, 5ms);
          world.mm.mmap_sem.up_write(holder);
          holder.enter(Phase::idle);
        },
        {.cpus = {0}});
    Task& spinner = world.add(
        [&](Task& task) {
          task.sleep_until(at(1'500'000));  // so RCU's thread comes to its CPU, which is idle
          world.mm.mmap_sem.down_write(task);
          world.mm.mmap_sem.up_write(task);
        },
        {.cpus = {1}});
    world.run();
    EXPECT_NEAR(static_cast<double>(spinner.spin_time().count()), 5e5, 1e4) << "up to the tick";
  });
}

}  // namespace
}  // namespace models::rcu_test
