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

TEST(Wrapped, LeavesATextAsItIsWhereLinesMayBeOfAnyWidth) {
  const std::string text = "two  lines\n" + std::string(300, 'x') + " of any width";
  EXPECT_EQ(wrapped(text, kAnyWidth, 4), text + "\n");
}

TEST(Folded, LeavesLinesThatFitAsTheyAre) {
  const std::string table = "policy    p99    max\n\n  downgrade  1 us   2 us\n";
  EXPECT_EQ(folded(table, 25), table);
  EXPECT_EQ(folded(table, kAnyWidth), table);
  EXPECT_EQ(folded("", 20), "");
}

TEST(Folded, GoesOnFurtherInThanTheLineBegan) {
  EXPECT_EQ(folded("one two three four five\n  six seven eight nine ten\n", 20),
            "one two three\n    four five\n  six seven eight\n      nine ten\n");
  EXPECT_EQ(folded("mean 4 longest 18 ms, or so", 18), "mean 4 longest\n    18 ms, or so") << "a number, its unit";
}

TEST(Folded, BreaksWhereAColumnBeginsIfThatIsFarEnoughBehind) {
  EXPECT_EQ(folded("faulter  14.0 us ->  326 ms  (more than once)\n", 40),
            "faulter  14.0 us ->  326 ms\n    (more than once)\n");
  EXPECT_EQ(folded("name  one two three four five six seven\n", 30), "name  one two three four five\n    six seven\n");
}

TEST(Folded, KeepsAnIntervalWhole) {
  EXPECT_EQ(folded("the difference is 4 ns [ 1 ns,  7 ns]  shown\n", 34),
            "the difference is 4 ns\n    [ 1 ns,  7 ns]  shown\n");
}

TEST(Folded, LeavesNoWordAloneAndBreaksNone) {
  EXPECT_EQ(folded("4 GiB free at the start; seed 1", 30), "4 GiB free at the start;\n    seed 1");
  EXPECT_EQ(folded("a_word_that_is_longer_than_the_line", 10), "a_word_that_is_longer_than_the_line");
  EXPECT_EQ(folded("a_word_that_is_longer_than_the_line and more of it", 10),
            "a_word_that_is_longer_than_the_line\n    and\n    more\n    of it");
}

TEST(Folded, CountsWhatIsSeen) {
  const std::string bold_line = "\033[1mas wide as that\033[0m";
  EXPECT_EQ(folded(bold_line, 15), bold_line);
  EXPECT_EQ(folded("µµµµ µµµµ", 9), "µµµµ µµµµ");
}

}  // namespace
}  // namespace experiments::terminal_test
