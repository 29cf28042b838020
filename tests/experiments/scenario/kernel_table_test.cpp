// Kernels by name: what each version's policy is made of, and what a name that is not quite one means.
#include "experiments/scenario/kernel_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "experiments/compare/kernel_list.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/policy_file.h"
#include "tests/support/config_files.h"

namespace experiments::kernel_table_test {
namespace {

using models::FaultLock;
using models::FirstTouch;
using models::HoldMode;
using models::Policy;
using models::ProcLock;
using models::RwsemFlavour;
using models::VmaLockCovers;
using models::VmaLockKind;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using tests::with;

class KernelTable : public tests::ConfigFiles {
 protected:
  static Policy policy(const std::string& name) { return read_policy(*find_config(ConfigKind::policies, name)); }
  static std::string mistake(const std::string& name) { return find_config(ConfigKind::policies, name).message(); }
};

TEST_F(KernelTable, MakesAPolicyOfEachReleaseAndDistribution) {
  for (const std::string& name : kernel_names()) {
    const Policy made = policy(name);
    EXPECT_EQ(made.name, name);
    EXPECT_TRUE(made.kernel) << name;
    EXPECT_THAT(made.about, HasSubstr("Linux " + to_text(*made.kernel)));
  }
  EXPECT_EQ(kernel_names().size(),
            experiments::kernel_table().releases.size() + experiments::kernel_table().distributions.size());
}

TEST_F(KernelTable, ChangesAreInTheOrderOfReleasesAndEachIsReadAsAPolicy) {
  models::KernelVersion last{};
  for (const KernelChange& change : experiments::kernel_table().changes) {
    EXPECT_LE(last, change.release);
    last = change.release;
  }
}

TEST_F(KernelTable, TheFirstTwoAreThoseOfThePatch) {
  const auto same_rules = [](Policy one, const Policy& other) {
    one.name = other.name;
    one.about = other.about;
    one.kernel = other.kernel;
    one.notes = other.notes;
    return one == other;
  };
  EXPECT_TRUE(same_rules(policy("linux-2.6.27"), policy("write_held")));
  EXPECT_TRUE(same_rules(policy("linux-2.6.28"), policy("downgrade")));
  // Taken out again before the next release.
  EXPECT_EQ(policy("linux-2.6.29").populate.mode, HoldMode::write_held);
}

TEST_F(KernelTable, EachHasTheSemaphoreOfItsTime) {
  const auto rwsem = [](const std::string& name) { return policy(name).rwsem; };
  EXPECT_EQ(rwsem("3.9"), RwsemFlavour::fifo);
  EXPECT_EQ(rwsem("3.10"), RwsemFlavour::writer_steal);
  EXPECT_EQ(rwsem("3.16"), RwsemFlavour::writer_spin);
  EXPECT_EQ(rwsem("5.2"), RwsemFlavour::writer_spin);
  EXPECT_EQ(rwsem("5.3"), RwsemFlavour::reader_spin);
  EXPECT_EQ(rwsem("5.10"), RwsemFlavour::reader_spin);
  EXPECT_EQ(rwsem("5.11"), RwsemFlavour::spin_handoff);
  EXPECT_EQ(rwsem("7.2"), RwsemFlavour::spin_handoff);
}

TEST_F(KernelTable, TheLocksOfVmasCameInSteps) {
  EXPECT_EQ(policy("6.3").fault, FaultLock::mmap_sem);
  EXPECT_EQ(policy("6.4").fault, FaultLock::per_vma);
  EXPECT_EQ(policy("6.5").vma_lock_covers, VmaLockCovers::anonymous);
  EXPECT_EQ(policy("6.6").vma_lock_covers, VmaLockCovers::swap);
  EXPECT_EQ(policy("6.7").vma_lock_covers, VmaLockCovers::files);
  EXPECT_EQ(policy("6.9").first_touch, FirstTouch::mmap_sem);
  EXPECT_EQ(policy("6.10").first_touch, FirstTouch::try_mmap_sem);
  EXPECT_EQ(policy("6.14").vma_lock, VmaLockKind::rwsem);
  EXPECT_EQ(policy("6.15").vma_lock, VmaLockKind::refcount);
  EXPECT_EQ(policy("6.16").proc.maps, ProcLock::mmap_sem);
  EXPECT_EQ(policy("6.17").proc.maps, ProcLock::per_vma);
  EXPECT_EQ(policy("7.1").proc.smaps, ProcLock::mmap_sem);
  EXPECT_EQ(policy("7.2").proc.smaps, ProcLock::per_vma);
  EXPECT_EQ(policy("7.2").proc.smaps_rollup, ProcLock::mmap_sem);
}

TEST_F(KernelTable, TheRestOfTheHistory) {
  EXPECT_EQ(policy("4.19").munmap.mode, HoldMode::write_held);
  EXPECT_EQ(policy("4.20").munmap.mode, HoldMode::downgrade);
  EXPECT_TRUE(policy("4.8").memlock_counts_twice);
  EXPECT_FALSE(policy("4.9").memlock_counts_twice);
  EXPECT_TRUE(policy("4.19").mempolicy_holds_lock);
  EXPECT_FALSE(policy("4.20").mempolicy_holds_lock);
  EXPECT_TRUE(policy("6.4").munmap_exclusive_below_stack);
  EXPECT_FALSE(policy("6.5").munmap_exclusive_below_stack);
  EXPECT_FALSE(policy("6.4").stack_grows_under_write);
  EXPECT_TRUE(policy("6.5").stack_grows_under_write);
  EXPECT_EQ(policy("4.1").cmdline_holds, 1);
  EXPECT_EQ(policy("6.1").cmdline_holds, 2);
  EXPECT_TRUE(policy("5.17").munlock_visits_absent);
  EXPECT_FALSE(policy("5.18").munlock_visits_absent);
}

TEST_F(KernelTable, TakesWhatUnamePrints) {
  EXPECT_EQ(policy("5.4.0-150-generic").name, "ubuntu-20.04");
  EXPECT_EQ(policy("5.19.0-46-generic").name, "linux-5.19");
  EXPECT_EQ(policy("6.1.0-18-amd64").name, "debian-12");
  EXPECT_EQ(policy("6.12.48+deb13-amd64").name, "debian-13");
  EXPECT_EQ(policy("v6.12.3").name, "linux-6.12");
  EXPECT_EQ(policy("4.18.0-513.5.1.el8_9.x86_64").name, "rhel-8");
  EXPECT_EQ(policy("5.14.0-427.el9.x86_64").name, "rhel-9");
  EXPECT_EQ(policy("3.10.0-1160.el7.x86_64").name, "rhel-7");
  EXPECT_EQ(policy("6.1.115-126.197.amzn2023.x86_64").name, "amazon-2023");
  // That distribution's newer kernel is not the one of the table.
  EXPECT_EQ(policy("6.12.8-30.amzn2023.x86_64").name, "linux-6.12");
}

// Those that people name, and whose suggestions went by spelling.
TEST_F(KernelTable, NoVersionIsTakenForAnotherThatIsSpelledAlike) {
  for (const std::string version : {"3.10", "4.4",  "4.14", "4.15", "4.18", "4.19", "5.0", "5.4",  "5.10", "5.14",
                                    "5.15", "5.19", "6.1",  "6.2",  "6.5",  "6.6",  "6.8", "6.12", "6.18", "7.0"}) {
    for (const std::string& name : {version, "linux-" + version}) {
      EXPECT_EQ(policy(name).kernel, *parse_kernel(version)) << name;
      EXPECT_EQ(policy(name).name, "linux-" + version);
    }
  }
}

TEST_F(KernelTable, AnUnknownVersionHasTheRulesOfTheNearestOlderOneAndSaysSo) {
  const Policy later = policy("linux-9.9");
  const Policy newest = policy("linux-" + to_text(experiments::kernel_table().releases.back()));
  EXPECT_EQ(later.name, "linux-9.9");
  EXPECT_EQ(later.proc, newest.proc);
  EXPECT_THAT(later.notes, ElementsAre(AllOf(HasSubstr("9.9 is not described"), HasSubstr("nearest older"))));
  EXPECT_THAT(policy("4.21").notes, testing::Contains(HasSubstr("these are the rules of 4.20")));
  EXPECT_THAT(mistake("2.6.9"), HasSubstr("the oldest is linux-2.6.27"));
  EXPECT_THAT(mistake("linux-six"), AllOf(HasSubstr("mlocksim list kernels"), Not(HasSubstr("did you mean"))));
  EXPECT_THAT(mistake("debian-21"), HasSubstr("did you mean debian-1"));
}

// Later changes are laid over earlier ones: the order of the file is that of the releases.
TEST_F(KernelTable, RefusesATableWhoseRowsAreOutOfPlace) {
  const std::string table = R"(schema: mlocksim/1
name: linux
releases: {6: 0 .. 9}
oldest: {}
changes:
  - {release: 6.1, what: a, source: b}
  - {release: 6.4, what: a, source: b}
distributions:
  some-1: {kernel: 6.2, source: b, uname: .s1}
  some-2: {kernel: 6.2, source: b, uname: .s2}
)";
  const auto mistakes = [&](const std::string& what, const std::string& by) {
    return tests::mistakes_of([&] { (void)read_kernel_table(tests::write("t.yaml", with(what, by, table))); });
  };
  EXPECT_THAT(mistakes("6.4", "6.5"), IsEmpty());
  EXPECT_THAT(mistakes("release: 6.4", "release: 6.0"), ElementsAre(HasSubstr("6.0 stands behind 6.1")));
  EXPECT_THAT(mistakes("release: 6.4", "release: 6.1"), ElementsAre(HasSubstr("6.1 stands behind 6.1")));
  EXPECT_THAT(mistakes("release: 6.4", "release: 6.10"), ElementsAre(HasSubstr("6.10 is none of the `releases`")));
  EXPECT_THAT(mistakes("some-2: {kernel: 6.2", "some-2: {kernel: 5.2"), ElementsAre(HasSubstr("5.2 is none of")));
  EXPECT_THAT(mistakes(".s2", ".s1"), ElementsAre(HasSubstr("some-1 has that `uname` already")));
  EXPECT_THAT(mistakes("some-2", "linux-6.2"), ElementsAre(HasSubstr("a name that is not a version")));
}

TEST_F(KernelTable, AFileOfOnesOwnIsMeantHoweverTheKernelIsSpelled) {
  const auto own = tests::write("linux-5.4.yaml", with("name: mine", "name: mine_of_5.4", tests::kPolicy));
  for (const char* const name : {"linux-5.4", "5.4", "v5.4.17", "5.4.0-150-other"}) {
    EXPECT_EQ(tests::read(with("policy: downgrade", std::string("policy: ") + name)).policies.front().name,
              "mine_of_5.4")
        << name;
  }
  EXPECT_EQ(tests::read(with("policy: downgrade", "policy: 5.5")).policies.front().name, "linux-5.5");
  // A distribution's kernel is not that of its version.
  EXPECT_EQ(tests::read(with("policy: downgrade", "policy: 5.4.0-150-generic")).policies.front().name, "ubuntu-20.04");
  std::filesystem::remove(own);
}

// A table of one's own, with a mistake in each place from which rules are made.
TEST_F(KernelTable, MistakesAreNamedByTheirKeysInTheTable) {
  const std::string table = R"(schema: mlocksim/1
name: linux
releases: {6: 0 .. 9}
oldest:
  rwsem: fifo
  populate: {mode: write_held}
  munlock: {mode: write_held}
  munmap: {mode: write_held}
changes:
  - {release: 6.1, what: a, source: b, scheduler: {era: linux-6.1}}
  - {release: 6.4, what: a, source: b, policy: {munlock: {mode: downgrade}}}
distributions:
  some-1: {kernel: 6.2, source: b, policy: {rwsem: writer_spin}}
)";
  const auto configs = tests::folder() / "configs";
  int number = 0;
  const auto mistakes = [&](const std::string& what, const std::string& by) {
    const auto own = configs / std::to_string(++number);  // a table is read once
    const auto file = tests::write("configs/" + std::to_string(number) + "/kernels/linux.yaml", with(what, by, table));
    EXPECT_EQ(setenv("MLOCKSIM_CONFIGS", own.c_str(), 1), 0);
    tests::Lines lines = tests::mistakes_of([&] { (void)check_file(file); });
    tests::use_source_configs();
    return lines;
  };
  EXPECT_THAT(mistakes("fifo", "fifo"), IsEmpty());
  EXPECT_THAT(mistakes("0 .. 9", "[0, 9]"), testing::Contains(HasSubstr(":3:15: releases.6: expected")));
  for (const char* const range : {"0 .. x", "0 .. 1000", "0 .. 2000000000"}) {
    EXPECT_THAT(mistakes("0 .. 9", range),
                testing::Contains(HasSubstr("releases.6: expected a range such as 0 .. 18")));
  }
  EXPECT_THAT(mistakes("fifo", "fito"), ElementsAre(HasSubstr(":5:10: oldest.rwsem: expected")));
  EXPECT_THAT(mistakes("munlock: {mode: downgrade}", "munlock: {mode: down}"),
              ElementsAre(HasSubstr(":11:65: changes[1].policy.munlock.mode: expected")));
  EXPECT_THAT(mistakes("policy: {munlock", "policy: {nulock"),
              ElementsAre(HasSubstr("changes[1].policy.nulock: unknown key (did you mean munlock?)")));
  EXPECT_THAT(mistakes("rwsem: writer_spin", "rwsem: spin"),
              ElementsAre(HasSubstr("distributions.some-1.policy.rwsem: ")));
  EXPECT_THAT(mistakes("era: linux-6.1", "era: linux-6.2"),
              ElementsAre(HasSubstr("changes[0].scheduler.era: expected")));
}

