// Which remedies apply follows from the chains, and each is something that the command line takes.
#include "experiments/explain/remedy.h"

#include "experiments/scenario/edits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "experiments/scenario/scenario_file.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace experiments::remedy_test {
namespace {

using models::Cause;
using models::LockBlame;
using models::LockMode;
using models::Phase;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

constexpr const char* kScenario = R"(schema: mlocksim/1
name: watched
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 4}
memory: {size: 64MiB, pressure: none}
policy: linux-5.18
duration: 1s
groups: {small: {cpu_max: {quota: 10ms, period: 100ms}}}
processes:
  - name: db
    regions: {heap: {size: 4MiB, kind: anon}}
    threads:
      faulter: {run: faulter, count: 4, open: {every: exponential 100us}}
      mapper: {run: mapper, closed: {think: constant 1ms}}
      recycler: {run: madviser, region: heap, closed: {think: constant 1ms}}
  - name: monitoring
    threads:
      smaps: {run: proc_reader, file: smaps, target: db, nice: 15, cpus: [1], group: small, closed: {think: constant 1ms}}
      busy: {run: busy, cpus: [1]}
)";

class Remedies : public testing::Test {
 protected:
  Remedies() { tests::use_source_configs(); }

  [[nodiscard]] models::Scenario scenario(const std::vector<std::string>& sets = {},
                                          const std::vector<std::string>& policies = {}) const {
    Overrides overrides;
    overrides.sets = sets;
    overrides.policies = policies;
    return read_scenario(file_, overrides);
  }

  [[nodiscard]] std::vector<Remedy> remedies(const LockBlame& root, std::vector<models::ClassId> through = {},
                                             const std::vector<std::string>& victims = {"faulter", "mapper"},
                                             const std::vector<std::string>& sets = {}) const {
    const models::Scenario base = scenario(sets);
    std::vector<Diagnostic> diagnostics;
    const YamlNode root_node = load_yaml(file_, diagnostics);
    return remedies_for({base,
                         root_node,
                         find_entry(root_node, "policy")->value,
                         victims,
                         {{std::move(through), root, sim::Nanoseconds{1}}},
                         {"faulter", "mapper", "smaps", "busy", "recycler"},
                         std::chrono::seconds{1}});
  }

  static std::vector<std::string> labels(const std::vector<Remedy>& remedies) {
    std::vector<std::string> all;
    for (const Remedy& remedy : remedies) all.push_back(remedy.label);
    return all;
  }

  tests::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.write("watched.yaml", kScenario);
};

constexpr LockBlame kSmaps{2, Phase::proc_read, LockMode::read, -1};
constexpr LockBlame kPreempted{2, Phase::proc_read, LockMode::read, -1, Cause::run_queue, 3};
constexpr LockBlame kThrottled{2, Phase::proc_read, LockMode::read, -1, Cause::throttled};
constexpr LockBlame kMunlock{1, Phase::munlock_walk, LockMode::write, -1};
constexpr LockBlame kZap{4, Phase::madvise, LockMode::read, -1};

TEST_F(Remedies, EveryOneIsAScenarioThatCanBeRead) {
  for (const LockBlame& root : {kSmaps, kPreempted, kThrottled, kMunlock, kZap}) {
    for (const Remedy& remedy : remedies(root, {1})) {
      SCOPED_TRACE(remedy.label);
      const auto policies = remedy.policy ? std::vector{*remedy.policy} : std::vector<std::string>{};
      EXPECT_NO_THROW((void)scenario(remedy.sets, policies));
    }
  }
}

TEST_F(Remedies, EachCompetitorIsTakenAwayInTurn) {
  EXPECT_THAT(labels(remedies(kSmaps)),
              IsSupersetOf({"without faulter", "without mapper", "without smaps", "without busy"}));
  EXPECT_THAT(labels(remedies(kSmaps, {}, {"mapper"})), Not(Contains("without mapper"))) << "the only victim";
}

TEST_F(Remedies, AMachinesNoiseIsTakenAway) {
  EXPECT_THAT(labels(remedies(kSmaps)), Not(Contains("without noise")));
  const std::string noise = "machine.noise={timer: 50us}";
  const std::vector<Remedy> all = remedies(kSmaps, {}, {"mapper"}, {noise});
  const auto quiet =
      std::find_if(all.begin(), all.end(), [](const Remedy& each) { return each.label == "without noise"; });
  ASSERT_NE(quiet, all.end());
  std::vector<std::string> sets{noise};
  sets.insert(sets.end(), quiet->sets.begin(), quiet->sets.end());
  EXPECT_EQ(scenario(sets).machine.noise, models::NoiseSpec{});
}

