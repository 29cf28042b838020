// A thread of a recording: when it asks, for what, and what becomes of the run.

#include <gtest/gtest.h>

#include <memory>

#include "models/simulation.h"
#include "models/spec/recording.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::replay_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using tests::check_in_child;
using tests::kMiB;
using Call = RecordedRequest::Call;

Scenario machine() {
  Scenario scenario;
  scenario.machine.cpus = 8;
  scenario.machine.scheduler = {1ms, 0ns, 0ns};
  scenario.machine.costs.fault = Constant{500ns};
  scenario.machine.costs.populate_page = Constant{1000ns};
  scenario.memory.size = scenario.memory.free = Bytes(1024 * kMiB);
  scenario.processes.push_back({"db", true, {}, {{"heap", Bytes(10 * kPageSize)}}, {}});
  return scenario;
}

RecordedRequest hold(sim::Nanoseconds think, sim::Nanoseconds write, sim::Nanoseconds read, int thread = 0) {
  RecordedRequest request;
  request.think = think;
  request.write_hold = write;
  request.read_hold = read;
  request.thread = thread;
  return request;
}

RecordedRequest call(sim::Nanoseconds think, Call what, int pages, int region = 0) {
  RecordedRequest request;
  request.think = think;
  request.call = what;
  request.size = Bytes(pages * kPageSize);
  request.region = region;
  return request;
}

void add(Scenario& scenario, const std::string& name, int count, Recording recording) {
  ReplaySpec replay;
  replay.recording = std::make_shared<const Recording>(std::move(recording));
  replay.regions = {"heap"};
  scenario.processes.front().threads.push_back({name, count, replay});
}

Result run(const Scenario& scenario) { return simulate(scenario, Policy{}, {}); }

// What it took to wake up is in the time between two requests: only the beginning of its thread is later.
TEST(Replay, IsAwakeWhenItWas) {
  check_in_child([] {
    const auto length = [](sim::Nanoseconds wake_up) {
      Scenario scenario = machine();
      scenario.machine.scheduler.wake_up_latency = wake_up;
      add(scenario, "one", 1, {hold(10us, 1us, 0us), hold(20us, 1us, 0us), hold(2us, 1us, 0us)});
      return run(scenario).sim_time;
    };
    EXPECT_EQ(length(5us), length(0us) + 5us);
  });
}

// What a request has no use for is not the next one's.
TEST(Replay, WokenForTheLockItTakesAsLongToRunAsItDid) {
  check_in_child([] {
    Scenario scenario = machine();
    add(scenario, "writer", 1, {hold(10us, 30us, 0us), hold(210us, 30us, 0us), hold(220us, 30us, 0us)});
    RecordedRequest woken = hold(20us, 0us, 1us);
    woken.wake_ups = {40us};
    RecordedRequest not_woken = hold(19us, 0us, 2us);
    not_woken.wake_ups = {70us};
    RecordedRequest once = hold(158us, 0us, 3us);
    once.wake_ups = {9us, 50us};
    add(scenario, "reader", 1, {woken, not_woken, once, hold(218us, 0us, 1us)});
    const Result result = run(scenario);
    const Samples all = result.classes.at(1).total();
    EXPECT_EQ(all.latency().count(), 4U);
    EXPECT_EQ(all.latency().max(), 20us + 40us + 1us);
    EXPECT_EQ(all.latency().min(), 2us);
    EXPECT_EQ(all.latency().total(), (20us + 40us + 1us) + 2us + (20us + 9us + 3us) + (20us + 1us));
  });
}

TEST(Replay, EachThreadAsksSoLongAfterItsLastRequestAndTheRunEndsWithTheLast) {
  check_in_child([] {
    Scenario scenario = machine();
    add(scenario, "recorded", 2, {hold(10us, 0ns, 2us), hold(50us, 0ns, 3us, 1), hold(20us, 0ns, 4us)});
    const Result result = run(scenario);
    const Samples all = result.classes.at(0).total();
    EXPECT_EQ(all.latency().count(), 3U);
    EXPECT_EQ(all.latency().max(), 4us);
    EXPECT_EQ(result.classes.at(0).warm_up, 0U);
    EXPECT_EQ(result.sim_time, 53us);
  });
}

TEST(Replay, AHoldKeepsOthersOutInItsModeAndThenDowngrades) {
  check_in_child([] {
    Scenario scenario = machine();
    add(scenario, "writer", 1, {hold(10us, 30us, 50us)});
    add(scenario, "reader", 1, {hold(20us, 0ns, 1us)});
    const Result result = run(scenario);
    const RwsemStatistics& lock = result.locks.at(0).statistics;
    EXPECT_EQ((lock.asked.at({1, Phase::other, LockMode::read}).wait.max()), 20us);
    EXPECT_EQ((lock.hold.at({0, Phase::other, LockMode::write}).max()), 30us);
    EXPECT_EQ((lock.hold.at({0, Phase::other, LockMode::read}).max()), 50us);
  });
}

// mlock since 2.6.38: who has queued meanwhile comes in between.
TEST(Replay, ATwofoldHoldIsGivenUpInBetween) {
  for (const Call what : {Call::hold, Call::hold_twice}) {
    check_in_child([what] {
      Scenario scenario = machine();
      RecordedRequest request = hold(10us, 30us, 50us);
      request.call = what;
      add(scenario, "locker", 1, {request});
      add(scenario, "writer", 1, {hold(20us, 7us, 0us)});
      const RwsemStatistics lock = run(scenario).locks.at(0).statistics;
      const bool twice = what == Call::hold_twice;
      EXPECT_EQ((lock.asked.at({1, Phase::other, LockMode::write}).wait.max()), twice ? 20us : 70us);
      if (!twice) return;
      EXPECT_EQ((lock.asked.at({0, Phase::other, LockMode::read}).wait.max()), 7us);
    });
  }
}

TEST(Replay, WhatHasAModelIsCalledAndAnMlockIsThePhaseOfOthers) {
  check_in_child([] {
    Scenario scenario = machine();
    add(scenario, "locker", 1,
        {call(10us, Call::mlock, 10), call(10us, Call::munlock, 10), call(10us, Call::munmap, 4, -1),
         call(0us, Call::mmap, 4, -1), call(0us, Call::munmap, 4, -1)});
    add(scenario, "faulter", 1, {call(12us, Call::fault, 1, -1), call(0us, Call::kernel_fault, 1)});
    const Result result = run(scenario);
    const CallRecords& calls = result.classes.at(0).calls;
    EXPECT_EQ(calls.at("mlock").duration.count(), 1U);
    EXPECT_EQ(calls.at("mlock").pages, 10U);
    EXPECT_EQ(calls.at("munlock").duration.count(), 1U);
    EXPECT_EQ(calls.at("mmap").duration.count(), 1U);
    EXPECT_EQ(calls.at("munmap").duration.count(), 2U);
    EXPECT_TRUE(calls.at("mlock").errors.empty());
    EXPECT_GE(result.classes.at(1).during_call(Phase::mlock).latency().count(), 1U);
    EXPECT_EQ(result.classes.at(1).total().latency().count(), 2U);
  });
}

}  // namespace
}  // namespace models::replay_test
