// The program from outside: what a user types, what comes back, and what is left in the folder.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/algorithm/string/join.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/command_line.h"
#include "tests/support/places.h"
#include "tests/support/run_commands.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::commands_test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;
using tests::mlocksim;
using tests::Outcome;

constexpr int kOk = 0;
constexpr int kRunFailed = 1;
constexpr int kBadInput = 2;

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Without the lines that tell how long the simulator took.
std::string without_wall_time(const std::string& text) {
  std::string rest;
  for (const std::string& line : lines_of(text)) {
    const bool of_wall_time = line.starts_with("Simulated ") || line.find(" runs in ") != std::string::npos ||
                              line.find("\"wall_ns\"") != std::string::npos;
    if (!of_wall_time) rest += line + "\n";
  }
  return rest;
}

bool says(const Outcome& outcome, const std::string& what) {
  return outcome.err.find(what) != std::string::npos || outcome.out.find(what) != std::string::npos;
}

class Commands : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
  const std::string tiny_ = folder_.write("tiny.yaml", tests::kTinyScenario);

  // The tiny scenario with a piece of its text replaced.
  [[nodiscard]] std::string tiny_with(const std::string& what, const std::string& by) const {
    std::string text = tests::kTinyScenario;
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return folder_.write("changed.yaml", text.replace(at, what.size(), by));
  }
};

void expect_bad_input(const Outcome& outcome, const std::string& what) {
  EXPECT_EQ(outcome.code, kBadInput) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(what));
  EXPECT_EQ(outcome.out, "") << "what is wrong goes to standard error";
}

// --- commands that repeat a run -----------------------------------------------------------------------------

// With names that a shell would take apart, and policies that the scenario itself defines.
TEST_F(Commands, CompareGivesACommandForEachRun) {
  (void)folder_.write("mine.yaml",
                      "schema: mlocksim/1\nname: given\npopulate: {mode: downgrade}\n"
                      "munlock: {mode: downgrade}\nmunmap: {mode: downgrade}\n");
  const std::string own = tiny_with("[write_held, downgrade, unlock_downgrade]",
                                    "[{from: write_held, name: downgrade}, {from: downgrade, name: b}]");
  const std::string file = folder_ / "it's \"tiny\".yaml";
  std::filesystem::rename(own, file);
  const std::vector<std::string> sets{"processes[0].threads.faulter.count=3", "about=what's \"this\" in $HOME"};
  const std::string mine = folder_ / "mine.yaml";
  for (const std::vector<std::string>& policies :
       std::vector<std::vector<std::string>>{{}, {"b", mine, "unlock_downgrade"}, {"all"}}) {
    const std::string list = boost::algorithm::join(policies, ",");
    std::vector<std::string> words{"compare",          file,     "--set", sets[0], "--set", sets[1], "--json",
                                   folder_ / "c.json", "--seed", "7"};
    if (!policies.empty()) words.insert(words.end(), {"--policies", list});
    const Outcome outcome = mlocksim(words);
    ASSERT_EQ(outcome.code, kOk) << outcome.err;
    const models::Scenario all = experiments::read_scenario(file, {sets, 7, policies});
    const json commands = json::parse(tests::text_of(folder_ / "c.json")).at("commands");
    ASSERT_EQ(commands.size(), all.policies.size()) << list;
    for (std::size_t each = 0; each < commands.size(); ++each) {
      models::Scenario expected = all;
      expected.policies = {all.policies[each]};
      const auto command = commands[each].get<std::string>();
      EXPECT_EQ(experiments::read_run(tests::run_of_command(command)).scenario, expected) << command;
    }
  }
}

TEST_F(Commands, RunCompareAndExplainFindAPolicyThatTheScenarioDefines) {
  const std::string file =
      tiny_with("[write_held, downgrade, unlock_downgrade]", "[write_held, {from: downgrade, name: mine}]");
  EXPECT_EQ(mlocksim({"run", file, "--policy", "mine"}).code, kOk);
  EXPECT_EQ(mlocksim({"compare", file, "--policies", "mine,downgrade"}).code, kOk);
  EXPECT_EQ(mlocksim({"explain", file, "--policy", "mine", "--reps", "1"}).code, kOk);
  expect_bad_input(mlocksim({"run", file, "--policy", "mime"}), "there is no policy 'mime'");
}

// --- where what is said does not arrive -------------------------------------------------------------------

TEST_F(Commands, NoticeThatTheirOutputCannotBeWritten) {
  for (const std::string nowhere : {">/dev/full", ">&-"}) {
    const Outcome outcome = tests::run_program({"/bin/sh", "-c", tests::mlocksim_binary() + " --help " + nowhere});
    EXPECT_EQ(outcome.code, kRunFailed) << nowhere;
    EXPECT_THAT(outcome.err, HasSubstr("cannot")) << nowhere;
  }
}

TEST_F(Commands, TellWhatIsWrongByTheirExitCodeWhereNobodyListens) {
  for (const std::string nowhere : {"2>/dev/full", "2>&-"}) {
    EXPECT_EQ(tests::run_program({"/bin/sh", "-c", tests::mlocksim_binary() + " run nope " + nowhere}).code, kBadInput)
        << nowhere;
  }
}

// The commands that the program lists: lines of two blanks, a name and what it does.
std::vector<std::string> all_commands() {
  std::vector<std::string> commands;
  for (const std::string& line : lines_of(mlocksim({"--help"}).out)) {
    if (line.starts_with("  ")) commands.push_back(line.substr(2, line.find(' ', 2) - 2));
  }
  return commands;
}

