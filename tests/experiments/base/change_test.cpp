#include "experiments/base/change.h"

#include <gtest/gtest.h>

namespace experiments::change_test {
namespace {

TEST(Change, WithoutAnIntervalOnlyAPlainFactorCounts) {
  EXPECT_EQ(change_between(100, 70, {}), Change::none);
  EXPECT_EQ(change_between(100, 60, {}), Change::shorter);
  EXPECT_EQ(change_between(100, 140, {}), Change::none);
  EXPECT_EQ(change_between(100, 160, {}), Change::longer);
}

TEST(Change, FactorsHaveThreeDigitsAndCommas) {
  EXPECT_EQ(spell_factor(1.5), "1.5");
  EXPECT_EQ(spell_factor(123.4), "123");
  EXPECT_EQ(spell_factor(3021), "3,000");
  EXPECT_EQ(spell_factor(59'400), "59,000");
  EXPECT_EQ(spell_factor(2'000'400), "2,000,000");
  EXPECT_EQ(spell_factor(40'456'000), "40,500,000");
}

TEST(Change, IsSaidInWords) {
  EXPECT_EQ(factor_text(118'000, 2), "59,000 times shorter");
  EXPECT_EQ(factor_text(10, 12), "1.2 times longer");
  EXPECT_EQ(factor_text(10, 10.01), "the same");
  EXPECT_EQ(factor_text(10, 0), "shorter");
  EXPECT_EQ(factor_text(0, 10), "longer");
}

}  // namespace
}  // namespace experiments::change_test
