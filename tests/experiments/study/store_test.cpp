#include "experiments/study/store.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "experiments/base/installation.h"
#include "experiments/run/result_json.h"
#include "experiments/run/result_pack.h"
#include "experiments/study/study_results.h"
#include "tests/support/command_line.h"
#include "tests/support/config_files.h"
#include "tests/support/synthetic_result.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::store_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kStudy = R"(schema: mlocksim/1
name: sizes
scenario: tiny
policies: [downgrade]
axes: {region: {set: "processes[0].regions.heap.size", values: [1MiB, 2MiB]}}
measure: max(faulter)
)";

/// A result of faulter's nine nanoseconds.
StoredResult result_with(std::vector<models::Samples> samples = {tests::worked(20, std::chrono::nanoseconds(9))}) {
  models::Result result = tests::result_of({{"locker", {}}, {"faulter", {{models::Phase::idle, samples.front()}}}});
  result.classes[0].locker = true;
  result.classes[0].calls["mlock"].duration.record(std::chrono::nanoseconds(40));
  return stored_result(result);
}

StoredRun run_called(const std::string& key) {
  return {
      key, "tiny", "downgrade", 1, "mlocksim run tiny", "digest", std::make_shared<const std::string>("name: tiny\n")};
}

void execute(Store& store, const std::string& sql) {
  store.with([&](SQLite::Database& database) { database.exec(sql); });
}

class StoreTest : public tests::ConfigFiles {
 protected:
  void SetUp() override {
    ConfigFiles::SetUp();
    tests::write("tiny.yaml", tests::kTinyScenario);
  }
  static StudyPlan plan() { return StudyPlan(read_study(tests::write("y.yaml", kStudy))); }
  static std::filesystem::path folder() { return tests::folder() / "store"; }
};

TEST_F(StoreTest, ARunIsClaimedOnce) {
  Store store(folder(), Store::Mode::write);
  EXPECT_THAT(store.advance({}, {run_called("a"), run_called("b"), run_called("c")}, 2),
              ElementsAre(Claim::granted, Claim::granted));
  Store other(folder(), Store::Mode::write);
  // Both are of this process, which is alive.
  EXPECT_THAT(other.advance({}, {run_called("a"), run_called("c")}, 2), ElementsAre(Claim::elsewhere, Claim::granted));
  EXPECT_THAT(store.advance({{"a", result_with()}}, {run_called("a")}, 1), ElementsAre(Claim::finished));
}

TEST_F(StoreTest, ClaimsOfTheDeadAreTakenBack) {
  Store store(folder(), Store::Mode::write);
  (void)store.advance({}, {run_called("a"), run_called("b")}, 2);
  Store other(folder(), Store::Mode::write);
  execute(store, "UPDATE owner SET started = 'long ago'");
  EXPECT_THAT(other.advance({}, {run_called("a")}, 1), ElementsAre(Claim::granted));
  execute(store, "UPDATE owner SET host = 'elsewhere', seen_at = strftime('%s', 'now') - 10 WHERE id = 1");
  EXPECT_THAT(other.advance({}, {run_called("b")}, 1), ElementsAre(Claim::elsewhere));
  execute(store, "UPDATE owner SET seen_at = seen_at - 1000 WHERE id = 1");
  EXPECT_THAT(other.advance({}, {run_called("b")}, 1), ElementsAre(Claim::granted));
}

TEST_F(StoreTest, WhoHasLostAClaimCannotEndTheRun) {
  Store store(folder(), Store::Mode::write);
  (void)store.advance({}, {run_called("a")}, 1);
  execute(store, "UPDATE owner SET started = 'long ago'");
  Store other(folder(), Store::Mode::write);
  (void)other.advance({}, {run_called("a")}, 1);
  (void)store.advance({{"a", Failure{"late"}}}, {}, 0);
  EXPECT_EQ(store.text("SELECT status FROM run"), "running");
}

TEST_F(StoreTest, KeepsFiguresAndReasons) {
  Store store(folder(), Store::Mode::write);
  StudyPlan two = plan();
  store.write_plan(two, {{0, 0, "downgrade", 0, "a"}, {1, 0, "downgrade", 0, "b"}});
  (void)store.advance({}, {run_called("a"), run_called("b")}, 2);
  (void)store.advance({{"a", result_with(), std::chrono::nanoseconds(7)}, {"b", Failure{"it broke"}}}, {}, 0);
  const StudyResults results = read_results(store);
  ASSERT_THAT(results.points, SizeIs(2));
  EXPECT_THAT(results.points[0].labels, ElementsAre("1MiB"));
  EXPECT_EQ(results.points[0].policies[0].value({"max", "faulter", "total", ""}, 0), 9);
  EXPECT_EQ(results.points[0].policies[0].value({"p90", "faulter", "total", ""}, 0), std::nullopt);
  EXPECT_EQ(results.points[0].policies[0].value({"max", "locker", "mlock", ""}, 0), 40)
      << "what the locker's call took";
  EXPECT_EQ(results.points[1].policies[0].replications.at(0).reason, "it broke");
  EXPECT_EQ(results.count("failed"), 1u);
  EXPECT_THAT(to_csv(results), HasSubstr("0,1MiB,downgrade,0,1,done,faulter,total,20,9,9,,,,,9\n"));
  EXPECT_THAT(to_csv(results), HasSubstr("1,2MiB,downgrade,0,1,failed,,,,,,,,,,\n"));
  EXPECT_EQ(store.integer("SELECT max_ns FROM latency WHERE point = 0 AND phase = 'total'"), 9);
  store.forget_failed({"a", "b"});
  EXPECT_EQ(store.text("SELECT group_concat(key) FROM run"), "a");
}

