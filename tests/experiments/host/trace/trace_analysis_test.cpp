#include "experiments/host/trace/trace_analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "tests/support/command_line.h"
#include "tests/support/places.h"
#include "tests/support/trace_text.h"

namespace experiments::trace_analysis_test {
namespace {

using namespace std::chrono_literals;
using models::Cause;
using models::LockMode;
using models::Phase;
using tests::read_trace;
using tests::read_trace_of;
using tests::ReadTrace;
using tests::TraceText;

struct Counts {
  std::uint64_t acquired = 0;
  std::uint64_t waited = 0;
  std::uint64_t held = 0;
  bool operator==(const Counts&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Counts& counts) {
  return out << counts.acquired << " acquired, " << counts.waited << " waited, " << counts.held << " held";
}

Counts counts_of(const ReadTrace& trace, LockMode mode) {
  Counts counts;
  const models::RwsemStatistics::Waits all = trace.lock().all(mode);
  counts.acquired = all.acquisitions - all.waiting;
  counts.waited = all.wait.count();
  for (const auto& [holds, lengths] : trace.lock().hold) counts.held += holds.mode == mode ? lengths.count() : 0;
  return counts;
}

std::map<std::string, Counts> counted_by_awk(const std::filesystem::path& folder, const std::string& file) {
  const tests::Outcome outcome = tests::run_program({"awk", "-f", (folder / "count.awk").string(), file});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::map<std::string, Counts> counts;
  std::string mode;
  for (Counts each; lines >> mode >> each.acquired >> each.waited >> each.held;) counts[mode] = each;
  return counts;
}

TEST(TraceAnalysis, CountsWhatTenLinesOfAwkCount) {
  const std::filesystem::path folder = tests::source_tests() / "experiments" / "host" / "trace";
  for (const char* const name : {"linux-6.1-ftrace.txt", "linux-6.12-ftrace.txt", "linux-6.18-perf-script.txt"}) {
    const std::string file = (folder / name).string();
    const ReadTrace trace = read_trace(file);
    auto awk = counted_by_awk(folder, file);
    EXPECT_EQ(counts_of(trace, LockMode::read), awk["read"]) << name;
    EXPECT_EQ(counts_of(trace, LockMode::write), awk["write"]) << name;
    EXPECT_GT(awk["write"].waited, 0U) << name;
  }
}

TEST(TraceAnalysis, LearnsWhereTheSemaphoreLiesBehindItsMm) {
  const std::filesystem::path folder = tests::source_tests() / "experiments" / "host" / "trace";
  EXPECT_EQ(read_trace((folder / "linux-6.1-ftrace.txt").string()).gaps.lock_offset, 0x70);
  EXPECT_EQ(read_trace((folder / "linux-6.12-ftrace.txt").string()).gaps.lock_offset, 0xa8);
  EXPECT_EQ(read_trace((folder / "linux-6.18-perf-script.txt").string()).gaps.lock_offset, 0xb8);
}

TEST(TraceAnalysis, ASecondAcquireForReadIsADowngrade) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .ask("a", 1, 0, "write")
                                            .get("a", 1, 1, "write")
                                            .get("a", 1, 5, "read")
                                            .drop("a", 1, 20, "read")
                                            .text());
  EXPECT_EQ(counts_of(trace, LockMode::write), (Counts{1, 0, 1}));
  EXPECT_EQ(counts_of(trace, LockMode::read), (Counts{0, 0, 1}));
  EXPECT_EQ(trace.lock().hold.at({0, Phase::other, LockMode::write}).max(), 4us);
  EXPECT_EQ(trace.lock().hold.at({0, Phase::other, LockMode::read}).max(), 15us);
}

TEST(TraceAnalysis, ATryThatFailsIsNoAcquisition) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .hold("a", 1, 0, 1, 50, "write")
                                            .ask("b", 2, 60, "read")
                                            .get("b", 2, 61, "read", false)
                                            .get("b", 2, 62, "read")
                                            .drop("b", 2, 63, "read")
                                            .text());
  EXPECT_EQ(trace.contents.failed_tries, 1U);
  EXPECT_EQ(counts_of(trace, LockMode::read), (Counts{1, 0, 1}));
}