TEST_F(KernelTable, WithoutATableThatIsWhatIsSaid) {
  const auto empty = tests::folder() / "configs";
  std::filesystem::create_directories(empty);
  ASSERT_EQ(setenv("MLOCKSIM_CONFIGS", empty.c_str(), 1), 0);
  EXPECT_THAT(mistake("6.1"), HasSubstr("there is no table of kernels in"));
  tests::use_source_configs();
}

TEST_F(KernelTable, SaysWhatIsFromMemoryWhereItStillCounts) {
  EXPECT_THAT(policy("linux-2.6.37").notes, ElementsAre(HasSubstr("2.6.32, 2.6.37")));
  EXPECT_THAT(policy("linux-6.12").notes, IsEmpty());
  EXPECT_THAT(policy("rhel-8").notes, testing::Contains(HasSubstr("distribution")));
  EXPECT_THAT(policy("debian-13").notes, IsEmpty());
}

TEST_F(KernelTable, SpansAreReleasesOfOneComposition) {
  const std::vector<KernelSpan> spans = kernel_spans();
  EXPECT_EQ(to_text(spans.front()), "Linux 2.6.27");
  for (std::size_t each = 1; each < spans.size(); ++each) {
    const Policy before = policy(spans[each - 1].name);
    Policy same = policy(spans[each].name);
    EXPECT_EQ(policy("linux-" + to_text(spans[each].last)).rwsem, same.rwsem);
    same.name = before.name;
    same.about = before.about;
    same.kernel = before.kernel;
    same.notes = before.notes;
    EXPECT_NE(before, same) << spans[each].name;
  }
  EXPECT_THAT(to_text(spans.back()), AllOf(HasSubstr("Linux 7.2")));
  EXPECT_EQ(to_text(KernelSpan{{6, 17}, experiments::kernel_table().releases.back(), ""}), "Linux 6.17 and later");
  EXPECT_EQ(to_text(KernelSpan{{5, 3}, {5, 10}, ""}), "Linux 5.3 to 5.10");
}

