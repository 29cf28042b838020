#include "experiments/scenario/kernel_version.h"

#include <gtest/gtest.h>

#include <string>

namespace experiments::kernel_version_test {
namespace {

using models::KernelVersion;

TEST(KernelVersion, IsReadAndWrittenAsItsMakefileHasIt) {
  for (const std::string text : {"6.4", "2.6.38", "6.12.3", "3.0"}) EXPECT_EQ(to_text(*parse_kernel(text)), text);
  for (const std::string wrong : {"6", "6.", "6.x", "-6.4", "6.4.1.2", "linux-6.4", "6,4", ""}) {
    EXPECT_FALSE(parse_kernel(wrong)) << wrong;
  }
  EXPECT_LT(*parse_kernel("6.4"), *parse_kernel("6.10"));
}

TEST(KernelVersion, BelongsToARelease) {
  EXPECT_EQ(release_of({5, 15, 173}), (KernelVersion{5, 15, 0}));
  EXPECT_EQ(release_of({2, 6, 32}), (KernelVersion{2, 6, 32}));
}

struct Spelling {
  std::string text;
  KernelVersion release;
  std::string rest;
};

TEST(KernelVersion, IsFoundInWhatPeopleSay) {
  for (const Spelling& spelling : {Spelling{"5.4", {5, 4}, ""},
                                   {"linux-5.4", {5, 4}, ""},
                                   {"v6.12.3", {6, 12}, ""},
                                   {"5.4.0-150-generic", {5, 4}, "-150-generic"},
                                   {"6.1.0-18-amd64", {6, 1}, "-18-amd64"},
                                   {"4.18.0-513.5.1.el8_9.x86_64", {4, 18}, "-513.5.1.el8_9.x86_64"},
                                   {"2.6.32-754.el6.x86_64", {2, 6, 32}, "-754.el6.x86_64"},
                                   {"6.18.44-fc-v595", {6, 18}, "-fc-v595"},
                                   {"6.18-rc3", {6, 18}, "-rc3"}}) {
    const auto named = parse_uname(spelling.text);
    ASSERT_TRUE(named) << spelling.text;
    EXPECT_EQ(named->release, spelling.release) << spelling.text;
    EXPECT_EQ(named->rest, spelling.rest) << spelling.text;
  }
  for (const std::string other : {"downgrade", "linux-", "linux-6", "6", "v", "debian-12", "6.4x", "6.4.x", "6.4-",
                                  "6.4_foo", "linux-6.4.yaml", ""}) {
    EXPECT_FALSE(parse_uname(other)) << other;
  }
}

}  // namespace
}  // namespace experiments::kernel_version_test
