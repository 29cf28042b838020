#include "experiments/report/gnuplot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/command_line.h"
#include "tests/support/fake_gnuplot.h"

namespace experiments::gnuplot_test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

TEST(Gnuplot, NothingInAStringIsSpecial) {
  EXPECT_EQ(gnuplot_string("plain"), "'plain'");
  EXPECT_EQ(gnuplot_string("it's"), "'it''s'");
}

TEST(Gnuplot, ThePercentSignOfATicIsNoFormat) {
  EXPECT_EQ(tics_list({{"50 %", 2}, {"it's", 0.5}}), "('50 %%' 2, 'it''s' 0.5)");
}

TEST(Gnuplot, TimesOnAnAxisAreDecadesOrFiner) {
  const Tics decades = time_tics(500, 2e8);
  ASSERT_EQ(decades.size(), 6U);
  EXPECT_EQ(decades.front().first, "1 µs");
  EXPECT_EQ(decades.back().first, "100 ms");
  EXPECT_GE(time_tics(2000, 9000).size(), 2U);
}

// --- drawing ------------------------------------------------------------------------------------------------------

/// What draw() gave instead of a drawing; empty if it drew.
std::string reason_of(const std::variant<std::string, NotDrawn>& drawn) {
  const auto* const failure = std::get_if<NotDrawn>(&drawn);
  return failure == nullptr ? "" : failure->reason;
}

Plot line_called(const std::string& name) { return {name, "x,y\n1,1\n2,2\n", "plot DATA using 1:2 with lines\n", 500}; }

class Drawing : public testing::Test {
 protected:
  void SetUp() override {
    if (tests::real_gnuplot().empty()) GTEST_SKIP() << "gnuplot is not installed";
  }

  tests::TemporaryFolder folder_;
};

TEST_F(Drawing, APlotMayBeCalledAfterEveryPrintableCharacter) {
  std::string printable;
  for (char each = ' '; each <= '~'; ++each) printable += each;
  const auto drawn = draw(line_called(file_stem(printable)), folder_ / "");
  ASSERT_EQ(reason_of(drawn), "");
  EXPECT_THAT(std::get<std::string>(drawn), HasSubstr("<svg"));
  EXPECT_EQ(reason_of(draw(line_called(file_stem("linux-6.4 µs")), folder_ / "")), "");
}

TEST_F(Drawing, WhatGnuplotDoesNotUnderstandIsNotDrawnAndItSaysWhy) {
  EXPECT_THAT(reason_of(draw({"a", "x\n1\n", "plot nonsense(\n"}, folder_ / "")), HasSubstr("gnuplot failed: "));
  EXPECT_EQ(std::filesystem::exists(folder_ / "a.svg"), false);
  EXPECT_EQ(std::filesystem::exists(folder_ / "a.gnuplot.log"), false);
}

TEST_F(Drawing, AGnuplotThatHangsIsKilled) {
  const tests::FakeGnuplot fake("exec sleep 100");
  EXPECT_EQ(reason_of(draw(line_called("a"), folder_ / "", 50ms)), "gnuplot had not drawn it after 50 ms");
}

TEST_F(Drawing, AGnuplotThatWritesNothingHasNotDrawnEvenWhereAnEarlierDrawingIs) {
  ASSERT_EQ(reason_of(draw(line_called("a"), folder_ / "")), "");
  const tests::FakeGnuplot fake("exit 0");
  EXPECT_THAT(reason_of(draw(line_called("a"), folder_ / "")), HasSubstr("without a drawing"));
  EXPECT_EQ(std::filesystem::exists(folder_ / "a.svg"), false);
}

TEST(FileStem, IsNeitherEmptyNorAnOptionNorHidden) {
  EXPECT_EQ(file_stem(""), "_");
  EXPECT_EQ(file_stem("-rf"), "_rf");
  EXPECT_EQ(file_stem(".."), "_.");
  EXPECT_EQ(file_stem("a/b c"), "a_b_c");
  EXPECT_EQ(file_stem("linux-6.4"), "linux-6.4");
}

}  // namespace
}  // namespace experiments::gnuplot_test