TEST_F(KernelTable, AMachineTakesTheSchedulerOfAKernel) {
  const auto scheduler = [](const std::string& machine) {
    return tests::read(with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", machine)).machine.scheduler;
  };
  const auto debian = scheduler("{from: machines/epyc-zen4-linux-6.18, kernel: debian-12}");
  EXPECT_EQ(debian.flavour, models::FairFlavour::cfs);
  EXPECT_EQ(debian.preempt, models::Preemption::voluntary);
  EXPECT_FALSE(debian.autogroup);
  const auto rhel = scheduler("{from: machines/epyc-zen4-linux-6.18, kernel: rhel-10}");
  EXPECT_EQ(rhel.flavour, models::FairFlavour::eevdf);
  EXPECT_EQ(rhel.tick, std::chrono::milliseconds{1});
  EXPECT_TRUE(rhel.autogroup);
  // What the map says itself counts more.
  const auto own = scheduler("{from: machines/epyc-zen4-linux-6.18, kernel: rhel-10, scheduler: {tick: 10ms}}");
  EXPECT_EQ(own.tick, std::chrono::milliseconds{10});
  EXPECT_TRUE(own.autogroup);
  EXPECT_THAT(tests::mistakes(with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}",
                                   "{from: machines/epyc-zen4-linux-6.18, kernel: debain}")),
              ElementsAre(HasSubstr("machine.kernel: expected a kernel such as 6.1 or debian-12")));
}

