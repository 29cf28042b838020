#include "experiments/host/trace/recorded_timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/host/trace/trace_analysis.h"
#include "experiments/host/trace/trace_reader.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"
#include "tests/support/trace_reading.h"
#include "tests/support/trace_text.h"

namespace experiments::recorded_timeline_test {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using tests::Slice;
using tests::Trace;
using tests::TraceText;

struct Drawn {
  std::string text;
  models::Result result;

  [[nodiscard]] Trace trace() const { return Trace(text, true); }
};

Drawn draw_file(const std::string& file, TimeWindow window = kWholeRun, models::Bytes limit = trace::kUnlimited) {
  std::ostringstream out;
  RecordedTimeline timeline(out, "trace", {window}, limit);
  TraceReader reader(file);
  TraceAnalysis analysis;
  analysis.watch([&](const TracedThread& thread, sim::Time now) { timeline.update(thread, now); });
  while (const auto event = reader.next()) analysis.add(*event);
  Drawn drawn;
  drawn.result = analysis.finish("trace");
  timeline.finish(sim::Time{drawn.result.sim_time}, analysis.process_names());
  drawn.text = out.str();
  return drawn;
}

Drawn draw(const TraceText& text) {
  const tests::TemporaryFolder folder;
  return draw_file(folder.write("trace.txt", text.text()));
}

/// Of a thread: each slice as `name FROM..TO`, in microseconds.
std::vector<std::string> slices_of(const Trace& trace, const std::string& thread) {
  std::vector<std::string> texts;
  for (const Slice& slice : trace.slices) {
    if (trace.threads.at(slice.tid).second != thread) continue;
    texts.push_back(
        fmt::format("{} {}..{}", slice.name, slice.from.time_since_epoch() / 1us, slice.to.time_since_epoch() / 1us));
  }
  return texts;
}

TraceText with_a_writer_that_waits() {
  return TraceText()
      .ask("a", 1, 0, "write")
      .get("a", 1, 1, "write")
      .event("b", 2, 5, "sys_enter: NR 11 (7f0000000000, 1000, 0, 0, 0, 0)")
      .ask("b", 2, 10, "write")
      .event("b", 2, 11, "contention_begin: ffff0000000010a8 (flags=WRITE)")
      .drop("a", 1, 30, "write")
      .get("b", 2, 31, "write")
      .drop("b", 2, 40, "write")
      .event("b", 2, 42, "sys_exit: NR 11 = 0");
}

TEST(RecordedTimeline, HasARequestFromItsBeginningThoughItAsksForTheLockLater) {
  const Trace trace = draw(with_a_writer_that_waits()).trace();
  EXPECT_THAT(slices_of(trace, "b-2"), ElementsAre("munmap 5..10", "waiting for mmap_sem 10..30", "munmap 30..42"));
}

TEST(RecordedTimeline, HasTheHoldsOfALockAndHowManyWaitForIt) {
  const Trace trace = draw(with_a_writer_that_waits()).trace();
  EXPECT_THAT(slices_of(trace, "writer"), ElementsAre("write: a-1 other 1..30", "write: b-2 munmap 31..40"));
  EXPECT_THAT(trace.threads_of("mmap_sem of a"), ElementsAre("writer"));
  const auto& queue = trace.counters.at({trace.pid_of("mmap_sem of a"), "queue length"});
  EXPECT_EQ(queue.back().value, 0);
  EXPECT_THAT(queue, Contains(tests::Sample{sim::Time{10us}, 1}));
}

TEST(RecordedTimeline, ADowngradedHoldGoesOnWithTheReaders) {
  const Trace trace = draw(TraceText()
                               .ask("a", 1, 0, "write")
                               .get("a", 1, 1, "write")
                               .get("a", 1, 5, "read")
                               .hold("b", 2, 6, 7, 8, "read")
                               .drop("a", 1, 9, "read"))
                          .trace();
  EXPECT_THAT(slices_of(trace, "writer"), ElementsAre("write: a-1 other 1..5"));
  EXPECT_THAT(slices_of(trace, "reader"), ElementsAre("read: b-2 fault 7..8", "read: a-1 other 5..9"));
}

TEST(RecordedTimeline, AHoldWhoseReleaseWasLostEndsWithTheNextWriters) {
  const Trace trace =
      draw(TraceText().ask("a", 1, 0, "write").get("a", 1, 1, "write").hold("b", 2, 5, 20, 30, "write")).trace();
  EXPECT_THAT(slices_of(trace, "writer"), ElementsAre("write: a-1 other 1..20", "write: b-2 other 20..30"));
}

TEST(RecordedTimeline, AProcessHasTheNameThatTheTablesUseThoughAnotherWasSeenFirst) {
  TraceText text;
  text.hold("monitor", 9, 0, 1, 2, "read");
  text.ask("monitor", 9, 3, "write", 2).get("monitor", 9, 4, "write", true, 2).drop("monitor", 9, 5, "write", 2);
  text.hold("db", 1, 10, 11, 400, "write");
  const Drawn drawn = draw(text);
  std::vector<std::string> names;
  for (const models::LockResult& lock : drawn.result.locks) names.push_back(lock.process);
  const Trace trace = drawn.trace();
  for (const std::string& name : names) {
    EXPECT_EQ(trace.processes.at(trace.pid_of(name) + 1), "mmap_sem of " + name);
  }
  EXPECT_THAT(names, Contains("db"));
}

TEST(RecordedTimeline, WhoNeverAsksForALockIsNotThere) {
  TraceText text = with_a_writer_that_waits();
  text.event("idler", 7, 50, "sys_enter: NR 0 (3, 7f0000000000, 1000, 0, 0, 0)")
      .event("idler", 7, 60, "sys_exit: NR 0 = 0");
  EXPECT_THAT(slices_of(draw(text).trace(), "idler-7"), IsEmpty());
}

// The three real kernels: the same times as in the tables.
TEST(RecordedTimeline, AddsUpToTheTablesOfRealTraces) {
  const auto folder = tests::source_tests() / "experiments" / "host" / "trace";
  for (const char* const name : {"linux-6.1-ftrace.txt", "linux-6.12-ftrace.txt", "linux-6.18-perf-script.txt"}) {
    SCOPED_TRACE(name);
    const Drawn drawn = draw_file((folder / name).string());
    const Trace trace = drawn.trace();
    std::map<std::string, sim::Nanoseconds> held;
    sim::Nanoseconds waited{};
    for (const Slice& slice : trace.slices) {
      if (slice.category == "hold" && !slice.unfinished)
        held[slice.name.substr(0, slice.name.find(':'))] += slice.length();
      if (slice.name == "waiting for mmap_sem") waited += slice.length();
    }
    std::map<std::string, sim::Nanoseconds> told;
    sim::Nanoseconds lock_waits{};
    for (const models::LockResult& lock : drawn.result.locks) {
      for (const auto& [holds, lengths] : lock.statistics.hold)
        told[std::string(to_string(holds.mode))] += lengths.total();
      for (const auto& [asker, waits] : lock.statistics.asked) lock_waits += waits.lock_wait;
    }
    EXPECT_EQ(held, told);
    EXPECT_EQ(waited, lock_waits);
    EXPECT_GT(waited, 1ms);
  }
}

TEST(RecordedTimeline, AWindowCutsItAndALimitEndsIt) {
  const std::string file =
      (tests::source_tests() / "experiments" / "host" / "trace" / "linux-6.12-ftrace.txt").string();
  const std::size_t whole = draw_file(file).text.size();
  const sim::Time from{100ms};
  const sim::Time to{200ms};
  for (const Slice& slice : Trace(draw_file(file, {from, to}).text, true).slices) {
    EXPECT_GE(slice.from, from);
    EXPECT_LE(slice.to, to);
  }
  const Trace limited(draw_file(file, kWholeRun, models::Bytes(static_cast<std::int64_t>(whole / 2))).text, true);
  EXPECT_EQ(limited.marks.size(), 1u);
}

}  // namespace
}  // namespace experiments::recorded_timeline_test
