#include "experiments/report/gnuplot.h"

#include <gtest/gtest.h>

namespace experiments {
namespace {

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

TEST(Gnuplot, ADrawingOnAPageHasNoSizeAndTakesTheColourOfTheText) {
  const std::string svg =
      "<?xml version=\"1.0\"?><svg width=\"1600\" height=\"900\" viewBox=\"0 0 1600 900\"><title>x</title>"
      "<rect x=\"0\" fill=\"#ffffff\"/><g id=\"a\" stroke=\"black\"/><use href=\"#a\"/></svg>";
  const std::string inlined = inline_svg(svg, "p", "what <it> shows");
  EXPECT_EQ(inlined,
            "<svg role=\"img\" aria-label=\"what &lt;it&gt; shows\" viewBox=\"0 0 1600 900\">"
            "<g id=\"p-a\" stroke=\"currentColor\"/><use href=\"#p-a\"/></svg>");
}

}  // namespace
}  // namespace experiments
