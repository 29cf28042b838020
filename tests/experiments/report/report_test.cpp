// `mlocksim report` from outside: what it writes, and what it says when it cannot.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/algorithm/string/replace.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/base/json.h"
#include "tests/support/command_line.h"
#include "tests/support/fake_gnuplot.h"
#include "tests/support/places.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::report_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using tests::mlocksim;
using tests::Outcome;

constexpr const char* kStudy = R"(schema: mlocksim/1
name: tiny_study
scenario: tiny
policies: [downgrade, unlock_downgrade]
axes:
  region: {set: "processes[0].regions.heap.size", values: [1MiB, 2MiB]}
replications: 2
measure: max(faulter.munlock)
)";

constexpr const char* kPolicy = R"(schema: mlocksim/1
name: own
about: That these rules ran is what the page has to say.
populate: {mode: downgrade}
munlock: {mode: downgrade}
munmap: {mode: write_held}
)";

class Report : public testing::Test {
 protected:
  Report() {
    if (!has_gnuplot_) return;
    (void)folder_.write("tiny.yaml", tests::kTinyScenario);
    (void)folder_.write("study.yaml", kStudy);
    std::filesystem::copy(swept() / "out", folder_ / "out");
  }

  /// The study, run once for all tests.
  static const tests::TemporaryFolder& swept() {
    static const tests::TemporaryFolder folder;
    static const bool done = [] {
      (void)folder.write("tiny.yaml", tests::kTinyScenario);
      const Outcome sweep = mlocksim({"sweep", folder.write("study.yaml", kStudy), "-o", folder / "out"});
      EXPECT_EQ(sweep.code, 0) << sweep.err;
      return sweep.code == 0;
    }();
    (void)done;
    return folder;
  }

  void SetUp() override {
    if (!has_gnuplot_) GTEST_SKIP() << "gnuplot is not installed";
  }

  tests::TemporaryFolder folder_;
  bool has_gnuplot_ = !tests::real_gnuplot().empty();
};

