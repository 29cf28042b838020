#include "experiments/compare/hgrm_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/base/output_file.h"
#include "experiments/commands/commands.h"
#include "tests/support/command_line.h"
#include "tests/support/synthetic_result.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::hgrm_file_test {
namespace {

using models::Phase;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;
using tests::mlocksim;
using tests::Outcome;
using tests::result_of;
using tests::worked;
using namespace std::chrono_literals;

sim::Histogram histogram_of(const std::vector<sim::Nanoseconds>& samples) {
  sim::Histogram histogram;
  for (const sim::Nanoseconds sample : samples) histogram.record(sample);
  return histogram;
}

// 1 us, 2 us, ... n us.
sim::Histogram steps(int n) {
  sim::Histogram histogram;
  for (int value = 1; value <= n; ++value) histogram.record(std::chrono::microseconds{value});
  return histogram;
}

struct ParsedRow {
  double value;
  double percentile;
  std::uint64_t count;
  double inverse;  // infinite in the last row, which leaves it out
};

// A file, read as HdrHistogram's plotter does: what begins with # or a letter is not a row.
std::vector<ParsedRow> rows_of(const std::string& text) {
  std::vector<ParsedRow> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    ParsedRow row{};
    if (!(words >> row.value >> row.percentile >> row.count)) continue;
    if (!(words >> row.inverse)) row.inverse = std::numeric_limits<double>::infinity();
    rows.push_back(row);
  }
  return rows;
}

// The number after `key` in the lines at the end.
double footer(const std::string& text, const std::string& key) {
  const auto at = text.find(key);
  EXPECT_NE(at, std::string::npos) << key;
  return std::stod(text.substr(text.find('=', at) + 1));
}

// --- the format ---------------------------------------------------------------------------------------------

// Worked out by hand from the documented iteration: levels 0, 10, ... 50, 55, ... 75, 77.5, ... per cent.
TEST(Hgrm, IsThePercentileDistributionOfHdrHistogram) {
  EXPECT_EQ(hgrm(histogram_of({1us, 2us, 3us, 4us}), "four"),
            "#[four]\n"
            "       Value     Percentile TotalCount 1/(1-Percentile)\n"
            "\n"
            "       1.000 0.000000000000          1           1.00\n"
            "       1.000 0.100000000000          1           1.11\n"
            "       1.000 0.200000000000          1           1.25\n"
            "       2.000 0.300000000000          2           1.43\n"
            "       2.000 0.400000000000          2           1.67\n"
            "       2.000 0.500000000000          2           2.00\n"
            "       3.001 0.550000000000          3           2.22\n"
            "       3.001 0.600000000000          3           2.50\n"
            "       3.001 0.650000000000          3           2.86\n"
            "       3.001 0.700000000000          3           3.33\n"
            "       3.001 0.750000000000          3           4.00\n"
            "       4.000 0.775000000000          4           4.44\n"
            "       4.000 1.000000000000          4\n"
            "#[Mean    =        2.500, StdDeviation   =        1.118]\n"
            "#[Max     =        4.000, Total count    =            4]\n"
            "#[Buckets =            2, SubBuckets     =         2048]\n");
}

TEST(Hgrm, OfOneSampleHasItTwice) {
  const auto rows = rows_of(hgrm(histogram_of({1234567ns}), "one"));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].value, 1234.567);
  EXPECT_EQ(rows[0].percentile, 0);
  EXPECT_EQ(rows[1].value, 1234.567);
  EXPECT_EQ(rows[1].percentile, 1);
}

