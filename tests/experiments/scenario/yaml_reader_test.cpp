#include "experiments/scenario/yaml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/command_line.h"

namespace experiments::yaml_reader_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// A tree and all that has been said about it; `t.yaml` in place of the temporary file's name.
class YamlReader : public testing::Test {
 protected:
  YamlNode& load(const std::string& text) {
    std::ofstream(file_) << text;
    root_ = load_yaml(file_, diagnostics_);
    return root_;
  }

  void set(const std::string& edit) { apply_set(root_, edit, diagnostics_); }

  YamlMap map() { return YamlField(root_, "", diagnostics_).map(); }

  std::vector<std::string> said() const {
    std::vector<std::string> lines;
    for (Diagnostic diagnostic : diagnostics_) {
      if (diagnostic.file == file_) diagnostic.file = "t.yaml";
      lines.push_back(to_text(diagnostic));
    }
    return lines;
  }

  const tests::TemporaryFolder folder_;
  const std::string file_ = folder_ / "t.yaml";
  YamlNode root_;
  std::vector<Diagnostic> diagnostics_;
};

TEST_F(YamlReader, ReadsAFileAnewWhenItHasChangedAndSaysItsMistakesEachTime) {
  EXPECT_EQ(find_entry(load("a: 1\n"), "a")->value.scalar, "1");
  find_entry(root_, "a")->value.scalar = "of this tree alone";
  EXPECT_EQ(find_entry(load("a: 1\n"), "a")->value.scalar, "1");
  EXPECT_EQ(find_entry(load("a: 2\n"), "a")->value.scalar, "2");
  load("a: [\n");
  load("a: [\n");
  EXPECT_EQ(said().size(), 2U);
}

TEST_F(YamlReader, KnowsWhereKeysAndValuesAre) {
  load("a: 1\nb:\n  c: [x, yy]\n");
  auto root = map();
  auto b = root.require("b")->map();
  const auto items = b.require("c")->items("a list");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[1].path(), "b.c[1]");
  EXPECT_EQ(items[1].node().at.line, 3);
  EXPECT_EQ(items[1].node().at.column, 10);
  EXPECT_EQ(items[1].text("a text"), "yy");
}

TEST_F(YamlReader, KeepsTheOrderOfTheFile) {
  load("z: 1\na: 2\nm: 3\n");
  std::string order;
  for (const auto& item : map().items()) order += item.key;
  EXPECT_EQ(order, "zam");
}

TEST_F(YamlReader, ReportsASyntaxErrorOnce) {
  load("a: [1\nb: 2\n");
  EXPECT_THAT(said(), ElementsAre(StartsWith("t.yaml:2:2: not valid YAML: ")));
}

// yaml-cpp 0.7 takes the second for UTF-16 and reads another text.
TEST_F(YamlReader, RefusesANulByte) {
  using std::string_literals::operator""s;
  load("a: 1\nb: \0 2\n"s);
  EXPECT_THAT(said(), ElementsAre("t.yaml:2:4: a NUL byte: expected text in UTF-8"));
  load("#\0\n{,#}"s);
  EXPECT_THAT(said(), testing::Contains("t.yaml:1:2: a NUL byte: expected text in UTF-8"));
}

TEST_F(YamlReader, ReportsAFileThatIsNotThere) {
  root_ = load_yaml("no/such/file.yaml", diagnostics_);
  EXPECT_THAT(said(), ElementsAre("no/such/file.yaml: cannot be read: No such file or directory"));
}

TEST_F(YamlReader, ReportsAFolder) {
  root_ = load_yaml("/", diagnostics_);
  EXPECT_THAT(said(), ElementsAre("/: cannot be read: Is a directory"));
}

TEST_F(YamlReader, ReadsAnEmptyFileAsNothing) {
  load("");
  EXPECT_FALSE(map());
  EXPECT_THAT(said(), ElementsAre("t.yaml:1:1: expected a map, found nothing"));
}

TEST_F(YamlReader, ReportsASecondDocument) {
  load("a: 1\n---\nb: 2\n");
  EXPECT_THAT(said(), ElementsAre("t.yaml:1:1: expected one YAML document, found more"));
}

TEST_F(YamlReader, TakesTheMarksAroundOneDocument) {
  load("%YAML 1.2\n---\na: 1\n...\n");
  EXPECT_EQ(map().find("a")->text("a text"), "1");
  EXPECT_THAT(said(), IsEmpty());
}

// yaml-cpp 0.7 finds documents without end here.
TEST_F(YamlReader, RefusesTextThatStartsWithAComma) {
  load(", a: 1\n");
  EXPECT_THAT(said(), ElementsAre("t.yaml:1:1: expected one YAML document, found more"));
}

TEST_F(YamlReader, ReportsDuplicateKeysAtAnyDepthAndKeepsTheFirst) {
  load("a: {b: 1, c: 2, b: 3}\nd: 1\nd: 2\n");
  EXPECT_THAT(said(), ElementsAre("t.yaml:1:17: a.b: duplicate key, first in line 1",
                                  "t.yaml:3:1: d: duplicate key, first in line 2"));
  EXPECT_EQ(map().find("d")->text("a text"), "1");
}