// --- help ---------------------------------------------------------------------------------------------------

TEST_F(Commands, ListThemselvesWhenAskedForHelp) {
  for (const char* word : {"--help", "-h", "help"}) {
    const Outcome outcome = mlocksim({word});
    EXPECT_EQ(outcome.code, kOk) << word;
    EXPECT_EQ(outcome.err, "") << word;
    EXPECT_EQ(outcome.out, mlocksim({"--help"}).out) << word;
  }
  EXPECT_THAT(all_commands(),
              ElementsAre("new", "run", "compare", "explain", "sweep", "results", "report", "merge", "check", "fmt",
                          "calibrate", "validate", "probe", "record", "import", "list", "help"));
}

TEST_F(Commands, ExplainThemselves) {
  for (const std::string& command : all_commands()) {
    for (const char* word : {"--help", "-h"}) {
      const Outcome outcome = mlocksim({command, word});
      EXPECT_EQ(outcome.code, kOk) << command;
      EXPECT_THAT(outcome.out, StartsWith("usage: mlocksim " + command));
      EXPECT_EQ(outcome.err, "") << command;
    }
  }
}

TEST_F(Commands, NameEveryOptionInTheirHelp) {
  for (const char* option : {"--policy", "--seed", "--set", "--json", "--hgrm", "--stepwise"}) {
    EXPECT_THAT(mlocksim({"run", "--help"}).out, HasSubstr(option));
  }
  for (const char* option : {"--policies", "--reps", "--jobs", "--seed", "--set", "--json", "--hgrm"}) {
    EXPECT_THAT(mlocksim({"compare", "--help"}).out, HasSubstr(option));
  }
}

/// How wide it is on a terminal.
std::size_t columns_of(const std::string& line) {
  return static_cast<std::size_t>(
      std::count_if(line.begin(), line.end(), [](char each) { return (each & 0xC0) != 0x80; }));
}

TEST_F(Commands, HaveNoLineLongerThanTheTerminal) {
  const std::vector<std::vector<std::string>> all{{"help"},
                                                  {"sweep", "--help"},
                                                  {"calibrate", "--help"},
                                                  {"report", "--help"},
                                                  {"list", "policies"},
                                                  {"list", "incidents"},
                                                  {"run", tiny_, "--worst", "2"},
                                                  {"compare", tiny_, "--policies", "all"},
                                                  {"compare", tiny_, "--reps", "2"},
                                                  {"explain", "telegraf_smaps", "--set", "duration=5s", "--reps", "2"}};
  for (const char* const columns : {"80", "130"}) {
    ASSERT_EQ(setenv("COLUMNS", columns, 1), 0);
    for (const std::vector<std::string>& arguments : all) {
      const Outcome outcome = mlocksim(arguments);
      EXPECT_EQ(outcome.code, kOk) << outcome.err;
      for (const std::string& line : lines_of(outcome.out)) {
        EXPECT_LE(columns_of(line), std::stoul(columns)) << boost::algorithm::join(arguments, " ") << ": " << line;
      }
    }
  }
  ASSERT_EQ(unsetenv("COLUMNS"), 0);
}

// A program reads them by line and by column.
TEST_F(Commands, LeaveLinesWholeWhereNobodySaysHowLongTheyMayBe) {
  ASSERT_EQ(unsetenv("COLUMNS"), 0);
  EXPECT_THAT(lines_of(mlocksim({"list", "policies"}).out),
              Contains(MatchesRegex("policy +semaphore +mlock: populate .* /proc *")));
  EXPECT_THAT(mlocksim({"list", "incidents"}).out, HasSubstr("what could possibly go wrong?\", Linux Plumbers 2021\n"));
}

TEST_F(Commands, TakeUpToTenThousandReplications) {
  for (const char* const command : {"compare", "explain"}) {
    expect_bad_input(mlocksim({command, tiny_, "--reps", "10001"}), "from 1 to 10000, found 10001");
  }
}

TEST_F(Commands, TellTheVersion) {
  EXPECT_THAT(
      mlocksim({"--version"}).out,
      MatchesRegex("mlocksim [0-9]+\\.[0-9]+\\.[0-9]+( \\(commit [0-9a-f]+(-dirty)?\\))?, SimGrid [0-9]+\\.[0-9.]+\n"));
}

TEST_F(Commands, ShowTheManualOfATopic) {
  for (const char* const topic : {"compare", "scenario", "study", "memory", "expect", "exit-codes", "environment"}) {
    const Outcome outcome = mlocksim({"help", topic});
    EXPECT_EQ(outcome.code, kOk) << outcome.err;
    EXPECT_THAT(outcome.out, StartsWith("NAME\n")) << topic;
    for (const std::string& line : lines_of(outcome.out)) {
      EXPECT_LE(line.size(), 80U) << topic << ": " << line;
    }
  }
  EXPECT_THAT(mlocksim({"help", "swap.size"}).out, HasSubstr("memory.swap.size"));
  expect_bad_input(mlocksim({"help", "scenarrio"}),
                   "there is no topic and no key 'scenarrio' (did you mean scenario?)");
}

