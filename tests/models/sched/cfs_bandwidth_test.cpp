// The pool of a group's quota. What the queues do with it: runqueue_test.cpp.
#include "models/sched/cfs_bandwidth.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "sim/engine.h"
#include "sim/random.h"
#include "tests/support/in_child.h"

namespace models::cfs_bandwidth_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using sim::Time;
using tests::check_in_child;

constexpr CpuMax kMax{20ms, 100ms};

// One group, and an actor that uses it.
class Pool {
 public:
  explicit Pool(const GroupSpec& spec) : engine({}), group(engine, spec, [this] { refilled(); }) {}
  explicit Pool(const CpuMax& cpu_max = kMax) : Pool(GroupSpec{"group", 100, cpu_max}) {}

  void run(const std::function<void()>& body) {
    driver_ = &engine.spawn("driver", body);
    engine.run();
  }
  void sleep_until(Nanoseconds since_start) {
    driver_->resume_at(Time{since_start});
    driver_->park();
  }
  Nanoseconds take_all() { return group.take(1h); }

  sim::Engine engine;
  std::vector<Nanoseconds> refills;  // those that were told
  bool stays_throttled = false;
  TaskGroup group;

 private:
  void refilled() {
    refills.push_back(engine.now().time_since_epoch());
    if (stays_throttled) group.note_throttled();
  }
  sim::Actor* driver_ = nullptr;
};

void in_pool(const std::function<void(Pool&)>& body) {
  check_in_child([&] {
    Pool pool;
    pool.run([&] { body(pool); });
  });
}

