// What the world does to the program: disks that fill up, folders that cannot be written, signals at any moment, pipes
// that close, stores that are damaged, names and sizes that nobody expects. Nothing is lost, nothing of a name is
// executed, and there is a clear word and a way on.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/algorithm/string.hpp>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "experiments/base/shell.h"
#include "tests/support/command_line.h"
#include "tests/support/fake_gnuplot.h"
#include "tests/support/places.h"
#include "tests/support/run_commands.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::environment_test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAreArray;
using tests::mlocksim;
using tests::Outcome;

// Runs in a millisecond, or for as long as it is told.
constexpr const char* kCheapScenario = R"(schema: mlocksim/1
name: cheap
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 1}
memory: {size: 64MiB, pressure: none}
policies: [downgrade]
duration: 50us
processes:
  - name: db
    regions: {heap: {size: 64KiB, kind: anon}}
    threads:
      faulter: {run: faulter, closed: {think: constant 20us}}
)";

constexpr const char* kFiveRuns = R"(schema: mlocksim/1
name: five
scenario: cheap
axes: {memory: {set: "memory.size", values: 64MiB..68MiB +1MiB}}
measure: max(faulter)
)";

constexpr const char* kForAMonth = "duration=2592000s";

class Environment : public testing::Test {
 protected:
  Environment() { tests::use_source_configs(); }

  /// `words` for a shell, the program and each of the words as they are.
  static std::string command(std::vector<std::string> words) {
    words.insert(words.begin(), tests::mlocksim_binary());
    for (std::string& word : words) word = shell_word(word);
    return boost::algorithm::join(words, " ");
  }
  static Outcome shell(const std::string& script) { return tests::run_program({"/bin/sh", "-c", script}); }
  /// As if the disk were full once a file has so many blocks of 512 bytes.
  static Outcome with_little_room(int blocks, const std::vector<std::string>& words) {
    return shell("trap '' XFSZ; ulimit -f " + std::to_string(blocks) + "; exec " + command(words) + " >/dev/null");
  }