TEST_F(KernelTable, AMachineReclaimsAsADistributionsKernelIsBuilt) {
  using models::ReclaimKind;
  const auto reclaim = [](const std::string& keys) {
    const std::string machine = "{from: machines/epyc-zen4-linux-6.18, " + keys + "}";
    return tests::read(with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", machine)).machine.reclaim;
  };
  for (const char* const kernel : {"debian-13", "rhel-10", "android"}) {
    EXPECT_EQ(reclaim(std::string("kernel: ") + kernel), ReclaimKind::mglru) << kernel;
  }
  // Built in and off, built in, not there; upstream it is off.
  for (const char* const kernel : {"debian-12", "ubuntu-24.04", "debian-11", "6.12"}) {
    EXPECT_EQ(reclaim(std::string("kernel: ") + kernel), ReclaimKind::classic) << kernel;
  }
  EXPECT_EQ(reclaim("kernel: debian-12, reclaim: mglru"), ReclaimKind::mglru);
  EXPECT_EQ(reclaim("kernel: debian-13, reclaim: classic"), ReclaimKind::classic);
  EXPECT_EQ(reclaim("cpus: 2"), ReclaimKind::classic);
}

TEST_F(KernelTable, TheListFitsItsWidthAndTellsSourcesFromMemory) {
  const std::string list = kernel_list(experiments::kernel_table(), 80);
  std::size_t from = 0;
  for (std::size_t end = list.find('\n'); end != std::string::npos; from = end + 1, end = list.find('\n', from)) {
    EXPECT_LE(end - from, 80U) << list.substr(from, end - from);
  }
  EXPECT_THAT(list, AllOf(HasSubstr("dd2283f2605e"), HasSubstr("from memory"), HasSubstr("debian-13")));
}

}  // namespace
}  // namespace experiments::kernel_table_test
