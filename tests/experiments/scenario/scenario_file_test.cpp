#include "experiments/scenario/scenario_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <tuple>
#include <variant>

#include "tests/support/config_files.h"

namespace experiments::scenario_file_test {
namespace {

using models::Bytes;
using models::HoldMode;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using tests::kDevice;
using tests::kPolicy;
using tests::kScenario;
using tests::kZram;
using tests::mistakes;
using tests::mistakes_of;
using tests::read;
using tests::shipped_machine;
using tests::with;
using tests::write;
using namespace std::chrono_literals;

class ScenarioFile : public tests::ConfigFiles {};

using Kind = models::RegionSpec::Kind;

models::RegionSpec region(const std::string& name, Bytes size, int vmas = 1, Kind kind = Kind::anon) {
  return {name, size, vmas, kind, models::RegionSpec::Pages::absent, false, {}};
}

// --- what is read -------------------------------------------------------------------------------------------

TEST_F(ScenarioFile, AMissingMachineIsOneMistakeAlsoWithHugePages) {
  const std::string huge = with("size: 512MiB, kind: anon", "size: 512MiB, page_size: thp");
  EXPECT_THAT(mistakes(with("machine: {from: machines/epyc-zen4-linux-6.18, cpus: 4}\n", "", huge)),
              ElementsAre("s.yaml:1:1: machine: missing"));
}

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
  EXPECT_THAT(db.regions, ElementsAre(region("heap", Bytes{512 << 20})));
  ASSERT_THAT(db.threads, SizeIs(2));
  using Step = models::ScriptStep;
  EXPECT_EQ(db.threads[0],
            (models::ThreadSpec{"locker", 1,
                                models::LockerSpec{"heap",
                                                   {Step{Step::Call::mlock, {}}, Step{Step::Call::hold, 100ms},
                                                    Step{Step::Call::munlock, {}}},
                                                   1}}));
  models::FaulterSpec faulter;
  faulter.arrival = models::ClosedLoop{sim::Constant{50us}};
  EXPECT_EQ(db.threads[1], (models::ThreadSpec{"faulter", 2, faulter}));
  const models::ProcReaderSpec ps{models::ProcReaderSpec::File::cmdline, "db", models::ClosedLoop{sim::Constant{10ms}}};
  EXPECT_EQ(scenario.processes[1].threads[0], (models::ThreadSpec{"ps", 1, ps}));
}

TEST_F(ScenarioFile, KeepsTheOrderOfRegionsAndThreads) {
  const auto scenario =
      read(with("{heap: {size: 512MiB, kind: anon}}", "{z: {size: 4KiB}, heap: {size: 4KiB}, a: {size: 4KiB}}"));
  std::string order;
  for (const auto& each : scenario.processes[0].regions) order += each.name + " ";
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

TEST_F(ScenarioFile, ReadsAMachineAndAPolicyInline) {
  auto machine = with("schema: mlocksim/1\n", "", shipped_machine());
  boost::algorithm::replace_all(machine, "\n", "\n  ");
  auto text = with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", "\n  " + machine);
  text = with(
      "policy: downgrade",
      "policy: {name: mine, populate: {mode: downgrade}, munlock: {mode: downgrade}, munmap: {mode: downgrade}}", text);
  const auto scenario = read(text);
  EXPECT_EQ(scenario.machine, read_machine(*find_config(ConfigKind::machines, "epyc-zen4-linux-6.18")));
  EXPECT_EQ(scenario.policies[0].munmap.mode, HoldMode::downgrade);
}

// --- what is refused: the file as a whole -------------------------------------------------------------------

TEST_F(ScenarioFile, SaysEverythingThatIsWrongAtOnce) {
  auto text = with("name: small", "name: so small");
  text = with("size: 1GiB", "size: 1GB", text);
  text = with("policy: downgrade", "policy: downgrad", text);
  text = with("count: 2", "count: -1", text);
  text = with("target: db", "target: bd", text);
  text = with("size: 512MiB", "sise: 512MiB", text);
  EXPECT_THAT(
      mistakes(text),
      ElementsAre(
          "s.yaml:2:7: name: expected a name of at most 100 letters, digits, '_', '-' and '.', found 'so small'",
          "s.yaml:4:16: memory.size: expected a size such as 4GiB or 512MiB, found '1GB' (did you mean 1GiB?)",
          "s.yaml:5:9: policy: there is no policy 'downgrad' (did you mean downgrade?)",
          "s.yaml:8:21: processes[0].regions.heap.size: missing",
          "s.yaml:8:22: processes[0].regions.heap.sise: unknown key (did you mean size?)",
          "s.yaml:11:38: processes[0].threads.faulter.count: expected a whole number from 0 to 10000, found '-1'",
          "s.yaml:14:53: processes[1].threads.ps.target: expected the name of a process, found 'bd' "
          "(did you mean db?)"));
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

// --- how threads are scheduled

TEST_F(ScenarioFile, ReadsNicenessAffinityAndGroup) {
  const auto scenario =
      read(with("count: 2", "count: 2, nice: -5, cpus: [3, 0, 3], group: few",
                with("policy:", "groups: {many: {cpu_weight: 400}, few: {cpu_max: {quota: 20ms}}}\npolicy:")));
  ASSERT_THAT(scenario.groups, SizeIs(2));
  EXPECT_EQ(scenario.groups[0], (models::GroupSpec{"many", 400, {}}));
  EXPECT_EQ(scenario.groups[1], (models::GroupSpec{"few", 100, models::CpuMax{20ms, 100ms}}));
  const models::SchedSpec& sched = scenario.processes[0].threads[1].sched;
  EXPECT_EQ(sched.nice, -5);
  EXPECT_THAT(sched.cpus, ElementsAre(0, 3));
  EXPECT_EQ(sched.group, 1);
  EXPECT_EQ(scenario.processes[0].threads[0].sched, models::SchedSpec{});
}

TEST_F(ScenarioFile, ReadsBusyThreads) {
  const auto busy = [&](const std::string& keys) {
    const auto scenario = read(with("      ps: {run", "      busy: {run: busy" + keys + "}\n      ps: {run"));
    return std::get<models::BusySpec>(scenario.processes[1].threads[0].run);
  };
  EXPECT_EQ(busy("").sleep, std::nullopt);
  EXPECT_EQ(busy(", spin: 2ms, sleep: 1ms"), (models::BusySpec{sim::Constant{2ms}, sim::Constant{1ms}}));
}

TEST_F(ScenarioFile, RefusesWhatNoSchedulerKnows) {
  const auto refused = [&](const std::string& keys) { return mistakes(with("count: 2", keys)); };
  EXPECT_THAT(refused("nice: 20"),
              ElementsAre(HasSubstr("threads.faulter.nice: expected a whole number from -20 to 19")));
  EXPECT_THAT(refused("nice: 1.5"),
              ElementsAre(HasSubstr("nice: expected a whole number from -20 to 19, found '1.5'")));
  EXPECT_THAT(refused("cpus: [4]"), ElementsAre(HasSubstr("cpus[0]: expected a whole number from 0 to 3, found '4'")));
  EXPECT_THAT(refused("cpus: []"), ElementsAre(HasSubstr("cpus: expected a list of CPUs")));
  EXPECT_THAT(refused("group: few"), ElementsAre(HasSubstr("group: expected one of the scenario's `groups`")));
  EXPECT_THAT(mistakes(with("policy:", "groups: {g: {cpu_max: {qouta: 1ms}, cpu_weight: 0}}\npolicy:")),
              ElementsAre(HasSubstr("groups.g.cpu_max.quota: missing"),
                          HasSubstr("groups.g.cpu_max.qouta: unknown key (did you mean quota?)"),
                          HasSubstr("groups.g.cpu_weight: expected a whole number from 1 to 10000")));
  EXPECT_THAT(mistakes(with("run: faulter", "run: busy, sleep: 1ms")),
              Contains(HasSubstr("threads.faulter.spin: missing: what it does between two sleeps")));
}

TEST_F(ScenarioFile, RefusesWhatIsPlannedButNotThereYet) {
  EXPECT_THAT(mistakes(with("kind: anon", "kind: gate")),
              ElementsAre("s.yaml:8:42: processes[0].regions.heap.kind: 'gate' is not supported by this version "
                          "(supported: anon, file, shmem, special, hugetlb, io)"));
  EXPECT_THAT(mistakes(with("file: cmdline", "file: environ")),
              ElementsAre("s.yaml:14:36: processes[1].threads.ps.file: 'environ' is not supported by this version "
                          "(supported: cmdline, maps, smaps, smaps_rollup, numa_maps, clear_refs, pagemap)"));
}

// --- what is refused: policies --------------------------------------------------------------

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
  EXPECT_THAT(
      mistakes(with("run: faulter", "run: fualter")),
      ElementsAre("s.yaml:11:22: processes[0].threads.faulter.run: expected locker, faulter, proc_reader, "
                  "mapper, recycler, madviser, mincore, get_mempolicy, protector, forker, remote_reader, mover, "
                  "pinner, msync, holder, khugepaged, numa_balancing, ksm, userfaultfd, replay, busy, found 'fualter' "
                  "(did you mean faulter?)"));
  EXPECT_THAT(mistakes(with("run: faulter, ", "")),
              ElementsAre("s.yaml:11:16: processes[0].threads.faulter.run: missing"));
}

TEST_F(ScenarioFile, RefusesALockerOfAnUnknownRegion) {
  EXPECT_THAT(mistakes(with("region: heap", "region: haep")),
              ElementsAre("s.yaml:10:37: processes[0].threads.locker.region: expected a region of this process, found "
                          "'haep' (did you mean heap?)"));
}

TEST_F(ScenarioFile, RefusesAnEmptyScriptAndUnknownSteps) {
  const std::string steps = "a step such as mlock, munmap 64MiB, brk 1MiB or hold 100ms";
  EXPECT_THAT(mistakes(with("[mlock, hold 100ms, munlock]", "[]")),
              ElementsAre("s.yaml:10:51: processes[0].threads.locker.script: expected a list of steps such as [mlock, "
                          "hold 100ms, munlock], found an empty list"));
  EXPECT_THAT(
      mistakes(with("[mlock, hold 100ms, munlock]", "[mlok, hold, hold 5, {a: 1}, sleep 5s]")),
      ElementsAre(
          "s.yaml:10:52: processes[0].threads.locker.script[0]: expected " + steps +
              ", found 'mlok' (did you mean mlock?)",
          "s.yaml:10:58: processes[0].threads.locker.script[1]: in 'hold': expected a duration such as "
          "250ns, 1.5us, 10ms or 3s, found ''",
          "s.yaml:10:64: processes[0].threads.locker.script[2]: in 'hold 5': expected a duration such "
          "as 250ns, 1.5us, 10ms or 3s, found '5' (the unit is missing: ns, us, ms, s)",
          "s.yaml:10:72: processes[0].threads.locker.script[3]: expected " + steps + ", found a map",
          "s.yaml:10:80: processes[0].threads.locker.script[4]: expected " + steps +
              ", found 'sleep 5s' (all begin with one of brk, exit, hold, mlock, mlockall, mmap locked, mremap, "
              "msync, munlock, munlockall, munmap, remap_file_pages, stack)"));
}

TEST_F(ScenarioFile, AStepThatTakesNothingBehindItIsNamedAlone) {
  const auto refused = [](const std::string& step) { return mistakes(with("hold 100ms", step)); };
  EXPECT_THAT(refused("mremap 4KiB"), ElementsAre(HasSubstr("found 'mremap 4KiB' (did you mean mremap?)")));
  EXPECT_THAT(refused("exit now, please"), Contains(HasSubstr("found 'exit now' (did you mean exit?)")));
  EXPECT_THAT(refused(std::string(2000, 'x')), ElementsAre(HasSubstr("x...' (2000 characters)")));
  for (const std::string& step : {std::string("mremap 4KiB"), std::string("sleep 5s"), std::string(2000, 'x')}) {
    EXPECT_LT(refused(step).front().size(), 400U);
  }
}

TEST_F(ScenarioFile, RefusesCallsThatAPolicysKernelDoesNotHaveYet) {
  const auto mistake = [](const std::string& thread, const std::string& policy) {
    const std::string text = with("faulter: {run: faulter, count: 2, closed: {think: 50us}}", thread);
    return mistakes(with("policy: downgrade", "policy: " + policy, text));
  };
  const auto advises = [](const std::string& advice) {
    return "giver: {run: madviser, region: heap, advice: " + advice + ", closed: {think: 50us}}";
  };
  const auto with_locker = [](const std::string& step, const std::string& policy) {
    return mistakes(with("policy: downgrade", "policy: " + policy, with("hold 100ms", step)));
  };
  EXPECT_THAT(mistake(advises("dontneed_locked"), "5.17"),
              ElementsAre("s.yaml:5:9: policy: Linux 5.17 does not have madvise(MADV_DONTNEED_LOCKED) yet, which "
                          "'giver' uses: expected Linux 5.18 or later"));
  EXPECT_THAT(mistake(advises("dontneed_locked"), "5.18"), IsEmpty());
  EXPECT_THAT(mistake(advises("dontneed_locked"), "downgrade"), IsEmpty()) << "it says of no kernel that it is it";
  EXPECT_THAT(mistake("monitor: {run: userfaultfd, region: heap}", "4.2"),
              ElementsAre(HasSubstr("Linux 4.2 does not have userfaultfd yet")));
  EXPECT_THAT(mistake("ksm: {run: ksm}", "2.6.29"), ElementsAre(HasSubstr("does not have KSM yet")));
  EXPECT_THAT(mistake("outside: {run: madviser, target: db, region: heap, advice: cold, closed: {think: 1ms}}", "5.9"),
              ElementsAre(HasSubstr("does not have process_madvise yet")));
  const std::vector<std::tuple<std::string, std::string, std::string>> dated{{"hugepage", "2.6.37", "2.6.38"},
                                                                             {"nohugepage", "2.6.37", "2.6.38"},
                                                                             {"free", "4.4", "4.5"},
                                                                             {"cold", "5.3", "5.4"},
                                                                             {"pageout", "5.3", "5.4"},
                                                                             {"populate_read", "5.13", "5.14"},
                                                                             {"populate_write", "5.13", "5.14"},
                                                                             {"collapse", "6.0", "6.1"}};
  for (const auto& [advice, before, since] : dated) {
    EXPECT_THAT(mistake(advises(advice), before), ElementsAre(HasSubstr("expected Linux " + since + " or later")));
    EXPECT_THAT(mistake(advises(advice), since), IsEmpty()) << advice;
  }
  EXPECT_THAT(with_locker("mlock onfault", "4.3"), ElementsAre(HasSubstr("mlock2(MLOCK_ONFAULT)")));
  EXPECT_THAT(with_locker("mlock onfault", "4.4"), IsEmpty());
  EXPECT_THAT(with_locker("mlockall onfault", "4.3"), ElementsAre(HasSubstr("mlockall(MCL_ONFAULT)")));
  const std::string pins = "pins: {run: pinner, region: heap, size: 4KiB, closed: {think: 50us}, by: ";
  EXPECT_THAT(mistake(pins + "io_uring}", "5.0"), ElementsAre(HasSubstr("io_uring")));
  EXPECT_THAT(mistake(pins + "io_uring}", "5.1"), IsEmpty());
  EXPECT_THAT(mistake(pins + "vfio}", "3.5"), ElementsAre(HasSubstr("VFIO")));
  EXPECT_THAT(mistake(pins + "rdma}", "2.6.27"), IsEmpty());
  EXPECT_THAT(mistakes(with("policy: downgrade", "policy: 4.13", with("file: cmdline", "file: smaps_rollup"))),
              ElementsAre(HasSubstr("/proc/PID/smaps_rollup")));
}

// What the command line puts in the policies' place is what is looked at.
TEST_F(ScenarioFile, CallsAreHeldAgainstThePoliciesThatAreRun) {
  const std::string text = with("policy: downgrade", "policy: 5.4", with("hold 100ms", "mlock onfault"));
  EXPECT_THAT(mistakes(text), IsEmpty());
  EXPECT_THAT(mistakes(text, {{}, {}, {"5.4", "3.10", "6.1"}}),
              ElementsAre(HasSubstr("policies[1]: Linux 3.10 does not")));
  const std::string old = with("policy: downgrade", "policy: 3.10", with("hold 100ms", "mlock onfault"));
  EXPECT_THAT(mistakes(old, {{}, {}, {"6.1"}}), IsEmpty());
}

TEST_F(ScenarioFile, RefusesALockerThatNeverRepeats) {
  EXPECT_THAT(mistakes(with("munlock]}", "munlock], repeat: 0}")),
              ElementsAre("s.yaml:10:89: processes[0].threads.locker.repeat: expected a whole number from 1 to "
                          "2147483647, found '0'"));
}

TEST_F(ScenarioFile, RefusesStepsAfterExitAndToRepeatIt) {
  EXPECT_THAT(mistakes(with("hold 100ms, munlock]", "exit, munlock]")),
              ElementsAre("s.yaml:10:65: processes[0].threads.locker.script[2]: nothing can come after exit"));
  EXPECT_THAT(mistakes(with("hold 100ms, munlock]", "exit], repeat: 2")),
              ElementsAre("s.yaml:10:74: processes[0].threads.locker.repeat: expected 1, as the script ends with exit, "
                          "found '2'"));
}

TEST_F(ScenarioFile, RefusesGrowthByNoWholePages) {
  EXPECT_THAT(
      mistakes(with("hold 100ms, munlock]", "brk, stack 1KiB]")),
      ElementsAre(StartsWith("s.yaml:10:59: processes[0].threads.locker.script[1]: in 'brk': expected a size"),
                  "s.yaml:10:64: processes[0].threads.locker.script[2]: in 'stack 1KiB': expected a multiple of "
                  "4KiB above zero"));
}

TEST_F(ScenarioFile, ReadsEveryStepOfALocker) {
  using Step = models::ScriptStep;
  const auto scenario =
      read(with("[mlock, hold 100ms, munlock]",
                "[mlockall, mlockall future, munlockall, mmap locked, brk 1MiB, stack 64KiB, remap_file_pages, exit]"));
  EXPECT_THAT(std::get<models::LockerSpec>(scenario.processes[0].threads[0].run).script,
              ElementsAre(Step{Step::Call::mlockall}, Step{Step::Call::mlockall_future}, Step{Step::Call::munlockall},
                          Step{Step::Call::mmap_locked}, Step{Step::Call::brk, {}, Bytes{1 << 20}},
                          Step{Step::Call::stack, {}, Bytes{64 << 10}}, Step{Step::Call::remap_file_pages},
                          Step{Step::Call::exit}));
}

TEST_F(ScenarioFile, ReadsSeveralLockersInAProcess) {
  const auto scenario =
      read(with("munlock]}", "munlock], count: 3}\n      l2: {run: locker, region: heap, script: [mlock]}"));
  EXPECT_EQ(scenario.processes[0].threads[0].count, 3);
  EXPECT_TRUE(std::holds_alternative<models::LockerSpec>(scenario.processes[0].threads[1].run));
}

TEST_F(ScenarioFile, ReadsKindsOfRegionsCutIntoVmas) {
  const auto regions = read(with("{heap: {size: 512MiB, kind: anon}}",
                                 "{heap: {size: 1MiB, vmas: 256}, s: {size: 1MiB, kind: special}, h: {size: 2MiB, "
                                 "kind: hugetlb}, io: {size: 1MiB, kind: io}}"))
                           .processes[0]
                           .regions;
  models::RegionSpec hugetlb = region("h", Bytes{1 << 21}, 1, Kind::hugetlb);
  hugetlb.folio_order = models::kPmdOrder;
  EXPECT_THAT(regions, ElementsAre(region("heap", Bytes{1 << 20}, 256, Kind::anon),
                                   region("s", Bytes{1 << 20}, 1, Kind::special), hugetlb,
                                   region("io", Bytes{1 << 20}, 1, Kind::io)));
}

TEST_F(ScenarioFile, ReadsWhatThePagesOfARegionAre) {
  const auto region_of = [](const std::string& keys) {
    return read(with("kind: anon", keys, with("512MiB", "1GiB", with("size: 1GiB", "size: 4GiB"))))
        .processes[0]
        .regions[0];
  };
  EXPECT_EQ(region_of("kind: anon").folio_order, 0);
  EXPECT_EQ(region_of("page_size: 64KiB").folio_order, 4);
  EXPECT_EQ(region_of("page_size: 2MiB").folio_order, models::kPmdOrder);
  EXPECT_EQ(region_of("page_size: thp").folio_order, std::nullopt);
  EXPECT_EQ(region_of("page_size: hugetlb 1GiB").folio_order, models::kPudOrder);
  EXPECT_EQ(region_of("page_size: hugetlb 1GiB").kind, Kind::hugetlb);
}

TEST_F(ScenarioFile, RefusesPagesThatARegionCannotHave) {
  const std::string where = "processes[0].regions.heap.";
  const auto region_mistakes = [](const std::string& keys) { return mistakes(with("kind: anon", keys)); };
  EXPECT_THAT(region_mistakes("page_size: 8KiB"),
              ElementsAre(HasSubstr(where + "page_size: expected 4KiB, 16KiB, 32KiB, 64KiB")));
  EXPECT_THAT(region_mistakes("kind: file, page_size: 2MiB"),
              ElementsAre(HasSubstr(where + "page_size: expected 4KiB: only anonymous memory has larger pages")));
  EXPECT_THAT(region_mistakes("kind: hugetlb, page_size: 2MiB"),
              ElementsAre(HasSubstr(where + "page_size: expected hugetlb 2MiB or hugetlb 1GiB")));
  EXPECT_THAT(region_mistakes("page_size: hugetlb 1GiB"),
              ElementsAre(HasSubstr(where + "size: expected a multiple of its pages' 1GiB, found '512MiB'")));
  EXPECT_THAT(region_mistakes("kind: hugetlb, vmas: 3"),
              ElementsAre(HasSubstr(where + "vmas: expected VMAs of whole pages of 2MiB, found '3'")));
}

TEST_F(ScenarioFile, ReadsWhereThePagesOfARegionAre) {
  using Pages = models::RegionSpec::Pages;
  auto text = with("1GiB}", "1GiB, swap: {size: 1GiB}}");
  text = with("{heap: {size: 512MiB, kind: anon}}",
              "{heap: {size: 4KiB, pages: swapped, touched_every: 5s}, r: {size: 4KiB, pages: resident}, f: {size: "
              "4KiB, kind: file}, c: {size: 4KiB, kind: file, pages: cached}, m: {size: 4KiB, kind: file, pages: "
              "resident}, h: {size: 4MiB, kind: hugetlb, pages: resident}}",
              text);
  using Region = models::RegionSpec;
  Region hugetlb{"h", Bytes{4 << 20}, 1, Kind::hugetlb, Pages::resident};
  hugetlb.folio_order = models::kPmdOrder;
  EXPECT_THAT(read(text).processes[0].regions,
              ElementsAre(Region{"heap", Bytes{4096}, 1, Kind::anon, Pages::swapped, false, false, {}, false, 5s},
                          Region{"r", Bytes{4096}, 1, Kind::anon, Pages::resident, false, {}},
                          Region{"f", Bytes{4096}, 1, Kind::file, Pages::absent, false, {}},
                          Region{"c", Bytes{4096}, 1, Kind::file, Pages::cached, false, {}},
                          Region{"m", Bytes{4096}, 1, Kind::file, Pages::resident, false, {}}, hugetlb));
}

TEST_F(ScenarioFile, RefusesPagesWhereThoseOfAKindOfRegionAreNever) {
  const auto region_mistakes = [](const std::string& keys) {
    return mistakes(with("size: 512MiB, kind: anon", "size: 4KiB, " + keys));
  };
  EXPECT_THAT(
      region_mistakes("pages: cached"),
      ElementsAre("s.yaml:8:41: processes[0].regions.heap.pages: expected absent, resident or swapped: only the "
                  "pages of files and of shmem are in the page cache, found 'cached'"));
  EXPECT_THAT(
      region_mistakes("pages: swapped, kind: file"),
      ElementsAre("s.yaml:8:41: processes[0].regions.heap.pages: expected absent, resident or cached: the pages "
                  "of a file are never in swap, found 'swapped'"));
  for (const std::string kind : {"special", "io"}) {
    for (const std::string pages : {"resident", "cached", "swapped"}) {
      EXPECT_THAT(region_mistakes("pages: " + pages + ", kind: " + kind),
                  ElementsAre("s.yaml:8:41: processes[0].regions.heap.pages: expected absent: only the pages of anon"
                              ", file and shmem regions can be anywhere at the start, found '" +
                              pages + "'"));
    }
  }
  EXPECT_THAT(region_mistakes("pages: swaped"),
              ElementsAre("s.yaml:8:41: processes[0].regions.heap.pages: expected absent, resident, cached, swapped, "
                          "found 'swaped' (did you mean swapped?)"));
  EXPECT_THAT(
      region_mistakes("pages: cached, kind: fil"),
      ElementsAre(
          "s.yaml:8:55: processes[0].regions.heap.kind: expected anon, file, shmem, special, hugetlb, io, found "
          "'fil' (did you mean file?)"));
  EXPECT_THAT(region_mistakes("touched_every: 0s"),
              ElementsAre("s.yaml:8:49: processes[0].regions.heap.touched_every: expected a duration above zero, found "
                          "'0s'"));
}

TEST_F(ScenarioFile, RefusesMoreVmasThanPages) {
  EXPECT_THAT(mistakes(with("size: 512MiB", "size: 8KiB, vmas: 3")),
              ElementsAre("s.yaml:8:40: processes[0].regions.heap.vmas: expected at most the region's 2 pages, found "
                          "'3'"));
}

TEST_F(ScenarioFile, ReadsRecyclersProtectorsForkersAndRemoteReaders) {
  const models::Arrival arrival = models::ClosedLoop{sim::Constant{1ms}};
  auto text = with("      faulter:", R"(      r: {run: recycler, region: heap, size: 1MiB, closed: {think: 1ms}}
      p: {run: protector, region: heap, closed: {think: 1ms}}
      f: {run: forker, closed: {think: 1ms}}
      faulter:)");
  text =
      with("      ps:", "      d: {run: remote_reader, target: db, pages: 16, closed: {think: 1ms}}\n      ps:", text);
  text = with("file: cmdline", "file: smaps", text);
  const auto scenario = read(text);
  const auto& db = scenario.processes[0].threads;
  EXPECT_EQ(db[1], (models::ThreadSpec{
                       "r", 1, models::MadviserSpec{"heap", models::Advice::dontneed, Bytes{1 << 20}, arrival}}));
  EXPECT_EQ(db[2], (models::ThreadSpec{"p", 1, models::ProtectorSpec{"heap", Bytes{4096}, arrival}}));
  EXPECT_EQ(db[3], (models::ThreadSpec{"f", 1, models::ForkerSpec{arrival}}));
  const auto& ps = scenario.processes[1].threads;
  EXPECT_EQ(ps[0], (models::ThreadSpec{"d", 1, models::RemoteReaderSpec{"db", models::PageCount{16}, arrival}}));
  EXPECT_EQ(std::get<models::ProcReaderSpec>(ps[1].run).file, models::ProcReaderSpec::File::smaps);
}

TEST_F(ScenarioFile, ReadsMemoryLimitsOfTheGroupsOfProcesses) {
  const auto with_group = [](const std::string& limits, const std::string& of_process, const std::string& of_thread) {
    std::string text = with("policy:", "groups: {tenant: {" + limits + "}}\npolicy:");
    text = with("  - name: db", "  - name: db" + of_process, text);
    return with("run: faulter, count: 2", "run: faulter, count: 2" + of_thread, text);
  };
  const std::string in_tenant = "\n    group: tenant";
  const auto scenario = read(with_group("memory_max: 64MiB, memory_high: 60MiB", in_tenant, ""));
  EXPECT_EQ(scenario.groups[0].memory_max, Bytes{64 << 20});
  EXPECT_EQ(scenario.groups[0].memory_high, Bytes{60 << 20});
  EXPECT_EQ(scenario.processes[0].group, 0);
  EXPECT_EQ(scenario.processes[1].group, -1);
  // Its threads are in it, too.
  EXPECT_EQ(scenario.processes[0].threads[1].sched.group, 0);
  EXPECT_EQ(scenario.processes[1].threads[0].sched.group, -1);
  EXPECT_THAT(mistakes(with_group("memory_max: 64MiB", "", ", group: tenant")),
              ElementsAre(HasSubstr("faulter.group: memory is limited by process: expected `group` beside the name of "
                                    "the process, not of a thread")));
  EXPECT_THAT(mistakes(with_group("memory_max: 64MiB", "\n    group: tennant", "")),
              ElementsAre(HasSubstr("processes[0].group: expected one of the scenario's `groups`, found 'tennant' (did "
                                    "you mean tenant?)")));
  EXPECT_THAT(mistakes(with_group("memory_max: 1000B", in_tenant, "")), ElementsAre(HasSubstr("tenant.memory_max: ")));
  EXPECT_THAT(mistakes(with_group("memory_mx: 64MiB", in_tenant, "")),
              ElementsAre(HasSubstr("groups.tenant.memory_mx: unknown key (did you mean memory_max?)")));
  const std::string resident =
      with("kind: anon", "kind: anon, pages: resident", with_group("memory_max: 64MiB", in_tenant, ""));
  EXPECT_THAT(mistakes(resident), ElementsAre(HasSubstr("processes[0].group: expected regions of at most the group's "
                                                        "64MiB in memory at the start, found 512MiB")));
}

TEST_F(ScenarioFile, ReadsHolders) {
  using models::HolderSpec;
  const auto with_holder = [](const std::string& keys) {
    return with("      ps:", "      h: {run: holder, " + keys + "}\n      ps:");
  };
  const auto holder = [&](const std::string& keys) {
    return std::get<HolderSpec>(read(with_holder(keys)).processes[1].threads[0].run);
  };
  EXPECT_EQ(holder("target: db, mode: read, hold: 2ms, every: exponential 1s, yields: lock"),
            (HolderSpec{"db", HolderSpec::Mode::read, sim::Constant{2ms}, HolderSpec::Yields::lock,
                        models::OpenLoop{sim::Exponential{1s}}}));
  EXPECT_EQ(holder("hold: exponential 1ms, closed: {think: 1ms}"),
            (HolderSpec{"", HolderSpec::Mode::write, sim::Exponential{1ms}, HolderSpec::Yields::cpu,
                        models::ClosedLoop{sim::Constant{1ms}}}));
  EXPECT_THAT(mistakes(with_holder("every: 1s")),
              ElementsAre(HasSubstr("h.hold: missing: how long it has mmap_sem each time")));
  EXPECT_THAT(mistakes(with_holder("hold: 1ms, every: 1s, closed: {think: 1ms}")),
              ElementsAre(HasSubstr("h.closed: expected either `every` or `closed`, found both")));
  EXPECT_THAT(mistakes(with_holder("hold: 1ms, every: 1s, mode: wirte")),
              ElementsAre(HasSubstr("h.mode: expected read, write, found 'wirte' (did you mean write?)")));
  EXPECT_THAT(mistakes(with_holder("hold: 1ms, every: 1s, yields: always")),
              ElementsAre(HasSubstr("h.yields: expected never, cpu, lock")));
  EXPECT_THAT(mistakes(with_holder("target: bd, hold: 1ms, every: 1s")),
              ElementsAre(HasSubstr("h.target: expected the name of a process, found 'bd' (did you mean db?)")));
}

TEST_F(ScenarioFile, ReadsKernelThreadsWithTheKernelsOwnSettings) {
  using models::KhugepagedSpec;
  using models::NumaBalancingSpec;
  const auto with_thread = [](const std::string& keys) {
    return with("      ps:", "      k: {" + keys + "}\n      ps:");
  };
  const auto thread = [&](const std::string& keys) { return read(with_thread(keys)).processes[1].threads[0]; };
  EXPECT_EQ(std::get<KhugepagedSpec>(thread("run: khugepaged, target: db").run), (KhugepagedSpec{.target = "db"}));
  EXPECT_EQ(thread("run: khugepaged, target: db").sched.nice, 19);
  EXPECT_EQ(thread("run: khugepaged, nice: 0").sched.nice, 0);
  EXPECT_EQ(thread("run: numa_balancing, target: db").sched.nice, 0);
  const models::ClosedLoop often{sim::Constant{1ms}};
  EXPECT_EQ(std::get<KhugepagedSpec>(
                thread("run: khugepaged, pages_to_scan: 512, max_ptes_none: 64, closed: {think: 1ms}").run),
            (KhugepagedSpec{"", models::PageCount(512), models::PageCount(64), often}));
  EXPECT_EQ(
      std::get<NumaBalancingSpec>(thread("run: numa_balancing, target: db, scan_size: 1MiB, open: {every: 1s}").run),
      (NumaBalancingSpec{"db", models::Bytes(1 << 20), models::OpenLoop{sim::Constant{1s}}}));
  EXPECT_THAT(mistakes(with_thread("run: khugepaged, max_ptes_none: 512")),
              ElementsAre(HasSubstr("k.max_ptes_none: expected")));
  EXPECT_THAT(mistakes(with_thread("run: khugepaged, pages_to_scan: 0")),
              ElementsAre(HasSubstr("k.pages_to_scan: expected")));
  EXPECT_THAT(mistakes(with_thread("run: numa_balancing, target: bd")),
              ElementsAre(HasSubstr("k.target: expected the name of a process, found 'bd' (did you mean db?)")));
  EXPECT_THAT(mistakes(with_thread("run: numa_balancing, scan_sise: 1MiB")),
              ElementsAre(HasSubstr("k.scan_sise: unknown key (did you mean scan_size?)")));
}

TEST_F(ScenarioFile, ReadsThoseWhoWorkOnTheMemoryOfOthers) {
  using models::KsmSpec;
  using models::MadviserSpec;
  using models::UserfaultSpec;
  const auto with_thread = [](const std::string& keys) {
    return with("      ps:", "      k: {" + keys + "}\n      ps:");
  };
  const auto thread = [&](const std::string& keys) { return read(with_thread(keys)).processes[1].threads[0].run; };
  const models::ClosedLoop often{sim::Constant{1ms}};
  EXPECT_EQ(std::get<KsmSpec>(thread("run: ksm, target: db")), (KsmSpec{.target = "db"}));
  EXPECT_EQ(std::get<KsmSpec>(thread("run: ksm, pages_to_scan: 7, page: 2us, closed: {think: 1ms}")),
            (KsmSpec{"", models::PageCount(7), sim::Constant{2us}, often}));
  EXPECT_EQ(
      std::get<UserfaultSpec>(thread("run: userfaultfd, target: db, region: heap, size: 64KiB, fetch: 1ms, push: 1us")),
      (UserfaultSpec{"db", "heap", models::Bytes(65536), sim::Constant{1ms}, sim::Constant{1us}}));
  EXPECT_EQ(std::get<MadviserSpec>(
                thread("run: madviser, target: db, region: heap, advice: cold, size: 1MiB, closed: {think: 1ms}")),
            (MadviserSpec{"heap", models::Advice::cold, models::Bytes(1 << 20), often, {}, "db"}));
  EXPECT_TRUE(std::get<models::NumaBalancingSpec>(thread("run: numa_balancing, hinting_faults: true")).hinting_faults);

  EXPECT_THAT(mistakes(with_thread("run: userfaultfd, target: db, region: haep")),
              ElementsAre(HasSubstr("k.region: expected a region of the process `target`, found 'haep' (did you mean "
                                    "heap?)")));
  EXPECT_THAT(mistakes(with_thread("run: userfaultfd, target: db, region: heap, size: 1TiB")),
              ElementsAre(HasSubstr("k.size: expected at most the region's")));
  EXPECT_THAT(mistakes(with_thread("run: userfaultfd, region: heap")),
              ElementsAre(HasSubstr("k.region: expected a region of this process")));
  EXPECT_THAT(mistakes(with_thread("run: userfaultfd, target: db, region: heap, move_from: heap")),
              ElementsAre(HasSubstr("k.move_from: expected another region than it fills in")));
  EXPECT_THAT(mistakes(with_thread("run: userfaultfd, target: db, region: heap, move_from: haep")),
              ElementsAre(HasSubstr("k.move_from: expected a region of the process `target`")));
  EXPECT_THAT(mistakes(with_thread("run: userfaultfd, target: db, region: heap, mutex: a")),
              ElementsAre(HasSubstr("k.mutex: who waits for userfaultfd's monitor may hold it")));
  const std::string outside = "run: madviser, target: db, region: heap, closed: {think: 1ms}, ";
  EXPECT_THAT(mistakes(with_thread(outside + "advice: dontneed")),
              ElementsAre(HasSubstr("k.advice: expected cold, pageout, willneed or collapse")));
  EXPECT_THAT(mistakes(with_thread(outside + "advice: willneed")),
              ElementsAre(HasSubstr("k.advice: expected another advice: only files are read ahead")));
  EXPECT_THAT(mistakes(with_thread(outside + "advice: cold, size: 1TiB")),
              ElementsAre(HasSubstr("k.size: expected at most the region's")));
  EXPECT_THAT(mistakes(with_thread(outside + "advice: cold, share: each")),
              ElementsAre(HasSubstr("k.share: expected all")));
  EXPECT_THAT(mistakes(with_thread("run: madviser, target: bd, region: heap, closed: {think: 1ms}, advice: cold")),
              ElementsAre(HasSubstr("k.target: expected the name of a process, found 'bd' (did you mean db?)")));
}

TEST_F(ScenarioFile, ReadsWhetherAFaulterOnlyTouchesItsPages) {
  const auto with_faulter = [](const std::string& keys) {
    return with("      faulter:", "      t: {run: faulter, touch: true, " + keys + "}\n      faulter:");
  };
  const auto found = read(with_faulter("region: heap, closed: {think: 1us}")).processes[0].threads[1].run;
  EXPECT_TRUE(std::get<models::FaulterSpec>(found).touch);
  EXPECT_THAT(mistakes(with_faulter("closed: {think: 1us}")),
              ElementsAre(HasSubstr("t.touch: what it touches are the pages of a region: expected `region`, too")));
  EXPECT_THAT(mistakes(with_faulter("region: heap, closed: {think: 0s}")),
              ElementsAre(HasSubstr("t.touch: a touch that is no fault takes no time: expected `think` or `compute`")));
}

TEST_F(ScenarioFile, ReadsWhatBecomesOfTheChildrenOfAForker) {
  const auto forker = [](const std::string& keys) {
    return with("      faulter:", "      f: {run: forker, closed: {think: 1ms}, " + keys + "}\n      faulter:");
  };
  const auto forker_of = [&](const std::string& keys) {
    return std::get<models::ForkerSpec>(read(forker(keys)).processes[0].threads[1].run);
  };
  EXPECT_TRUE(forker_of("vfork: true").vfork);
  EXPECT_EQ(forker_of("vfork: false").child, std::nullopt);
  EXPECT_EQ(forker_of("child: constant 5s").child, sim::Distribution(sim::Constant{5s}));
  EXPECT_THAT(mistakes(forker("child: 0s")),
              ElementsAre(HasSubstr("child: expected a distribution with a mean above")));
  EXPECT_THAT(
      mistakes(forker("vfork: true, child: 5s")),
      ElementsAre(HasSubstr("child: a child of vfork borrows the address space and execs: expected no `child`")));
  EXPECT_THAT(mistakes(forker("childs: 5s")), ElementsAre(HasSubstr("(did you mean child?)")));
}

TEST_F(ScenarioFile, ReadsMadvisersAndThoseWhoAskWhereMemoryIs) {
  const models::Arrival arrival = models::ClosedLoop{sim::Constant{1ms}};
  const auto db = read(with("      faulter:", R"(      d: {run: madviser, region: heap, closed: {think: 1ms}}
      s: {run: madviser, region: heap, advice: sequential, size: 1MiB, closed: {think: 1ms}}
      m: {run: mincore, region: heap, size: 1MiB, closed: {think: 1ms}}
      n: {run: get_mempolicy, region: heap, closed: {think: 1ms}}
      a: {run: get_mempolicy, region: heap, node: false, closed: {think: 1ms}}
      faulter:)"))
                      .processes[0]
                      .threads;
  using models::Advice;
  using models::ThreadSpec;
  EXPECT_EQ(db[1], (ThreadSpec{"d", 1, models::MadviserSpec{"heap", Advice::dontneed, Bytes{4096}, arrival}}));
  EXPECT_EQ(db[2], (ThreadSpec{"s", 1, models::MadviserSpec{"heap", Advice::sequential, Bytes{1 << 20}, arrival}}));
  EXPECT_EQ(db[3], (ThreadSpec{"m", 1, models::MincoreSpec{"heap", Bytes{1 << 20}, arrival}}));
  EXPECT_EQ(db[4], (ThreadSpec{"n", 1, models::GetMempolicySpec{"heap", true, arrival}}));
  EXPECT_EQ(db[5], (ThreadSpec{"a", 1, models::GetMempolicySpec{"heap", false, arrival}}));
}

TEST_F(ScenarioFile, ReadsEveryAdvice) {
  using models::Advice;
  const auto advice_of = [](const std::string& word, const std::string& kind) {
    const auto text = with("kind: anon", "kind: " + kind);
    const auto run = "run: madviser, region: heap, advice: " + word;
    const auto threads = read(with("run: faulter, count: 2", run, text)).processes[0].threads;
    return std::get<models::MadviserSpec>(threads[1].run).advice;
  };
  EXPECT_EQ(advice_of("normal", "anon"), Advice::normal);
  EXPECT_EQ(advice_of("random", "anon"), Advice::random);
  EXPECT_EQ(advice_of("sequential", "anon"), Advice::sequential);
  EXPECT_EQ(advice_of("dontfork", "anon"), Advice::dontfork);
  EXPECT_EQ(advice_of("dofork", "anon"), Advice::dofork);
  EXPECT_EQ(advice_of("willneed", "file"), Advice::willneed);
  EXPECT_EQ(advice_of("dontneed", "anon"), Advice::dontneed);
  EXPECT_EQ(advice_of("populate_read", "file"), Advice::populate_read);
  EXPECT_EQ(advice_of("populate_write", "anon"), Advice::populate_write);
  EXPECT_EQ(advice_of("free", "anon"), Advice::free);
  EXPECT_EQ(advice_of("cold", "file"), Advice::cold);
  EXPECT_EQ(advice_of("pageout", "anon"), Advice::pageout);
  EXPECT_EQ(advice_of("remove", "shmem"), Advice::remove);
  EXPECT_EQ(advice_of("populate_write", "file, written: true"), Advice::populate_write);
}

TEST_F(ScenarioFile, ReadsFilesThatAreWrittenAndSharedMemory) {
  auto text = with("1GiB}", "1GiB, swap: {size: 1GiB}, dirty_writeback: 1s, dirty_expire: 2s}");
  text = with(
      "{heap: {size: 512MiB, kind: anon}}",
      "{heap: {size: 4KiB, kind: file, written: true}, s: {size: 4KiB, kind: shmem, pages: swapped, locked: true}, c: "
      "{size: 4KiB, kind: shmem, pages: cached}}",
      text);
  text = with("      faulter:",
              "      m: {run: msync, region: heap, place: random, closed: {think: 1ms}}\n      faulter:", text);
  text = with("[mlock, hold 100ms, munlock]", "[msync, msync 4KiB pause 1ms, msync 4KiB at 0B]", text);
  const auto scenario = read(text);
  using Pages = models::RegionSpec::Pages;
  const auto& regions = scenario.processes[0].regions;
  EXPECT_TRUE(regions[0].written);
  EXPECT_EQ(regions[1].kind, Kind::shmem);
  EXPECT_EQ(regions[1].pages, Pages::swapped);
  EXPECT_TRUE(regions[1].locked);
  EXPECT_EQ(regions[2].pages, Pages::cached);
  EXPECT_FALSE(regions[2].written);
  EXPECT_EQ(scenario.memory.dirty_writeback, 1s);
  EXPECT_EQ(scenario.memory.dirty_expire, 2s);
  const models::Visits anywhere{.place = models::Visits::Place::random};
  EXPECT_EQ(std::get<models::MsyncSpec>(scenario.processes[0].threads[1].run),
            (models::MsyncSpec{"heap", Bytes{4096}, models::ClosedLoop{sim::Constant{1ms}}, anywhere}));
  using Call = models::ScriptStep::Call;
  const auto& script = std::get<models::LockerSpec>(scenario.processes[0].threads[0].run).script;
  EXPECT_THAT(script, ElementsAre(models::ScriptStep{Call::msync}, models::ScriptStep{Call::msync, 1ms, Bytes{4096}},
                                  models::ScriptStep{Call::msync, {}, Bytes{4096}, Bytes{0}}));
}

TEST_F(ScenarioFile, RefusesWhatIsNotModelledOfFilesThatAreWrittenAndOfSharedMemory) {
  const auto region_mistakes = [](const std::string& keys) { return mistakes(with("kind: anon", keys)); };
  const std::string where = "processes[0].regions.heap.";
  EXPECT_THAT(region_mistakes("kind: anon, written: true"),
              ElementsAre(HasSubstr(where + "written: expected false: only files are written back, found 'true'")));
  EXPECT_THAT(
      region_mistakes("kind: shmem, written: true"),
      ElementsAre(HasSubstr(where + "written: expected nothing: shmem is always written, and never written back")));
  EXPECT_THAT(region_mistakes("kind: fiel, written: true"), ElementsAre(HasSubstr(where + "kind: expected anon")));
  for (const std::string size : {"thp", "2MiB"}) {
    EXPECT_THAT(
        region_mistakes("kind: shmem, page_size: " + size),
        ElementsAre(HasSubstr(where + "page_size: expected 4KiB: huge pages of shared memory are not modelled")));
  }
  const auto thread_mistakes = [](const std::string& run) {
    const auto text = with("kind: anon", "kind: file, written: true");
    return mistakes(with("run: faulter, count: 2", "run: " + run + ", region: heap", text));
  };
  EXPECT_THAT(thread_mistakes("mover"),
              ElementsAre(HasSubstr("region: expected a region without `written: true`: moving")));
  EXPECT_THAT(thread_mistakes("pinner"),
              ElementsAre(HasSubstr("region: expected a region without `written: true`: the kernel")));
}

TEST_F(ScenarioFile, ReadsAndRefusesStepsThatMoveTheRegion) {
  const auto text = [](const std::string& keys) {
    return with("[mlock, hold 100ms, munlock]", "[mlock, mremap, mremap aligned]", with("kind: anon", keys));
  };
  using Call = models::ScriptStep::Call;
  EXPECT_THAT(std::get<models::LockerSpec>(read(text("kind: shmem")).processes[0].threads[0].run).script,
              ElementsAre(models::ScriptStep{Call::mlock}, models::ScriptStep{Call::mremap},
                          models::ScriptStep{Call::mremap_aligned}));
  const auto step = [](const std::string& number, const std::string& why) {
    return HasSubstr("processes[0].threads.locker.script[" + number + "]: expected another step, or " + why);
  };
  for (const auto& [keys, why] : {std::pair{"kind: io", "a region that is neither hugetlb nor io"},
                                  std::pair{"kind: file, written: true", "a region without `written: true`"},
                                  std::pair{"vmas: 2", "a region of one VMA: mremap moves no more"}}) {
    EXPECT_THAT(mistakes(text(keys)), ElementsAre(step("1", why), step("2", why)));
  }
}

TEST_F(ScenarioFile, RefusesAdviceThatItDoesNotKnowOrThatFitsNoPageOfTheRegion) {
  const auto advice_mistakes = [](const std::string& word, const std::string& kind = "anon") {
    const auto text = with("kind: anon", "kind: " + kind);
    return mistakes(with("run: faulter, count: 2", "run: madviser, region: heap, advice: " + word, text));
  };
  const std::string where = "s.yaml:11:54: processes[0].threads.faulter.advice: ";
  const std::string known =
      "normal, random, sequential, dontfork, dofork, willneed, dontneed, dontneed_locked, populate_read, "
      "populate_write, free, cold, pageout, remove, hugepage, nohugepage, collapse";
  EXPECT_THAT(advice_mistakes("sequental"),
              ElementsAre(where + "expected " + known + ", found 'sequental' (did you mean sequential?)"));
  EXPECT_THAT(advice_mistakes("free", "file"),
              ElementsAre(where + "expected cold, pageout or dontneed: only anonymous pages can be freed lazily, found "
                                  "'free'"));
  EXPECT_THAT(advice_mistakes("willneed"),
              ElementsAre(where + "expected another advice: only files are read ahead, and the region is of another "
                                  "kind, found 'willneed'"));
  EXPECT_THAT(advice_mistakes("populate_write", "file"),
              ElementsAre(where + "expected populate_read, as the file is mapped to be read (the region's `written: "
                                  "true` changes that), found 'populate_write'"));
  EXPECT_THAT(advice_mistakes("free", "shmem"), ElementsAre(HasSubstr("only anonymous pages can be freed lazily")));
  EXPECT_THAT(advice_mistakes("remove", "file"), ElementsAre(HasSubstr("only shared memory (kind: shmem)")));
  EXPECT_THAT(advice_mistakes("hugepage", "shmem"),
              ElementsAre(HasSubstr("huge pages of shared memory are not modelled")));
}

TEST_F(ScenarioFile, RefusesToAskForMemoryThatIsNotThere) {
  EXPECT_THAT(mistakes(with("run: faulter, count: 2", "run: mincore, region: heap, size: 1GiB")),
              ElementsAre("s.yaml:11:51: processes[0].threads.faulter.size: expected at most the region's 512MiB, "
                          "found '1GiB'"));
  EXPECT_THAT(mistakes(with("run: faulter, count: 2", "run: get_mempolicy, region: haep")),
              ElementsAre("s.yaml:11:45: processes[0].threads.faulter.region: expected a region of this process, found "
                          "'haep' (did you mean heap?)"));
  EXPECT_THAT(mistakes(with("run: faulter, count: 2", "run: get_mempolicy, region: heap, node: 1")),
              ElementsAre("s.yaml:11:57: processes[0].threads.faulter.node: expected true or false, found '1'"));
}

TEST_F(ScenarioFile, ReadsThreadsOfWhichThereIsNone) {
  const auto scenario = read(with("count: 2", "count: 0"));
  EXPECT_EQ(scenario.processes[0].threads[1].count, 0);
  EXPECT_EQ(scenario.duration, std::nullopt);
}

TEST_F(ScenarioFile, WithoutAnyLockerLeftARunNeedsADuration) {
  const auto text = with("munlock]}", "munlock], count: 0}");
  EXPECT_THAT(mistakes(text), ElementsAre("s.yaml:1:1: duration: missing: with `count: 0` of every locker a run needs "
                                          "one, such as 10s"));
  EXPECT_EQ(read(with("policy:", "duration: 1s\npolicy:", text)).duration, 1s);
}

TEST_F(ScenarioFile, ReadsEveryFileOfProc) {
  using File = models::ProcReaderSpec::File;
  for (const File file :
       {File::cmdline, File::maps, File::smaps, File::smaps_rollup, File::numa_maps, File::clear_refs, File::pagemap}) {
    const auto threads = read(with("cmdline", std::string(to_string(file)))).processes[1].threads;
    EXPECT_EQ(std::get<models::ProcReaderSpec>(threads[0].run).file, file);
  }
}

TEST_F(ScenarioFile, AReaderMayBeANewProcessEachTime) {
  const auto reader_of = [](const std::string& text) {
    return std::get<models::ProcReaderSpec>(read(text).processes[1].threads[0].run);
  };
  EXPECT_FALSE(reader_of(kScenario).new_process);
  EXPECT_TRUE(reader_of(with("target: db", "target: db, new_process: true")).new_process);
  EXPECT_THAT(mistakes(with("target: db, closed: {think: 10ms}", "target: db, new_process: true, open: {every: 10ms}")),
              ElementsAre("s.yaml:14:70: processes[1].threads.ps.new_process: a shell starts the next process when the "
                          "last one has ended: expected `closed`"));
}

TEST_F(ScenarioFile, ReadsMappersOfARegion) {
  const auto mapper_of = [](const std::string& keys) {
    return std::get<models::MapperSpec>(
        read(with("run: faulter, count: 2", "run: mapper" + keys)).processes[0].threads[1].run);
  };
  EXPECT_EQ(mapper_of("").region, std::nullopt);
  EXPECT_FALSE(mapper_of("").populate);
  EXPECT_EQ(mapper_of(", region: heap, populate: true").region, "heap");
  EXPECT_TRUE(mapper_of(", region: heap, populate: true").populate);
  EXPECT_THAT(mistakes(with("run: faulter, count: 2", "run: mapper, region: haep")),
              ElementsAre("s.yaml:11:38: processes[0].threads.faulter.region: expected a region of this process, found "
                          "'haep' (did you mean heap?)"));
  EXPECT_THAT(mistakes(with("run: faulter, count: 2", "run: mapper, region: heap, size: 1GiB")),
              ElementsAre(HasSubstr("threads.faulter.size: expected at most the region's 512MiB, found '1GiB'")));
  EXPECT_THAT(mistakes(with("run: faulter, count: 2", "run: mapper, populate: 1")),
              ElementsAre(HasSubstr("threads.faulter.populate: expected true or false, found '1'")));
}

TEST_F(ScenarioFile, ReadsWhatAThreadComputesBetweenRequests) {
  const auto arrival_of = [](const std::string& text) {
    return std::get<models::ClosedLoop>(std::get<models::FaulterSpec>(read(text).processes[0].threads[1].run).arrival);
  };
  EXPECT_EQ(arrival_of(kScenario).compute, sim::Distribution{});
  EXPECT_EQ(arrival_of(with("think: 50us", "think: 50us, compute: exponential 3us")).compute,
            sim::Distribution(sim::Exponential{3us}));
  EXPECT_THAT(mistakes(with("think: 50us", "think: 50us, compute: quick")),
              ElementsAre(HasSubstr("s.yaml:11:72: processes[0].threads.faulter.closed.compute: ")));
}

TEST_F(ScenarioFile, ReadsThreadsPinnedToACpuEach) {
  const auto threads = read(with("count: 2", "count: 2, pinned: true, cpus: [1, 3]")).processes[0].threads;
  EXPECT_TRUE(threads[1].pinned);
  EXPECT_THAT(threads[1].sched.cpus, ElementsAre(1, 3));
  EXPECT_THAT(
      mistakes(with("count: 2", "count: 2, pinned: true")),
      ElementsAre("s.yaml:11:49: processes[0].threads.faulter.pinned: expected `cpus`, too: a thread is pinned to "
                  "each in turn"));
}

TEST_F(ScenarioFile, ReadsWhetherTheVmasOfARegionShareAnAnonVma) {
  const auto region_with = [](const std::string& keys) {
    return read(with("kind: anon", "kind: anon" + keys)).processes[0].regions[0];
  };
  EXPECT_FALSE(region_with(", pages: resident").shares_anon_vma);
  EXPECT_FALSE(region_with(", pages: resident, anon_vma: own").shares_anon_vma);
  EXPECT_TRUE(region_with(", pages: resident, vmas: 4, anon_vma: shared").shares_anon_vma);
  EXPECT_THAT(
      mistakes(with("kind: anon", "kind: anon, anon_vma: shared")),
      ElementsAre(HasSubstr("s.yaml:8:58: processes[0].regions.heap.anon_vma: only anonymous pages that have been "
                            "faulted in have an anon_vma")));
}

TEST_F(ScenarioFile, APolicyMayBeAnotherOneWithSomeKeysChanged) {
  const auto scenario = read(with("policy: downgrade", "policy: {from: linux-4.20, name: mine, rwsem: spin_handoff}"));
  const models::Policy& policy = scenario.policies.front();
  EXPECT_EQ(policy.name, "mine");
  EXPECT_EQ(policy.rwsem, models::RwsemFlavour::spin_handoff);
  EXPECT_EQ(policy.munmap.mode, HoldMode::downgrade) << "as 4.20";
  EXPECT_THAT(
      mistakes(with("policy: downgrade", "policy: {from: linux-4.20, rwsem: spin_handoff}")),
      ElementsAre("s.yaml:5:9: policy: expected a `name` of its own beside `from`: results tell policies by it"));
  EXPECT_THAT(mistakes(with("policy: downgrade", "policy: {from: chunked_unlock, name: mine}")),
              ElementsAre(HasSubstr("(did you mean chunked_unlock_")));
}

TEST_F(ScenarioFile, EachSemaphoreHasAWord) {
  using models::RwsemFlavour;
  const auto flavour = [&](const std::string& word) {
    return read(with("policy: downgrade", "policy: {from: linux-4.20, name: mine, rwsem: " + word + "}"))
        .policies.front()
        .rwsem;
  };
  EXPECT_EQ(flavour("fifo"), RwsemFlavour::fifo);
  EXPECT_EQ(flavour("writer_steal"), RwsemFlavour::writer_steal);
  EXPECT_EQ(flavour("writer_spin"), RwsemFlavour::writer_spin);
  EXPECT_EQ(flavour("reader_spin"), RwsemFlavour::reader_spin);
  EXPECT_EQ(flavour("spin_handoff"), RwsemFlavour::spin_handoff);
}

TEST_F(ScenarioFile, RefusesRegionsAndTargetsThatDoNotFit) {
  EXPECT_THAT(mistakes(with("run: faulter, count: 2", "run: recycler, region: haep")),
              ElementsAre("s.yaml:11:40: processes[0].threads.faulter.region: expected a region of this process, found "
                          "'haep' (did you mean heap?)"));
  EXPECT_THAT(
      mistakes(with("run: faulter, count: 2", "run: protector, region: heap, size: 1GiB")),
      ElementsAre("s.yaml:11:53: processes[0].threads.faulter.size: expected at most the region's 512MiB, found "
                  "'1GiB'"));
  EXPECT_THAT(mistakes(with("run: proc_reader, file: cmdline, target: db", "run: remote_reader, target: ps")),
              ElementsAre("s.yaml:14:40: processes[1].threads.ps.target: expected a process with a region to read "
                          "from, found 'ps'"));
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

TEST_F(ScenarioFile, RefusesAnOpenLoopThatNeverMovesOn) {
  for (const char* every : {"0ns", "constant 0us", "uniform 0ns 0ns", "empirical zeros.txt"}) {
    write("zeros.txt", "0ns\n0ns\n");
    EXPECT_THAT(mistakes(with("closed: {think: 50us}", std::string("open: {every: ") + every + "}")),
                ElementsAre(StartsWith("s.yaml:11:55: processes[0].threads.faulter.open.every: expected a distribution "
                                       "with a mean above zero, found '")));
  }
  EXPECT_THAT(mistakes(with("closed: {think: 50us}", "open: {every: uniform 0ns 1ns}")), IsEmpty());
}

TEST_F(ScenarioFile, NeedsADurationWithoutALocker) {
  const auto text = with("locker, region: heap, script: [mlock, hold 100ms, munlock]", "mapper, closed: {think: 1ms}");
  EXPECT_THAT(mistakes(text),
              ElementsAre("s.yaml:1:1: duration: missing: without a locker a run needs one, such as 10s"));
  EXPECT_THAT(mistakes(with("policy:", "duration: 10s\npolicy:", text)), IsEmpty());
}

TEST_F(ScenarioFile, RefusesLimitsThatAreNoSize) {
  EXPECT_THAT(mistakes(with("- name: db", "- name: db\n    cap_ipc_lock: no\n    rlimit_memlock: none")),
              ElementsAre("s.yaml:8:19: processes[0].cap_ipc_lock: expected true or false, found 'no'",
                          "s.yaml:9:21: processes[0].rlimit_memlock: expected unlimited or a size such as 64KiB, found "
                          "'none'"));
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

TEST_F(ScenarioFile, SetReachesIntoDevicesThatAreOnlyNamed) {
  const auto memory = read(with("1GiB}", "1GiB, device: disk, swap: {size: 1GiB, device: zram}}"),
                           {{"memory.device.queue_depth=4", "memory.swap.device.ratio=2"}, {}, {}})
                          .memory;
  EXPECT_EQ(memory.device.name, "disk");
  EXPECT_EQ(memory.device.queue_depth, 4);
  EXPECT_EQ(memory.device.nr_requests, 128);
  EXPECT_EQ(memory.swap->zram->ratio, 2);
  EXPECT_EQ(memory.swap->zram->compress, 4us);
  const auto by_default = read(kScenario, {{"memory.device.queue_depth=4"}, {}, {}}).memory.device;
  EXPECT_EQ(by_default.name, "nvme");
  EXPECT_EQ(by_default.queue_depth, 4);
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

TEST_F(ScenarioFile, SetRefusesNamesThatTheFileDoesNotHave) {
  EXPECT_THAT(
      mistakes(kScenario, {{"processes[0].regions.haep.size=1GiB", "processes[0].threads.lokcer.count=2",
                            "groups.batch.cpu_weight=5"},
                           {},
                           {}}),
      ElementsAre("--set groups.batch.cpu_weight=5: groups.batch: there is no control group 'batch'; to add one, "
                  "set all of it: groups.batch={...}",
                  HasSubstr("processes[0].regions.haep: there is no region 'haep' (did you mean heap?); to add"),
                  HasSubstr("there is no thread 'lokcer' (did you mean locker?)")));
  EXPECT_THAT(mistakes(kScenario, {{"processes[0].regions.x.size=1GiB", "processes[0].regions.x.kind=anon"}, {}, {}}),
              ElementsAre(HasSubstr("there is no region 'x' (there are: heap")));
}

TEST_F(ScenarioFile, SetAddsARegionAsAWhole) {
  const auto scenario =
      read(kScenario, {{"processes[0].regions.more={size: 8KiB, kind: anon}", "processes[0].regions.more.size=1MiB",
                        "groups.batch.cpu_weight=5", "groups.batch={cpu_weight: 7}"},
                       {},
                       {}});
  EXPECT_EQ(scenario.processes[0].regions.back().name, "more");
  EXPECT_EQ(scenario.processes[0].regions.back().size, Bytes{1 << 20});
  EXPECT_EQ(scenario.groups.back().cpu_weight, 7);
}

TEST_F(ScenarioFile, OfTwoKeysThatExcludeEachOtherTheOneOfTheCommandLineIsWrong) {
  EXPECT_THAT(mistakes(kScenario, {{"policies=[downgrade]"}, {}, {}}),
              ElementsAre("--set policies=[downgrade]: policies: expected either `policy` or `policies`, found both; "
                          "--policy and --policies run others than the scenario's"));
  EXPECT_THAT(mistakes(with("policy: downgrade", "policies: [downgrade]"), {{"policy=write_held"}, {}, {}}),
              ElementsAre(StartsWith("--set policy=write_held: policy: expected either `policy` or")));
  EXPECT_THAT(mistakes(with("policy: downgrade", "policies: [downgrade]\npolicy: write_held")),
              ElementsAre(EndsWith("policies: expected either `policy` or `policies`, found both")));
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

TEST_F(ScenarioFile, TheFlagshipComparesThePatchAndItsQuestion) {
  const auto scenario = read_scenario(*find_config(ConfigKind::scenarios, "unlock_question"));
  ASSERT_THAT(scenario.policies, SizeIs(3));
  EXPECT_EQ(scenario.policies[0].populate.mode, HoldMode::write_held);
  EXPECT_EQ(scenario.policies[1].populate.mode, HoldMode::downgrade);
  EXPECT_EQ(scenario.policies[1].munlock.mode, HoldMode::write_held);
  EXPECT_EQ(scenario.policies[2].munlock.mode, HoldMode::downgrade);
  EXPECT_EQ(scenario.policies[2].munmap.mode, HoldMode::write_held);
  EXPECT_EQ(scenario.machine.cpus, 16);
}

TEST_F(ScenarioFile, CheckTellsWhatAFileIs) {
  EXPECT_EQ(check_file(write("x.yaml", kScenario)), ConfigKind::scenarios);
  EXPECT_EQ(check_file(write("x.yaml", kPolicy)), ConfigKind::policies);
  EXPECT_EQ(check_file(write("x.yaml", shipped_machine())), ConfigKind::machines);
  EXPECT_EQ(check_file(write("x.yaml", kDevice)), ConfigKind::devices);
  EXPECT_EQ(check_file(write("x.yaml", kZram)), ConfigKind::devices);
}

TEST_F(ScenarioFile, CheckRefusesBadFilesAndFilesOfNoKind) {
  EXPECT_THAT(mistakes_of([] { check_file(write("x.yaml", with("name: mine", "nam: mine", kPolicy))); }), SizeIs(2));
  EXPECT_THAT(mistakes_of([] { check_file(write("x.yaml", "schema: mlocksim/1\n")); }),
              ElementsAre(StartsWith("x.yaml:1:1: expected a scenario (with `processes`), a machine")));
  EXPECT_THAT(mistakes_of([] { check_file(write("x.yaml", with("read: 2ms", "red: 2ms", kDevice))); }), SizeIs(2));
  EXPECT_THAT(mistakes_of([] { check_file("nowhere.yaml"); }), SizeIs(1));
}

TEST_F(ScenarioFile, ReadsStepsOnPartsOfARegion) {
  using Step = models::ScriptStep;
  using Call = Step::Call;
  const auto script_of = [](const std::string& steps) {
    const auto scenario = read(with("[mlock, hold 100ms, munlock]", "[" + steps + "]"));
    return std::get<models::LockerSpec>(scenario.processes[0].threads[0].run).script;
  };
  const Bytes mib{1 << 20};
  EXPECT_THAT(script_of("mlock 1MiB, munmap 1MiB pause 10ms, mlock onfault, mlockall onfault, mlock onfault 1MiB"),
              ElementsAre(Step{Call::mlock, {}, mib}, Step{Call::munmap, 10ms, mib}, Step{Call::mlock_onfault},
                          Step{Call::mlockall_onfault}, Step{Call::mlock_onfault, {}, mib}));
  EXPECT_THAT(script_of("munlock 1MiB at 64KiB, munlock 1MiB at 0B, brk 1MiB, brk -1MiB"),
              ElementsAre(Step{Call::munlock, {}, mib, Bytes{64 << 10}}, Step{Call::munlock, {}, mib, Bytes{0}},
                          Step{Call::brk, {}, mib}, Step{Call::brk_shrink, {}, mib}));
  const auto said = [](const std::string& step) {
    return mistakes(with("[mlock, hold 100ms, munlock]", "[" + step + "]"));
  };
  EXPECT_THAT(said("munmap 1KiB"), ElementsAre(HasSubstr("script[0]: in 'munmap 1KiB': expected a multiple of 4KiB")));
  EXPECT_THAT(said("munmap 1MiB every 10ms"),
              ElementsAre(HasSubstr("script[0]: in 'munmap 1MiB every 10ms': expected nothing, `pause DURATION` or `at "
                                    "SIZE` behind the size")));
  EXPECT_THAT(said("munmap 1MiB pause 10"), ElementsAre(HasSubstr("script[0]: in 'munmap 1MiB pause 10': expected")));
  EXPECT_THAT(said("munlock 1MiB at 512MiB"),
              ElementsAre(HasSubstr("script[0]: expected a place within the region's 512MiB, found 'munlock 1MiB at "
                                    "512MiB'")));
  EXPECT_THAT(said("brk -1KiB"), ElementsAre(HasSubstr("in 'brk -1KiB': expected a multiple of 4KiB above zero")));
}

TEST_F(ScenarioFile, ReadsWhereInItsRegionAThreadWorks) {
  using Place = models::Visits::Place;
  const auto visits_of = [](const std::string& keys) {
    const auto threads =
        read(with("run: faulter, count: 2", "count: 2, region: heap, run: " + keys)).processes[0].threads;
    return std::visit(
        [](const auto& spec) {
          if constexpr (requires { spec.visits; }) return spec.visits;
          return models::Visits{};
        },
        threads[1].run);
  };
  EXPECT_EQ(visits_of("madviser"), (models::Visits{}));
  EXPECT_EQ(visits_of("madviser, once: true, share: each"), (models::Visits{Place::in_turn, true, true}));
  EXPECT_EQ(visits_of("madviser, place: random"), (models::Visits{.place = Place::random}));
  EXPECT_EQ(visits_of("protector"), (models::Visits{.place = Place::start}));
  EXPECT_EQ(visits_of("protector, place: random"), (models::Visits{.place = Place::random}));
  EXPECT_EQ(visits_of("protector, once: true"), (models::Visits{.once = true}));
  EXPECT_EQ(visits_of("mapper"), (models::Visits{.place = Place::random}));
  EXPECT_EQ(visits_of("mapper, once: true"), (models::Visits{.once = true}));
  EXPECT_EQ(visits_of("pinner, share: each"), (models::Visits{.share_each = true}));
  const auto said = [](const std::string& keys) {
    return mistakes(with("run: faulter, count: 2", "count: 2, region: heap, run: " + keys));
  };
  EXPECT_THAT(said("madviser, once: true, place: random"),
              ElementsAre(HasSubstr("faulter.place: expected in_turn: `once` goes through the region from its start to "
                                    "its end, found 'random'")));
  EXPECT_THAT(said("madviser, size: 512MiB, share: each"),
              ElementsAre(HasSubstr("faulter.share: expected all: 2 threads have less than 512MiB each of the region's "
                                    "512MiB, found 'each'")));
  EXPECT_THAT(said("mapper, place: strat"), ElementsAre(HasSubstr("faulter.place: expected in_turn, random, start")));
}

TEST_F(ScenarioFile, ReadsMoversAndPinners) {
  const auto run_of = [](const std::string& keys) {
    return read(with("run: faulter, count: 2", "region: heap, size: 1MiB, run: " + keys)).processes[0].threads[1].run;
  };
  EXPECT_TRUE(std::get<models::MoverSpec>(run_of("mover, aligned: true")).aligned);
  EXPECT_FALSE(std::get<models::MoverSpec>(run_of("mover")).aligned);
  const auto pinner = std::get<models::PinnerSpec>(run_of("pinner, by: vfio, unpin: false"));
  EXPECT_EQ(pinner.by, models::PinnerSpec::By::vfio);
  EXPECT_FALSE(pinner.unpin);
  EXPECT_EQ(pinner.size, Bytes{1 << 20});
  EXPECT_THAT(mistakes(with("kind: anon", "kind: anon, vmas: 1024",
                            with("run: faulter, count: 2", "region: heap, size: 1MiB, run: mover"))),
              ElementsAre(HasSubstr("mremap moves pages of one VMA, and the first of the region has 512KiB")));
}

TEST_F(ScenarioFile, ReadsRegionsThatAreLockedFromTheStart) {
  const auto region_with = [](const std::string& keys) {
    return read(with("kind: anon", "kind: anon" + keys)).processes[0].regions[0];
  };
  EXPECT_FALSE(region_with("").locked);
  EXPECT_TRUE(region_with(", locked: true").locked);
  EXPECT_THAT(
      mistakes(with("kind: anon", "kind: hugetlb, locked: true")),
      ElementsAre(HasSubstr("heap.locked: expected false: only anon, file and shmem regions are ever VM_LOCKED, found "
                            "'true'")));
}

TEST_F(ScenarioFile, ReadsRegionsThatBeginWhereAnotherEnds) {
  const auto with_near = [](const std::string& heap, const std::string& near) {
    return with("kind: anon}", "kind: anon" + heap + "}, near: {size: 1MiB" + near + "}");
  };
  const auto near_of = [&](const std::string& heap, const std::string& near) {
    return read(with_near(heap, near)).processes[0].regions[1];
  };
  const std::string resident = ", pages: resident";
  EXPECT_EQ(near_of("", "").beside, "");
  EXPECT_EQ(near_of("", ", beside: heap").beside, "heap");
  EXPECT_FALSE(near_of("", ", beside: heap").joins_anon_vma);
  EXPECT_FALSE(near_of("", ", beside: heap" + resident).joins_anon_vma);
  EXPECT_TRUE(near_of(resident, ", beside: heap" + resident).joins_anon_vma);
  EXPECT_FALSE(near_of(resident, ", beside: heap, anon_vma: own" + resident).joins_anon_vma);
  EXPECT_THAT(mistakes(with_near("", ", beside: haep")),
              ElementsAre(HasSubstr("near.beside: expected a region of this process that stands before, found 'haep' "
                                    "(did you mean heap?)")));
  EXPECT_THAT(mistakes(with_near("", ", beside: heap, kind: file")),
              ElementsAre(HasSubstr("near.beside: only anonymous regions without touched_every can be joined")));
  EXPECT_THAT(mistakes(with_near("", ", beside: heap}, more: {size: 1MiB, beside: heap")),
              ElementsAre(HasSubstr("more.beside: another region begins where 'heap' ends already")));
}

TEST_F(ScenarioFile, ReadsWhetherThereIsAWarmUp) {
  EXPECT_TRUE(read(with("", "")).warm_up);
  EXPECT_FALSE(read(with("policy: ", "warm_up: none\npolicy: ")).warm_up);
  EXPECT_TRUE(read(with("policy: ", "warm_up: until_served\npolicy: ")).warm_up);
  EXPECT_THAT(mistakes(with("policy: ", "warm_up: 3s\npolicy: ")),
              ElementsAre(HasSubstr("warm_up: expected none, until_served, found '3s'")));
}

TEST_F(ScenarioFile, ReadsMutexes) {
  const auto threads =
      read(with("run: faulter, count: 2", "count: 2, run: faulter, mutex: heap_lock")).processes[0].threads;
  EXPECT_EQ(threads[0].mutex, "");
  EXPECT_EQ(threads[1].mutex, "heap_lock");
  EXPECT_THAT(mistakes(with("run: faulter, count: 2, closed: {think: 50us}", "run: busy, mutex: heap_lock")),
              ElementsAre(HasSubstr("faulter.mutex: a thread that makes no system calls holds none across them")));
  EXPECT_THAT(mistakes(with("run: faulter, count: 2", "count: 2, run: faulter, mutex: 'a lock'")),
              ElementsAre(HasSubstr("faulter.mutex: expected a name")));
}

}  // namespace
}  // namespace experiments::scenario_file_test
