// The probe and the commands that use it, on the machine that runs the tests. How long something took is nobody's
// promise here: machines that run tests are busy.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/host/probe_reading.h"
#include "experiments/scenario/machine_file.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"
#include "tests/support/probe_json.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::calibrate_test {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using tests::mlocksim;
using tests::Outcome;

constexpr int kOk = 0;
constexpr int kBadInput = 2;

Outcome probe(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), tests::probe_binary());
  return tests::run_program(arguments);
}

class Calibrate : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
  const std::string machine_ = folder_ / "machine.yaml";

  void TearDown() override { unsetenv("MLOCKSIM_PROBE"); }

  /// Lets `mlocksim` take a script for the probe.
  void use_for_probe(const std::string& script) const {
    const std::string file = folder_.write("probe.sh", "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    setenv("MLOCKSIM_PROBE", file.c_str(), 1);
  }
  void expect_bad_input(const std::vector<std::string>& arguments, const std::string& what) const {
    const std::vector<std::string> before = folder_.names();
    const Outcome outcome = mlocksim(arguments);
    EXPECT_EQ(outcome.code, kBadInput) << outcome.out << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(what));
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(folder_.names(), testing::UnorderedElementsAreArray(before)) << "nothing is left behind";
  }
};

TEST_F(Calibrate, TheProbeMeasuresOrSaysWhyNot) {
  const Outcome outcome = probe({"--quick", "--memory", "16MiB", "--seed", "7"});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const ordered_json json = ordered_json::parse(outcome.out);
  const ordered_json& quantities = json.at("quantities");
  // All that the tests of the calibration make use of.
  const ordered_json used = tests::probe_json();
  for (const auto& each : used.at("quantities").items()) {
    EXPECT_TRUE(quantities.contains(each.key()) || json.at("not_measured").contains(each.key())) << each.key();
  }
  for (const auto& [name, quantity] : quantities.items()) {
    EXPECT_LE(quantity.at("p10"), quantity.at("median")) << name;
    EXPECT_LE(quantity.at("median"), quantity.at("p90")) << name;
    EXPECT_GE(quantity.at("n"), 1) << name;
  }
  // Orders of magnitude that hold on any machine.
  const auto median = [&](const char* name) { return quantities.at(name).at("median").get<double>(); };
  for (const char* const positive : {"getppid", "mmap_call", "munmap_call", "fault_4k", "populate_4k", "munmap_4k"}) {
    EXPECT_GT(median(positive), 0) << positive;
    EXPECT_LT(median(positive), 1e9) << positive;
  }
  EXPECT_EQ(json.at("host").at("cpus"), json.at("noise").size());
  for (const ordered_json& cpu : json.at("noise")) {
    EXPECT_EQ(cpu.at("gaps"), cpu.at("interrupts").at("gaps").get<int>() + cpu.at("tasks").at("gaps").get<int>());
  }
  EXPECT_EQ(json.at("options").at("memory"), 16 << 20);
  EXPECT_NO_THROW((void)experiments::parse_probe(outcome.out, "the probe"));
}

TEST_F(Calibrate, TheProbeSaysWhatALimitKeepsItFromMeasuring) {
  const std::string command = "ulimit -l 64 && exec " + tests::probe_binary() + " --quick --memory 16MiB";
  const Outcome outcome = tests::run_program({"setpriv", "--bounding-set", "-ipc_lock", "sh", "-c", command});
  if (outcome.code != kOk) GTEST_SKIP() << "no setpriv, or no right to give up a right: " << outcome.err;
  const ordered_json json = ordered_json::parse(outcome.out);
  EXPECT_EQ(json.at("host").at("lock_limit"), 64 << 10);
  EXPECT_FALSE(json.at("quantities").contains("mlock_4k"));
  EXPECT_TRUE(json.at("quantities").contains("populate_4k"));
  EXPECT_EQ(json.at("not_measured").at("mlock_4k"), "RLIMIT_MEMLOCK is 64 KiB");
  const Outcome strict =
      tests::run_program({"setpriv", "--bounding-set", "-ipc_lock", "sh", "-c", command + " --strict"});
  EXPECT_EQ(strict.code, kBadInput);
  EXPECT_THAT(strict.err, HasSubstr("RLIMIT_MEMLOCK is too low"));
}

TEST_F(Calibrate, TheProbeRefusesWhatItCannotDo) {
  const auto refusal = [](const std::vector<std::string>& arguments) {
    const Outcome outcome = probe(arguments);
    EXPECT_EQ(outcome.code, kBadInput);
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(refusal({"--memory", "100000GiB"}), HasSubstr("too little memory: "));
  EXPECT_THAT(refusal({"--memory", "4GB"}), HasSubstr("expected a size such as 512MiB or 2GiB, found '4GB'"));
  EXPECT_THAT(refusal({"--memory", "1MiB"}), HasSubstr("16MiB at least"));
  EXPECT_THAT(refusal({"--memory"}), HasSubstr("expected a value"));
  EXPECT_THAT(refusal({"--fast"}), AllOf(HasSubstr("unknown option '--fast'"), HasSubstr("usage: ")));
}

TEST_F(Calibrate, MeasuresThisMachineAndWritesAFileThatRunTakes) {
  const Outcome outcome = mlocksim({"calibrate", "-o", machine_, "--quick", "--memory", "16MiB", "--anyway"});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr(" keys measured, "), HasSubstr("a thread that spun for ")));
  EXPECT_THAT(folder_.names(), ElementsAre("machine.yaml"));
  EXPECT_EQ(experiments::read_machine(machine_).name, "machine");
  EXPECT_EQ(experiments::read_machine(machine_).noise.page_costs.size(), 10u);
  EXPECT_EQ(mlocksim({"check", machine_}).code, kOk);
  const std::string tiny = folder_.write("tiny.yaml", tests::kTinyScenario);
  const Outcome run = mlocksim({"run", tiny, "--set", "machine={from: " + machine_ + ", cpus: 4}"});
  EXPECT_EQ(run.code, kOk) << run.err;
}