  [[nodiscard]] Outcome sweep(const std::string& store = "store") const {
    return mlocksim({"sweep", folder_ / "study.yaml", "-o", folder_ / store, "-j", "2"});
  }
  [[nodiscard]] std::string query(const std::string& store, const std::string& sql) const {
    const Outcome outcome = mlocksim({"results", folder_ / store, "--sql", sql});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }
  [[nodiscard]] std::string csv(const std::string& store) const {
    const Outcome outcome = mlocksim({"results", folder_ / store, "--csv", "/dev/stdout"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }

  const tests::TemporaryFolder folder_;
  const std::string cheap_ = folder_.write("cheap.yaml", kCheapScenario);
  const std::string study_ = folder_.write("study.yaml", kFiveRuns);
};

// A program that runs until it is ended, in a process group of its own.
class Running {
 public:
  Running(std::vector<std::string> words, const std::string& errors) : errors_(errors) {
    words.insert(words.begin(), tests::mlocksim_binary());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawnattr_t attributes{};
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    // The tests may have been started to ignore them, in the background or by nohup: it would ignore them, too.
    sigset_t ending{};
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, signal);
    posix_spawnattr_setsigdefault(&attributes, &ending);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    EXPECT_EQ(posix_spawn(&process_, words.front().c_str(), &actions, &attributes, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }

  /// Sends it a signal, and waits for its end. Returns the signal that ended it, or 0.
  int end_by(int signal) {
    kill(process_, signal);
    int status = 0;
    waitpid(process_, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  [[nodiscard]] std::string errors() const { return tests::text_of(errors_); }
  /// Whether any of its processes is there, when each has had the time to go.
  [[nodiscard]] bool left_somebody() const {
    return !comes_true([&] { return kill(-process_, 0) != 0; });
  }

  template <class Condition>
  static bool comes_true(Condition condition) {
    for (int looks = 0; looks < 2'000; ++looks) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

 private:
  std::string errors_;
  pid_t process_ = 0;
};

// --- disks and folders --------------------------------------------------------------------------------------------

TEST_F(Environment, ASweepOnAFullDiskLosesNothingAndGoesOn) {
  ASSERT_EQ(sweep("undisturbed").code, 0);
  const Outcome full = with_little_room(250, {"sweep", study_, "-o", folder_ / "store", "-j", "1"});
  EXPECT_EQ(full.code, 1);
  EXPECT_THAT(full.err, HasSubstr("What was stored before is safe"));
  const Outcome rest = sweep();
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(csv("store"), csv("undisturbed"));
}

TEST_F(Environment, WhatDoesNotFitOnTheDiskLeavesTheOldFileAndNoPieces) {
  ASSERT_EQ(sweep().code, 0);
  (void)folder_.write("old", "an older result\n");
  const std::vector<std::string> before = folder_.names();
  const std::string old = folder_ / "old";
  const std::string longer = "duration=20ms";
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"run", cheap_, "--set", longer, "--json", old},
                                             {"run", cheap_, "--set", longer, "--trace", old},
                                             {"run", cheap_, "--set", longer, "--hgrm", folder_ / "h"},
                                             {"compare", cheap_, "--set", longer, "--json", old}}) {
    const Outcome outcome = with_little_room(1, words);
    EXPECT_EQ(outcome.code, 1) << words[4];
    EXPECT_THAT(outcome.err, HasSubstr("writing failed (disk full?)")) << words[4];
    EXPECT_THAT(folder_.names(), UnorderedElementsAreArray(before)) << words[4];
    EXPECT_EQ(tests::text_of(old), "an older result\n");
  }
  EXPECT_EQ(mlocksim({"run", cheap_, "--json", "/dev/full"}).code, 1);
  EXPECT_EQ(mlocksim({"results", folder_ / "store", "--csv", "/dev/full"}).code, 1);
}

// Root may write everywhere, and so becomes somebody else.
TEST_F(Environment, FoldersThatCannotBeWrittenAreReadAndNothingElse) {
  ASSERT_EQ(sweep().code, 0);
  std::vector<std::string> nobody;
  if (geteuid() == 0) nobody = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), tests::mlocksim_binary());
    words.insert(words.begin(), nobody.begin(), nobody.end());
    return tests::run_program(words);
  };
  for (const char* const folder : {"", "store"}) ::chmod((folder_ / folder).c_str(), 0555);
  if (run({"check", cheap_}).code != 0) GTEST_SKIP() << "nobody may run the program where it lies";
  const std::vector<std::string> before = folder_.names();
  const auto refused = [&](const std::vector<std::string>& words, const std::string& why) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 2) << words[0];
    EXPECT_THAT(outcome.err, HasSubstr(why)) << words[0];
    EXPECT_THAT(folder_.names(), UnorderedElementsAreArray(before)) << words[0];
  };
  refused({"sweep", study_, "-o", folder_ / "store"}, "cannot be written");
  refused({"sweep", study_, "-o", folder_ / "other"}, "cannot be made");
  refused({"merge", "-o", folder_ / "other", folder_ / "store"}, "cannot be made");
  refused({"run", cheap_, "--json", folder_ / "j"}, "cannot be written");
  refused({"run", cheap_, "--hgrm", folder_ / "h"}, "cannot be written");
  refused({"results", folder_ / "store", "--csv", folder_ / "c"}, "cannot be written");
  refused({"calibrate", "-o", folder_ / "m.yaml"}, "cannot be written");
  const Outcome read = run({"results", folder_ / "store"});
  EXPECT_EQ(read.code, 0) << read.err;
  EXPECT_EQ(read.out, mlocksim({"results", folder_ / "store"}).out);
  for (const char* const folder : {"", "store"}) ::chmod((folder_ / folder).c_str(), 0755);
}

// --- signals ------------------------------------------------------------------------------------------------------

