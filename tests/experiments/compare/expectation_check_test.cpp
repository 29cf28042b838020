// Whether what a scenario expects holds: by results that a test has chosen, and as the commands tell it.
#include "experiments/compare/expectation_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/expectations.h"
#include "tests/support/synthetic_result.h"

namespace experiments::expectation_check_test {
namespace {

using namespace std::chrono_literals;
using models::Phase;
using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;
using tests::both;
using tests::expecting;
using tests::result_of;
using tests::worked;

// --- checking ---------------------------------------------------------------------------------------------------

class ExpectationCheckTest : public tests::ConfigFiles {
 protected:
  static models::Result faults(const models::Samples& idle, const models::Samples& mlock = {}) {
    return result_of({{"faulter", {{Phase::idle, idle}, {Phase::mlock_populate, mlock}}}});
  }
  static std::vector<ExpectationCheck> check(const std::string& list, const std::vector<models::Result>& results,
                                             const std::string& policy = "downgrade") {
    return check_expectations(tests::expectations_of(list), {policy}, {results});
  }
};

TEST_F(ExpectationCheckTest, HoldsOrFailsByTheValueOfTheRun) {
  const auto checks = check("[max(faulter) > 1ms, max(faulter) > 1s]", {faults(both(worked(9, 1us), worked(1, 2ms)))});
  ASSERT_THAT(checks, SizeIs(2));
  EXPECT_EQ(checks[0].holds, Holds::yes);
  EXPECT_EQ(checks[1].holds, Holds::no);
  EXPECT_FALSE(all_hold(checks));
  EXPECT_TRUE(all_hold({checks[0]}));
  EXPECT_THAT(to_text(checks), AllOf(HasSubstr("holds        max(faulter) > 1ms  (downgrade)  2.00 ms"),
                                     HasSubstr("FAILS        max(faulter) > 1s  (downgrade)   2.00 ms")));
}

TEST_F(ExpectationCheckTest, APhaseIsThatOfTheLockersCall) {
  const auto result = faults(worked(10, 1us), worked(10, 5us));
  EXPECT_TRUE(
      all_hold(check("[mean(faulter.mlock) > 4us, mean(faulter.mlock.populate) > 4us, mean(faulter.idle) < 2us, "
                     "count(faulter) > 19, count(faulter.idle) < 11]",
                     {result})));
}

TEST_F(ExpectationCheckTest, IsOfTheMeanOverTheReplications) {
  const auto checks = check("[max(faulter) > 25us]", {faults(worked(1, 20us)), faults(worked(1, 40us))});
  EXPECT_EQ(checks[0].holds, Holds::yes);
  ASSERT_THAT(checks[0].figures, SizeIs(1));
  EXPECT_NEAR(checks[0].figures[0].value.value(), 30'000, 100);
  ASSERT_TRUE(checks[0].figures[0].interval);
  EXPECT_LT(checks[0].figures[0].interval->low, 25'000);
}

TEST_F(ExpectationCheckTest, TooFewSamplesAreUndecidableAndNeverAPass) {
  const auto checks = check("[p9999(faulter) < 1s]", {faults(worked(812, 1us))});
  EXPECT_EQ(checks[0].holds, Holds::undecidable);
  EXPECT_FALSE(all_hold(checks));
  EXPECT_THAT(to_text(checks), HasSubstr("samples, has 812"));
  // Enough in one replication do not make up for the other.
  EXPECT_EQ(check("[p99(faulter) < 1s]", {faults(worked(100'000, 1us)), faults(worked(3, 1us))})[0].holds,
            Holds::undecidable);
  EXPECT_EQ(check("[max(faulter.munlock) < 1s]", {faults(worked(10, 1us))})[0].holds, Holds::undecidable)
      << "no sample at all";
}

TEST_F(ExpectationCheckTest, ADivisionByZeroIsUndecidableAndNeverAPass) {
  const std::vector<models::Result> results{faults(worked(1748, 1us))};
  const auto checks = check("[count(faulter) / count(faulter.munmap) > 2]", results);
  EXPECT_EQ(checks[0].holds, Holds::undecidable);
  EXPECT_FALSE(all_hold(checks));
  EXPECT_THAT(to_text(checks), HasSubstr("undecidable  count(faulter) / count(faulter.munmap) > 2  (downgrade)  a "
                                         "division by zero: the result is no finite number: count(faulter) = 1748, "
                                         "count(faulter.munmap) = 0\n"));
  EXPECT_TRUE(to_json(checks)[0]["holds"].is_null());
  EXPECT_EQ(to_json(checks)[0]["undecidable"], "a division by zero: the result is no finite number");
  for (const char* const list :
       {"[p99(faulter) / 0 > p99(faulter)]", "[p99(faulter) / 0 < p99(faulter)]", "[not p99(faulter) / 0 > 1s]",
        "[count(faulter.munmap) / count(faulter.munmap) == 1]", "[count(faulter.munmap) / 0 != 1]"}) {
    EXPECT_EQ(check(list, results)[0].holds, Holds::undecidable) << list;
  }
}

TEST_F(ExpectationCheckTest, AGuardDecidesWhatWouldDivideByZero) {
  EXPECT_EQ(
      check("[count(faulter.munmap) > 0 and count(faulter) / count(faulter.munmap) > 2]", {faults(worked(9, 1us))})[0]
          .holds,
      Holds::no);
}

TEST_F(ExpectationCheckTest, ACountNeedsNoSamples) {
  EXPECT_EQ(check("[count(faulter.munlock) < 1]", {faults(worked(10, 1us))})[0].holds, Holds::yes);
}

TEST_F(ExpectationCheckTest, WithoutAPolicyItIsCheckedUnderEach) {
  const auto checks = check_expectations(tests::expectations_of("[max(faulter) < 10us]"), {"write_held", "downgrade"},
                                         {{faults(worked(1, 20us))}, {faults(worked(1, 5us))}});
  ASSERT_THAT(checks, SizeIs(2));
  EXPECT_EQ(checks[0].policy, "write_held");
  EXPECT_EQ(checks[0].holds, Holds::no);
  EXPECT_EQ(checks[1].holds, Holds::yes);
}

TEST_F(ExpectationCheckTest, WithPoliciesItIsCheckedOnce) {
  const std::string list = "['max(faulter, downgrade) < 0.3 * max(faulter, write_held)']";
  const auto checks = check_expectations(tests::expectations_of(list), {"write_held", "downgrade"},
                                         {{faults(worked(1, 20us))}, {faults(worked(1, 5us))}});
  ASSERT_THAT(checks, SizeIs(1));
  EXPECT_EQ(checks[0].holds, Holds::yes);
  EXPECT_THAT(to_text(checks),
              AllOf(HasSubstr("max(faulter, downgrade) = 5.00 us"), HasSubstr("max(faulter, write_held) = 20.0 us")));
}

TEST_F(ExpectationCheckTest, WithoutARunUnderItsPolicyItIsNotChecked) {
  const auto checks = check("['max(faulter, linux-6.4) < 1s']", {faults(worked(1, 20us))});
  EXPECT_EQ(checks[0].holds, Holds::not_checked);
  EXPECT_THAT(to_text(checks), AllOf(HasSubstr("not checked"), HasSubstr("needs a run under linux-6.4")));
}

TEST_F(ExpectationCheckTest, OfARunThatRanOutOfMemoryItIsCheckedAndTheLineSaysSo) {
  models::Result ended = faults(worked(1, 20us));
  ended.outcome = models::Outcome::out_of_memory;
  ended.sim_time = 213ms;
  const auto checks = check("[max(faulter) < 1ms and max(faulter) > 1us]", {ended});
  EXPECT_EQ(checks[0].holds, Holds::yes);
  EXPECT_THAT(to_text(checks), HasSubstr("(downgrade)  20.0 us; downgrade ran out of memory after 213 ms\n"));
  EXPECT_EQ(to_json(checks)[0]["out_of_memory"][0]["first_after_ns"], 213'000'000);
  EXPECT_EQ(to_json(checks)[0]["out_of_memory"].size(), 1u) << "once, however many figures";
  EXPECT_THAT(to_text(check("[p99(faulter) < 1ms]", {ended})), HasSubstr("has 1; downgrade ran out of memory"));
  EXPECT_FALSE(to_json(check("[max(faulter) < 1ms]", {faults(worked(1, 20us))}))[0].contains("out_of_memory"));
}

TEST_F(ExpectationCheckTest, ALockersCallIsMeasuredByItself) {
  models::Result result = result_of({{"locker", {}}, {"faulter", {{Phase::idle, worked(1, 1us)}}}});
  result.classes[0].calls["mlock"].duration.record(3ms);
  result.classes.emplace_back().name = "little";
  result.classes.back().calls["mlock"].duration.record(5ms);
  EXPECT_TRUE(all_hold(check("[max(locker.mlock) > 2ms]", {result})));
  EXPECT_FALSE(all_hold(check("[max(locker.mlock) > 4ms]", {result})));
}

TEST_F(ExpectationCheckTest, InJsonItHasTheValuesAndWhatTheyAreMadeOf) {
  const Json json = to_json(check("[max(faulter) > 1ms, p99(faulter) > 1s]", {faults(worked(9, 2ms))}));
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["condition"], "max(faulter) > 1ms");
  EXPECT_EQ(json[0]["policy"], "downgrade");
  EXPECT_EQ(json[0]["holds"], true);
  EXPECT_EQ(json[0]["measures"][0]["value"], 2'000'000);
  EXPECT_TRUE(json[1]["holds"].is_null());
  EXPECT_EQ(json[1]["measures"][0]["samples"], 9);
  EXPECT_GT(json[1]["measures"][0]["needed"], 9);
}

// --- the commands -----------------------------------------------------------------------------------------------

class ExpectationCommands : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
  std::string scenario(const std::string& list) const { return folder_.write("tiny.yaml", expecting(list)); }
};

constexpr int kFailed = 3;

TEST_F(ExpectationCommands, RunPrintsEachAndExitsWithThreeWhereOneFails) {
  const auto good = tests::mlocksim({"run", scenario("[max(faulter) < 1s, max(locker.mlock) < 1s]")});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("Expectations\n    holds        max(faulter) < 1s"));
  const std::string json = folder_ / "result.json";
  const auto bad = tests::mlocksim({"run", scenario("[max(faulter) > 1s]"), "--json", json});
  EXPECT_EQ(bad.code, kFailed);
  EXPECT_THAT(bad.out, HasSubstr("FAILS        max(faulter) > 1s"));
  EXPECT_EQ(Json::parse(tests::text_of(json))["expectations"][0]["holds"], false)
      << "the result is written all the same";
}

TEST_F(ExpectationCommands, WhatCannotBeToldIsNoPass) {
  const auto outcome = tests::mlocksim({"run", scenario("[p9999(ps) < 1s]")});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("undecidable  p9999(ps) < 1s"));
}

/// Two lockers: one of 16 MiB, one of 64 KiB.
constexpr const char* kTwoLockers = R"(schema: mlocksim/1
name: two_lockers
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 4}
memory: {size: 1GiB}
policies: [downgrade]
processes:
  - name: db
    regions: {heap: {size: 16MiB, kind: anon}}
    threads:
      big: {run: locker, region: heap, script: [hold 1ms, mlock, hold 1ms, munlock]}
  - name: other
    regions: {heap: {size: 64KiB, kind: anon}}
    threads:
      little: {run: locker, region: heap, script: [hold 1ms, mlock, hold 1ms]}
expect:
  - max(big.mlock) > 1ms
  - max(little.mlock) < 1ms
  - count(big.mlock) == 1
  - count(little.mlock) == 1
)";

TEST_F(ExpectationCommands, OfTwoLockersEachIsMeasuredByItsOwnCalls) {
  const auto outcome = tests::mlocksim({"run", folder_.write("two.yaml", kTwoLockers)});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST_F(ExpectationCommands, ADivisionByZeroIsNoPass) {
  const auto outcome = tests::mlocksim({"run", scenario("[count(faulter) / count(faulter.exit) > 2]")});
  EXPECT_EQ(outcome.code, kFailed) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("undecidable  count(faulter) / count(faulter.exit) > 2"));
}

TEST_F(ExpectationCommands, WhatIsNotAsciiIsBadInput) {
  for (const char* const condition :
       {"p99(faulter) < 1\u00b5s", "p99(faulter) \u2264 1us", "p99(faulter)\u00a0< 1us"}) {
    const auto outcome = tests::mlocksim({"check", scenario(std::string("[\"") + condition + "\"]")});
    EXPECT_EQ(outcome.code, 2) << condition;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("tiny.yaml:19:10: expect[0]"), HasSubstr("cannot make sense of '")));
  }
  const auto set = tests::mlocksim({"run", scenario("[]"), "--set", "expect=[p99(faulter) < 1\u00b5s]"});
  EXPECT_EQ(set.code, 2);
  EXPECT_THAT(set.err, HasSubstr("cannot make sense of '\u00b5s'"));
}

