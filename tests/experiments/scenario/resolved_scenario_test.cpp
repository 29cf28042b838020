#include "experiments/scenario/resolved_scenario.h"
#include "tests/support/places.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace experiments {
namespace {

TEST(ResolvedScenarioTest, HashesAsEverybodyDoes) {
  EXPECT_EQ(sha1_of("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(ResolvedScenarioTest, WhichKernelAPolicyIsOfDoesNotMakeItAnother) {
  tests::use_source_configs();
  const auto content = [](const std::string& set) {
    YamlNode root;
    std::vector<Diagnostic> diagnostics;
    apply_set(root, "policy=" + set, diagnostics);
    EXPECT_TRUE(diagnostics.empty());
    return Resolver().resolve(root, {}).policies.at(0).content.dump();
  };
  EXPECT_EQ(content("{from: linux-6.4, name: linux-6.4, kernel: 6.5}"), content("linux-6.4"));
  EXPECT_NE(content("{from: linux-6.4, name: linux-6.4, fault: {retry_on_io: false}}"), content("linux-6.4"));
}

/// All golden results, one after the other.
std::string golden_runs() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(tests::source_tests() / "whole/golden")) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string text;
  for (const auto& file : files) {
    std::ifstream stream(file);
    text.append(std::istreambuf_iterator<char>(stream), {});
  }
  return text;
}

TEST(ResolvedScenarioTest, TheResultVersionChangesWithTheGoldenRuns) {
  EXPECT_EQ(kResultVersion, 2);
  EXPECT_EQ(sha1_of(golden_runs()), "c1a522b371d8b1fee51af7c364a37f344a596573")
      << "the golden runs have changed: count kResultVersion up, or stores of earlier results will be taken for "
         "current ones; then put both numbers here";
}

}  // namespace
}  // namespace experiments
