#include "experiments/manual/manual_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace experiments::manual_page_test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Kind = ManualPage::Block::Kind;

ManualPage page() {
  return {"mlocksim-x",
          5,
          "an x",
          {{"KEYS",
            {{Kind::paragraph, ".starts with a dot, has a \\ and `--set`"},
             {Kind::item, "the outer", "a-b", 0},
             {Kind::item, "the inner", "c", 1},
             {Kind::example, "a: 1\n  .b: -1"}}}}};
}

TEST(ManualPage, IsReadByMan) {
  const std::string roff = to_roff(page());
  EXPECT_THAT(roff, StartsWith(".TH MLOCKSIM\\-X 5 \"\" \"mlocksim "));
  EXPECT_THAT(roff, HasSubstr(".SH NAME\nmlocksim\\-x \\- an x\n"));
  EXPECT_THAT(roff, HasSubstr(".TP\n\\fBa\\-b\\fR\nthe outer\n.RS\n.TP\n\\fBc\\fR\nthe inner\n.RE\n"));
}

TEST(ManualPage, NothingOfATextIsARequest) {
  const std::string roff = to_roff(page());
  EXPECT_THAT(roff, HasSubstr("\n\\&.starts with a dot, has a \\e and \\fB\\-\\-set\\fR\n"));
  EXPECT_THAT(roff, HasSubstr(".nf\na: 1\n  .b: \\-1\n.fi\n"));
  EXPECT_THAT(roff, Not(HasSubstr("\n.starts")));
}

TEST(ManualPage, FitsATerminal) {
  const std::string text = to_text(page(), 40);
  EXPECT_THAT(text, StartsWith("NAME\n    mlocksim-x - an x\n\nKEYS\n"));
  EXPECT_THAT(text, HasSubstr("\n    a-b\n        the outer\n        c\n            the inner\n"));
  EXPECT_THAT(text, HasSubstr("\n      a: 1\n        .b: -1\n"));
}

TEST(ManualPage, LinesOfATerminalAreJoined) { EXPECT_EQ(joined_lines("one\ntwo  three\n"), "one two three"); }

}  // namespace
}  // namespace experiments::manual_page_test
