#include "experiments/study/study_plan.h"

#include "tests/support/config_files.h"
#include "tests/support/run_commands.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::study_plan_test {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr const char* kStudy = R"(schema: mlocksim/1
name: sizes
scenario: tiny
axes:
  region: {set: "processes[0].regions.heap.size", values: [1MiB, 2MiB]}
  faulters: {set: "processes[0].threads.faulter.count", values: [1, 2, 3]}
)";

class StudyPlanTest : public tests::ConfigFiles {
 protected:
  void SetUp() override {
    ConfigFiles::SetUp();
    tests::write("tiny.yaml", tests::kTinyScenario);
  }

  static StudyPlan plan(const std::string& text, bool smoke = false) {
    return StudyPlan(read_study(tests::write("y.yaml", text), smoke));
  }

  static std::vector<std::string> points_of(const std::string& more) {
    std::vector<std::string> points;
    const StudyPlan all = plan(kStudy + more);
    for (const StudyPoint& point : all.points()) {
      std::string text;
      for (const auto& label : point.labels) text += (text.empty() ? "" : " ") + label.value_or("-");
      points.push_back(text);
    }
    return points;
  }
};

TEST_F(StudyPlanTest, TheLastAxisChangesFastest) {
  EXPECT_THAT(points_of(""), ElementsAre("1MiB 1", "1MiB 2", "1MiB 3", "2MiB 1", "2MiB 2", "2MiB 3"));
}

TEST_F(StudyPlanTest, ConstraintsDropPoints) {
  EXPECT_THAT(points_of("only_if: [region > 1MiB or faulters == 1]"),
              ElementsAre("1MiB 1", "2MiB 1", "2MiB 2", "2MiB 3"));
  EXPECT_THAT(tests::mistakes_of([] { (void)points_of("only_if: [region > 1GiB]"); }),
              ElementsAre("y.yaml:1:1: only_if: no point is left"));
}

TEST_F(StudyPlanTest, ZippedAxesGoInStep) {
  EXPECT_THAT(points_of("  cpus: {set: machine.cpus, values: [4, 8, 16]}\nzip: [[faulters, cpus]]"),
              ElementsAre("1MiB 1 4", "1MiB 2 8", "1MiB 3 16", "2MiB 1 4", "2MiB 2 8", "2MiB 3 16"));
}

TEST_F(StudyPlanTest, AnAxisThatDoesNotApplyHasNoValue) {
  EXPECT_THAT(points_of("  cpus: {set: machine.cpus, values: [4, 8], when: faulters == 3}\nonly_if: [region == 1MiB]"),
              ElementsAre("1MiB 1 -", "1MiB 2 -", "1MiB 3 4", "1MiB 3 8"));
}

TEST_F(StudyPlanTest, DerivesSettings) {
  StudyPlan derived = plan(std::string(kStudy) + "derive: {machine.cpus: faulters + 4}");
  EXPECT_EQ(derived.runs_of(derived.points()[2]).scenario.machine.cpus, 7);
}

TEST_F(StudyPlanTest, WhatIsNoFiniteNumberIsRefusedAndNeverTakenForATruth) {
  const auto mistakes = [](const std::string& more) { return tests::mistakes_of([&] { (void)points_of(more); }); };
  EXPECT_THAT(mistakes("only_if: [faulters / (faulters - 2) > 1]"),
              ElementsAre("y.yaml:7:11: only_if: in 'faulters / (faulters - 2) > 1': a division by zero: the result "
                          "is no finite number"));
  EXPECT_THAT(mistakes("only_if: [not faulters / 0 > 1]"), ElementsAre(HasSubstr("7:11: only_if")));
  EXPECT_THAT(mistakes("only_if: [faulters != 2 and faulters / (faulters - 2) > 1]"), testing::IsEmpty());
  EXPECT_THAT(mistakes("  cpus: {set: machine.cpus, values: [4, 8], when: faulters / 0 > 1}"),
              ElementsAre(HasSubstr("y.yaml:7:51: axes.cpus.when: in 'faulters / 0 > 1': a division by zero")));
  EXPECT_THAT(mistakes("derive: {machine.cpus: 4 / (faulters - 2)}"),
              ElementsAre("y.yaml:7:24: derive.machine.cpus: a division by zero: the result is no finite number"));
}

TEST_F(StudyPlanTest, ScenariosCanBeAnAxis) {
  std::string text = kStudy;
  boost::algorithm::replace_first(text, "scenario: tiny\n", "");
  StudyPlan scenarios = plan(text + "  scenario: {values: [tiny, with_writer]}");
  EXPECT_THAT(scenarios.points(), SizeIs(12));
  EXPECT_EQ(scenarios.runs_of(scenarios.points()[0]).scenario.name, "tiny");
  EXPECT_EQ(scenarios.runs_of(scenarios.points()[1]).scenario.name, "with_writer");
}

TEST_F(StudyPlanTest, WhatTheScenarioCannotTakeIsReportedInTheStudy) {
  StudyPlan bad = plan(tests::with("[1MiB, 2MiB]", "[1MiB, 1500B]", kStudy));
  EXPECT_THAT(tests::mistakes_of([&] { (void)bad.runs_of(bad.points().back()); }),
              Contains(HasSubstr("y.yaml:5:66: processes[0].regions.heap.size: expected a multiple of 4KiB")));
  StudyPlan misspelt = plan(tests::with("regions.heap", "regions.haep", kStudy));
  EXPECT_THAT(tests::mistakes_of([&] { misspelt.read_runs([](PointRuns) {}); }),
              ElementsAre(HasSubstr("y.yaml:5:60: processes[0].regions.haep: there is no region 'haep'"),
                          HasSubstr("y.yaml:5:66: processes[0].regions.haep: there is no region 'haep'")));
  EXPECT_THAT(
      tests::mistakes_of([] { (void)plan(tests::with("scenario: tiny", "scenario: unlock_questoin", kStudy)); }),
      ElementsAre("y.yaml:3:11: scenario: there is no scenario 'unlock_questoin' (did you mean "
                  "unlock_question?)"));
}

