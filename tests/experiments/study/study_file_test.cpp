#include "experiments/study/study_file.h"

#include "tests/support/config_files.h"

namespace experiments::study_file_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// The line numbers of the tests count in this text.
constexpr const char* kStudy = R"(schema: mlocksim/1
name: sizes
scenario: unlock_question
axes:
  region: {set: "processes[0].regions.heap.size", values: 64MiB..1GiB x4}
  faulters: {set: "processes[0].threads.faulter.count", values: [1, 2]}
  pressure: {set: memory.pressure, values: [none, heavy]}
  box: {values: {small: {memory.size: 8GiB, machine.cpus: 2}, large: {memory.size: 64GiB, machine.cpus: 32}}}
only_if: ["region >= 128MiB or pressure == none"]
measure: p99(faulter.munlock)
smoke: {axes: {region: [64MiB]}, replications: 1}
)";

using StudyFile = tests::ConfigFiles;

Study read_text(const std::string& text, bool smoke = false) { return read_study(tests::write("y.yaml", text), smoke); }

tests::Lines mistakes_with(const std::string& what, const std::string& by) {
  return tests::mistakes_of([&] { (void)read_text(tests::with(what, by, kStudy)); });
}

std::vector<std::string> labels(const Axis& axis) {
  std::vector<std::string> all;
  for (const AxisValue& value : axis.values) all.push_back(value.label);
  return all;
}

TEST_F(StudyFile, ReadsAxes) {
  const Study study = read_text(kStudy);
  EXPECT_EQ(study.name, "sizes");
  ASSERT_THAT(study.axes, SizeIs(4));
  EXPECT_THAT(labels(study.axes[0]), ElementsAre("64MiB", "256MiB", "1GiB"));
  EXPECT_EQ(study.axes[0].values[1].settings[0].set, "processes[0].regions.heap.size=256MiB");
  EXPECT_EQ(study.axes[0].type, ValueType::size);
  EXPECT_EQ(study.axes[1].type, ValueType::number);
  EXPECT_THAT(labels(study.axes[3]), ElementsAre("small", "large"));
  EXPECT_EQ(study.axes[3].values[1].settings[1].set, "machine.cpus=32");
  EXPECT_EQ(study.replications, 1);
}

TEST_F(StudyFile, VersionsOfKernelsAreNoNumbers) {
  const auto axis = [](const std::string& what) {
    return read_text(tests::with("{set: memory.pressure, values: [none, heavy]}", what,
                                 tests::with(" or pressure == none", "", kStudy)))
        .axes[2];
  };
  const Axis kernels = axis("{set: machine.kernel, values: [6.1, 6.10, debian-12]}");
  EXPECT_EQ(kernels.type, ValueType::word);
  EXPECT_THAT(labels(kernels), ElementsAre("linux-6.1", "linux-6.10", "debian-12"));
  EXPECT_EQ(kernels.values[1].settings[0].set, "machine.kernel=6.10");
  EXPECT_THAT(labels(axis("{set: policy, values: [6.1, 6.10]}")), ElementsAre("linux-6.1", "linux-6.10"));
  EXPECT_THAT(labels(axis("{set: \"policies[0]\", values: [6.1, 6.10]}")), ElementsAre("linux-6.1", "linux-6.10"));
  EXPECT_THAT(labels(axis("{values: {6.1: {machine.kernel: 6.1}, 6.10: {machine.kernel: 6.10}}}")),
              ElementsAre("linux-6.1", "linux-6.10"));
  const std::string pressure = "{set: memory.pressure, values: [none, heavy]}";
  EXPECT_THAT(mistakes_with(pressure, "{set: machine.kernel, values: [6.1, 6.1]}"),
              testing::Contains(HasSubstr("the value linux-6.1 is there already")));
  EXPECT_THAT(mistakes_with(pressure, "{set: machine.kernel, values: 6.1..6.12 +0.1}"),
              testing::Contains(HasSubstr("axes.pressure.values: expected a list such as [6.1, 6.10]")));
}

TEST_F(StudyFile, SmokeReplacesValues) {
  EXPECT_THAT(labels(read_text(kStudy, true).axes[0]), ElementsAre("64MiB"));
  EXPECT_THAT(mistakes_with("axes: {region: [64MiB]}", "axes: {regoin: [64MiB]}"),
              ElementsAre("y.yaml:11:16: smoke.axes.regoin: there is no such axis (did you mean region?)"));
  EXPECT_THAT(mistakes_with("replications: 1", "replicatons: 1"),
              ElementsAre(HasSubstr("smoke.replicatons: unknown key (did you mean replications?)")));
}