TEST_F(Commands, WriteAScenarioToStartFrom) {
  for (const char* const holder : {"locker", "allocator", "monitor"}) {
    const std::string file = folder_ / (std::string(holder) + ".yaml");
    const Outcome made = mlocksim({"new", "-o", file, "--holder", holder, "--kernel", "debian-12", "--memory", "1GiB",
                                   "--cpus", "4", "--region", "64MiB", "--mapper", "yes"});
    ASSERT_EQ(made.code, kOk) << made.err;
    EXPECT_EQ(mlocksim({"check", file}).code, kOk);
    EXPECT_EQ(mlocksim({"compare", file}).code, kOk);
    expect_bad_input(mlocksim({"new", "-o", file}), "is there already");
  }
  EXPECT_EQ(mlocksim({"new", "-o", folder_ / "of_here.yaml"}).code, kOk) << "of this machine, without a word";
  expect_bad_input(mlocksim({"new", "-o", folder_ / "x.yaml", "--holder", "lokcer"}), "(did you mean locker?)");
  expect_bad_input(mlocksim({"new", "-o", folder_ / "x.yaml", "--memory", "1GiB", "--region", "2GiB"}),
                   "memory's 1GiB");
  EXPECT_THAT(mlocksim({"run", folder_ / "x.yaml"}).code, kBadInput) << "nothing was written";
}