TEST_F(StudyPlanTest, ADigestTellsWhatDeterminesTheResult) {
  StudyPlan one = plan(kStudy);
  const PointRuns runs = one.runs_of(one.points()[0]);
  EXPECT_THAT(runs.digests, SizeIs(3));
  EXPECT_NE(runs.digests[0], runs.digests[1]);
  EXPECT_NE(runs.digests[0], one.runs_of(one.points()[1]).digests[0]);
  // Names of axes, notes and other policies do not count.
  std::string other = tests::with("region:", "size:", kStudy) + "about: The same.\npolicies: [downgrade]\n";
  StudyPlan same = plan(other);
  EXPECT_EQ(runs.digests[1], same.runs_of(same.points()[0]).digests[0]);
  EXPECT_NE(run_key(runs.digests[0], 1), run_key(runs.digests[0], 2));
}

TEST_F(StudyPlanTest, ADigestKnowsTheMachinesFile) {
  const std::string machine = tests::shipped_machine();
  tests::write("tiny.yaml",
               tests::with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", "mine", tests::kTinyScenario));
  tests::write("mine.yaml", machine);
  StudyPlan before = plan(kStudy);
  const std::string digest = before.runs_of(before.points()[0]).digests[0];
  tests::write("mine.yaml", tests::with("find_vma: 100ns", "find_vma: 101ns", machine));
  StudyPlan after = plan(kStudy);
  EXPECT_NE(after.runs_of(after.points()[0]).digests[0], digest);
}

TEST_F(StudyPlanTest, CommandsRepeatARun) {
  tests::write("beside.yaml", tests::with("name: mine", "name: neighbour", tests::kPolicy));
  tests::write("tiny.yaml", tests::with("policies: [write_held,", "policies: [{from: write_held, name: downgrade},",
                                        tests::with("downgrade, unlock_", "unlock_", tests::kTinyScenario)));
  StudyPlan one =
      plan(std::string(kStudy) +
           "policies: [downgrade, ./beside.yaml, {from: ./beside.yaml, name: other}, {name: mine, populate: "
           "{mode: write_held}, munlock: {mode: chunked_write, batch: 8}, munmap: {mode: write_held}}]");
  const PointRuns runs = one.runs_of(one.points()[4]);
  ASSERT_THAT(runs.specs, SizeIs(4));
  EXPECT_THAT(to_command(runs.specs[0]), HasSubstr("--set 'processes[0].regions.heap.size=2MiB' "
                                                   "--set 'processes[0].threads.faulter.count=2'"));
  EXPECT_THAT(to_command(runs.specs[3]), HasSubstr("--policy '{name: mine, populate: {mode: write_held}"));
  for (std::size_t policy = 0; policy < runs.specs.size(); ++policy) {
    const std::string command = to_command(runs.specs[policy]);
    EXPECT_EQ(tests::run_of_command(command), runs.specs[policy]);
    models::Scenario expected = runs.scenario;
    expected.policies = {runs.scenario.policies[policy]};
    EXPECT_EQ(read_run(tests::run_of_command(command)).scenario, expected) << command;
  }
}

TEST_F(StudyPlanTest, SensitivityTakesEachFactorAloneAndAlongTrajectories) {
  const std::string text = R"(schema: mlocksim/1
name: factors
scenario: tiny
axes: {}
measure: max(faulter)
sensitivity: {factors: [machine.costs.fault, machine.costs.munlock_page], range: 0.5..2, trajectories: 3}
)";
  StudyPlan factors = plan(text);
  EXPECT_THAT(factors.axes(), ElementsAre("fault", "munlock_page"));
  ASSERT_THAT(factors.points(), SizeIs(1 + 2 * 2 + 3 * 3));
  EXPECT_THAT(factors.points()[0].settings, SizeIs(0));
  EXPECT_EQ(factors.points()[1].settings[0].set, "machine.costs.fault=lognormal median 655ns p99 2770ns");
  EXPECT_EQ(factors.points()[4].settings[0].set, "machine.costs.munlock_page=228ns");
  for (const StudyPoint& point : factors.points()) EXPECT_NO_THROW((void)factors.runs_of(point));
  EXPECT_THAT(
      tests::mistakes_of([&] { (void)plan(tests::with("costs.fault", "costs.falt", text)); }),
      ElementsAre(HasSubstr("y.yaml:6:25: sensitivity.factors: the scenario has no value at machine.costs.falt")));
}

TEST_F(StudyPlanTest, ShippedStudiesHaveSensibleSizes) {
  const auto studies = list_configs(ConfigKind::studies);
  std::vector<std::string> names;
  for (const ConfigEntry& study : studies) {
    names.push_back(study.name);
    EXPECT_NE(study.about, "") << study.name;
    for (const bool smoke : {false, true}) {
      StudyPlan shipped(read_study(study.path, smoke));
      EXPECT_GE(shipped.points().size(), smoke ? 1u : 2u) << study.name;
      EXPECT_LE(shipped.points().size(), smoke ? 8u : 200u) << study.name;
      for (const StudyPoint& point : shipped.points()) EXPECT_NO_THROW((void)shipped.runs_of(point)) << study.name;
    }
  }
  EXPECT_THAT(names,
              testing::IsSupersetOf({"chunk_size", "convoy", "cpu_oversubscription", "eras", "unlock_question"}));
}

}  // namespace
}  // namespace experiments::study_plan_test
