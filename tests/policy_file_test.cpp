#include "experiments/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/config_files.h"

namespace experiments {
namespace {

using models::HoldMode;
using testing::ElementsAre;
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
  EXPECT_EQ(policy, expected);
}

TEST_F(PolicyFile, RefusesModesThatAreNotThereYet) {
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

TEST_F(PolicyFile, RefusesPoliciesThatAreIncompleteOrMisspelled) {
  EXPECT_THAT(policy_mistakes(with("munmap: {mode: write_held}\n", "munmp: {mode: write_held}\n", kPolicy)),
              ElementsAre("p.yaml:1:1: munmap: missing", "p.yaml:5:1: munmp: unknown key (did you mean munmap?)"));
  EXPECT_THAT(policy_mistakes(with("{mode: write_held}", "write_held", kPolicy)),
              ElementsAre("p.yaml:5:9: munmap: expected a map such as {mode: downgrade}, found 'write_held'"));
  EXPECT_THAT(policy_mistakes(with("write_held", "write_hold", kPolicy)),
              ElementsAre("p.yaml:5:16: munmap.mode: expected write_held, downgrade, found 'write_hold' "
                          "(did you mean write_held?)"));
}

}  // namespace
}  // namespace experiments