/// The program on a terminal at which `typed` is typed: what it shows, and what is typed. Its exit code is in `code`.
Outcome on_terminal(std::vector<std::string> words, const std::string& typed) {
  tests::use_source_configs();
  words.insert(words.begin(), tests::mlocksim_binary());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int terminal = -1;
  const pid_t process = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (process == 0) {
    execv(arguments.front(), arguments.data());
    _exit(127);
  }
  Outcome outcome;
  EXPECT_EQ(write(terminal, typed.data(), typed.size()), static_cast<ssize_t>(typed.size()));
  std::array<char, 4096> piece{};
  for (ssize_t size = 0; (size = read(terminal, piece.data(), piece.size())) > 0;) {
    outcome.out.append(piece.data(), static_cast<std::size_t>(size));
  }
  close(terminal);
  int status = 0;
  waitpid(process, &status, 0);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

TEST_F(Commands, AskAgainUntilAnAnswerIsOne) {
  const std::string file = folder_ / "asked.yaml";
  const Outcome made = on_terminal({"new", "-o", file, "--memory", "1GiB"},
                                   "9x\ndebian-12\nlokcer\nmonitor\n2GiB\n5000B\n64MiB\nmaybe\nYes\n");
  EXPECT_EQ(made.code, kOk) << made.out;
  EXPECT_THAT(made.out, AllOf(HasSubstr("expected a kernel such as linux-6.1 or debian-12, found '9x'"),
                              HasSubstr("found 'lokcer' (did you mean locker?)"),
                              HasSubstr("expected at most the memory's 1GiB, found 2GiB"),
                              HasSubstr("expected a multiple of 4KiB, found 5000B"),
                              HasSubstr("expected yes or no, found 'maybe'"), Not(HasSubstr("--"))));
  EXPECT_THAT(tests::text_of(file), AllOf(HasSubstr("kernel: debian-12"), HasSubstr("size: 64MiB"),
                                          HasSubstr("name: monitor"), HasSubstr("run: mapper, count: 1")));
  const Outcome ended = on_terminal({"new", "-o", folder_ / "ended.yaml"}, "6.1\n\x04");
  EXPECT_EQ(ended.code, kBadInput);
  EXPECT_THAT(ended.out, HasSubstr("the input has ended before the last answer"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "ended.yaml"));
}

TEST_F(Commands, PrintAScenarioToStartFrom) {
  const Outcome printed = mlocksim({"new", "-o", "-", "--kernel", "9.9"});
  EXPECT_EQ(printed.code, kOk);
  EXPECT_THAT(printed.err, StartsWith("linux-9.9: Linux 9.9 is not described: these are the rules of "));
  EXPECT_EQ(mlocksim({"check", folder_.write("printed.yaml", printed.out)}).code, kOk);
}

TEST_F(Commands, WriteAFileThatIsADashToStandardOutput) {
  const Outcome ran = mlocksim({"run", tiny_, "--json", "-"});
  EXPECT_EQ(ran.code, kOk) << ran.err;
  EXPECT_EQ(json::parse(ran.out).at("schema"), "mlocksim/1") << "a pipe gets the file, and nothing else";
  EXPECT_THAT(ran.err, HasSubstr("Simulated ")) << "what is printed otherwise";
  EXPECT_FALSE(std::filesystem::exists("-"));
}

TEST_F(Commands, KeepQuietIfToldTo) {
  const std::string study = folder_.write("study.yaml", "schema: mlocksim/1\nname: s\nscenario: " + tiny_ +
                                                            "\naxes: {cpus: {set: machine.cpus, values: [2, 4]}}\n");
  const Outcome loud = mlocksim({"sweep", study, "-o", folder_ / "loud"});
  EXPECT_EQ(loud.code, kOk) << loud.err;
  EXPECT_THAT(loud.err, HasSubstr("runs, "));
  EXPECT_EQ(mlocksim({"sweep", study, "-o", folder_ / "quiet", "--quiet"}).err, "");
  expect_bad_input(mlocksim({"run", "nope", "-q"}), "there is no scenario 'nope'");
  EXPECT_EQ(mlocksim({"-q", "--no-colour", "sweep", study, "-o", folder_ / "before"}).err, "");
}

// --- what is misspelt ---------------------------------------------------------------------------------------

TEST_F(Commands, ShowHelpAndFailWithoutACommand) { expect_bad_input(mlocksim({}), "usage: mlocksim COMMAND"); }

TEST_F(Commands, NameTheNearestCommand) {
  expect_bad_input(mlocksim({"comparee", tiny_}), "there is no command 'comparee' (did you mean compare?)");
  expect_bad_input(mlocksim({"zzz"}), "there is no command 'zzz'; mlocksim --help");
  expect_bad_input(mlocksim({"--nocolour", "list"}), "found '--nocolour' (did you mean --no-colour?)");
  expect_bad_input(mlocksim({"--json", "x", "run"}), "its options stand behind it");
  expect_bad_input(mlocksim({"-q"}), "usage: mlocksim COMMAND");
}

TEST_F(Commands, NameTheNearestOption) {
  expect_bad_input(mlocksim({"run", tiny_, "--jsno", "x"}), "'--jsno' (did you mean --json?)");
  expect_bad_input(mlocksim({"compare", tiny_, "--polices", "downgrade"}), "did you mean --policies?");
}

TEST_F(Commands, NameTheNearestScenario) {
  expect_bad_input(mlocksim({"run", "unlock_qestion"}),
                   "there is no scenario 'unlock_qestion' (did you mean unlock_question?)");
}

TEST_F(Commands, NameTheNearestPolicy) {
  expect_bad_input(mlocksim({"run", tiny_, "--policy", "downgrad"}), "(did you mean downgrade?)");
  expect_bad_input(mlocksim({"compare", tiny_, "--policies", "write_held,downgrad"}), "(did you mean downgrade?)");
}

TEST_F(Commands, WantToKnowWhatToRun) {
  expect_bad_input(mlocksim({"run"}), "missing SCENARIO");
  expect_bad_input(mlocksim({"compare"}), "missing SCENARIO");
  expect_bad_input(mlocksim({"check"}), "missing FILE");
  expect_bad_input(mlocksim({"list"}), "missing KIND");
  expect_bad_input(mlocksim({"run", "a", "b"}),
                   "mlocksim: expected one SCENARIO, found 'a', 'b'\nusage: mlocksim run SCENARIO [OPTION]...\nSee: "
                   "mlocksim run --help\n");
  expect_bad_input(mlocksim({"new", "a"}), "expected nothing but options, found 'a'");
  expect_bad_input(mlocksim({"report", "a", "b", "c"}), "expected 2 DIR at most, found 'a', 'b', 'c'");
}

TEST_F(Commands, RefuseNumbersThatAreNone) {
  expect_bad_input(mlocksim({"run", tiny_, "--seed", "one"}), "--seed");
  expect_bad_input(mlocksim({"compare", tiny_, "--reps", "0"}), "--reps: expected a number from 1");
  expect_bad_input(mlocksim({"compare", tiny_, "--reps", "-3"}), "--reps");
  expect_bad_input(mlocksim({"compare", tiny_, "--jobs", "0"}), "--jobs: expected a number from 1");
  expect_bad_input(mlocksim({"run", tiny_, "--worst", "-1"}), "--worst: expected a number from 1");
  expect_bad_input(mlocksim({"compare", tiny_, "--reps", "x"}),
                   "mlocksim: --reps: expected a whole number, found 'x'\nusage: mlocksim compare");
  expect_bad_input(mlocksim({"compare", tiny_, "-j", "4x"}), "--jobs: expected a whole number, found '4x'");
}

TEST_F(Commands, RefuseOptionsWithoutTheirValues) {
  for (const char* const option : {"--seed", "--seed="}) {
    expect_bad_input(mlocksim({"run", tiny_, option}), "--seed: expected --seed N, found no value\nusage: ");
  }
  expect_bad_input(mlocksim({"run", tiny_, "--no-colour=3"}), "--no-colour takes no value");
  expect_bad_input(mlocksim({"run", tiny_, "--seed", "1", "--seed", "2"}), "--seed: expected once, found twice");
}

TEST_F(Commands, RefuseASeedBelowZero) { expect_bad_input(mlocksim({"run", tiny_, "--seed=-1"}), "--seed"); }

TEST_F(Commands, RunUnderOnePolicyOnly) {
  expect_bad_input(mlocksim({"run", tiny_, "--policy", "all"}), "policy");
  expect_bad_input(mlocksim({"run", tiny_, "--policy", "downgrade,write_held"}), "downgrade,write_held");
}

// --- scenarios ----------------------------------------------------------------------------------------------

TEST_F(Commands, SayWhereAFileIsWrong) {
  const std::string file = tiny_with("memory: {size: 32MiB", "memory: {size: 32MB");
  expect_bad_input(mlocksim({"run", file}), file + ":5:16: memory.size: expected a size such as 4GiB");
  expect_bad_input(mlocksim({"compare", file}), file + ":5:16: memory.size");
}

TEST_F(Commands, SayAllThatIsWrongAtOnce) {
  const Outcome outcome = mlocksim({"run", tiny_with("seed: 1\n", "sead: 1\nduration: soon\n")});
  expect_bad_input(outcome, "changed.yaml:7:1: sead: unknown key (did you mean seed?)");
  EXPECT_THAT(outcome.err, HasSubstr("changed.yaml:8:11: duration"));
  EXPECT_THAT(outcome.err, HasSubstr("\nSee: mlocksim help scenario, mlocksim help duration"));
  EXPECT_EQ(lines_of(outcome.err).size(), 3u);
}

TEST_F(Commands, SayWhereTextIsNoYaml) {
  EXPECT_THAT(mlocksim({"run", folder_.write("broken.yaml", "schema: mlocksim/1\nname: [")}).err,
              HasSubstr("broken.yaml:2:"));
}

TEST_F(Commands, FindAScenarioInTheWorkingDirectory) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(std::filesystem::path(tiny_).parent_path());
  const Outcome with_extension = mlocksim({"run", "tiny.yaml"});
  const Outcome as_path = mlocksim({"compare", "./tiny.yaml"});
  const Outcome in_folder = mlocksim({"check", "tiny.yaml"});
  std::filesystem::current_path(before);
  EXPECT_EQ(with_extension.code, kOk) << with_extension.err;
  EXPECT_EQ(as_path.code, kOk) << as_path.err;
  EXPECT_EQ(in_folder.code, kOk) << in_folder.err;
}

