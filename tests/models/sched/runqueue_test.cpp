// Run queues with control groups, driven by a clock of the test's own: ticks on every queue, and nothing else.
//
// What is expected comes from kernel/sched/fair.c of 6.1 and from arithmetic. A group needs an engine for its period
// timer; SimGrid allows one a process, so each of these tests runs in a child.
#include "models/sched/runqueue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/engine.h"
#include "sim/random.h"
#include "tests/support/in_child.h"

namespace models::runqueue_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using sim::Time;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::int64_t kOne = kNice0Load;

// Tunables as they are on 8 CPUs with 250 Hz, given as they are on one.
SchedulerSpec scheduler(FairFlavour flavour, Nanoseconds tick = 4ms) {
  SchedulerSpec spec;
  spec.tick = tick;
  spec.flavour = flavour;
  spec.latency = 24ms;
  spec.min_granularity = 3ms;
  spec.wakeup_granularity = 4ms;
  spec.base_slice = 3ms;
  return spec;
}

SchedulerSpec stops_at_user_return(SchedulerSpec spec) {
  spec.throttling = Throttling::at_user_return;
  return spec;
}

std::vector<GroupSpec> one_group(int weight) { return {{"group", weight, {}}}; }
std::vector<GroupSpec> limited(Nanoseconds quota, Nanoseconds period = 100ms) {
  return {{"limited", 100, CpuMax{quota, period}}};
}

class Machine {
 public:
  Machine(std::size_t cpus, const SchedulerSpec& the_spec, const std::vector<GroupSpec>& group_specs = {})
      : spec(the_spec), rules(fair_rules(spec, 1)), engine({}), running(cpus) {
    for (const GroupSpec& group : group_specs) {
      const int index = static_cast<int>(groups.size());
      groups.emplace_back(engine, group, [this, index] { refilled(index); });
    }
    for (std::size_t cpu = 0; cpu < cpus; ++cpu) queues.emplace_back(rules, spec, groups);
  }

  // Does `body` from time 0 on, with period timers that fire as long as it is not done.
  void run(const std::function<void()>& body) {
    driver_ = &engine.spawn("driver", [&] {
      body();
      engine.stop();
    });
    engine.run();
  }

  // Nobody looks into a task here, so its place is all there is of it.
  SchedTask& make(int nice = 0, int group = -1) {
    SchedTask& task = tasks.emplace_back();
    task.entity.weight = weight_of_nice(nice);
    task.entity.task = name_of(task);
    task.group = group;
    return task;
  }
  static Task* name_of(SchedTask& task) { return static_cast<Task*>(static_cast<void*>(&task)); }

  SchedTask& start(std::size_t cpu, int nice = 0, int group = -1) {
    SchedTask& task = make(nice, group);
    queues[cpu].enqueue(task, Enqueue::initial, queues[cpu], now());
    return task;
  }
  void wake(std::size_t cpu, SchedTask& task) { queues[cpu].enqueue(task, Enqueue::wakeup, queues[cpu], now()); }
  void sleep(std::size_t cpu, SchedTask& task) {
    queues[cpu].dequeue(task, true, now());
    if (running[cpu] == &task) running[cpu] = nullptr;
  }
  void move(std::size_t from, std::size_t to, SchedTask& task) {
    queues[from].dequeue(task, false, now());
    if (running[from] == &task) running[from] = nullptr;
    queues[to].enqueue(task, Enqueue::migrated, queues[from], now());
  }

  // __schedule
  SchedTask* reschedule(std::size_t cpu) {
    SchedEntity* const next = queues[cpu].pick_next(now());
    SchedTask* const task = next == nullptr ? nullptr : task_of(*next);
    if (task != nullptr && task != running[cpu]) queues[cpu].set_next(*task, now());
    return running[cpu] = task;
  }
  // Whoever it is that should. As in __schedule the one that ran has been charged by then.
  void let_run(std::size_t cpu, SchedTask& task) {
    (void)queues[cpu].pick_next(now());
    queues[cpu].set_next(task, now());
    running[cpu] = &task;
  }
  void advance(Nanoseconds duration) {
    driver_->resume_at(now() + duration);
    driver_->park();
  }
  void ticks(std::int64_t count) {
    for (; count > 0; --count) {
      advance(spec.tick);
      for (std::size_t cpu = 0; cpu < queues.size(); ++cpu) {
        if (running[cpu] == nullptr || queues[cpu].tick(now())) reschedule(cpu);
      }
    }
  }
  [[nodiscard]] Time now() const { return engine.now(); }

