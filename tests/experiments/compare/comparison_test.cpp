#include "experiments/compare/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/manual/manual_page.h"
#include "tests/support/synthetic_result.h"

namespace experiments::comparison_test {
namespace {

using models::Phase;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using tests::both;
using tests::result_of;
using tests::waited;
using tests::worked;
using namespace std::chrono_literals;
using Results = std::vector<std::vector<models::Result>>;

const models::Scenario& two_policies() {
  static const models::Scenario scenario = tests::scenario_of({tests::write_held(), tests::downgrade()});
  return scenario;
}

const Row kFaulterInMlock{"faulter", Phase::mlock};

models::Result faulter(const models::Samples& samples, std::uint64_t seed = 1) {
  return result_of({{"faulter", {{Phase::mlock, samples}}}}, seed);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// --- statistics ---------------------------------------------------------------------------------------------

TEST(Statistic, AreThreePercentilesAndTheMaximum) {
  std::vector<std::string> names;
  for (const Statistic& statistic : all_statistics()) names.push_back(statistic.name);
  EXPECT_THAT(names, ElementsAre("p50", "p99", "p99.9", "max"));
}

TEST(Statistic, SaysNothingWithTooFewSamples) {
  const auto& statistics = all_statistics();
  EXPECT_EQ(statistics[0].of({}), std::nullopt);
  EXPECT_EQ(statistics[3].of({}), std::nullopt);
  EXPECT_EQ(statistics[1].of(worked(999, 1us).latency()), std::nullopt);
  EXPECT_EQ(statistics[1].of(worked(1000, 1us).latency()), 1us);
  EXPECT_EQ(statistics[3].of(worked(1, 1us).latency()), 1us);
}

// --- rows ---------------------------------------------------------------------------------------------------

TEST(Comparison, OrdersRowsByTheScenariosClassesAndThenByCall) {
  const auto first = result_of({{"z", {{Phase::munmap, worked(1, 1us)}, {Phase::idle, worked(1, 1us)}}}, {"a", {}}});
  const auto second = result_of({{"z", {{Phase::mlock, worked(1, 1us)}}}, {"a", {{Phase::munlock, worked(1, 1us)}}}});
  const Comparison comparison(two_policies(), {{first}, {second}});
  EXPECT_THAT(comparison.rows(), ElementsAre(Row{"z", Phase::idle}, Row{"z", Phase::mlock}, Row{"z", Phase::munmap},
                                             Row{"a", Phase::munlock}));
}

TEST(Comparison, CountsThePartsOfACallInTheRowOfTheCall) {
  const auto parts = result_of({{"ps", {{Phase::mlock, worked(1, 1us)}, {Phase::mlock_populate, worked(2, 2us)}}}});
  const Comparison comparison(two_policies(), {{parts}, {parts}});
  EXPECT_THAT(comparison.rows(), ElementsAre(Row{"ps", Phase::mlock}));
  EXPECT_EQ(comparison.pooled(0, {"ps", Phase::mlock}).latency().count(), 3u);
}

TEST(Comparison, HasNoRowForAClassWithoutRequests) {
  const auto locker_only = result_of({{"locker", {}}});
  const Comparison comparison(two_policies(), {{locker_only}, {locker_only}});
  EXPECT_TRUE(comparison.rows().empty());
}

TEST(Comparison, HasARowForWhatOnlyALaterReplicationHasMet) {
  const auto none = result_of({{"faulter", {}}});
  const Comparison comparison(two_policies(), {{none, none}, {none, faulter(worked(1, 1us), 2)}});
  EXPECT_THAT(comparison.rows(), ElementsAre(kFaulterInMlock));
  EXPECT_TRUE(comparison.pooled(0, kFaulterInMlock).latency().empty());
}

// --- pooling ------------------------------------------------------------------------------------------------

TEST(Comparison, PoolsReplicationsByMergingTheirSamples) {
  const auto some = waited(3, 1ms, {0, Phase::mlock});
  const auto more = worked(5, 7us);
  const Comparison comparison(two_policies(), {{faulter(some), faulter(more, 2)}, {faulter(more), faulter(more, 2)}});
  EXPECT_TRUE(comparison.pooled(0, kFaulterInMlock) == both(some, more));
  EXPECT_TRUE(comparison.pooled(1, kFaulterInMlock) == both(more, more));
}

TEST(Comparison, PoolsNothingForARowThatDoesNotExist) {
  const Comparison comparison(two_policies(), {{faulter(worked(1, 1us))}, {faulter(worked(1, 1us))}});
  EXPECT_TRUE(comparison.pooled(0, {"nobody", Phase::mlock}).latency().empty());
  EXPECT_TRUE(comparison.pooled(0, {"faulter", Phase::munmap}).latency().empty());
}

TEST(Comparison, KnowsPoliciesAndReplications) {
  const auto result = faulter(worked(1, 1us));
  const Comparison comparison(two_policies(), {{result, result, result}, {result, result, result}});
  EXPECT_EQ(comparison.policies(), 2u);
  EXPECT_EQ(comparison.replications(), 3u);
  EXPECT_EQ(comparison.policy(1).name, "downgrade");
  EXPECT_EQ(comparison.results(1).size(), 3u);
}

// --- the statistic that is compared -------------------------------------------------------------------------

std::string best_of(std::uint64_t first, std::uint64_t second) {
  const Comparison comparison(two_policies(), {{faulter(worked(first, 1us))}, {faulter(worked(second, 1us))}});
  return comparison.best_statistic(kFaulterInMlock, 0, 1).name;
}

TEST(Comparison, ComparesTheHighestPercentileThatBothPoliciesCanTell) {
  EXPECT_EQ(best_of(10'000, 10'000), "p99.9");
  EXPECT_EQ(best_of(10'000, 9'999), "p99");
  EXPECT_EQ(best_of(1'000, 10'000), "p99");
}

TEST(Comparison, ComparesTheMaximumWhereNoPercentileOfTheTailIsKnown) {
  EXPECT_EQ(best_of(999, 10'000), "max") << "the median says nothing about a tail";
  EXPECT_EQ(best_of(1, 1), "max");
}

/// With a single request of that length each among 10,000 short ones.
std::string best_with_longest(sim::Nanoseconds first, sim::Nanoseconds second) {
  const auto run = [](sim::Nanoseconds longest) { return faulter(both(worked(10'000, 10us), worked(1, longest))); };
  const Comparison comparison(two_policies(), {{run(first)}, {run(second)}});
  return comparison.best_statistic(kFaulterInMlock, 0, 1).name;
}

TEST(Comparison, ComparesTheMaximumWhereAPercentileHidesThatAStallEnds) {
  EXPECT_EQ(best_with_longest(470ms, 4ms), "max");
  EXPECT_EQ(best_with_longest(30us, 470ms), "max") << "or begins";
  EXPECT_EQ(best_with_longest(470ms, 470ms), "p99.9") << "both have it";
  EXPECT_EQ(best_with_longest(4ms, 2ms), "p99.9") << "a single request tells no such difference";
  EXPECT_EQ(best_with_longest(900us, 10us), "p99.9") << "no stall";
}

// Pooled there are 10,000 samples, enough for p99.9; each replication has 1,000, enough for p99.
TEST(Comparison, ComparesAStatisticThatEveryReplicationCanTell) {
  Results results(2);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    results[0].push_back(faulter(worked(1000, 2us), seed));
    results[1].push_back(faulter(worked(1000, 1us), seed));
  }
  const Comparison comparison(two_policies(), results);
  const Statistic& statistic = comparison.best_statistic(kFaulterInMlock, 0, 1);
  EXPECT_EQ(statistic.name, "p99");
  const auto interval = comparison.difference(kFaulterInMlock, statistic, 0, 1);
  ASSERT_TRUE(interval) << "ten replications give an interval";
  EXPECT_EQ(interval->samples, 10u);
  EXPECT_THAT(difference_table(comparison), HasSubstr("faulter"));
}

// --- paired differences -------------------------------------------------------------------------------------

Results maxima(const std::vector<sim::Nanoseconds>& first, const std::vector<sim::Nanoseconds>& second) {
  Results results(2);
  for (std::size_t index = 0; index < first.size(); ++index) {
    results[0].push_back(faulter(worked(1, first[index]), index + 1));
    results[1].push_back(faulter(worked(1, second[index]), index + 1));
  }
  return results;
}

TEST(Comparison, PairsDifferencesSeedBySeed) {
  // The seeds differ by far more than the policies: paired, the difference is 10 us without any doubt.
  const Comparison comparison(two_policies(), maxima({100us, 500us, 900us}, {90us, 490us, 890us}));
  const auto interval = comparison.difference(kFaulterInMlock, all_statistics().back(), 0, 1);
  ASSERT_TRUE(interval);
  EXPECT_DOUBLE_EQ(interval->mean, -10'000);
  EXPECT_DOUBLE_EQ(interval->low, -10'000);
  EXPECT_DOUBLE_EQ(interval->high, -10'000);
  EXPECT_EQ(interval->samples, 3u);
}

TEST(Comparison, TurnsTheSignWhenThePoliciesAreTurned) {
  const Comparison comparison(two_policies(), maxima({10us, 20us}, {11us, 22us}));
  EXPECT_DOUBLE_EQ(comparison.difference(kFaulterInMlock, all_statistics().back(), 0, 1)->mean, 1500);
  EXPECT_DOUBLE_EQ(comparison.difference(kFaulterInMlock, all_statistics().back(), 1, 0)->mean, -1500);
}

TEST(Comparison, HasNoIntervalWithOneReplication) {
  const Comparison comparison(two_policies(), maxima({10us}, {20us}));
  EXPECT_EQ(comparison.difference(kFaulterInMlock, all_statistics().back(), 0, 1), std::nullopt);
  EXPECT_EQ(difference_table(comparison), "");
}

TEST(Comparison, LeavesOutReplicationsInWhichAPolicyCannotTell) {
  Results results = maxima({10us, 20us, 30us}, {11us, 21us, 99us});
  results[1][2] = result_of({{"faulter", {}}}, 3);
  const Comparison comparison(two_policies(), results);
  const auto interval = comparison.difference(kFaulterInMlock, all_statistics().back(), 0, 1);
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->samples, 2u);
  EXPECT_DOUBLE_EQ(interval->mean, 1000);
}

TEST(DifferenceTable, SaysWhereNoDifferenceIsShown) {
  const Comparison noise(two_policies(), maxima({10us, 20us, 30us}, {30us, 10us, 25us}));
  EXPECT_THAT(difference_table(noise), HasSubstr("no difference shown"));
  const Comparison plain(two_policies(), maxima({100us, 101us, 102us}, {10us, 11us, 13us}));
  EXPECT_THAT(difference_table(plain), Not(HasSubstr("no difference shown")));
  EXPECT_THAT(difference_table(plain), HasSubstr("-89.7 us"));
}

// --- the table ----------------------------------------------------------------------------------------------

Comparison compared(const models::Scenario& scenario, const std::string& class_name = "faulter") {
  Results results;
  for (std::size_t policy = 0; policy < scenario.policies.size(); ++policy) {
    results.push_back({result_of({{class_name,
                                   {{Phase::idle, worked(20'000, 640ns)},
                                    {Phase::mlock, waited(7, 3210ms, {0, Phase::mlock})},
                                    {Phase::munmap_munlock, worked(25, 12345678us)}}},
                                  {"ps", {{Phase::munlock, worked(policy, 45us)}}}})});
  }
  return {scenario, results};
}

// Blocks are separated by a second heading; classes by an empty line.
void expect_aligned(const std::string& text) {
  std::size_t width = 0;
  for (const std::string& line : lines_of(text)) {
    const bool heading = line.starts_with("  ") && line.find_first_not_of(' ') != std::string::npos;
    if (heading) width = line.size();
    if (line.empty()) continue;
    EXPECT_EQ(line.size(), width) << text;
  }
  EXPECT_GT(width, 0u);
}

TEST(Table, HasLinesOfEqualLength) { expect_aligned(table(compared(two_policies()), 200)); }

TEST(Table, HasLinesOfEqualLengthWithALongNameOfAClass) {
  expect_aligned(table(compared(two_policies(), "faulters_of_the_other_process"), 200));
}

TEST(Table, HasLinesOfEqualLengthWithALongNameOfAPolicy) {
  auto scenario = two_policies();
  scenario.policies[0].name = std::string(60, 'p');
  expect_aligned(table(compared(scenario), 200));
}

TEST(Table, ShowsCountsAndLatenciesAndADashForWhatCannotBeTold) {
  const auto lines = lines_of(table(compared(two_policies()), 200));
  EXPECT_THAT(lines[0], HasSubstr("| write_held "));
  EXPECT_THAT(lines[0], HasSubstr("| downgrade "));
  EXPECT_THAT(lines[1], HasSubstr("        n      p50      p99    p99.9      max"));
  EXPECT_THAT(lines[3], HasSubstr("    20000   640 ns   640 ns   640 ns   640 ns"));
  EXPECT_THAT(lines[4], HasSubstr("        7        -        -        -   3.21 s"));
  EXPECT_THAT(lines.back(), HasSubstr("ps              munlock    |         0        -        -        -        -"));
}

TEST(Table, PutsThePoliciesBelowEachOtherWhereTheyDoNotFitSideBySide) {
  const auto scenario = tests::scenario_of({tests::write_held(), tests::downgrade(), tests::unlock_downgrade()});
  const Comparison comparison = compared(scenario);
  EXPECT_EQ(lines_of(table(comparison, 200)).size(), 8u);
  const auto lines = lines_of(table(comparison, 80));
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80u);
  EXPECT_EQ(lines.size(), 2 + 4 * comparison.rows().size());
  EXPECT_THAT(lines[2], testing::StartsWith("faulter, "));
  EXPECT_THAT(lines[3], HasSubstr("  write_held          20000   640 ns   640 ns   640 ns   640 ns"));
  EXPECT_THAT(lines[4], testing::StartsWith("  downgrade "));
}

TEST(Table, ShowsEveryPolicyHoweverNarrowThePage) {
  const std::string text = table(compared(two_policies()), 1);
  EXPECT_THAT(text, HasSubstr("write_held"));
  EXPECT_THAT(text, HasSubstr("downgrade"));
}

// --- blame --------------------------------------------------------------------------------------------------

TEST(BlameLines, SayWhatTheSlowestWaitFor) {
  const models::LockBlame holder{1, Phase::munlock_walk, models::LockMode::write, -1};
  const auto result = result_of({{"faulter", {{Phase::munlock, waited(30, 2ms, holder)}}}, {"locker", {}}});
  const std::string text = blame_lines({two_policies(), {{result}, {result}}});
  EXPECT_THAT(text, HasSubstr("write_held from 2.00 ms, downgrade from 2.00 ms"))
      << "policies with one reason stand together";
  EXPECT_THAT(joined_lines(text), HasSubstr("100 % waiting for mmap_sem (locker write munlock.walk)"));
}

TEST(BlameLines, KeepPoliciesWithDifferentReasonsApart) {
  const auto before =
      result_of({{"faulter", {{Phase::mlock, waited(30, 2ms, {1, Phase::mlock_populate})}}}, {"l", {}}});
  const auto after = result_of({{"faulter", {{Phase::mlock, waited(30, 1ms, {1, Phase::munmap_zap})}}}, {"l", {}}});
  const std::string text = blame_lines({two_policies(), {{before}, {after}}});
  EXPECT_THAT(text, HasSubstr("write_held from 2.00 ms\n"));
  EXPECT_THAT(text, HasSubstr("downgrade from 1.00 ms\n"));
}

TEST(BlameLines, AreSilentAboutThoseWhoWork) {
  EXPECT_EQ(blame_lines({two_policies(), {{faulter(worked(50, 1ms))}, {faulter(worked(50, 1ms))}}}), "");
}

}  // namespace
}  // namespace experiments::comparison_test
