#include "experiments/base/html.h"

#include <gtest/gtest.h>

namespace experiments::html_test {
namespace {

TEST(Html, TextStaysText) {
  EXPECT_EQ(html_text("a < b & \"c\" > 'd'"), "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;");
  EXPECT_EQ(html_text("4.28 µs"), "4.28 µs");
  EXPECT_EQ(html_text(""), "");
}

TEST(Html, ProseHasCodeAndTheSignForMicro) {
  EXPECT_EQ(html_prose("As `a<b>`, 12 us and `more`"), "As <code>a&lt;b&gt;</code>, 12\u00a0µs and <code>more</code>");
  EXPECT_EQ(html_prose("one ` alone; give us 3 users"), "one ` alone; give us 3 users");
}

TEST(Html, APartOfAnAddressIsThatOfAFileWhateverItsName) {
  EXPECT_EQ(url_part("a.figures"), "a.figures");
  EXPECT_EQ(url_part("a b#1?%:é/"), "a%20b%231%3F%25%3A%C3%A9%2F");
}

TEST(Html, PlainTextIsWhatHtmlTextWasMadeFrom) {
  const std::string text = "p99(<x>) > 1 & 'more' \"still\"";
  EXPECT_EQ(plain_text(html_text(text)), text);
  EXPECT_EQ(plain_text("<b>bold</b> and <i class=\"x\">not</i>"), "bold and not");
}

TEST(Html, ANumberSaysHowToGetItAgain) {
  const std::string number = html_number({"1 <s>", 1e9, "mean", "SELECT 'x' WHERE a < b"});
  EXPECT_EQ(
      number,
      "<data value=\"1000000000\" data-of=\"mean\" data-sql=\"SELECT &#39;x&#39; WHERE a &lt; b\">1 &lt;s&gt;</data>");
}

TEST(Html, ANumberWithoutASourceIsText) { EXPECT_EQ(html_number({"1 < 2", 1, "mean", ""}), "1 &lt; 2"); }

}  // namespace
}  // namespace experiments::html_test
