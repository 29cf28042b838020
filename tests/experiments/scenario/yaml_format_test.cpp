#include "experiments/scenario/yaml_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/yaml_text.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace experiments::yaml_format_test {
namespace {

using testing::HasSubstr;

/// What it becomes; of what is refused the message.
std::string formatted(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  const auto result = format_yaml(text, {"a.yaml", 1, 1}, diagnostics);
  return result ? *result : to_text(diagnostics.at(0));
}

std::string meaning(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  return to_flow(parse_yaml(text, {"a.yaml", 1, 1}, diagnostics));
}

std::vector<std::filesystem::path> shipped_files() {
  std::vector<std::filesystem::path> files;
  for (const std::filesystem::path& folder :
       {tests::source_configs(), tests::source_configs().parent_path() / "experiments/studies"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    }
  }
  return files;
}

TEST(YamlFormat, LeavesWhatIsShippedAsItIs) {
  const auto files = shipped_files();
  EXPECT_GT(files.size(), 40U);
  for (const std::filesystem::path& file : files) {
    const std::string text = tests::text_of(file.string());
    EXPECT_EQ(formatted(text), text) << file;
  }
}

TEST(YamlFormat, IndentsMapsAndListsByTwoAndCommentsAsWhatTheyStandBefore) {
  EXPECT_EQ(formatted("a:\n"
                      "    # about b\n"
                      "    b: 1   # one\n"
                      "    # about the list\n"
                      "    list:\n"
                      "    -   x: 1\n"
                      "        y: 2\n"
                      "        # of y\n"
                      "    # the second\n"
                      "    - z\n"
                      "    # of b's map\n"
                      "# of the whole\n"
                      "c: 2\n"),
            "a:\n"
            "  # about b\n"
            "  b: 1   # one\n"
            "  # about the list\n"
            "  list:\n"
            "    - x: 1\n"
            "      y: 2\n"
            "      # of y\n"
            "    # the second\n"
            "    - z\n"
            "  # of b's map\n"
            "# of the whole\n"
            "c: 2\n");
}

TEST(YamlFormat, EvensOutBlanksAndEmptyLines) {
  EXPECT_EQ(formatted("\n\na: { b: 1 ,c: [ 1,2 ] }  \r\n\n\n\nd: 'x,y' # [ z ,\n\n\n"),
            "a: {b: 1, c: [1, 2]}\n\nd: 'x,y' # [ z ,\n");
}

TEST(YamlFormat, LeavesTextsAndColumnsAlone) {
  const std::string text =
      "a: it's {not a map ,really}   # aligned\n"
      "bcd: \"[ \\\" ,\"              # aligned\n"
      "e: 'it''s ,'\n"
      "f: |\n"
      "  as ,it\n"
      "\n"
      "\n"
      "    stands\n"
      "g: last\n";
  EXPECT_EQ(formatted(text), text);
}

TEST(YamlFormat, MovesWhatGoesOnOverSeveralLinesWithTheLineItBeganIn) {
  EXPECT_EQ(formatted("a:\n"
                      "    b: {c: 1,\n"
                      "        # of d\n"
                      "        d: 2}\n"
                      "    e: a text\n"
                      "       of two lines\n"
                      "    f: |\n"
                      "        one\n"
                      "          two\n"
                      "    g: 1\n"),
            "a:\n"
            "  b: {c: 1,\n"
            "      # of d\n"
            "      d: 2}\n"
            "  e: a text\n"
            "    of two lines\n"
            "  f: |\n"
            "      one\n"
            "        two\n"
            "  g: 1\n");
}

TEST(YamlFormat, RefusesWhatIsNoYaml) {
  EXPECT_THAT(formatted("a: [1\n"), HasSubstr("a.yaml:"));
  EXPECT_THAT(formatted("a: 1\na: 2\n"), HasSubstr("a.yaml:2:1: a: duplicate key, first in line 1"));
}

TEST(YamlFormat, RefusesWhereTheMeaningWouldChange) {
  EXPECT_THAT(formatted("a: one\n\n\n  two\n"), HasSubstr("a.yaml:1:4: cannot be formatted without changing"));
}

// Each level of a file indented by other numbers of blanks: what it says stays, and formatting it again changes
// nothing.
TEST(YamlFormat, MeansTheSameHoweverDeepItWasIndented) {
  std::mt19937_64 random(1);
  for (const std::filesystem::path& file : shipped_files()) {
    const std::string text = tests::text_of(file.string());
    const std::size_t factor = 2 + random() % 3;
    std::string deeper;
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t end = text.find('\n', at);
      const std::size_t content = text.find_first_not_of(' ', at);
      std::string line = text.substr(content, end - content);
      if (content < end && line.starts_with("- ")) line = "-" + std::string(2 * factor - 1, ' ') + line.substr(2);
      deeper += std::string(content < end ? (content - at) * factor : 0, ' ') + (content < end ? line : "") + "\n";
      at = end + 1;
    }
    if (meaning(deeper) != meaning(text)) continue;  // texts of several lines that stand as they are
    const std::string once = formatted(deeper);
    EXPECT_EQ(meaning(once), meaning(text)) << file;
    EXPECT_EQ(formatted(once), once) << file;
  }
}

}  // namespace
}  // namespace experiments::yaml_format_test
