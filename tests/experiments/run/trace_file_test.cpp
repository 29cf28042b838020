// Traces, read as strictly as their description (experiments/run/trace_file.h) is written, against what the run's
// result says of the same things.
#include "experiments/run/trace_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "experiments/scenario/scenario_file.h"
#include "tests/support/command_line.h"
#include "tests/support/in_child.h"
#include "tests/support/places.h"
#include "tests/support/tiny_scenario.h"
#include "tests/support/trace_reading.h"

namespace experiments::trace_file_test {
namespace {

using nlohmann::json;
using sim::Nanoseconds;
using sim::Time;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using tests::Arrow;
using tests::in_child;
using tests::Sample;
using tests::Slice;
using tests::Trace;
using namespace std::chrono_literals;

const std::vector<std::string> kPolicies{"write_held", "downgrade", "unlock_downgrade", "linux-5.18", "linux-6.4"};

Time at(Nanoseconds time) { return Time{time}; }

// ---------------------------------------------------------------------------------------------------------------
// Running

models::Scenario tiny(const std::string& policy, const std::vector<std::string>& sets = {}) {
  tests::use_source_configs();
  const tests::TemporaryFolder folder;
  Overrides overrides;
  overrides.policies = {policy};
  overrides.sets = sets;
  return read_scenario(folder.write("tiny.yaml", tests::kTinyScenario), overrides);
}

struct TracedRun {
  std::string text;
  models::Result result;
};

// Only in a child.
TracedRun run(const models::Scenario& scenario, const std::vector<TimeWindow>& windows = {kWholeRun},
              bool stepwise = false, models::Bytes limit = trace::kUnlimited) {
  std::ostringstream out;
  TraceFile trace(out, scenario, windows, limit);
  TracedRun run;
  run.result = models::simulate(scenario, scenario.policies.front(), {stepwise, {}}, trace.observer());
  trace.finish(Time{run.result.sim_time});
  run.text = out.str();
  return run;
}

std::string text_of_run(const models::Scenario& scenario, const std::vector<TimeWindow>& windows = {kWholeRun},
                        bool stepwise = false, models::Bytes limit = trace::kUnlimited) {
  return in_child([&] { return run(scenario, windows, stepwise, limit).text; });
}

const std::vector<std::string> kFaultsInTheHeap{"processes[0].threads.faulter.region=heap",
                                                "processes[0].threads.faulter.count=3",
                                                "processes[0].threads.faulter.closed.think=1us"};

class Traces : public testing::TestWithParam<std::string> {
 protected:
  // As it is, with too few CPUs, with too little memory, with faults where the locker works.
  static std::vector<models::Scenario> scenarios() {
    return {tiny(GetParam()), tiny(GetParam(), {"machine.cpus=2"}),
            tiny(GetParam(), {"memory.size=16MiB", "memory.free=2MiB", "memory.background=100MiB/s"}),
            tiny(GetParam(), kFaultsInTheHeap)};
  }
};

INSTANTIATE_TEST_SUITE_P(Policies, Traces, testing::ValuesIn(kPolicies), [](const auto& policy) {
  std::string name = policy.param;
  std::replace_if(
      name.begin(), name.end(), [](char letter) { return letter == '-' || letter == '.'; }, '_');
  return name;
});

Nanoseconds sum_of(const sim::Histogram& histogram) {
  return Nanoseconds{static_cast<std::int64_t>(histogram.sparse().sum_low)};
}

Nanoseconds area_under(const std::vector<Sample>& samples, Time end) {
  Nanoseconds area{0};
  for (std::size_t index = 0; index < samples.size(); ++index) {
    const Time until = index + 1 < samples.size() ? samples[index + 1].at : end;
    area += (until - samples[index].at) * samples[index].value;
  }
  return area;
}

bool waits_for_mmap_sem(const Slice& slice) {
  return slice.name == "waiting for mmap_sem" || slice.name == "spinning on mmap_sem";
}

// ---------------------------------------------------------------------------------------------------------------

void is_as_strict_as_its_description(const Trace& trace, const models::Result& result) {
  EXPECT_THAT(trace.slices, Not(IsEmpty()));
  EXPECT_THAT(trace.arrows, Not(IsEmpty()));
  for (const Slice& slice : trace.slices) {
    EXPECT_LE(slice.to, at(result.sim_time));
    EXPECT_TRUE(!slice.unfinished || slice.to == at(result.sim_time));
  }
  EXPECT_TRUE(trace.counters.contains({trace.pid_of("kernel"), "free pages"}));
}

void shows_holds_as_long_as_the_statistics_say(const Trace& trace, const models::Result& result) {
  ASSERT_EQ(result.locks.size(), 1u);
  std::map<std::string, Nanoseconds> shown;
  for (const Slice& slice : trace.slices) {
    if (slice.category != "hold" || slice.unfinished) continue;
    const std::string holder = slice.name.substr(0, slice.name.find('.'));
    shown[holder + slice.name.substr(slice.name.rfind(' '))] += slice.length();
  }
  std::map<std::string, Nanoseconds> recorded;
  for (const auto& [holds, lengths] : result.locks.front().statistics.hold) {
    const std::string holder = result.classes[static_cast<std::size_t>(holds.holder)].name;
    const auto sum = sum_of(lengths);
    const std::string mode(to_string(holds.mode));
    if (sum > 0ns) recorded[mode + ": " + holder + " " + std::string(to_string(holds.call))] = sum;
  }
  EXPECT_EQ(shown, recorded);
}

// Per task, from where it begins to wait until its hold begins.
Nanoseconds waits_before_holds(const Trace& trace) {
  std::map<std::string, std::vector<Slice>> by_task;
  for (const Slice& slice : trace.slices) {
    const std::size_t colon = slice.name.find(": ");
    if (slice.category == "hold") {
      by_task[slice.name.substr(colon + 2, slice.name.rfind(' ') - colon - 2)].push_back(slice);
    } else if (waits_for_mmap_sem(slice)) {
      by_task[trace.threads.at(slice.tid).second].push_back(slice);
    }
  }
  Nanoseconds sum{0};
  for (auto& [task, slices] : by_task) {
    std::sort(slices.begin(), slices.end(), [](const Slice& a, const Slice& b) { return a.from < b.from; });
    std::optional<Time> since;
    for (const Slice& slice : slices) {
      if (slice.category != "hold") {
        since = since.value_or(slice.from);
      } else if (since) {
        sum += slice.from - *since;
        since.reset();
      }
    }
  }
  return sum;
}

void shows_waits_as_long_as_the_statistics_say(const Trace& trace, const models::Result& result) {
  const models::RwsemStatistics& statistics = result.locks.front().statistics;
  EXPECT_GT(statistics.total_wait, 0ns);
  EXPECT_EQ(waits_before_holds(trace), statistics.total_wait);
  EXPECT_EQ(trace.sum([](const Slice& slice) { return slice.name == "spinning on mmap_sem"; }), statistics.spin_time);
  // With spin_handoff one that has been woken to try is on its way, and waits all the same.
  if (result.policy.starts_with("linux-")) return;
  EXPECT_EQ(trace.sum([](const Slice& slice) { return waits_for_mmap_sem(slice) && !slice.unfinished; }),
            statistics.total_wait);
}

void counts_as_many_in_the_queue_as_wait(const Trace& trace, const models::Result& result) {
  if (result.policy.starts_with("linux-")) return;  // one that was woken to try still queues
  const auto& samples = trace.counters.at({trace.pid_of("mmap_sem of db"), "queue length"});
  EXPECT_EQ(area_under(samples, at(result.sim_time)), trace.sum(waits_for_mmap_sem));
}

void counts_as_many_readers_as_hold(const Trace& trace, const models::Result& result) {
  const auto& samples = trace.counters.at({trace.pid_of("mmap_sem of db"), "readers holding"});
  EXPECT_EQ(area_under(samples, at(result.sim_time)),
            trace.sum([](const Slice& slice) { return slice.name.starts_with("read: "); }));
}

void shows_the_cpu_time_of_every_class(const Trace& trace, const models::Result& result) {
  for (const models::ClassResult& each : result.classes) {
    EXPECT_EQ(trace.sum([&](const Slice& slice) {
      return trace.threads.at(slice.tid).second.starts_with(each.name + ".") &&
             (slice.category == "cpu" || slice.category == "direct_reclaim");
    }),
              each.cpu() - each.spin)
        << each.name;
  }
}

// A task that spins has its CPU, too.
void shows_on_the_cpus_what_the_tasks_do_there(const Trace& trace, const models::Result& result) {
  Nanoseconds expected{};
  for (const models::ClassResult& each : result.classes) expected += each.cpu();
  const Nanoseconds shown = trace.sum([](const Slice& slice) {
    const bool of_kernel = slice.name == "kswapd" || slice.name == "background" || slice.name == "working_set";
    return slice.category == "on_cpu" && !of_kernel;
  });
  EXPECT_EQ(shown, expected);
}

// One run for all that is to be said of it: whoever reads a trace spends more than who writes it.
TEST_P(Traces, AreStrictAndSayWhatTheStatisticsSayAndTheSameStepByStep) {
  for (const models::Scenario& scenario : scenarios()) {
    const std::string whole = in_child([&] {
      const TracedRun traced = run(scenario);
      const Trace trace(traced.text);
      is_as_strict_as_its_description(trace, traced.result);
      shows_holds_as_long_as_the_statistics_say(trace, traced.result);
      shows_waits_as_long_as_the_statistics_say(trace, traced.result);
      counts_as_many_in_the_queue_as_wait(trace, traced.result);
      counts_as_many_readers_as_hold(trace, traced.result);
      shows_the_cpu_time_of_every_class(trace, traced.result);
      shows_on_the_cpus_what_the_tasks_do_there(trace, traced.result);
      return traced.text;
    });
    EXPECT_GT(whole.size(), 100'000u) << whole;
    EXPECT_EQ(whole, text_of_run(scenario, {kWholeRun}, true));
  }
}

// --- windows: the whole trace, cut by hand

using Windows = std::vector<TimeWindow>;
using SliceKey = std::tuple<int, Time, Time, std::string>;

std::set<SliceKey> slices_cut_to(const Windows& windows, const Trace& trace) {
  std::set<SliceKey> cut;
  for (const Slice& slice : trace.slices) {
    for (const TimeWindow& window : windows) {
      const Time from = std::max(slice.from, window.from);
      const Time to = std::min(slice.to, window.to);
      if (from < to) cut.emplace(slice.tid, from, to, slice.name);
    }
  }
  return cut;
}

std::set<std::tuple<int, Time, int, Time>> arrows_in(const Windows& windows, const Trace& trace) {
  const auto inside = [&](Time time) {
    return std::any_of(windows.begin(), windows.end(),
                       [&](const TimeWindow& window) { return window.from <= time && time < window.to; });
  };
  std::set<std::tuple<int, Time, int, Time>> found;
  for (const Arrow& arrow : trace.arrows) {
    if (inside(arrow.from) && inside(arrow.to)) found.insert(arrow.key());
  }
  return found;
}

// What holds when a window begins is its first sample.
std::map<Time, std::int64_t> samples_cut_to(const Windows& windows, const std::vector<Sample>& samples) {
  std::map<Time, std::int64_t> cut;
  for (const TimeWindow& window : windows) {
    for (const Sample& sample : samples) {
      if (sample.at < window.to) cut[std::max(sample.at, window.from)] = sample.value;
    }
  }
  return cut;
}

TEST_P(Traces, OfWindowsAreWhatLiesInThem) {
  const Windows windows{{at(6ms), at(6'500'001ns)}, {at(1'500us), at(3ms)}};
  for (const models::Scenario& scenario : scenarios()) {
    const Trace whole(text_of_run(scenario));
    const Trace cut(text_of_run(scenario, windows));
    EXPECT_EQ(slices_cut_to({kWholeRun}, cut), slices_cut_to(windows, whole));
    EXPECT_EQ(arrows_in({kWholeRun}, cut), arrows_in(windows, whole));
    for (const auto& [counter, samples] : whole.counters) {
      EXPECT_EQ(samples_cut_to({kWholeRun}, cut.counters.at(counter)), samples_cut_to(windows, samples));
    }
  }
}

// Wherever it ends: as strict as the whole, the same step by step, and what a window until then shows.
TEST_P(Traces, EndAtTheirLimit) {
  const models::Scenario scenario = scenarios().back();
  const Trace whole(text_of_run(scenario));
  for (const std::int64_t limit : {0, 20'000, 77'777}) {
    const std::string text = text_of_run(scenario, {kWholeRun}, false, models::Bytes{limit});
    EXPECT_LT(text.size(), static_cast<std::size_t>(limit) + 10'000);
    EXPECT_EQ(text_of_run(scenario, {kWholeRun}, true, models::Bytes{limit}), text);
    const Trace cut(text);
    ASSERT_EQ(cut.marks.size(), 1U);
    const Windows until{{Time{}, cut.marks.front()}};
    EXPECT_EQ(slices_cut_to(until, cut), slices_cut_to(until, whole));
  }
}

TEST(Trace, NamesProcessesAndThreadsInTheOrderOfTheScenario) {
  const Trace trace(text_of_run(tiny("downgrade")));
  std::vector<std::string> processes;
  for (const auto& [pid, name] : trace.processes) processes.push_back(name);
  EXPECT_THAT(processes, ElementsAre("db", "mmap_sem of db", "ps", "kernel", "CPUs"));
  EXPECT_THAT(trace.threads_of("db"), ElementsAre("locker.0", "faulter.0", "faulter.1", "open_faulter.0", "mapper.0"));
  EXPECT_THAT(trace.threads_of("ps"), ElementsAre("ps.0"));
  EXPECT_THAT(trace.threads_of("kernel"), ElementsAre("kswapd"));
  EXPECT_THAT(trace.threads_of("CPUs"), ElementsAre("CPU 0", "CPU 1", "CPU 2", "CPU 3"));
}

TEST(Trace, ShowsWhoReclaimsAndWhoWaitsForTheDevice) {
  const Trace trace(text_of_run(
      tiny("write_held", {"memory.size=16MiB", "memory.free=1MiB", "memory.background=400MiB/s", "memory.dirty=0.5"})));
  std::set<std::string> names;
  for (const Slice& slice : trace.slices) names.insert(slice.name);
  EXPECT_TRUE(names.contains("I/O"));
  EXPECT_TRUE(names.contains("reclaiming"));
  EXPECT_TRUE(names.contains("kswapd"));
  EXPECT_THAT(trace.threads_of("kernel"), testing::Contains("background"));
}

TEST(Trace, TellsWaitingForFaultsInAVmaFromWaitingForMmapSem) {
  const Trace trace(text_of_run(tiny("linux-6.15", kFaultsInTheHeap)));
  const auto is_of_vma = [](const Slice& slice) { return slice.name == "waiting for a VMA's readers"; };
  EXPECT_GT(trace.sum(is_of_vma), 0ns);
  for (const Slice& slice : trace.slices) {
    if (!is_of_vma(slice)) continue;
    EXPECT_TRUE(std::any_of(trace.slices.begin(), trace.slices.end(), [&](const Slice& hold) {
      return hold.name.starts_with("write: " + trace.threads.at(slice.tid).second) && hold.from <= slice.from &&
             slice.to <= hold.to;
    })) << "it waits while it holds mmap_sem for write";
  }
}

TEST(Trace, NamesThePartsOfCalls) {
  const Trace trace(text_of_run(tiny("write_held")));
  std::vector<std::string> locker;
  for (const Slice& slice : trace.slices) {
    if (slice.category == "cpu" && trace.threads.at(slice.tid).second == "locker.0") locker.push_back(slice.name);
  }
  for (const char* name : {"mlock", "mlock.populate", "munlock", "munlock.walk", "munmap", "munmap.zap"}) {
    EXPECT_THAT(locker, testing::Contains(name));
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Windows

TEST(TraceWindow, IsTwoTimes) {
  EXPECT_EQ(*parse_window("1.2s..1.3s"), (TimeWindow{at(1'200ms), at(1'300ms)}));
  EXPECT_EQ(*parse_window("0ns..1ns"), (TimeWindow{at(0ns), at(1ns)}));
  for (const char* wrong : {"", "1s", "1s..", "..1s", "1s...2s", "2s..1s", "1s..1s", "1..2", "1s-2s", "1s..2s..3s"}) {
    EXPECT_FALSE(parse_window(wrong)) << wrong;
  }
}

TEST(TraceWindow, SurroundsTheLongestRequestsOfAllClasses) {
  models::Result result;
  result.classes.resize(2);
  result.classes[0].worst.resize(2);
  result.classes[0].worst[0].due = at(5'000ns);
  result.classes[0].worst[0].latency = 1'000ns;
  result.classes[0].worst[1].latency = 10ns;
  result.classes[1].worst.resize(1);
  result.classes[1].worst[0].due = at(100ns);
  result.classes[1].worst[0].latency = 2'000ns;
  EXPECT_THAT(windows_around_worst(result, 2),
              ElementsAre(TimeWindow{at(0ns), at(2'301ns)}, TimeWindow{at(4'899ns), at(6'101ns)}));
  EXPECT_EQ(windows_around_worst(result, 9).size(), 3u);
}

// ---------------------------------------------------------------------------------------------------------------
// The program

class TraceOption : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
  const std::string tiny_ = folder_.write("tiny.yaml", tests::kTinyScenario);
  const std::string file_ = folder_ / "trace.json";

  [[nodiscard]] tests::Outcome run_with(std::vector<std::string> words) const {
    words.insert(words.begin(), {"run", tiny_});
    return tests::mlocksim(words);
  }
  void expect_refused(const std::vector<std::string>& words, const std::string& what) const {
    const tests::Outcome outcome = run_with(words);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(what));
    EXPECT_THAT(folder_.names(), ElementsAre("tiny.yaml"));
  }
};

TEST_F(TraceOption, WritesATraceAndChangesNothingElse) {
  const tests::Outcome outcome = run_with({"--trace", file_, "--json", folder_ / "with.json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Trace trace(tests::text_of(file_));
  EXPECT_THAT(trace.slices, Not(IsEmpty()));
  ASSERT_EQ(run_with({"--json", folder_ / "without.json"}).code, 0);
  const auto without_wall = [&](const std::string& name) {
    json result = json::parse(tests::text_of(folder_ / name));
    result.at("engine").erase("wall_ns");
    return result;
  };
  EXPECT_EQ(without_wall("with.json"), without_wall("without.json"));
  EXPECT_EQ(folder_.names().size(), 4u) << "nothing else is left behind";
}

TEST_F(TraceOption, WritesAWindow) {
  ASSERT_EQ(run_with({"--trace", file_, "--trace-window", "1ms..1.5ms"}).code, 0);
  for (const Slice& slice : Trace(tests::text_of(file_)).slices) {
    EXPECT_GE(slice.from, at(1ms));
    EXPECT_LE(slice.to, at(1'500us));
  }
}

TEST_F(TraceOption, WritesWhatHappensAroundTheLongestRequests) {
  ASSERT_EQ(run_with({"--trace", file_, "--trace-worst", "1", "--json", folder_ / "result.json"}).code, 0);
  const Trace trace(tests::text_of(file_));
  const json result = json::parse(tests::text_of(folder_ / "result.json"));
  Nanoseconds longest{0};
  for (const json& each : result.at("classes")) {
    longest = std::max(longest, Nanoseconds{each.at("total").value("max_ns", std::int64_t{0})});
  }
  Time begin = Time::max();
  Time end{};
  for (const Slice& slice : trace.slices) {
    begin = std::min(begin, slice.from);
    end = std::max(end, slice.to);
  }
  EXPECT_GE(end - begin, longest);
  EXPECT_LE(end - begin, longest + longest / 5 + 2ns);
}

TEST_F(TraceOption, TellsWhatItsLimitLeavesOut) {
  const tests::Outcome outcome = run_with({"--trace", file_, "--trace-limit", "30KiB"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("the timeline has reached its limit and ends at "));
  EXPECT_LT(std::filesystem::file_size(file_), 40'000U);
  EXPECT_THAT(run_with({"--trace", file_, "--trace-limit", "30KiB", "--quiet"}).err, StartsWith("warning: "));
}

TEST_F(TraceOption, WarnsOfAWindowBehindTheEnd) {
  EXPECT_THAT(run_with({"--trace", file_, "--trace-window", "300s..301s", "--quiet"}).err,
              StartsWith("warning: --trace-window 300s..301s: nothing is in the timeline, as all ends at "));
  EXPECT_EQ(run_with({"--trace", file_, "--trace-window", "1ms..301s", "--quiet"}).err, "");
}

// A thread of its own beside the semaphore of the process.
TEST_F(TraceOption, ShowsWhoHoldsALockOfUserSpace) {
  ASSERT_EQ(run_with({"--trace", file_, "--set", "processes[0].threads.mapper.mutex=heap_lock", "--set",
                      "processes[0].threads.faulter.mutex=heap_lock"})
                .code,
            0);
  const Trace trace(tests::text_of(file_));
  int held = 0;
  int waited = 0;
  for (const Slice& slice : trace.slices) {
    held += slice.category == "mutex" ? 1 : 0;
    waited += slice.name == "waiting for the mutex" ? 1 : 0;
    if (slice.category != "mutex") continue;
    EXPECT_EQ(trace.threads.at(slice.tid).second, "mutex heap_lock");
  }
  EXPECT_GT(held, 100);
  EXPECT_GT(waited, 0);
}

TEST_F(TraceOption, RefusesWhatMakesNoSense) {
  expect_refused({"--trace-window", "1ms..2ms"}, "needs --trace FILE");
  expect_refused({"--trace-worst", "3"}, "needs --trace FILE");
  expect_refused({"--trace-limit", "1MiB"}, "needs --trace FILE");
  expect_refused({"--trace", file_, "--trace-limit", "1MB"}, "--trace-limit: expected a size such as 4GiB");
  expect_refused({"--trace", file_, "--trace-window", "2ms..1ms"}, "it must end after it begins");
  expect_refused({"--trace", file_, "--trace-window", "2ms"}, "expected a window such as 1.2s..1.3s, found '2ms'");
  expect_refused({"--trace", file_, "--trace-window", "1ms..2"}, "--trace-window: expected a duration");
  expect_refused({"--trace", file_, "--trace-worst", "0"}, "--trace-worst: expected a number from 1");
  expect_refused({"--trace", file_, "--trace-worst", "3", "--trace-window", "1ms..2ms"}, "found both");
  expect_refused({"--trace", file_, "--json", file_}, "expected two files");
  expect_refused({"--trace", folder_ / "no/such/folder.json"}, "cannot be written");
}

TEST_F(TraceOption, LeavesAnOldFileAloneWhenTheRunFails) {
  const std::string old = folder_.write("old.json", "old");
  EXPECT_EQ(run_with({"--trace", old, "--trace-window", "soon"}).code, 2);
  EXPECT_EQ(tests::text_of(old), "old");
}

}  // namespace
}  // namespace experiments::trace_file_test
