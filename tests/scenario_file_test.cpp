#include "experiments/scenario_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/algorithm/string/replace.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "experiments/diagnostics.h"

#ifndef MLOCKSIM_SOURCE_CONFIGS
#define MLOCKSIM_SOURCE_CONFIGS "configs"
#endif

namespace experiments {
namespace {

using models::Bytes;
using models::HoldMode;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

// The line numbers of the tests below count in this text.
constexpr const char* kScenario = R"(schema: mlocksim/1
name: small
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 4}
memory: {size: 1GiB}
policy: downgrade
processes:
  - name: db
    regions: {heap: {size: 512MiB, kind: anon}}
    threads:
      locker: {run: locker, region: heap, script: [mlock, hold 100ms, munlock]}
      faulter: {run: faulter, count: 2, closed: {think: 50us}}
  - name: ps
    threads:
      ps: {run: proc_reader, file: cmdline, target: db, closed: {think: 10ms}}
)";

constexpr const char* kPolicy = R"(schema: mlocksim/1
name: mine
populate: {mode: downgrade}
munlock: {mode: downgrade}
munmap: {mode: write_held}
)";

std::filesystem::path folder() { return std::filesystem::path(testing::TempDir()) / "scenario_file_test"; }

/// Writes a file into the test's folder.
std::filesystem::path write(const std::string& name, const std::string& text) {
  const auto file = folder() / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
  return file;
}

/// `text` with one piece replaced, which must be there.
std::string with(const std::string& what, const std::string& by, std::string text = kScenario) {
  EXPECT_THAT(text, HasSubstr(what));
  boost::algorithm::replace_first(text, what, by);
  return text;
}

/// The mistakes that `read` throws, without the test's folder in them.
template <typename Read>
Lines mistakes_of(Read read) {
  Lines lines;
  try {
    read();
  } catch (const InputError& error) {
    for (const Diagnostic& diagnostic : error.diagnostics()) {
      lines.push_back(boost::algorithm::replace_all_copy(to_text(diagnostic), folder().string() + "/", ""));
    }
  }
  return lines;
}

models::Scenario read(const std::string& text, const Overrides& overrides = {}) {
  return read_scenario(write("s.yaml", text), overrides);
}

Lines mistakes(const std::string& text, const Overrides& overrides = {}) {
  return mistakes_of([&] { (void)read(text, overrides); });
}

Lines policy_mistakes(const std::string& text) {
  return mistakes_of([&] { (void)read_policy(write("p.yaml", text)); });
}

std::string shipped_machine() {
  std::ifstream stream(std::filesystem::path(MLOCKSIM_SOURCE_CONFIGS) / "machines/epyc-zen4-linux-6.18.yaml");
  return {std::istreambuf_iterator<char>(stream), {}};
}

Lines machine_mistakes(const std::string& text) {
  return mistakes_of([&] { (void)read_machine(write("m.yaml", text)); });
}

class ScenarioFile : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder());
    ::setenv("MLOCKSIM_CONFIGS", MLOCKSIM_SOURCE_CONFIGS, 1);
  }
};

// --- what is read -------------------------------------------------------------------------------------------

TEST_F(ScenarioFile, ReadsAScenario) {
  const models::Scenario scenario = read(kScenario);
  EXPECT_EQ(scenario.name, "small");
  EXPECT_EQ(scenario.machine.name, "epyc-zen4-linux-6.18");
  EXPECT_EQ(scenario.machine.cpus, 4);
  EXPECT_EQ(scenario.memory.size, Bytes{1 << 30});
  ASSERT_THAT(scenario.policies, SizeIs(1));
  EXPECT_EQ(scenario.policies[0].name, "downgrade");
  EXPECT_EQ(scenario.seed, 1u);
  EXPECT_EQ(scenario.duration, std::nullopt);
  ASSERT_THAT(scenario.processes, SizeIs(2));
  const models::ProcessSpec& db = scenario.processes[0];
  EXPECT_TRUE(db.cap_ipc_lock);
  EXPECT_EQ(db.rlimit_memlock, std::nullopt);
  EXPECT_THAT(db.regions, ElementsAre(models::RegionSpec{"heap", Bytes{512 << 20}}));
  ASSERT_THAT(db.threads, SizeIs(2));
  using Step = models::ScriptStep;
  EXPECT_EQ(db.threads[0],
            (models::ThreadSpec{"locker", 1,
                                models::LockerSpec{"heap",
                                                   {Step{Step::Call::mlock, {}}, Step{Step::Call::hold, 100ms},
                                                    Step{Step::Call::munlock, {}}},
                                                   1}}));
  const models::ClosedLoop thinking{sim::Constant{50us}};
  EXPECT_EQ(db.threads[1], (models::ThreadSpec{"faulter", 2, models::FaulterSpec{thinking}}));
  const models::ProcReaderSpec ps{models::ProcReaderSpec::File::cmdline, "db", models::ClosedLoop{sim::Constant{10ms}}};
  EXPECT_EQ(scenario.processes[1].threads[0], (models::ThreadSpec{"ps", 1, ps}));
}

TEST_F(ScenarioFile, KeepsTheOrderOfRegionsAndThreads) {
  const auto scenario =
      read(with("{heap: {size: 512MiB, kind: anon}}", "{z: {size: 4KiB}, heap: {size: 4KiB}, a: {size: 4KiB}}"));
  std::string order;
  for (const auto& region : scenario.processes[0].regions) order += region.name + " ";
  EXPECT_EQ(order, "z heap a ");
}

