#include "models/measure/measurement.h"

#include <gtest/gtest.h>

#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::measurement_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using tests::at;
using tests::check_in_child;
using tests::kMiB;

// ---------------------------------------------------------------------------------------------------------------
// The rules

TEST(Measurement, WithoutAWarmUpEverythingCounts) {
  const Measurement measurement;
  EXPECT_TRUE(measurement.counts(at(0)));
  EXPECT_TRUE(measurement.counts(at(1'000'000)));
}

TEST(Measurement, TheWarmUpEndsWhenEveryThreadHasBeenServedOnce) {
  Measurement measurement;
  measurement.begin_warm_up(std::nullopt);
  measurement.add_thread();
  measurement.add_thread();
  measurement.first_served(at(10));
  EXPECT_FALSE(measurement.counts(at(5)));
  measurement.first_served(at(30));
  EXPECT_TRUE(measurement.in_warm_up(at(29)));
  EXPECT_TRUE(measurement.counts(at(30)));
}

TEST(Measurement, TheWarmUpEndsWithALockersFirstCall) {
  Measurement measurement;
  measurement.begin_warm_up(std::nullopt);
  measurement.add_thread();
  measurement.locker_calls(at(20));
  measurement.locker_calls(at(40));
  measurement.first_served(at(50));
  EXPECT_EQ(measurement.warm_up_end(), at(20));
}

TEST(Measurement, TheWarmUpEndsAtItsLatestMoment) {
  Measurement measurement;
  measurement.begin_warm_up(at(100));
  measurement.add_thread();
  EXPECT_TRUE(measurement.in_warm_up(at(99)));
  EXPECT_TRUE(measurement.counts(at(100)));
  measurement.first_served(at(500));
  EXPECT_EQ(measurement.warm_up_end(), at(100));
}

TEST(Measurement, TheCoolDownLastsUntilNothingIsLeft) {
  Measurement measurement;
  bool all_served = false;
  measurement.begin_cool_down(at(100), 3, [&] { all_served = true; });
  EXPECT_TRUE(measurement.counts(at(100)));
  EXPECT_FALSE(measurement.counts(at(101)));
  measurement.take_off(2);
  EXPECT_FALSE(all_served);
  measurement.take_off(0);
  measurement.take_off(1);
  EXPECT_TRUE(all_served);
}

// ---------------------------------------------------------------------------------------------------------------
// Whole runs. Nothing has a cost but what is named.

Scenario quiet() {
  Scenario scenario;
  scenario.name = "test";
  scenario.machine.cpus = 8;
  scenario.machine.costs.populate_page = Constant{1000ns};
  scenario.machine.costs.fault = Constant{500ns};
  scenario.memory = tests::all_free(Bytes(64 * kMiB), Bytes(kMiB));
  scenario.processes.push_back({"db", true, {}, {{"heap", Bytes(16 * kPageSize)}}, {}});
  return scenario;
}

void add(Scenario& scenario, ThreadSpec thread) { scenario.processes.front().threads.push_back(std::move(thread)); }

FaulterSpec faulter(Arrival arrival) {
  FaulterSpec spec;
  spec.arrival = std::move(arrival);
  return spec;
}

Policy write_held() {
  Policy policy;
  policy.name = "write_held";
  return policy;
}

// The run is one write hold of 16 us from its first moment to its last. Those that wait for it are served after it.
TEST(MeasurementOfRuns, RequestsUnderWayAtTheEndAreServedAndCount) {
  check_in_child([] {
    Scenario scenario = quiet();
    add(scenario, {"locker", 1, LockerSpec{"heap", {{ScriptStep::Call::mlock}}, 1}});
    add(scenario, {"faulter", 3, faulter(ClosedLoop{Constant{1us}})});
    const Result result = simulate(scenario, write_held(), {});
    EXPECT_EQ(result.sim_time, 16us);
    EXPECT_EQ(result.warm_up, 0us);
    const ClassResult& faults = result.classes.at(1);
    EXPECT_EQ(faults.unfinished, 3U);
    EXPECT_EQ(faults.cut_off, 0U);
    EXPECT_EQ(faults.total().latency().count(), 3U);
    EXPECT_EQ(faults.total().latency().min(), 15us + 500ns);
    EXPECT_EQ(result.cool_down, 500ns);
  });
}

// A server that is asked for twice as much as it can do: half of it is left at the end, and half of that is served in
// as long again.
TEST(MeasurementOfRuns, TheCoolDownOfASaturatedRunIsAsLongAsTheRun) {
  check_in_child([] {
    Scenario scenario = quiet();
    scenario.duration = 100us;
    add(scenario, {"faulter", 1, faulter(OpenLoop{Constant{125ns}})});
    const Result result = simulate(scenario, write_held(), {});
    const ClassResult& faults = result.classes.at(0);
    EXPECT_EQ(result.sim_time, 100us);
    EXPECT_EQ(result.cool_down, 100us);
    // Due at 125, 250, ...: 800 in all. One is served every 500 ns from 125 on.
    EXPECT_EQ(faults.warm_up, 4U);  // due before the first one was served at 625
    EXPECT_EQ(faults.unfinished, 800U - 199U);
    EXPECT_EQ(faults.cut_off, 800U - 399U);
    EXPECT_EQ(faults.warm_up + faults.total().latency().count() + faults.cut_off, 800U);
  });
}

TEST(MeasurementOfRuns, AThreadThatThinksForLongHoldsTheWarmUpForATenthOfTheRunAtMost) {
  check_in_child([] {
    Scenario scenario = quiet();
    scenario.duration = 100us;
    add(scenario, {"faulter", 1, faulter(OpenLoop{Constant{1us}})});
    add(scenario, {"late", 1, faulter(ClosedLoop{Constant{80us}})});
    const Result result = simulate(scenario, write_held(), {});
    EXPECT_EQ(result.warm_up, 10us);
    EXPECT_EQ(result.classes.at(0).warm_up, 9U);
    EXPECT_EQ(result.classes.at(0).total().latency().count(), 91U);
  });
}

// The last step ends the process and all its threads: they make no more requests, and nobody waits for them.
TEST(MeasurementOfRuns, NobodyWaitsForThreadsWhoseProcessHasExited) {
  check_in_child([] {
    Scenario scenario = quiet();
    add(scenario, {"locker", 1, LockerSpec{"heap", {{ScriptStep::Call::mlock}, {ScriptStep::Call::exit}}, 1}});
    add(scenario, {"faulter", 2, faulter(OpenLoop{Constant{700ns}})});
    const Result result = simulate(scenario, write_held(), {});
    EXPECT_LT(result.cool_down, 2us);
  });
}

}  // namespace
}  // namespace models::measurement_test