// SIGKILL at any moment of a sweep, and of the merge of what it has found.
TEST_F(Environment, FiftyPointsSurviveFourKillsAndSoDoesTheirMerge) {
  (void)folder_.write("study.yaml", boost::algorithm::replace_first_copy(std::string(kFiveRuns), "64MiB..68MiB +1MiB",
                                                                         "64MiB..67496KiB +40KiB"));
  std::mt19937 random(1);
  const auto kill_after = [&](const std::vector<std::string>& words, unsigned least, unsigned most) {
    Running running(words, folder_ / "errors");
    std::this_thread::sleep_for(std::chrono::milliseconds(least + random() % (most - least)));
    running.end_by(SIGKILL);
    EXPECT_FALSE(running.left_somebody());
  };
  const auto done = [&](const std::string& store) -> std::size_t {
    const std::string file = folder_ / store + "/study.sqlite";
    try {
      SQLite::Database database(file, SQLite::OPEN_READONLY, 1000);
      return static_cast<std::size_t>(database.execAndGet("SELECT count(*) FROM run WHERE status = 'done'").getInt64());
    } catch (const SQLite::Exception&) {  // it is being made
      return 0;
    }
  };
  std::size_t before = 0;
  for (int times = 0; times < 4; ++times) {
    Running running({"sweep", study_, "-o", folder_ / "killed", "-j", "2"}, folder_ / "errors");
    EXPECT_TRUE(Running::comes_true([&] { return done("killed") > before; }));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    running.end_by(SIGKILL);
    EXPECT_FALSE(running.left_somebody());
    const std::size_t now = done("killed");
    EXPECT_GT(now, before) << "a run that was done is no longer";
    before = now;
  }
  EXPECT_GT(before, 0U);
  const Outcome last = sweep("killed");
  EXPECT_EQ(last.code, 0) << last.err;
  EXPECT_THAT(last.out, HasSubstr("50 points, 50 runs, " + std::to_string(50 - before) + " of them new, 0 failed"));
  const std::vector<std::string> merge{"merge", "-o", folder_ / "merged", folder_ / "killed"};
  for (int times = 0; times < 4; ++times) kill_after(merge, 1, 150);
  EXPECT_EQ(mlocksim(merge).out, folder_ / "merged" + ": 50 runs, 0 of them failed\n");
  EXPECT_EQ(csv("merged"), csv("killed"));
}

TEST_F(Environment, ASweepThatIsInterruptedSaysThatTheSameCommandGoesOn) {
  ASSERT_EQ(sweep("undisturbed").code, 0);
  (void)folder_.write("cheap.yaml",
                      boost::algorithm::replace_first_copy(std::string(kCheapScenario), "50us", "2592000s"));
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    std::filesystem::remove_all(folder_ / "store");
    Running running({"sweep", study_, "-o", folder_ / "store", "-j", "2"}, folder_ / "errors");
    const std::string file = folder_ / "store/study.sqlite";
    EXPECT_TRUE(Running::comes_true([&] {
      return std::filesystem::exists(file) &&
             mlocksim({"results", folder_ / "store", "--sql", "SELECT count(*) FROM run"}).out == "count(*)\n4\n";
    }));
    EXPECT_EQ(running.end_by(signal), signal);
    EXPECT_EQ(running.errors(), "\nstopped; what has been run is kept, and the same command goes on\n");
    EXPECT_FALSE(running.left_somebody());
  }
  (void)folder_.write("cheap.yaml", kCheapScenario);
  EXPECT_EQ(sweep().code, 0);
  EXPECT_EQ(csv("store"), csv("undisturbed"));
}

TEST_F(Environment, ARunThatIsInterruptedLeavesWhatWasThere) {
  (void)folder_.write("old", "an older result\n");
  (void)folder_.write("errors", "");
  const std::vector<std::string> before = folder_.names();
  for (const std::string command : {"run", "compare"}) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      std::vector<std::string> words{command,  cheap_,          "--set",  kForAMonth,
                                     "--json", folder_ / "old", "--hgrm", folder_ / "new/hgrm"};
      if (command == "run") words.insert(words.end(), {"--trace", folder_ / "trace"});
      Running running(words, folder_ / "errors");
      const auto pieces = [&] { return folder_.names().size() >= before.size() + (command == "run" ? 3 : 2); };
      EXPECT_TRUE(Running::comes_true(pieces));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // into the run
      EXPECT_EQ(running.end_by(signal), signal) << command;
      EXPECT_EQ(running.errors(), "") << command;
      EXPECT_FALSE(running.left_somebody());
      EXPECT_THAT(folder_.names(), UnorderedElementsAreArray(before)) << command << " " << signal;
      EXPECT_EQ(tests::text_of(folder_ / "old"), "an older result\n");
    }
  }
}

