#include "experiments/scenario/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "experiments/compare/policy_table.h"
#include "experiments/scenario/config_catalogue.h"
#include "tests/support/config_files.h"

namespace experiments::policy_file_test {
namespace {

using models::HoldMode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using tests::kPolicy;
using tests::policy_mistakes;
using tests::with;
using tests::write;

class PolicyFile : public tests::ConfigFiles {};

TEST_F(PolicyFile, ReadsAPolicyWithItsDefaults) {
  const auto policy = read_policy(write("p.yaml", kPolicy));
  models::Policy expected;
  expected.name = "mine";
  expected.populate.mode = HoldMode::downgrade;
  expected.munlock.mode = HoldMode::downgrade;
  expected.munmap.mode = HoldMode::write_held;
  expected.grow.mode = HoldMode::downgrade;
  EXPECT_EQ(policy, expected);
}

TEST_F(PolicyFile, ReadsHowOftenAPathGivesWay) {
  const auto chunked = read_policy(
      write("p.yaml", with("munlock: {mode: downgrade}",
                           "munlock: {mode: chunked_write, batch: 64, max_hold: 1ms, if_contended: true}", kPolicy)));
  EXPECT_EQ(chunked.munlock,
            (models::Hold{HoldMode::chunked_write, models::PageCount(64), std::chrono::milliseconds(1), true}));
  const auto handing =
      read_policy(write("p.yaml", with("munlock: {mode: downgrade}",
                                       "munlock: {mode: chunked_write, batch: 64, hand_over: true}", kPolicy)));
  EXPECT_TRUE(handing.munlock.hand_over);
  const auto looking = read_policy(write(
      "p.yaml", with("munlock: {mode: downgrade}", "munlock: {mode: chunked_write, if_contended: true}", kPolicy)));
  EXPECT_EQ(looking.munlock, (models::Hold{HoldMode::chunked_write, models::PageCount(512), {}, true}));
}

TEST_F(PolicyFile, PopulatesWhatGrowsAsMlockDoesUnlessToldOtherwise) {
  const auto alike =
      read_policy(write("p.yaml", with("populate: {mode: downgrade}", "populate: {mode: drop_and_read}", kPolicy)));
  EXPECT_EQ(alike.grow.mode, HoldMode::drop_and_read);
  const auto apart = read_policy(write("p.yaml", std::string(kPolicy) + "grow: {mode: write_held}\n"));
  EXPECT_EQ(apart.populate.mode, HoldMode::downgrade);
  EXPECT_EQ(apart.grow.mode, HoldMode::write_held);
}

TEST_F(PolicyFile, ReadsWhetherAFaultIsTriedAgainAfterIo) {
  const auto fault = [](const std::string& keys) {
    return read_policy(write("p.yaml", std::string(kPolicy) + "fault: {" + keys + "}\n"));
  };
  EXPECT_FALSE(fault("lock: mmap_sem").retry_on_io);
  EXPECT_TRUE(fault("lock: mmap_sem, retry_on_io: true").retry_on_io);
  EXPECT_TRUE(fault("lock: per_vma, retry_on_io: true").retry_on_io);
  EXPECT_THAT(policy_mistakes(std::string(kPolicy) + "fault: {lock: mmap_sem, retry_on_oi: 1}\n"),
              ElementsAre("p.yaml:6:25: fault.retry_on_oi: unknown key (did you mean retry_on_io?)"));
}

TEST_F(PolicyFile, SaysWhichKernelItIsOf) {
  const auto kernel = [](const std::string& version) {
    return read_policy(write("p.yaml", std::string(kPolicy) + "kernel: " + version + "\n")).kernel;
  };
  EXPECT_FALSE(read_policy(write("p.yaml", kPolicy)).kernel);
  EXPECT_EQ(kernel("6.4"), (models::KernelVersion{6, 4, 0}));
  EXPECT_EQ(kernel("2.6.38"), (models::KernelVersion{2, 6, 38}));
  EXPECT_LT(*kernel("6.4"), *kernel("6.10"));
  for (const char* const wrong : {"6", "6.", "6.x", "-6.4", "6.4.1.2", "linux-6.4", "6,4"}) {
    EXPECT_THAT(policy_mistakes(std::string(kPolicy) + "kernel: " + wrong + "\n"),
                ElementsAre(HasSubstr("kernel: expected the version of a kernel such as 6.4, found '")))
        << wrong;
  }
}

TEST_F(PolicyFile, TheErasRetryFrom2_6_37On) {
  for (const auto& entry : list_configs(ConfigKind::policies)) {
    const bool of_an_era = read_policy(entry.path).kernel >= models::KernelVersion{2, 6, 37} ||
                           entry.name == "maps_rcu" || entry.name == "proc_per_vma";
    EXPECT_EQ(read_policy(entry.path).retry_on_io, of_an_era) << entry.name;
  }
}

TEST_F(PolicyFile, TheTableShowsWhatAFaultHolds) {
  auto policy = read_policy(write("p.yaml", kPolicy));
  EXPECT_THAT(policy_table({policy}), HasSubstr(" read "));
  policy.retry_on_io = true;
  EXPECT_THAT(policy_table({policy}), HasSubstr(" read/IO "));
  policy.fault = models::FaultLock::per_vma;
  EXPECT_THAT(policy_table({policy}), HasSubstr(" VMA's lock/IO "));
}

TEST_F(PolicyFile, ReadsWhichLockMadviseZapsUnder) {
  const auto madvise = [](const std::string& keys) {
    return with("munmap: {mode: write_held}", "munmap: {mode: write_held}\nmadvise: {" + keys + "}", kPolicy);
  };
  const std::string per_vma = "fault: {lock: per_vma}\n";
  EXPECT_FALSE(read_policy(write("p.yaml", madvise("zap: mmap_sem"))).zap_under_vma_lock);
  const auto policy = read_policy(write("p.yaml", madvise("zap: per_vma") + per_vma));
  EXPECT_TRUE(policy.zap_under_vma_lock);
  EXPECT_THAT(policy_table({policy}), HasSubstr(" VMA's lock+zap "));
  EXPECT_THAT(policy_mistakes(madvise("zap: per_vma")),
              ElementsAre("p.yaml:6:16: madvise.zap: VMAs have locks of their own only where faults take them: use it "
                          "with fault: {lock: per_vma}"));
  EXPECT_THAT(policy_mistakes(madvise("zap: pervma") + per_vma),
              ElementsAre("p.yaml:6:16: madvise.zap: expected mmap_sem, per_vma, found 'pervma' (did you mean "
                          "per_vma?)"));
  EXPECT_THAT(
      policy_mistakes(madvise("zip: per_vma") + per_vma),
      ElementsAre("p.yaml:6:10: madvise.zap: missing", "p.yaml:6:11: madvise.zip: unknown key (did you mean zap?)"));
}

TEST_F(PolicyFile, ReadsWhichLockProcIsReadUnder) {
  const std::string per_vma = "fault: {lock: per_vma}\n";
  const auto proc = [](const std::string& keys) { return std::string(kPolicy) + "proc: {" + keys + "}\n"; };
  EXPECT_EQ(read_policy(write("p.yaml", kPolicy)).proc, models::ProcLocks{});
  const auto read =
      read_policy(write("p.yaml", proc("maps: per_vma, smaps_rollup: mmap_sem, rollup_gives_way: true") + per_vma));
  EXPECT_EQ(read.proc.maps, models::ProcLock::per_vma);
  EXPECT_EQ(read.proc.smaps, models::ProcLock::mmap_sem);
  EXPECT_TRUE(read.proc.rollup_gives_way);
  EXPECT_EQ(read_policy(write("p.yaml", proc("maps: rcu"))).proc.maps, models::ProcLock::rcu);
  EXPECT_THAT(
      policy_mistakes(proc("smaps: per_vma")),
      ElementsAre("p.yaml:6:15: proc.smaps: VMAs have locks of their own only where faults take them: use it with "
                  "fault: {lock: per_vma}"));
  EXPECT_THAT(policy_mistakes(proc("smap: per_vma") + per_vma),
              ElementsAre("p.yaml:6:8: proc.smap: unknown key (did you mean smaps?)"));
  EXPECT_THAT(policy_mistakes(proc("maps: per_vm") + per_vma), ElementsAre(HasSubstr("(did you mean per_vma?)")));
  EXPECT_THAT(policy_mistakes(proc("smaps: rcu")), ElementsAre(HasSubstr("p.yaml:6:15: proc.smaps: ")));
}

TEST_F(PolicyFile, ReadsWhetherMunlockWalksTheRmap) {
  const auto munlock = [](const std::string& keys) {
    return with("munlock: {mode: downgrade}", "munlock: {mode: downgrade, " + keys + "}", kPolicy);
  };
  EXPECT_FALSE(read_policy(write("p.yaml", kPolicy)).munlock_walks_rmap);
  EXPECT_TRUE(read_policy(write("p.yaml", munlock("rmap: walk"))).munlock_walks_rmap);
  EXPECT_THAT(policy_mistakes(munlock("rmap: wlk")),
              ElementsAre("p.yaml:4:34: munlock.rmap: expected skip, walk, found 'wlk' (did you mean walk?)"));
}

TEST_F(PolicyFile, OnlyTheErasBefore3_2WalkTheRmap) {
  for (const auto& entry : list_configs(ConfigKind::policies)) {
    const models::Policy policy = read_policy(entry.path);
    const bool later = policy.kernel >= models::KernelVersion{3, 2, 0};
    EXPECT_FALSE(later && policy.munlock_walks_rmap) << entry.name;
  }
  EXPECT_TRUE(read_policy(find_config(ConfigKind::policies, "linux-2.6.38", {})->string()).munlock_walks_rmap);
}

// maps: 6.17; smaps_rollup gives way since 5.11.
TEST_F(PolicyFile, TheErasReadProcAsTheirKernelsDid) {
  const auto proc_of = [](const std::string& name) {
    return read_policy(find_config(ConfigKind::policies, name, {})->string()).proc;
  };
  EXPECT_FALSE(proc_of("linux-4.20").rollup_gives_way);
  EXPECT_TRUE(proc_of("linux-5.18").rollup_gives_way);
  EXPECT_EQ(proc_of("linux-6.4").maps, models::ProcLock::mmap_sem);
  EXPECT_EQ(proc_of("linux-6.17").maps, models::ProcLock::per_vma);
  EXPECT_EQ(proc_of("linux-6.17").smaps, models::ProcLock::mmap_sem);
}

TEST_F(PolicyFile, RefusesCompositionsThatMakeNoSenseAndSaysWhy) {
  EXPECT_THAT(
      policy_mistakes(with("populate: {mode: downgrade}", "populate: {mode: chunked_write, batch: 16}", kPolicy)),
      ElementsAre(StartsWith("p.yaml:3:18: populate.mode: populating needs no write mode")));
  EXPECT_THAT(policy_mistakes(with("munmap: {mode: write_held}", "munmap: {mode: chunked_write, batch: 16}", kPolicy)),
              ElementsAre(StartsWith("p.yaml:5:16: munmap.mode: the map may not change while")));
  EXPECT_THAT(policy_mistakes(with("munmap: {mode: write_held}", "munmap: {mode: drop_and_read}", kPolicy)),
              ElementsAre(StartsWith("p.yaml:5:16: munmap.mode: once the VMAs are out of the map")));
  EXPECT_THAT(policy_mistakes(with("munlock: {mode: downgrade}", "munlock: {mode: downgrade, batch: 16}", kPolicy)),
              ElementsAre(StartsWith("p.yaml:4:35: munlock.batch: only drop_and_read and chunked_write")));
  EXPECT_THAT(policy_mistakes(with("munlock: {mode: downgrade}", "munlock: {mode: chunked_write}", kPolicy)),
              ElementsAre("p.yaml:4:10: munlock: chunked_write needs a batch, a max_hold or if_contended: true"));
  EXPECT_THAT(
      policy_mistakes(with("populate: {mode: downgrade}", "populate: {mode: downgrade, present_first: true}", kPolicy)),
      ElementsAre(StartsWith("p.yaml:3:44: populate.present_first: only drop_and_read")));
}

TEST_F(PolicyFile, SaysWhereFromStands) {
  EXPECT_THAT(policy_mistakes("schema: mlocksim/1\nfrom: linux-6.18\nname: mine\nmunlock: {mode: downgrade}\n"),
              ElementsAre("p.yaml:2:7: from: a file has all keys itself; a scenario can say "
                          "policies: [{from: NAME, name: mine, ...}]"));
}

TEST_F(PolicyFile, RefusesPoliciesThatAreIncompleteOrMisspelled) {
  EXPECT_THAT(policy_mistakes(with("munmap: {mode: write_held}\n", "munmp: {mode: write_held}\n", kPolicy)),
              ElementsAre("p.yaml:1:1: munmap: missing", "p.yaml:5:1: munmp: unknown key (did you mean munmap?)"));
  EXPECT_THAT(policy_mistakes(with("{mode: write_held}", "write_held", kPolicy)),
              ElementsAre("p.yaml:5:9: munmap: expected a map such as {mode: downgrade}, found 'write_held'"));
  EXPECT_THAT(
      policy_mistakes(with("write_held", "write_hold", kPolicy)),
      ElementsAre(
          "p.yaml:5:16: munmap.mode: expected write_held, downgrade, drop_and_read, chunked_write, found 'write_hold' "
          "(did you mean write_held?)"));
}

}  // namespace
}  // namespace experiments::policy_file_test
