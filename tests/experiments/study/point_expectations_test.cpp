// What a scenario expects, held against the figures in a study's store.
#include "experiments/study/point_expectations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expectations.h"

namespace experiments {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

using PointExpectations = tests::ConfigFiles;

PointOutcomes point_of(std::int64_t max, const std::string& status = "done") {
  RunOutcome run;
  run.status = status;
  Figures figures;
  const auto& names = statistic_names();
  for (std::size_t each = 0; each < names.size(); ++each) figures[each] = names[each] == "count" ? 10 : max;
  if (status == "done") run.figures[{"faulter", "total"}] = figures;
  PointOutcomes point;
  point.policies.push_back({"downgrade", {{0, run}}});
  return point;
}

TEST_F(PointExpectations, OfAPointIsCheckedAgainstTheStoresFigures) {
  EXPECT_TRUE(all_hold(check_expectations(tests::expectations_of("[max(faulter) > 1ms]"), point_of(2'000'000))));
  EXPECT_FALSE(all_hold(check_expectations(tests::expectations_of("[max(faulter) > 1s]"), point_of(2'000'000))));
}

TEST_F(PointExpectations, APointThatWasNotRunIsNotChecked) {
  const auto checks = check_expectations(tests::expectations_of("[max(faulter) > 1s]"), point_of(0, "failed"));
  EXPECT_EQ(checks[0].holds, Holds::not_checked);
}

TEST_F(PointExpectations, AStudyKeepsNoCallsOfLockersAndSaysSo) {
  const auto checks = check_expectations(tests::expectations_of("[max(locker.mlock) > 1s]"), point_of(1));
  ASSERT_THAT(checks, SizeIs(1));
  EXPECT_EQ(checks[0].holds, Holds::not_checked);
  EXPECT_THAT(checks[0].reason, HasSubstr("does not keep the calls of lockers"));
}

}  // namespace
}  // namespace experiments