TEST_F(Environment, APipeThatClosesEndsTheProgramWithoutAWord) {
  ASSERT_EQ(sweep().code, 0);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"list", "scenarios"},
                                             {"run", cheap_},
                                             {"check", cheap_, cheap_},
                                             {"results", folder_ / "store"},
                                             {"results", folder_ / "store", "--csv", "/dev/stdout"}}) {
    const Outcome outcome = shell(command(words) + " | head -n 1");
    EXPECT_EQ(outcome.err, "") << words[0];
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1) << words[0];
  }
}

// --- damaged stores -----------------------------------------------------------------------------------------------

TEST_F(Environment, AStoreThatIsCutOffIsRefusedAndLeftAlone) {
  ASSERT_EQ(sweep().code, 0);
  const std::string whole = tests::text_of(folder_ / "store/study.sqlite");
  for (const std::size_t size : {std::size_t{99}, std::size_t{100}, std::size_t{1024}, std::size_t{4096},
                                 whole.size() / 2, whole.size() - 4096}) {
    (void)folder_.write("store/study.sqlite", whole.substr(0, size));
    for (const Outcome& outcome : {mlocksim({"results", folder_ / "store"}), sweep()}) {
      EXPECT_EQ(outcome.code, 2) << size;
      EXPECT_THAT(outcome.err, AllOf(HasSubstr("study.sqlite"), HasSubstr("damaged"))) << size;
    }
    EXPECT_EQ(tests::text_of(folder_ / "store/study.sqlite").size(), size);
  }
}

TEST_F(Environment, AStoreWithDamagedContentsIsNamed) {
  ASSERT_EQ(sweep().code, 0);
  const std::string file = folder_ / "store/study.sqlite";
  const std::string whole = tests::text_of(file);
  for (const char* const damage :
       {"UPDATE meta SET value = '[' WHERE key = 'axes'", "UPDATE meta SET value = '{\"find\": 1}' WHERE key = 'study'",
        "UPDATE meta SET value = '7' WHERE key = 'measures'", "UPDATE point SET labels = 'nope'",
        "UPDATE point SET labels = '[{}]'", "DROP TABLE figure", "DROP TABLE point"}) {
    (void)folder_.write("store/study.sqlite", whole);
    SQLite::Database(file, SQLite::OPEN_READWRITE).exec(damage);
    const Outcome outcome = mlocksim({"results", folder_ / "store"});
    EXPECT_EQ(outcome.code, 2) << damage << outcome.out;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("study.sqlite"), Not(HasSubstr("terminate")))) << damage;
  }
}

// --- what is there and what is not --------------------------------------------------------------------------------

