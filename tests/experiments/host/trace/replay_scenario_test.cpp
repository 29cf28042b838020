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
            "# thread due think call region offset size write read wake_ups\n"
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
            "# thread due think call region offset size write read wake_ups\n"
            "0 0 0 hold - 0 0 3000 0\n"
            "1 7000 7000 hold - 0 0 0 1000\n"
            "0 20000 14000 hold - 0 0 8000 0\n"
            "0 40000 9000 hold - 0 0 4000 0\n");
}

std::string switch_to(const std::string& from, int tid, char state, const std::string& next, int next_tid) {
  return fmt::format(
      "sched_switch: prev_comm={} prev_pid={} prev_prio=120 prev_state={} ==> next_comm={} next_pid={} "
      "next_prio=120",
      from, tid, state, next, next_tid);
}

constexpr const char* kWakesFirst = "sched_wakeup: comm=db-1 pid=1 prio=120 target_cpu=000";

/// db-1 waits for what db-8 holds until 99.
TraceText waiting() {
  return TraceText()
      .hold("db-7", 7, 0, 1, 2, "write")
      .ask("db-8", 8, 3, "write")
      .get("db-8", 8, 4, "write")
      .ask("db-1", 1, 5, "write");
}

/// It is woken at 100 and runs at 140, behind the thread `before`.
std::string woken_behind(const std::string& before, int tid) {
  return waiting()
      .event("db-1", 1, 10, switch_to("db-1", 1, 'D', before, tid))
      .drop("db-8", 8, 99, "write")
      .event("db-8", 8, 100, kWakesFirst)
      .event(before, tid, 140, switch_to(before, tid, 'R', "db-1", 1))
      .get("db-1", 1, 141, "write")
      .drop("db-1", 1, 142, "write")
      .text();
}

TEST(ReplayScenario, HowLongItTookToRunOnceWokenForTheLockIsTheMachines) {
  const Files files = files_of(woken_behind("cc1plus", 70));
  EXPECT_THAT(files.at("scenario.yaml"),
              AllOf(HasSubstr("from being woken to running: 1 in the trace"), HasSubstr("    wake_up: [40us, 40us, ")));
  EXPECT_THAT(files.at("db-N.recording"), HasSubstr("hold - 0 0 1000 0 40000\n"));
}

TEST(ReplayScenario, TheSimulatedSchedulerLetsItWaitForThoseThatAreReplayed) {
  const Files behind_one = files_of(woken_behind("db-7", 7));
  EXPECT_THAT(behind_one.at("scenario.yaml"), Not(HasSubstr("noise")));
  EXPECT_THAT(behind_one.at("db-N.recording"), HasSubstr("hold - 0 0 1000 0\n"));
  // What came before that one is somebody's who is not.
  const Files behind_both = files_of(waiting()
                                         .event("db-1", 1, 10, switch_to("db-1", 1, 'D', "cc1plus", 70))
                                         .drop("db-8", 8, 99, "write")
                                         .event("db-8", 8, 100, kWakesFirst)
                                         .event("cc1plus", 70, 130, switch_to("cc1plus", 70, 'R', "db-7", 7))
                                         .event("db-7", 7, 140, switch_to("db-7", 7, 'S', "db-1", 1))
                                         .get("db-1", 1, 141, "write")
                                         .drop("db-1", 1, 142, "write")
                                         .text());
  EXPECT_THAT(behind_both.at("db-N.recording"), HasSubstr("hold - 0 0 1000 0 30000\n"));
}

// Its CPU has stood still: a hypervisor's doing.
TEST(ReplayScenario, WhoIsWokenBeforeItSleepsMayBeLateAsWell) {
  const auto recording_of = [](int got) {
    TraceText text = waiting();
    text.drop("db-8", 8, 99, "write").event("db-8", 8, 100, kWakesFirst);
    text.get("db-1", 1, got, "write").drop("db-1", 1, got + 1, "write");
    return files_of(text.text()).at("db-N.recording");
  };
  EXPECT_THAT(recording_of(9100), HasSubstr("hold - 0 0 1000 0 9000000\n"));
  EXPECT_THAT(recording_of(100), HasSubstr("hold - 0 0 1000 0\n")) << "at once, as far as the clock tells";
}

TEST(ReplayScenario, AHoldForReadIsADowngradeOnlyWhereItDidNotAskAgain) {
  const auto recording_of = [](bool downgrades) {
    TraceText text;
    text.hold("db-7", 7, 0, 1, 2, "write").event("db-1", 1, 3, "sys_mlock(start: 11000, len: 2000)");
    text.ask("db-1", 1, 4, "write").get("db-1", 1, 5, "write");
    if (!downgrades) text.drop("db-1", 1, 13, "write").ask("db-1", 1, 13, "read");
    text.get("db-1", 1, 13, "read").drop("db-1", 1, 18, "read").event("db-1", 1, 21, "sys_mlock -> 0x0");
    return files_of(text.text(), true).at("db-N.recording");
  };
  EXPECT_THAT(recording_of(false), HasSubstr("1 3000 3000 hold_twice - 0 0 8000 5000\n"));
  EXPECT_THAT(recording_of(true), HasSubstr("1 3000 3000 hold - 0 0 8000 5000\n"));
}

// A recording of some threads has nothing of the others, nor of switches to them.
TEST(ReplayScenario, WhoComesToRunWithoutASwitchComesAfterSomebodyElse) {
  const std::string text = waiting()
                               .event("db-1", 1, 10, switch_to("db-1", 1, 'D', "cc1plus", 70))
                               .drop("db-8", 8, 99, "write")
                               .event("db-8", 8, 100, kWakesFirst)
                               .get("db-1", 1, 141, "write")
                               .drop("db-1", 1, 142, "write")
                               .text();
  EXPECT_THAT(files_of(text).at("db-N.recording"), HasSubstr("hold - 0 0 1000 0 41000\n"));
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
  std::vector<models::Result> replays{replayed, replayed, recorded};
  replays.back().classes.front().name = "a-b";
  replays.back().locks.front().statistics.asked[asker].wait.record(20ms);
  const std::vector<ReplayedWaits> waits = replayed_waits(recorded, replays);
  ASSERT_EQ(waits.size(), 1U);
  EXPECT_EQ(waits.front(), (ReplayedWaits{"a-b", 10ms, 8ms, 10ms, 8ms, 8ms, 30ms}));
  EXPECT_THAT(replay_check(recorded, replays),
              AllOf(HasSubstr("-20 %"), HasSubstr("By chance, of 3 seeds: a-b from 8.00 ms to 30.0 ms")));
  EXPECT_THAT(replay_check(recorded, {replayed}), Not(HasSubstr("By chance")));
}

}  // namespace
}  // namespace experiments::replay_scenario_test
