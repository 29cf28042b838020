#include "experiments/study/store.h"

#include <fmt/format.h>

#include "experiments/study/study_results.h"
#include "tests/support/config_files.h"
#include "tests/support/tiny_scenario.h"

namespace experiments {
namespace {

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

constexpr const char* kResult = R"({"classes": {"faulter": {
  "total": {"count": 20, "mean_ns": 5, "p50_ns": 4, "p90_ns": null, "max_ns": 9, "blame": {"cpu": 100}},
  "during": {"mlock": {"count": 0, "blame": {}}}}}})";

StoredRun run_called(const std::string& key) { return {key, "tiny", "downgrade", 1, "mlocksim run tiny"}; }

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
  EXPECT_THAT(store.advance({{"a", std::string(kResult)}}, {run_called("a")}, 1), ElementsAre(Claim::finished));
}

TEST_F(StoreTest, ClaimsOfTheDeadAreTakenBack) {
  Store store(folder(), Store::Mode::write);
  (void)store.advance({}, {run_called("a"), run_called("b")}, 2);
  Store other(folder(), Store::Mode::write);
  store.database().run("UPDATE owner SET started = 'long ago'");
  EXPECT_THAT(other.advance({}, {run_called("a")}, 1), ElementsAre(Claim::granted));
  store.database().run("UPDATE owner SET host = 'elsewhere', seen_at = strftime('%s', 'now') - 10 WHERE id = 1");
  EXPECT_THAT(other.advance({}, {run_called("b")}, 1), ElementsAre(Claim::elsewhere));
  store.database().run("UPDATE owner SET seen_at = seen_at - 1000 WHERE id = 1");
  EXPECT_THAT(other.advance({}, {run_called("b")}, 1), ElementsAre(Claim::granted));
}

TEST_F(StoreTest, WhoHasLostAClaimCannotEndTheRun) {
  Store store(folder(), Store::Mode::write);
  (void)store.advance({}, {run_called("a")}, 1);
  store.database().run("UPDATE owner SET started = 'long ago'");
  Store other(folder(), Store::Mode::write);
  (void)other.advance({}, {run_called("a")}, 1);
  (void)store.advance({{"a", Failure{"late"}}}, {}, 0);
  EXPECT_EQ(store.database().text("SELECT status FROM run"), "running");
}

TEST_F(StoreTest, KeepsFiguresAndReasons) {
  Store store(folder(), Store::Mode::write);
  StudyPlan two = plan();
  store.write_plan(two, {{0, 0, "downgrade", 0, "a"}, {1, 0, "downgrade", 0, "b"}});
  (void)store.advance({}, {run_called("a"), run_called("b")}, 2);
  (void)store.advance({{"a", std::string(kResult), std::chrono::nanoseconds(7)}, {"b", Failure{"it broke"}}}, {}, 0);
  const StudyResults results = read_results(store);
  ASSERT_THAT(results.points, SizeIs(2));
  EXPECT_THAT(results.points[0].labels, ElementsAre("1MiB"));
  EXPECT_EQ(results.points[0].policies[0].value({"max", "faulter", "total", ""}, 0), 9);
  EXPECT_EQ(results.points[0].policies[0].value({"p90", "faulter", "total", ""}, 0), std::nullopt);
  EXPECT_EQ(results.points[1].policies[0].replications.at(0).reason, "it broke");
  EXPECT_EQ(results.count("failed"), 1u);
  EXPECT_THAT(to_csv(results), HasSubstr("0,1MiB,downgrade,0,1,done,faulter,total,20,5,4,,,,,9\n"));
  EXPECT_THAT(to_csv(results), HasSubstr("1,2MiB,downgrade,0,1,failed,,,,,,,,,,\n"));
  EXPECT_EQ(store.database().integer("SELECT max_ns FROM latency WHERE point = 0 AND phase = 'total'"), 9);
  store.forget_failed({"a", "b"});
  EXPECT_EQ(store.database().text("SELECT group_concat(key) FROM run"), "a");
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
    store.database().run("PRAGMA user_version=99");
  }
  EXPECT_THAT(mistake(Store::Mode::write), ElementsAre(HasSubstr("schema version 2, found 99")));
}

TEST_F(StoreTest, AFullDiskLosesNothing) {
  Store store(folder(), Store::Mode::write);
  (void)store.advance({}, {run_called("a")}, 1);
  const std::int64_t pages = store.database().integer("PRAGMA page_count");
  store.database().run(fmt::format("PRAGMA max_page_count={}", pages));
  const std::string large = fmt::format(R"({{"classes": {{}}, "ballast": "{}"}})", std::string(100'000, 'x'));
  try {
    (void)store.advance({{"a", large}}, {}, 0);
    ADD_FAILURE() << "there was room";
  } catch (const DatabaseError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no room is left on the disk. What was stored before is safe"));
  }
  store.database().run("PRAGMA max_page_count=100000");
  EXPECT_EQ(store.database().text("SELECT status FROM run"), "running");
  (void)store.advance({{"a", large}}, {}, 0);
  EXPECT_EQ(store.database().text("SELECT status FROM run"), "done");
}

}  // namespace
}  // namespace experiments