TEST_F(ScenarioFile, ReadsOptionalKeys) {
  auto text = with("policy: downgrade", "about: hello\nseed: 7\nduration: 2s\npolicies: [downgrade, write_held]");
  text = with("- name: db", "- name: db\n    cap_ipc_lock: false\n    rlimit_memlock: 64KiB", text);
  text = with("munlock]}", "munmap], repeat: 3}\n      m: {run: mapper, size: 8KiB, open: {every: 1ms}}", text);
  const auto scenario = read(text);
  EXPECT_EQ(scenario.about, "hello");
  EXPECT_EQ(scenario.seed, 7u);
  EXPECT_EQ(scenario.duration, 2s);
  EXPECT_THAT(scenario.policies, SizeIs(2));
  const auto& db = scenario.processes[0];
  EXPECT_FALSE(db.cap_ipc_lock);
  EXPECT_EQ(db.rlimit_memlock, Bytes{64 << 10});
  EXPECT_EQ(std::get<models::LockerSpec>(db.threads[0].run).repeat, 3);
  const models::MapperSpec mapper{Bytes{8192}, models::OpenLoop{sim::Constant{1ms}}};
  EXPECT_EQ(db.threads[1], (models::ThreadSpec{"m", 1, mapper}));
}

TEST_F(ScenarioFile, TakesUnlimitedForNoLimit) {
  const auto scenario = read(with("- name: db", "- name: db\n    rlimit_memlock: unlimited"));
  EXPECT_EQ(scenario.processes[0].rlimit_memlock, std::nullopt);
}

TEST_F(ScenarioFile, SetsFreeMemoryByPressure) {
  const auto none = read(kScenario).memory;
  EXPECT_EQ(none.free, none.size);
  EXPECT_EQ(none.dirty, 0);
  EXPECT_EQ(none.background, Bytes{});
  EXPECT_EQ(none.min_free, std::nullopt);
  const auto light = read(with("1GiB}", "1GiB, pressure: light}")).memory;
  EXPECT_EQ(light.free, Bytes{64 << 20});
  EXPECT_EQ(light.background, Bytes{});
  const auto heavy = read(with("1GiB}", "1GiB, pressure: heavy}")).memory;
  EXPECT_EQ(heavy.free, Bytes{16 << 20});
  EXPECT_EQ(heavy.dirty, 0.1);
  EXPECT_EQ(heavy.background, Bytes{400 << 20});
}

TEST_F(ScenarioFile, ExplicitKeysWinOverPressure) {
  const auto memory =
      read(with("1GiB}", "1GiB, pressure: heavy, free: 32MiB, dirty: 1, background: 0B/s, min_free: 1MiB}")).memory;
  EXPECT_EQ(memory.free, Bytes{32 << 20});
  EXPECT_EQ(memory.dirty, 1);
  EXPECT_EQ(memory.background, Bytes{});
  EXPECT_EQ(memory.min_free, Bytes{1 << 20});
}

TEST_F(ScenarioFile, OverridesSingleCostsOfANamedMachine) {
  const auto scenario = read(with("cpus: 4}", "name: faster, costs: {munlock_page: 10ns, fault: uniform 1us 2us}}"));
  auto expected = read_machine(*find_config(ConfigKind::machines, "epyc-zen4-linux-6.18"));
  expected.name = "faster";
  expected.costs.munlock_page = sim::Constant{10ns};
  expected.costs.fault = sim::Uniform{1us, 2us};
  EXPECT_EQ(scenario.machine, expected);
}

TEST_F(ScenarioFile, ReadsAMachineAndAPolicyInline) {
  auto machine = with("schema: mlocksim/1\n", "", shipped_machine());
  boost::algorithm::replace_all(machine, "\n", "\n  ");
  auto text = with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", "\n  " + machine);
  text = with(
      "policy: downgrade",
      "policy: {name: mine, populate: {mode: downgrade}, munlock: {mode: downgrade}, munmap: {mode: downgrade}}", text);
  const auto scenario = read(text);
  EXPECT_EQ(scenario.machine, read_machine(*find_config(ConfigKind::machines, "epyc-zen4-linux-6.18")));
  EXPECT_EQ(scenario.policies[0].munmap, HoldMode::downgrade);
}

TEST_F(ScenarioFile, FindsSamplesBesideTheFileThatNamesThem) {
  write("think.txt", "1us\n3us\n");
  const auto scenario = read(with("think: 50us", "think: empirical think.txt"));
  EXPECT_EQ(std::get<models::FaulterSpec>(scenario.processes[0].threads[1].run).arrival,
            models::Arrival(models::ClosedLoop{sim::Empirical{{1us, 3us}}}));
}

// --- what is refused: the file as a whole -------------------------------------------------------------------

TEST_F(ScenarioFile, SaysEverythingThatIsWrongAtOnce) {
  auto text = with("name: small", "name: so small");
  text = with("size: 1GiB", "size: 1GB", text);
  text = with("policy: downgrade", "policy: downgrad", text);
  text = with("count: 2", "count: 0", text);
  text = with("target: db", "target: bd", text);
  text = with("size: 512MiB", "sise: 512MiB", text);
  EXPECT_THAT(
      mistakes(text),
      ElementsAre(
          "s.yaml:2:7: name: expected a name of letters, digits, '_', '-' and '.', found 'so small'",
          "s.yaml:4:16: memory.size: expected a size such as 4GiB or 512MiB, found '1GB' (did you mean 1GiB?)",
          "s.yaml:5:9: policy: there is no policy 'downgrad' (did you mean downgrade?)",
          "s.yaml:8:21: processes[0].regions.heap.size: missing",
          "s.yaml:8:22: processes[0].regions.heap.sise: unknown key (did you mean size?)",
          "s.yaml:11:38: processes[0].threads.faulter.count: expected a whole number from 1 to 10000, found '0'",
          "s.yaml:14:53: processes[1].threads.ps.target: expected the name of a process, found 'bd' "
          "(did you mean db?)"));
}

