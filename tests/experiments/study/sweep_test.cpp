// Sweeps from outside: stopped, shared, split, edited and damaged, they must come to the same in the end.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/algorithm/string.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/command_line.h"
#include "tests/support/places.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::sweep_test {
namespace {

using testing::HasSubstr;
using testing::Not;
using tests::mlocksim;
using tests::Outcome;

// 2 x 3 points, 2 policies, 2 replications: 24 runs.
constexpr const char* kStudy = R"(schema: mlocksim/1
name: tiny_study
scenario: tiny
policies: [downgrade, unlock_downgrade]
axes:
  region: {set: "processes[0].regions.heap.size", values: [1MiB, 2MiB]}
  faulters: {set: "processes[0].threads.faulter.count", values: 1..3}
replications: 2
measure: max(faulter.munlock)
)";

constexpr std::size_t kRuns = 24;

class Sweeps : public testing::Test {
 protected:
  Sweeps() { (void)folder_.write("tiny.yaml", tests::kTinyScenario); }

  Outcome sweep(const std::string& store, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"sweep", study_, "-o", folder_ / store, "-j", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return mlocksim(words);
  }

  std::string csv(const std::string& store) const {
    const std::string file = folder_ / (store + ".csv");
    const Outcome outcome = mlocksim({"results", folder_ / store, "--csv", file});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return tests::text_of(file);
  }

  void edit(const std::string& what, const std::string& by) const {
    std::string text = tests::text_of(study_);
    ASSERT_THAT(text, HasSubstr(what));
    boost::algorithm::replace_first(text, what, by);
    (void)folder_.write("study.yaml", text);
  }