TEST_F(Remedies, TheKernelsThreadsAreCalledByWhatSwitchesThemOff) {
  const std::vector<std::string> threads{
      "processes[0].threads.scan={run: numa_balancing, target: db}",
      "processes[0].threads.collapser={run: khugepaged, target: db}",
      "processes[0].threads.merger={run: ksm, target: db}",
      "processes[0].regions.heap.page_size=thp",
      "processes[0].regions.heap.size=8MiB",
  };
  EXPECT_THAT(labels(remedies(kSmaps, {}, {"mapper"}, threads)),
              IsSupersetOf({"without NUMA balancing", "without khugepaged", "without KSM"}));
}

// Linux 6.18 is another kernel to KSM alone.
TEST_F(Remedies, KernelsThatDifferInWhatNobodyDoesAreOne) {
  const std::string ksm = "processes[0].threads.merger={run: ksm, target: db}";
  EXPECT_THAT(labels(remedies(kSmaps)), Contains("Linux 6.17 to 7.1"));
  EXPECT_THAT(labels(remedies(kSmaps, {}, {"mapper"}, {ksm})), IsSupersetOf({"Linux 6.17", "Linux 6.18 to 7.1"}));
}

TEST_F(Remedies, HugePagesAreLeftToWhoAsksForThemWhereTheyAreGivenToAll) {
  const std::string region = "processes[0].regions.heap.page_size=thp";
  EXPECT_THAT(labels(remedies(kSmaps, {}, {"mapper"}, {region})), Not(Contains("THP: madvise")));
  const std::string always = "machine.thp=always";
  EXPECT_THAT(labels(remedies(kSmaps, {}, {"mapper"}, {always})), Not(Contains("THP: madvise"))) << "4 KiB pages";
  EXPECT_THAT(labels(remedies(kSmaps, {}, {"mapper"}, {region, always})), Contains("THP: madvise"));
}

TEST_F(Remedies, WhoReclaimsIsTriedWithTheOtherReclaim) {
  EXPECT_THAT(labels(remedies(kSmaps)), Not(Contains("MGLRU")));
  constexpr LockBlame kReclaims{2, Phase::fault, LockMode::read, -1, Cause::direct_reclaim};
  EXPECT_THAT(labels(remedies(kReclaims)), Contains("MGLRU"));
  constexpr LockBlame kAges{-1, Phase::aging, LockMode::read, -1};
  EXPECT_THAT(labels(remedies(kAges, {}, {"mapper"}, {"machine.reclaim=mglru"})), Contains("classic LRU lists"));
  EXPECT_THAT(labels(remedies(kReclaims, {}, {"mapper"}, {"memory.reclaim=linux-2.6.28"})), Not(Contains("MGLRU")));
}

TEST_F(Remedies, AGroupAtItsLimitCanReclaimBeforeItComesToIt) {
  const std::string label = "memory.high of tenant below its memory.max";
  EXPECT_THAT(labels(remedies(kSmaps)), Not(Contains(label)));
  EXPECT_THAT(labels(remedies(kSmaps, {}, {"mapper"}, {"groups.tenant={memory_max: 100MiB, memory_high: 90MiB}"})),
              Not(Contains(label)));
  const std::string limit = "groups.tenant={memory_max: 100MiB}";
  const std::vector<Remedy> all = remedies(kSmaps, {}, {"mapper"}, {limit});
  const auto high = std::find_if(all.begin(), all.end(), [&](const Remedy& each) { return each.label == label; });
  ASSERT_NE(high, all.end());
  std::vector<std::string> sets{limit};
  sets.insert(sets.end(), high->sets.begin(), high->sets.end());
  EXPECT_EQ(scenario(sets).groups.back().memory_high, models::Bytes(90 << 20));
}

TEST_F(Remedies, WhatTheHolderDoesChoosesThePolicy) {
  EXPECT_THAT(labels(remedies(kSmaps)), Contains("smaps under per-VMA locks"));
  EXPECT_THAT(labels(remedies(kSmaps)), Not(Contains("munlock downgrades for its walk")));
  EXPECT_THAT(labels(remedies(kMunlock)),
              IsSupersetOf({"munlock downgrades for its walk", "munlock gives way when somebody waits"}));
  EXPECT_THAT(labels(remedies(kZap)), Contains("madvise zaps under per-VMA locks"));
}

