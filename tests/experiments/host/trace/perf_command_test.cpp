#include "experiments/host/trace/perf_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"

namespace experiments::perf_command_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

std::string events_in(const Words& words) { return *std::next(std::find(words.begin(), words.end(), "-e")); }

Words from(const std::string& word, const Words& words) {
  return {std::find(words.begin(), words.end(), word), words.end()};
}

TEST(PerfCommand, RecordsAllCpusForSomeTime) {
  const Words words = perf_command({.seconds = 3}, {6, 12});
  EXPECT_THAT(from("-a", words), ElementsAre("-a", "--", "sleep", "3"));
  EXPECT_THAT(events_in(words), HasSubstr("mmap_lock:*,"));
  EXPECT_THAT(events_in(words), HasSubstr("syscalls:sys_exit_munlock"));
}

TEST(PerfCommand, RecordsAProcessOrACommand) {
  EXPECT_THAT(from("-p", perf_command({.pid = 42}, {6, 12})), ElementsAre("-p", "42", "--", "sleep", "10"));
  EXPECT_THAT(from("--", perf_command({.command = {"ls", "-l"}}, {6, 12})), ElementsAre("--", "ls", "-l"));
}

TEST(PerfCommand, AsksForNoEventThatTheKernelLacks) {
  EXPECT_THAT(events_in(perf_command({}, {5, 19})), HasSubstr("lock:contention_begin"));
  EXPECT_THAT(events_in(perf_command({}, {5, 15})), Not(HasSubstr("lock:contention_begin")));
  EXPECT_THROW((void)perf_command({}, {5, 10}), UsageError);
}

}  // namespace
}  // namespace experiments::perf_command_test