  /// Starts a sweep and kills it, as the kernel would, after a while.
  void kill_sweep_after(const std::string& store, std::chrono::milliseconds time) const {
    std::vector<std::string> words{tests::mlocksim_binary(), "sweep", study_, "-o", folder_ / store, "-j", "2"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t process = 0;
    ASSERT_EQ(posix_spawn(&process, tests::mlocksim_binary().c_str(), &actions, nullptr, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    std::this_thread::sleep_for(time);
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
  }

  const tests::TemporaryFolder folder_;
  const std::string study_ = folder_.write("study.yaml", kStudy);
};

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_F(Sweeps, AMistakeInAnyPointLeavesNoStoreBehind) {
  const auto refused = [&](const std::string& what, const std::string& by) {
    edit(what, by);
    const Outcome outcome = sweep("bad");
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("study.yaml:"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "bad")) << outcome.err;
    edit(by, what);
  };
  refused("[downgrade, unlock_downgrade]", "[downgrade, unlock_downgrad]");
  refused("[1MiB, 2MiB]", "[1MiB, none]");
  refused("faulter.count\", values: 1..3", "faulter.count\", values: [1, 2, -5]");
  refused("processes[0].threads", "processes[7].threads");
  EXPECT_EQ(sweep("bad").code, 0);
}

TEST_F(Sweeps, RunEverythingOnce) {
  const Outcome first = sweep("whole");
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("6 points, 24 runs, 24 of them new, 0 failed"));
  EXPECT_THAT(first.err, HasSubstr("24 of 24 runs"));
  EXPECT_THAT(sweep("whole").out, HasSubstr("24 runs, 0 of them new"));
  EXPECT_GT(lines(csv("whole")), kRuns * 5);
  const Outcome table = mlocksim({"results", folder_ / "whole"});
  EXPECT_THAT(table.out, HasSubstr("region 1MiB, faulters 1"));
  EXPECT_THAT(table.out, HasSubstr("difference"));
  const Outcome count = mlocksim({"results", folder_ / "whole", "--sql", "SELECT count(*) AS runs FROM run"});
  EXPECT_EQ(count.out, "runs\n24\n");
}

TEST_F(Sweeps, KilledAtAnyMomentTheyEndAlike) {
  ASSERT_EQ(sweep("undisturbed").code, 0);
  std::mt19937 random(1);
  for (int time = 0; time < 12; ++time) {
    kill_sweep_after("killed", std::chrono::milliseconds(20 + random() % 100));
  }
  const Outcome last = sweep("killed");
  EXPECT_EQ(last.code, 0) << last.err;
  EXPECT_EQ(csv("killed"), csv("undisturbed"));
  EXPECT_EQ(
      mlocksim({"results", folder_ / "killed", "--sql", "SELECT count(*) AS left FROM run WHERE status <> 'done'"}).out,
      "left\n0\n");
}

TEST_F(Sweeps, TwoAtOnceShareTheWork) {
  ASSERT_EQ(sweep("alone").code, 0);
  Outcome other;
  std::thread thread([&] { other = sweep("shared"); });
  const Outcome one = sweep("shared");
  thread.join();
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(csv("shared"), csv("alone"));
}

TEST_F(Sweeps, ShardsMergedAreTheWhole) {
  ASSERT_EQ(sweep("whole").code, 0);
  for (const char* const shard : {"1/3", "2/3", "3/3"}) {
    EXPECT_EQ(sweep(std::string("shard") + shard[0], {"--shard", shard}).code, 0);
  }
  const Outcome merged =
      mlocksim({"merge", "-o", folder_ / "merged", folder_ / "shard3", folder_ / "shard1", folder_ / "shard2"});
  EXPECT_EQ(merged.code, 0) << merged.err;
  EXPECT_EQ(csv("merged"), csv("whole"));
  EXPECT_THAT(sweep("merged").out, HasSubstr("24 runs, 0 of them new"));
}

TEST_F(Sweeps, ShardsOfOtherStudiesAreRefused) {
  ASSERT_EQ(sweep("one", {"--shard", "1/2"}).code, 0);
  edit("1..3", "1..4");
  ASSERT_EQ(sweep("two", {"--shard", "2/2"}).code, 0);
  const Outcome merged = mlocksim({"merge", "-o", folder_ / "merged", folder_ / "one", folder_ / "two"});
  EXPECT_EQ(merged.code, 2);
  EXPECT_THAT(merged.err, HasSubstr("a shard of another study"));
}

TEST_F(Sweeps, AnEditRunsOnlyWhatIsNew) {
  ASSERT_EQ(sweep("store").code, 0);
  edit("values: 1..3", "values: [1, 2, 4]");
  EXPECT_THAT(sweep("store").out, HasSubstr("6 points, 24 runs, 8 of them new, 0 failed"));
  edit("replications: 2", "replications: 3");
  EXPECT_THAT(sweep("store").out, HasSubstr("36 runs, 12 of them new"));
  ASSERT_EQ(sweep("fresh").code, 0);
  EXPECT_EQ(csv("store"), csv("fresh"));
}

TEST_F(Sweeps, RecordFailuresAndGoOn) {
  edit("faulters:", "repeat: {set: \"processes[0].threads.locker.repeat\", values: [1, 100000]}\n  faulters:");
  edit("1..3", "[1]");
  edit("[1MiB, 2MiB]", "[1MiB]");
  edit("replications: 2", "replications: 1");
  const Outcome outcome = sweep("store", {"--timeout", "1s"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("4 runs, 4 of them new, 2 failed"));
  EXPECT_THAT(outcome.err, HasSubstr("timed out after 1.00 s"));
  EXPECT_THAT(outcome.err, HasSubstr("tiny.yaml --policy downgrade --set 'processes[0].regions.heap.size=1MiB'"));
  const Outcome again = sweep("store", {"--timeout", "1s"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.out, HasSubstr("0 of them new, 2 failed"));
  EXPECT_THAT(mlocksim({"results", folder_ / "store"}).out, HasSubstr("timed out after 1.00 s"));
  EXPECT_THAT(csv("store"), HasSubstr(",failed,"));
}

TEST_F(Sweeps, DamagedStoresAreRefused) {
  ASSERT_EQ(sweep("store").code, 0);
  const std::string file = folder_ / "store/study.sqlite";
  std::string bytes = tests::text_of(file);
  ASSERT_GT(bytes.size(), 20000u);
  for (std::size_t place = 4096; place < 12288; ++place) bytes[place] = '\x5a';
  (void)folder_.write("store/study.sqlite", bytes);
  for (const Outcome& outcome : {sweep("store"), mlocksim({"results", folder_ / "store"})}) {
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("the file is damaged"));
    EXPECT_THAT(outcome.err, HasSubstr(".recover"));
  }
  EXPECT_EQ(tests::text_of(file), bytes);
}

TEST_F(Sweeps, StoresThatCannotBeWrittenAreRefused) {
  // Root may write everywhere; nobody may make a folder below a file.
  (void)folder_.write("file", "not a folder");
  const Outcome outcome = sweep("file/store");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("cannot be made"));
  EXPECT_EQ(mlocksim({"results", folder_ / "nowhere"}).code, 2);
  if (geteuid() == 0) GTEST_SKIP() << "root may write into read-only folders, too";
  std::filesystem::create_directory(folder_ / "read_only");
  ::chmod((folder_ / "read_only").c_str(), 0500);
  EXPECT_THAT(sweep("read_only").err, HasSubstr("the folder cannot be written"));
}

TEST_F(Sweeps, PrecisionAddsReplications) {
  edit("1..3", "[1]");
  edit("replications: 2", "replications: 2\nprecision: 1%\nat_most: 6");
  const Outcome outcome = sweep("store");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("2 points, 24 runs"));
  const std::string first = csv("store");
  EXPECT_THAT(sweep("store").out, HasSubstr("24 runs, 0 of them new"));
  EXPECT_EQ(csv("store"), first);
}

