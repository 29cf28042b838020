#include "models/measure/recorder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/random.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/small_machine.h"

namespace models::recorder_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::SmallMachine;
using tests::SmallMachineSpec;

TimeByCause parts(Nanoseconds cpu, Nanoseconds lock_wait) {
  TimeByCause times{};
  times[static_cast<std::size_t>(Cause::cpu)] = cpu;
  times[static_cast<std::size_t>(Cause::lock_wait)] = lock_wait;
  return times;
}

Nanoseconds of(const Blame& blame, Cause cause) { return blame.causes[static_cast<std::size_t>(cause)]; }

constexpr LockBlame kLocker{0, Phase::mlock_populate, LockMode::write, -1};
constexpr LockBlame kMapper{2, Phase::mmap, LockMode::write, -1};

TEST(Samples, BlameIsTheSumOfAllSamples) {
  Samples samples;
  samples.record(100ns, parts(100ns, 0ns));
  samples.record(5000ns, parts(100ns, 4900ns)).merge(LockTimes{{kLocker, 3900ns}, {kMapper, 1000ns}});
  const Blame blame = samples.blame();
  EXPECT_EQ(blame.count, 2U);
  EXPECT_EQ(of(blame, Cause::cpu), 200ns);
  EXPECT_EQ(of(blame, Cause::lock_wait), 4900ns);
  EXPECT_EQ(blame.lock_waits, (LockTimes{{kLocker, 3900ns}, {kMapper, 1000ns}}));
  EXPECT_EQ(samples.latency().count(), 2U);
  EXPECT_EQ(samples.latency().max(), 5000ns);
}

TEST(Ledger, OfAWaitOnlyThePartSinceAMomentCounts) {
  Ledger ledger;
  ledger.remember();
  ledger.add({at(200), at(1300), kLocker});
  ledger.add({at(1300), at(1400), kMapper});
  ledger.add({at(1400), at(1450), kLocker});
  EXPECT_EQ(tests::lock_times_since(ledger, at(100)), (LockTimes{{kLocker, 1150ns}, {kMapper, 100ns}}));
  EXPECT_EQ(tests::lock_times_since(ledger, at(1000)), (LockTimes{{kLocker, 350ns}, {kMapper, 100ns}}));
  EXPECT_EQ(tests::lock_times_since(ledger, at(1390)), (LockTimes{{kLocker, 50ns}, {kMapper, 10ns}}));
  EXPECT_EQ(tests::lock_times_since(ledger, at(1450)), LockTimes{});
  ledger.forget_before(at(1350));
  EXPECT_EQ(tests::lock_times_since(ledger, at(1390)), (LockTimes{{kLocker, 50ns}, {kMapper, 10ns}}));
}

// However the waits are cut, and from wherever they are asked for, what they come to is what walking them gives.
TEST(Ledger, SumsOfRandomWaitsAreThoseOfTheWaits) {
  sim::Stream chance(1, "waits", "test");
  Ledger ledger;
  ledger.remember();
  std::vector<LockWait> waits;
  std::int64_t time = 0;
  for (int number = 0; number < 500; ++number) {
    const std::int64_t from = time + static_cast<std::int64_t>(chance() % 3);
    time = from + 1 + static_cast<std::int64_t>(chance() % 50);
    waits.push_back({at(from), at(time), chance() % 2 == 0 ? kLocker : kMapper});
    ledger.add(waits.back());
  }
  for (std::int64_t since = 0; since <= time; since += 7) {
    LockTimes expected;
    for (const LockWait& wait : waits) {
      if (wait.to > at(since)) expected[wait.blame] += wait.to - std::max(wait.from, at(since));
    }
    EXPECT_EQ(tests::lock_times_since(ledger, at(since)), expected) << since;
  }
}

// As often as requests have asked for it, whatever they asked for in between: at once or after all of them it is the
// same.
TEST(Ledger, WhatRequestsOverlapInIsAddedForEachOfThem) {
  sim::Stream chance(2, "waits", "test");
  Ledger ledger;
  ledger.remember();
  LockTimes sums[2];
  LockTimes expected[2];
  std::int64_t time = 0;
  std::int64_t due = 0;
  for (int number = 0; number < 2000; ++number) {
    const std::int64_t from = time + static_cast<std::int64_t>(chance() % 3);
    time = from + 1 + static_cast<std::int64_t>(chance() % 50);
    ledger.add({at(from), at(time), chance() % 2 == 0 ? kLocker : kMapper});
    if (chance() % 3 == 0) continue;
    due += static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(1 + (time - due) / 4));
    if (chance() % 4 == 0) ledger.forget_before(at(due));
    const std::size_t size = chance() % 8 == 0 ? 1 : 0;
    for (const LockWait& wait : tests::lock_waits(ledger)) {
      if (wait.to > at(due)) expected[size][wait.blame] += wait.to - std::max(wait.from, at(due));
    }
    ledger.add_lock_times_since(at(due), sums[size]);
  }
  ledger.settle_lock_times();
  EXPECT_EQ(sums[0], expected[0]);
  EXPECT_EQ(sums[1], expected[1]);
}

// 1023 is the last with 10 bits, 1024 the first with 11; of these, 1152 begins the second eighth.
TEST(Samples, TheBlameOfTheTailLeavesShorterSamplesOut) {
  Samples samples;
  samples.record(1023ns, parts(1023ns, 0ns));
  samples.record(1024ns, parts(1024ns, 0ns));
  samples.record(3000ns, parts(3000ns, 0ns));
  EXPECT_EQ(samples.blame_from(1000ns).count, 3U);
  EXPECT_EQ(samples.blame_from(1024ns).count, 2U);
  EXPECT_EQ(samples.blame_from(1151ns).count, 2U);  // of the size of 1024
  EXPECT_EQ(samples.blame_from(1152ns).count, 1U);
  EXPECT_EQ(samples.blame_from(2048ns).count, 1U);
  EXPECT_EQ(of(samples.blame_from(2048ns), Cause::cpu), 3000ns);
  EXPECT_EQ(samples.blame_from(5000ns).count, 0U);
}