  const SchedulerSpec spec;
  const FairRules rules;
  sim::Engine engine;
  std::deque<TaskGroup> groups;
  std::deque<RunQueue> queues;
  std::deque<SchedTask> tasks;
  std::vector<SchedTask*> running;
  bool unthrottles = true;  // at a refill

 private:
  SchedTask* task_of(const SchedEntity& entity) {
    for (SchedTask& task : tasks) {
      if (&task.entity == &entity) return &task;
    }
    return nullptr;
  }
  void refilled(int group) {
    if (!unthrottles) return;
    for (std::size_t cpu = 0; cpu < queues.size(); ++cpu) {
      if (queues[cpu].unthrottle(group, now()) && running[cpu] == nullptr) reschedule(cpu);
    }
  }

  sim::Actor* driver_ = nullptr;
};

Nanoseconds had(const SchedTask& task) { return task.entity.sum_exec_runtime; }

void in_machine(std::size_t cpus, const SchedulerSpec& spec, const std::vector<GroupSpec>& groups,
                const std::function<void(Machine&)>& body) {
  tests::check_in_child([&] {
    Machine machine(cpus, spec, groups);
    machine.run([&] { body(machine); });
  });
}

// See ShareTest in sched_fair_test.cpp for the bounds: n entities on one queue are that far from their shares, which
// is the larger of the two flavours' here.
Nanoseconds bound_of(const Machine& machine, std::int64_t entities) {
  return (machine.rules.latency + machine.rules.tick) * (1 + entities);
}

void expect_share(const Machine& machine, Nanoseconds got, Nanoseconds total, std::int64_t weight, std::int64_t load,
                  std::int64_t entities) {
  const Nanoseconds ideal = total * weight / load;
  // And a thousandth: weights are rounded.
  EXPECT_NEAR(static_cast<double>(got.count()), static_cast<double>(ideal.count()),
              static_cast<double>(bound_of(machine, entities).count()) + 0.001 * static_cast<double>(total.count()));
}

constexpr std::int64_t kTicks = 10'000;

class RunQueueTest : public testing::TestWithParam<FairFlavour> {};
INSTANTIATE_TEST_SUITE_P(, RunQueueTest, testing::Values(FairFlavour::cfs, FairFlavour::eevdf),
                         [](const auto& flavour) {
                           return std::string(flavour.param == FairFlavour::cfs ? "Cfs" : "Eevdf");
                         });

// ---------------------------------------------------------------------------------------------------------------
// Weights

TEST_P(RunQueueTest, AGroupOfThreeHasAsMuchAsOneTaskBesideItAndItsTasksAThirdOfThat) {
  in_machine(1, scheduler(GetParam()), one_group(100), [](Machine& machine) {
    const SchedTask& outside = machine.start(0);
    std::vector<const SchedTask*> inside;
    for (int task = 0; task < 3; ++task) inside.push_back(&machine.start(0, 0, 0));
    machine.reschedule(0);
    machine.ticks(kTicks);
    const Nanoseconds total = kTicks * machine.spec.tick;
    expect_share(machine, had(outside), total, 1, 2, 2);
    for (const SchedTask* task : inside) expect_share(machine, had(*task), total - had(outside), 1, 3, 3);
  });
}

TEST_P(RunQueueTest, AGroupsWeightCountsBesideTasksOutside) {
  for (const int weight : {50, 300, 1000}) {
    in_machine(1, scheduler(GetParam()), one_group(weight), [weight](Machine& machine) {
      const SchedTask& outside = machine.start(0);
      const SchedTask& inside = machine.start(0, 0, 0);
      machine.reschedule(0);
      machine.ticks(kTicks);
      expect_share(machine, had(inside), kTicks * machine.spec.tick, weight, weight + 100, 2);
      EXPECT_EQ(had(inside) + had(outside), kTicks * machine.spec.tick);
    });
  }
}

TEST_P(RunQueueTest, NicenessCountsInsideTheGroupOnly) {
  in_machine(1, scheduler(GetParam()), one_group(100), [](Machine& machine) {
    const SchedTask& outside = machine.start(0, 0);
    const SchedTask& nice = machine.start(0, 5, 0);
    const SchedTask& nicer = machine.start(0, 10, 0);
    machine.reschedule(0);
    machine.ticks(kTicks);
    const Nanoseconds total = kTicks * machine.spec.tick;
    expect_share(machine, had(outside), total, 1, 2, 2);
    expect_share(machine, had(nicer), had(nice) + had(nicer), 110, 110 + 335, 2);
  });
}

