// Golden runs: what the scenarios in tests/whole/golden gave when somebody last looked, figure by figure.
//
// tests/whole/golden/NAME.yaml is run, and NAME.POLICY.json beside it is its result without wall time. When a change of
// the model is meant to change them:
//   MLOCKSIM_UPDATE_GOLDEN=1 build/tests/experiments_test --gtest_filter='*Golden*'
// writes them anew and removes those that belong to nothing; `git diff tests/whole/golden` then shows what has changed.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "experiments/run/result_json.h"
#include "experiments/scenario/scenario_file.h"
#include "tests/support/in_child.h"
#include "tests/support/places.h"

namespace experiments {
namespace {

using Path = std::filesystem::path;

// This one is run under every shipped policy, each other one under those that it names.
constexpr const char* kUnderEveryPolicy = "every_policy";

Path folder() { return tests::source_tests() / "whole/golden"; }

bool updating() {
  const char* const wish = std::getenv("MLOCKSIM_UPDATE_GOLDEN");
  return wish != nullptr && std::string(wish) == "1";
}

std::vector<Path> golden_files(const std::string& extension) {
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

models::Scenario read(const Path& file) {
  tests::use_source_configs();
  Overrides overrides;
  if (file.stem() == kUnderEveryPolicy) overrides.policies = {"all"};
  return read_scenario(file, overrides);
}

Path stored_result(const Path& scenario, const models::Policy& policy) {
  return folder() / (scenario.stem().string() + "." + policy.name + ".json");
}

std::string run(const models::Scenario& scenario, const models::Policy& policy, bool stepwise) {
  return tests::in_child([&] {
    sim::Engine::Options options;
    options.stepwise = stepwise;
    Json json = to_json(models::simulate(scenario, policy, options));
    json.at("engine").erase("wall_ns");
    json.at("memory").erase("series");  // long, and what it ends in is there
    return json.dump(0) + "\n";
  });
}

std::string contents(const Path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The first lines that differ: a whole result is too long to read.
void expect_same(const std::string& found, const std::string& stored, const std::string& what) {
  if (found == stored) return;
  const auto at = static_cast<std::size_t>(
      std::mismatch(found.begin(), found.end(), stored.begin(), stored.end()).first - found.begin());
  const auto line = 1 + std::count(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  const std::size_t from = at < 200 ? 0 : at - 200;
  ADD_FAILURE() << what << " differs from line " << line << " on. If that is meant, see the top of " << __FILE__
                << ".\nfound:\n..." << found.substr(from, 400) << "...\nstored:\n..."
                << stored.substr(std::min(from, stored.size()), 400) << "...";
}

class Golden : public testing::TestWithParam<Path> {};
INSTANTIATE_TEST_SUITE_P(Run, Golden, testing::ValuesIn(golden_files(".yaml")),
                         [](const auto& file) { return file.param.stem().string(); });

TEST_P(Golden, GivesWhatItGaveBefore) {
  const models::Scenario scenario = read(GetParam());
  for (const models::Policy& policy : scenario.policies) {
    const Path file = stored_result(GetParam(), policy);
    const std::string found = run(scenario, policy, false);
    ASSERT_NE(found.substr(0, 12), "child failed") << policy.name << ": " << found;
    if (updating()) std::ofstream(file) << found;
    ASSERT_TRUE(std::filesystem::exists(file)) << file << " is missing: see the top of " << __FILE__;
    expect_same(found, contents(file), file.filename());
  }
}

TEST_P(Golden, GivesTheSameStepByStep) {
  const models::Scenario scenario = read(GetParam());
  for (const models::Policy& policy : scenario.policies) {
    expect_same(run(scenario, policy, true), run(scenario, policy, false), "stepwise " + policy.name);
  }
}

TEST(GoldenRuns, MeetEveryKindOfEvent) {
  if (updating()) GTEST_SKIP() << "the stored results are being rewritten";
  std::int64_t convoys = 0;
  std::int64_t changes = 0;
  std::int64_t stalls = 0;
  std::int64_t preemptions = 0;
  for (const Path& file : golden_files(".json")) {
    const Json json = Json::parse(contents(file));
    const Json& lock = json.at("locks").at("mmap_sem");
    convoys += lock.at("convoys").at("count").get<std::int64_t>();
    changes += lock.at("window").at("vma_changed").get<std::int64_t>();
    stalls += json.at("memory").at("direct").at("stalls").at("count").get<std::int64_t>();
    preemptions += json.at("engine").at("preemptions").get<std::int64_t>();
    EXPECT_EQ(json.at("outcome"), "completed") << file;
  }
  EXPECT_GT(convoys, 0);
  EXPECT_GT(changes, 0);
  EXPECT_GT(stalls, 0);
  EXPECT_GT(preemptions, 0);
}

TEST(GoldenRuns, HaveNoStoredResultThatBelongsToNothing) {
  std::set<Path> wanted;
  for (const Path& file : golden_files(".yaml")) {
    for (const models::Policy& policy : read(file).policies) wanted.insert(stored_result(file, policy));
  }
  for (const Path& file : golden_files(".json")) {
    if (wanted.count(file) > 0) continue;
    if (updating()) {
      std::filesystem::remove(file);
    } else {
      ADD_FAILURE() << file << ": no scenario here runs under this policy";
    }
  }
}

}  // namespace
}  // namespace experiments