TEST_F(Environment, WithoutGnuplotThereIsNoPageAndAWordThatSaysWhy) {
  ASSERT_EQ(sweep().code, 0);
  const std::vector<std::string> before = folder_.names();
  const Outcome outcome = shell("PATH=/nonexistent exec " + command({"report", folder_ / "store"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("gnuplot, which is not installed: on Debian it is the package gnuplot-nox"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "store/report.html"));
  EXPECT_EQ(
      shell("env -i MLOCKSIM_CONFIGS=" + shell_word(tests::source_configs()) + " " + command({"run", cheap_})).code, 0);
}

// With a comma for a point and points between thousands, and with a locale that is not there at all.
TEST_F(Environment, SaysTheSameInEveryLocale) {
  const std::string locale = folder_ / "de_DE.UTF-8";
  const bool made = tests::run_program({"localedef", "-i", "de_DE", "-f", "UTF-8", locale}).code == 0;
  ASSERT_EQ(sweep().code, 0);
  const std::vector<std::vector<std::string>> all{
      {"check", cheap_}, {"results", folder_ / "store"}, {"run", cheap_, "--set", "duration=1.5ms"}};
  for (const std::vector<std::string>& words : all) {
    const auto in = [&](const std::string& variables) {
      std::string out = shell(variables + " exec " + command(words)).out;
      return out.substr(0, out.find("Simulated "));  // and how long that took
    };
    const std::string expected = in("LC_ALL=C");
    EXPECT_EQ(in("LC_ALL=xx_YY.UTF-8"), expected);
    if (made) {
      EXPECT_EQ(in("LC_ALL=de_DE.UTF-8 LOCPATH=" + shell_word(folder_ / "")), expected);
    }
  }
}

// --- names and sizes ----------------------------------------------------------------------------------------------

// What a file may be called: all that can be printed, twice in quotes, as an option, and as a command.
std::vector<std::string> hostile_names() {
  std::string all;
  for (char c = ' '; c <= '~'; ++c) {
    if (c != '/') all += c;
  }
  return {all + "µ", "-rf 'a' \"b\" $(touch owned) `touch owned` ; touch owned #",
          "<script>alert(1)<&#47;script> %s %n ${HOME}"};
}

TEST_F(Environment, NamesOfFilesAreNamesAndNothingElse) {
  if (tests::real_gnuplot().empty()) GTEST_SKIP() << "gnuplot is not installed";
  const std::vector<std::string> names = hostile_names();
  std::vector<std::string> files;
  for (const std::string& name : names) {  // each of a run of its own
    const std::string size = std::to_string(64 + files.size()) + "MiB";
    files.push_back(folder_.write(name + ".yaml",
                                  boost::algorithm::replace_first_copy(std::string(kCheapScenario), "64MiB", size)));
  }
  json study{{"schema", "mlocksim/1"},
             {"name", "names"},
             {"about", "It's <b>\"bold\"</b>, </script> $(touch owned) `touch owned` %d\\"},
             {"axes", {{"scenario", {{"values", files}}}}},
             {"replications", 2},
             {"measure", "max(faulter)"}};
  std::filesystem::create_directory(folder_ / "here");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_ / "here");
  const std::string place = names[1];  // of the store, as a relative path that looks like an option
  const std::string store = "./" + place;
  const Outcome swept = mlocksim({"sweep", folder_.write("study.yaml", study.dump()), "-o", store});
  EXPECT_EQ(swept.code, 0) << swept.err;
  EXPECT_THAT(swept.out, HasSubstr("Now: mlocksim results " + shell_word(store)));

  // As text, as CSV, as JSON, by SQL.
  const std::string text = mlocksim({"results", store}).out;
  const std::string table = mlocksim({"results", store, "--csv", "/dev/stdout"}).out;
  const json found = json::parse(mlocksim({"results", store, "--json", "/dev/stdout"}).out);
  for (std::size_t point = 0; point < files.size(); ++point) {
    EXPECT_THAT(text, HasSubstr(files[point]));
    EXPECT_THAT(table, HasSubstr(boost::algorithm::replace_all_copy(files[point], "\"", "\"\"")));
    EXPECT_THAT(found.at("points")[point].dump(), HasSubstr(json(files[point]).dump()));
    const std::string quoted = boost::algorithm::replace_all_copy(files[point], "'", "''");
    EXPECT_EQ(
        mlocksim({"results", store, "--sql", "SELECT point AS p FROM point_value WHERE value = '" + quoted + "'"}).out,
        "p\n" + std::to_string(point) + "\n");
  }

  // The commands that repeat its runs.
  SQLite::Database database(store + "/study.sqlite");
  SQLite::Statement commands(database, "SELECT command, point FROM run JOIN point_run ON run.key = point_run.run");
  std::size_t runs = 0;
  for (; commands.executeStep(); ++runs) {
    const RunSpec run = tests::run_of_command(commands.getColumn(0).getString());
    EXPECT_EQ(run.scenario, files[static_cast<std::size_t>(commands.getColumn(1).getInt())]);
  }
  EXPECT_GT(runs, 0U);

  // The page, with all figures drawn.
  const Outcome report = mlocksim({"report", store});
  EXPECT_EQ(report.code, 0) << report.err;
  const std::string page = tests::text_of(store + "/report.html");
  EXPECT_THAT(page, AllOf(HasSubstr("&lt;script&gt;alert(1)"), Not(HasSubstr("<script>alert(1)"))));
  EXPECT_THAT(page, Not(HasSubstr("gnuplot failed")));
  std::filesystem::current_path(before);
  EXPECT_THAT(std::filesystem::exists(folder_ / "here/owned"), false);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "here"), {}), 1) << "nothing but the store";
}