TEST_F(YamlReader, ReportsKeysThatAreNotWords) {
  load("? [1, 2]\n: 3\n");
  EXPECT_THAT(said(), ElementsAre("t.yaml:1:3: expected a plain word as a key"));
}

TEST_F(YamlReader, CopiesAliases) {
  load("a: &x {b: 1}\nc: *x\n");
  set("a.b=2");
  auto root = map();
  EXPECT_EQ(root.find("c")->map().find("b")->text("a text"), "1");
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(YamlReader, RefusesAliasesThatGrowWithoutEnd) {
  std::string bomb = "a0: &a0 [x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) bomb += last + " , ";
    bomb += last + " ]\n";
  }
  load(bomb);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("nested too deeply, or aliases make them too many")));
}

TEST_F(YamlReader, RefusesNestingWithoutEnd) {
  load(std::string(100, '[') + std::string(100, ']'));
  EXPECT_THAT(said(), ElementsAre(HasSubstr("nested too deeply")));
}

TEST_F(YamlReader, ReportsUnknownKeysWithTheNearestOne) {
  load("name: x\nplicy: y\nswap: z\n");
  auto root = map();
  (void)root.find("name");
  (void)root.find("policy");
  root.refuse_unknown();
  EXPECT_THAT(said(), ElementsAre("t.yaml:2:1: plicy: unknown key (did you mean policy?)",
                                  "t.yaml:3:1: swap: unknown key (known: name, policy)"));
}

TEST_F(YamlReader, ReportsMissingKeysAtTheirMap) {
  load("# a comment\nmemory:\n  free: 1\n");
  auto root = map();
  (void)root.require("name");
  (void)root.require("memory")->map().require("size", ": how much");
  EXPECT_THAT(said(), ElementsAre("t.yaml:2:1: name: missing", "t.yaml:3:3: memory.size: missing: how much"));
}

TEST_F(YamlReader, ReportsPlannedKeysAsUnsupportedAndNotAsUnknown) {
  load("name: x\nnice: 5\n");
  auto root = map();
  (void)root.find("name");
  root.refuse_unsupported({"nice", "cpus"});
  root.refuse_unknown();
  EXPECT_THAT(said(), ElementsAre("t.yaml:2:1: nice: not supported by this version"));
}

TEST_F(YamlReader, ReportsWrongKindsOfNodes) {
  load("a: {b: 1}\nc: [1]\nd: x\ne:\nf: []\n");
  auto root = map();
  (void)root.find("a")->text("a word");
  (void)root.find("c")->map();
  (void)root.find("d")->items("a list");
  (void)root.find("e")->text("a word");
  (void)root.find("f")->items("a list of words");
  EXPECT_THAT(said(),
              ElementsAre("t.yaml:1:4: a: expected a word, found a map", "t.yaml:2:4: c: expected a map, found a list",
                          "t.yaml:3:4: d: expected a list, found 'x'", "t.yaml:4:1: e: expected a word, found nothing",
                          "t.yaml:5:4: f: expected a list of words, found an empty list"));
}

TEST_F(YamlReader, AMapThatIsNoneReportsNothingMore) {
  load("a: 5\n");
  auto none = map().find("a")->map();
  EXPECT_EQ(none.require("b"), std::nullopt);
  none.refuse("bad");
  none.refuse_unknown();
  EXPECT_THAT(said(), ElementsAre("t.yaml:1:4: a: expected a map, found '5'"));
}

