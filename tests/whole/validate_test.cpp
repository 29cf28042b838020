// `mlocksim validate` and the probe that runs workloads, on the machine that runs the tests. How long something took is
// nobody's promise here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/host/real_json.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace experiments::validate_test {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;
using tests::mlocksim;
using tests::Outcome;

constexpr int kOk = 0;
constexpr int kBadInput = 2;

// Small and short: what everybody may lock.
constexpr const char* kScenario = R"(schema: mlocksim/1
name: small
about: Small and short.
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 2}
memory: {size: 4GiB, pressure: none}
policies: [linux-6.12]
seed: 1
processes:
  - name: db
    regions:
      heap: {size: 1MiB, kind: anon, pages: resident, page_size: 4KiB}
      tail: {size: 1MiB, kind: anon, beside: heap}
      shared: {size: 64KiB, kind: shmem}
    threads:
      locker: {run: locker, region: heap, script: [hold 2ms, mlock, munlock 64KiB, mremap, munmap], repeat: 10}
      faulter: {run: faulter, count: 2, mutex: arena, closed: {think: exponential 50us, compute: 1us}}
      receiver: {run: faulter, by: kernel, region: tail, open: {every: uniform 100us 500us}}
      mapper: {run: mapper, closed: {think: 100us}}
      inside: {run: mapper, region: tail, size: 8KiB, populate: true, closed: {think: 1ms}}
      madviser: {run: madviser, region: tail, advice: dontneed, size: 64KiB, closed: {think: 1ms}}
      mincore: {run: mincore, region: tail, size: 64KiB, closed: {think: 1ms}}
      policy: {run: get_mempolicy, region: tail, closed: {think: 1ms}}
      protector: {run: protector, region: tail, size: 64KiB, place: in_turn, closed: {think: 1ms}}
      forker: {run: forker, child: 1ms, closed: {think: 5ms}}
      vforker: {run: forker, vfork: true, closed: {think: 5ms}}
      mover: {run: mover, region: shared, size: 4KiB, closed: {think: 1ms}}
      writer: {run: msync, region: shared, size: 4KiB, closed: {think: 1ms}}
      busy: {run: busy, nice: 5, spin: 100us, sleep: 1ms}
      nic: {run: pinner, region: tail, closed: {think: 1ms}}
  - name: monitoring
    threads:
      maps: {run: proc_reader, file: maps, target: db, closed: {think: 1ms}}
      rollup: {run: proc_reader, file: smaps_rollup, target: db, closed: {think: 1ms}}
      clearer: {run: proc_reader, file: clear_refs, target: db, closed: {think: 1ms}}
      ptrace: {run: remote_reader, target: db, pages: 2, closed: {think: 1ms}}
)";

class Validate : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
  const std::string scenario_ = folder_.write("scenario.yaml", kScenario);

  void SetUp() override {
    const std::vector<char> as_much(std::size_t{5} << 19U, 'x');
    if (mlock(as_much.data(), as_much.size()) != 0) GTEST_SKIP() << "2.5 MiB may not be locked here (ulimit -l)";
    munlock(as_much.data(), as_much.size());
  }

  // The scenario's machine has as many CPUs as this one.
  Outcome validate(std::vector<std::string> more) const {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    const auto cpus = std::to_string(CPU_COUNT(&set));
    std::vector<std::string> arguments{"validate", scenario_, "--set", "machine.cpus=" + cpus};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return mlocksim(arguments);
  }
  void expect_bad_input(const Outcome& outcome, const std::string& what) const {
    EXPECT_EQ(outcome.code, kBadInput) << outcome.out << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(what));
    EXPECT_EQ(outcome.out, "");
  }
};