TEST_F(StoreTest, RefusesWhatIsNoStore) {
  const auto mistake = [](Store::Mode mode) { return tests::mistakes_of([&] { const Store store(folder(), mode); }); };
  EXPECT_THAT(mistake(Store::Mode::read), ElementsAre(HasSubstr("there is no such file")));
  tests::write("store/study.sqlite",
               "This is a text, and quite a long one: SQLite looks at a hundred bytes at least. "
               "So there have to be at least as many here, or it takes the file for empty.");
  EXPECT_THAT(mistake(Store::Mode::write), ElementsAre(HasSubstr("the file is damaged or no SQLite database")));
  std::filesystem::remove(folder() / "study.sqlite");
  {
    Store store(folder(), Store::Mode::write);
    execute(store, "PRAGMA user_version=99");
  }
  EXPECT_THAT(mistake(Store::Mode::write), ElementsAre(HasSubstr("schema version 3, found 99")));
}

TEST_F(StoreTest, RefusesStoresOfEarlierVersionsAndLeavesThemAsTheyAre) {
  for (const int version : {1, 2}) {
    std::filesystem::remove_all(folder());
    std::filesystem::create_directories(folder());
    const std::string file = folder() / "study.sqlite";
    SQLite::Database(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec(fmt::format("CREATE TABLE meta(key TEXT, value TEXT); PRAGMA user_version={}", version));
    const std::string before = tests::text_of(file);
    for (const Store::Mode mode : {Store::Mode::read, Store::Mode::write}) {
      const auto mistakes = tests::mistakes_of([&] { const Store store(folder(), mode); });
      EXPECT_THAT(mistakes, ElementsAre(AllOf(HasSubstr(fmt::format("schema version 3, found {}", version)),
                                              HasSubstr("sweep it again into another folder"))));
    }
    EXPECT_EQ(tests::text_of(file), before);
  }
}

TEST_F(StoreTest, KeepsTheFullResultTheFactsAndWhatWasRun) {
  Store store(folder(), Store::Mode::write);
  (void)store.advance({}, {run_called("a"), run_called("b")}, 2);
  (void)store.advance({{"a", result_with()}, {"b", result_with()}}, {}, 0);
  EXPECT_EQ(store.integer("SELECT count(*) FROM scenario"), 1) << "once for both";
  EXPECT_EQ(store.text("SELECT yaml FROM run JOIN scenario ON scenario.key = run.digest WHERE run.key = 'a'"),
            "name: tiny\n");
  EXPECT_EQ(store.text("SELECT program || ' ' || result_version FROM run WHERE key = 'a'"),
            fmt::format("{} {}", program_version(), kResultVersion));
  const auto kept = store.with([](SQLite::Database& database) {
    const SQLite::Column column = database.execAndGet("SELECT result FROM run WHERE key = 'a'");
    const auto* const first = static_cast<const std::uint8_t*>(column.getBlob());
    return ProcessPool::Bytes(first, first + column.getBytes());
  });
  EXPECT_EQ(unpack(kept), unpack(result_with().result));
  const Json json = to_json(unpack(kept));
  EXPECT_EQ(store.integer("SELECT value FROM fact WHERE run = 'a' AND name = 'syscalls.mlock.mean_ns'"), 40);
  EXPECT_EQ(store.integer("SELECT value FROM fact WHERE run = 'a' AND name = 'memory.lowest_free_pages'"),
            json["memory"]["lowest_free_pages"].get<std::int64_t>());
  EXPECT_EQ(store.text("SELECT blame FROM figure WHERE run = 'a' AND class = 'faulter' AND phase = 'total'"),
            json["classes"]["faulter"]["total"]["blame"].dump());
}

TEST_F(StoreTest, WhatRanOutOfMemoryIsNamedAndInNoMean) {
  Store store(folder(), Store::Mode::write);
  StudyPlan two = plan();
  store.write_plan(two, {{0, 0, "downgrade", 0, "a"}, {0, 0, "downgrade", 1, "b"}});
  (void)store.advance({}, {run_called("a"), run_called("b")}, 2);
  models::Result short_of_memory = unpack(result_with({tests::worked(20, std::chrono::seconds(1))}).result);
  short_of_memory.outcome = models::Outcome::out_of_memory;
  short_of_memory.sim_time = std::chrono::milliseconds(213);
  (void)store.advance({{"a", result_with()}, {"b", stored_result(short_of_memory)}}, {}, 0);
  const StudyResults results = read_results(store);
  EXPECT_THAT(results.points[0].policies[0].values({"max", "faulter", "total", ""}), ElementsAre(9));
  EXPECT_EQ(results.count_out_of_memory(), 1u);
  const std::string text = to_text(results);
  EXPECT_THAT(text, HasSubstr("without 1 of 2 that ran out of memory"));
  EXPECT_THAT(text, HasSubstr("OUT OF MEMORY: 1 run ended early, and is in no figure above\n  region 1MiB, downgrade, "
                              "replication 1: after 213 ms\n    mlocksim run tiny\n"));
  EXPECT_THAT(to_csv(results), HasSubstr("0,1MiB,downgrade,1,1,out_of_memory,faulter,total,20,"));
  EXPECT_EQ(to_json(results)["points"][0]["policies"][0]["out_of_memory"], 1);
  EXPECT_EQ(store.integer("SELECT count(DISTINCT replication) FROM latency"), 1);
}

TEST_F(StoreTest, ADatabaseThatIsNoStudyIsRefused) {
  std::filesystem::create_directories(folder());
  SQLite::Database(folder() / "study.sqlite", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec("CREATE TABLE other(key TEXT); PRAGMA user_version=3");
  EXPECT_THAT(tests::mistakes_of([] { const Store store(folder(), Store::Mode::read); }),
              ElementsAre(HasSubstr("expected a study of schema version 3, found something else")));
}

// A run that failed in one shard may have been done in another; what is under way in a shard is begun anew.
TEST_F(StoreTest, AMergeKeepsWhatIsDoneOverWhatFailedAndLeavesWhatIsUnderWay) {
  const auto shard = [](const char* name, const RunEnd& end) {
    Store store(tests::folder() / name, Store::Mode::write);
    StudyPlan two = plan();
    store.write_plan(two, {{0, 0, "downgrade", 0, "a"}, {1, 0, "downgrade", 0, "b"}});
    (void)store.advance({}, {run_called("a"), run_called("b")}, 2);
    (void)store.advance({end}, {}, 0);
  };
  shard("one", RunEnd{"a", Failure{"it broke"}});
  shard("two", RunEnd{"a", result_with()});
  Store whole(folder(), Store::Mode::write);
  whole.merge(tests::folder() / "one");
  EXPECT_EQ(whole.text("SELECT group_concat(key || ' ' || status) FROM run"), "a failed");
  whole.merge(tests::folder() / "two");
  EXPECT_EQ(whole.text("SELECT group_concat(key || ' ' || status) FROM run"), "a done");
  whole.merge(tests::folder() / "one");
  EXPECT_EQ(whole.text("SELECT group_concat(key || ' ' || status) FROM run"), "a done");
  EXPECT_EQ(whole.integer("SELECT max_ns FROM latency WHERE point = 0 AND phase = 'total'"), 9);
}

TEST_F(StoreTest, EachStatisticIsInItsColumn) {
  models::Samples samples;
  for (std::int64_t latency = 1; latency <= 200'000; ++latency) {
    models::TimeByCause parts{};
    parts[static_cast<std::size_t>(models::Cause::cpu)] = std::chrono::nanoseconds(latency);
    samples.record(std::chrono::nanoseconds(latency), parts);
  }
  Store store(folder(), Store::Mode::write);
  (void)store.advance({}, {run_called("a")}, 1);
  (void)store.advance({{"a", result_with({samples})}}, {}, 0);
  for (const auto& [column, expected] : {std::pair{"count", 200'000.0},
                                         {"mean_ns", 100'000.5},
                                         {"p50_ns", 100'000.0},
                                         {"p90_ns", 180'000.0},
                                         {"p99_ns", 198'000.0},
                                         {"p999_ns", 199'800.0},
                                         {"p9999_ns", 199'980.0},
                                         {"max_ns", 200'000.0}}) {
    const std::int64_t found = store.integer(
        fmt::format("SELECT {} FROM figure WHERE run = 'a' AND class = 'faulter' AND phase = 'total'", column));
    EXPECT_NEAR(static_cast<double>(found), expected, 150) << column;  // buckets of 128 ns
  }
}

TEST_F(StoreTest, AFullDiskLosesNothing) {
  Store store(folder(), Store::Mode::write);
  (void)store.advance({}, {run_called("a")}, 1);
  const std::int64_t pages = store.integer("PRAGMA page_count");
  execute(store, fmt::format("PRAGMA max_page_count={}", pages));
  models::Result whole;
  whole.scenario = std::string(100'000, 'x');
  const StoredResult large = stored_result(whole);
  try {
    (void)store.advance({{"a", large}}, {}, 0);
    ADD_FAILURE() << "there was room";
  } catch (const StoreError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no room is left on the disk. What was stored before is safe"));
  }
  execute(store, "PRAGMA max_page_count=100000");
  EXPECT_EQ(store.text("SELECT status FROM run"), "running");
  (void)store.advance({{"a", large}}, {}, 0);
  EXPECT_EQ(store.text("SELECT status FROM run"), "done");
}

}  // namespace
}  // namespace experiments::store_test
