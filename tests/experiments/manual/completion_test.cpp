#include "experiments/manual/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "experiments/commands/commands.h"
#include "experiments/commands/topics.h"
#include "tests/support/config_files.h"

namespace experiments::completion_test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

class Completion : public tests::ConfigFiles {
 protected:
  /// What the last word could be.
  static std::vector<std::string> possible(const std::vector<std::string>& words) {
    std::vector<std::string> all;
    for (const Candidate& each : candidates(words, words_of_commands(), manual_topics())) all.push_back(each.word);
    return all;
  }
};

TEST_F(Completion, KnowsTheCommands) {
  EXPECT_THAT(possible({""}), IsSupersetOf({"run", "compare", "help", "--version"}));
  EXPECT_THAT(possible({"com"}), ElementsAre("compare"));
  EXPECT_THAT(possible({"nonsense", ""}), IsEmpty());
}

TEST_F(Completion, KnowsTheOptionsOfACommand) {
  EXPECT_THAT(possible({"compare", "--po"}), ElementsAre("--policies"));
  EXPECT_THAT(possible({"run", "unlock_question", "--"}),
              IsSupersetOf({"--policy", "--set", "--quiet", "--no-colour"}));
  EXPECT_THAT(possible({"-q", "--no-colour", "run", "unlock_question", "--po"}), ElementsAre("--policy"));
  EXPECT_THAT(possible({"run", "unlock_question", ""}), Contains("--policy")) << "there is one scenario only";
}

TEST_F(Completion, KnowsWhatIsShipped) {
  EXPECT_THAT(possible({"run", "unlock_q"}), IsSupersetOf({"unlock_question", "unlock_question_thp", kAnyFile}));
  EXPECT_THAT(possible({"explain", "telegraf"}), Contains("telegraf_smaps"));
  EXPECT_THAT(possible({"sweep", "conv"}), Contains("convoy"));
  EXPECT_THAT(possible({"list", "k"}), ElementsAre("kernels"));
  EXPECT_THAT(possible({"check", "nv"}), Contains("nvme"));
}

TEST_F(Completion, KnowsPoliciesAndKernels) {
  EXPECT_THAT(possible({"run", "unlock_question", "--policy", "debian"}), IsSupersetOf({"debian-12", "debian-13"}));
  EXPECT_THAT(possible({"compare", "x", "--policies", "downgrade,write_"}), ElementsAre("downgrade,write_held"));
  EXPECT_THAT(possible({"compare", "x", "--policies", "al"}), ElementsAre("all"));
  EXPECT_THAT(possible({"import", "t", "--kernel", "linux-6.1"}), IsSupersetOf({"linux-6.1", "linux-6.12"}));
}

TEST_F(Completion, KnowsTheKeysOfAScenario) {
  const std::vector<std::string> set{"run", "unlock_question", "--set"};
  const auto keys = [&](const std::string& current) {
    std::vector<std::string> words = set;
    words.push_back(current);
    return possible(words);
  };
  EXPECT_THAT(keys(""), IsSupersetOf({"memory.", "machine.", "machine=", "seed=", "processes[0]."}));
  EXPECT_THAT(keys("memory.sw"), IsSupersetOf({"memory.swap.", "memory.swap=", "memory.swappiness="}));
  EXPECT_THAT(keys("memory.pressure="),
              ElementsAre("memory.pressure=none", "memory.pressure=light", "memory.pressure=heavy"));
  EXPECT_THAT(keys("machine.costs.zap"), IsSupersetOf({"machine.costs.zap_page=", "machine.costs.zap_huge="}));
  EXPECT_THAT(keys("memory.device="), Contains("memory.device=nvme"));
}

TEST_F(Completion, KnowsTheNamesOfTheScenarioThatIsNamed) {
  const auto keys = [&](const std::string& current) { return possible({"run", "unlock_question", "--set", current}); };
  EXPECT_THAT(keys("processes[0].threads."),
              IsSupersetOf({"processes[0].threads.locker.", "processes[0].threads.faulter."}));
  EXPECT_THAT(keys("processes[0].threads.locker."), Contains("processes[0].threads.locker.repeat="));
  EXPECT_THAT(keys("processes[0].threads.faulter."), Not(Contains("processes[0].threads.faulter.repeat=")));
  EXPECT_THAT(keys("processes[0].regions.heap.k"), Contains("processes[0].regions.heap.kind="));
  EXPECT_THAT(possible({"run", "--set", "processes[0].threads.locker."}),
              Contains("processes[0].threads.locker.count="));
}

TEST_F(Completion, KnowsValuesBehindAnEqualsSign) {
  EXPECT_THAT(possible({"compare", "x", "--policies=downgrade,write_"}),
              ElementsAre("--policies=downgrade,write_held"));
  EXPECT_THAT(possible({"run", "unlock_question", "--set=memory.si"}), ElementsAre("--set=memory.size="));
  EXPECT_THAT(possible({"run", "unlock_question", "--json="}), ElementsAre(kAnyFile));
  EXPECT_THAT(possible({"run", "unlock_question", "--quiet="}), IsEmpty());
  EXPECT_THAT(possible({"run", "unlock_question", "--nonsense="}), IsEmpty());
}

TEST_F(Completion, OffersOnlyWhatCanBeSetInTheScenario) {
  const auto keys = [&](const std::string& current) {
    return possible({"compare", "unlock_question", "--set", current});
  };
  EXPECT_THAT(keys("polic"), ElementsAre("policies=")) << "it has `policies`, of names";
  EXPECT_THAT(keys("policies[0]."), IsEmpty());
  EXPECT_THAT(keys("processes"), ElementsAre("processes[0].", "processes[1].", "processes="));
  EXPECT_THAT(keys("processes[2]."), IsEmpty());
  EXPECT_THAT(keys("processes[0].regions.haep."), IsEmpty());
  EXPECT_THAT(keys("processes[0].threads.faulter.open"), IsEmpty()) << "it is `closed`";
  EXPECT_THAT(keys("machine.sched"), Contains("machine.scheduler."));
  EXPECT_THAT(possible({"run", "nowhere", "--set", "polic"}), Contains("policy="));
}

TEST_F(Completion, SaysTheFirstSentenceOfEach) {
  std::string about;
  for (const Candidate& each : candidates({"run", "x", "--policy", "downgrade"}, words_of_commands(), {})) {
    if (each.word == "downgrade") about = each.about;
  }
  EXPECT_EQ(about, "The patch (Linux 2.6.28)") << "a dot in a version ends no sentence";
}

TEST_F(Completion, SaysNothingAboutNonsense) {
  for (const char* const path :
       {"nope.", "memory.nope.", "seed.", "processes[", "processes[x].", "=", "memory.size.x.y", "[0]."}) {
    EXPECT_THAT(possible({"run", "unlock_question", "--set", path}), testing::Each(testing::StartsWith(path))) << path;
  }
  EXPECT_THAT(possible({"run", "nowhere", "--set", "mem"}), Contains("memory."));
}

// A new option whose value nobody knows how to complete.
TEST_F(Completion, KnowsWhatEachOptionTakes) {
  for (const CommandWords& command : words_of_commands()) {
    for (const auto& option : command.description.options) {
      EXPECT_TRUE(option.value.empty() || is_known_value(option.value)) << command.name << " --" << option.name;
    }
    EXPECT_TRUE(is_known_value(command.description.positional)) << command.name;
  }
}

}  // namespace
}  // namespace experiments::completion_test