TEST_F(Validate, RunsEveryKindOfThreadForRealAndPrintsItBesideTheSimulated) {
  const std::string json = folder_ / "validation.json";
  const Outcome outcome = validate({"--sittings", "2", "--json", json, "-o", folder_ / "real.json"});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("2 sittings"), HasSubstr("simulated/real"), HasSubstr("Score")));
  EXPECT_THAT(outcome.err, HasSubstr("'nic' is not compared: it takes a device"));
  std::map<std::string, std::uint64_t> counts;
  const ordered_json validation = ordered_json::parse(tests::text_of(json));
  for (const ordered_json& each : validation.at("times")) {
    const bool is_class = each.contains("class");
    counts[each.at(is_class ? "class" : "call")] += each.at("real").at("count").get<std::uint64_t>();
  }
  for (const char* const name :
       {"faulter", "receiver", "mapper", "inside", "madviser", "mincore", "policy", "protector", "forker", "vforker",
        "mover",   "writer",   "maps",   "rollup", "clearer",  "ptrace",  "mlock",  "munlock",   "mremap", "munmap"}) {
    EXPECT_GT(counts[name], 0U) << name;
  }
  EXPECT_EQ(counts["mlock"], 20U);
  EXPECT_EQ(counts["munlock"], 2 * 10 * 16U);

  // What was kept says the same again.
  const Outcome again = validate({"--real", folder_ / "real.json"});
  ASSERT_EQ(again.code, kOk) << again.err;
  EXPECT_EQ(again.out, outcome.out);
}

TEST_F(Validate, AWorkloadForAnotherMachineIsWhatTheProbeTakesThere) {
  const std::string workload = folder_ / "workload.json";
  ASSERT_EQ(validate({"--workload", workload}).code, kOk);
  const Outcome outcome = tests::run_program({tests::probe_binary(), "--run", workload});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  const experiments::RealResult real = experiments::parse_real_result(outcome.out);
  EXPECT_EQ(real.sittings.size(), 1U);
  EXPECT_EQ(real.sittings[0].classes.size(), 18U);
  const std::string file = folder_.write("real.json", outcome.out);
  EXPECT_EQ(validate({"--real", file}).code, kOk);
}

