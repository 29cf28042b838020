#include "experiments/scenario/policy_knobs.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "experiments/compare/policy_table.h"
#include "experiments/scenario/policy_file.h"
#include "tests/support/config_files.h"

namespace experiments::policy_knobs_test {
namespace {

using testing::HasSubstr;
using tests::kPolicy;
using tests::with;
using tests::write;

// What each knob needs to have any of its values, and what its map needs besides.
std::string policy_with(const PolicyKnob& knob, const std::string& word) {
  const std::string path = knob.path;
  const std::string own = fmt::format("{}: {}", knob.key, word);
  if (path.empty()) return kPolicy + own + "\n";
  if (path == "populate")
    return with("populate: {mode: downgrade}", "populate: {mode: drop_and_read, " + own + "}", kPolicy);
  if (path == "munlock") return with("munlock: {mode: downgrade}", "munlock: {mode: downgrade, " + own + "}", kPolicy);
  if (path == "munmap") return with("munmap: {mode: write_held}", "munmap: {mode: downgrade, " + own + "}", kPolicy);
  if (path == "fault") {
    return kPolicy + fmt::format("fault: {{{}{}}}\n", knob.options.required ? "" : "lock: per_vma, ", own);
  }
  return kPolicy + fmt::format("{}: {{{}}}\nfault: {{lock: per_vma}}\n", path, own);
}

class PolicyKnobs : public tests::ConfigFiles {};

TEST_F(PolicyKnobs, EachWordOfEachIsReadAsItsValueUnlessItIsRefused) {
  for (const PolicyKnob& knob : policy_knobs()) {
    for (std::size_t number = 0; number < knob.words.size(); ++number) {
      const std::string text = policy_with(knob, knob.words[number].word);
      SCOPED_TRACE(text);
      models::Policy chosen;
      chosen.populate.mode = models::HoldMode::drop_and_read;
      chosen.fault = models::FaultLock::per_vma;
      chosen.munmap.mode = models::HoldMode::downgrade;
      knob.set(chosen, number);
      EXPECT_EQ(knob.value(chosen), number);
      const bool refused = knob.options.refusal != nullptr && knob.options.refusal(chosen) != nullptr;
      EXPECT_EQ(tests::policy_mistakes(text).empty(), !refused);
      if (refused) continue;
      EXPECT_EQ(knob.value(read_policy(write("p.yaml", text))), number);
    }
  }
}

TEST_F(PolicyKnobs, TheTableExplainsTheMarksThatHaveALegend) {
  const std::string table = policy_table({read_policy(write("p.yaml", kPolicy))});
  for (const PolicyKnob& knob : policy_knobs()) {
    if (knob.options.legend == nullptr) continue;
    EXPECT_THAT(table, HasSubstr(fmt::format("`{}`: {}", knob.words.back().shown, knob.options.legend)));
  }
}

TEST_F(PolicyKnobs, ATableThatIsTooWideIsSplitIntoBlocksWithTheNamesInEach) {
  const std::vector<models::Policy> policies{read_policy(write("p.yaml", kPolicy))};
  constexpr std::size_t kWidth = 60;
  const std::string whole = policy_table(policies);
  const std::string split = policy_table(policies, kWidth);
  std::size_t blocks = 0;
  std::string last;
  std::istringstream lines(split);
  for (std::string line; std::getline(lines, line); last = line) {
    EXPECT_LE(line.size(), kWidth) << line;
    if (!last.starts_with("policy ")) continue;
    EXPECT_TRUE(line.starts_with(policies.front().name + " ")) << line;
    ++blocks;
  }
  EXPECT_GT(blocks, 2U);
  for (const char* const title :
       {"semaphore", "mlock: populate", "brk, MAP_LOCKED", "munlock: walk", "munmap", "fault", "/proc"}) {
    EXPECT_THAT(whole, HasSubstr(title));
    EXPECT_THAT(split, HasSubstr(title));
  }
}

TEST_F(PolicyKnobs, TheTableShowsABatchBesideThePagesThatAreThereFirst) {
  const auto policy =
      read_policy(write("p.yaml", with("populate: {mode: downgrade}",
                                       "populate: {mode: drop_and_read, batch: 512, present_first: true}", kPolicy)));
  EXPECT_THAT(policy_table({policy}), HasSubstr(" write (present),READ/512 "));
}

}  // namespace
}  // namespace experiments::policy_knobs_test