// cpu_weight_write_u64: DIV_ROUND_CLOSEST_ULL(weight * 1024, 100), so that 100 is a task of nice 0.
TEST(TaskGroupTest, SharesAreTheWeightIn1024thsOfAHundredRoundedToTheNearest) {
  check_in_child([] {
    sim::Engine engine({});
    const auto shares = [&](int weight) { return TaskGroup(engine, {"", weight, {}}, {}).shares(); };
    EXPECT_EQ(shares(100), 1024);
    EXPECT_EQ(shares(50), 512);
    EXPECT_EQ(shares(10'000), 102'400);
    EXPECT_EQ(shares(1), 10);     // 10.24
    EXPECT_EQ(shares(33), 338);   // 337.92
    EXPECT_EQ(shares(99), 1014);  // 1013.76
  });
}

TEST(TaskGroupTest, OnlyAGroupWithCpuMaxHasBandwidth) {
  check_in_child([] {
    sim::Engine engine({});
    EXPECT_FALSE(TaskGroup(engine, {"", 100, {}}, {}).has_bandwidth());
    EXPECT_TRUE(TaskGroup(engine, {"", 100, kMax}, {}).has_bandwidth());
  });
}

TEST(TaskGroupTest, ThePoolIsFullAtFirstAndGivesWhatIsAskedForAsLongAsItLasts) {
  in_pool([](Pool& pool) {
    EXPECT_EQ(pool.group.take(5ms), 5ms);
    EXPECT_EQ(pool.group.take(14ms), 14ms);
    EXPECT_EQ(pool.group.take(5ms), 1ms);
    EXPECT_EQ(pool.group.take(5ms), 0ms);
  });
}

TEST(TaskGroupTest, WhatIsGivenBackIsThereForOthers) {
  in_pool([](Pool& pool) {
    EXPECT_EQ(pool.take_all(), 20ms);
    pool.group.give_back(3ms);
    pool.group.give_back(1ms);
    EXPECT_EQ(pool.take_all(), 4ms);
  });
}

TEST(TaskGroupTest, ThePoolIsRefilledAtMultiplesOfThePeriod) {
  in_pool([](Pool& pool) {
    pool.sleep_until(30ms);
    EXPECT_EQ(pool.take_all(), 20ms);
    pool.sleep_until(100ms - 1ns);
    EXPECT_EQ(pool.take_all(), 0ms);
    for (const Nanoseconds refill : {100ms, 200ms, 300ms}) {
      pool.sleep_until(refill + 1ns);
      EXPECT_EQ(pool.take_all(), 20ms);
      pool.sleep_until(refill + 100ms - 1ns);
      EXPECT_EQ(pool.take_all(), 0ms);
    }
  });
}

TEST(TaskGroupTest, OneWhoseFirstUseIsAtAMultipleIsRefilledAtTheNext) {
  in_pool([](Pool& pool) {
    pool.sleep_until(500ms);
    EXPECT_EQ(pool.take_all(), 20ms);
    pool.sleep_until(600ms - 1ns);
    EXPECT_EQ(pool.take_all(), 0ms);
    pool.sleep_until(600ms + 1ns);
    EXPECT_EQ(pool.take_all(), 20ms);
  });
}

TEST(TaskGroupTest, WhatIsNotUsedInAPeriodIsNotSavedUp) {
  in_pool([](Pool& pool) {
    EXPECT_EQ(pool.group.take(1ms), 1ms);
    pool.sleep_until(150ms);
    EXPECT_EQ(pool.take_all(), 20ms);
    pool.sleep_until(1050ms);  // several unused ones
    EXPECT_EQ(pool.take_all(), 20ms);
  });
}

TEST(TaskGroupTest, WhoeverIsThrottledIsToldOfTheNextRefillAndOfNoMore) {
  check_in_child([] {
    Pool pool;
    pool.run([&] {
      (void)pool.take_all();
      pool.sleep_until(20ms);
      pool.group.note_throttled();
      pool.sleep_until(550ms);
      (void)pool.take_all();  // nobody is throttled
    });
    EXPECT_EQ(pool.refills, std::vector<Nanoseconds>{100ms});
  });
}

TEST(TaskGroupTest, RefillsAreToldAsLongAsSomebodyStaysThrottled) {
  check_in_child([] {
    Pool pool;
    pool.stays_throttled = true;
    pool.run([&] {
      (void)pool.take_all();
      pool.group.note_throttled();
      pool.sleep_until(350ms);
      pool.stays_throttled = false;
    });
    EXPECT_EQ(pool.refills, (std::vector<Nanoseconds>{100ms, 200ms, 300ms, 400ms}));
  });
}

// do_sched_cfs_period_timer: a period without use ends it. Used in the period that ends at 300, not in the next one.
TEST(TaskGroupTest, TheTimerStopsAfterAPeriodWithoutUse) {
  check_in_child([] {
    Pool pool;
    Time actor_ends;
    pool.run([&] {
      pool.sleep_until(250ms);
      (void)pool.group.take(1ms);
      actor_ends = pool.engine.now();
    });
    EXPECT_EQ(actor_ends, Time{250ms});
    EXPECT_EQ(pool.engine.now(), Time{400ms}) << "the last event of the run";
  });
}

TEST(TaskGroupTest, TheTimerDoesNotStartWithoutUse) {
  check_in_child([] {
    Pool pool;
    pool.run([&] { pool.sleep_until(250ms); });
    EXPECT_EQ(pool.engine.now(), Time{250ms});
  });
}

TEST(TaskGroupTest, TheTimerStartsAgainWithTheNextUse) {
  in_pool([](Pool& pool) {
    (void)pool.take_all();
    pool.sleep_until(10'050ms);  // it has stopped long ago
    EXPECT_EQ(pool.take_all(), 20ms);
    pool.sleep_until(10'099ms);
    EXPECT_EQ(pool.take_all(), 0ms);
    pool.sleep_until(10'101ms);
    EXPECT_EQ(pool.take_all(), 20ms);
  });
}

TEST(TaskGroupTest, AQuotaOfMoreThanAPeriodIsForSeveralCpus) {
  check_in_child([] {
    Pool pool(CpuMax{350ms, 100ms});
    pool.run([&] { EXPECT_EQ(pool.take_all(), 350ms); });
  });
}

// Queues take slices, use some and return the rest before the period ends. In no period do they keep more than the
// quota.
void use_at_random(Pool& pool, std::uint64_t seed) {
  sim::Stream chance(seed, "queues", "slices");
  for (std::int64_t period = 0; period < 200; ++period) {
    Nanoseconds kept{};
    Nanoseconds at = period * kMax.period;
    for (; chance() % 16 != 0 && at < (period + 1) * kMax.period - 10ms;) {
      at += Nanoseconds{static_cast<std::int64_t>(1 + chance() % 10'000'000)};
      pool.sleep_until(at);
      const Nanoseconds taken = pool.group.take(Nanoseconds{static_cast<std::int64_t>(1 + chance() % 5'000'000)});
      const Nanoseconds unused{static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(taken.count() + 1))};
      pool.group.give_back(unused);
      kept += taken - unused;
      ASSERT_LE(kept.count(), kMax.quota.count()) << "period " << period;
    }
    // A quota for each period: what has not been kept is there.
    if (kept == 0ns) continue;
    ASSERT_EQ((kept + pool.take_all()).count(), kMax.quota.count());
  }
}

TEST(TaskGroupTest, InNoPeriodIsMoreKeptThanTheQuotaAndAllOfItIsThere) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    in_pool([seed](Pool& pool) { use_at_random(pool, seed); });
  }
}

}  // namespace
}  // namespace models::cfs_bandwidth_test
