#include "experiments/scenario/resolved_scenario.h"

#include "experiments/scenario/scenario_file.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace experiments::resolved_scenario_test {
namespace {

TEST(ResolvedScenarioTest, HashesAsEverybodyDoes) {
  EXPECT_EQ(sha1_of("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(ResolvedScenarioTest, WhichKernelAPolicyIsOfDoesNotMakeItAnother) {
  tests::use_source_configs();
  const auto digest = [](const std::string& set) {
    YamlNode root;
    std::vector<Diagnostic> diagnostics;
    apply_set(root, "policy=" + set, diagnostics);
    EXPECT_TRUE(diagnostics.empty());
    return digest_of(Resolver().resolve(root, {}), 0);
  };
  EXPECT_EQ(digest("{from: linux-6.4, name: linux-6.4, kernel: 6.5}"), digest("linux-6.4"));
  EXPECT_NE(digest("{from: linux-6.4, name: linux-6.4, fault: {retry_on_io: false}}"), digest("linux-6.4"));
}

/// Every shipped scenario and incident under each of its policies, read again from what is kept of it.
TEST(ResolvedScenarioTest, ReadsBackAsTheScenarioThatItWasMadeOf) {
  tests::use_source_configs();
  std::size_t runs = 0;
  for (const ConfigKind kind : {ConfigKind::scenarios, ConfigKind::incidents}) {
    for (const ConfigEntry& shipped : list_configs(kind)) {
      const models::Scenario scenario = read_scenario(shipped.path);
      std::vector<Diagnostic> diagnostics;
      const ResolvedScenario resolved =
          Resolver().resolve(load_yaml(shipped.path, diagnostics), shipped.path.parent_path());
      ASSERT_EQ(resolved.policies.size(), scenario.policies.size());
      for (std::size_t policy = 0; policy < scenario.policies.size(); ++policy) {
        models::Scenario expected = scenario;
        expected.policies = {scenario.policies[policy]};
        expected.seed = models::Scenario().seed;
        EXPECT_EQ(read_resolved(to_yaml(resolved, policy), "kept"), expected) << shipped.name << "\n"
                                                                              << to_yaml(resolved, policy);
        ++runs;
      }
    }
  }
  EXPECT_GT(runs, 20U);
}

TEST(ResolvedScenarioTest, TheResultVersionChangesWithTheGoldenRuns) {
  EXPECT_EQ(kResultVersion, 18);
  EXPECT_EQ(sha1_of(tests::text_of(tests::source_tests() / "whole/golden/digests.txt")),
            "88b38b67f5d9d5bb52d2071e55db0918c81e78ad")
      << "the golden runs have changed: count kResultVersion up, or stores of earlier results will be taken for "
         "current ones; then put both numbers here";
}

}  // namespace
}  // namespace experiments::resolved_scenario_test
