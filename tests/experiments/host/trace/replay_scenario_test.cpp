#include "experiments/host/trace/replay_scenario.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "experiments/host/trace/replay_check.h"
#include "experiments/host/trace/trace_reader.h"
#include "tests/support/trace_text.h"

namespace experiments::replay_scenario_test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tests::TraceText;
using Files = std::map<std::string, std::string>;

Files files_of(const std::string& text, bool as_holds = false) {
  const tests::TemporaryFolder folder;
  TraceReader reader(folder.write("trace.txt", text));
  ReplayScenario replay;
  replay.as_holds(as_holds);
  TraceAnalysis analysis([&](const EndedRequest& ended) { replay.add(ended); });
  while (const auto event = reader.next()) analysis.add(*event);
  (void)analysis.finish("trace");
  return replay.files({"trace", "trace.txt", "linux-6.12", 2, analysis.wake_ups()}, analysis.classes().names(),
                      analysis.process_names());
}

/// Maps 16 KiB at 0x10000 and locks 8 KiB in it; faults there and elsewhere.
std::string mlock_trace() {
  return TraceText()
      .event("db-1", 1, 0, "sys_mmap(addr: 0, len: 4000, prot: 3, flags: 22, fd: ffffffff, off: 0)")
      .hold("db-1", 1, 1, 2, 5, "write")
      .event("db-1", 1, 6, "sys_mmap -> 0x10000")
      .event("db-2", 2, 7, "page_fault_user: address=0x10123 ip=0x1 error_code=0x6")
      .hold("db-2", 2, 8, 9, 10, "read")
      .event("db-2", 2, 15, "page_fault_user: address=0x70123 ip=0x1 error_code=0x6")
      .event("db-1", 1, 20, "sys_mlock(start: 11000, len: 2000)")
      .hold("db-1", 1, 21, 22, 30, "write")
      .event("db-1", 1, 31, "sys_mlock -> 0x0")
      .hold("db-1", 1, 40, 41, 45, "write")
      .event("db-2", 2, 50, "page_fault_user: address=0x70123 ip=0x1 error_code=0x6")
      .text();
}

TEST(ReplayScenario, CallsWithAModelAreOnTheRegionsThatTheTraceTellsOf) {
  const Files files = files_of(mlock_trace());
  const std::string& scenario = files.at("scenario.yaml");
  EXPECT_THAT(scenario, HasSubstr("area1: {size: 16KiB, kind: anon, pages: absent}"));
  EXPECT_THAT(scenario, HasSubstr("db-N: {run: replay, count: 2, replay: db-N.recording}"));
  EXPECT_THAT(scenario, HasSubstr("policy: linux-6.12"));
  EXPECT_EQ(files.at("db-N.recording"),
            "# mlocksim recording 1\n"
            "# thread due think call region offset size write read\n"
            "0 0 0 mmap area1 0 16384 3000 0\n"
            "1 7000 7000 fault area1 0 4096 0 1000\n"
            "1 15000 5000 fault - 0 4096 0 0\n"
            "0 20000 14000 mlock area1 4096 8192 8000 0\n"
            "0 40000 9000 hold - 0 0 4000 0\n");
}

TEST(ReplayScenario, AsHoldsEverythingIsOneAndFaultsWithoutTheLockAreNone) {
  const Files files = files_of(mlock_trace(), true);
  EXPECT_THAT(files.at("scenario.yaml"), Not(HasSubstr("regions")));
  EXPECT_EQ(files.at("db-N.recording"),
            "# mlocksim recording 1\n"
            "# thread due think call region offset size write read\n"
            "0 0 0 hold - 0 0 3000 0\n"
            "1 7000 7000 hold - 0 0 0 1000\n"
            "0 20000 14000 hold - 0 0 8000 0\n"
            "0 40000 9000 hold - 0 0 4000 0\n");
}

/// db-1 waits for what db-8 holds, is woken at 100 and runs at 140, behind the thread `before`.
std::string woken_behind(const std::string& before, int tid) {
  return TraceText()
      .hold("db-7", 7, 0, 1, 2, "write")
      .ask("db-8", 8, 3, "write")
      .get("db-8", 8, 4, "write")
      .ask("db-1", 1, 5, "write")
      .event("db-1", 1, 10,
             fmt::format("sched_switch: prev_comm=db-1 prev_pid=1 prev_prio=120 prev_state=D ==> next_comm={} "
                         "next_pid={} next_prio=120",
                         before, tid))
      .drop("db-8", 8, 99, "write")
      .event("db-8", 8, 100, "sched_wakeup: comm=db-1 pid=1 prio=120 target_cpu=000")
      .event(before, tid, 140,
             fmt::format("sched_switch: prev_comm={} prev_pid={} prev_prio=120 prev_state=R ==> next_comm=db-1 "
                         "next_pid=1 next_prio=120",
                         before, tid))
      .get("db-1", 1, 141, "write")
      .drop("db-1", 1, 142, "write")
      .text();
}

TEST(ReplayScenario, HowLongItTookToRunOnceWokenForTheLockIsTheMachines) {
  EXPECT_THAT(files_of(woken_behind("cc1plus", 70)).at("scenario.yaml"),
              AllOf(HasSubstr("from being woken to running: 1 in the trace"), HasSubstr("    wake_up: [40us, 40us, ")));
  // The simulated scheduler lets it wait for that one.
  EXPECT_THAT(files_of(woken_behind("db-7", 7)).at("scenario.yaml"), Not(HasSubstr("noise")));
}

TEST(ReplayScenario, NamesThatAScenarioWouldRefuseAreChanged) {
  EXPECT_EQ(replayed_name("Web Content:1"), "Web-Content-1");
  EXPECT_EQ(replayed_name(""), "unnamed");
}

TEST(ReplayCheck, HoldsTheWaitsOfEachClassAgainstTheRecording) {
  models::Result recorded;
  recorded.classes.emplace_back().name = "a b";
  models::Result replayed = recorded;
  replayed.classes.front().name = "a-b";
  const models::RwsemStatistics::Asker asker{0, models::Phase::other, models::LockMode::read};
  recorded.locks.emplace_back().statistics.asked[asker].wait.record(10ms);
  replayed.locks.emplace_back().statistics.asked[asker].wait.record(8ms);
  const std::vector<ReplayedWaits> waits = replayed_waits(recorded, replayed);
  ASSERT_EQ(waits.size(), 1U);
  EXPECT_EQ(waits.front(), (ReplayedWaits{"a-b", 10ms, 8ms, 10ms, 8ms}));
  EXPECT_THAT(replay_check(recorded, replayed), HasSubstr("-20 %"));
}

}  // namespace
}  // namespace experiments::replay_scenario_test
