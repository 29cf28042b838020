// Who suffers, why, and what helps: on results that nobody simulated, and on a scenario with a known answer.
#include "experiments/explain/explanation.h"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "experiments/run/execute.h"
#include "tests/support/command_line.h"
#include "tests/support/config_files.h"
#include "tests/support/places.h"
#include "tests/support/run_commands.h"
#include "tests/support/synthetic_result.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::explanation_test {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;
using tests::both;
using tests::result_of;
using tests::worked;

ClassChange changed(const std::string& name, double before, double after) {
  return {name, all_statistics().back(), before, after, after / before, std::nullopt};
}

TEST(Trial, IsRankedByTheVictimThatItHelpsLeast) {
  const Trial trial{{"r"}, {changed("a", 1000, 10), changed("b", 1000, 900)}, {}, {}, {}, {}};
  EXPECT_DOUBLE_EQ(trial.ratio(), 0.9);
  EXPECT_FALSE(trial.helps()) << "without an interval a tenth is no change";
  EXPECT_TRUE((Trial{{"r"}, {changed("a", 1000, 10), changed("b", 1000, 200)}, {}, {}, {}, {}}.helps()));
}

TEST(Trial, OneThatFailedComesLast) {
  const Trial failed{{"r"}, {}, {}, {}, "it crashed", {}};
  EXPECT_GT(failed.ratio(), 1e300);
  EXPECT_FALSE(failed.helps());
}

class Explained : public testing::Test {
 protected:
  Explained() { tests::use_source_configs(); }

  [[nodiscard]] Explanation of(const std::vector<std::string>& sets, const std::optional<std::string>& policy = {},
                               int replications = 2) const {
    ExplainRequest request;
    request.run = {file_, policy, sets, {}};
    request.replications = replications;
    request.workers = 2;
    return explain(request, [](std::size_t, std::size_t) {});
  }
  static std::vector<std::string> names(const std::vector<Victim>& victims) {
    std::vector<std::string> all;
    for (const Victim& victim : victims) all.push_back(victim.loss.class_name);
    return all;
  }
  static std::size_t place(const Explanation& explanation, const std::string& remedy) {
    const auto found = std::find_if(explanation.trials.begin(), explanation.trials.end(),
                                    [&](const Trial& trial) { return trial.remedy.label == remedy; });
    return static_cast<std::size_t>(found - explanation.trials.begin());
  }
  /// Of the scenario as it is. An explanation takes seconds, and these tests look at one from all sides.
  [[nodiscard]] static const Explanation& of_convoy();
  [[nodiscard]] static const Explanation& of_hungry();

  [[nodiscard]] static std::vector<models::Result> run(const std::string& command) {
    const models::Scenario scenario = read_run(tests::run_of_command(command)).scenario;
    return {std::get<models::Result>(
        execute({{&scenario, &scenario.policies.front(), scenario.seed}}, 1, {}, [](std::size_t) {}).front())};
  }

  /// Of another scenario.
  [[nodiscard]] Explanation of_text(const std::string& text) {
    file_ = folder_.write("another.yaml", text);
    return of({});
  }

  struct Alone;

  const tests::TemporaryFolder folder_;
  std::string file_ = folder_.write("the \"convoy\" isn't.yaml", tests::kConvoyScenario);
};

struct Explained::Alone : Explained {
  void TestBody() override {}
};

const Explanation& Explained::of_convoy() {
  static const Explanation explanation = Alone().of({});
  return explanation;
}

TEST_F(Explained, TheConvoyIsFollowedFromTheReaderByWayOfTheWriterToTheFaults) {
  const Explanation& explanation = of_convoy();
  EXPECT_THAT(names(explanation.victims), Contains("faulter"));
  EXPECT_THAT(names(explanation.victims), Contains("mapper"));
  EXPECT_THAT(explanation.unharmed, Contains("bystander"));
  ASSERT_FALSE(explanation.account.empty());
  EXPECT_THAT(explanation.account.front(),
              HasSubstr("smaps (/proc/db/smaps) holds mmap_sem for read; mapper waits for smaps; faulter queues behind "
                        "mapper"));
  for (const char* const remedy : {"without mapper", "without smaps", "smaps under per-VMA locks", "Linux 7.2"}) {
    EXPECT_LT(place(explanation, remedy), 4U) << remedy;
  }
  EXPECT_FALSE(explanation.trials[place(explanation, "without bystander")].helps());
}

// Eight releases after 5.18 differ in something; for who suffers here the locks of smaps are all that counts.
TEST_F(Explained, KernelsThatDoTheSameAreOneLine) {
  const Explanation& explanation = of_convoy();
  std::vector<std::string> kernels;
  for (const Trial& trial : explanation.trials) {
    if (trial.remedy.kernels) kernels.push_back(trial.remedy.label);
  }
  EXPECT_THAT(kernels, UnorderedElementsAre("Linux 6.4 to 7.1", "Linux 7.2"));
}

TEST_F(Explained, WithAnyOfTheThreeMissingNobodySuffers) {
  for (const char* const nobody : {"processes[0].threads.mapper.count=0", "processes[2].threads.smaps.count=0"}) {
    EXPECT_THAT(of({nobody}).victims, testing::IsEmpty()) << nobody;
  }
}

