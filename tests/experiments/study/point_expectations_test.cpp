// What a scenario expects, held against the figures in a study's store.
#include "experiments/study/point_expectations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expectations.h"

namespace experiments::point_expectations_test {
namespace {

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

TEST_F(PointExpectations, ALockersCallIsMeasuredAsAnyClassIs) {
  PointOutcomes point = point_of(1);
  RunOutcome& run = point.policies.front().replications.at(0);
  run.figures[{"locker", "mlock"}] = run.figures.at({"faulter", "total"});
  EXPECT_TRUE(all_hold(check_expectations(tests::expectations_of("[max(locker.mlock) < 1us]"), point)));
  EXPECT_FALSE(all_hold(check_expectations(tests::expectations_of("[max(locker.mlock) > 1s]"), point)));
}

TEST_F(PointExpectations, ARunThatRanOutOfMemoryIsNotCounted) {
  PointOutcomes point = point_of(2'000'000);
  point.policies.front().replications.at(0).out_of_memory = true;
  const auto checks = check_expectations(tests::expectations_of("[max(faulter) > 1ms]"), point);
  EXPECT_EQ(checks[0].holds, Holds::not_checked);
}

}  // namespace
}  // namespace experiments::point_expectations_test
