#include "experiments/compare/policy_question.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/synthetic_result.h"

namespace experiments::policy_question_test {
namespace {

using models::Phase;
using models::Policy;
using testing::ElementsAre;

Policy called(const std::string& name, Policy policy) {
  policy.name = name;
  return policy;
}

Policy spinning() {
  Policy policy = called("spinning", tests::downgrade());
  policy.rwsem = models::RwsemFlavour::writer_spin;
  return policy;
}

/// `write_held -> downgrade during mlock`; of more than one path without the call.
std::vector<std::string> asked_of(const std::vector<Policy>& policies) {
  std::vector<std::string> asked;
  for (const PolicyQuestion& each : questions_between(policies)) {
    asked.push_back(policies[each.before].name + " -> " + policies[each.after].name +
                    (each.call ? " during " + std::string(to_string(*each.call)) : ""));
  }
  return asked;
}

TEST(PolicyQuestion, IsAboutThePathOnWhichAloneTwoDiffer) {
  EXPECT_THAT(asked_of({tests::unlock_downgrade(), tests::downgrade(), tests::write_held()}),
              ElementsAre("write_held -> downgrade during mlock", "downgrade -> unlock_downgrade during munlock"))
      << "in whichever order they stand";
}

TEST(PolicyQuestion, DoesNotHangOnWhatIsSaidOfAPolicy) {
  Policy other = tests::downgrade();
  other.about = "what it is";
  other.notes = {"what is assumed in it"};
  other.kernel = models::KernelVersion{2, 6, 28};
  EXPECT_THAT(asked_of({tests::write_held(), other}), ElementsAre("write_held -> downgrade during mlock"));
  EXPECT_THAT(keys_that_differ(tests::downgrade(), other), ElementsAre());
}

TEST(PolicyQuestion, OfTwoThatDifferInMoreIsWhichIsBetter) {
  EXPECT_THAT(asked_of({tests::write_held(), tests::unlock_downgrade()}),
              ElementsAre("write_held -> unlock_downgrade"));
  EXPECT_EQ(questions_between({tests::write_held(), spinning()}).front().question,
            "Is spinning better than write_held for those who compete?");
}

TEST(PolicyQuestion, LeavesNobodyOutAndConnectsEachButOnce) {
  EXPECT_THAT(asked_of({spinning(), tests::downgrade(), tests::unlock_downgrade()}),
              ElementsAre("downgrade -> unlock_downgrade during munlock", "spinning -> downgrade"));
  EXPECT_THAT(asked_of({tests::downgrade(), called("twin", tests::downgrade()), spinning()}),
              ElementsAre("downgrade -> twin", "downgrade -> spinning"));
  EXPECT_THAT(asked_of({tests::downgrade()}), ElementsAre());
}

TEST(PolicyQuestion, KeysThatDifferAreThoseOfTheFile) {
  Policy other = spinning();
  other.munlock = {models::HoldMode::chunked_write, models::PageCount(512)};
  other.munlock_walks_rmap = true;
  other.proc.clear_refs_writes = true;
  EXPECT_THAT(keys_that_differ(tests::downgrade(), other),
              ElementsAre("munlock", "rwsem", "munlock.rmap", "proc.clear_refs"));
}

}  // namespace
}  // namespace experiments::policy_question_test