/// One maps and populates more than there is.
constexpr const char* kHungry = R"(schema: mlocksim/1
name: hungry
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 2}
memory: {size: 1GiB}
policies: [downgrade, unlock_downgrade]
duration: 2s
processes:
  - name: db
    regions: {heap: {size: 16MiB, kind: anon}}
    threads:
      faulter: {run: faulter, closed: {think: exponential 50us}}
      hog: {run: mapper, size: 1GiB, populate: true, closed: {think: 0ns}}
)";

const Explanation& Explained::of_hungry() {
  static const Explanation explanation = Alone().of_text(kHungry);
  return explanation;
}

TEST_F(Explained, ThatItRanOutOfMemoryIsSaidFirst) {
  const Explanation& explanation = of_hungry();
  EXPECT_THAT(to_text(explanation), testing::StartsWith("downgrade ran out of memory in 2 of 2 runs, first after "));
  EXPECT_THAT(to_text(explanation), HasSubstr(": the figures end there.\n"));
  const Json json = to_json(explanation);
  EXPECT_EQ(json.at("out_of_memory").at("runs"), 2);
  EXPECT_GT(json.at("out_of_memory").at("first_after_ns"), 0);
  const Json ample = to_json(of_convoy());
  EXPECT_FALSE(ample.contains("out_of_memory"));
  EXPECT_FALSE(ample.contains("untold"));
}

TEST_F(Explained, WhoRunsOutOfMemoryAloneIsNeitherAVictimNorUnharmed) {
  const Explanation& explanation = of_hungry();
  EXPECT_THAT(names(explanation.victims), Not(Contains("hog")));
  EXPECT_THAT(explanation.unharmed, Not(Contains("hog")));
  ASSERT_EQ(explanation.untold.size(), 1U);
  EXPECT_EQ(explanation.untold.front().who, "hog");
  EXPECT_THAT(to_text(explanation), HasSubstr("cannot be told of hog: alone it ran out of memory in 2 of 2 runs"));
  EXPECT_EQ(to_json(explanation).at("untold").at(0).at("who"), "hog");
}

TEST_F(Explained, ARemedyThatRunsOutOfMemoryIsNotRanked) {
  std::string text = tests::kConvoyScenario;
  text.insert(text.find("  - name: monitoring"),
              "  - name: hungry\n    threads:\n"
              "      hog: {run: mapper, size: 600MiB, populate: true, closed: {think: 0ns}}\n");
  const Explanation explanation = of_text(text);
  ASSERT_THAT(names(explanation.victims), Contains("faulter"));
  ASSERT_TRUE(explanation.out_of_memory);
  const Trial& trial = explanation.trials.at(place(explanation, "without bystander"));
  EXPECT_THAT(trial.failure, HasSubstr("ran out of memory in 2 of 2 runs"));
  EXPECT_FALSE(trial.helps());
  EXPECT_THAT(to_text(explanation), HasSubstr("without bystander\n       cannot be told: ran out of memory"));
  EXPECT_EQ(explanation.trials.at(place(explanation, "without hog")).failure, "") << "this one has memory enough";
}

TEST_F(Explained, TheSameAgainIsTheSameToTheByte) {
  const Explanation first = of({}, {}, 1);
  const Explanation again = of({}, {}, 1);
  EXPECT_EQ(to_json(first).dump(), to_json(again).dump());
  EXPECT_EQ(to_text(first), to_text(again));
}

// Of the policy that the scenario has, one that the command line says, and one that the scenario itself defines.
TEST_F(Explained, EveryCommandGivesTheFiguresThatStandBesideIt) {
  file_ = folder_.write("own policies.yaml",
                        tests::with("policy: linux-5.18", "policies: [write_held, {from: linux-5.18, name: mine}]",
                                    tests::kConvoyScenario));
  for (const std::optional<std::string> policy : {"", "linux-5.18", "mine"}) {
    SCOPED_TRACE(*policy);
    const Explanation explanation = of({"duration=100ms"}, policy->empty() ? std::nullopt : policy, 1);
    const std::vector<models::Result> together = run(explanation.command);
    ASSERT_FALSE(explanation.trials.empty());
    for (const Trial& trial : explanation.trials) {
      ASSERT_EQ(trial.failure, "") << trial.command;
      const std::vector<models::Result> with_remedy = run(trial.command);
      for (const ClassChange& change : trial.victims) {
        const auto again = tail_change(together, with_remedy, change.class_name);
        ASSERT_TRUE(again) << trial.command;
        EXPECT_EQ(again->before, change.before) << explanation.command;
        EXPECT_EQ(again->after, change.after) << trial.command;
      }
    }
  }
}

TEST_F(Explained, TheJsonHasACommandForEachRemedy) {
  const Json json = to_json(of({}));
  EXPECT_EQ(json.at("explains"), "convoy");
  for (const Json& trial : json.at("trials")) {
    const RunSpec run = tests::run_of_command(trial.at("command").get<std::string>());
    EXPECT_EQ(run.scenario, file_);
    EXPECT_TRUE(run.policy || !run.sets.empty());
  }
  EXPECT_THAT(json.at("victims").at(0).at("difference_ns").at("low").get<std::int64_t>(), testing::Gt(0));
}

}  // namespace
}  // namespace experiments::explanation_test
