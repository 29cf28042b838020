#include "sim/look_ahead.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/random.h"
#include "tests/support/in_child.h"

namespace sim::look_ahead_test {
namespace {

using namespace std::chrono_literals;

Time at(std::int64_t nanoseconds) { return Time{Nanoseconds{nanoseconds}}; }

// One actor that takes steps, and whoever disturbs it.
class World {
 public:
  explicit World(bool stepwise = false) : engine({stepwise, {}}) {}

  // `body` gets the actor and its look-ahead.
  void spawn_walker(const std::function<void(Actor&, LookAhead&)>& body) {
    walker_ = &engine.spawn("walker", [this, body] { body(*walker_, *ahead); });
    ahead.emplace(engine, *walker_);
  }
  void spawn_other(const std::function<void(Actor&)>& body) {
    Actor** const self = &others_.emplace_back(nullptr);
    *self = &engine.spawn("other", [self, body] { body(**self); });
  }

  Engine engine;
  std::optional<LookAhead> ahead;

 private:
  Actor* walker_ = nullptr;
  std::deque<Actor*> others_;
};

TEST(LookAhead, NobodyInTheWayMeansOneTurnForAllSteps) {
  tests::check_in_child([] {
    World world;
    std::vector<std::size_t> begun;
    world.spawn_walker([&](Actor&, LookAhead& ahead) {
      const std::vector<Nanoseconds> steps{10ns, 20ns, 30ns};
      EXPECT_EQ(ahead.run(steps, [&](std::size_t more) { begun.push_back(more); }), 3U);
      EXPECT_EQ(world.engine.now(), at(60));
    });
    world.engine.run();
    EXPECT_EQ(begun, std::vector<std::size_t>{3});
    EXPECT_EQ(world.engine.events(), 2U);  // between the steps
  });
}

TEST(LookAhead, OthersHaveTheirTurnsMeanwhile) {
  tests::check_in_child([] {
    World world;
    Time other{};
    world.spawn_walker([&](Actor&, LookAhead& ahead) {
      const std::vector<Nanoseconds> steps{10ns, 20ns};
      EXPECT_EQ(ahead.run(steps, [](std::size_t) {}), 2U);
      EXPECT_EQ(other, at(15));
    });
    world.spawn_other([&](Actor& self) {
      self.pass_time_until(at(15));
      other = world.engine.now();
    });
    world.engine.run();
  });
}

TEST(LookAhead, WhoCutsItFindsWhatHasBegunAndTheActorStopsAfterThePresentStep) {
  tests::check_in_child([] {
    World world;
    std::size_t begun = 0;
    world.spawn_walker([&](Actor&, LookAhead& ahead) {
      const std::vector<Nanoseconds> steps{10ns, 20ns, 30ns, 40ns};
      EXPECT_EQ(ahead.run(steps, [&](std::size_t more) { begun += more; }), 2U);
      EXPECT_EQ(world.engine.now(), at(30));
    });
    world.spawn_other([&](Actor& self) {
      self.pass_time_until(at(15));
      EXPECT_EQ(begun, 1U);
      world.ahead->cut();
      EXPECT_EQ(begun, 2U);
      world.ahead->cut();  // a second time changes nothing
      EXPECT_EQ(begun, 2U);
    });
    world.engine.run();
  });
}

// The end of a step and its being cut fall on the same nanosecond: the order of ranks decides, as it does step by step.
void cut_at_the_end_of_a_step(bool walker_first, std::size_t expected) {
  World world;
  std::size_t begun = 0;
  const auto walk = [&](Actor&, LookAhead& ahead) {
    const std::vector<Nanoseconds> steps{10ns, 20ns, 30ns};
    EXPECT_EQ(ahead.run(steps, [&](std::size_t more) { begun += more; }), expected);
  };
  const auto disturb = [&](Actor& self) {
    self.pass_time_until(at(10));
    world.ahead->cut();
    EXPECT_EQ(begun, expected);
  };
  if (walker_first) world.spawn_walker(walk);
  world.spawn_other(disturb);
  if (!walker_first) world.spawn_walker(walk);
  world.engine.run();
}

TEST(LookAhead, AStepThatEndsWhenItIsCutHasEndedIfItsActorComesFirst) {
  tests::check_in_child([] { cut_at_the_end_of_a_step(true, 2); });
  tests::check_in_child([] { cut_at_the_end_of_a_step(false, 1); });
}

// A walker whose steps count something, and others who look at the count at random moments: step by step, and ahead.
std::string watch(bool stepwise, std::uint64_t seed) {
  World world(stepwise);
  std::string log;
  std::size_t counted = 0;
  const auto count = [&](std::size_t more) { counted += more; };
  world.spawn_walker([&](Actor&, LookAhead& ahead) {
    Stream chance(seed, "walker", "steps");
    std::vector<Nanoseconds> steps(200);
    for (Nanoseconds& step : steps) step = Nanoseconds{static_cast<std::int64_t>(chance() % 7)};
    for (std::span<const Nanoseconds> left = steps; !left.empty();) {
      left = left.subspan(ahead.run(left.first(stepwise ? 1 : left.size()), count));
      if (!left.empty()) world.engine.count_events();
    }
    log += "done " + std::to_string(world.engine.now().time_since_epoch().count()) + "\n";
  });
  for (int other = 0; other < 2; ++other) {
    world.spawn_other([&, other](Actor& self) {
      Stream chance(seed, "other", std::to_string(other));
      for (int look = 0; look < 20; ++look) {
        self.pass_time_until(world.engine.now() + Nanoseconds{static_cast<std::int64_t>(chance() % 50)});
        world.ahead->cut();
        log += std::to_string(world.engine.now().time_since_epoch().count()) + " " + std::to_string(counted) + "\n";
      }
    });
  }
  world.engine.run();
  return log + std::to_string(world.engine.events());
}

TEST(LookAhead, NobodyCanTellItFromStepByStep) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    EXPECT_EQ(tests::in_child([&] { return watch(false, seed); }), tests::in_child([&] { return watch(true, seed); }))
        << seed;
  }
}

}  // namespace
}  // namespace sim::look_ahead_test