TEST_P(RunQueueTest, TwoGroupsShareByTheirWeightsWhateverTheNumberOfTheirTasks) {
  in_machine(1, scheduler(GetParam()), {{"many", 100, {}}, {"one", 200, {}}}, [](Machine& machine) {
    for (int task = 0; task < 4; ++task) (void)machine.start(0, 0, 0);
    const SchedTask& alone = machine.start(0, 0, 1);
    machine.reschedule(0);
    machine.ticks(kTicks);
    expect_share(machine, had(alone), kTicks * machine.spec.tick, 2, 3, 2);
  });
}

// calc_group_shares: on each CPU the part of the shares that is the part of the load. Everybody is there before the
// clock starts; a queue learns at its tick (entity_tick: update_cfs_group) that the group has more load elsewhere.
void check_parts(FairFlavour flavour, const std::vector<int>& members) {
  in_machine(members.size(), scheduler(flavour), one_group(100), [&](Machine& machine) {
    std::vector<const SchedTask*> outside;
    int all = 0;
    for (std::size_t cpu = 0; cpu < members.size(); ++cpu) {
      for (int task = 0; task < members[cpu]; ++task) (void)machine.start(cpu, 0, 0);
      outside.push_back(&machine.start(cpu));
      all += members[cpu];
    }
    for (std::size_t cpu = 0; cpu < members.size(); ++cpu) machine.reschedule(cpu);
    machine.ticks(kTicks);
    for (std::size_t cpu = 0; cpu < members.size(); ++cpu) {
      SCOPED_TRACE("CPU " + std::to_string(cpu));
      expect_share(machine, had(*outside[cpu]), kTicks * machine.spec.tick, all, all + members[cpu], 2);
    }
  });
}

TEST_P(RunQueueTest, AGroupOnTwoCpusHasItsWeightDividedBetweenThem) { check_parts(GetParam(), {1, 1}); }
TEST_P(RunQueueTest, AGroupsWeightIsDividedByTheLoadOfItsTasks) { check_parts(GetParam(), {1, 3}); }

TEST_P(RunQueueTest, AGroupsWeightIsBackOnOneCpuWhenItsTasksElsewhereSleep) {
  in_machine(2, scheduler(GetParam()), one_group(100), [](Machine& machine) {
    SchedTask& elsewhere = machine.start(1, 0, 0);
    const SchedTask& inside = machine.start(0, 0, 0);
    (void)machine.start(0);
    machine.reschedule(0);
    machine.reschedule(1);
    machine.ticks(100);
    machine.sleep(1, elsewhere);
    const Nanoseconds before = had(inside);
    machine.ticks(kTicks);
    expect_share(machine, had(inside) - before, kTicks * machine.spec.tick, 1, 2, 2);
  });
}

// A task of the group sleeps on CPU 0 with its dequeue delayed, and leaves when it is picked: now the two CPUs have the
// same load again, and half of the group's weight each.
TEST(RunQueueDelayedTest, AGroupsWeightFollowsWhenADelayedSleeperIsTakenOff) {
  SchedulerSpec spec = scheduler(FairFlavour::eevdf);
  spec.delayed_dequeue = true;
  in_machine(2, spec, one_group(100), [](Machine& machine) {
    (void)machine.start(1, 0, 0);
    const SchedTask& stays = machine.start(0, 0, 0);
    SchedTask& sleeper = machine.start(0, 0, 0);
    (void)machine.start(0);
    machine.reschedule(1);
    machine.let_run(0, sleeper);
    machine.advance(4ms);
    machine.sleep(0, sleeper);
    ASSERT_TRUE(sleeper.entity.sched_delayed);
    machine.reschedule(0);
    machine.ticks(100);
    ASSERT_FALSE(sleeper.entity.on_rq);
    const Nanoseconds before = had(stays);
    machine.ticks(kTicks);
    expect_share(machine, had(stays) - before, kTicks * machine.spec.tick, 1, 3, 2);
  });
}