// Who reads maps finds the real process's program, heap and stacks there, too.
TEST_F(Validate, SimulatesWhatTheProcessHasMappedBesideItsRegions) {
  const std::string workload = folder_ / "workload.json";
  ASSERT_EQ(validate({"--workload", workload}).code, kOk);
  ordered_json real = ordered_json::parse(tests::run_program({tests::probe_binary(), "--run", workload}).out);
  ordered_json& vmas = real["value"]["sittings"][0]["other_vmas"];
  ASSERT_GT(vmas.at("db").get<int>(), 2 * 18) << "each thread's stack has a guard page";
  const auto simulated = [&](int others) {
    vmas["db"] = others;
    const std::string json = folder_ / "validation.json";
    EXPECT_EQ(validate({"--real", folder_.write("real.json", real.dump()), "--json", json}).code, kOk);
    const ordered_json validation = ordered_json::parse(tests::text_of(json));
    for (const ordered_json& each : validation.at("times")) {
      if (each.value("class", "") == "maps") return each.at("simulated").at("max_ns").get<std::int64_t>();
    }
    return std::int64_t{0};
  };
  EXPECT_GT(simulated(20'000), 1'000'000 + simulated(0));
}

TEST_F(Validate, RefusesResultsOfSomethingElse) {
  const std::string workload = folder_ / "workload.json";
  ASSERT_EQ(validate({"--workload", workload}).code, kOk);
  const Outcome real = tests::run_program({tests::probe_binary(), "--run", workload});
  const std::string file = folder_.write("real.json", real.out);
  expect_bad_input(validate({"--real", file, "--seed", "2"}), "other threads, regions, length or seed");
  expect_bad_input(validate({"--real", file, "--set", "name=other"}), "is of the scenario 'small', expected 'other'");
  expect_bad_input(validate({"--real", file, "--set", "machine.cpus=1000"}), "has 1000 CPUs and the real one");
  expect_bad_input(validate({"--real", file, "--sittings", "2"}), "--real runs nothing");
  expect_bad_input(validate({"--real", folder_ / "none.json"}), "cannot be read");
  expect_bad_input(validate({"--real", folder_.write("bad.json", "{}")}), "'schema': expected mlocksim-real/1");
}

TEST_F(Validate, AMachineOfAnotherKernelIsRefusedUnlessThePolicyIsNamed) {
  const std::string workload = folder_ / "workload.json";
  ASSERT_EQ(validate({"--workload", workload}).code, kOk);
  ordered_json real = ordered_json::parse(tests::run_program({tests::probe_binary(), "--run", workload}).out);
  real["value"]["kernel"] = "6.1.0-41-cloud-amd64";
  const std::string file = folder_.write("real.json", real.dump());
  const std::string of_6_18 = "machine.scheduler.of=linux-6.18";
  expect_bad_input(validate({"--real", file, "--set", of_6_18}),
                   "the machine is one of Linux 6.18, the real result of 6.1");
  EXPECT_EQ(validate({"--real", file, "--set", of_6_18, "--policy", "linux-6.1"}).code, kOk);
}

constexpr const char* kTold = "policies=[{from: linux-6.12, name: told, munlock: {mode: downgrade}}]";

TEST_F(Validate, APolicyThatHoldsMmapLockOtherwiseThanItsKernelIsForAKernelThatCanBeTold) {
  if (std::filesystem::exists("/sys/module/mlock/parameters")) GTEST_SKIP() << "this is such a kernel";
  expect_bad_input(validate({"--set", kTold}), "this kernel cannot be told");
  const std::string workload = folder_ / "workload.json";
  ASSERT_EQ(validate({"--set", kTold, "--workload", workload}).code, kOk);
  EXPECT_THAT(tests::text_of(workload), HasSubstr(R"("mode":"downgrade")"));
  expect_bad_input(validate({"--set", "policies=[{from: linux-6.12, name: told, munlock: {mode: drop_and_read}}]"}),
                   "no kernel can be told to munlock with drop_and_read");
}

TEST_F(Validate, ATellingIsSimulatedUnderTheRulesOfTheRealKernelOtherwise) {
  const std::string workload = folder_ / "workload.json";
  ASSERT_EQ(validate({"--workload", workload}).code, kOk);
  ordered_json real = ordered_json::parse(tests::run_program({tests::probe_binary(), "--run", workload}).out);
  real["value"]["kernel"] = "6.12.1-patched";
  const std::string as_it_is = folder_.write("as_it_is.json", real.dump());
  ASSERT_EQ(validate({"--set", kTold, "--workload", workload}).code, kOk);
  real["value"]["workload"] = ordered_json::parse(tests::text_of(workload)).at("value");
  const std::string told = folder_.write("told.json", real.dump());
  const Outcome outcome = validate({"--set", kTold, "--real", told, "--set", "machine.scheduler.of=linux-6.12"});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("linux-6.12, told how to hold mmap_lock"));
  expect_bad_input(validate({"--set", kTold, "--real", as_it_is}), "was told otherwise");
  expect_bad_input(validate({"--real", told}), "was told otherwise");
}

TEST_F(Validate, AScenarioThatWouldNotEndOrIsNotThereIsRefused) {
  const std::string endless = folder_.write("endless.yaml", R"(schema: mlocksim/1
name: endless
about: Nothing of it can be run.
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 2}
memory: {size: 4GiB, pressure: none}
policies: [linux-6.12]
duration: 10ms
processes:
  - name: db
    regions: {heap: {size: 1MiB, kind: anon}}
    threads: {nic: {run: pinner, region: heap, closed: {think: 1ms}}}
)");
  expect_bad_input(mlocksim({"validate", endless}), "has no thread that can be run");
  expect_bad_input(mlocksim({"validate", folder_ / "none.yaml"}), "none.yaml");
}

TEST_F(Validate, TheProbeSaysWhatIsWrongWithAWorkload) {
  const auto refuse = [&](const std::string& file, const std::string& what) {
    const Outcome outcome = tests::run_program({tests::probe_binary(), "--run", file});
    EXPECT_EQ(outcome.code, kBadInput);
    EXPECT_THAT(outcome.err, HasSubstr(what));
    EXPECT_EQ(outcome.out, "");
  };
  refuse(folder_ / "none.json", "cannot be read");
  refuse(folder_.write("text.json", "hello"), "is no JSON");
  refuse(folder_.write("result.json", R"({"schema": "mlocksim-real/1"})"), "expected mlocksim-workload/1");
}

