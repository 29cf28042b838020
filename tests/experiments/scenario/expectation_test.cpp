// What a scenario expects of its results: read, and refused where it cannot be meant.
#include "experiments/scenario/expectation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expectations.h"

namespace experiments::expectation_test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ExpectationFile : public tests::ConfigFiles {
 protected:
  static std::vector<Expectation> read_list(const std::string& list) { return tests::expectations_of(list); }
  static tests::Lines mistakes_in(const std::string& list) { return tests::mistakes(tests::expecting(list)); }
};

TEST_F(ExpectationFile, ReadsConditionsInTheNamesOfClassesPhasesPoliciesAndCalls) {
  const auto read = read_list(
      "[p99(faulter) < 1s, max(faulter.mlock) > 1us, 'mean(mapper, downgrade) < 0.3 * mean(mapper, write_held)', "
      "max(locker.mlock) > 1us, count(ps) > 3 and p50(ps) < 1s]");
  ASSERT_THAT(read, SizeIs(5));
  EXPECT_EQ(read[0].text, "p99(faulter) < 1s");
  EXPECT_THAT(read[0].policies(), IsEmpty());
  EXPECT_THAT(read[2].policies(), ElementsAre("downgrade", "write_held"));
}

TEST_F(ExpectationFile, AScenarioWithoutAnyExpectsNothing) {
  EXPECT_THAT(read_scenario_file(tests::write("s.yaml", tests::kTinyScenario)).expectations, IsEmpty());
}

TEST_F(ExpectationFile, AnEmptyListIsNone) { EXPECT_THAT(read_list("[]"), IsEmpty()); }

TEST_F(ExpectationFile, APolicyThatIsShippedMayBeNamedThoughItIsNotRun) {
  EXPECT_THAT(read_list("['max(mapper, linux-6.4) < 1s']"), SizeIs(1));
}

TEST_F(ExpectationFile, RefusesWhatItCannotMeanWithLineAndColumn) {
  EXPECT_THAT(mistakes_in("[p99(faultr) > 1s]"),
              ElementsAre("s.yaml:19:10: expect[0]: there is no class 'faultr' (did you mean faulter?)"));
  EXPECT_THAT(mistakes_in("[p99(faulter.mlok) > 1s]"),
              ElementsAre("s.yaml:19:10: expect[0]: there is no phase 'mlok' (did you mean mlock?)"));
  EXPECT_THAT(mistakes_in("['max(faulter, downgrad) > 1s']"),
              ElementsAre("s.yaml:19:10: expect[0]: there is no policy 'downgrad' (did you mean downgrade?)"));
  EXPECT_THAT(mistakes_in("[max(faulter, downgrade) > 1s]"),
              Contains(HasSubstr("between brackets a condition with a comma needs quotes")));
  EXPECT_THAT(mistakes_in("[max(locker) > 1s]"),
              ElementsAre(AllOf(HasSubstr("s.yaml:19:10: expect[0]: locker is a locker: expected one of its calls"))));
  EXPECT_THAT(mistakes_in("[max(locker.exit) > 1s]"),
              ElementsAre(HasSubstr("s.yaml:19:10: expect[0]: locker makes no call 'exit' (known: ")));
  EXPECT_THAT(mistakes_in("[1s > 2s]"), ElementsAre(HasSubstr("expected a condition on a result")));
  EXPECT_THAT(mistakes_in("[p99(faulter)]"), ElementsAre(HasSubstr("expected a condition on a result")));
  EXPECT_THAT(mistakes_in("[p99(faulter) > ]"), ElementsAre(HasSubstr("s.yaml:19:10: expect[0]: ")));
  EXPECT_THAT(mistakes_in("[p98(faulter) > 1s]"), ElementsAre(HasSubstr("s.yaml:19:10: expect[0]: ")));
  EXPECT_THAT(mistakes_in("[p99(faulter) > 3]"), SizeIs(1)) << "a time is no number";
  EXPECT_THAT(mistakes_in("p99(faulter) > 1s"),
              ElementsAre(HasSubstr("s.yaml:19:9: expect: expected a list of conditions")));
}

TEST_F(ExpectationFile, ReportsAllMistakesAtOnce) {
  EXPECT_THAT(mistakes_in("[p99(a) > 1s, p99(faulter) > 1ms, p99(b) > 1s]"), SizeIs(2));
}

}  // namespace
}  // namespace experiments::expectation_test