TEST_F(Calibrate, TakesWhatWasMeasuredElsewhere) {
  const std::string json = folder_.write("probe.json", tests::probe_json().dump());
  const Outcome outcome = mlocksim({"calibrate", "-o", folder_ / "other machine.yaml", "--from", json});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_EQ(outcome.err, "") << "it was quiet";
  EXPECT_THAT(outcome.out, HasSubstr("64 keys measured, 14 assumed: lru_add_drain_all, "));
  EXPECT_EQ(experiments::read_machine(folder_ / "other machine.yaml").name, "other-machine");
}

TEST_F(Calibrate, WarnsWhereTheMachineWasNotQuiet) {
  ordered_json busy = tests::probe_json();
  busy["load"]["busy"] = 0.6;
  const Outcome outcome = mlocksim({"calibrate", "-o", machine_, "--from", folder_.write("probe.json", busy.dump())});
  EXPECT_EQ(outcome.code, kOk);
  EXPECT_THAT(outcome.err, HasSubstr("warning: the machine was not quiet"));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("  ! others used 60 % of the CPUs"), HasSubstr("    load average 0.05")));
}

TEST_F(Calibrate, RefusesBadInputAndLeavesNothing) {
  const std::string json = folder_.write("probe.json", tests::probe_json().dump());
  const std::string foreign = folder_.write("foreign.json", R"({"schema": "mlocksim/1"})");
  expect_bad_input({"calibrate"}, "missing -o MACHINE.yaml");
  expect_bad_input({"calibrate", "-o", folder_ / "absent/m.yaml", "--from", json}, "cannot be written");
  expect_bad_input({"calibrate", "-o", machine_, "--from", folder_ / "absent.json"}, "cannot be read");
  expect_bad_input({"calibrate", "-o", machine_, "--from", foreign}, "expected schema \"mlocksim-probe/1\"");
  expect_bad_input({"calibrate", "-o", machine_, "--from", json, "--quick"}, "--quick: --from measures nothing");
  expect_bad_input({"calibrate", "-o", machine_, "--memory", "4GB"}, "--memory: expected a size such as");
  expect_bad_input({"calibrate", "-o", machine_, "--memory", "8MiB"}, "16 at least");
  expect_bad_input({"calibrate", "-o", machine_, "--memory", "1023TiB"}, "too little memory: ");
  expect_bad_input({"probe"}, "missing --copy-to FILE");
  expect_bad_input({"probe", "--copy-to", folder_ / "absent/probe"}, "cannot be written");
}

TEST_F(Calibrate, RefusesWhereThereIsNoProbe) {
  const std::string absent = folder_ / "absent";
  setenv("MLOCKSIM_PROBE", absent.c_str(), 1);
  expect_bad_input({"calibrate", "-o", machine_}, "MLOCKSIM_PROBE is '" + absent + "', which is no program");
  expect_bad_input({"probe", "--copy-to", folder_ / "copy"}, "which is no program");
}

TEST_F(Calibrate, PassesOnWhatTheProbeHasAgainstThisMachine) {
  use_for_probe("echo '1 of 60' >&2; echo 'mlocksim-probe: RLIMIT_MEMLOCK is too low' >&2; exit 2");
  expect_bad_input({"calibrate", "-o", machine_}, "mlocksim: RLIMIT_MEMLOCK is too low\n");
  use_for_probe("echo '{'");
  expect_bad_input({"calibrate", "-o", machine_}, "is no JSON");
}

TEST_F(Calibrate, SaysThatTheProbeFailed) {
  use_for_probe("echo 'mlocksim-probe: no luck' >&2; exit 1");
  const Outcome failed = mlocksim({"calibrate", "-o", machine_});
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.err, HasSubstr("failed: no luck"));
  use_for_probe("kill -9 $$");
  EXPECT_THAT(mlocksim({"calibrate", "-o", machine_}).err, HasSubstr("killed by signal 9"));
  EXPECT_THAT(folder_.names(), ElementsAre("probe.sh"));
}

// The probe interrupts the program, and then would go on for long.
TEST_F(Calibrate, EndsTheProbeAndLeavesNothingWhenItIsInterrupted) {
  for (const std::string signal : {"INT", "TERM", "HUP"}) {
    use_for_probe("echo $$ > " + folder_ / "pid" + "; kill -" + signal + " $PPID; exec sleep 600");
    const Outcome outcome = mlocksim({"calibrate", "-o", machine_});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err, HasSubstr("interrupted: nothing has been written"));
    EXPECT_THAT(folder_.names(), testing::UnorderedElementsAre("probe.sh", "pid"));
    EXPECT_EQ(kill(std::stoi(tests::text_of(folder_ / "pid")), 0), -1) << "the probe is gone";
  }
}

TEST_F(Calibrate, CopiesAProbeThatRunsByItself) {
  const std::string copy = folder_ / "copy";
  const Outcome outcome = mlocksim({"probe", "--copy-to", copy});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_EQ(tests::text_of(copy), tests::text_of(tests::probe_binary()));
  const Outcome help = tests::run_program({"env", "-i", copy, "--help"});
  EXPECT_EQ(help.code, kOk);
  EXPECT_THAT(help.out, HasSubstr("usage: mlocksim-probe"));
}

}  // namespace
}  // namespace experiments::calibrate_test
