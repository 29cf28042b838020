#include "sim/engine.h"

#include <gtest/gtest.h>
#include <simgrid/s4u.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sim/context_switch.h"
#include "sim/random.h"
#include "tests/support/in_child.h"

namespace sim::engine_test {
namespace {

using namespace std::chrono_literals;

Time at(std::int64_t nanoseconds) { return Time{Nanoseconds{nanoseconds}}; }

// An engine and what its actors write down.
class World {
 public:
  explicit World(bool stepwise = false, std::vector<std::string> simgrid_arguments = {})
      : engine({stepwise, std::move(simgrid_arguments)}) {}

  // An actor whose body gets the actor itself.
  Actor& spawn(const std::string& name, const std::function<void(Actor&)>& body) {
    Actor*& self = selves_.emplace_back(nullptr);
    self = &engine.spawn(name, [&self, body] { body(*self); });
    return *self;
  }
  void note(const std::string& what) {
    log += std::to_string(engine.now().time_since_epoch().count()) + " " + what + "\n";
  }
  void sleep_until(Actor& actor, Time until) {
    actor.resume_at(until);
    actor.park();
  }

  Engine engine;
  std::string log;

 private:
  std::deque<Actor*> selves_;
};

class EngineInBothModes : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, EngineInBothModes, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

// Twenty actors in turn: 20,000 wake-ups, each 1 ns after the one before.
void wake_every_nanosecond(bool stepwise, Nanoseconds offset) {
  constexpr int kActors = 20;
  constexpr int kRounds = 1000;
  World world(stepwise);
  std::vector<Time> wakings;
  for (int number = 0; number < kActors; ++number) {
    world.spawn("sleeper", [&, number](Actor& self) {
      for (int round = 0; round < kRounds; ++round) {
        world.sleep_until(self, Time{offset + Nanoseconds{1 + round * kActors + number}});
        wakings.push_back(world.engine.now());
      }
    });
  }
  world.engine.run();
  ASSERT_EQ(wakings.size(), static_cast<std::size_t>(kActors * kRounds));
  for (std::size_t index = 0; index < wakings.size(); ++index) {
    ASSERT_EQ(wakings[index], Time{offset + Nanoseconds{1 + static_cast<std::int64_t>(index)}});
  }
}

TEST_P(EngineInBothModes, ActorsWakeAtTheirExactNanosecond) {
  tests::check_in_child([] { wake_every_nanosecond(GetParam(), 0ns); });
}

TEST_P(EngineInBothModes, ActorsWakeAtTheirExactNanosecondAfterThirtyDays) {
  tests::check_in_child([] { wake_every_nanosecond(GetParam(), 30 * 24h); });
}

// Step by step whenever a turn passes, otherwise in the end.
TEST_P(EngineInBothModes, SimGridsClockAgrees) {
  tests::check_in_child([] {
    World world(GetParam());
    for (int number = 0; number < 2; ++number) {
      world.spawn("sleeper", [&, number](Actor& self) {
        for (int round = 1; round <= 100; ++round) {
          world.sleep_until(self, at(1000 * round + 7 * number));
          if (!GetParam()) continue;
          EXPECT_NEAR(simgrid::s4u::Engine::get_clock(), to_seconds(world.engine.now()), 1e-12);
        }
      });
    }
    world.engine.run();
    EXPECT_NEAR(simgrid::s4u::Engine::get_clock(), to_seconds(world.engine.now()), 1e-12);
  });
}

// SimGrid adds the distance to the next date to its clock. When the clock more than doubles, the sum may be rounded up
// past that date, and then a second turn at the same nanosecond lies in SimGrid's past, which it refuses.
TEST_P(EngineInBothModes, TurnsPassAtOneNanosecondHoweverSimGridRoundsItsClock) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    tests::check_in_child([seed] {
      World world(GetParam());
      std::vector<int> turns(2);
      for (std::size_t number = 0; number < 2; ++number) {
        world.spawn("sleeper", [&, number](Actor& self) {
          Stream chance(seed, "test", "same for both");
          for (std::int64_t time = 1; time < 1'000'000'000'000;
               time = 3 * time + static_cast<std::int64_t>(chance() % 7)) {
            world.sleep_until(self, at(time));
            ++turns[number];
          }
        });
      }
      world.engine.run();
      EXPECT_GT(turns[0], 20);
      EXPECT_EQ(turns[0], turns[1]);
    });
  }
}

TEST_P(EngineInBothModes, BodiesBeginAtTimeZeroInTheOrderOfSpawning) {
  tests::check_in_child([] {
    World world(GetParam());
    for (const char* name : {"c", "a", "b"}) world.spawn(name, [&world, name](Actor&) { world.note(name); });
    world.engine.run();
    EXPECT_EQ(world.log, "0 c\n0 a\n0 b\n");
  });
}

