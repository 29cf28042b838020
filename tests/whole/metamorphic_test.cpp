// What has to hold between two runs, whatever the figures of either are.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "experiments/run/result_pack.h"
#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/result_text.h"

namespace models::metamorphic_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Nanoseconds;
using tests::check_in_child;
using Call = ScriptStep::Call;

constexpr std::int64_t kMiB = std::int64_t{1} << 20U;
constexpr std::int64_t kPages = 16;

Policy policy_of(HoldMode populate) {
  Policy policy;
  policy.name = "test";
  policy.populate.mode = populate;
  return policy;
}

ThreadSpec faulter(const std::string& name, Nanoseconds think) {
  FaulterSpec spec;
  spec.arrival = ClosedLoop{Constant{think}};
  return {name, 1, spec};
}

std::vector<ThreadSpec>& threads(Scenario& scenario) { return scenario.processes.front().threads; }

/// A locker, two faulters and a mapper on CPUs enough. Nothing is drawn, so nothing hangs on names or seeds.
Scenario scenario_of(std::int64_t pages = kPages) {
  Scenario scenario;
  scenario.name = "metamorphic";
  scenario.machine.cpus = 8;
  scenario.machine.scheduler.context_switch = 700ns;
  scenario.machine.scheduler.wake_up_latency = 900ns;
  Costs& costs = scenario.machine.costs;
  costs.rwsem_operation = 20ns;
  costs.rwsem_wake = 300ns;
  costs.system_call = 110ns;
  costs.populate_page = Constant{1300ns};
  costs.mlock_page = Constant{300ns};
  costs.munlock_page = Constant{400ns};
  costs.zap_page = Constant{100ns};
  costs.fault = Constant{500ns};
  costs.mmap = Constant{320ns};
  costs.munmap = Constant{350ns};
  scenario.memory.size = Bytes(1024 * kMiB);
  scenario.memory.free = Bytes(1000 * kMiB);
  scenario.duration = 3ms;
  scenario.processes.push_back({"db", true, {}, {{"heap", Bytes(pages * kPageSize)}}, {}});
  threads(scenario) = {{"locker", 1, LockerSpec{"heap", {{Call::hold, 50us}, {Call::mlock}, {Call::munlock}}, 20}},
                       faulter("first", 7us),
                       faulter("second", 11us)};
  MapperSpec mapper;
  mapper.arrival = ClosedLoop{Constant{90us}};
  threads(scenario).push_back({"mapper", 1, mapper});
  return scenario;
}

Result run(const Scenario& scenario, HoldMode populate = HoldMode::downgrade) {
  return experiments::unpack([&] {
    const std::string bytes = tests::in_child([&] {
      const auto packed = experiments::pack(without_wall(simulate(scenario, policy_of(populate), {})));
      return std::string(packed.begin(), packed.end());
    });
    EXPECT_FALSE(bytes.starts_with("child failed")) << bytes;
    return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
  }());
}

const ClassResult& of(const Result& result, const std::string& name) {
  return *std::find_if(result.classes.begin(), result.classes.end(),
                       [&](const auto& each) { return each.name == name; });
}

/// All there is of a class but its name, and those of its tasks.
std::string figures(const Result& result, const std::string& name) {
  Result alone;
  alone.classes = {of(result, name)};
  ClassResult& nameless = alone.classes.front();
  nameless.name.clear();
  for (WorstRequest& each : nameless.worst) each.task.clear();
  if (nameless.longest_warm_up) nameless.longest_warm_up->task.clear();
  return experiments::complete_text(alone);
}

/// Everything that takes time, `factor` times as long.
Scenario scaled(Scenario scenario, int factor) {
  const auto scale = [&](auto& time) {
    if constexpr (std::is_same_v<std::decay_t<decltype(time)>, Nanoseconds>) {
      time *= factor;
    } else {
      time = Constant{std::get<Constant>(time.kind()).value * factor};
    }
  };
  for (const CostRow& row : kCosts) {
    std::visit([&](auto member) { scale(scenario.machine.costs.*member); }, row.member);
  }
  SchedulerSpec& scheduler = scenario.machine.scheduler;
  for (Nanoseconds* const time :
       {&scheduler.tick, &scheduler.context_switch, &scheduler.wake_up_latency, &scheduler.latency,
        &scheduler.min_granularity, &scheduler.wakeup_granularity, &scheduler.base_slice, &scheduler.migration_cost,
        &scheduler.bandwidth_slice, &*scenario.duration}) {
    scale(*time);
  }
  for (ThreadSpec& thread : threads(scenario)) {
    if (auto* const locker = std::get_if<LockerSpec>(&thread.run)) {
      for (ScriptStep& step : locker->script) scale(step.hold);
    }
    if (auto* const faults = std::get_if<FaulterSpec>(&thread.run)) scale(std::get<ClosedLoop>(faults->arrival).think);
    if (auto* const maps = std::get_if<MapperSpec>(&thread.run)) scale(std::get<ClosedLoop>(maps->arrival).think);
  }
  return scenario;
}