TEST_F(StudyFile, SmokeMayLeaveOutWordsThatConstraintsName) {
  EXPECT_THAT(mistakes_with("axes: {region: [64MiB]}", "axes: {pressure: [heavy]}"), IsEmpty());
}

TEST_F(StudyFile, ReportsAllMistakesWithTheirPlaces) {
  EXPECT_THAT(mistakes_with("pressure == none", "presure == none"),
              ElementsAre("y.yaml:9:11: only_if[0]: in 'region >= 128MiB or presure == none': there is no axis "
                          "'presure' (did you mean pressure?)"));
  EXPECT_THAT(mistakes_with("x4", "x1"),
              ElementsAre("y.yaml:5:59: axes.region.values: 'x1' never reaches the end of the range"));
  EXPECT_THAT(mistakes_with("values: [1, 2]", "value: [1, 2]"),
              ElementsAre(HasSubstr("y.yaml:6:13: axes.faulters.values: missing"),
                          HasSubstr("axes.faulters.value: unknown key (did you mean values?)")));
  EXPECT_THAT(mistakes_with("[1, 2]", "[1, 1]"), ElementsAre(HasSubstr("the value 1 is there already")));
  EXPECT_THAT(mistakes_with("measure: p99(", "measure: p9(faulter"), SizeIs(1));
  EXPECT_THAT(mistakes_with("scenario: unlock_question\n", ""), ElementsAre(HasSubstr("scenario: missing")));
  EXPECT_THAT(mistakes_with("{set: memory.pressure, ", "{"), ElementsAre(HasSubstr("missing `set`")));
}

TEST_F(StudyFile, RefusesCharactersBeyondAsciiInExpressionsAndNames) {
  const auto senseless = ElementsAre(HasSubstr("cannot make sense of '\u2265'"));
  EXPECT_THAT(
      mistakes_with("region >= 128MiB", "region \u2265 128MiB"),
      ElementsAre("y.yaml:9:11: only_if[0]: in 'region \u2265 128MiB or pressure == none': cannot make sense of "
                  "'\u2265'"));
  EXPECT_THAT(mistakes_with("measure:", "derive: {machine.cpus: faulters \u2265 2}\nmeasure:"), senseless);
  EXPECT_THAT(mistakes_with("values: [none, heavy]}", "values: [none, heavy], when: faulters \u2265 2}"), senseless);
  EXPECT_THAT(mistakes_with("measure: p99(faulter.munlock)", "measure: p99(faulter\u2265)"), senseless);
  EXPECT_THAT(
      mistakes_with("measure:", "find: {axis: region, where: \"max(faulter, downgrade) \u2265 1ms\"}\nmeasure:"),
      senseless);
  EXPECT_THAT(mistakes_with("  faulters:", "  n\u00f6:"),
              ElementsAre(HasSubstr("expected a name of letters, digits and '_'")));
}

TEST_F(StudyFile, SeedsAreTheStudysOwn) {
  const std::string theirs = ": seeds are the study's: `seed`, `replications`";
  EXPECT_THAT(mistakes_with("set: memory.pressure, values: [none, heavy]", "set: seed, values: [1, 7]"),
              testing::Contains("y.yaml:7:19: axes.pressure.set" + theirs));
  EXPECT_THAT(mistakes_with("set: memory.pressure, values: [none, heavy]", "set: [machine.cpus, seed], values: 1..4"),
              testing::Contains("y.yaml:7:34: axes.pressure.set[1]" + theirs));
  EXPECT_THAT(mistakes_with("machine.cpus: 2}", "seed: 2}"),
              ElementsAre("y.yaml:8:45: axes.box.values.small.seed" + theirs));
  EXPECT_THAT(mistakes_with("measure:", "zip: [[faulters, pressure]]\nset: {seed: 7}\nmeasure:"),
              ElementsAre("y.yaml:11:7: set.seed" + theirs));
  EXPECT_THAT(mistakes_with("measure:", "derive: {seed: faulters + 2}\nmeasure:"),
              ElementsAre("y.yaml:10:10: derive.seed" + theirs));
  EXPECT_THAT(mistakes_with("replications: 1}", "set: {seed: 2}}"), ElementsAre(HasSubstr("set.seed" + theirs)));
  EXPECT_THAT(tests::mistakes_of([] {
                (void)read_text(
                    "schema: mlocksim/1\nname: f\nscenario: tiny\naxes: {}\nmeasure: p99(a)\n"
                    "sensitivity: {factors: [seed]}\n");
              }),
              ElementsAre("y.yaml:6:25: sensitivity.factors[0]" + theirs));
}