TEST_P(EngineInBothModes, TiesAreInTheOrderOfRankWhateverTheOrderOfScheduling) {
  tests::check_in_child([] {
    World world(GetParam());
    // The last to be spawned makes its appointment first: the actors go to sleep in reverse order.
    for (int number = 0; number < 10; ++number) {
      world.spawn("sleeper", [&world, number](Actor& self) {
        world.sleep_until(self, at(10 - number));
        world.sleep_until(self, at(100));
        world.note(std::to_string(number));
      });
    }
    world.engine.run();
    EXPECT_EQ(world.log, "100 0\n100 1\n100 2\n100 3\n100 4\n100 5\n100 6\n100 7\n100 8\n100 9\n");
  });
}

TEST_P(EngineInBothModes, CallbacksFireInTheirPlaceAmongTheActors) {
  tests::check_in_child([] {
    World world(GetParam());
    Event early(world.engine.calendar(), [&] { world.note("early callback"); });
    world.spawn("actor", [&](Actor& self) {
      world.sleep_until(self, at(5));
      world.note("actor");
    });
    Event late(world.engine.calendar(), [&] { world.note("late callback"); });
    early.schedule(at(5));
    late.schedule(at(5));
    world.engine.run();
    EXPECT_EQ(world.log, "5 early callback\n5 actor\n5 late callback\n");
  });
}

TEST_P(EngineInBothModes, AnAppointmentCanBeMovedByOthers) {
  tests::check_in_child([] {
    World world(GetParam());
    Actor& sleeper = world.spawn("sleeper", [&](Actor& self) {
      world.sleep_until(self, at(100));
      world.note("first");
      world.sleep_until(self, at(200));
      world.note("second");
    });
    world.spawn("mover", [&](Actor& self) {
      world.sleep_until(self, at(50));
      EXPECT_EQ(sleeper.resumption(), at(100));
      sleeper.resume_at(at(70));  // earlier
      world.sleep_until(self, at(150));
      sleeper.resume_at(at(230));  // later
    });
    world.engine.run();
    EXPECT_EQ(world.log, "70 first\n230 second\n");
  });
}

TEST_P(EngineInBothModes, ACancelledAppointmentIsNotKeptUntilANewOneIsMade) {
  tests::check_in_child([] {
    World world(GetParam());
    Actor& sleeper = world.spawn("sleeper", [&](Actor& self) {
      world.sleep_until(self, at(100));
      world.note("sleeper");
      world.sleep_until(self, at(400));
      world.note("never");
    });
    world.spawn("canceller", [&](Actor& self) {
      world.sleep_until(self, at(50));
      sleeper.cancel_resumption();
      EXPECT_EQ(sleeper.resumption(), std::nullopt);
      world.sleep_until(self, at(300));
      world.note("canceller");
      sleeper.resume_at(at(300));
      world.sleep_until(self, at(350));
      sleeper.cancel_resumption();
    });
    world.engine.run();
    EXPECT_EQ(world.log, "300 canceller\n300 sleeper\n");
    EXPECT_EQ(world.engine.now(), at(350));
  });
}

TEST_P(EngineInBothModes, StopEndsTheRunAtThatMoment) {
  tests::check_in_child([] {
    World world(GetParam());
    world.spawn("stopper", [&](Actor& self) {
      world.sleep_until(self, at(10));
      world.engine.stop();
      world.note("finishes its turn");
      world.sleep_until(self, at(20));
      world.note("stopper goes on");
    });
    world.spawn("other", [&](Actor& self) {
      world.sleep_until(self, at(10));
      world.note("other");
    });
    world.engine.run();
    EXPECT_EQ(world.log, "10 finishes its turn\n");
    EXPECT_EQ(world.engine.now(), at(10));
  });
}

TEST_P(EngineInBothModes, ACallbackCanStopTheRun) {
  tests::check_in_child([] {
    World world(GetParam());
    Event end(world.engine.calendar(), [&] { world.engine.stop(); });
    end.schedule(at(55));
    world.spawn("forever", [&](Actor& self) {
      for (std::int64_t next = 10;; next += 10) {
        world.sleep_until(self, at(next));
        world.note("tick");
      }
    });
    world.engine.run();
    EXPECT_EQ(world.log, "10 tick\n20 tick\n30 tick\n40 tick\n50 tick\n");
    EXPECT_EQ(world.engine.now(), at(55));
  });
}

TEST_P(EngineInBothModes, TheRunEndsWhenNoEventIsLeft) {
  tests::check_in_child([] {
    World world(GetParam());
    world.spawn("waits in vain", [](Actor& self) { self.park(); });
    world.spawn("sleeper", [&](Actor& self) { world.sleep_until(self, at(7)); });
    world.engine.run();
    EXPECT_EQ(world.engine.now(), at(7));
  });
}