TEST(TraceAnalysis, WhoSpinsOnAWriterWaitsThoughNoEventTellsSo) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .ask("a", 1, 0, "write")
                                            .get("a", 1, 1, "write")
                                            .ask("b", 2, 10, "write")
                                            .drop("a", 1, 30, "write")
                                            .get("b", 2, 31, "write")
                                            .drop("b", 2, 40, "write")
                                            .text());
  EXPECT_EQ(trace.lock().all(LockMode::write).wait.max(), 21us);
  EXPECT_EQ(trace.lock().spins, 1U);
  EXPECT_EQ(trace.lock().handoffs, 0U);
  const models::LockBlame blame{trace.id("a"), Phase::other, LockMode::write};
  EXPECT_EQ(trace.of("b").lock_waits.at(blame), 20us);
}

TEST(TraceAnalysis, AReaderThatQueuesBehindAWriterStandsInAConvoy) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .ask("long", 1, 0, "read")
                                            .get("long", 1, 1, "read")
                                            .ask("writer", 2, 10, "write")
                                            .event("writer", 2, 11, "contention_begin: ffff0000000010a8 (flags=WRITE)")
                                            .ask("victim", 3, 20, "read")
                                            .event("victim", 3, 21, "contention_begin: ffff0000000010a8 (flags=READ)")
                                            .drop("long", 1, 100, "read")
                                            .get("writer", 2, 101, "write")
                                            .drop("writer", 2, 110, "write")
                                            .get("victim", 3, 111, "read")
                                            .drop("victim", 3, 112, "read")
                                            .text());
  EXPECT_EQ(trace.lock().convoys, 1U);
  EXPECT_EQ(trace.lock().largest_convoy, 1U);
  models::LockBlame blame{trace.id("long"), Phase::fault, LockMode::read};
  blame.convoy = trace.id("writer");
  EXPECT_EQ(trace.of("victim").lock_waits.at(blame), 79us);
  EXPECT_EQ(trace.gaps.lock_offset, 0xa8);
}

TEST(TraceAnalysis, AHolderThatLostItsCpuIsBlamedForThatAndWhoHasItIsNamed) {
  const ReadTrace trace =
      read_trace_of(TraceText()
                        .ask("a", 1, 0, "write")
                        .get("a", 1, 1, "write")
                        .ask("b", 2, 10, "read")
                        .event("a", 1, 20,
                               "sched_switch: prev_comm=a prev_pid=1 prev_prio=120 prev_state=R ==> "
                               "next_comm=hog next_pid=9 next_prio=120")
                        .event("hog", 9, 70,
                               "sched_switch: prev_comm=hog prev_pid=9 prev_prio=120 prev_state=R ==> "
                               "next_comm=a next_pid=1 next_prio=120")
                        .drop("a", 1, 80, "write")
                        .get("b", 2, 81, "read")
                        .drop("b", 2, 82, "read")
                        .text());
  EXPECT_EQ(trace.lock().write_off_cpu.preempted.max(), 50us);
  models::LockBlame blame{trace.id("a"), Phase::other, LockMode::write};
  blame.doing = Cause::run_queue;
  blame.cpu_taken_by = trace.id("hog");
  EXPECT_EQ(trace.of("b").lock_waits.at(blame), 50us);
}

TEST(TraceAnalysis, AFaultIsARequestFromItsEventToItsRelease) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .event("a", 1, 0, "page_fault_user: address=0x7000 ip=0x1 error_code=0x6")
                                            .hold("a", 1, 5, 6, 30, "read")
                                            .text());
  EXPECT_EQ(trace.of("a").total().latency().max(), 30us);
  EXPECT_EQ(trace.lock().asked.begin()->first.phase, Phase::fault);
  EXPECT_EQ(trace.gaps.faults_with_lock, 1U);
}

TEST(TraceAnalysis, AFaultThatLeftTheLockAloneIsNotTheReasonOfWhatComesLater) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .event("a", 1, 0, "page_fault_user: address=0x7000 ip=0x1 error_code=0x6")
                                            .hold("a", 1, 500, 501, 530, "read")
                                            .text());
  EXPECT_EQ(trace.lock().asked.begin()->first.phase, Phase::other);
  EXPECT_EQ(trace.gaps.faults_with_lock, 0U);
}

