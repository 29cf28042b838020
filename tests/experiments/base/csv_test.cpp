#include "experiments/base/csv.h"

#include <gtest/gtest.h>

namespace experiments::csv_test {
namespace {

TEST(Csv, AFieldIsQuotedWhereItMustBe) {
  EXPECT_EQ(csv_field("plain text"), "plain text");
  EXPECT_EQ(csv_field(""), "");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
}

TEST(Csv, ALineEndsWithALineFeed) { EXPECT_EQ(csv_line({"a", "b,c", ""}), "a,\"b,c\",\n"); }

}  // namespace
}  // namespace experiments::csv_test
