#include "experiments/scenario/recording_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/scenario_file.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace experiments::recording_file_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* kRecording =
    "# mlocksim recording 1\n"
    "# thread due think call region offset size write read wake_ups\n"
    "0 1000 1000 mlock heap 4096 8192 0 0 40000,3100000\n"
    "1 2000 2000 fault - 0 4096 0 0\n"
    "0 9000 500 hold - 0 0 70 30\n";

constexpr const char* kScenario = R"(schema: mlocksim/1
name: recorded
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 2}
memory: {size: 1GiB, pressure: none}
policy: linux-6.12
processes:
  - name: db
    regions: {heap: {size: 12KiB, kind: anon}}
    threads: {worker: {run: replay, count: 2, replay: worker.recording}}
)";

std::string refusal_of(const std::string& text) {
  const tests::TemporaryFolder folder;
  const auto read = read_recording(folder.write("r", text));
  return read ? "" : read.message().substr(read.message().rfind('/') + 1);
}

std::string complaint_about_scenario(const std::string& recording, const std::string& scenario = kScenario) {
  tests::use_source_configs();
  const tests::TemporaryFolder folder;
  (void)folder.write("worker.recording", recording);
  try {
    (void)read_scenario(folder.write("s.yaml", scenario));
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

TEST(RecordingFile, IsReadAsItIsWritten) {
  const tests::TemporaryFolder folder;
  const auto read = read_recording(folder.write("r", kRecording));
  ASSERT_TRUE(read) << read.message();
  EXPECT_EQ(recording_text(*read), kRecording);
  ASSERT_EQ(read->recording->size(), 3U);
  EXPECT_EQ(read->regions, std::vector<std::string>{"heap"});
  EXPECT_EQ((*read->recording)[2].write_hold, 70ns);
  EXPECT_EQ((*read->recording)[1].region, -1);
  EXPECT_EQ((*read->recording)[0].wake_ups, (models::WakeUps{40us, 3100us}));
  EXPECT_TRUE((*read->recording)[1].wake_ups.empty());
}

TEST(RecordingFile, RefusesWithTheLineAndWhatWasExpected) {
  const std::string head = "# mlocksim recording 1\n";
  EXPECT_THAT(refusal_of("due,think\n"), HasSubstr("r:1: expected `# mlocksim recording 1`"));
  EXPECT_THAT(refusal_of(head), HasSubstr("expected requests, found none"));
  EXPECT_THAT(refusal_of(head + "0 1 1 mlok heap 0 4096 0 0\n"),
              HasSubstr("r:2: there is no call 'mlok' (did you mean mlock?)"));
  EXPECT_THAT(refusal_of(head + "0 1 1 mlock heap 0\n"), HasSubstr("r:2: expected `thread due think"));
  EXPECT_THAT(refusal_of(head + "0 1 1 mlock heap 0 4096 0 0 0\n"), HasSubstr("r:2: expected `thread due think"));
  for (const char* wake_ups : {"5 6", "5,", ",5", "5,,6", "-5", "5us"}) {
    EXPECT_THAT(refusal_of(head + "0 1 1 hold - 0 0 1 0 " + wake_ups), HasSubstr("r:2: expected `thread due think"));
  }
  EXPECT_THAT(refusal_of(head + "0 1 1 hold - 0 0 1 0 9000000000000000"), HasSubstr("r:2: expected times of 0 to 30"));
  EXPECT_THAT(refusal_of(head + "0 1 1 mlock - 0 4096 0 0\n"), HasSubstr("r:2: expected a region for mlock"));
  EXPECT_THAT(refusal_of(head + "0 1 1 mlock heap 0 4095 0 0\n"),
              HasSubstr("r:2: expected offset and size of whole pages"));
  EXPECT_THAT(refusal_of(head + "0 -1 1 hold - 0 0 1 0\n"), HasSubstr("r:2: expected times of 0 to 30 days"));
  EXPECT_THAT(refusal_of(head + "0 1 1 mmap - 0 0 0 0\n"), HasSubstr("r:2: expected a size above 0"));
}

TEST(RecordingFile, AScenarioTakesItFromBesideItself) { EXPECT_EQ(complaint_about_scenario(kRecording), ""); }

TEST(RecordingFile, AScenarioRefusesRequestsOnWhatIsNotThere) {
  const std::string head = "# mlocksim recording 1\n";
  EXPECT_THAT(complaint_about_scenario(head + "0 1 1 mlock hep 0 4096 0 0\n"),
              testing::AllOf(HasSubstr("s.yaml:9:"), HasSubstr("threads.worker.replay"), HasSubstr("'hep'"),
                             HasSubstr("did you mean heap?")));
  EXPECT_THAT(complaint_about_scenario(head + "0 1 1 mlock heap 8192 8192 0 0\n"),
              HasSubstr("a mlock of 8KiB at 8KiB of 'heap', which has 12KiB"));
  EXPECT_THAT(complaint_about_scenario("nothing"), HasSubstr("expected `# mlocksim recording 1`"));
}

}  // namespace
}  // namespace experiments::recording_file_test