struct Size {
  std::string what;
  std::string by;
  std::string refusal;
};

// Each before anything is made that large.
TEST_F(Environment, SizesBeyondAllLimitsAreRefusedAtOnce) {
  const std::string deep(100'000, '[');
  const std::string aliases = [] {
    std::string bomb = "a0: &a0 [x]\n";
    for (int level = 1; level < 20; ++level) {
      const std::string last = "*a" + std::to_string(level - 1) + " ";
      bomb += "a" + std::to_string(level) + ": &a" + std::to_string(level) + " [" + last;
      for (int each = 1; each < 10; ++each) bomb += ", " + last;
      bomb += "]\n";
    }
    return bomb;
  }();
  const std::string expression = "p99(faulter) < " + std::string(100'000, '-') + "1s";
  for (const Size& size : std::vector<Size>{
           {"faulter, ", "faulter, count: 1000000000, ", "expected a whole number from 0 to 10000, found '1000000000'"},
           {"cpus: 1", "cpus: 1000000000", "expected a whole number from 1 to 4096, found '1000000000'"},
           {"size: 64MiB", "size: 16EiB", "expected a size such as 4GiB or 512MiB, found '16EiB'"},
           {"size: 64MiB", "size: 16777216TiB", "found '16777216TiB' (at most"},
           {"size: 64KiB", "size: 16777216TiB", "found '16777216TiB' (at most"},
           {"size: 64KiB", "vmas: 1000000000, size: 64KiB", "expected a whole number from 1 to 65530"},
           {"50us", "9467280000s", "found '9467280000s' (at most 2592000s)"},  // 300 years
           {"constant 20us", "constant 9467280000s", "(at most 2592000s)"},
           {"duration", "a: " + deep + std::string(100'000, ']') + "\nduration", "cheap.yaml:6"},
           {"duration", aliases + "duration", "nested too deeply, or aliases make them too many"},
           {"duration", "expect: ['" + expression + "']\nduration", "at most 1000 are read"},
           {"name: cheap", "name: " + std::string(1'000'000, 'x'), "a name of at most 100"}}) {
    (void)folder_.write("cheap.yaml",
                        boost::algorithm::replace_first_copy(std::string(kCheapScenario), size.what, size.by));
    const Outcome outcome = mlocksim({"run", cheap_});
    EXPECT_EQ(outcome.code, 2) << size.refusal;
    EXPECT_THAT(outcome.err, HasSubstr(size.refusal));
    EXPECT_LT(outcome.err.size(), 20'000U) << size.refusal;
  }
  (void)folder_.write("cheap.yaml", kCheapScenario);
  for (const char* const values : {"1..1000000000000 +1", "1B..16TiB x1.0000001"}) {
    (void)folder_.write("study.yaml",
                        boost::algorithm::replace_first_copy(std::string(kFiveRuns), "64MiB..68MiB +1MiB", values));
    const Outcome outcome = sweep("refused");
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("that is more than 10000 values"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "refused"));
  }
  EXPECT_THAT(mlocksim({"compare", cheap_, "--reps", "1000000000"}).err, HasSubstr("from 1 to 10000"));
  EXPECT_THAT(mlocksim({"compare", cheap_, "--jobs", "1000000000"}).err, HasSubstr("from 1 to 1024"));
}

}  // namespace
}  // namespace experiments::environment_test
