// A run says the command that repeats it, and the command says the same run.
#include "experiments/scenario/run_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/config_files.h"
#include "tests/support/run_commands.h"

namespace experiments::run_spec_test {
namespace {

using tests::run_of_command;

constexpr const char* kOwnPolicies =
    "policies: [{from: downgrade, name: mine, munlock: {mode: downgrade}}, unlock_downgrade, beside.yaml, "
    "{from: write_held, name: downgrade}]";

class RunSpecTest : public tests::ConfigFiles {
 protected:
  void SetUp() override {
    ConfigFiles::SetUp();
    tests::write("it's a \"folder\"/beside.yaml", tests::with("name: mine", "name: neighbour", tests::kPolicy));
    file_ = tests::write("it's a \"folder\"/s.yaml", tests::with("policy: downgrade", kOwnPolicies)).string();
  }
  [[nodiscard]] models::Policy policy_of(const std::string& policy) const {
    return read_run({file_, policy, {}, {}}).scenario.policies.at(0);
  }

  std::string file_;
};

TEST_F(RunSpecTest, TheCommandSaysTheSameRun) {
  const std::vector<RunSpec> runs{
      {"convoy", {}, {}, {}},
      {file_,
       "mine",
       {"duration=1s", "processes[0].threads.faulter.closed.think=exponential 5us"},
       18446744073709551615U},
      {"-odd $(name) `and` \\ all.yaml", "{from: a, name: \"it's\"}", {"-a=b", "about='\"'"}, 0},
  };
  for (const RunSpec& run : runs) {
    RunSpec expected = run;
    if (run.scenario.starts_with('-')) expected.scenario = "./" + run.scenario;
    EXPECT_EQ(run_of_command(to_command(run)), expected) << to_command(run);
  }
}

TEST_F(RunSpecTest, APolicysNameIsLookedForInTheScenarioFirst) {
  EXPECT_EQ(policy_of("mine").munlock.mode, models::HoldMode::downgrade);
  EXPECT_EQ(policy_of("neighbour").name, "neighbour") << "the name in the file that the scenario names";
  EXPECT_EQ(policy_of("downgrade").populate.mode, models::HoldMode::write_held)
      << "the scenario's own, not the shipped";
  EXPECT_EQ(policy_of("policies/downgrade").populate.mode, models::HoldMode::downgrade) << "a path is a path";
  EXPECT_EQ(policy_of("write_held").name, "write_held") << "a shipped one that the scenario does not have";
  EXPECT_THROW((void)policy_of("nobody"), InputError);
}

TEST_F(RunSpecTest, APolicyCanBeSaidInOneLine) {
  const models::Policy policy = policy_of("{from: write_held, name: here, munmap: {mode: downgrade}}");
  EXPECT_EQ(policy.name, "here");
  EXPECT_EQ(policy.munmap.mode, models::HoldMode::downgrade);
  EXPECT_THROW((void)policy_of("{from: write_held"), InputError);
}

TEST_F(RunSpecTest, EveryPolicyOfAScenarioCanBeSaidOnTheCommandLine) {
  const models::Scenario all = read_scenario(file_);
  const YamlNode tree = tree_of({file_, {}, {}, {}});
  const std::filesystem::path folder = std::filesystem::path(file_).parent_path();
  const std::vector<YamlNode> nodes = policies_of(tree, {}, folder);
  ASSERT_EQ(nodes.size(), all.policies.size());
  for (std::size_t each = 0; each < nodes.size(); ++each) {
    EXPECT_EQ(policy_of(policy_argument(nodes[each], tree, folder)), all.policies[each]) << all.policies[each].name;
  }
}

TEST_F(RunSpecTest, AShippedPolicyIsSaidByItsFileWhereTheScenarioHasAnotherOfItsName) {
  const YamlNode tree = tree_of({file_, {}, {}, {}});
  const auto all = policies_of(tree, {"all"}, std::filesystem::path(file_).parent_path());
  for (const YamlNode& shipped : all) {
    const std::string said = policy_argument(shipped, tree, std::filesystem::path(file_).parent_path());
    EXPECT_EQ(policy_of(said), read_policy(shipped.scalar)) << said;
  }
}

}  // namespace
}  // namespace experiments::run_spec_test