TEST_F(ScenarioFile, RefusesAFileThatIsEmptyOrNoMap) {
  EXPECT_THAT(mistakes(""), ElementsAre("s.yaml:1:1: expected the keys of a scenario, first `schema`, found nothing"));
  EXPECT_THAT(mistakes("- 1\n"),
              ElementsAre("s.yaml:1:1: expected the keys of a scenario, first `schema`, found a list"));
}

TEST_F(ScenarioFile, RefusesAFileThatIsNotThere) {
  EXPECT_THAT(mistakes_of([] { (void)read_scenario("nowhere.yaml"); }),
              ElementsAre("nowhere.yaml: cannot be read: No such file or directory"));
}

TEST_F(ScenarioFile, RefusesWhatIsNoYaml) {
  EXPECT_THAT(mistakes("name: [\n"), ElementsAre(HasSubstr("not valid YAML")));
}

TEST_F(ScenarioFile, RefusesOtherSchemas) {
  EXPECT_THAT(mistakes(with("mlocksim/1", "mlocksim/2")),
              ElementsAre("s.yaml:1:9: schema: expected mlocksim/1, found 'mlocksim/2' (did you mean mlocksim/1?)"));
  EXPECT_THAT(mistakes(with("schema: mlocksim/1\n", "")),
              ElementsAre("s.yaml:1:1: schema: missing: every file starts with `schema: mlocksim/1`"));
}

TEST_F(ScenarioFile, NamesAllThatIsMissing) {
  EXPECT_THAT(mistakes("schema: mlocksim/1\n"),
              ElementsAre("s.yaml:1:1: name: missing", "s.yaml:1:1: machine: missing", "s.yaml:1:1: memory: missing",
                          "s.yaml:1:1: expected `policy: NAME`, or `policies: [NAME, ...]` to compare",
                          "s.yaml:1:1: processes: missing",
                          "s.yaml:1:1: duration: missing: without a locker a run needs one, such as 10s"));
}

TEST_F(ScenarioFile, RefusesUnknownKeysEverywhereWithTheNearest) {
  EXPECT_THAT(mistakes(with("policy:", "polcy:")),
              ElementsAre("s.yaml:1:1: expected `policy: NAME`, or `policies: [NAME, ...]` to compare",
                          "s.yaml:5:1: polcy: unknown key (did you mean policy?)"));
  EXPECT_THAT(mistakes(with("cpus: 4", "cpu: 4")),
              ElementsAre("s.yaml:3:48: machine.cpu: unknown key (did you mean cpus?)"));
  EXPECT_THAT(mistakes(with("1GiB}", "1GiB, presure: light}")),
              ElementsAre("s.yaml:4:22: memory.presure: unknown key (did you mean pressure?)"));
  EXPECT_THAT(mistakes(with("- name: db", "- name: db\n    region: {}")),
              ElementsAre("s.yaml:8:5: processes[0].region: unknown key (did you mean regions?)"));
  EXPECT_THAT(mistakes(with("count: 2", "cuont: 2")),
              ElementsAre("s.yaml:11:31: processes[0].threads.faulter.cuont: unknown key (did you mean count?)"));
  EXPECT_THAT(mistakes(with("think: 50us", "think: 50us, thnk: 5us")),
              ElementsAre("s.yaml:11:63: processes[0].threads.faulter.closed.thnk: unknown key (did you mean think?)"));
}

TEST_F(ScenarioFile, RefusesDuplicateKeys) {
  EXPECT_THAT(mistakes(with("policy:", "name: other\npolicy:")),
              ElementsAre("s.yaml:5:1: name: duplicate key, first in line 2"));
}

TEST_F(ScenarioFile, RefusesWhatIsPlannedButNotThereYet) {
  EXPECT_THAT(mistakes(with("policy:", "groups: {}\nexpect: {}\npolicy:")),
              ElementsAre("s.yaml:5:1: groups: not supported by this version",
                          "s.yaml:6:1: expect: not supported by this version"));
  EXPECT_THAT(mistakes(with("count: 2", "nice: 5, cpus: [0], group: g")),
              ElementsAre("s.yaml:11:31: processes[0].threads.faulter.nice: not supported by this version",
                          "s.yaml:11:40: processes[0].threads.faulter.cpus: not supported by this version",
                          "s.yaml:11:51: processes[0].threads.faulter.group: not supported by this version"));
  EXPECT_THAT(mistakes(with("run: faulter", "run: busy")),
              ElementsAre("s.yaml:11:22: processes[0].threads.faulter.run: 'busy' is not supported by this version "
                          "(supported: locker, faulter, proc_reader, mapper)"));
  EXPECT_THAT(mistakes(with("kind: anon", "kind: hugetlb")),
              ElementsAre("s.yaml:8:42: processes[0].regions.heap.kind: 'hugetlb' is not supported by this version "
                          "(supported: anon)"));
  EXPECT_THAT(mistakes(with("file: cmdline", "file: smaps")),
              ElementsAre("s.yaml:14:36: processes[1].threads.ps.file: 'smaps' is not supported by this version "
                          "(supported: cmdline)"));
}

