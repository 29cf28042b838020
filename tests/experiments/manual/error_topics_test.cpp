#include "experiments/manual/error_topics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "experiments/manual/file_format.h"
#include "experiments/manual/pages.h"
#include "tests/support/command_line.h"
#include "tests/support/config_files.h"

namespace experiments::error_topics_test {
namespace {

class ErrorTopics : public tests::ConfigFiles {
 protected:
  /// What is said under a scenario with one key wrong.
  static std::string see(const std::string& key, const std::string& message = "unknown key") {
    return see_manual(InputError({{"--set " + key + "=1", 0, 0, key, message}}));
  }
};

TEST_F(ErrorTopics, NameTheKeyOrTheMapThatItIsIn) {
  EXPECT_EQ(see("memory.swap.size"), "See: mlocksim help memory.swap.size\n");
  EXPECT_EQ(see("processes[0].regions.heap.size"), "See: mlocksim help regions.size\n");
  EXPECT_EQ(see("processes[0].regions.heap.sise"), "See: mlocksim help regions\n");
  EXPECT_EQ(see("processes[0].threads.me.script[1]"), "See: mlocksim help locker.script\n");
  EXPECT_EQ(see("processes[0].threads.me.scrip"), "See: mlocksim help threads\n");
  EXPECT_EQ(see("processes[0].threads.me.by"), "See: mlocksim help threads.by\n");
  EXPECT_EQ(see("policies[2].munlock.batch"), "See: mlocksim help munlock.batch\n");
  EXPECT_EQ(see("machine.costs.fault"), "See: mlocksim help costs.fault\n");
  EXPECT_EQ(see("polices"), "See: mlocksim help scenario\n");
  EXPECT_EQ(see("memory.size", "expected a size such as 4GiB or 512MiB, found 'big'"),
            "See: mlocksim help memory.size, mlocksim help units\n");
}

TEST_F(ErrorTopics, KnowAFileByItsKeys) {
  const tests::TemporaryFolder folder;
  const std::string policy = folder.write("p.yaml", std::string(tests::kPolicy) + "unlock: 1\n");
  EXPECT_EQ(see_manual(InputError({{policy, 6, 1, "unlock", "unknown key"}})), "See: mlocksim help policy\n");
  EXPECT_EQ(see_manual(InputError({{folder / "none.yaml", 1, 1, "unlock", "unknown key"}})), "");
  EXPECT_EQ(see_manual(InputError({{policy, 6, 1, "", "not valid YAML"}})), "");
}

TEST_F(ErrorTopics, AreFewAndNamedOnce) {
  std::vector<Diagnostic> mistakes;
  for (const char* const key : {"seed", "memory.size", "seed", "memory.free", "machine.cpus"}) {
    mistakes.push_back({"--set x", 0, 0, key, "wrong"});
  }
  EXPECT_EQ(see_manual(InputError(mistakes)),
            "See: mlocksim help seed, mlocksim help memory.size, mlocksim help memory.free\n");
}

// Whatever an error names, the manual has.
TEST_F(ErrorTopics, AreAllInTheManual) {
  std::vector<FileFormat> formats;
  for (const ConfigKind kind : described_kinds()) formats.push_back(file_format(kind));
  for (const KeyWords& row : all_key_words()) {
    const std::string topic = topic_of_key(row.path);
    EXPECT_TRUE(std::any_of(formats.begin(), formats.end(),
                            [&](const FileFormat& format) { return !keys_called(format, topic).empty(); }))
        << topic << " of " << row.path;
  }
}

TEST_F(ErrorTopics, StandUnderTheErrorOnALineOfTheirOwn) {
  const tests::Outcome run = tests::mlocksim({"run", "unlock_question", "--set", "memory.size=big"});
  EXPECT_EQ(run.code, 2);
  EXPECT_TRUE(run.err.ends_with("\nSee: mlocksim help memory.size, mlocksim help units\n")) << run.err;
  const tests::Outcome option = tests::mlocksim({"run", "unlock_question", "--trace", "t", "--trace-limit", "1MB"});
  EXPECT_EQ(option.code, 2);
  EXPECT_TRUE(option.err.ends_with("\nSee: mlocksim help units\n")) << option.err;
}

}  // namespace
}  // namespace experiments::error_topics_test