TEST(Metamorphic, AllTimesThreeTimesAsLongGiveLatenciesThreeTimesAsLong) {
  const Result before = run(scenario_of());
  const Result after = run(scaled(scenario_of(), 3));
  for (const ClassResult& each : before.classes) {
    const sim::Histogram latency = each.total().latency();
    if (latency.empty()) continue;
    const sim::Histogram longer = of(after, each.name).total().latency();
    EXPECT_EQ(longer.count(), latency.count()) << each.name;
    EXPECT_EQ(longer.max(), 3 * latency.max()) << each.name;
    EXPECT_EQ(longer.total(), 3 * latency.total()) << each.name;
  }
  for (const auto& [name, call] : before.calls()) {
    EXPECT_EQ(after.calls().at(name).duration.total(), 3 * call.duration.total()) << name;
  }
}

TEST(Metamorphic, AClassWithoutThreadsChangesNothing) {
  Scenario more = scenario_of();
  threads(more).push_back({"nobody", 0, threads(more)[1].run});
  const Result before = run(scenario_of());
  const Result after = run(more);
  EXPECT_EQ(after.events, before.events);
  for (const ClassResult& each : before.classes) EXPECT_EQ(figures(after, each.name), figures(before, each.name));
}

TEST(Metamorphic, NamesChangeNothingButNames) {
  Scenario renamed = scenario_of();
  threads(renamed)[0].name = "z";
  threads(renamed)[1].name = "y";
  threads(renamed)[2].name = "x";
  const Result before = run(scenario_of());
  const Result after = run(renamed);
  EXPECT_EQ(figures(after, "z"), figures(before, "locker"));
  EXPECT_EQ(figures(after, "y"), figures(before, "first"));
  EXPECT_EQ(figures(after, "x"), figures(before, "second"));
}

TEST(Metamorphic, FaultersThatDoTheSameSwap) {
  Scenario one = scenario_of();
  threads(one)[2] = faulter("second", 7us);
  Scenario other = one;
  std::swap(threads(other)[1].name, threads(other)[2].name);
  EXPECT_EQ(figures(run(one), "first"), figures(run(other), "second"));
  EXPECT_EQ(figures(run(one), "second"), figures(run(other), "first"));
}

TEST(Metamorphic, TwiceTheRegionIsTwiceAWriteHold) {
  const auto holds = [](std::int64_t pages) {
    Scenario scenario = scenario_of(pages);
    threads(scenario).resize(1);
    scenario.machine.costs.rwsem_operation = 0ns;
    scenario.machine.costs.system_call = 0ns;
    return run(scenario, HoldMode::write_held);
  };
  const Result once = holds(kPages);
  const Result twice = holds(2 * kPages);
  for (const char* const call : {"mlock", "munlock"}) {
    EXPECT_EQ(twice.calls().at(call).duration.max(), 2 * once.calls().at(call).duration.max()) << call;
  }
}

TEST(Metamorphic, ReadersAreNeverBetterOffUnderWriteHeldWhereNobodyElseWrites) {
  for (const std::int64_t pages : {1, 7, 64, 500}) {
    Scenario scenario = scenario_of(pages);
    threads(scenario).pop_back();
    const Result held = run(scenario, HoldMode::write_held);
    const Result downgraded = run(scenario, HoldMode::downgrade);
    for (const char* const name : {"first", "second"}) {
      EXPECT_GE(of(held, name).total().latency().max(), of(downgraded, name).total().latency().max()) << pages;
      EXPECT_LE(of(held, name).total().latency().count(), of(downgraded, name).total().latency().count()) << pages;
    }
  }
}

TEST(Metamorphic, OneMoreCpuThanThreadsNeedIsOneTooMany) {
  Scenario more = scenario_of();
  ++more.machine.cpus;
  const Result before = run(scenario_of());
  const Result after = run(more);
  for (const ClassResult& each : before.classes) EXPECT_EQ(figures(after, each.name), figures(before, each.name));
}

TEST(Metamorphic, WhereNothingIsDrawnTheSeedDecidesNothing) {
  Scenario other = scenario_of();
  other.seed = 4711;
  Result after = run(other);
  after.seed = scenario_of().seed;
  EXPECT_EQ(tests::text_of(after), tests::text_of(run(scenario_of())));
}

TEST(Metamorphic, ALongerRunBeginsAsTheShorterOne) {
  Scenario longer = scenario_of();
  longer.duration = 2 * *longer.duration;
  const Result before = run(scenario_of());
  const Result after = run(longer);
  for (const ClassResult& each : before.classes) {
    EXPECT_GE(of(after, each.name).total().latency().count(), each.total().latency().count()) << each.name;
  }
}

}  // namespace
}  // namespace models::metamorphic_test