TEST_F(Sweeps, SearchesLookAtFewPoints) {
  edit("values: [1MiB, 2MiB]", "values: 64KiB..16MiB x2");
  edit("1..3", "[1]");
  edit("measure", "find: {axis: region, where: \"max(faulter.munlock, downgrade) > 120us\"}\nmeasure");
  const Outcome outcome = sweep("store");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("9 points, 20 runs"));  // both ends, and three between: log2 of eight steps
  const std::string found = mlocksim({"results", folder_ / "store"}).out;
  EXPECT_THAT(found, HasSubstr("Where along region: max(faulter.munlock, downgrade) > 120us"));
  EXPECT_THAT(found, HasSubstr("of the replications agree), yes at "));
}

TEST_F(Sweeps, RankWhatTheAnswerHangsOn) {
  (void)folder_.write("study.yaml", R"(schema: mlocksim/1
name: factors
scenario: tiny
policies: [downgrade]
axes: {}
measure: max(faulter.munlock)
sensitivity: {factors: [machine.costs.fork_page, machine.costs.munlock_page], range: 0.5..2, trajectories: 3}
)");
  const Outcome outcome = sweep("store");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::string text = mlocksim({"results", folder_ / "store"}).out;
  ASSERT_THAT(text, HasSubstr("fork_page"));
  EXPECT_LT(text.find("munlock_page"), text.find("fork_page"));
}

TEST_F(Sweeps, QueriesReadAndNothingElse) {
  edit("1..3", "[1]");
  ASSERT_EQ(sweep("store").code, 0);
  const auto query = [&](const std::string& sql) { return mlocksim({"results", folder_ / "store", "--sql", sql}); };
  const auto refused = [&](const std::string& sql, const std::string& why) {
    const Outcome outcome = query(sql);
    EXPECT_EQ(outcome.code, 2) << sql;
    EXPECT_THAT(outcome.err, HasSubstr(why)) << sql;
    EXPECT_EQ(outcome.out, "");
  };
  refused("", "expected a query such as");
  refused(" ; -- nothing", "expected a query such as");
  refused("SELECT 1; SELECT 2", "expected one query, found more: 'SELECT 2'");
  refused("VACUUM INTO '" + folder_ / "copy" + "'", "only reading is allowed");
  refused("ATTACH '" + folder_ / "copy" + "' AS a", "only reading is allowed");
  refused("DELETE FROM run", "only reading is allowed");
  refused("SELECT nonesuch FROM run", "no such column: nonesuch");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "copy"));
  EXPECT_EQ(query("SELECT 1 AS one; -- and no more").out, "one\n1\n");
  EXPECT_EQ(query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 20000").code,
            0);
}