TEST_F(ExpectationCommands, CompareChecksPoliciesAgainstEachOther) {
  const std::string json = folder_ / "result.json";
  const auto outcome = tests::mlocksim(
      {"compare", scenario("['max(faulter, downgrade) < 1000 * max(faulter, write_held)', max(ps) < 1s]"), "--policies",
       "write_held,downgrade", "--json", json});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Json::parse(tests::text_of(json))["expectations"].size(), 3u);
  EXPECT_EQ(tests::mlocksim({"compare", scenario("[max(ps) > 1s]"), "--policies", "write_held,downgrade"}).code,
            kFailed);
}

TEST_F(ExpectationCommands, AMistakeIsBadInputAndNothingIsWritten) {
  const std::string json = folder_ / "result.json";
  const auto outcome = tests::mlocksim({"run", scenario("[max(fault) < 1s]"), "--json", json});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("tiny.yaml:19:10: expect[0]: there is no class 'fault'"));
  EXPECT_FALSE(std::filesystem::exists(json));
}

TEST_F(ExpectationCommands, SweepChecksEachPoint) {
  scenario("[max(ps) < 1s, 'max(faulter, downgrade) > 1s']");
  const std::string study = folder_.write("study.yaml", R"(schema: mlocksim/1
name: study
scenario: tiny.yaml
policies: [downgrade]
replications: 1
axes:
  mapper: {set: "processes[0].threads.mapper.closed.think", values: [constant 200us, constant 300us]}
)");
  const auto outcome = tests::mlocksim({"sweep", study, "-o", folder_ / "out"});
  EXPECT_EQ(outcome.code, kFailed) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("mapper constant 200us. Expectations\n    holds        max(ps) < 1s"),
                                 HasSubstr("mapper constant 300us. Expectations"), HasSubstr("FAILS ")));
}

TEST_F(ExpectationCommands, ExpectationsChangeNoResultAndSoNoRunOfAStudy) {
  const auto result_with = [&](const std::string& list) {
    const std::string json = folder_ / "result.json";
    (void)tests::mlocksim({"run", scenario(list), "--json", json});
    Json result = Json::parse(tests::text_of(json));
    result.erase("expectations");
    result["engine"].erase("wall_ns");
    return result.dump();
  };
  EXPECT_EQ(result_with("[max(ps) < 1s]"), result_with("[max(ps) < 2s]"));
}

}  // namespace
}  // namespace experiments::expectation_check_test