TEST_F(StudyFile, AnAxisMustNotBeOfWhatNoResultHangsOn) {
  EXPECT_THAT(
      mistakes_with("set: memory.pressure", "set: about"),
      testing::Contains("y.yaml:7:19: axes.pressure.set: nothing of a run hangs on `about`: all points would be "
                        "the same"));
  EXPECT_THAT(mistakes_with("set: memory.pressure", "set: incident.observed"),
              testing::Contains(HasSubstr("nothing of a run hangs on `incident`")));
  EXPECT_THAT(mistakes_with("measure:", "set: {name: mine, expect: []}\nmeasure:"), IsEmpty()) << "of all points";
  EXPECT_THAT(mistakes_with("machine.cpus: 2}", "expect: []}"), IsEmpty());
}

TEST_F(StudyFile, ZippedAxesAreAsLong) {
  const std::string zip = "zip: [[faulters, pressure]]\nmeasure:";
  EXPECT_THAT(mistakes_with("measure:", zip), IsEmpty());
  EXPECT_THAT(mistakes_with("measure:", "zip: [[region, pressure]]\nmeasure:"),
              ElementsAre(HasSubstr("zipped axes need as many values each: region has 3, pressure has 2"),
                          HasSubstr("zipped axes need as many values each: region has 1, pressure has 2")));
  EXPECT_THAT(mistakes_with("measure:", "zip: [[faulters, presure]]\nmeasure:"),
              ElementsAre(HasSubstr("(did you mean pressure?)")));
}

TEST_F(StudyFile, PrecisionNeedsAMeasure) {
  EXPECT_THAT(mistakes_with("measure: p99(faulter.munlock)", "precision: 5%"),
              ElementsAre(HasSubstr("missing `measure`")));
  EXPECT_THAT(mistakes_with("measure:", "precision: 5\nmeasure:"),
              ElementsAre(HasSubstr("expected a percentage above 0%")));
  const Study study = read_text(tests::with("measure:", "precision: 5%\nat_most: 7\nmeasure:", kStudy));
  EXPECT_DOUBLE_EQ(*study.precision, 0.05);
  EXPECT_EQ(study.at_most, 7);
  EXPECT_EQ(study.replications, 2);
}

TEST_F(StudyFile, SearchesAnAxisThatHasAnOrder) {
  const std::string where = "where: \"max(faulter, downgrade) > 1ms\"}\nmeasure:";
  EXPECT_THAT(mistakes_with("measure:", "find: {axis: region, " + where), IsEmpty());
  EXPECT_THAT(mistakes_with("measure:", "find: {axis: pressure, " + where),
              ElementsAre(HasSubstr("pressure has no order")));
  EXPECT_THAT(mistakes_with("measure:", "find: {axis: region, where: \"max(faulter) > 1ms\"}\nmeasure:"),
              ElementsAre(HasSubstr("name the policy, too")));
}

TEST_F(StudyFile, ReadsRanges) {
  const auto spelled = [](const std::string& text) {
    std::vector<std::string> values;
    const auto range = parse_range(text);
    if (!range) return std::vector<std::string>{range.message()};
    for (const Value& value : *range) values.push_back(*spell(value));
    return values;
  };
  EXPECT_THAT(spelled("1..4"), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(spelled("1..8 +3"), ElementsAre("1", "4", "7"));
  EXPECT_THAT(spelled("100us..10ms x10"), ElementsAre("100us", "1ms", "10ms"));
  EXPECT_THAT(spelled("0.1..1 +0.1"), SizeIs(10));
  EXPECT_THAT(spelled("4GiB..1GiB x2"), ElementsAre(HasSubstr("the lower end first")));
  EXPECT_THAT(spelled("1GiB..4GiB"), ElementsAre(HasSubstr("expected a step")));
  EXPECT_THAT(spelled("1GiB..4 x2"), ElementsAre(HasSubstr("expected two numbers, sizes or durations")));
  EXPECT_THAT(spelled("1..1000000 +1"), ElementsAre("that is more than 10000 values"));
}

}  // namespace
}  // namespace experiments::study_file_test