TEST_F(Sweeps, QueriesWithoutEndAreAnsweredAsTheyGo) {
  const std::string limited = "ulimit -v 4000000; " + tests::mlocksim_binary();
  if (tests::run_program({"/bin/sh", "-c", limited + " --version"}).code != 0)
    GTEST_SKIP() << "it cannot start in 4 GB of addresses: the address sanitizer takes terabytes";
  edit("1..3", "[1]");
  ASSERT_EQ(sweep("store").code, 0);
  const Outcome outcome = tests::run_program(
      {"/bin/sh", "-c",
       limited + " results " + folder_ / "store" +
           " --sql 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n' | head -2"});
  EXPECT_EQ(outcome.out, "i\n1\n");
}

// What cannot be told is no reason to stop.
TEST_F(Sweeps, GoOnWithoutStandardError) {
  edit("1..3", "[1]");
  for (const std::string nowhere : {"2>/dev/full", "2>&-"}) {
    const std::string store = "store" + std::to_string(nowhere.size());
    const Outcome outcome = tests::run_program(
        {"/bin/sh", "-c",
         "exec " + tests::mlocksim_binary() + " sweep " + study_ + " -o " + folder_ / store + " " + nowhere});
    EXPECT_EQ(outcome.code, 0) << nowhere;
    EXPECT_THAT(outcome.out, HasSubstr("8 runs, 8 of them new, 0 failed"));
  }
}

TEST_F(Sweeps, SayWhereTheResultsAreInWordsThatAShellTakes) {
  edit("1..3", "[1]");
  EXPECT_THAT(sweep("it's $here").out, HasSubstr("Now: mlocksim results '" + (folder_ / "it'\\''s $here") + "'\n"));
}

// A call that has not returned when the run ends.
TEST_F(Sweeps, TakeACallThatIsUnderWayAtTheEnd) {
  edit("1..3", "[1]");
  edit("replications", "set: {duration: 1100us}\nreplications");
  const Outcome outcome = sweep("store");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("0 failed"));
}

TEST_F(Sweeps, NameWhatRanOutOfMemory) {
  edit("1..3", "[1]");
  edit("region: {set: \"processes[0].regions.heap.size\", values: [1MiB, 2MiB]}",
       "mapped: {set: \"processes[0].threads.mapper.size\", values: [64KiB, 32MiB]}");
  edit("replications", "set: {\"processes[0].threads.mapper.populate\": true}\nreplications");
  const Outcome outcome = sweep("store");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("0 failed, 4 OUT OF MEMORY"));
  const Outcome results = mlocksim({"results", folder_ / "store"});
  EXPECT_THAT(results.out, HasSubstr("OUT OF MEMORY: 4 runs ended early, and are in no figure above"));
  EXPECT_THAT(csv("store"), HasSubstr(",out_of_memory,"));
}

TEST_F(Sweeps, RefuseBadCommandLines) {
  EXPECT_THAT(sweep("store", {"--shard", "3/2"}).err, HasSubstr("expected K/N with K from 1 to N"));
  EXPECT_THAT(mlocksim({"sweep", study_}).err, HasSubstr("missing -o DIR"));
  EXPECT_THAT(mlocksim({"sweep", "unlock_questoin", "-o", folder_ / "x"}).err,
              HasSubstr("there is no study 'unlock_questoin' (did you mean unlock_question?)"));
  EXPECT_THAT(mlocksim({"check", study_}).out, HasSubstr("6 points, 24 different runs"));
}

}  // namespace
}  // namespace experiments::sweep_test
