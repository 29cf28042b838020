#include "experiments/report/inline_svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace experiments::inline_svg_test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string inlined(const std::string& inside, const std::string& label = "a label") {
  const auto page = inline_svg(
      "<?xml version=\"1.0\"?>\n<svg width=\"1600\" height=\"900\" viewBox=\"0 0 1600 900\" "
      "xmlns:xlink=\"http://www.w3.org/1999/xlink\">" +
          inside + "</svg>",
      "p", label);
  return std::get<std::string>(page);
}

TEST(InlineSvg, HasNoSizeOfItsOwnAndIsNamedForThoseWhoDoNotSeeIt) {
  EXPECT_EQ(inlined("<g/>", "what <it> \"shows\""),
            "<svg role=\"img\" aria-label=\"what &lt;it> &quot;shows&quot;\" viewBox=\"0 0 1600 900\"><g/></svg>");
}

TEST(InlineSvg, TakesBlackForTheColourOfTheTextHoweverItIsSpelt) {
  for (const char* const black : {"'black'", "\"black\"", "'#000000'", "'rgb(  0,   0,   0)'", "\"rgb(0,0,0)\""}) {
    EXPECT_THAT(inlined(std::string("<path stroke=") + black + "/>"), HasSubstr("<path stroke=\"currentColor\"/>"));
  }
  EXPECT_THAT(inlined("<path stroke='rgb(204, 204, 204)'/>"), HasSubstr("stroke=\"rgb(204, 204, 204)\""));
  EXPECT_THAT(inlined("<text>'black' &amp; rgb(0,0,0)</text>"), HasSubstr(">'black' &amp; rgb(0,0,0)<"));
}

TEST(InlineSvg, KeepsItsIdentifiersApartFromThoseOfOtherDrawings) {
  const std::string page = inlined("<g id='a'><use xlink:href='#a' filter=\"url(#b)\"/><use href=\"#a\"/></g>");
  EXPECT_THAT(page, HasSubstr("<g id=\"p-a\">"));
  EXPECT_THAT(page, HasSubstr("<use xlink:href=\"#p-a\" filter=\"url(#p-b)\"/>"));
  EXPECT_THAT(page, HasSubstr("<use href=\"#p-a\"/>"));
}

TEST(InlineSvg, HasNeitherTheCanvasNorTitlesThatPopUp) {
  const std::string page = inlined(
      "<title>map</title><desc>by gnuplot</desc><g><rect width=\"9\" fill=\"#ffffff\"/><rect width=\"7\" "
      "fill=\"#ffffff\"/><title>plot 1</title></g>");
  EXPECT_THAT(page, HasSubstr("<g><rect width=\"7\" fill=\"#ffffff\"/></g>"));
  EXPECT_THAT(page, Not(HasSubstr("title")));
  EXPECT_THAT(page, Not(HasSubstr("desc")));
}

TEST(InlineSvg, OfWhatIsNoSvgIsAReason) {
  for (const char* const text : {"", "no XML", "<svg><g></svg>", "<html/>"}) {
    const auto page = inline_svg(text, "p", "");
    ASSERT_TRUE(std::holds_alternative<NotDrawn>(page)) << text;
    EXPECT_THAT(std::get<NotDrawn>(page).reason, HasSubstr("no SVG"));
  }
}

}  // namespace
}  // namespace experiments::inline_svg_test