TEST(Hgrm, TellsThePercentilesOfKnownSamples) {
  const auto rows = rows_of(hgrm(steps(10'000), "steps"));
  for (const ParsedRow& row : rows) {
    const double exact = std::max(1.0, std::ceil(row.percentile * 10'000 - 1e-6));  // us
    EXPECT_GE(row.value, exact);
    EXPECT_LE(row.value, exact * 1.002) << "0.1 %, and the samples of one bucket come together";
  }
  const auto at = [&](double percentile) {
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [&](const ParsedRow& row) { return std::abs(row.percentile - percentile) < 1e-9; });
    return found == rows.end() ? 0.0 : found->value;
  };
  EXPECT_NEAR(at(0.5), 5000, 5);
  EXPECT_NEAR(at(0.75), 7500, 8);
  EXPECT_NEAR(at(0.9), 9000, 9);
}

TEST(Hgrm, HasMonotoneColumnsAndEndsWithTheMaximumAtOne) {
  for (const int n : {1, 2, 19, 1000, 123'456}) {
    SCOPED_TRACE(n);
    const auto rows = rows_of(hgrm(steps(n), "steps"));
    ASSERT_GE(rows.size(), 2u);
    for (std::size_t row = 1; row < rows.size(); ++row) {
      EXPECT_GE(rows[row].value, rows[row - 1].value);
      EXPECT_GT(rows[row].percentile, rows[row - 1].percentile);
      EXPECT_GE(rows[row].count, rows[row - 1].count);
      EXPECT_GT(rows[row].inverse, rows[row - 1].inverse);
    }
    EXPECT_EQ(rows.front().percentile, 0);
    EXPECT_EQ(rows.back().percentile, 1);
    EXPECT_EQ(rows.back().value, n) << "exactly";
    EXPECT_EQ(rows.back().count, static_cast<std::uint64_t>(n));
  }
}

// What every row says: so many of the samples are at most so long, and they are the percentile or more of all.
TEST(Hgrm, CountsTheSamplesUpToEachValue) {
  const sim::Histogram histogram = steps(50'000);
  for (const ParsedRow& row : rows_of(hgrm(histogram, "steps"))) {
    EXPECT_EQ(row.count, static_cast<std::uint64_t>(row.value)) << "a sample a microsecond";
    EXPECT_GE(static_cast<double>(row.count) / 50'000 + 1e-12, row.percentile);
    if (std::isfinite(row.inverse)) {
      EXPECT_NEAR(row.inverse * (1 - row.percentile), 1, 0.01);
    }
  }
}

TEST(Hgrm, HalvesItsStepsWithTheDistanceToTheEnd) {
  const auto rows = rows_of(hgrm(steps(100'000), "steps"));
  ASSERT_GT(rows.size(), 50U);
  for (std::size_t half = 0; half < 10; ++half) {
    for (std::size_t tick = 0; tick < 5; ++tick) {
      const double begin = 1 - std::exp2(-static_cast<double>(half));
      const double expected = begin + static_cast<double>(tick) * std::exp2(-static_cast<double>(half) - 1) / 5;
      EXPECT_NEAR(rows[5 * half + tick].percentile, expected, 1e-11);
    }
  }
}

TEST(Hgrm, TellsExactMeanMaximumAndCount) {
  const std::string text = hgrm(histogram_of({1'000'001ns, 3'000'003ns}), "two");
  EXPECT_NEAR(footer(text, "#[Mean"), 2000.002, 5e-4);
  EXPECT_NEAR(footer(text, "StdDeviation"), 1000.001, 1);
  EXPECT_EQ(footer(text, "#[Max"), 3000.003);
  EXPECT_EQ(footer(text, "Total count"), 2);
  EXPECT_EQ(footer(text, "SubBuckets"), 2048);
  EXPECT_EQ(footer(text, "#[Buckets"), 12) << "2048 ns doubled eleven times is beyond 3 ms";
}

TEST(Hgrm, SaysThatEqualSamplesDoNotDeviate) {
  EXPECT_EQ(footer(hgrm(histogram_of({5'000'001ns, 5'000'001ns}), "equal"), "StdDeviation"), 0);
}

// --- which files --------------------------------------------------------------------------------------------

const models::Scenario& scenario() {
  static const models::Scenario scenario = tests::scenario_of({tests::write_held(), tests::downgrade()});
  return scenario;
}

TEST(HgrmFiles, AreThereForEveryClassAndCallWithSamplesAndForTheTotal) {
  const auto some = result_of(
      {{"faulter", {{Phase::idle, worked(2, 1us)}, {Phase::mlock_populate, worked(3, 1ms)}}}, {"locker", {}}});
  const auto other = result_of({{"faulter", {{Phase::idle, worked(4, 1us)}}}, {"locker", {}}});
  const auto files = hgrm_files(Comparison(scenario(), {{some}, {other}}));
  EXPECT_THAT(files, UnorderedElementsAre(Pair("faulter.idle.write_held.hgrm", HasSubstr("count    =            2]")),
                                          Pair("faulter.mlock.write_held.hgrm", HasSubstr("count    =            3]")),
                                          Pair("faulter.total.write_held.hgrm", HasSubstr("count    =            5]")),
                                          Pair("faulter.idle.downgrade.hgrm", HasSubstr("count    =            4]")),
                                          Pair("faulter.total.downgrade.hgrm", HasSubstr("count    =            4]"))));
}

TEST(HgrmFiles, SayWhatTheyAreAndInWhatUnit) {
  const auto result = result_of({{"ps", {{Phase::munlock_walk, worked(2, 1ms)}}}});
  const Comparison comparison(scenario(), {{result}, {result}});
  EXPECT_THAT(hgrm_files(comparison).at("ps.munlock.downgrade.hgrm"),
              StartsWith("#[Latency of ps due during munlock under downgrade, 1 replication, in microseconds]\n"));
  EXPECT_THAT(hgrm_files(comparison, 42).at("ps.total.downgrade.42.hgrm"),
              StartsWith("#[Latency of ps in all under downgrade, seed 42, in microseconds]\n"));
}

TEST(HgrmFiles, MergeReplicationsWithoutLoss) {
  sim::Histogram all;
  std::vector<models::Result> results;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const auto length = sim::Nanoseconds{static_cast<std::int64_t>(seed) * 1'234'567};
    results.push_back(result_of({{"ps", {{Phase::mlock, worked(seed, length)}}}}, seed));
    for (std::uint64_t sample = 0; sample < seed; ++sample) all.record(length);
  }
  const auto files = hgrm_files(Comparison(scenario(), {results, results}));
  EXPECT_EQ(files.at("ps.mlock.downgrade.hgrm"),
            hgrm(all, "Latency of ps due during mlock under downgrade, 3 replications, in microseconds"));
}

TEST(HgrmFiles, LoseNoneWhereTwoWouldHaveOneName) {
  models::Policy one = tests::write_held();
  models::Policy two = tests::downgrade();
  one.name = "p";
  two.name = "total.p";
  const models::Scenario odd = tests::scenario_of({one, two});
  const auto result = result_of({{"a", {{Phase::idle, worked(2, 1us)}}}, {"a.idle", {{Phase::idle, worked(9, 1us)}}}});
  EXPECT_EQ(hgrm_files(Comparison(odd, {{result}, {result}})).size(), 8u);
}

// --- into a folder ------------------------------------------------------------------------------------------

TEST(OutputFolder, IsMadeAndFilled) {
  const tests::TemporaryFolder folder;
  OutputFolder output(folder / "a/b");
  output.commit({{"x.hgrm", "text"}});
  EXPECT_EQ(tests::text_of(folder / "a/b/x.hgrm"), "text");
}

TEST(OutputFolder, LeavesNothingWithoutCommit) {
  const tests::TemporaryFolder folder;
  { const OutputFolder output(folder / "a/b/"); }
  EXPECT_THAT(folder.names(), IsEmpty());
}

TEST(OutputFolder, LeavesNothingButTheFiles) {
  const tests::TemporaryFolder folder;
  {
    OutputFolder output(folder / ".");
    output.commit({{"x.hgrm", "new"}});
  }
  EXPECT_THAT(folder.names(), ElementsAre("x.hgrm"));
}

TEST(OutputFolder, ReplacesOldFilesAndKeepsOthers) {
  const tests::TemporaryFolder folder;
  const std::string old = folder.write("x.hgrm", "old");
  const std::string mine = folder.write("y", "mine");
  { OutputFolder(folder / ".").commit({{"x.hgrm", "new"}}); }
  EXPECT_EQ(tests::text_of(old), "new");
  EXPECT_EQ(tests::text_of(mine), "mine");
}

TEST(OutputFolder, LeavesTheFolderAsItWasIfAFileCannotBePutInPlace) {
  const tests::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "y.hgrm");
  EXPECT_THROW(OutputFolder(folder / ".").commit({{"x.hgrm", "x"}, {"y.hgrm", "y"}}), std::runtime_error);
  EXPECT_THAT(folder.names(), ElementsAre("y.hgrm"));
}

TEST(OutputFolder, RefusesWhatIsNoFolder) {
  const tests::TemporaryFolder folder;
  const std::string file = folder.write("file", "text");
  for (const std::string& path : {file, file + "/below", std::string("/proc/new"), std::string()}) {
    EXPECT_THROW(OutputFolder{path}, UsageError) << path;
  }
  EXPECT_THAT(folder.names(), ElementsAre("file"));
}

// --- from the command line ----------------------------------------------------------------------------------

class HgrmOption : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
  const std::string tiny_ = folder_.write("tiny.yaml", tests::kTinyScenario);

  // The number of samples in a file that the program wrote.
  [[nodiscard]] double count_in(const std::string& name) const {
    return footer(tests::text_of(folder_ / ("out/" + name)), "Total count");
  }
};

TEST_F(HgrmOption, OfRunWritesFilesThatAddUp) {
  const Outcome outcome = mlocksim({"run", tiny_, "--seed", "7", "--hgrm", folder_ / "out"});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  double parts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "out")) {
    const std::string name = entry.path().filename();
    EXPECT_TRUE(name.ends_with(".write_held.7.hgrm")) << name;
    EXPECT_EQ(static_cast<double>(rows_of(tests::text_of(entry.path())).back().count), count_in(name));
    if (name.starts_with("faulter.") && !name.starts_with("faulter.total.")) parts += count_in(name);
  }
  EXPECT_GT(parts, 100);
  EXPECT_EQ(parts, count_in("faulter.total.write_held.7.hgrm"));
}

TEST_F(HgrmOption, OfCompareMergesReplications) {
  const std::string out = folder_ / "out";
  ASSERT_EQ(mlocksim({"compare", tiny_, "--policies", "downgrade", "--reps", "2", "--hgrm", out}).code, kOk);
  for (const std::string seed : {"1", "2"}) {
    ASSERT_EQ(mlocksim({"run", tiny_, "--policy", "downgrade", "--seed", seed, "--hgrm", out}).code, kOk);
  }
  EXPECT_EQ(count_in("ps.total.downgrade.hgrm"),
            count_in("ps.total.downgrade.1.hgrm") + count_in("ps.total.downgrade.2.hgrm"));
}

TEST_F(HgrmOption, LeavesNothingWhenTheInputIsBadOrTheRunFails) {
  const std::string out = folder_ / "out";
  for (const char* command : {"run", "compare"}) {
    EXPECT_EQ(mlocksim({command, tiny_, "--set", "seed=one", "--hgrm", out}).code, kBadInput);
    EXPECT_EQ(mlocksim({command, tiny_, "--hgrm", out, "--json", folder_ / "no/such/folder.json"}).code, kBadInput);
    EXPECT_EQ(mlocksim({command, tiny_, "--hgrm", tiny_, "--json", folder_ / "result.json"}).code, kBadInput);
    EXPECT_EQ(mlocksim({command, tiny_, "--hgrm", out, "--simgrid=--cfg=no/such/key:1"}).code, kRunFailed);
  }
  EXPECT_THAT(folder_.names(), ElementsAre("tiny.yaml"));
}

}  // namespace
}  // namespace experiments::hgrm_file_test
