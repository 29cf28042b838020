// `mlocksim fmt`: which files it writes, and what it says.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/command_line.h"
#include "tests/support/config_files.h"

namespace experiments::fmt_test {
namespace {

using testing::HasSubstr;
using tests::mlocksim;
using tests::text_of;

constexpr int kBadInput = 2;
constexpr int kNotFormatted = 3;

TEST(Fmt, FormatsInPlaceAndKeepsPermissions) {
  const tests::TemporaryFolder folder;
  const std::string file = folder.write("a.yaml", "a:   # why\n    b: { c: 1 }\n");
  std::filesystem::permissions(file, std::filesystem::perms{0600});
  const tests::Outcome outcome = mlocksim({"fmt", file});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, file + ": formatted\n");
  EXPECT_EQ(text_of(file), "a:   # why\n  b: {c: 1}\n");
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms{0600});
  EXPECT_EQ(mlocksim({"fmt", file}).err, "") << "nothing is left to be done";
  EXPECT_THAT(folder.names(), testing::ElementsAre("a.yaml"));
}

TEST(Fmt, ChecksWithoutWriting) {
  const tests::TemporaryFolder folder;
  const std::string good = folder.write("good.yaml", tests::kScenario);
  const std::string other = folder.write("other.yaml", "a:   {b: 1}  \n");
  const tests::Outcome outcome = mlocksim({"fmt", "--check", good, other});
  EXPECT_EQ(outcome.code, kNotFormatted);
  EXPECT_EQ(outcome.out, other + ": is not formatted\n");
  EXPECT_EQ(text_of(other), "a:   {b: 1}  \n");
  EXPECT_EQ(mlocksim({"fmt", "--check", good}).code, 0);
}

TEST(Fmt, WritesNoneWhereOneIsWrong) {
  const tests::TemporaryFolder folder;
  const std::string good = folder.write("good.yaml", "a:   {b: 1}  \n");
  const std::string wrong = folder.write("wrong.yaml", "a: [1\n");
  const tests::Outcome outcome = mlocksim({"fmt", good, wrong, folder / "none.yaml"});
  EXPECT_EQ(outcome.code, kBadInput);
  EXPECT_THAT(outcome.err, testing::AllOf(HasSubstr("wrong.yaml:"), HasSubstr("none.yaml: cannot be read")));
  EXPECT_EQ(text_of(good), "a:   {b: 1}  \n");
}

}  // namespace
}  // namespace experiments::fmt_test
