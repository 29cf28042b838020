// A trace from outside: what `mlocksim import` says of it, and what it leaves.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace experiments::import_test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::mlocksim;

constexpr int kBadInput = 2;

std::string trace(const std::string& name) {
  return (tests::source_tests() / "experiments" / "host" / "trace" / name).string();
}

TEST(Import, PrintsTheTablesOfARunAndTheChainsOfTheLongestWaits) {
  const tests::Outcome outcome = mlocksim({"import", trace("linux-6.12-ftrace.txt"), "--worst", "2"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("as in linux-6.12"), HasSubstr("mmap_sem of receiver"),
                                 HasSubstr("asked for by"), HasSubstr("held by"), HasSubstr("System calls"),
                                 HasSubstr("convoys"), HasSubstr("2 longest requests"), HasSubstr("6 decimals")));
}

TEST(Import, WritesTheJsonOfARunWithWhatTheTraceLacks) {
  const tests::TemporaryFolder folder;
  const tests::Outcome outcome =
      mlocksim({"import", trace("linux-6.18-perf-script.txt"), "--json", folder / "out.json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(tests::text_of(folder / "out.json"));
  EXPECT_EQ(result["schema"], "mlocksim/1");
  EXPECT_EQ(result["policy"], "recorded");
  EXPECT_EQ(result["trace"]["lock_offset"], 0xb8);
  EXPECT_GT(result["locks"]["mmap_sem"]["read"]["wait"]["count"], 0);
}

TEST(Import, WritesAScenarioThatRunsAndIsCheckedAgainstTheRecording) {
  const tests::TemporaryFolder folder;
  const std::string out = folder / "mine";
  const tests::Outcome outcome = mlocksim({"import", trace("linux-6.12-ftrace.txt"), "-o", out, "--holds", "--check"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("The replay beside the recording"), HasSubstr("mlocksim explain " + out)));
  const tests::Outcome compared = mlocksim({"compare", out + "/scenario.yaml", "--policies", "linux-6.1,linux-6.12",
                                            "--set", "processes[0].threads.monitor.count=0"});
  EXPECT_EQ(compared.code, 0) << compared.err;
  EXPECT_THAT(compared.out, AllOf(HasSubstr("mapper"), HasSubstr("linux-6.1")));
  EXPECT_EQ(mlocksim({"explain", out + "/scenario.yaml", "--reps", "1"}).code, 0);
}

TEST(Import, WritesNothingWhereTheReplayIsAskedForWrongly) {
  const tests::TemporaryFolder folder;
  const tests::Outcome outcome =
      mlocksim({"import", trace("linux-6.12-ftrace.txt"), "-o", folder / "mine", "--check", "--jobs", "0"});
  EXPECT_EQ(outcome.code, kBadInput);
  EXPECT_THAT(outcome.err, HasSubstr("--jobs: expected a number from 1 to 1024, found 0"));
  EXPECT_EQ(outcome.out, "");
  EXPECT_FALSE(std::filesystem::exists(folder / "mine"));
}

TEST(Import, WritesATimelineWhichALimitEnds) {
  const tests::TemporaryFolder folder;
  const std::string file = trace("linux-6.12-ftrace.txt");
  const std::string out = folder / "timeline.json";
  EXPECT_EQ(mlocksim({"import", file, "--trace", out}).code, 0);
  EXPECT_EQ(json::parse(tests::text_of(out))["otherData"]["recording"], "linux-6.12-ftrace");
  const tests::Outcome limited = mlocksim({"import", file, "--trace", out, "--trace-limit", "10KiB"});
  EXPECT_EQ(limited.code, 0);
  EXPECT_THAT(limited.err, HasSubstr("the timeline has reached its limit and ends at"));
  EXPECT_LT(tests::text_of(out).size(), 12'000U);
  for (const char* const option : {"--trace-window=1ms..2ms", "--trace-limit=1MiB"}) {
    const tests::Outcome refused = mlocksim({"import", file, option});
    EXPECT_EQ(refused.code, kBadInput);
    EXPECT_THAT(refused.err, HasSubstr("needs --trace FILE"));
  }
}

TEST(Import, AsksForTheKernelWhereTheTraceDoesNotTellAndLeavesNoFolder) {
  const tests::TemporaryFolder folder;
  const std::string mute = folder.write("mute.txt",
                                        "  a-1 [000] .....  1.000001: mmap_lock_acquire_returned: mm=ff00 "
                                        "memcg_path=/ write=true success=true\n");
  const tests::Outcome outcome = mlocksim({"import", mute, "-o", folder / "mine"});
  EXPECT_EQ(outcome.code, kBadInput);
  EXPECT_THAT(outcome.err, HasSubstr("--kernel VERSION"));
  EXPECT_FALSE(std::filesystem::exists(folder / "mine"));
  EXPECT_THAT(mlocksim({"import", mute, "-o", folder / "mine", "--kernel", "linux-six"}).err, HasSubstr("--kernel: "));
  EXPECT_THAT(mlocksim({"import", mute, "--holds"}).err, HasSubstr("-o DIR"));
}

TEST(Import, RefusesWithOneLineAndWritesNothing) {
  const tests::TemporaryFolder folder;
  const std::string whole = tests::text_of(trace("linux-6.1-ftrace.txt"));
  const std::string cut = folder.write("cut.txt", whole.substr(0, whole.size() / 2));
  const std::string none = folder.write("none.txt", "  a-1 [000] .....  1.000001: rss_stat: x\n");
  const std::string out = folder / "out.json";
  for (const std::string& file : {cut, none, std::string("/no/such/file")}) {
    const tests::Outcome outcome = mlocksim({"import", file, "--json", out});
    EXPECT_EQ(outcome.code, kBadInput) << outcome.out;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(out));
  }
}

TEST(Record, PrintsTheCommandThatItWouldRun) {
  const tests::Outcome outcome = mlocksim({"record", "--print", "--seconds", "2", "-o", "my data"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("perf record -e '"), HasSubstr("-o 'my data' -a -- sleep 2"),
                                 HasSubstr("mlocksim import -")));
  EXPECT_THAT(mlocksim({"record", "--print", "--", "true", "-x"}).out, HasSubstr("-a -- true -x"));
  EXPECT_EQ(mlocksim({"record", "--print", "--seconds", "2", "--", "true"}).code, kBadInput);
}

}  // namespace
}  // namespace experiments::import_test
