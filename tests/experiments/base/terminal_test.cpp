#include "experiments/base/terminal.h"

#include <gtest/gtest.h>

#include <string>

namespace experiments::terminal_test {
namespace {

TEST(Wrapped, BreaksBetweenWordsAndStartsEveryFurtherLineBehindTheColumn) {
  EXPECT_EQ(wrapped("one two three four five six seven", 30, 4), "one two three four five\n    six seven\n");
  EXPECT_EQ(wrapped("short", 80, 10), "short\n");
  EXPECT_EQ(wrapped("", 80), "\n");
}

TEST(Wrapped, KeepsANumberWithItsUnit) {
  EXPECT_EQ(wrapped("it held the lock for 18 ms, that is", 24), "it held the lock for\n18 ms, that is\n");
  EXPECT_EQ(wrapped("and of all the time 97 % went", 23), "and of all the time\n97 % went\n");
  EXPECT_EQ(wrapped("what nobody knows us of", 20), "what nobody knows us\nof\n") << "no number, no unit";
}

TEST(Wrapped, HasNoLineLongerThanAnEyeCanFollow) {
  std::string text;
  for (int word = 0; word < 100; ++word) text += "word ";
  EXPECT_LE(wrapped(text, 1000).find('\n'), 160U);
  EXPECT_EQ(wrapped("a_word_that_is_longer_than_the_line", 10), "a_word_that_is_longer_than_the_line\n");
}

}  // namespace
}  // namespace experiments::terminal_test