TEST_F(YamlReader, ReadsNumbersInTheirRange) {
  load("a: 16\nb: 0.25\nc: 18446744073709551615\n");
  auto root = map();
  EXPECT_EQ(root.find("a")->whole_number(1, 16), 16u);
  EXPECT_EQ(root.find("b")->number(0, 1), 0.25);
  EXPECT_EQ(root.find("c")->whole_number(0, ~std::uint64_t{0}), ~std::uint64_t{0});
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(YamlReader, RefusesOtherNumbers) {
  load("[-1, 17, 1.5, 1e3, 0x10, x, '', 18446744073709551616]\n");
  for (const YamlField& item : YamlField(root_, "", diagnostics_).items("a list")) {
    EXPECT_EQ(item.whole_number(0, 16), std::nullopt);
  }
  EXPECT_EQ(diagnostics_.size(), 8u);
  EXPECT_EQ(said().front(), "t.yaml:1:2: [0]: expected a whole number from 0 to 16, found '-1'");
}

TEST_F(YamlReader, RefusesFractionsOutOfRange) {
  load("[-0.1, 1.1, nan, inf, .5.]\n");
  for (const YamlField& item : YamlField(root_, "", diagnostics_).items("a list")) {
    EXPECT_EQ(item.number(0, 1), std::nullopt);
  }
  EXPECT_EQ(diagnostics_.size(), 5u);
}

TEST_F(YamlReader, TakesOnlyTrueAndFalseForBooleans) {
  load("[true, false, yes]\n");
  const auto items = YamlField(root_, "", diagnostics_).items("a list");
  EXPECT_EQ(items[0].boolean(), true);
  EXPECT_EQ(items[1].boolean(), false);
  EXPECT_EQ(items[2].boolean(), std::nullopt);
  EXPECT_THAT(said(), ElementsAre("t.yaml:1:15: [2]: expected true or false, found 'yes'"));
}

TEST_F(YamlReader, SetReplacesAValueDeepInTheTree) {
  load("processes:\n  - regions: {heap: {size: 1GiB}}\n");
  set("processes[0].regions.heap.size=1TiB");
  auto heap = map().find("processes")->items("a list")[0].map().find("regions")->map().find("heap")->map();
  EXPECT_EQ(heap.find("size")->text("a size"), "1TiB");
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(YamlReader, SetAddsKeysAndTheMapsOnTheWayToThem) {
  load("a: 1\nempty:\n");
  set("b.c.d=5");
  set("empty.x=6");
  auto root = map();
  EXPECT_EQ(root.find("b")->map().find("c")->map().find("d")->text("a text"), "5");
  EXPECT_EQ(root.find("empty")->map().find("x")->text("a text"), "6");
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(YamlReader, SetTakesListsMapsAndValuesWithEqualsSigns) {
  load("{}\n");
  set("a=[x, y]");
  set("b={c: 1}");
  set("d=e=f");
  auto root = map();
  EXPECT_EQ(root.find("a")->items("a list").size(), 2u);
  EXPECT_EQ(root.find("b")->map().find("c")->text("a text"), "1");
  EXPECT_EQ(root.find("d")->text("a text"), "e=f");
}

TEST_F(YamlReader, SetReachesKeysWithDotsInThem) {
  load("threads: {ps.fast: {count: 1}, ps: {count: 1}}\n");
  set("threads.ps.fast.count=2");
  auto threads = map().find("threads")->map();
  EXPECT_EQ(threads.find("ps.fast")->map().find("count")->text("a text"), "2");
  EXPECT_EQ(threads.find("ps")->map().find("count")->text("a text"), "1");
}

TEST_F(YamlReader, SetReportsPathsThatLeadNowhere) {
  load("list: [1, 2]\nword: x\n");
  set("list[2]=3");
  set("list.a=3");
  set("word.a.b=3");
  set("word[0]=3");
  set("list[x]=3");
  set("list[0=3");
  set("list[0]a=3");
  set(".a=3");
  set("new.=3");
  set("new..a=3");
  set("=3");
  set("word");
  EXPECT_THAT(said(),
              ElementsAre("--set list[2]=3: list[2]: index 2 is out of range: 'list' has 2 items, counted from 0",
                          "--set list.a=3: list.a: 'list' is not a map but a list",
                          "--set word.a.b=3: word.a.b: 'word' is not a map but 'x'",
                          "--set word[0]=3: word[0]: 'word' is not a list but 'x'",
                          "--set list[x]=3: list[x]: expected an index such as [0] after 'list', found '[x]'",
                          "--set list[0=3: list[0: expected an index such as [0] after 'list', found '[0'",
                          "--set list[0]a=3: list[0]a: expected a key such as .size after 'list[0]', found 'a'",
                          "--set .a=3: .a: expected a key after the file, found '.a'",
                          "--set new.=3: new.: expected a key such as .size after 'new', found '.'",
                          "--set new..a=3: new..a: expected a key after 'new', found '.a'",
                          "--set =3: expected path=value, such as memory.size=4GiB",
                          "--set word: expected path=value, such as memory.size=4GiB"));
  EXPECT_EQ(map().items().size(), 2u) << "an edit that failed must leave nothing behind";
}

TEST_F(YamlReader, SetReportsAValueThatIsNoYaml) {
  load("a: 1\n");
  set("a=[1");
  EXPECT_THAT(said(), ElementsAre(StartsWith("--set a=[1: a: not valid YAML: ")));
}

TEST_F(YamlReader, AMistakeInASetValueNamesTheOptionAndThePath) {
  load("a: {b: 1}\n");
  set("a={b: x}");
  (void)map().find("a")->map().find("b")->whole_number(0, 1);
  EXPECT_THAT(said(), ElementsAre("--set a={b: x}: a.b: expected a whole number from 0 to 1, found 'x'"));
}

TEST_F(YamlReader, OverlayReplacesKeyByKeyAndKeepsPositions) {
  const YamlNode base = load("cpus: 2\ncosts: {a: 1, b: 2}\n");
  const YamlNode over = load("\n\ncosts: {b: 3, c: 4}\n");
  root_ = overlay(base, over);
  auto root = map();
  auto costs = root.find("costs")->map();
  EXPECT_EQ(root.find("cpus")->text("a text"), "2");
  EXPECT_EQ(costs.find("a")->text("a text"), "1");
  EXPECT_EQ(costs.find("b")->text("a text"), "3");
  EXPECT_EQ(costs.find("b")->node().at.line, 3);
  EXPECT_EQ(costs.find("c")->text("a text"), "4");
}

}  // namespace
}  // namespace experiments::yaml_reader_test