TEST_F(Commands, ReadNoScenarioThatIsAbsent) {
  expect_bad_input(mlocksim({"run", folder_ / "absent.yaml"}), "absent.yaml': no such file\n");
  expect_bad_input(mlocksim({"run", "unlock_qestion.yaml"}), "no such file (did you mean unlock_question?)");
}

// --- run ----------------------------------------------------------------------------------------------------

TEST_F(Commands, RunPrintsWhatEverybodyWentThrough) {
  const Outcome outcome = mlocksim({"run", tiny_});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, AllOf(StartsWith("tiny\nOne of everything, in milliseconds.\n4 CPUs"), HasSubstr("seed 1"),
                                 HasSubstr("| write_held"), HasSubstr("open_faulter    mlock"),
                                 HasSubstr("System calls"), HasSubstr("mmap_sem of db"), HasSubstr("Memory")));
  EXPECT_THAT(outcome.out, Not(HasSubstr("\033"))) << "colour is for terminals";
}

TEST_F(Commands, RunTakesThePolicyAndTheSeed) {
  const Outcome outcome = mlocksim({"run", tiny_, "--policy", "unlock_downgrade", "--seed", "42"});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("| unlock_downgrade"), HasSubstr("seed 42")));
}

TEST_F(Commands, RunTakesAPolicyOfTheUsersOwn) {
  const std::string mine = folder_.write("mine.yaml",
                                         "schema: mlocksim/1\nname: mine\npopulate: {mode: write_held}\n"
                                         "munlock: {mode: downgrade}\nmunmap: {mode: write_held}\n");
  const Outcome outcome = mlocksim({"run", tiny_, "--policy", mine});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("| mine"));
}

TEST_F(Commands, RunReportsARunOutOfMemory) {
  const Outcome outcome = mlocksim({"run", tiny_, "--set", "memory.size=4MiB", "--set", "memory.free=1MiB"});
  EXPECT_EQ(outcome.code, kOk) << "an outcome, not a crash: " << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("OUT OF MEMORY"));
}

// The first mlock begins after a millisecond and takes another.
TEST_F(Commands, TakeACallThatIsUnderWayAtTheEnd) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"run", "--json", folder_ / "r.json", "--worst", "3"},
                                             {"compare", "--json", folder_ / "c.json"},
                                             {"explain", "--reps", "1", "--json", folder_ / "e.json"}}) {
    std::vector<std::string> all{words.front(), tiny_, "--set", "duration=1100us"};
    all.insert(all.end(), words.begin() + 1, words.end());
    const Outcome outcome = mlocksim(all);
    EXPECT_EQ(outcome.code, kOk) << words.front() << outcome.err;
  }
}

TEST_F(Commands, FailWithCodeOneWhenARunFails) {
  const Outcome run = mlocksim({"run", tiny_, "--simgrid=--cfg=no/such/key:1"});
  EXPECT_EQ(run.code, kRunFailed);
  EXPECT_THAT(run.err, HasSubstr("no/such/key"));
  const Outcome compare =
      mlocksim({"compare", tiny_, "--simgrid=--cfg=no/such/key:1", "--json", folder_ / "failed.json"});
  EXPECT_EQ(compare.code, kRunFailed);
  EXPECT_THAT(compare.err, HasSubstr("to see it alone: mlocksim run " + tiny_ + " --policy write_held --seed 1"));
  EXPECT_THAT(folder_.names(), ElementsAre("tiny.yaml")) << "no result, no file";
}

// --- --set --------------------------------------------------------------------------------------------------

TEST_F(Commands, SetChangesAKey) {
  const Outcome outcome = mlocksim(
      {"run", tiny_, "--set", "processes[0].regions.heap.size=1MiB", "--set", "machine.cpus=3", "--set", "seed=5"});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("3 CPUs"), HasSubstr("seed 5"), ContainsRegex("locker +mlock .* 3 MiB")))
      << "three times 1 MiB";
}

TEST_F(Commands, SetRefusesWhatTheFileWouldNotTake) {
  expect_bad_input(mlocksim({"run", tiny_, "--set", "memory.sise=1GiB"}), "--set memory.sise=1GiB");
  expect_bad_input(mlocksim({"run", tiny_, "--set", "memory.sise=1GiB"}), "(did you mean size?)");
  expect_bad_input(mlocksim({"run", tiny_, "--set", "memory.size"}), "expected path=value");
  expect_bad_input(mlocksim({"run", tiny_, "--set", "memory.size=4GB"}), "memory.size: expected a size");
  expect_bad_input(mlocksim({"run", tiny_, "--set", "processes[7].name=x"}), "processes[7]");
  expect_bad_input(mlocksim({"compare", tiny_, "--set", "machine.cpus=0"}), "machine.cpus");
}

// --- --json -------------------------------------------------------------------------------------------------