TEST_P(RunQueueTest, ATaskThatMovesTakesItsLoadAlong) {
  in_machine(2, scheduler(GetParam()), one_group(100), [](Machine& machine) {
    (void)machine.start(0, 0, 0);
    SchedTask& moves = machine.start(0, 0, 0);
    const SchedTask& there = machine.start(1);
    machine.reschedule(0);
    machine.reschedule(1);
    machine.ticks(50);
    machine.move(0, 1, moves);
    EXPECT_EQ(machine.queues[0].load(), kOne);
    EXPECT_EQ(machine.queues[1].load(), 2 * kOne);
    EXPECT_EQ(machine.groups[0].load, 2 * kOne);
    machine.reschedule(0);
    const Nanoseconds before = had(there);
    machine.ticks(kTicks);
    // Half of the group's weight came with it.
    expect_share(machine, had(there) - before, kTicks * machine.spec.tick, 2, 3, 2);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Who runs

TEST_P(RunQueueTest, NobodyIsPickedFromAnEmptyQueue) {
  in_machine(1, scheduler(GetParam()), one_group(100), [](Machine& machine) {
    EXPECT_EQ(machine.reschedule(0), nullptr);
    SchedTask& task = machine.start(0, 0, 0);
    EXPECT_EQ(machine.reschedule(0), &task);
    machine.advance(1ms);
    machine.sleep(0, task);
    EXPECT_EQ(machine.reschedule(0), nullptr);
    EXPECT_FALSE(machine.queues[0].tick(machine.now()));
  });
}

TEST(RunQueueCfsTest, AWokenTaskPreemptsAcrossGroupsByTheGroupsLead) {
  in_machine(1, scheduler(FairFlavour::cfs), one_group(100), [](Machine& machine) {
    SchedTask& woken = machine.start(0, 0, 0);
    SchedTask& outside = machine.start(0);
    machine.let_run(0, woken);
    machine.advance(1ms);
    machine.sleep(0, woken);
    machine.reschedule(0);
    ASSERT_EQ(machine.running[0], &outside);
    machine.advance(1s);
    machine.wake(0, woken);  // half a latency behind the one that runs: more than the granularity
    EXPECT_TRUE(machine.queues[0].wakeup_preempts(woken, machine.now()));
    EXPECT_EQ(machine.reschedule(0), &woken);
  });
}

// set_next_buddy() names the woken task's parents, too. The group is 3 ms behind the task outside, which is within the
// granularity, so the group has the CPU once more, for the task that preempted.
TEST(RunQueueCfsTest, ATaskThatPreemptsInsideItsGroupKeepsTheCpuForTheGroup) {
  in_machine(1, scheduler(FairFlavour::cfs), one_group(100), [](Machine& machine) {
    SchedTask& runs = machine.make(0, 0);
    SchedTask& woken = machine.make(0, 0);
    SchedTask& outside = machine.make();
    machine.wake(0, runs);
    machine.wake(0, outside);
    machine.wake(0, woken);
    machine.let_run(0, outside);
    machine.advance(3ms);
    machine.let_run(0, runs);
    machine.advance(6ms);
    ASSERT_TRUE(machine.queues[0].wakeup_preempts(woken, machine.now()));
    EXPECT_EQ(machine.reschedule(0), &woken);
  });
}

// pick_next_task_fair puts and sets only what differs between the old task's ancestors and the new one's: the group
// goes on with its slice. 12 ms are its share of 24 ms between two equals.
TEST(RunQueueCfsTest, AGroupsSliceGoesOnWhenOneOfItsTasksSleepsAndAnotherRuns) {
  in_machine(1, scheduler(FairFlavour::cfs), one_group(100), [](Machine& machine) {
    SchedTask& first = machine.make(0, 0);
    SchedTask& second = machine.make(0, 0);
    SchedTask& outside = machine.make();
    for (SchedTask* task : {&first, &second, &outside}) machine.wake(0, *task);
    machine.let_run(0, outside);
    machine.advance(8ms);
    machine.let_run(0, first);
    machine.advance(7ms);
    machine.sleep(0, first);
    ASSERT_EQ(machine.reschedule(0), &second);
    machine.advance(6ms);  // 13 of the group; the second one has had 6, and the group is 5 ms ahead
    EXPECT_TRUE(machine.queues[0].tick(machine.now()));
  });
}

TEST_P(RunQueueTest, ATickIsNeededWhereThereIsAChoiceOrAQuota) {
  in_machine(1, scheduler(GetParam()), {{"free", 100, {}}, {"limited", 100, CpuMax{50ms, 100ms}}},
             [](Machine& machine) {
               RunQueue& queue = machine.queues[0];
               EXPECT_FALSE(queue.needs_tick());
               SchedTask& alone = machine.start(0, 0, 0);
               machine.reschedule(0);
               EXPECT_FALSE(queue.needs_tick());
               SchedTask& second = machine.start(0, 0, 0);
               EXPECT_TRUE(queue.needs_tick());
               machine.sleep(0, second);
               EXPECT_FALSE(queue.needs_tick());
               SchedTask& outside = machine.start(0);
               EXPECT_TRUE(queue.needs_tick());
               machine.sleep(0, outside);
               machine.sleep(0, alone);
               (void)machine.start(0, 0, 1);
               machine.reschedule(0);
               EXPECT_TRUE(queue.needs_tick());
             });
}

TEST_P(RunQueueTest, ThoseThatWaitAndTheLoadAreThoseOfAllLevels) {
  in_machine(1, scheduler(GetParam()), one_group(100), [](Machine& machine) {
    RunQueue& queue = machine.queues[0];
    EXPECT_THAT(queue.waiting(), IsEmpty());
    EXPECT_EQ(queue.load(), 0);
    SchedTask& outside = machine.start(0, 5);
    SchedTask& first = machine.start(0, 0, 0);
    SchedTask& second = machine.start(0, -5, 0);
    EXPECT_EQ(queue.load(), 335 + 1024 + 3121);
    machine.let_run(0, first);
    EXPECT_THAT(queue.waiting(), UnorderedElementsAre(Machine::name_of(outside), Machine::name_of(second)));
    EXPECT_THAT(queue.waiting(0), ElementsAre(Machine::name_of(second)));
    machine.sleep(0, second);
    EXPECT_THAT(queue.waiting(), ElementsAre(Machine::name_of(outside)));
    EXPECT_THAT(queue.waiting(0), IsEmpty());
    EXPECT_EQ(queue.load(), 335 + 1024);
  });
}

TEST(RunQueueDelayedTest, ADelayedSleeperNeitherWaitsNorIsLoad) {
  SchedulerSpec spec = scheduler(FairFlavour::eevdf);
  spec.delayed_dequeue = true;
  in_machine(1, spec, one_group(100), [](Machine& machine) {
    RunQueue& queue = machine.queues[0];
    for (const int group : {-1, 0}) {
      SchedTask& sleeper = machine.start(0, 0, group);
      SchedTask& other = machine.start(0, 0, group);
      machine.let_run(0, sleeper);
      machine.advance(1ms);
      machine.sleep(0, sleeper);
      ASSERT_TRUE(sleeper.entity.sched_delayed);
      EXPECT_THAT(queue.waiting(), ElementsAre(Machine::name_of(other)));
      EXPECT_EQ(queue.load(), kOne);
      EXPECT_EQ(machine.groups[0].load, group == 0 ? kOne : 0);
      queue.requeue_delayed(sleeper, machine.now());
      EXPECT_EQ(queue.load(), 2 * kOne);
      EXPECT_THAT(queue.waiting(), UnorderedElementsAre(Machine::name_of(sleeper), Machine::name_of(other)));
      machine.reschedule(0);
      machine.sleep(0, other);
      machine.sleep(0, sleeper);
      EXPECT_EQ(machine.reschedule(0), nullptr) << "whoever stayed has been taken off";
      EXPECT_FALSE(sleeper.entity.on_rq || other.entity.on_rq);
      EXPECT_EQ(queue.load(), 0);
      EXPECT_EQ(machine.groups[0].load, 0);
    }
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Quotas

TEST_P(RunQueueTest, AQueueTakesItsQuotaInSlicesOfFiveMilliseconds) {
  in_machine(2, scheduler(GetParam(), 1ms), limited(8ms), [](Machine& machine) {
    const SchedTask& first = machine.start(0, 0, 0);
    const SchedTask& second = machine.start(1, 0, 0);
    machine.reschedule(0);
    machine.reschedule(1);
    machine.ticks(50);
    // 5 went to the first as it came, what was left to the second.
    EXPECT_EQ(had(first), 5ms);
    EXPECT_EQ(had(second), 3ms);
    EXPECT_EQ(machine.running[0], nullptr);
    EXPECT_EQ(machine.running[1], nullptr);
  });
}

TEST_P(RunQueueTest, AGroupWithoutQuotaIsTakenOffAndComesBackWithTheRefill) {
  in_machine(1, scheduler(GetParam(), 1ms), limited(10ms), [](Machine& machine) {
    RunQueue& queue = machine.queues[0];
    const SchedTask& inside = machine.start(0, 0, 0);
    machine.reschedule(0);
    machine.ticks(9);
    EXPECT_FALSE(queue.throttled(0));
    EXPECT_EQ(queue.take_throttled(), std::nullopt);
    machine.ticks(1);
    EXPECT_TRUE(queue.throttled(0));
    EXPECT_EQ(queue.take_throttled(), 0);
    EXPECT_EQ(queue.take_throttled(), std::nullopt);
    EXPECT_EQ(queue.load(), kOne) << "it is runnable";
    EXPECT_TRUE(inside.entity.on_rq);
    machine.ticks(90);
    EXPECT_EQ(had(inside), 10ms);
    EXPECT_FALSE(queue.throttled(0));
    machine.ticks(99);
    EXPECT_EQ(had(inside), 20ms);
  });
}

TEST_P(RunQueueTest, WhileAGroupIsThrottledOthersHaveTheCpu) {
  in_machine(1, scheduler(GetParam(), 1ms), limited(10ms), [](Machine& machine) {
    SchedTask& inside = machine.start(0, 0, 0);
    SchedTask& second = machine.start(0, 0, 0);
    const SchedTask& outside = machine.start(0);
    machine.reschedule(0);
    machine.ticks(99);
    EXPECT_EQ(had(inside) + had(second), 10ms);
    EXPECT_EQ(had(outside), 89ms);
    EXPECT_THAT(machine.queues[0].waiting(0), UnorderedElementsAre(Machine::name_of(inside), Machine::name_of(second)));
  });
}

TEST_P(RunQueueTest, ATaskThatWakesInAThrottledGroupWaitsForTheRefill) {
  in_machine(1, scheduler(GetParam(), 1ms), limited(10ms), [](Machine& machine) {
    RunQueue& queue = machine.queues[0];
    SchedTask& sleeper = machine.make(0, 0);
    const SchedTask& other = machine.start(0, 0, 0);
    machine.reschedule(0);
    machine.ticks(20);
    ASSERT_TRUE(queue.throttled(0));
    machine.wake(0, sleeper);
    EXPECT_FALSE(queue.wakeup_preempts(sleeper, machine.now()));
    EXPECT_EQ(machine.reschedule(0), nullptr);
    machine.ticks(75);
    EXPECT_EQ(had(sleeper), 0ms);
    machine.ticks(15);
    EXPECT_GT(had(sleeper), 0ms);
    EXPECT_EQ(had(sleeper) + had(other), 20ms) << "a quota in each of two periods";
  });
}

TEST_P(RunQueueTest, AThrottledGroupWhoseTasksAllSleepComesBackWhenOneWakes) {
  in_machine(1, scheduler(GetParam(), 1ms), limited(10ms), [](Machine& machine) {
    SchedTask& inside = machine.start(0, 0, 0);
    machine.reschedule(0);
    machine.ticks(20);
    machine.sleep(0, inside);
    machine.wake(0, inside);
    EXPECT_EQ(machine.reschedule(0), nullptr) << "throttled still";
    machine.sleep(0, inside);
    machine.ticks(100);
    machine.wake(0, inside);
    EXPECT_EQ(machine.reschedule(0), &inside);
  });
}

TEST_P(RunQueueTest, AThrottledGroupStaysOnTheQueueWhereTasksStopOnTheirWayToUserMode) {
  in_machine(1, stops_at_user_return(scheduler(GetParam(), 1ms)), limited(10ms), [](Machine& machine) {
    RunQueue& queue = machine.queues[0];
    SchedTask& inside = machine.start(0, 0, 0);
    SchedTask& second = machine.start(0, 0, 0);
    machine.reschedule(0);
    machine.ticks(15);
    EXPECT_TRUE(queue.throttled(0));
    EXPECT_EQ(queue.take_throttled(), 0);
    EXPECT_NE(machine.running[0], nullptr) << "it may hold a lock";
    EXPECT_EQ(had(inside) + had(second), 15ms);
    EXPECT_EQ(queue.waiting().size(), 1U);
    queue.dequeue(inside, false, machine.now());  // both come to user mode
    queue.dequeue(second, false, machine.now());
    EXPECT_EQ(machine.reschedule(0), nullptr);
    EXPECT_TRUE(queue.throttled(0));
    machine.ticks(85);
    EXPECT_FALSE(queue.throttled(0));
  });
}

// 4 ms ticks find 12 ms used of 10; so 8 are left of the next quota.
TEST_P(RunQueueTest, WhatWasUsedBeyondTheQuotaIsPaidForFirst) {
  in_machine(1, scheduler(GetParam()), limited(10ms), [](Machine& machine) {
    const SchedTask& inside = machine.start(0, 0, 0);
    machine.reschedule(0);
    machine.ticks(24);
    EXPECT_EQ(had(inside), 12ms);
    machine.ticks(25);
    EXPECT_EQ(had(inside), 20ms);
  });
}

// In kernel mode for two quotas and a half: the first refills go into the debt and nobody runs.
TEST_P(RunQueueTest, AGroupStaysThrottledUntilItsDebtIsPaid) {
  in_machine(1, stops_at_user_return(scheduler(GetParam(), 1ms)), limited(10ms), [](Machine& machine) {
    RunQueue& queue = machine.queues[0];
    SchedTask& inside = machine.start(0, 0, 0);
    machine.reschedule(0);
    machine.ticks(35);
    queue.dequeue(inside, false, machine.now());
    machine.running[0] = nullptr;
    machine.ticks(210 - 35);  // 25 ms of debt, less 2 quotas
    EXPECT_TRUE(queue.throttled(0));
    machine.ticks(100);
    EXPECT_FALSE(queue.throttled(0));
  });
}

// min_cfs_rq_runtime: 1 ms stays.
TEST_P(RunQueueTest, AQueueThatRunsEmptyReturnsAllButAMillisecond) {
  in_machine(2, scheduler(GetParam(), 1ms), limited(5ms), [](Machine& machine) {
    SchedTask& first = machine.start(0, 0, 0);
    machine.reschedule(0);
    machine.ticks(1);
    machine.sleep(0, first);  // 4 of its slice of 5 are left
    const SchedTask& second = machine.start(1, 0, 0);
    machine.reschedule(1);
    machine.ticks(50);
    EXPECT_EQ(had(second), 3ms);
    machine.wake(0, first);
    machine.reschedule(0);
    machine.ticks(20);
    EXPECT_EQ(had(first), 2ms);
  });
}

// put_prev_entity and throttle_cfs_rq ask for runtime before they throttle. Here the group loses the CPU to one outside
// at the moment at which its quota ends, and waits over the refill: it must have of the new quota.
TEST_P(RunQueueTest, AGroupThatWaitedOverTheRefillHasItsQuota) {
  in_machine(1, scheduler(GetParam()), limited(10ms), [](Machine& machine) {
    SchedTask& inside = machine.start(0, 0, 0);
    SchedTask& outside = machine.start(0, -20);
    machine.let_run(0, inside);
    machine.advance(12ms);
    ASSERT_TRUE(machine.queues[0].tick(machine.now()));
    machine.let_run(0, outside);
    machine.advance(100ms);
    machine.sleep(0, outside);
    EXPECT_EQ(machine.reschedule(0), &inside);
    EXPECT_FALSE(machine.queues[0].throttled(0));
  });
}

// Over all queues: what was taken out of the pool, and a tick more on each that overran. All of it is used, but for
// what is left of a slice on each.
TEST_P(RunQueueTest, NoGroupHasMoreThanItsQuotaInAPeriodOnAnyNumberOfCpus) {
  for (const std::int64_t cpus : {1, 2, 5}) {
    in_machine(static_cast<std::size_t>(cpus), scheduler(GetParam()), limited(37ms), [cpus](Machine& machine) {
      for (std::size_t cpu = 0; cpu < machine.queues.size(); ++cpu) {
        for (int task = 0; task < 2; ++task) (void)machine.start(cpu, 0, 0);
        if (cpu % 2 == 1) (void)machine.start(cpu);
        machine.reschedule(cpu);
      }
      for (int tick = 1; tick <= 1'000; ++tick) {
        machine.ticks(1);
        Nanoseconds used{};
        for (const SchedTask& task : machine.tasks) used += task.group == 0 ? had(task) : 0ns;
        const std::int64_t periods = machine.now().time_since_epoch() / 100ms;
        ASSERT_LE(used.count(), ((periods + 1) * 37ms + cpus * machine.spec.tick).count()) << tick;
        ASSERT_GE(used.count(), (periods * 37ms - cpus * machine.spec.bandwidth_slice).count()) << tick;
      }
    });
  }
}

// The bound on one period: what the queues had left over, and its quota.
TEST_P(RunQueueTest, AGroupThatSleepsDoesNotSaveItsQuotaUp) {
  in_machine(1, scheduler(GetParam(), 1ms), limited(10ms), [](Machine& machine) {
    SchedTask& inside = machine.start(0, 0, 0);
    machine.reschedule(0);
    machine.ticks(2);
    machine.sleep(0, inside);
    machine.ticks(500);
    machine.wake(0, inside);
    machine.reschedule(0);
    machine.ticks(50);
    EXPECT_EQ(had(inside), 2ms + 1ms + 10ms) << "1 ms stayed on the queue";
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Histories: what holds whatever happens

// Tasks of no group, of one and of one with a quota run, sleep, wake and are pulled from queue to queue.
class History {
 public:
  History(Machine& machine, std::uint64_t seed) : machine_(machine), chance_(seed, "history", "operations") {
    for (const int group : {-1, 0, 1, -1, 0, 1, 0, 1, 1}) {
      SchedTask& task = machine_.make(static_cast<int>(chance_() % 11) - 5, group);
      home_[&task] = any_cpu();
      awake_[&task] = true;
      machine_.queues[home_[&task]].enqueue(task, Enqueue::initial, machine_.queues[home_[&task]], machine_.now());
    }
    for (std::size_t cpu = 0; cpu < machine_.queues.size(); ++cpu) machine_.reschedule(cpu);
  }

  void step() {
    machine_.advance(Nanoseconds{static_cast<std::int64_t>(chance_() % 2'000'000)});
    switch (chance_() % 6) {
      case 0:
        return sleep(any_cpu());
      case 1:
      case 2:
        return wake(any_task());
      case 3:
        return pull(any_cpu());
      default:
        return machine_.ticks(1);
    }
  }

  void check() {
    std::map<int, std::int64_t> group_loads{{0, 0}, {1, 0}};
    for (SchedTask& task : machine_.tasks) {
      if (awake_[&task] && task.group >= 0) group_loads[task.group] += task.entity.weight;
    }
    for (const auto& [group, load] : group_loads) {
      EXPECT_EQ(machine_.groups[static_cast<std::size_t>(group)].load, load);
    }
    for (std::size_t cpu = 0; cpu < machine_.queues.size(); ++cpu) check(cpu);
  }

 private:
  std::size_t any_cpu() { return chance_() % machine_.queues.size(); }
  SchedTask& any_task() { return machine_.tasks[chance_() % machine_.tasks.size()]; }

  void sleep(std::size_t cpu) {
    SchedTask* const task = machine_.running[cpu];
    if (task == nullptr) return;
    awake_[task] = false;
    machine_.sleep(cpu, *task);
    machine_.reschedule(cpu);
  }

  void wake(SchedTask& task) {
    if (std::exchange(awake_[&task], true)) return;
    RunQueue& last = machine_.queues[home_[&task]];
    if (task.entity.sched_delayed) {
      last.requeue_delayed(task, machine_.now());
    } else {
      home_[&task] = any_cpu();
      machine_.queues[home_[&task]].enqueue(task, Enqueue::wakeup, last, machine_.now());
    }
    arrived(task);
  }

  void pull(std::size_t cpu) {
    SchedTask& task = any_task();
    const std::size_t from = home_[&task];
    const bool waits = awake_[&task] && machine_.running[from] != &task;
    if (!waits || from == cpu || machine_.queues[from].throttled(task.group)) return;
    home_[&task] = cpu;
    machine_.move(from, cpu, task);
    arrived(task);
  }

  void arrived(SchedTask& task) {
    const std::size_t cpu = home_[&task];
    const bool idle = machine_.running[cpu] == nullptr;
    if (idle || machine_.queues[cpu].wakeup_preempts(task, machine_.now())) machine_.reschedule(cpu);
  }

  void check(std::size_t cpu) {
    const RunQueue& queue = machine_.queues[cpu];
    std::int64_t load = 0;
    std::vector<Task*> waiting;
    for (SchedTask& task : machine_.tasks) {
      if (!awake_[&task] || home_[&task] != cpu) continue;
      load += task.entity.weight;
      const bool off = machine_.spec.throttling == Throttling::in_kernel && queue.throttled(task.group);
      if (machine_.running[cpu] != &task && !off) waiting.push_back(Machine::name_of(task));
    }
    EXPECT_EQ(queue.load(), load);
    EXPECT_THAT(queue.waiting(), testing::UnorderedElementsAreArray(waiting));
    if (machine_.running[cpu] != nullptr) {
      EXPECT_TRUE(awake_[machine_.running[cpu]]);
    } else {
      EXPECT_THAT(waiting, IsEmpty()) << "the CPU is idle";
    }
  }

  Machine& machine_;
  sim::Stream chance_;
  std::map<const SchedTask*, std::size_t> home_;
  std::map<const SchedTask*, bool> awake_;
};

void random_histories(SchedulerSpec spec, bool delayed_dequeue, Throttling throttling) {
  spec.delayed_dequeue = delayed_dequeue;
  spec.throttling = throttling;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    in_machine(3, spec, {{"free", 300, {}}, {"limited", 100, CpuMax{40ms, 100ms}}}, [seed](Machine& machine) {
      History history(machine, seed);
      for (int step = 0; step < 3'000 && !testing::Test::HasFailure(); ++step) {
        history.step();
        history.check();
      }
    });
  }
}

TEST_P(RunQueueTest, RandomHistoriesKeepTheBooksAndLeaveNoCpuIdleThatHasWork) {
  random_histories(scheduler(GetParam(), 1ms), false, Throttling::in_kernel);
}

TEST_P(RunQueueTest, RandomHistoriesWhereTasksStopOnTheirWayToUserModeDoSo) {
  random_histories(scheduler(GetParam(), 1ms), false, Throttling::at_user_return);
}

TEST(RunQueueDelayedTest, RandomHistoriesWithDelayedDequeueDoSo) {
  random_histories(scheduler(FairFlavour::eevdf, 1ms), true, Throttling::in_kernel);
  random_histories(scheduler(FairFlavour::eevdf, 1ms), true, Throttling::at_user_return);
}

}  // namespace
}  // namespace models::runqueue_test