// A scenario of its own: a locker whose call is waited for, who forks, and who holds a mutex across large calls.
class OtherCalls : public Remedies {
 protected:
  OtherCalls() {
    file_ = folder_.write("calls.yaml", R"(schema: mlocksim/1
name: calls
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 4}
memory: {size: 1GiB, pressure: none}
policy: linux-5.18
duration: 1s
processes:
  - name: db
    regions: {heap: {size: 256MiB, kind: anon}}
    threads:
      locker: {run: locker, region: heap, script: [mlock, hold 1ms, munlock, munmap]}
      forker: {run: forker, closed: {think: 1ms}}
      gc: {run: madviser, region: heap, size: 128MiB, mutex: heap_lock, closed: {think: 1ms}}
)");
  }

  [[nodiscard]] std::vector<Remedy> against(models::ClassId holder, Phase phase,
                                            LockMode mode = LockMode::write) const {
    const models::Scenario base = scenario();
    std::vector<Diagnostic> diagnostics;
    const YamlNode root = load_yaml(file_, diagnostics);
    return remedies_for({base,
                         root,
                         find_entry(root, "policy")->value,
                         {"forker", "gc"},
                         {{{}, {holder, phase, mode, -1}, sim::Nanoseconds{1}}},
                         {"locker", "forker", "gc"},
                         std::chrono::seconds{1}});
  }

  [[nodiscard]] models::ThreadSpec with(const std::vector<Remedy>& all, const std::string& label,
                                        std::size_t thread) const {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Remedy& remedy) { return remedy.label == label; });
    EXPECT_NE(found, all.end()) << label;
    return found == all.end() ? models::ThreadSpec{} : scenario(found->sets).processes[0].threads[thread];
  }
  [[nodiscard]] std::vector<models::ScriptStep> script(const std::vector<Remedy>& all, const std::string& label) const {
    return std::get<models::LockerSpec>(with(all, label, 0).run).script;
  }
};

TEST_F(OtherCalls, AWalkIsCutInPieces) {
  using Call = models::ScriptStep::Call;
  const auto all = against(0, Phase::munlock_walk);
  const auto pieces = script(all, "locker calls munlock on 64 MiB at a time");
  ASSERT_EQ(pieces.size(), 4U);
  EXPECT_EQ(pieces[2].call, Call::munlock);
  EXPECT_EQ(pieces[2].size.count(), 64 << 20);
  EXPECT_EQ(pieces[0].size.count(), 0) << "mlock is as it was";
  EXPECT_EQ(script(all, "locker calls munlock on 64 MiB at a time, 1 ms apart")[2].hold, std::chrono::milliseconds{1});
  EXPECT_THAT(labels(all), Not(Contains("locker locks on fault (MLOCK_ONFAULT)")));
}

TEST_F(OtherCalls, PopulatingCanBeLeftToTheFaults) {
  using Call = models::ScriptStep::Call;
  const auto steps = script(against(0, Phase::mlock_populate), "locker locks on fault (MLOCK_ONFAULT)");
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[0].call, Call::mlock_onfault);
}

TEST_F(OtherCalls, UnmappingCanBeLeftOut) {
  EXPECT_EQ(script(against(0, Phase::munmap_zap), "locker keeps its memory for its next use, in a pool").size(), 3U);
}

TEST_F(OtherCalls, ForkCanBeVfork) {
  const auto forker = with(against(1, Phase::fork), "forker uses vfork or posix_spawn", 1);
  EXPECT_TRUE(std::get<models::ForkerSpec>(forker.run).vfork);
}

TEST_F(OtherCalls, SmallerOnesAndWithoutTheMutex) {
  const auto all = against(2, Phase::madvise, LockMode::read);
  EXPECT_EQ(std::get<models::MadviserSpec>(with(all, "gc calls on 2 MiB at a time", 2).run).size.count(), 2 << 20);
  EXPECT_EQ(with(all, "gc calls without holding heap_lock", 2).mutex, "of_gc_alone");
  for (const Remedy& remedy : all) {
    EXPECT_NE(remedy.label.starts_with("gc calls"), remedy.price.empty()) << remedy.label;
  }
}

TEST_F(Remedies, AChangedPolicyIsTheScenariosOwnButForTheChange) {
  const auto all = remedies(kSmaps);
  const auto found = std::find_if(all.begin(), all.end(),
                                  [](const Remedy& remedy) { return remedy.label == "smaps under per-VMA locks"; });
  ASSERT_NE(found, all.end());
  models::Policy expected = scenario().policies.front();
  expected.name = "smaps_per_vma";
  expected.proc.smaps = models::ProcLock::per_vma;
  expected.fault = models::FaultLock::per_vma;
  EXPECT_EQ(scenario({}, {found->policy.value_or("")}).policies.front(), expected);
}