TEST_F(Commands, RunWritesJson) {
  const std::string file = folder_ / "result.json";
  const Outcome outcome = mlocksim({"run", tiny_, "--json", file});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  const json result = json::parse(tests::text_of(file), nullptr, false);
  ASSERT_FALSE(result.is_discarded());
  EXPECT_EQ(result.value("schema", ""), "mlocksim/1");
  EXPECT_EQ(result.value("policy", ""), "write_held");
  EXPECT_EQ(folder_.names().size(), 2u) << "nothing else is left behind";
}

TEST_F(Commands, RunAndCompareKnowAClassOfNobody) {
  const std::string nobody = "processes[0].threads.mapper.count=0";
  const std::string file = folder_ / "result.json";
  const Outcome run = mlocksim({"run", tiny_, "--set", nobody, "--json", file});
  ASSERT_EQ(run.code, kOk) << run.err;
  const json mapper = json::parse(tests::text_of(file)).at("classes").at("mapper");
  EXPECT_EQ(mapper.at("total").at("count"), 0);
  EXPECT_EQ(mapper.at("during"), json::object());
  const Outcome compare = mlocksim({"compare", tiny_, "--reps", "2", "--set", nobody});
  EXPECT_EQ(compare.code, kOk) << compare.err;
  EXPECT_THAT(compare.out, AllOf(HasSubstr("ps"), Not(HasSubstr("mapper"))));
}

TEST_F(Commands, CompareWritesEveryRunAndTheVerdictAsJson) {
  const std::string file = folder_ / "results.json";
  const Outcome outcome = mlocksim({"compare", tiny_, "--reps", "2", "--json", file});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  const json results = json::parse(tests::text_of(file), nullptr, false);
  ASSERT_FALSE(results.is_discarded());
  std::vector<std::string> runs;
  for (const json& run : results.at("runs")) {
    runs.push_back(run.at("policy").get<std::string>() + " " + std::to_string(run.at("seed").get<int>()));
  }
  EXPECT_THAT(runs, ElementsAre("write_held 1", "write_held 2", "downgrade 1", "downgrade 2", "unlock_downgrade 1",
                                "unlock_downgrade 2"));
  EXPECT_THAT(results.at("verdict").get<std::string>(), HasSubstr("Should the unlock path downgrade mmap_sem, too?"));
  EXPECT_THAT(outcome.out, HasSubstr(results.at("verdict").get<std::string>()));
  ASSERT_EQ(results.at("answers").size(), 2u);
  EXPECT_EQ(results.at("answers")[1].at("after"), "unlock_downgrade");
}

TEST_F(Commands, JsonReplacesAnOlderFile) {
  const std::string file = folder_.write("result.json", "old");
  ASSERT_EQ(mlocksim({"run", tiny_, "--json", file}).code, kOk);
  EXPECT_THAT(tests::text_of(file), StartsWith("{"));
}

TEST_F(Commands, JsonIsNotWrittenWhenTheInputIsBad) {
  const std::string old = folder_.write("old.json", "old");
  const std::string bad = tiny_with("seed: 1", "seed: one");
  for (const char* command : {"run", "compare"}) {
    EXPECT_EQ(mlocksim({command, bad, "--json", old}).code, kBadInput);
    EXPECT_EQ(mlocksim({command, bad, "--json", folder_ / "new.json"}).code, kBadInput);
  }
  EXPECT_EQ(tests::text_of(old), "old");
  EXPECT_EQ(folder_.names().size(), 3u) << "tiny.yaml, changed.yaml, old.json";
}

TEST_F(Commands, RefuseAJsonFileThatCannotBeWrittenBeforeTheyRunAnything) {
  // A run of this would take hours of CPU time.
  const std::string endless = tiny_with("seed: 1", "seed: 1\nduration: 1000000s");
  for (const std::string& path : {folder_ / "no/such/folder.json", folder_ / ".", std::string("/proc/result.json")}) {
    expect_bad_input(mlocksim({"run", endless, "--json", path}), "cannot be written");
    expect_bad_input(mlocksim({"compare", endless, "--json", path}), "cannot be written");
  }
}

TEST_F(Commands, RefuseAJsonFileWithoutAName) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(std::filesystem::path(tiny_).parent_path());
  const Outcome outcome = mlocksim({"run", tiny_, "--json", ""});
  std::filesystem::current_path(before);
  EXPECT_EQ(outcome.code, kBadInput) << outcome.out;
  EXPECT_THAT(folder_.names(), ElementsAre("tiny.yaml"));
}

// As root, replacing would put a plain file where /dev/null was.
TEST_F(Commands, JsonIsWrittenIntoADeviceAndDoesNotReplaceIt) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDWR | O_NONBLOCK);
  ASSERT_GE(fcntl(reader, F_SETPIPE_SZ, 1 << 20), 0) << "nobody reads before the program is done";
  const Outcome outcome = mlocksim({"run", tiny_, "--set", "processes[0].threads.locker.repeat=1", "--json", pipe});
  std::string received(1 << 20, '\0');
  received.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(reader, received.data(), received.size()))));
  close(reader);
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_THAT(received, StartsWith("{"));
}

TEST_F(Commands, JsonIsWrittenThroughASymbolicLink) {
  const std::string target = folder_.write("target.json", "old");
  std::filesystem::create_symlink(target, folder_ / "link.json");
  ASSERT_EQ(mlocksim({"run", tiny_, "--json", folder_ / "link.json"}).code, kOk);
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link.json"));
  EXPECT_THAT(tests::text_of(target), StartsWith("{"));
}