TEST(TraceAnalysis, ASystemCallIsTimedAndWhatALockerDoesIsThePhaseOfOthers) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .hold("l", 1, 0, 1, 2, "write")
                                            .event("l", 1, 10, "sys_mlock(start: 7000, len: 4000)")
                                            .ask("l", 1, 11, "write")
                                            .get("l", 1, 12, "write")
                                            .ask("v", 2, 20, "write")
                                            .drop("l", 1, 90, "write")
                                            .event("l", 1, 100, "sys_mlock -> 0xfffffffffffffff4")
                                            .get("v", 2, 101, "write")
                                            .drop("v", 2, 102, "write")
                                            .text());
  const models::CallRecord& call = trace.of("l").calls.at("mlock");
  EXPECT_EQ(call.duration.max(), 90us);
  EXPECT_EQ(call.pages, 4U);
  EXPECT_EQ(call.errors.at(12), 1U);
  EXPECT_EQ(trace.of("v").during.at(Phase::mlock).latency().max(), 82us);
}

TEST(TraceAnalysis, WhoReadsAnotherAddressSpaceReadsProc) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .hold("db", 1, 0, 1, 2, "write")
                                            .ask("ps", 7, 10, "write", 2)
                                            .get("ps", 7, 11, "write", true, 2)
                                            .drop("ps", 7, 12, "write", 2)
                                            .hold("ps", 7, 20, 21, 30, "read")
                                            .text());
  ASSERT_EQ(trace.result.locks.size(), 2U);
  const auto& db = trace.result.locks[0].process == "db" ? trace.result.locks[0] : trace.result.locks[1];
  EXPECT_EQ(db.process, "db");
  EXPECT_TRUE(db.statistics.asked.contains({trace.id("ps"), Phase::proc_read, LockMode::read}));
}

TEST(TraceAnalysis, WhatBeganBeforeTheTraceOrOutlastsItIsToldAndNotCounted) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .drop("a", 1, 0, "read")
                                            .ask("b", 2, 10, "write")
                                            .get("b", 2, 11, "write")
                                            .ask("c", 3, 20, "read")
                                            .event("d", 4, 50, "contention_end: ffff (ret=0)")
                                            .text());
  EXPECT_EQ(trace.gaps.released_only, 1U);
  EXPECT_EQ(trace.gaps.open_holds, 1U);
  const models::RwsemStatistics::Waits reads = trace.lock().all(LockMode::read);
  EXPECT_EQ(reads.waiting, 1U);
  EXPECT_EQ(reads.longest_waiting, 30us);
  EXPECT_EQ(trace.of("c").unfinished, 1U);
}

TEST(TraceAnalysis, AHoldWhoseReleaseIsLostEndsWithTheNextThatExcludesIt) {
  const ReadTrace trace = read_trace_of(TraceText()
                                            .ask("a", 1, 0, "write")
                                            .get("a", 1, 1, "write")
                                            .hold("b", 2, 10, 20, 30, "read")
                                            .hold("c", 3, 40, 41, 50, "read")
                                            .text());
  EXPECT_EQ(counts_of(trace, LockMode::read), (Counts{2, 1, 2})) << "only the first of them waited for it";
}

TEST(TraceAnalysis, ThePartsOfARequestAddUpToItsLatency) {
  const std::filesystem::path folder = tests::source_tests() / "experiments" / "host" / "trace";
  const ReadTrace trace = read_trace((folder / "linux-6.18-perf-script.txt").string());
  for (const models::ClassResult& each : trace.result.classes) {
    const models::Samples total = each.total();
    sim::Nanoseconds parts{};
    for (const sim::Nanoseconds part : total.blame().causes) parts += part;
    EXPECT_EQ(parts, total.latency().total()) << each.name;
    sim::Nanoseconds locks{};
    for (const auto& [lock, time] : total.blame().lock_waits) locks += time;
    EXPECT_LE(locks, total.blame().causes[static_cast<std::size_t>(Cause::lock_wait)]) << each.name;
  }
}

}  // namespace
}  // namespace experiments::trace_analysis_test