TEST_P(EngineInBothModes, RunRethrowsWhatAnActorThrew) {
  tests::check_in_child([] {
    World world(GetParam());
    world.spawn("thrower", [&](Actor& self) {
      world.sleep_until(self, at(5));
      throw std::runtime_error("the disk is on fire");
    });
    world.spawn("other", [&](Actor& self) {
      world.sleep_until(self, at(6));
      world.note("other");
    });
    try {
      world.engine.run();
      ADD_FAILURE() << "run() returned";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "the disk is on fire");
    }
    EXPECT_EQ(world.log, "");
  });
}

// SimGrid would tell of actors that it finds stuck.
TEST_P(EngineInBothModes, SimGridHasNothingToSayAboutTheEndOfARun) {
  tests::check_in_child([] {
    testing::internal::CaptureStderr();
    World world(GetParam());
    world.spawn("ends", [&](Actor& self) { world.sleep_until(self, at(10)); });
    world.spawn("stays", [](Actor& self) { self.park(); });
    world.engine.run();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  });
}

TEST_P(EngineInBothModes, TheStacksOfActorsThatAreStillParkedAreUnwound) {
  tests::check_in_child([] {
    struct Local {
      int& count;
      explicit Local(int& counter) : count(counter) {}
      Local(const Local&) = delete;
      Local& operator=(const Local&) = delete;
      ~Local() { ++count; }
    };
    int unwound = 0;
    World world(GetParam());
    for (int number = 0; number < 3; ++number) {
      world.spawn("waits in vain", [&](Actor& self) {
        const Local local(unwound);
        self.park();
      });
    }
    world.engine.run();
    EXPECT_EQ(unwound, 3);
  });
}

// Actors that sleep at random, often until the same moment, and move and cancel one another's appointments.
std::string random_history(std::uint64_t seed, bool stepwise, std::vector<std::string> simgrid_arguments = {}) {
  constexpr std::uint64_t kActors = 6;
  World world(stepwise, std::move(simgrid_arguments));
  Stream chance(seed, "test", "chance");
  std::vector<Actor*> actors;
  for (std::uint64_t number = 0; number < kActors; ++number) {
    actors.push_back(&world.spawn("actor", [&world, &chance, &actors, number](Actor& self) {
      for (int round = 0; round < 200; ++round) {
        const auto soon = Nanoseconds{static_cast<std::int64_t>(chance() % 4)};
        world.engine.count_events();
        if (chance() % 8 == 0) {
          Actor& other = *actors[chance() % kActors];
          if (other.resumption()) other.resume_at(world.engine.now() + soon + 1ns);
        }
        world.sleep_until(self, world.engine.now() + soon);
        world.note(std::to_string(number));
      }
    }));
  }
  world.engine.run();
  return world.log + std::to_string(world.engine.events()) + " steps\n";
}

TEST(EngineTest, StepwiseAndDefaultRunsHaveTheSameHistory) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const std::string by_default = tests::in_child([&] { return random_history(seed, false); });
    const std::string stepwise = tests::in_child([&] { return random_history(seed, true); });
    ASSERT_EQ(by_default.find("child failed"), std::string::npos) << by_default;
    ASSERT_NE(by_default.find("1200 steps"), std::string::npos);
    ASSERT_EQ(by_default, stepwise) << "seed " << seed;
  }
}

// Whose contexts nobody has looked at are not swapped.
TEST(EngineTest, OnlyTheContextsOfSimGridsThatWereLookedAtAreKnown) {
  EXPECT_TRUE(knows_contexts_of(3, 32));  // Debian 12
  EXPECT_TRUE(knows_contexts_of(4, 0));   // Debian 13
  for (const auto& [major, minor] : {std::pair(3, 31), std::pair(3, 33), std::pair(3, 36), std::pair(4, 1),
                                     std::pair(4, 32), std::pair(2, 32), std::pair(0, 0)}) {
    EXPECT_FALSE(knows_contexts_of(major, minor)) << major << "." << minor;
  }
}

// The way that turns go with any other version.
TEST(EngineTest, TurnsThatGoByWayOfSimGridMakeTheSameHistory) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const std::string by_default = tests::in_child([&] { return random_history(seed, false); });
    const std::string by_simgrid =
        tests::in_child([&] { return random_history(seed, false, {"--cfg=contexts/factory:thread"}); });
    ASSERT_NE(by_default.find("1200 steps"), std::string::npos);
    ASSERT_EQ(by_default, by_simgrid) << "seed " << seed;
  }
}

// Those of machines other than x86, and what SimGrid would choose there.
TEST(EngineTest, StacksThatAreSwitchedInOtherWaysMakeTheSameHistory) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer cannot follow stacks that are switched";
#endif
  const std::string by_default = tests::in_child([&] { return random_history(1, false); });
  ASSERT_NE(by_default.find("1200 steps"), std::string::npos);
  for (const char* const factory : {"boost", "ucontext"}) {
    const std::string other =
        tests::in_child([&] { return random_history(1, false, {std::string("--cfg=contexts/factory:") + factory}); });
    EXPECT_EQ(by_default, other) << factory;
  }
}

}  // namespace
}  // namespace sim::engine_test
