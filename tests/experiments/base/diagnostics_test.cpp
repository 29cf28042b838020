#include "experiments/base/diagnostics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace experiments::diagnostics_test {
namespace {

using testing::Eq;
using testing::Optional;

const std::vector<std::string> kKeys = {"name", "policy", "policies", "processes", "cpus", "count"};

TEST(Diagnostic, ReadsAsFilePositionKeyAndMessage) {
  EXPECT_EQ(to_text({"a.yaml", 12, 7, "processes[0].regions.heap.size", "expected a size, found '4GB'"}),
            "a.yaml:12:7: processes[0].regions.heap.size: expected a size, found '4GB'");
}

TEST(Diagnostic, LeavesOutAPositionThatItDoesNotHave) {
  EXPECT_EQ(to_text({"--set seed=x", 0, 0, "seed", "bad"}), "--set seed=x: seed: bad");
}

TEST(Diagnostic, LeavesOutAKeyThatItDoesNotHave) {
  EXPECT_EQ(to_text({"a.yaml", 1, 1, "", "not valid YAML"}), "a.yaml:1:1: not valid YAML");
}

TEST(InputError, SaysEverythingSortedByPosition) {
  const InputError error({{"b", 1, 1, "", "third"}, {"a", 9, 2, "", "second"}, {"a", 2, 5, "", "first"}});
  EXPECT_STREQ(error.what(), "a:2:5: first\na:9:2: second\nb:1:1: third");
}

TEST(InputError, KeepsTheOrderOfMistakesInOnePlace) {
  const InputError error({{"a", 1, 1, "", "z"}, {"a", 1, 1, "", "b"}});
  EXPECT_STREQ(error.what(), "a:1:1: z\na:1:1: b");
}

TEST(Nearest, FindsAWordWithALetterMissingSwappedWrongOrTooMany) {
  EXPECT_THAT(nearest("polcy", kKeys), Optional(Eq("policy")));
  EXPECT_THAT(nearest("nmae", kKeys), Optional(Eq("name")));
  EXPECT_THAT(nearest("counts", kKeys), Optional(Eq("count")));
  EXPECT_THAT(nearest("proceses", kKeys), Optional(Eq("processes")));
}

TEST(Nearest, PrefersTheClosest) { EXPECT_THAT(nearest("policie", kKeys), Optional(Eq("policies"))); }

TEST(Nearest, DoesNotMindTheCaseOfLetters) { EXPECT_THAT(nearest("CPUs", kKeys), Optional(Eq("cpus"))); }

TEST(Nearest, FindsTheOneThatContinuesTheWord) {
  EXPECT_THAT(nearest("epyc", {"xeon", "epyc-zen4-linux-6.18"}), Optional(Eq("epyc-zen4-linux-6.18")));
  EXPECT_EQ(nearest("epyc", {"epyc-zen4-linux-6.18", "epyc-zen5-linux-7.0"}), std::nullopt);
}

TEST(Nearest, FindsTheOneThatTheWordAbbreviates) {
  EXPECT_THAT(nearest("rnd", {"in_turn", "random", "start"}), Optional(Eq("random")));
  EXPECT_THAT(nearest("dgrd", {"write_held", "downgrade"}), Optional(Eq("downgrade")));
  EXPECT_EQ(nearest("mlk", {"mlockall", "mlock onfault"}), std::nullopt) << "two";
  EXPECT_EQ(nearest("ndm", {"random"}), std::nullopt) << "nobody leaves the first letter out";
}

TEST(Diagnostic, QuotesOfALongTextItsBeginning) {
  const std::string longest(60, 'x');
  const std::string shorter(59, 'x');
  EXPECT_EQ(as_found("short"), "'short'");
  EXPECT_EQ(as_found(longest), fmt::format("'{}'", longest));
  EXPECT_EQ(as_found(longest + "x"), fmt::format("'{}...' (61 characters)", longest));
  EXPECT_EQ(as_found(shorter + "\u00b5s"), fmt::format("'{}...' (62 characters)", shorter));
}

TEST(Nearest, FindsNothingWhenNothingIsClose) {
  EXPECT_EQ(nearest("swap", kKeys), std::nullopt);
  EXPECT_EQ(nearest("x", {"y"}), std::nullopt);
  EXPECT_EQ(nearest("", kKeys), std::nullopt);
  EXPECT_EQ(nearest("name", {}), std::nullopt);
}

TEST(Nearest, BecomesAQuestionOrNothing) {
  EXPECT_EQ(did_you_mean("polcy", kKeys), " (did you mean policy?)");
  EXPECT_EQ(did_you_mean("swap", kKeys), "");
}

}  // namespace
}  // namespace experiments::diagnostics_test
