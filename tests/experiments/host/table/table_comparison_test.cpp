#include "experiments/host/table/table_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "experiments/base/diagnostics.h"
#include "tests/support/synthetic_result.h"

namespace experiments::table_comparison_test {
namespace {

using namespace std::chrono_literals;
using models::LockMode;
using models::Phase;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Optional;

constexpr double kMs = 1e6;

sim::Histogram times(std::size_t count, sim::Nanoseconds each) {
  sim::Histogram histogram;
  for (std::size_t i = 0; i < count; ++i) histogram.record(each);
  return histogram;
}

/// In a second: 100 maps, 20 of which wait for 10 ms, and 1000 faults, 5 of which wait for 2 ms.
models::Result simulated() {
  models::Result result = tests::result_of({{"mapper", {}}, {"faulter", {}}});
  models::LockResult& lock = result.locks.emplace_back();
  auto& asked = lock.statistics.asked;
  asked[{0, Phase::mmap, LockMode::write}] = {100, times(20, 10ms)};
  asked[{1, Phase::fault, LockMode::read}] = {1000, times(5, 2ms)};
  lock.statistics.hold[{0, Phase::mmap, LockMode::write}] = times(100, 30us);
  models::LockResult& mutex = result.locks.emplace_back();
  mutex.mutex = "arena";
  mutex.statistics.asked[{0, Phase::user, LockMode::write}] = {7, times(7, 1s)};
  return result;
}

LockTable perf_table(std::vector<LockRow> rows) {
  return {LockTableForm::perf_contention, LockRowsBy::caller, std::move(rows)};
}

const ComparedLockRow& row_of(const ComparedLocks& locks, std::optional<LockMode> mode, std::optional<Phase> call,
                              bool holds = false) {
  for (const ComparedLockRow& each : locks.rows) {
    if (each.mode == mode && each.call == call && each.holds == holds) return each;
  }
  ADD_FAILURE();
  return locks.rows.front();
}

// --- locks --------------------------------------------------------------------------------------------------------

TEST(TableComparison, WaitsOfPerfStandBesideThoseWhoHadToWait) {
  const ComparedLocks locks =
      compare_locks(perf_table({{"vm_mmap_pgoff+0x1", "rwsem:W", {}, 10, 200ms, 20ms, 40ms},
                                {"unlink_anon_vmas+0x1", "rwsem:W", {}, 10, 100ms, 10ms, 12ms},
                                {"lock_mm_and_find_vma+0x9e", "rwsem:R", {}, 4, 4ms, 1ms, 3ms}}),
                    "table", std::nullopt, {simulated()});
  const ComparedLockRow& write = row_of(locks, LockMode::write, std::nullopt);
  EXPECT_THAT(write.table.count, Optional(10));
  EXPECT_THAT(write.simulated.count, Optional(20));
  EXPECT_THAT(write.simulated.total, Optional(DoubleNear(200 * kMs, kMs)));
  EXPECT_THAT(ratio_of(write.simulated.mean, write.table.mean), Optional(DoubleNear(0.5, 0.01)));
  EXPECT_THAT(ratio_of(write.simulated.longest, write.table.longest), Optional(DoubleNear(0.25, 0.01)));
  const ComparedLockRow& faults = row_of(locks, LockMode::read, Phase::fault);
  EXPECT_THAT(faults.simulated.count, Optional(5));
  EXPECT_THAT(locks.left_out, ElementsAre(HasSubstr("unlink_anon_vmas")));
}

TEST(TableComparison, CallersOfOneCallAreOneRow) {
  const ComparedLocks locks = compare_locks(perf_table({{"vm_mmap_pgoff+0x1", "rwsem:W", {}, 10, 200ms, 20ms, 40ms},
                                                        {"vm_mmap_pgoff+0x9", "rwsem:W", {}, 30, 200ms, 7ms, 60ms}}),
                                            "table", std::nullopt, {simulated()});
  const ComparedLockRow& maps = row_of(locks, LockMode::write, Phase::mmap);
  EXPECT_THAT(maps.table.count, Optional(40));
  EXPECT_THAT(maps.table.mean, Optional(10 * kMs));
  EXPECT_THAT(maps.table.longest, Optional(60 * kMs));
}

TEST(TableComparison, WhoseCallIsNotToldIsInTheTotalsOnly) {
  const ComparedLocks locks = compare_locks(perf_table({{"do_syscall_64+0x71", "rwsem:W", {}, 10, 200ms, 20ms, 40ms}}),
                                            "table", std::nullopt, {simulated()});
  EXPECT_THAT(row_of(locks, LockMode::write, std::nullopt).table.count, Optional(10));
  EXPECT_EQ(row_of(locks, LockMode::write, Phase::mmap).table.count, std::nullopt);
  EXPECT_THAT(to_text(locks), HasSubstr("in the totals only"));
}

TEST(TableComparison, OtherLocksAreLeftOutAndNamed) {
  const ComparedLocks locks = compare_locks(perf_table({{"vm_mmap_pgoff+0x1", "rwsem:W", {}, 10, 200ms, 20ms, 40ms},
                                                        {"ext4_file_write_iter+0x1", "rwsem:W", {}, 5, 1ms, 200us, 1ms},
                                                        {"rcu_core+0xd4", "spinlock", {}, 900, 1ms, 1us, 2us}}),
                                            "table", std::nullopt, {simulated()});
  EXPECT_THAT(row_of(locks, LockMode::write, std::nullopt).table.count, Optional(10));
  EXPECT_THAT(locks.left_out, ElementsAre("ext4_file_write_iter+0x1 rwsem:W 5 times"));
}

TEST(TableComparison, WithoutMmapLockThereIsNothingToCompare) {
  const auto compare = [](const LockTable& table) { return compare_locks(table, "table", std::nullopt, {}); };
  EXPECT_THROW((void)compare(perf_table({{"rcu_core+0xd4", "spinlock", {}, 900, 1ms, 1us, 2us}})), InputError);
}

TEST(TableComparison, CountsBeyondAllNumbersAreRefused) {
  const LockRow most{"vm_mmap_pgoff+0x1", "rwsem:W", {}, std::uint64_t{1} << 62U, 1ms, 1us, 2us};
  const auto compare = [](const LockTable& table) { return compare_locks(table, "table", std::nullopt, {}); };
  EXPECT_NO_THROW((void)compare(perf_table({most})));
  EXPECT_THROW((void)compare(perf_table({most, most, most})), InputError);
}

TEST(TableComparison, CountsAreComparedWhereTheTablesLengthIsKnown) {
  const LockTable table = perf_table({{"vm_mmap_pgoff+0x1", "rwsem:W", {}, 10, 200ms, 20ms, 40ms}});
  const ComparedLocks without = compare_locks(table, "table", std::nullopt, {simulated()});
  EXPECT_EQ(without.scale, std::nullopt);
  EXPECT_THAT(to_text(without), HasSubstr("--table-length"));
  const ComparedLocks with = compare_locks(table, "table", 500ms, {simulated(), simulated()});
  const ComparedLockRow& write = row_of(with, LockMode::write, std::nullopt);
  EXPECT_THAT(ratio_of(write.simulated.count, write.table.count, with.scale), Optional(DoubleNear(1, 1e-9)));
  EXPECT_THAT(to_text(with), Not(HasSubstr("--table-length")));
}

TEST(TableComparison, KlockstatCountsAllAcquisitionsAndHolds) {
  LockTable table{LockTableForm::klockstat, LockRowsBy::caller};
  table.waits = {{"vm_mmap_pgoff+0x1", "", {}, 200, 200ms, 1ms, 40ms}, {"pipe_write+0x1", "", {}, 9, 1ms, 1us, 1us}};
  table.holds = {{"vm_mmap_pgoff+0x1", "", {}, 200, 12ms, 60us, 90us}};
  const ComparedLocks locks = compare_locks(table, "table", std::nullopt, {simulated()});
  const ComparedLockRow& waits = row_of(locks, LockMode::write, Phase::mmap);
  EXPECT_THAT(waits.simulated.count, Optional(100));
  EXPECT_THAT(waits.simulated.mean, Optional(DoubleNear(2 * kMs, 0.01 * kMs)));
  const ComparedLockRow& holds = row_of(locks, LockMode::write, Phase::mmap, true);
  EXPECT_THAT(ratio_of(holds.simulated.mean, holds.table.mean), Optional(DoubleNear(0.5, 0.01)));
  EXPECT_THAT(locks.left_out, ElementsAre("pipe_write+0x1 9 times"));
}

TEST(TableComparison, WhatAsksInEitherModeIsNotInTheTotalsByMode) {
  LockTable table{LockTableForm::klockstat, LockRowsBy::caller};
  table.waits = {{"vm_mmap_pgoff+0x1", "", {}, 200, 200ms, 1ms, 40ms}, {"do_madvise+0x1", "", {}, 3, 3ms, 1ms, 2ms}};
  models::Result result = simulated();
  result.locks.front().statistics.asked[{0, Phase::madvise, LockMode::write}] = {50, times(1, 5ms)};
  const ComparedLocks locks = compare_locks(table, "table", std::nullopt, {result});
  EXPECT_THAT(row_of(locks, LockMode::write, std::nullopt).simulated.count, Optional(100));
  EXPECT_THAT(row_of(locks, std::nullopt, Phase::madvise).simulated.count, Optional(50));
  EXPECT_THAT(to_text(locks), HasSubstr("madvise: asks in either mode"));
}

TEST(TableComparison, TasksAreComparedWithClassesOfTheirName) {
  LockTable table{LockTableForm::perf_contention, LockRowsBy::task};
  table.waits = {{"mapper", "", {}, 10, 200ms, 20ms, 40ms}, {"bash", "", {}, 1, 1ms, 1ms, 1ms}};
  const ComparedLocks locks = compare_locks(table, "table", std::nullopt, {simulated()});
  ASSERT_EQ(locks.rows.size(), 1U);
  EXPECT_EQ(locks.rows.front().class_name, "mapper");
  EXPECT_THAT(locks.rows.front().simulated.count, Optional(20));
  EXPECT_THAT(locks.left_out, ElementsAre("bash 1 times"));
}

TEST(TableComparison, OfLocksByNameItIsMmapLockInEitherMode) {
  LockTable table{LockTableForm::perf_contention, LockRowsBy::lock};
  table.waits = {{"mmap_lock", "rwsem", {}, 10, 200ms, 20ms, 40ms}, {"", "rwsem", {}, 1, 1ms, 1ms, 1ms}};
  const ComparedLocks locks = compare_locks(table, "table", std::nullopt, {simulated()});
  ASSERT_EQ(locks.rows.size(), 1U);
  EXPECT_THAT(locks.rows.front().simulated.count, Optional(25));
}

TEST(TableComparison, LocksAsJson) {
  const ComparedLocks locks = compare_locks(perf_table({{"vm_mmap_pgoff+0x1", "rwsem:W", {}, 10, 200ms, 20ms, 40ms}}),
                                            "table", 1s, {simulated()});
  const auto json = nlohmann::json::parse(to_json_text(locks));
  EXPECT_EQ(json["schema"], "mlocksim-table/1");
  EXPECT_EQ(json["rows"][0]["mode"], "write");
  EXPECT_EQ(json["rows"][0]["table"]["total_ns"], 200'000'000);
  EXPECT_EQ(json["rows"][0]["ratio"]["count"], 2);
}

// --- histograms ---------------------------------------------------------------------------------------------------

models::Scenario scenario() {
  models::Scenario scenario = tests::scenario_of({tests::downgrade()});
  models::ProcessSpec& process = scenario.processes.emplace_back();
  process.threads.emplace_back().name = "faulter";
  process.threads.back().run = models::FaulterSpec{};
  return scenario;
}

AttachedHistogram usecs() { return {"@usecs", {{0, 1, 950}, {1, 2, 0}, {2, 4, 30}, {4, 8, 20}}}; }

std::string refused(const std::vector<AttachedHistogram>& maps, const TableOptions& options) {
  try {
    (void)choose_histograms(maps, options, scenario());
  } catch (const UsageError& error) {
    return error.what();
  }
  return "chosen";
}

TEST(TableComparison, WhatAHistogramIsOfHasToBeSaid) {
  EXPECT_THAT(refused({usecs()}, {}), HasSubstr("--table-of: expected what @usecs is to be set beside"));
  EXPECT_THAT(refused({usecs()}, {{"wait.writ"}}), HasSubstr("found 'wait.writ'"));
  EXPECT_THAT(refused({usecs(), {"@b", usecs().buckets}}, {{"wait"}}),
              HasSubstr("expected MAP=wait, as there are @usecs, @b"));
  EXPECT_THAT(refused({usecs()}, {{"@usec=wait"}}), HasSubstr("there is no histogram '@usec' (did you mean @usecs?)"));
  EXPECT_EQ(refused({usecs()}, {{"faulter.munlock"}}), "chosen");
}

TEST(TableComparison, AHistogramsUnitIsSaidByItsNameOrByAnOption) {
  EXPECT_EQ(unit_in_name("@usecs")->name, "us");
  EXPECT_EQ(unit_in_name("@wait_ns[Web_ms, 1]")->name, "ns");
  EXPECT_EQ(unit_in_name("@latency"), nullptr);
  EXPECT_EQ(unit_in_name("@"), nullptr);
  const AttachedHistogram unnamed{"@", usecs().buckets};
  EXPECT_THAT(refused({unnamed}, {{"wait"}}), HasSubstr("--table-unit: expected ns, us, ms or s"));
  EXPECT_THAT(refused({unnamed}, {{"wait"}, "min"}), HasSubstr("found 'min'"));
  EXPECT_EQ(refused({unnamed}, {{"wait"}, "ms"}), "chosen");
  const std::vector<AttachedHistogram> both{usecs(), unnamed};
  const auto choices = choose_histograms(both, {{usecs().name + "=wait", "@=wait"}, "ms"}, scenario());
  EXPECT_EQ(choices[0].unit->name, "us");
  EXPECT_EQ(choices[1].unit->name, "ms");
}

TEST(TableComparison, TheSimulatedStandsInTheTablesBuckets) {
  const std::vector<AttachedHistogram> maps{usecs()};
  models::Result result = tests::result_of({{"mapper", {}}});
  auto& asked = result.locks.emplace_back().statistics.asked;
  asked[{0, Phase::mmap, LockMode::write}] = {1000, times(100, 3us)};
  asked[{0, Phase::munmap, LockMode::write}] = {5, times(5, 1ms)};
  const ComparedHistogram compared =
      compare_histogram(choose_histograms(maps, {{"wait.write"}}, scenario()).front(), {result});
  ASSERT_EQ(compared.buckets.size(), 5U);
  EXPECT_EQ(compared.buckets[0].simulated, 900U);  // who had not to wait
  EXPECT_EQ(compared.buckets[2].simulated, 100U);
  EXPECT_EQ(compared.buckets[4].simulated, 5U);  // above what the table has
  EXPECT_EQ(compared.buckets[4].from, 8us);
  EXPECT_EQ(compared.buckets[4].to, std::nullopt);
}

TEST(TableComparison, PercentilesOfATableLieBetweenTheEndsOfABucket) {
  const std::vector<AttachedHistogram> maps{usecs()};
  models::Result result = tests::result_of({{"faulter", {{Phase::idle, tests::worked(2000, 3us)}}}});
  const ComparedHistogram compared =
      compare_histogram(choose_histograms(maps, {{"faulter"}}, scenario()).front(), {result});
  ASSERT_EQ(compared.percentiles.size(), 4U);  // p99.9 of 1000 is nobody's
  EXPECT_EQ(compared.percentiles[0].statistic, "p50");
  EXPECT_EQ(compared.percentiles[0].to, 1us);
  EXPECT_FALSE(compared.percentiles[0].agrees());
  EXPECT_EQ(compared.percentiles[2].from, 4us);
  EXPECT_EQ(compared.percentiles[3].statistic, "max");
  EXPECT_THAT(to_text(compared), HasSubstr("in us, as its name says, beside faulter: latency of faulter"));
  EXPECT_THAT(to_text(compared), HasSubstr("longer"));
  const auto json = nlohmann::json::parse(to_json_text(std::vector{compared}));
  EXPECT_EQ(json["histograms"][0]["percentiles"][0]["to_ns"], 1000);
  EXPECT_EQ(json["histograms"][0]["buckets"][2]["simulated"], 2000);
}

TEST(TableComparison, HoldsAndContendedWaitsAreQuantitiesToo) {
  const std::vector<models::Result> results{simulated()};
  const auto count = [&](const char* of) {
    const auto quantity = parse_simulated_quantity(of, scenario());
    return simulated_histogram(*quantity, results).count();
  };
  EXPECT_EQ(count("wait"), 1100U);
  EXPECT_EQ(count("wait.read"), 1000U);
  EXPECT_EQ(count("contended"), 25U);
  EXPECT_EQ(count("contended.write"), 20U);
  EXPECT_EQ(count("hold"), 100U);
  EXPECT_EQ(count("hold.read"), 0U);
}

}  // namespace
}  // namespace experiments::table_comparison_test