TEST_F(Validate, MoreMemoryThanThereIsIsRefused) {
  const Outcome outcome =
      validate({"--set", "processes[0].regions.heap.size=1000GiB", "--set", "memory.size=4000GiB", "--sittings", "1"});
  expect_bad_input(outcome, "too little memory");
}

// --- a table in place of a real result ------------------------------------------------------------------------------

std::string attached(const std::string& name) { return tests::source_tests() / "fuzz/corpus/table" / name; }

TEST_F(Validate, ATableOfPerfStandsBesideTheSimulatedWaits) {
  const std::string json = folder_ / "table.json";
  const Outcome outcome =
      validate({"--table", attached("perf_stacks"), "--table-length", "3s", "--sittings", "2", "--json", json});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("perf lock contention by caller"), HasSubstr("waited, write, munlock"),
                                 HasSubstr("linux-6.12 on"), HasSubstr("2 replications")));
  const ordered_json table = ordered_json::parse(tests::text_of(json));
  EXPECT_EQ(table["rows"][0]["mode"], "write");
  EXPECT_EQ(table["rows"][0]["table"]["count"], 108);
  EXPECT_GT(table["rows"][0]["simulated"]["count"], 0);
}

TEST_F(Validate, AHistogramStandsBesideWhatIsNamed) {
  const std::string table = attached("bpftrace_maps");
  const Outcome outcome = validate({"--table", table, "--table-of", "@write_us=wait.write", "--table-of",
                                    "@by[load, r]=mapper", "--table-unit", "ns", "--sittings", "1"});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("@write_us\nin us, as its name says, beside wait.write"),
                                 HasSubstr("latency of mapper")));
  expect_bad_input(validate({"--table", table}), "there are @by[load, r], @by[load, w], @read_ns[load], @write_us");
  expect_bad_input(validate({"--table", table, "--table-of", "@by[load, r]=wait"}), "--table-unit: expected");
  expect_bad_input(validate({"--table", table, "--table-of", "@write_us=nobody"}), "there is no class 'nobody'");
}

TEST_F(Validate, ATableThatIsNoneOrBrokenIsRefusedAndNothingIsWritten) {
  const std::string json = folder_ / "table.json";
  const std::string text = tests::text_of(attached("klockstat"));
  const std::string broken = folder_.write("broken.txt", text.substr(0, text.find(" ms")));
  expect_bad_input(validate({"--table", broken, "--json", json}), "broken.txt:5:1: expected a row such as");
  expect_bad_input(validate({"--table", folder_.write("hello.txt", "hello\n"), "--json", json}), "hello.txt: expected");
  expect_bad_input(validate({"--table", folder_.write("perf.data", "PERFILE2"), "--json", json}),
                   "perf lock contention -i");
  expect_bad_input(validate({"--table", folder_ / "none.txt", "--json", json}), "none.txt");
  expect_bad_input(validate({"--table", attached("klockstat"), "--real", "x"}), "--table runs nothing for real");
  expect_bad_input(validate({"--table", attached("klockstat"), "--table-unit", "us"}), "found ");
  expect_bad_input(validate({"--table-length", "3s"}), "expected --table, too");
  EXPECT_FALSE(std::filesystem::exists(json));
  const std::string own = folder_.write("own.txt", tests::text_of(attached("perf_callers")));
  expect_bad_input(validate({"--table", own, "--json", own}), "is what is read: expected another file");
  EXPECT_EQ(tests::text_of(own), tests::text_of(attached("perf_callers")));
}

// perf 6.1 prints its table to standard error, which shells turn into a pipe.
TEST_F(Validate, ATableCanComeThroughAPipe) {
  const Outcome outcome =
      tests::run_program({"/bin/sh", "-c",
                          "cat " + attached("perf_callers") + " | " + tests::mlocksim_binary() +
                              " validate with_writer --set duration=20ms --sittings 1 --table /dev/stdin"});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
}

}  // namespace
}  // namespace experiments::validate_test