// --- compare ------------------------------------------------------------------------------------------------

TEST_F(Commands, ComparePrintsPoliciesSideBySideWithAVerdict) {
  const Outcome outcome = mlocksim({"compare", tiny_});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("\n  write_held "), HasSubstr("\n  downgrade "), HasSubstr("\n  unlock_downgrade "),
                    HasSubstr("\nVerdict\n"), HasSubstr("Should the unlock path downgrade mmap_sem, too?"),
                    HasSubstr("One replication: no confidence intervals"), HasSubstr("3 runs in")));
  EXPECT_THAT(outcome.out, Not(HasSubstr("95 % confidence")));
}

TEST_F(Commands, CompareGivesIntervalsWithReplications) {
  const Outcome outcome = mlocksim({"compare", tiny_, "--reps", "3"});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("Differences from write_held: mean over 3 seeds [95 % confidence]"),
                                 HasSubstr("; difference "), HasSubstr("9 runs in")));
  EXPECT_THAT(outcome.out, Not(HasSubstr("One replication")));
}

TEST_F(Commands, CompareTakesPoliciesFromTheCommandLine) {
  const Outcome two = mlocksim({"compare", tiny_, "--policies", "unlock_downgrade,write_held"});
  EXPECT_EQ(two.code, kOk) << two.err;
  EXPECT_LT(two.out.find("\n  unlock_downgrade "), two.out.find("\n  write_held ")) << "in the order asked for";
  EXPECT_THAT(two.out, Not(HasSubstr("\n  downgrade ")));
  const Outcome all = mlocksim({"compare", tiny_, "--policies", "all"});
  EXPECT_EQ(all.code, kOk) << all.err;
  EXPECT_THAT(all.out,
              AllOf(HasSubstr("\n  write_held "), HasSubstr("\n  downgrade "), HasSubstr("\n  unlock_downgrade ")));
}

TEST_F(Commands, BlanksBetweenPoliciesDoNotCount) {
  const Outcome blanks = mlocksim({"compare", tiny_, "--policies", " unlock_downgrade, write_held "});
  EXPECT_EQ(blanks.code, kOk) << blanks.err;
  EXPECT_LT(blanks.out.find("\n  unlock_downgrade "), blanks.out.find("\n  write_held "));
}

TEST_F(Commands, JsonSaysWhoseSchedulerItWas) {
  const std::string file = folder_ / "out.json";
  const auto machine_of = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--json", file, "--set", "machine.kernel=debian-12"});
    EXPECT_EQ(mlocksim(arguments).code, kOk);
    return json::parse(tests::text_of(file)).at("machine");
  };
  const json expected{{"name", "epyc-zen4-linux-6.18"}, {"cpus", 4}, {"scheduler", "debian-12"}};
  EXPECT_EQ(machine_of({"run", tiny_}), expected);
  EXPECT_EQ(machine_of({"compare", tiny_, "--policies", "downgrade"}), expected);
}

TEST_F(Commands, PoliciesOfDistributionsAreListed) {
  const Outcome policies = mlocksim({"list", "policies"});
  EXPECT_EQ(policies.code, kOk);
  for (const char* const name : {"debian-12", "rhel-7", "android-17"}) {
    EXPECT_THAT(policies.out, ContainsRegex(std::string("\n") + name + " +Linux ")) << "what it is";
    EXPECT_THAT(policies.out, ContainsRegex(std::string("\n") + name + " +[a-z_]+ +write")) << "its row of rules";
  }
}

TEST_F(Commands, CompareRefusesAPolicyTwice) {
  expect_bad_input(mlocksim({"compare", tiny_, "--policies", "downgrade,downgrade"}), "downgrade");
}

// --- check and list -----------------------------------------------------------------------------------------

TEST_F(Commands, CheckReportsEveryFile) {
  const std::string configs = tests::source_configs();
  const std::string bad = tiny_with("seed: 1", "seed: one");
  const std::string worse = folder_.write("worse.yaml", "schema: mlocksim/1\n");
  const std::string policy = configs + "/policies/downgrade.yaml";
  const std::string machine = configs + "/machines/epyc-zen4-linux-6.18.yaml";
  const std::string device = configs + "/devices/nvme.yaml";
  const Outcome outcome = mlocksim({"check", tiny_, bad, folder_ / "absent.yaml", worse, policy, machine, device});
  EXPECT_EQ(outcome.code, kBadInput);
  EXPECT_EQ(outcome.out, tiny_ + ": a valid scenario\n" + policy + ": a valid policy\n" + machine +
                             ": a valid machine\n" + device + ": a valid device\n");
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr(bad + ":7:7: seed"), HasSubstr("absent.yaml: cannot be read"), HasSubstr("worse.yaml")));
}

TEST_F(Commands, CheckKnowsShippedFilesByName) {
  std::filesystem::create_directory("chunk_size");  // the results of that study
  const Outcome both = mlocksim({"check", "chunk_size", "unlock_question", "linux-6.1"});
  std::filesystem::remove("chunk_size");
  EXPECT_EQ(both.code, kOk) << both.err;
  EXPECT_THAT(both.out,
              AllOf(HasSubstr("chunk_size.yaml: a valid study"), HasSubstr("unlock_question.yaml: a valid scenario"),
                    HasSubstr("unlock_question.yaml: a valid study"), HasSubstr("a valid policy")));
  EXPECT_THAT(both.out, HasSubstr(tests::source_configs() / "kernels/linux.yaml (linux-6.1): a valid policy"));
  expect_bad_input(mlocksim({"check", "unlock_questoin"}), "did you mean unlock_question?");
  expect_bad_input(mlocksim({"check", "zramm"}),
                   "there is no scenario, study, machine, policy or device 'zramm' (did you mean zram?)");
  expect_bad_input(mlocksim({"check", "quite-another"}), "'quite-another'; mlocksim list scenarios");
  expect_bad_input(mlocksim({"check", "linux-1.0"}), "older than any kernel");
}

