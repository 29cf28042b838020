#include "experiments/compare/text_figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/command_line.h"
#include "tests/support/places.h"
#include "tests/support/synthetic_result.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::text_figure_test {
namespace {

using models::Phase;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using tests::both;
using tests::worked;
using namespace std::chrono_literals;

constexpr std::size_t kWidth = 100;

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// `below` requests of 10 us and `beyond` of 100 ms.
Curve stalled(std::uint64_t below, std::uint64_t beyond, const std::string& name = "stalled") {
  return {name, both(worked(below, 10us), worked(beyond, 100ms)).latency()};
}

std::string figure_of(const std::vector<Curve>& curves, std::size_t width = kWidth) {
  return percentile_figure(curves, width, false);
}

// The line of the plot that has this label.
std::string line_at(const std::string& figure, const std::string& label) {
  for (const std::string& line : lines_of(figure)) {
    if (line.find(label + " +") != std::string::npos) return line;
  }
  return "";
}

// How many columns have this mark in the line.
auto marks(const std::string& line, char mark = '*') { return std::count(line.begin(), line.end(), mark); }

// --- the plot -----------------------------------------------------------------------------------------------

TEST(PercentileFigure, ShowsWhereTheTailBegins) {
  const std::string figure = figure_of({stalled(9'900, 100)});
  const std::string short_ones = line_at(figure, "10.0 us");
  const std::string long_ones = line_at(figure, "100 ms");
  // 10,000 requests tell p99.9; 1 % of them are long. p50 to p99 is 1.7 nines of the 2.7 that are shown.
  EXPECT_NEAR(static_cast<double>(marks(short_ones)), 88 * 1.7 / 2.7, 3) << figure;
  EXPECT_NEAR(static_cast<double>(marks(long_ones)), 88 * 1.0 / 2.7, 3) << figure;
  EXPECT_LT(short_ones.rfind('*'), long_ones.find('*'));
}

TEST(PercentileFigure, ConnectsAStepWithAVerticalLine) {
  for (const char* power : {"100 us", "1.00 ms", "10.0 ms"}) {
    EXPECT_EQ(marks(line_at(figure_of({stalled(9'900, 100)}), power)), 1) << power;
  }
}

TEST(PercentileFigure, NamesItsAxesAndCurves) {
  EXPECT_THAT(figure_of({stalled(9'900, 100, "ps during mlock")}),
              AllOf(HasSubstr("latency\n"), HasSubstr("percentile of the requests\n"), HasSubstr("50 %"),
                    HasSubstr("90 %"), HasSubstr("99 %"), HasSubstr("99.9 %"), Not(HasSubstr("99.99 %")),
                    HasSubstr("* ps during mlock: 10000 requests, max 100 ms\n")));
}

TEST(PercentileFigure, PutsATickForEveryNineAtItsPlace) {
  const auto lines = lines_of(figure_of({stalled(999'900, 100)}));
  const auto axis = std::find_if(lines.begin(), lines.end(),
                                 [](const std::string& line) { return line.find("---") != std::string::npos; });
  ASSERT_NE(axis, lines.end());
  EXPECT_EQ(marks(*axis, '+'), 7) << "the corner, 50 %, 90 %, ... 99.999 %: " << *axis;
  EXPECT_EQ(axis->back(), '+') << "a million requests tell p99.999 and no more";
}

TEST(PercentileFigure, EndsACurveWhereItsSamplesEnd) {
  const std::string figure = figure_of({stalled(100'000, 0, "many"), {"few", worked(20, 1ms).latency()}});
  EXPECT_EQ(marks(line_at(figure, "1.00 ms"), 'o'), 1) << "twenty tell p50 alone\n" << figure;
}

TEST(PercentileFigure, ShowsTheFirstOfCurvesThatMeet) {
  const std::string figure = figure_of({stalled(1000, 0, "first"), stalled(1000, 0, "second")});
  EXPECT_GT(marks(line_at(figure, "10.0 us")), 80);
  EXPECT_EQ(marks(line_at(figure, "10.0 us"), 'o'), 0);
  EXPECT_THAT(figure, HasSubstr("o second: 1000 requests"));
}

TEST(PercentileFigure, IsEmptyWhereNoPercentileIsKnown) {
  EXPECT_THAT(figure_of({}), IsEmpty());
  EXPECT_THAT(figure_of({{"none", {}}}), IsEmpty());
  EXPECT_THAT(figure_of({stalled(19, 0)}), IsEmpty());
  EXPECT_THAT(figure_of({stalled(20, 0)}), Not(IsEmpty()));
}

TEST(PercentileFigure, LeavesOutWhoHasNoPercentile) {
  EXPECT_THAT(figure_of({stalled(5, 5, "unknown"), stalled(1000, 0, "known")}),
              AllOf(HasSubstr("known: 1000"), Not(HasSubstr("unknown"))));
}

TEST(PercentileFigure, FitsThePage) {
  for (const std::size_t width : {31U, 40U, 80U, 100U, 500U}) {
    const std::string figure = figure_of({stalled(999'000, 1'000, "x")}, width);
    EXPECT_THAT(figure, Not(IsEmpty()));
    for (const std::string& line : lines_of(figure)) {
      if (line.find("x:") == std::string::npos && line.find("percentile") == std::string::npos) {
        EXPECT_LE(line.size(), width) << line;
      }
    }
    EXPECT_LE(lines_of(figure).size(), 30U);
  }
  EXPECT_THAT(figure_of({stalled(999'000, 1'000)}, 30), IsEmpty());
}

TEST(PercentileFigure, TakesLengthsFromNothingToAYear) {
  const Curve wide{"wide", both(worked(50, 0ns), worked(50, 24h * 365)).latency()};
  EXPECT_THAT(figure_of({wide}), HasSubstr("wide: 100 requests"));
  EXPECT_THAT(figure_of({{"nothing", worked(1000, 0ns).latency()}}), HasSubstr(" 1 ns +*"));
}

TEST(PercentileFigure, IsColouredOnlyIfWanted) {
  EXPECT_THAT(percentile_figure({stalled(1000, 0)}, kWidth, false), Not(HasSubstr("\033")));
  EXPECT_THAT(percentile_figure({stalled(1000, 0)}, kWidth, true), HasSubstr("\033[31m*\033[0m"));
}

// --- which curves -------------------------------------------------------------------------------------------

std::vector<std::string> names(const std::vector<Curve>& curves) {
  std::vector<std::string> found;
  for (const Curve& curve : curves) found.push_back(curve.name);
  return found;
}

TEST(SlowestCurves, AreThoseOfTheSlowestClassesOverAllCalls) {
  const auto result =
      tests::result_of({{"faulter", {{Phase::idle, worked(900, 1us)}, {Phase::mlock_populate, worked(100, 1ms)}}},
                        {"mapper", {{Phase::idle, worked(99, 1us)}}},
                        {"once", {{Phase::munlock, worked(5, 9s)}}},
                        {"ps", {{Phase::idle, worked(99, 3s)}}}});
  const models::Scenario scenario = tests::scenario_of({tests::write_held()});
  const Comparison alone(scenario, {{result}});
  const auto curves = slowest_curves(alone, 0, 9);
  EXPECT_THAT(names(curves), ElementsAre("ps", "faulter", "mapper")) << "five requests have no percentile";
  EXPECT_EQ(curves[1].latency.count(), 1000U);
  EXPECT_THAT(names(slowest_curves(alone, 0, 2)), ElementsAre("ps", "faulter"));
}

// --- on a terminal ------------------------------------------------------------------------------------------

class Figure : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
  const std::string tiny_ = folder_.write("tiny.yaml", tests::kTinyScenario);

  // What `run` prints on a terminal; nothing if there is none to be had here.
  [[nodiscard]] std::string on_a_terminal(const std::string& environment) const {
    tests::use_source_configs();
    const std::string command = environment + " '" + tests::mlocksim_binary() + "' run '" + tiny_ + "'";
    const auto outcome = tests::run_program({"script", "-qec", command, "/dev/null"});
    return outcome.code == 0 ? outcome.out : "";
  }
};

TEST_F(Figure, IsPartOfWhatRunPrintsOnATerminal) {
  const std::string plain = on_a_terminal("NO_COLOR=1");
  if (plain.empty()) GTEST_SKIP() << "script (util-linux) gives no terminal here";
  EXPECT_THAT(plain, AllOf(HasSubstr("The tails of the slowest"), HasSubstr("percentile of the requests"),
                           Not(HasSubstr("\033"))));
  EXPECT_THAT(on_a_terminal("env -u NO_COLOR"), HasSubstr("\033[31m*"));
}

TEST_F(Figure, IsNoPartOfWhatRunPrintsIntoAFile) {
  EXPECT_THAT(tests::mlocksim({"run", tiny_}).out, Not(HasSubstr("percentile of the requests")));
}

}  // namespace
}  // namespace experiments::text_figure_test