TEST_F(Report, WritesThePageAndEveryFigureThreeTimes) {
  const Outcome outcome = mlocksim({"report", folder_ / "out"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, folder_ / "out/report.html" + "\n");
  const std::string page = tests::text_of(folder_ / "out/report.html");
  EXPECT_THAT(page, HasSubstr("Should the unlock path downgrade"));
  EXPECT_THAT(page, HasSubstr("mlocksim sweep"));
  EXPECT_THAT(page, HasSubstr("the other point is in the table"));
  for (const char* figure : {"percentiles", "ccdf", "blame", "side_by_side"}) {
    for (const char* kind : {".svg", ".png", ".csv"}) {
      EXPECT_GT(std::filesystem::file_size(folder_ / ("out/figures/" + std::string(figure) + kind)), 100U) << figure;
    }
  }
}

TEST_F(Report, OfRunsUnderPressureDrawsTheirFreeMemory) {
  const Outcome sweep = mlocksim({"sweep", "reclaim", "--smoke", "-o", folder_ / "pressure"});
  ASSERT_EQ(sweep.code, 0) << sweep.err;
  ASSERT_EQ(mlocksim({"report", folder_ / "pressure"}).code, 0);
  EXPECT_THAT(tests::text_of(folder_ / "pressure/report.html"), HasSubstr("Under debian-12 free memory falls to "));
  const std::string rows = tests::text_of(folder_ / "pressure/figures/memory.csv");
  EXPECT_THAT(rows, StartsWith("policy,time_s,lowest_free_gib,highest_free_gib,free_gib,kswapd_runs\n"));
  EXPECT_THAT(rows, AllOf(HasSubstr("\ndebian-12,"), HasSubstr("\ndebian-13,"))) << "a row for each moment of each";
  EXPECT_GT(std::filesystem::file_size(folder_ / "pressure/figures/memory.svg"), 1000U);
  EXPECT_THAT(tests::text_of(folder_ / "pressure/figures/memory.gnuplot"),
              HasSubstr("set xrange [GPVAL_X_MIN:GPVAL_X_MAX]"))
      << "both parts have one time axis";
}

TEST_F(Report, TheSameStoreGivesTheSameBytes) {
  ASSERT_EQ(mlocksim({"report", folder_ / "out"}).code, 0);
  const std::string first = tests::text_of(folder_ / "out/report.html");
  ASSERT_EQ(mlocksim({"report", folder_ / "out"}).code, 0);
  EXPECT_EQ(tests::text_of(folder_ / "out/report.html"), first);
}

// Whatever has become of the files since, the page tells what ran.
TEST_F(Report, OfAStudyIsMadeFromTheStoreAlone) {
  (void)folder_.write("own.yaml", kPolicy);
  const std::string study = folder_.write(
      "own_study.yaml", boost::algorithm::replace_all_copy(std::string(kStudy), "[downgrade,", "[./own.yaml,"));
  ASSERT_EQ(mlocksim({"sweep", study, "-o", folder_ / "own"}).code, 0);
  ASSERT_EQ(mlocksim({"report", folder_ / "own"}).code, 0);
  const std::string before = tests::text_of(folder_ / "own/report.html");
  EXPECT_THAT(before, HasSubstr("these rules ran"));
  EXPECT_THAT(before, HasSubstr("Who holds mmap_sem around the longest request under own"));
  (void)folder_.write("own.yaml",
                      boost::algorithm::replace_all_copy(
                          boost::algorithm::replace_all_copy(std::string(kPolicy), "these rules ran", "others"),
                          "munlock: {mode: downgrade}", "munlock: {mode: write_held}"));
  std::filesystem::remove(folder_ / "tiny.yaml");
  ASSERT_EQ(mlocksim({"report", folder_ / "own"}).code, 0);
  EXPECT_EQ(tests::text_of(folder_ / "own/report.html"), before);
}

TEST_F(Report, SaysWhoseVersionRanTheRuns) {
  SQLite::Database(folder_ / "out/study.sqlite", SQLite::OPEN_READWRITE)
      .exec("UPDATE run SET program = '0.0.1', result_version = 1 WHERE policy = 'downgrade'");
  ASSERT_EQ(mlocksim({"report", folder_ / "out"}).code, 0);
  const std::string page = tests::text_of(folder_ / "out/report.html");
  EXPECT_THAT(page, HasSubstr("4 runs by mlocksim 0.0.1, result version 1; 4 runs by mlocksim "));
  EXPECT_THAT(page, HasSubstr("this page: mlocksim "));
  EXPECT_THAT(page, HasSubstr("The runs are not all of one version"));
}

TEST_F(Report, NamesWhatRanOutOfMemoryAboveTheAnswer) {
  SQLite::Database(folder_ / "out/study.sqlite", SQLite::OPEN_READWRITE)
      .exec("UPDATE run SET outcome = 'out_of_memory' WHERE seed = 2 AND policy = 'downgrade'");
  ASSERT_EQ(mlocksim({"report", folder_ / "out"}).code, 0);
  const std::string page = tests::text_of(folder_ / "out/report.html");
  EXPECT_THAT(page, HasSubstr("<strong>2 of 8 runs ran out of memory</strong>"));
  EXPECT_LT(page.find("ran out of memory"), page.find("instead of"));
  EXPECT_THAT(page, HasSubstr("id=\"out-of-memory\""));
}

TEST_F(Report, OfAComparisonIsMadeFromItsJson) {
  const std::string json = folder_ / "comparison.json";
  ASSERT_EQ(mlocksim({"compare", folder_ / "tiny.yaml", "--reps", "3", "--json", json}).code, 0);
  const Outcome outcome = mlocksim({"report", json, "-o", folder_ / "page"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "page/report.html"));
}

/// The words of `text`, one blank between them: what lines are broken by is no matter.
std::string in_one_line(const std::string& text) {
  std::istringstream stream(text);
  std::string line;
  for (std::string word; stream >> word;) line += (line.empty() ? "" : " ") + word;
  return line;
}

// Whatever the page shows first, it says what the terminal has said.
TEST_F(Report, OfAComparisonAnswersAsItsVerdictDoes) {
  struct Case {
    std::vector<std::string> options;
    const char* question;
    const char* answer;
  };
  constexpr const char* kUnlock = "Should the unlock path downgrade mmap_sem, too?";
  for (const auto& [options, question, answer] :
       {Case{{"--set", "processes[0].threads.mapper.count=0"}, kUnlock, "Yes, for everybody who competes here."},
        Case{{"--set", "processes[0].threads.mapper.count=0", "--reps", "3"}, kUnlock, "Yes"},
        Case{{}, kUnlock, "No: next to no difference for anybody who competes here."},
        Case{
            {"--policies", "write_held,unlock_downgrade"}, "Is unlock_downgrade better than write_held", "Yes for "}}) {
    const std::string json = folder_ / "comparison.json";
    std::vector<std::string> words{"compare", folder_ / "tiny.yaml", "--json", json, "--seed", "2"};
    words.insert(words.end(), options.begin(), options.end());
    const Outcome compare = mlocksim(words);
    ASSERT_EQ(compare.code, 0) << compare.err;
    ASSERT_EQ(mlocksim({"report", json, "-o", folder_ / "page"}).code, 0);
    const std::string page = tests::text_of(folder_ / "page/report.html");
    EXPECT_THAT(page, HasSubstr("<a href=\"#verdict\">Verdict</a>"));
    const Json written = Json::parse(tests::text_of(json));
    const std::string printed = in_one_line(compare.out);
    bool on_top = false;
    for (const Json& each : written.at("answers")) {
      const auto asked = each.at("question").get<std::string>();
      const auto says = each.at("answer").get<std::string>();
      EXPECT_THAT(printed, HasSubstr(asked));
      EXPECT_THAT(printed, HasSubstr(says));
      EXPECT_THAT(page, HasSubstr("<strong>" + says + "</strong>"));
      if (page.find("<h1>" + asked) == std::string::npos) continue;
      on_top = true;
      EXPECT_THAT(page, HasSubstr("<div class=\"answer\">\n<p><strong>" + says + "</strong>"));
      EXPECT_THAT(asked, HasSubstr(question));
      EXPECT_THAT(says, StartsWith(answer));
    }
    EXPECT_TRUE(on_top);
  }
}

TEST_F(Report, OfAComparisonWithoutItsVerdictGivesNone) {
  const std::string json = folder_ / "comparison.json";
  ASSERT_EQ(mlocksim({"compare", folder_ / "tiny.yaml", "--json", json}).code, 0);
  Json older = Json::parse(tests::text_of(json));
  older.erase("answers");
  const Outcome outcome = mlocksim({"report", folder_.write("older.json", older.dump()), "-o", folder_ / "page"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(tests::text_of(folder_ / "page/report.html"),
              AllOf(HasSubstr("<strong>No verdict:</strong> this file has none"), Not(HasSubstr("#verdict"))));
}

TEST_F(Report, RefusesAnAnswerOnWhatDidNotRun) {
  const std::string json = folder_ / "comparison.json";
  ASSERT_EQ(mlocksim({"compare", folder_ / "tiny.yaml", "--json", json}).code, 0);
  Json changed = Json::parse(tests::text_of(json));
  changed["answers"][0]["after"] = "another";
  const Outcome outcome = mlocksim({"report", folder_.write("changed.json", changed.dump()), "-o", folder_ / "page"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("it has an answer on another, and no run of it"));
}

TEST_F(Report, OfAnExplanationTellsTheChainAndDrawsTheRemedies) {
  const std::string json = folder_ / "explain.json";
  ASSERT_EQ(
      mlocksim({"explain", folder_.write("convoy.yaml", tests::kConvoyScenario), "--reps", "2", "--json", json}).code,
      0);
  const Outcome outcome = mlocksim({"report", json, "-o", folder_ / "page"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string page = tests::text_of(folder_ / "page/report.html");
  EXPECT_THAT(page, HasSubstr("mapper waits for smaps; faulter queues behind mapper"));
  EXPECT_THAT(page, HasSubstr("smaps under per-VMA locks"));
  EXPECT_THAT(page, HasSubstr("--reps 2 --json"));
  for (const char* const kind : {".svg", ".png", ".csv"}) {
    EXPECT_GT(std::filesystem::file_size(folder_ / ("page/figures/remedies" + std::string(kind))), 100U);
  }
}

TEST_F(Report, PagesInOneFolderHaveFiguresOfTheirOwn) {
  const std::string json = folder_ / "comparison.json";
  ASSERT_EQ(mlocksim({"compare", folder_ / "tiny.yaml", "--json", json}).code, 0);
  for (const char* const name : {"pages/a.html", "pages/b #1.html"}) {
    ASSERT_EQ(mlocksim({"report", json, "-o", folder_ / name}).code, 0);
  }
  for (const char* const figure : {"pages/a.figures/blame.svg", "pages/b #1.figures/blame.svg"}) {
    EXPECT_TRUE(std::filesystem::exists(folder_ / figure)) << figure;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pages/figures"));
  EXPECT_THAT(tests::text_of(folder_ / "pages/a.html"), HasSubstr("href=\"a.figures/blame.svg\""));
  EXPECT_THAT(tests::text_of(folder_ / "pages/b #1.html"), HasSubstr("href=\"b%20%231.figures/blame.svg\""));
}

// One spelling of units, and code as code.
TEST_F(Report, ItsTextIsThatOfAPageAndNotOfATerminal) {
  const std::string json = folder_ / "explain.json";
  ASSERT_EQ(mlocksim({"explain", folder_.write("convoy.yaml", tests::kConvoyScenario), "--json", json}).code, 0);
  ASSERT_EQ(mlocksim({"report", json, "-o", folder_ / "page"}).code, 0);
  ASSERT_EQ(mlocksim({"report", folder_ / "out"}).code, 0);
  for (const char* const name : {"page/report.html", "out/report.html"}) {
    const std::string page = tests::text_of(folder_ / name);
    const std::string text = page.substr(page.find("<main>"), page.find("<script>") - page.find("<main>"));
    EXPECT_THAT(text, HasSubstr("µs")) << name;
    EXPECT_THAT(text, Not(ContainsRegex("[0-9] us[^a-z]"))) << name;
    EXPECT_THAT(text, Not(HasSubstr("`"))) << name;
  }
}

TEST_F(Report, OfATraceTellsWhoWaitedAndWhoHeld) {
  const std::string json = folder_ / "trace.json";
  const std::string trace = tests::source_tests() / "experiments/host/trace/linux-6.12-ftrace.txt";
  ASSERT_EQ(mlocksim({"import", trace, "--json", json}).code, 0);
  const Outcome outcome = mlocksim({"report", json, "-o", folder_ / "page"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string page = tests::text_of(folder_ / "page/report.html");
  EXPECT_THAT(page, HasSubstr("The longest request took 17.2\u00a0ms:</strong> receiver-142, due during idle."));
  EXPECT_THAT(page, HasSubstr("stands behind mapper, who wants mmap_sem for write"));
  EXPECT_THAT(page, HasSubstr("<td class=w>mapper write mmap<td data-v=5>5<td data-v=2>2"));
  EXPECT_THAT(page, HasSubstr("<strong>Longest hold:</strong> monitor read other"));
  EXPECT_THAT(page, HasSubstr("times with 6 decimals: nothing is known better than to a microsecond."));
  EXPECT_THAT(page, HasSubstr("from a trace of a real machine"));
  EXPECT_THAT(page, Not(HasSubstr("a simulation")));
  EXPECT_THAT(mlocksim({"report", json, "--explain", "x", "-o", folder_ / "y"}).err, HasSubstr("--explain: expected"));
  for (const char* const figure : {"waits", "holds"}) {
    for (const char* const kind : {".svg", ".png", ".csv"}) {
      EXPECT_GT(std::filesystem::file_size(folder_ / ("page/figures/" + std::string(figure) + kind)), 100U);
    }
  }
}

TEST_F(Report, OfAStudyTakesAnExplanationAsASection) {
  const std::string json = folder_ / "explain.json";
  ASSERT_EQ(
      mlocksim({"explain", folder_.write("convoy.yaml", tests::kConvoyScenario), "--reps", "1", "--json", json}).code,
      0);
  const Outcome outcome = mlocksim({"report", folder_ / "out", "--explain", json});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string page = tests::text_of(folder_ / "out/report.html");
  EXPECT_THAT(page, HasSubstr("Should the unlock path downgrade"));
  EXPECT_THAT(page, HasSubstr("What happens, and what would help"));
  EXPECT_EQ(mlocksim({"report", folder_ / "out", "--explain", folder_ / "tiny.yaml"}).code, 2);
}

TEST_F(Report, OfPoliciesWithDashesAndDotsHasTheirFigures) {
  const std::string json = folder_ / "comparison.json";
  ASSERT_EQ(mlocksim({"compare", folder_ / "tiny.yaml", "--policies", "linux-6.4,linux-6.17", "--json", json}).code, 0);
  const Outcome outcome = mlocksim({"report", json, "-o", folder_ / "page"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string page = tests::text_of(folder_ / "page/report.html");
  EXPECT_THAT(page, HasSubstr("figure-semaphore_linux-6.4"));
  EXPECT_THAT(page, HasSubstr("figure-semaphore_linux-6.17"));
}

TEST_F(Report, AFigureThatCannotBeDrawnCostsThatFigureOnly) {
  const tests::FakeGnuplot fake("case $1 in ccdf*) echo 'no <ink>' >&2; exit 1;; esac; exec " + tests::real_gnuplot() +
                                " $1");
  const Outcome outcome = mlocksim({"report", folder_ / "out"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string page = tests::text_of(folder_ / "out/report.html");
  EXPECT_THAT(page, HasSubstr("<li>How many requests take longer: gnuplot failed: no &lt;ink&gt;.</li>"));
  EXPECT_THAT(page, HasSubstr("figure-percentiles"));
  EXPECT_THAT(page, Not(HasSubstr("figure-ccdf")));
}

TEST_F(Report, ADifferenceOfAStudyWithItselfIsNone) {
  const Outcome outcome = mlocksim({"report", "--diff", folder_ / "out", folder_ / "out", "-o", folder_ / "diff"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(tests::text_of(folder_ / "diff/report.html"), Not(HasSubstr("times shorter")));
}

TEST_F(Report, ADifferenceCountsWhatHasNoPartner) {
  std::string other = kStudy;
  other.replace(other.find("2MiB"), 4, "3MiB");
  ASSERT_EQ(mlocksim({"sweep", folder_.write("other.yaml", other), "-o", folder_ / "other"}).code, 0);
  const Outcome outcome = mlocksim({"report", "--diff", folder_ / "out", folder_ / "other", "-o", folder_ / "diff"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(tests::text_of(folder_ / "diff/report.html"),
              HasSubstr("4 pairs of point and policy are in one of the studies only"));
}

TEST_F(Report, SaysWhatIsWrongAndWritesNothing) {
  const auto refused = [&](const std::vector<std::string>& words, const std::string& why) {
    const Outcome outcome = mlocksim(words);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(why));
  };
  refused({"report", folder_ / "nowhere"}, "there is no such folder or file");
  std::filesystem::create_directory(folder_ / "empty");
  refused({"report", folder_ / "empty"}, "there is no study in this folder");
  refused({"report", folder_ / "tiny.yaml"}, "tiny.yaml");
  refused({"report", folder_ / "out", folder_ / "out"}, "--diff");
  refused({"report", "--diff", folder_ / "out"}, "expected two folders");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "empty/report.html"));
}

TEST_F(Report, OfAForeignJsonSaysWhatItIsAndLeavesNothing) {
  const tests::TemporaryFolder folder;
  const std::string page = folder / "page";
  const auto refused = [&](const std::string& text) {
    const Outcome outcome = mlocksim({"report", folder.write("x.json", text), "-o", page});
    EXPECT_EQ(outcome.code, 2) << text;
    EXPECT_THAT(outcome.err, Not(HasSubstr("json.exception"))) << text;
    EXPECT_FALSE(std::filesystem::exists(page)) << text;
    return outcome.err;
  };
  EXPECT_THAT(refused("not json"), HasSubstr("expected a file that `mlocksim compare --json` has written"));
  EXPECT_THAT(refused("[1, 2]"), HasSubstr("this is no object"));
  EXPECT_THAT(refused(R"({"classes": {}})"), HasSubstr("this is one of `mlocksim run --json`"));
  EXPECT_THAT(refused(R"({"runs": []})"), HasSubstr("it has no `runs`"));
  EXPECT_THAT(refused(R"({"runs": [{}], "scenario": 7})"), HasSubstr("x.json: this is no file of"));
  EXPECT_THAT(refused(R"({"runs": [{"policy": "a", "seed": 1}], "scenario": "s"})"), HasSubstr("x.json: "));
  EXPECT_THAT(refused(R"({"trace": {}, "classes": {}})"),
              HasSubstr("no file that `mlocksim import --json` has written"));
  EXPECT_THAT(refused(R"({"trace": {}, "classes": {}, "locks": {}, "longest": [{}]})"),
              HasSubstr("x.json: this is no"));
  EXPECT_THAT(
      refused(R"({"schema": "mlocksim/1", "scenario": "s", "trace": {"length_ns": null, "form": "f", "events": {}},
                          "classes": {}, "locks": {}, "longest": []})"),
      HasSubstr("'length_ns': expected a number from 0 to 2^63, found null"));
  EXPECT_THAT(refused(R"({"explains": 1})"), HasSubstr("this is no file that `mlocksim explain --json` has written"));
  EXPECT_THAT(refused(R"({"explains": "s", "victims": [{}], "trials": [{"name": 1}], "account": []})"),
              HasSubstr("x.json: this is no"));
}

}  // namespace
}  // namespace experiments::report_test