TEST_F(Remedies, WhyItTakesItsTimeChoosesNicenessCpusAndQuota) {
  EXPECT_THAT(labels(remedies(kPreempted)), IsSupersetOf({"smaps at nice 0", "smaps on any CPU", "busy at nice 19"}));
  EXPECT_THAT(labels(remedies(kPreempted)), Not(Contains("no quota for group small")));
  EXPECT_THAT(labels(remedies(kThrottled)),
              IsSupersetOf({"twice the quota for group small", "no quota for group small"}));
  EXPECT_THAT(labels(remedies(kSmaps)), Not(Contains("smaps at nice 0")));
}

TEST_F(Remedies, WhoIsInTheWayCanAskLessOften) {
  const auto all = remedies(kSmaps, {1});
  EXPECT_THAT(labels(all), IsSupersetOf({"smaps ten times less often", "mapper ten times less often"}));
  EXPECT_THAT(labels(all), Not(Contains("faulter ten times less often")));
  const auto found = std::find_if(all.begin(), all.end(),
                                  [](const Remedy& remedy) { return remedy.label == "mapper ten times less often"; });
  EXPECT_THAT(found->sets, ElementsAre("processes[0].threads.mapper.closed.think=constant 10ms"));
}

TEST_F(Remedies, OnlyLaterKernelsAreTried) {
  EXPECT_THAT(labels(remedies(kSmaps)), IsSupersetOf({"Linux 6.4", "Linux 6.17 to 7.1", "Linux 7.2"}));
  EXPECT_THAT(labels(remedies(kSmaps)), Not(Contains(HasSubstr("Linux 4.20"))));
}

TEST_F(Remedies, APolicyDerivedFromAKernelIsComparedAsThatKernel) {
  const auto of = [&](const std::string& policy) { return labels(remedies(kSmaps, {}, {"faulter"}, {policy})); };
  const auto derived = of("policy={from: linux-6.4, name: my-kernel}");
  EXPECT_THAT(derived, Contains("Linux 6.17 to 7.1"));
  EXPECT_THAT(derived, Not(Contains(HasSubstr("Linux 5.18"))));
  EXPECT_THAT(derived, Not(Contains("Linux 6.4")));
  EXPECT_THAT(of("policy={from: linux-6.4, name: newer, kernel: 6.17}"), Not(Contains(HasSubstr("Linux 6.17"))));
  EXPECT_THAT(of("policy=write_held"), IsSupersetOf({"Linux 2.6.27", "Linux 6.17 to 7.1"})) << "of no kernel";
}

TEST_F(Remedies, AUsersKernelIsTriedUnderItsOwnName) {
  const std::filesystem::path configs = folder_ / "configs";
  std::filesystem::copy(tests::source_configs(), configs, std::filesystem::copy_options::recursive);
  std::ofstream(configs / "policies" / "sles-15.yaml")
      << "schema: mlocksim/1\nname: sles-15\nkernel: 6.4\npopulate: {mode: downgrade}\nmunlock: {mode: downgrade}\n"
         "munmap: {mode: downgrade}\n";
  ASSERT_EQ(setenv("MLOCKSIM_CONFIGS", configs.c_str(), 1), 0);
  EXPECT_THAT(labels(remedies(kSmaps)), IsSupersetOf({"Linux 6.4", "sles-15 (Linux 6.4)"}));
  tests::use_source_configs();
}

TEST_F(Remedies, NoneIsThereTwice) {
  auto all = labels(remedies(kPreempted, {1}));
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

TEST_F(Remedies, AloneMeansOneThreadAndNobodyElse) {
  const models::Scenario base = scenario(alone(scenario(), "faulter", std::chrono::seconds{1}));
  EXPECT_EQ(base.processes[0].threads[0].count, 1);
  EXPECT_EQ(base.processes[0].threads[1].count, 0);
  EXPECT_EQ(base.processes[1].threads[0].count, 0);
}

TEST_F(Remedies, WithoutTheLastLockerTheRunLastsAsLongAsItDid) {
  models::Scenario locked = scenario();
  locked.duration.reset();
  models::ThreadSpec locker;
  locker.name = "locker";
  locker.run = models::LockerSpec{"heap", {}, 1};
  locked.processes[0].threads.push_back(locker);
  EXPECT_THAT(without(locked, "locker", std::chrono::milliseconds{20}),
              ElementsAre("processes[0].threads.locker.count=0", "duration=20ms"));
  EXPECT_THAT(without(locked, "mapper", std::chrono::milliseconds{20}),
              ElementsAre("processes[0].threads.mapper.count=0"));
}

}  // namespace
}  // namespace experiments::remedy_test
