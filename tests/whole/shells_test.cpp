// What is installed for man(1) and the shells, asked by a real bash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/commands/commands.h"
#include "tests/support/command_line.h"

namespace experiments::shells_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using tests::Outcome;

class Shells : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(tests::mlocksim({"help", "--install", share_ / ""}).code, kOk); }

  /// What bash offers, one a line, when Tab is pressed behind `line`; `before`: what it is told first.
  std::string offered(const std::string& line, const std::string& before = "") {
    const std::string script = "PATH=" + std::filesystem::path(tests::mlocksim_binary()).parent_path().string() +
                               ":$PATH; source \"$1/bash-completion/completions/mlocksim\"; compopt() { :; }; " +
                               before +
                               "COMP_LINE=$2; "
                               "COMP_POINT=${#2}; _mlocksim; printf '%s\\n' \"${COMPREPLY[@]}\"";
    const Outcome outcome = tests::run_program({"/bin/bash", "-c", script, "bash", share_ / "", line});
    EXPECT_EQ(outcome.err, "");
    return outcome.out;
  }

  tests::TemporaryFolder share_;
};

TEST_F(Shells, GetAPageOfEachCommandAndFormat) {
  for (const Command& command : all_commands()) {
    const std::string page = tests::text_of(share_ / ("man/man1/mlocksim-" + std::string(command.name) + ".1"));
    EXPECT_THAT(page, AllOf(StartsWith(".TH "), HasSubstr(command.about))) << command.name;
  }
  for (const char* const format : {"scenario", "memory", "expect", "study", "policy", "machine", "device"}) {
    EXPECT_THAT(tests::text_of(share_ / ("man/man5/mlocksim-" + std::string(format) + ".5")), StartsWith(".TH "))
        << format;
  }
  EXPECT_TRUE(std::filesystem::exists(share_ / "man/man1/mlocksim.1"));
}

TEST_F(Shells, BashCompletesCommandsAndOptions) {
  EXPECT_EQ(offered("mlocksim exp"), "explain\n");
  EXPECT_THAT(offered("mlocksim compare unlock_question --pol"), "--policies\n");
  EXPECT_THAT(offered("mlocksim help sc"), "scenario\n");
}

TEST_F(Shells, BashCompletesWhatIsShipped) {
  EXPECT_THAT(offered("mlocksim run with_w"), HasSubstr("with_writer\n"));
  EXPECT_THAT(offered("mlocksim run x --policy debian-1"), HasSubstr("debian-12\n"));
}

// Bash takes `=` for the end of a word: what stands before it is not to be said again.
TEST_F(Shells, BashCompletesKeysAndTheirValues) {
  EXPECT_THAT(offered("mlocksim run unlock_question --set memory.pre"), "memory.pressure=\n");
  EXPECT_THAT(offered("mlocksim run unlock_question --set memory.pressure=h"), "heavy\n");
  EXPECT_THAT(offered("mlocksim run unlock_question --set processes[0].threads.faul"),
              HasSubstr("processes[0].threads.faulter.\n"));
  EXPECT_THAT(offered("mlocksim run unlock_question --set=memory.pre"), "memory.pressure=\n");
  EXPECT_THAT(offered("mlocksim run unlock_question --set=memory.pressure=h"), "heavy\n");
  EXPECT_THAT(offered("mlocksim compare unlock_question --policies=downg"), "downgrade\n");
  EXPECT_THAT(offered("mlocksim compare unlock_question --policies=downg", "COMP_WORDBREAKS=' '; "),
              "--policies=downgrade\n");
}

TEST_F(Shells, BashCompletesFiles) {
  const std::string file = share_.write("mine.yaml", "");
  EXPECT_THAT(offered("mlocksim check " + file.substr(0, file.size() - 4)), HasSubstr(file));
  EXPECT_THAT(offered("mlocksim run x --seed "), Not(HasSubstr("mine.yaml")));
}

}  // namespace
}  // namespace experiments::shells_test