TEST_F(ScenarioFile, RefusesNamesWithOtherCharacters) {
  EXPECT_THAT(mistakes(with("faulter:", "\"a b\":")),
              ElementsAre("s.yaml:11:7: processes[0].threads.a b: expected a name of letters, digits, '_', '-' and "
                          "'.', found 'a b'"));
  EXPECT_THAT(mistakes(with("{heap: {size: 512MiB, kind: anon}}", "{heap: {size: 4KiB}, h/p: {size: 4KiB}}")),
              ElementsAre(StartsWith("s.yaml:8:35: processes[0].regions.h/p: expected a name")));
  EXPECT_THAT(mistakes(with("name: db", "name:")),
              Contains(StartsWith("s.yaml:7:5: processes[0].name: expected a name")));
}

// --- what is refused: machine, memory, policies --------------------------------------------------------------

TEST_F(ScenarioFile, RefusesAnUnknownMachineWithTheNearest) {
  EXPECT_THAT(mistakes(with("machines/epyc-zen4-linux-6.18", "machines/epyc-zen5")),
              ElementsAre(StartsWith("s.yaml:3:17: machine.from: there is no machine 'machines/epyc-zen5'")));
  EXPECT_THAT(mistakes(with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", "epyc")),
              ElementsAre("s.yaml:3:10: machine: there is no machine 'epyc' (did you mean epyc-zen4-linux-6.18?)"));
}

TEST_F(ScenarioFile, RefusesNumbersOfCpusThatNobodyHas) {
  EXPECT_THAT(mistakes(with("cpus: 4", "cpus: 0")),
              ElementsAre("s.yaml:3:54: machine.cpus: expected a whole number from 1 to 4096, found '0'"));
  EXPECT_THAT(mistakes(with("cpus: 4", "cpus: 4097")),
              ElementsAre("s.yaml:3:54: machine.cpus: expected a whole number from 1 to 4096, found '4097'"));
}

TEST_F(ScenarioFile, RefusesAnIncompleteInlineMachineKeyByKey) {
  const auto lines = mistakes(with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", "{form: x, costs: {fault: 1us}}"));
  EXPECT_THAT(lines, SizeIs(1 + 3 + 18));
  EXPECT_THAT(lines, Contains("s.yaml:3:10: machine.scheduler: missing"));
  EXPECT_THAT(lines, Contains("s.yaml:3:11: machine.form: unknown key (did you mean from?)"));
  EXPECT_THAT(lines, Contains("s.yaml:3:27: machine.costs.zap_page: missing"));
}

TEST_F(ScenarioFile, NamesTheMachineFileForTheMistakesInIt) {
  write("machines/broken.yaml", with("cpus: 2 ", "cpus: two", shipped_machine()));
  EXPECT_THAT(mistakes(with("machines/epyc-zen4-linux-6.18, cpus: 4", "broken, costs: {fault: 5}")),
              ElementsAre(AllOf(StartsWith("machines/broken.yaml:"),
                                HasSubstr(": cpus: expected a whole number from 1 to 4096, found 'two")),
                          StartsWith("s.yaml:3:40: machine.costs.fault: expected a duration")));
}

TEST_F(ScenarioFile, RefusesSizesThatAreNotWholePages) {
  EXPECT_THAT(mistakes(with("512MiB", "5000B")),
              ElementsAre("s.yaml:8:28: processes[0].regions.heap.size: expected a multiple of 4KiB above zero, found "
                          "'5000B' (did you mean 8KiB?)"));
  EXPECT_THAT(mistakes(with("1GiB", "0GiB")),
              ElementsAre("s.yaml:4:16: memory.size: expected a multiple of 4KiB above zero, found '0GiB' "
                          "(did you mean 4KiB?)"));
}

TEST_F(ScenarioFile, RefusesMoreRegionsThanMemoryAtTheOneThatIsTooMuch) {
  EXPECT_THAT(mistakes(with("{heap: {size: 512MiB, kind: anon}}",
                            "{heap: {size: 512MiB}, b: {size: 513MiB}, c: {size: 1GiB}}")),
              ElementsAre("s.yaml:8:47: processes[0].regions.b.size: all regions together are 1025MiB, more than the "
                          "memory's 1GiB"));
}

TEST_F(ScenarioFile, RefusesMoreFreeMemoryThanThereIs) {
  EXPECT_THAT(mistakes(with("1GiB}", "1GiB, free: 2GiB}")),
              ElementsAre("s.yaml:4:28: memory.free: expected at most the memory's 1GiB, found '2GiB'"));
}

TEST_F(ScenarioFile, RefusesAWatermarkOfAnEighthOfTheMemory) {
  EXPECT_THAT(mistakes(with("1GiB}", "1GiB, min_free: 128MiB}")),
              ElementsAre("s.yaml:4:32: memory.min_free: expected less than an eighth of the memory's 1GiB, found "
                          "'128MiB'"));
  EXPECT_THAT(mistakes(with("1GiB}", "1GiB, min_free: 131068KiB}")), IsEmpty());
}

TEST_F(ScenarioFile, RefusesImpossiblePressure) {
  EXPECT_THAT(mistakes(with("1GiB}", "1GiB, pressure: hevy, dirty: 2, background: 4MB/s}")),
              ElementsAre("s.yaml:4:32: memory.pressure: expected none, light, heavy, found 'hevy' "
                          "(did you mean heavy?)",
                          "s.yaml:4:45: memory.dirty: expected a number from 0 to 1, found '2'",
                          "s.yaml:4:60: memory.background: expected a rate such as 400MiB/s, found '4MB/s' "
                          "(did you mean 4MiB/s?)"));
}

TEST_F(ScenarioFile, RefusesBothPolicyAndPoliciesAndNeither) {
  EXPECT_THAT(mistakes(with("policy: downgrade", "policy: downgrade\npolicies: [write_held]")),
              ElementsAre("s.yaml:6:11: policies: expected either `policy` or `policies`, found both"));
  EXPECT_THAT(mistakes(with("policy: downgrade\n", "")),
              ElementsAre("s.yaml:1:1: expected `policy: NAME`, or `policies: [NAME, ...]` to compare"));
  EXPECT_THAT(mistakes(with("policy: downgrade", "policies: []")),
              ElementsAre("s.yaml:5:11: policies: expected a list of policies such as [write_held, downgrade], found "
                          "an empty list"));
}

TEST_F(ScenarioFile, RefusesAPolicyTwice) {
  EXPECT_THAT(mistakes(with("policy: downgrade", "policies: [downgrade, write_held, downgrade]")),
              ElementsAre("s.yaml:5:35: policies[2]: the policy 'downgrade' is there already"));
}

TEST_F(ScenarioFile, RefusesSeedsThatAreNoNumbers) {
  EXPECT_THAT(mistakes(with("policy:", "seed: -1\npolicy:")),
              ElementsAre("s.yaml:5:7: seed: expected a whole number from 0 to 18446744073709551615, found '-1'"));
}

// --- what is refused: processes and threads ------------------------------------------------------------------

TEST_F(ScenarioFile, RefusesAScenarioWithoutProcesses) {
  auto text = std::string(kScenario);
  text = text.substr(0, text.find("processes:"));
  EXPECT_THAT(mistakes(text + "processes: []\n"),
              ElementsAre("s.yaml:6:12: processes: expected a list of processes, found an empty list"));
  EXPECT_THAT(mistakes(text + "processes: {a: 1}\n"),
              ElementsAre("s.yaml:6:12: processes: expected a list of processes, found a map"));
}

TEST_F(ScenarioFile, RefusesAProcessWithoutThreads) {
  EXPECT_THAT(mistakes(with("ps: {run: proc_reader, file: cmdline, target: db, closed: {think: 10ms}}", "{}")),
              ElementsAre("s.yaml:14:7: processes[1].threads: expected at least one thread, found none"));
}

TEST_F(ScenarioFile, RefusesTwoProcessesOfOneName) {
  EXPECT_THAT(mistakes(with("- name: ps", "- name: db")),
              ElementsAre("s.yaml:12:11: processes[1].name: there is a process 'db' already"));
}

TEST_F(ScenarioFile, RefusesTwoThreadsOfOneNameInDifferentProcesses) {
  EXPECT_THAT(mistakes(with("      ps: {", "      faulter: {")),
              ElementsAre("s.yaml:14:7: processes[1].threads.faulter: another process has a thread of this name "
                          "(line 11): it names a class of the results"));
}

TEST_F(ScenarioFile, RefusesAThreadThatRunsNothingKnown) {
  EXPECT_THAT(mistakes(with("run: faulter", "run: fualter")),
              ElementsAre("s.yaml:11:22: processes[0].threads.faulter.run: expected locker, faulter, proc_reader, "
                          "mapper, found 'fualter' (did you mean faulter?)"));
  EXPECT_THAT(mistakes(with("run: faulter, ", "")),
              ElementsAre("s.yaml:11:16: processes[0].threads.faulter.run: missing"));
}

TEST_F(ScenarioFile, RefusesTooManyThreads) {
  EXPECT_THAT(mistakes(with("count: 2", "count: 10001")),
              ElementsAre("s.yaml:11:38: processes[0].threads.faulter.count: expected a whole number from 1 to 10000, "
                          "found '10001'"));
}

TEST_F(ScenarioFile, RefusesALockerOfAnUnknownRegion) {
  EXPECT_THAT(mistakes(with("region: heap", "region: haep")),
              ElementsAre("s.yaml:10:37: processes[0].threads.locker.region: expected a region of this process, found "
                          "'haep' (did you mean heap?)"));
}

TEST_F(ScenarioFile, RefusesAnEmptyScriptAndUnknownSteps) {
  EXPECT_THAT(mistakes(with("[mlock, hold 100ms, munlock]", "[]")),
              ElementsAre("s.yaml:10:51: processes[0].threads.locker.script: expected a list of steps such as [mlock, "
                          "hold 100ms, munlock], found an empty list"));
  EXPECT_THAT(
      mistakes(with("[mlock, hold 100ms, munlock]", "[mlok, hold, hold 5, {a: 1}, sleep 5s]")),
      ElementsAre("s.yaml:10:52: processes[0].threads.locker.script[0]: expected mlock, munlock, munmap or hold "
                  "DURATION, found 'mlok' (did you mean mlock?)",
                  "s.yaml:10:58: processes[0].threads.locker.script[1]: in 'hold': expected a duration such as "
                  "250ns, 1.5us, 10ms or 3s, found ''",
                  "s.yaml:10:64: processes[0].threads.locker.script[2]: in 'hold 5': expected a duration such "
                  "as 250ns, 1.5us, 10ms or 3s, found '5' (the unit is missing: ns, us, ms, s)",
                  "s.yaml:10:72: processes[0].threads.locker.script[3]: expected mlock, munlock, munmap or hold "
                  "DURATION, found a map",
                  "s.yaml:10:80: processes[0].threads.locker.script[4]: expected mlock, munlock, munmap or hold "
                  "DURATION, found 'sleep 5s'"));
}

TEST_F(ScenarioFile, RefusesALockerThatNeverRepeatsOrHasManyThreads) {
  EXPECT_THAT(mistakes(with("munlock]}", "munlock], repeat: 0, count: 2}")),
              ElementsAre("s.yaml:10:89: processes[0].threads.locker.repeat: expected a whole number from 1 to "
                          "2147483647, found '0'",
                          "s.yaml:10:99: processes[0].threads.locker.count: expected 1, as this version has one thread "
                          "for a locker, found '2'"));
}

TEST_F(ScenarioFile, RefusesASecondLockerInAProcess) {
  EXPECT_THAT(mistakes(with("munlock]}", "munlock]}\n      l2: {run: locker, region: heap, script: [mlock]}")),
              ElementsAre("s.yaml:11:17: processes[0].threads.l2.run: this process has a locker already: this version "
                          "has one for a process"));
}

TEST_F(ScenarioFile, RefusesThreadsThatAreNeitherOrBothClosedAndOpen) {
  EXPECT_THAT(mistakes(with(", closed: {think: 50us}", "")),
              ElementsAre("s.yaml:11:16: processes[0].threads.faulter: expected `closed: {think: DISTRIBUTION}` or "
                          "`open: {every: DISTRIBUTION}`"));
  EXPECT_THAT(mistakes(with("think: 50us}", "think: 50us}, open: {every: 1ms}")),
              ElementsAre("s.yaml:11:70: processes[0].threads.faulter.open: expected either `closed` or `open`, found "
                          "both"));
  EXPECT_THAT(mistakes(with("closed: {think: 50us}", "closed: 50us")),
              ElementsAre("s.yaml:11:49: processes[0].threads.faulter.closed: expected a map such as {think: "
                          "exponential 50us}, found '50us'"));
}

TEST_F(ScenarioFile, RefusesToThinkForLessThanNoTime) {
  EXPECT_THAT(mistakes(with("think: 50us", "think: constant -5us")),
              ElementsAre("s.yaml:11:57: processes[0].threads.faulter.closed.think: expected a duration such as 250ns, "
                          "1.5us, 10ms or 3s, found '-5us' (it must not be below zero)"));
}

TEST_F(ScenarioFile, RefusesAnOpenLoopThatNeverMovesOn) {
  for (const char* every : {"0ns", "constant 0us", "uniform 0ns 0ns", "empirical zeros.txt"}) {
    write("zeros.txt", "0ns\n0ns\n");
    EXPECT_THAT(mistakes(with("closed: {think: 50us}", std::string("open: {every: ") + every + "}")),
                ElementsAre(StartsWith("s.yaml:11:55: processes[0].threads.faulter.open.every: expected a distribution "
                                       "with a mean above zero, found '")));
  }
  EXPECT_THAT(mistakes(with("closed: {think: 50us}", "open: {every: uniform 0ns 1ns}")), IsEmpty());
}

TEST_F(ScenarioFile, RefusesAMapperOfHalfAPage) {
  EXPECT_THAT(mistakes(with("run: faulter, count: 2,", "run: mapper, size: 2KiB,")),
              ElementsAre("s.yaml:11:36: processes[0].threads.faulter.size: expected a multiple of 4KiB above zero, "
                          "found '2KiB' (did you mean 4KiB?)"));
}

TEST_F(ScenarioFile, NeedsADurationWithoutALocker) {
  const auto text = with("locker, region: heap, script: [mlock, hold 100ms, munlock]", "mapper, closed: {think: 1ms}");
  EXPECT_THAT(mistakes(text),
              ElementsAre("s.yaml:1:1: duration: missing: without a locker a run needs one, such as 10s"));
  EXPECT_THAT(mistakes(with("policy:", "duration: 10s\npolicy:", text)), IsEmpty());
}

TEST_F(ScenarioFile, RefusesADurationOfNothingOrOfMoreThanThirtyDays) {
  EXPECT_THAT(mistakes(with("policy:", "duration: 0s\npolicy:")),
              ElementsAre("s.yaml:5:11: duration: expected a duration above zero, found '0s'"));
  EXPECT_THAT(mistakes(with("policy:", "duration: 2592001s\npolicy:")),
              ElementsAre(AllOf(StartsWith("s.yaml:5:11: duration: "), HasSubstr("(at most 2592000s)"))));
}

TEST_F(ScenarioFile, RefusesLimitsThatAreNoSize) {
  EXPECT_THAT(mistakes(with("- name: db", "- name: db\n    cap_ipc_lock: no\n    rlimit_memlock: none")),
              ElementsAre("s.yaml:8:19: processes[0].cap_ipc_lock: expected true or false, found 'no'",
                          "s.yaml:9:21: processes[0].rlimit_memlock: expected unlimited or a size such as 64KiB, found "
                          "'none'"));
}

// --- policies and machines ----------------------------------------------------------------------------------

TEST_F(ScenarioFile, ReadsAPolicyWithItsDefaults) {
  const auto policy = read_policy(write("p.yaml", kPolicy));
  EXPECT_EQ(policy, (models::Policy{"mine", "", models::RwsemFlavour::fifo, HoldMode::downgrade, HoldMode::downgrade,
                                    HoldMode::write_held, models::FaultLock::mmap_sem}));
}

TEST_F(ScenarioFile, RefusesModesThatAreNotThereYet) {
  EXPECT_THAT(policy_mistakes(with("munlock: {mode: downgrade}", "munlock: {mode: chunked_write, batch: 16}", kPolicy)),
              ElementsAre("p.yaml:4:17: munlock.mode: 'chunked_write' is not supported by this version (supported: "
                          "write_held, downgrade)",
                          "p.yaml:4:32: munlock.batch: not supported by this version"));
  EXPECT_THAT(policy_mistakes(with("populate: {mode: downgrade}", "populate: {mode: drop_and_read}", kPolicy)),
              ElementsAre(StartsWith("p.yaml:3:18: populate.mode: 'drop_and_read' is not supported by this version")));
  EXPECT_THAT(policy_mistakes(std::string(kPolicy) + "rwsem: spin_handoff\nfault: {lock: per_vma}\n"),
              ElementsAre("p.yaml:6:8: rwsem: 'spin_handoff' is not supported by this version (supported: fifo)",
                          "p.yaml:7:15: fault.lock: 'per_vma' is not supported by this version (supported: "
                          "mmap_sem)"));
}

TEST_F(ScenarioFile, RefusesPoliciesThatAreIncompleteOrMisspelled) {
  EXPECT_THAT(policy_mistakes(with("munmap: {mode: write_held}\n", "munmp: {mode: write_held}\n", kPolicy)),
              ElementsAre("p.yaml:1:1: munmap: missing", "p.yaml:5:1: munmp: unknown key (did you mean munmap?)"));
  EXPECT_THAT(policy_mistakes(with("{mode: write_held}", "write_held", kPolicy)),
              ElementsAre("p.yaml:5:9: munmap: expected a map such as {mode: downgrade}, found 'write_held'"));
  EXPECT_THAT(policy_mistakes(with("write_held", "write_hold", kPolicy)),
              ElementsAre("p.yaml:5:16: munmap.mode: expected write_held, downgrade, found 'write_hold' "
                          "(did you mean write_held?)"));
}

TEST_F(ScenarioFile, RefusesMachinesWithImpossibleCosts) {
  auto text = with("timeslice: 4ms", "timeslice: 0ms", shipped_machine());
  text = with("find_vma: 100ns", "find_vma: exponential 100ns", text);
  text = with("zap_page: 210ns", "zap_pge: 210ns", text);
  EXPECT_THAT(
      machine_mistakes(text),
      ElementsAre(HasSubstr("scheduler.timeslice: expected a duration above zero, found '0ms'"),
                  HasSubstr("costs.zap_page: missing"), HasSubstr("costs.find_vma: expected a duration such as"),
                  HasSubstr("costs.zap_pge: unknown key (did you mean zap_page?)")));
}

// --- the command line ---------------------------------------------------------------------------------------

TEST_F(ScenarioFile, SetReachesEveryKey) {
  const auto scenario = read(kScenario, {{"processes[0].regions.heap.size=1GiB", "memory.size=2TiB", "machine.cpus=64",
                                          "machine.costs.munlock_page=1ns", "processes[1].threads.ps.target=ps",
                                          "processes[0].threads.locker.script=[mlock, munmap]", "seed=9"},
                                         {},
                                         {}});
  EXPECT_EQ(scenario.memory.size, Bytes{std::int64_t{2} << 40});
  EXPECT_EQ(scenario.processes[0].regions[0].size, Bytes{1 << 30});
  EXPECT_EQ(scenario.machine.cpus, 64);
  EXPECT_EQ(scenario.machine.costs.munlock_page, sim::Distribution(sim::Constant{1ns}));
  EXPECT_EQ(std::get<models::LockerSpec>(scenario.processes[0].threads[0].run).script.size(), 2u);
  EXPECT_EQ(scenario.seed, 9u);
}

TEST_F(ScenarioFile, SetReachesIntoAMachineThatIsOnlyNamed) {
  const auto text = with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", "machines/epyc-zen4-linux-6.18");
  EXPECT_EQ(read(text).machine.cpus, 2);
  EXPECT_EQ(read(text, {{"machine.cpus=64"}, {}, {}}).machine.cpus, 64);
}

TEST_F(ScenarioFile, MistakesInSetNameTheOptionAndThePath) {
  EXPECT_THAT(mistakes(kScenario, {{"memory.size=4GB", "memory.sise=1GiB", "processes[2].name=x"}, {}, {}}),
              ElementsAre("--set memory.sise=1GiB: memory.sise: unknown key (did you mean size?)",
                          "--set memory.size=4GB: memory.size: expected a size such as 4GiB or 512MiB, found '4GB' "
                          "(did you mean 4GiB?)",
                          "--set processes[2].name=x: processes[2].name: index 2 is out of range: 'processes' has 2 "
                          "items, counted from 0"));
}

TEST_F(ScenarioFile, TheCommandLinesSeedWins) {
  EXPECT_EQ(read(with("policy:", "seed: 3\npolicy:"), {{}, 0, {}}).seed, 0u);
}

TEST_F(ScenarioFile, TheCommandLinesPoliciesReplaceThoseOfTheScenario) {
  const auto scenario = read(kScenario, {{}, {}, {"unlock_downgrade", write("mine.yaml", kPolicy).string()}});
  ASSERT_THAT(scenario.policies, SizeIs(2));
  EXPECT_EQ(scenario.policies[0].name, "unlock_downgrade");
  EXPECT_EQ(scenario.policies[1].name, "mine");
  EXPECT_THAT(mistakes(with("policy: downgrade\n", ""), {{}, {}, {"downgrade"}}), IsEmpty());
}

TEST_F(ScenarioFile, AllMeansEveryShippedPolicy) {
  const auto scenario = read(kScenario, {{}, {}, {"all"}});
  EXPECT_EQ(scenario.policies.size(), list_configs(ConfigKind::policies).size());
}

TEST_F(ScenarioFile, RefusesUnknownPoliciesOfTheCommandLine) {
  EXPECT_THAT(mistakes(kScenario, {{}, {}, {"donwgrade", "write_held", "write_held"}}),
              ElementsAre("command line: policies[0]: there is no policy 'donwgrade' (did you mean downgrade?)",
                          "command line: policies[2]: the policy 'write_held' is there already"));
}

// --- finding files ------------------------------------------------------------------------------------------

TEST_F(ScenarioFile, PrefersAPolicyBesideTheScenarioToAShippedOne) {
  write("downgrade.yaml", with("name: mine", "name: downgrade\nabout: of my own", kPolicy));
  EXPECT_EQ(read(kScenario).policies[0].about, "of my own");
}

TEST_F(ScenarioFile, FindsANameWithAndWithoutFolderAndExtension) {
  const auto shipped = std::filesystem::path(MLOCKSIM_SOURCE_CONFIGS) / "machines/epyc-zen4-linux-6.18.yaml";
  for (const std::string name : {"epyc-zen4-linux-6.18", "machines/epyc-zen4-linux-6.18", "epyc-zen4-linux-6.18.yaml",
                                 "machines/epyc-zen4-linux-6.18.yaml"}) {
    const auto found = find_config(ConfigKind::machines, name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(*found, shipped);
  }
  EXPECT_EQ(*find_config(ConfigKind::machines, shipped.string()), shipped);
}

TEST_F(ScenarioFile, ABareNameDoesNotMeanAStrayFile) {
  write("downgrade", "not a policy");
  EXPECT_EQ(find_config(ConfigKind::policies, "downgrade", {folder()})->parent_path().filename(), "policies");
}

TEST_F(ScenarioFile, LooksForShippedFilesWhereTheEnvironmentSays) {
  write("elsewhere/policies/b.yaml", with("name: mine", "name: b\nabout: second", kPolicy));
  write("elsewhere/policies/a.yaml", with("name: mine", "name: a", kPolicy));
  write("elsewhere/policies/readme.txt", "");
  ::setenv("MLOCKSIM_CONFIGS", (folder() / "elsewhere").c_str(), 1);
  const auto entries = list_configs(ConfigKind::policies);
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[0].about, "");
  EXPECT_EQ(entries[1].name, "b");
  EXPECT_EQ(entries[1].about, "second");
  EXPECT_EQ(entries[1].path, folder() / "elsewhere/policies/b.yaml");
  EXPECT_THAT(list_configs(ConfigKind::machines), IsEmpty());
  EXPECT_THAT(find_config(ConfigKind::policies, "nothing").message(), HasSubstr("(in "));
}

TEST_F(ScenarioFile, FallsBackToTheSourceTree) {
  ::unsetenv("MLOCKSIM_CONFIGS");
  EXPECT_EQ(configs_directory(), MLOCKSIM_SOURCE_CONFIGS);
}

TEST_F(ScenarioFile, EveryShippedFileReadsAndIsNamedAsItsFile) {
  for (const ConfigKind kind : {ConfigKind::machines, ConfigKind::policies, ConfigKind::scenarios}) {
    const auto entries = list_configs(kind);
    EXPECT_FALSE(entries.empty());
    for (const ConfigEntry& entry : entries) {
      EXPECT_EQ(mistakes_of([&] { EXPECT_EQ(check_file(entry.path), kind); }), Lines{});
      EXPECT_NE(entry.about, "") << entry.path;
    }
  }
  for (const auto& entry : list_configs(ConfigKind::machines)) EXPECT_EQ(read_machine(entry.path).name, entry.name);
  for (const auto& entry : list_configs(ConfigKind::policies)) EXPECT_EQ(read_policy(entry.path).name, entry.name);
  for (const auto& entry : list_configs(ConfigKind::scenarios)) EXPECT_EQ(read_scenario(entry.path).name, entry.name);
}

TEST_F(ScenarioFile, TheFlagshipComparesThePatchAndItsQuestion) {
  const auto scenario = read_scenario(*find_config(ConfigKind::scenarios, "unlock_question"));
  ASSERT_THAT(scenario.policies, SizeIs(3));
  EXPECT_EQ(scenario.policies[0].populate, HoldMode::write_held);
  EXPECT_EQ(scenario.policies[1].populate, HoldMode::downgrade);
  EXPECT_EQ(scenario.policies[1].munlock, HoldMode::write_held);
  EXPECT_EQ(scenario.policies[2].munlock, HoldMode::downgrade);
  EXPECT_EQ(scenario.policies[2].munmap, HoldMode::write_held);
  EXPECT_EQ(scenario.machine.cpus, 16);
}

TEST_F(ScenarioFile, CheckTellsWhatAFileIs) {
  EXPECT_EQ(check_file(write("x.yaml", kScenario)), ConfigKind::scenarios);
  EXPECT_EQ(check_file(write("x.yaml", kPolicy)), ConfigKind::policies);
  EXPECT_EQ(check_file(write("x.yaml", shipped_machine())), ConfigKind::machines);
}

TEST_F(ScenarioFile, CheckRefusesBadFilesAndFilesOfNoKind) {
  EXPECT_THAT(mistakes_of([] { check_file(write("x.yaml", with("name: mine", "nam: mine", kPolicy))); }), SizeIs(2));
  EXPECT_THAT(mistakes_of([] { check_file(write("x.yaml", "schema: mlocksim/1\n")); }),
              ElementsAre(StartsWith("x.yaml:1:1: expected a scenario (with `processes`), a machine")));
  EXPECT_THAT(mistakes_of([] { check_file("nowhere.yaml"); }), SizeIs(1));
}

}  // namespace
}  // namespace experiments
