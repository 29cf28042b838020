#include "models/sched/idle_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/task.h"
#include "sim/random.h"
#include "tests/support/in_child.h"
#include "tests/support/rwsem_machine.h"
#include "tests/support/small_machine.h"

namespace models::idle_memory_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Nanoseconds;
using sim::Time;
using tests::at;
using tests::check_in_child;
using tests::kLatency;
using tests::SmallMachine;
using tests::SmallMachineSpec;

std::vector<IdleState> two_states() {
  return {{Constant{200us}, Constant{10us}, Constant{1us}, Constant{2us}, Constant{3us}},
          {Constant{1ms}, Constant{150us}, Constant{6us}, Constant{5us}, Constant{18us}}};
}

class IdleMemoryOfOne : public testing::Test {
 protected:
  const IdleState* idle(Nanoseconds length) { return memory_.end_idle(length, stream_); }
  Nanoseconds run(KernelPath path) { return memory_.run(path, stream_); }

  std::vector<IdleState> states_ = two_states();
  sim::Stream stream_{1, "cpu", "idle_states"};
  IdleMemory memory_{states_, 4ms};
};

TEST_F(IdleMemoryOfOne, IsInTheDeepestStateThatItHasBeenIdleLongEnoughFor) {
  EXPECT_EQ(idle(199us), nullptr);
  EXPECT_EQ(idle(200us), &states_[0]);
  EXPECT_EQ(idle(999us), &states_[0]);
  EXPECT_EQ(idle(1ms), &states_[1]);
}

// The menu governor's guess, until a tick has passed.
TEST_F(IdleMemoryOfOne, IsInNoDeepStateWhereMostIdlePeriodsAreShort) {
  const auto short_ones = [&](int count) {
    for (int period = 0; period < count; ++period) idle(10us);
  };
  short_ones(8);
  EXPECT_EQ(idle(4ms), &states_[0]) << "it was thought to take 10 us";
  EXPECT_EQ(idle(5ms), &states_[1]) << "at the tick it was seen not to";
  EXPECT_EQ(idle(3ms), &states_[0]) << "six of eight were 10 us";
  EXPECT_EQ(idle(3ms), &states_[1]) << "five of eight: anything may come";
  for (int period = 0; period < 8; ++period) idle(2ms);
  EXPECT_EQ(idle(2ms), &states_[1]) << "as they all are";
}

TEST_F(IdleMemoryOfOne, EachPathCostsMoreOnceAfterAnIdlePeriod) {
  EXPECT_EQ(run(KernelPath::mmap), 0ns) << "at the beginning it knows them all";
  idle(5ms);
  EXPECT_EQ(run(KernelPath::mmap), 6us);
  EXPECT_EQ(run(KernelPath::mmap), 0us);
  EXPECT_EQ(run(KernelPath::munmap), 6us) << "a path of its own";
  EXPECT_EQ(run(KernelPath::fault), 5us);
  EXPECT_EQ(run(KernelPath::proc_file), 18us);
  EXPECT_EQ(run(KernelPath::proc_file), 0us);
}

// As it is where the path's last run is an idle period or fifty ago.
TEST_F(IdleMemoryOfOne, ForgetsAPathForTheDeepestStateSinceItRan) {
  idle(5ms);
  run(KernelPath::mmap);
  idle(300us);
  EXPECT_EQ(run(KernelPath::mmap), 1us);
  EXPECT_EQ(run(KernelPath::munmap), 6us) << "it has not run since the deep one";
  idle(100us);
  EXPECT_EQ(run(KernelPath::mmap), 0us) << "that was too short";
}

TEST_F(IdleMemoryOfOne, DrawsHowLongItTakesToGetThere) {
  states_ = {{sim::Empirical{{1ms, 3ms}}, {}, Constant{6us}, {}, {}}};
  IdleMemory memory(states_, 4ms);
  int deep = 0;
  for (int period = 0; period < 4'000; ++period) deep += memory.end_idle(2ms, stream_) != nullptr ? 1 : 0;
  EXPECT_NEAR(deep, 2'000, 130) << "4 standard deviations";
  EXPECT_EQ(memory.end_idle(3ms, stream_), &states_[0]);
  EXPECT_EQ(memory.end_idle(999us, stream_), nullptr);
}

class IdleCpu : public testing::TestWithParam<bool> {
 protected:
  static SmallMachineSpec machine(int cpus = 1) {
    SmallMachineSpec spec = tests::rwsem_machine(RwsemFlavour::spin_handoff, GetParam());
    spec.cpus = cpus;
    spec.noise.idle_states = two_states();
    return spec;
  }
  /// How long running the path takes, which costs 100 ns by itself.
  static Nanoseconds time(Task& self, KernelPath path) {
    const Time began = self.settle();
    self.work(Constant{100ns}, path);
    return self.settle() - began;
  }
};
INSTANTIATE_TEST_SUITE_P(, IdleCpu, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

TEST_P(IdleCpu, WakesUpAndRunsAsItsStateSays) {
  check_in_child([] {
    SmallMachine world(machine());
    world.add([](Task& self) {
      const auto sleep = [&](Nanoseconds length) {
        const Time until = self.settle() + length;
        self.sleep_until(until);
        return self.now() - until;
      };
      EXPECT_EQ(sleep(100us), kLatency) << "in no state: what the scheduler's wake-ups take";
      time(self, KernelPath::mmap);
      EXPECT_EQ(sleep(500us), 10us);
      EXPECT_EQ(time(self, KernelPath::mmap), 1'100ns);
      EXPECT_EQ(time(self, KernelPath::mmap), 100ns);
      EXPECT_EQ(sleep(2ms), 150us);
      EXPECT_EQ(time(self, KernelPath::mmap), 6'100ns);
      EXPECT_EQ(time(self, KernelPath::fault), 5'100ns);
    });
    world.run();
  });
}

// It is the CPU that forgets, not the thread.
TEST_P(IdleCpu, RemembersWhatOthersHaveRunThereMeanwhile) {
  check_in_child([] {
    SmallMachine world(machine());
    std::optional<Nanoseconds> of_sleeper;
    world.add([&](Task& self) {
      self.sleep_until(self.settle() + 5ms);
      of_sleeper = time(self, KernelPath::mmap);
    });
    world.add([](Task& self) {
      for (int turn = 0; turn < 100; ++turn) {
        self.sleep_until(self.settle() + 90us);
        time(self, KernelPath::mmap);
      }
    });
    world.run();
    EXPECT_EQ(of_sleeper, 100ns);
  });
}

TEST_P(IdleCpu, ForgetsAloneWhereOthersAreBusy) {
  check_in_child([] {
    SmallMachine world(machine(2));
    std::vector<Nanoseconds> took;
    world.add([](Task& self) { self.work(20ms); });
    world.add([&](Task& self) {
      for (int turn = 0; turn < 2; ++turn) {
        self.sleep_until(self.settle() + 5ms);
        took.push_back(time(self, KernelPath::munmap));
      }
    });
    world.run();
    EXPECT_EQ(took, (std::vector<Nanoseconds>{6'100ns, 6'100ns}));
  });
}

}  // namespace
}  // namespace models::idle_memory_test