TEST_F(Commands, CheckFindsNothingWrongWithWhatIsShipped) {
  std::vector<std::string> words{"check"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tests::source_configs())) {
    if (entry.path().extension() == ".yaml") words.push_back(entry.path());
  }
  const Outcome outcome = mlocksim(words);
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_EQ(lines_of(outcome.out).size(), words.size() - 1);
}

TEST_F(Commands, ListListsWhatIsShipped) {
  const Outcome policies = mlocksim({"list", "policies"});
  EXPECT_EQ(policies.code, kOk);
  for (const char* name : {"write_held", "downgrade", "unlock_downgrade"}) EXPECT_TRUE(says(policies, name)) << name;
  EXPECT_THAT(policies.out, HasSubstr("Before the patch.")) << "what a policy says of itself";
  EXPECT_THAT(mlocksim({"list", "machines"}).out, StartsWith("epyc-zen4-linux-6.18"));
  const Outcome devices = mlocksim({"list", "devices"});
  EXPECT_EQ(devices.code, kOk);
  for (const char* name : {"disk", "nvme", "sata_ssd", "zram"}) EXPECT_TRUE(says(devices, name)) << name;
  EXPECT_THAT(mlocksim({"list", "scenarios"}).out, AllOf(HasSubstr("unlock_question"), HasSubstr("with_writer")));
}

TEST_F(Commands, ListNamesTheNearestKind) {
  expect_bad_input(mlocksim({"list", "polices"}),
                   "expected policies, kernels, machines, devices, scenarios, incidents or studies, found 'polices' "
                   "(did you mean policies?)");
}

// --- same input, same bytes ---------------------------------------------------------------------------------

class SameInput : public Commands {
 protected:
  // Everything that a command says and writes, but wall time.
  [[nodiscard]] std::string bytes_of(const std::vector<std::string>& program, const std::string& command,
                                     std::vector<std::string> more = {}) const {
    const std::string file = folder_ / "bytes.json";
    std::vector<std::string> words = program;
    words.insert(words.end(), {tests::mlocksim_binary(), command, scenario_, "--json", file});
    words.insert(words.end(), more.begin(), more.end());
    tests::use_source_configs();
    const Outcome outcome = tests::run_program(words);
    EXPECT_EQ(outcome.code, kOk) << outcome.err;
    const std::string text = tests::text_of(file);
    EXPECT_THAT(text, Not(IsEmpty()));
    std::filesystem::remove(file);
    return without_wall_time(outcome.out + outcome.err + text);
  }

  std::string scenario_ = tiny_;
};

TEST_F(SameInput, GivesTheSameBytes) {
  EXPECT_EQ(bytes_of({}, "run"), bytes_of({}, "run"));
  EXPECT_EQ(bytes_of({}, "compare", {"--reps", "2"}), bytes_of({}, "compare", {"--reps", "2"}));
}

TEST_F(SameInput, GivesTheSameBytesWhateverTheNumberOfJobs) {
  EXPECT_EQ(bytes_of({}, "compare", {"--reps", "3", "-j", "1"}), bytes_of({}, "compare", {"--reps", "3", "-j", "9"}));
}

TEST_F(SameInput, GivesTheSameBytesStepByStep) {
  EXPECT_EQ(bytes_of({}, "compare"), bytes_of({}, "compare", {"--stepwise"}));
}

TEST_F(SameInput, GivesTheSameBytesInRunAndInCompare) {
  const std::string one = folder_ / "one.json";
  ASSERT_EQ(mlocksim({"run", tiny_, "--policy", "downgrade", "--seed", "2", "--json", one}).code, kOk);
  auto run = nlohmann::ordered_json::parse(tests::text_of(one));
  run.erase("machine");  // which compare names once
  const std::string file = folder_ / "all.json";
  ASSERT_EQ(mlocksim({"compare", tiny_, "--reps", "2", "--json", file}).code, kOk);
  const auto runs = nlohmann::ordered_json::parse(tests::text_of(file)).at("runs");
  EXPECT_EQ(without_wall_time(runs.at(3).dump(2)), without_wall_time(run.dump(2)))
      << "the second seed of the second policy";
}

TEST_F(SameInput, GivesTheSameBytesWithoutAddressSpaceRandomisation) {
  if (tests::run_program({"setarch", "-R", "true"}).code != 0) GTEST_SKIP() << "setarch -R is not allowed here";
  EXPECT_EQ(bytes_of({}, "compare"), bytes_of({"setarch", "-R"}, "compare"));
}

// glibc has log and exp twice, and their last bits are not the same: draws must not show it once they are nanoseconds.
TEST_F(SameInput, GivesTheSameBytesOnAProcessorWithoutFusedMultiplyAdd) {
  const std::vector<std::string> without_fma{"env", "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"};
  for (const char* const name : {"with_writer", "background_holders"}) {
    scenario_ = name;
    EXPECT_EQ(bytes_of({}, "run"), bytes_of(without_fma, "run")) << name;
  }
}

}  // namespace
}  // namespace experiments::commands_test