TEST(Samples, MergingEqualsRecordingEverythingInOne) {
  Samples a;
  Samples b;
  Samples both;
  for (int number = 1; number <= 50; ++number) {
    Samples& one = number % 3 == 0 ? a : b;
    const Nanoseconds wait = number * 37ns;
    const LockBlame& blame = number % 2 == 0 ? kLocker : kMapper;
    for (Samples* each : {&one, &both}) each->record(wait + 5ns, parts(5ns, wait))[blame] += wait;
  }
  a.merge(b);
  EXPECT_EQ(a, both);
}

// A sum that does not fit into 64 bits would be a small one, or a negative one.
TEST(Samples, MoreThan292YearsTogetherAreRefused) {
  constexpr Nanoseconds kHalf = sim::Histogram::kLargest;
  Samples samples;
  samples.record(kHalf, parts(kHalf, 0ns));
  samples.record(kHalf - 1ns, parts(0ns, kHalf - 1ns));
  EXPECT_EQ(samples.latency().total(), Nanoseconds::max());
  Samples more;
  more.record(1ns, parts(1ns, 0ns));
  EXPECT_THROW(samples.merge(more), std::overflow_error);
  EXPECT_THROW(samples.record(1ns, parts(1ns, 0ns)), std::overflow_error);
}

TEST(Samples, StoringAndRestoringLosesNothing) {
  Samples samples;
  samples.record(5000ns, parts(100ns, 4900ns))[kLocker] += 4900ns;
  EXPECT_EQ(Samples::restore(samples.latency(), samples.blame_by_size()), samples);
}

// ---------------------------------------------------------------------------------------------------------------

SmallMachineSpec machine() {
  SmallMachineSpec spec;
  spec.scheduler.wake_up_latency = 30ns;
  return spec;
}

void check_request(const Samples& samples, Nanoseconds latency, Nanoseconds cpu, Nanoseconds wake_up) {
  ASSERT_EQ(samples.latency().count(), 1U);
  EXPECT_EQ(samples.latency().max(), latency);
  EXPECT_EQ(of(samples.blame(), Cause::cpu), cpu);
  EXPECT_EQ(of(samples.blame(), Cause::wake_up), wake_up);
  EXPECT_EQ(of(samples.blame(), Cause::sleep), 0ns);
}

TEST(Request, CountsFromWhenItIsMade) {
  tests::check_in_child([] {
    SmallMachine world(machine());
    ClassRecord record;
    const PhaseLog phases;
    world.add([&](Task& task) {
      task.ledger().remember();
      task.work(400ns);
      Request request(task);
      task.work(100ns);
      request.end(record, phases);
    });
    world.run();
    check_request(record.during[0], 100ns, 100ns, 0ns);
  });
}

TEST(Request, ThatBecomesDueDuringASleepCountsFromThenWithTheWakeUp) {
  tests::check_in_child([] {
    SmallMachine world(machine());
    ClassRecord record;
    const PhaseLog phases;
    world.add([&](Task& task) {
      task.ledger().remember();
      task.work(400ns);
      Request request = Request::sleep_until(task, at(2000));
      EXPECT_EQ(task.now(), at(2030));
      task.work(100ns);
      request.end(record, phases);
    });
    world.run();
    check_request(record.during[0], 130ns, 100ns, 30ns);
  });
}

TEST(Request, IsRecordedUnderThePhaseInWhichItWasDue) {
  tests::check_in_child([] {
    SmallMachine world(machine());
    ClassRecord record;
    PhaseLog phases;
    phases.enter(Phase::mlock, at(0));
    phases.enter(Phase::munlock, at(1000));
    phases.enter(Phase::idle, at(2010));
    world.add([&](Task& task) {
      task.ledger().remember();
      Request request = Request::sleep_until(task, at(2000));
      task.work(100ns);
      request.end(record, phases);
    });
    world.run();
    EXPECT_EQ(record.during[static_cast<std::size_t>(Phase::munlock)].latency().count(), 1U);
    EXPECT_EQ(record.during[static_cast<std::size_t>(Phase::idle)].latency().count(), 0U);
  });
}

TEST(Request, ThatWasOverdueCountsFromWhenItWasDue) {
  tests::check_in_child([] {
    SmallMachine world(machine());
    ClassRecord record;
    const PhaseLog phases;
    world.add([&](Task& task) {
      task.ledger().remember();
      task.work(1000ns);  // until 1030
      Request request = Request::overdue(task, at(600));
      task.work(100ns);
      request.end(record, phases);
    });
    world.run();
    ASSERT_EQ(record.during[0].latency().count(), 1U);
    EXPECT_EQ(record.during[0].latency().max(), 530ns);
  });
}

// Due at 3, 6, 9, ...; the first is asked for.
TEST(OpenArrivals, KnowsHowManyAreLeftWithoutTakingThem) {
  OpenArrivals arrivals(sim::Constant{3ns}, sim::Stream(1, "test", "demand"), at(0));
  EXPECT_EQ(arrivals.next(), at(3));
  EXPECT_EQ(arrivals.left_until(at(5)), 0U);
  EXPECT_EQ(arrivals.left_until(at(6)), 1U);
  EXPECT_EQ(arrivals.left_until(at(30)), 9U);
  EXPECT_EQ(arrivals.next(), at(6));
}

}  // namespace
}  // namespace models::recorder_test
