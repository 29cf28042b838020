// Golden runs: that nothing has changed since somebody last looked.
//
// tests/whole/golden/NAME.yaml is run, and digests.txt has the SHA-1 of each result, every field of it but wall time.
// A digest tells that something has changed; what, a reader sees in run.txt, compare.txt and explain.txt beside it:
// what three commands print of a small scenario. When a change is meant to change them:
//   MLOCKSIM_UPDATE_GOLDEN=1 build/tests/whole_test --gtest_filter='Golden*'
// writes them anew; `git diff tests/whole/golden` then shows what has changed.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/scenario/resolved_scenario.h"
#include "experiments/scenario/scenario_file.h"
#include "models/simulation.h"
#include "tests/support/command_line.h"
#include "tests/support/in_child.h"
#include "tests/support/places.h"
#include "tests/support/result_text.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::golden_test {
namespace {

using Path = std::filesystem::path;

// This one is run under every shipped policy, each other one under those that it names.
constexpr const char* kUnderEveryPolicy = "every_policy";

Path folder() { return tests::source_tests() / "whole/golden"; }

bool updating() {
  const char* const wish = std::getenv("MLOCKSIM_UPDATE_GOLDEN");
  return wish != nullptr && std::string(wish) == "1";
}

std::vector<Path> scenario_files() {
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
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

std::string run(const models::Scenario& scenario, const models::Policy& policy, bool stepwise) {
  return tests::in_child([&] { return tests::packed(models::simulate(scenario, policy, {stepwise, {}}), stepwise); });
}

// --- digests ------------------------------------------------------------------------------------------------------

using Digests = std::map<std::string, std::string>;  // by NAME.POLICY

Digests stored_digests() {
  Digests digests;
  std::ifstream stream(folder() / "digests.txt");
  for (std::string name, digest; stream >> name >> digest;) digests.emplace(name, digest);
  return digests;
}

std::string text_of(const Digests& digests) {
  std::string text;
  for (const auto& [name, digest] : digests) text += name + " " + digest + "\n";
  return text;
}

TEST(GoldenRuns, GiveWhatTheyGaveBefore) {
  Digests found;
  for (const Path& file : scenario_files()) {
    const models::Scenario scenario = read(file);
    for (const models::Policy& policy : scenario.policies) {
      const std::string text = tests::in_child([&] { return tests::text_of(models::simulate(scenario, policy, {})); });
      ASSERT_NE(text.substr(0, 12), "child failed") << policy.name << ": " << text;
      found.emplace(file.stem().string() + "." + policy.name, sha1_of(text));
    }
  }
  if (updating()) std::ofstream(folder() / "digests.txt") << text_of(found);
  EXPECT_EQ(text_of(found), text_of(stored_digests())) << "if that is meant, see the top of " << __FILE__;
}

class Golden : public testing::TestWithParam<Path> {};
INSTANTIATE_TEST_SUITE_P(Run, Golden, testing::ValuesIn(scenario_files()),
                         [](const auto& file) { return file.param.stem().string(); });

TEST_P(Golden, GivesTheSameStepByStep) {
  const models::Scenario scenario = read(GetParam());
  for (const models::Policy& policy : scenario.policies) {
    EXPECT_EQ(tests::difference(run(scenario, policy, false), run(scenario, policy, true)), "") << policy.name;
  }
}

TEST(GoldenRuns, MeetEveryKindOfEvent) {
  std::uint64_t convoys = 0;
  std::uint64_t changes = 0;
  std::uint64_t stalls = 0;
  std::uint64_t preemptions = 0;
  for (const Path& file : scenario_files()) {
    const models::Scenario scenario = read(file);
    const models::Result result = tests::unpacked(run(scenario, scenario.policies.front(), false));
    EXPECT_EQ(result.outcome, models::Outcome::completed) << file;
    for (const models::LockResult& lock : result.locks) {
      convoys += lock.statistics.convoys;
      changes += lock.vma_changed;
    }
    stalls += result.memory.reclaim.direct_stalls.count();
    preemptions += result.preemptions;
  }
  EXPECT_GT(convoys, 0U);
  EXPECT_GT(changes, 0U);
  EXPECT_GT(stalls, 0U);
  EXPECT_GT(preemptions, 0U);
}

// --- what people read -----------------------------------------------------------------------------------------------

std::string without_times_of_the_machine(const std::string& text) {
  static const std::regex times(R"(in [0-9.]+ s([.:]| of)|, [0-9.]+ (million|thousand) a second)");
  return std::regex_replace(text, times, "...$1");
}

struct Printed {
  const char* file;
  std::vector<std::string> words;  // of the command, less the scenario
};

class GoldenText : public testing::TestWithParam<Printed> {};
INSTANTIATE_TEST_SUITE_P(, GoldenText,
                         testing::Values(Printed{"run.txt", {"run", "--worst", "2"}},
                                         Printed{"compare.txt", {"compare", "--reps", "3"}},
                                         Printed{"explain.txt", {"explain", "--reps", "2"}}),
                         [](const auto& printed) { return printed.param.words.front(); });

TEST_P(GoldenText, IsWhatItWasBefore) {
  const tests::TemporaryFolder temporary;
  std::vector<std::string> words = GetParam().words;
  words.insert(words.begin() + 1, temporary.write("tiny.yaml", tests::kTinyScenario));
  const tests::Outcome outcome = tests::mlocksim(words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::string found = without_times_of_the_machine(outcome.out);
  for (std::size_t at = 0; (at = found.find(words[1])) != std::string::npos;)
    found.replace(at, words[1].size(), "FILE");
  if (updating()) std::ofstream(folder() / GetParam().file) << found;
  EXPECT_EQ(found, tests::text_of(folder() / GetParam().file)) << "if that is meant, see the top of " << __FILE__;
}

}  // namespace
}  // namespace experiments::golden_test
