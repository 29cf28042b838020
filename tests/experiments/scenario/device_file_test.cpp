#include "experiments/scenario/device_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>

#include "experiments/scenario/config_catalogue.h"
#include "tests/support/config_files.h"

namespace experiments::device_file_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using tests::device_mistakes;
using tests::kDevice;
using tests::kZram;
using tests::mistakes;
using tests::read;
using tests::with;
using tests::write;
using namespace std::chrono_literals;

class DeviceFile : public tests::ConfigFiles {};

/// kScenario with more keys of its memory.
std::string scenario_with(const std::string& keys) { return with("1GiB}", "1GiB, " + keys + "}"); }

/// The device that kScenario has then.
models::DeviceSpec device_in(const std::string& keys) { return read(scenario_with(keys)).memory.device; }

models::DeviceSpec mine() { return {"mine", 4, 16, sim::Constant{2ms}, sim::Exponential{3ms}, 10us}; }

// --- what is read -------------------------------------------------------------------------------------------

TEST_F(DeviceFile, ReadsABlockDevice) {
  const Device device = read_device(write("d.yaml", with("name: mine", "name: mine\nabout: hello", kDevice)));
  EXPECT_EQ(device, (Device{"mine", "hello", mine()}));
}

TEST_F(DeviceFile, ReadsZram) {
  EXPECT_EQ(read_device(write("d.yaml", kZram)), (Device{"mine", "", models::ZramSpec{2us, 1us, 2.5}}));
}

TEST_F(DeviceFile, TheShippedOnesAreWhatTheirNamesSay) {
  const auto shipped = [](const std::string& name) { return read_device(*find_config(ConfigKind::devices, name)); };
  for (const std::string name : {"nvme", "sata_ssd", "disk"}) {
    const Device device = shipped(name);
    ASSERT_TRUE(std::holds_alternative<models::DeviceSpec>(device.spec)) << name;
    EXPECT_EQ(std::get<models::DeviceSpec>(device.spec).name, name);
  }
  EXPECT_TRUE(std::holds_alternative<models::ZramSpec>(shipped("zram").spec));
  const auto reads_in = [&](const std::string& name) {
    return std::get<models::DeviceSpec>(shipped(name).spec).read.mean();
  };
  EXPECT_LT(reads_in("nvme"), reads_in("sata_ssd"));
  EXPECT_LT(reads_in("sata_ssd"), reads_in("disk"));
}

TEST_F(DeviceFile, AScenarioNamesADeviceOrAFileOrSaysItsKeys) {
  write("mine.yaml", kDevice);
  write("elsewhere/other.yaml", kDevice);
  EXPECT_EQ(device_in("device: disk").queue_depth, 1);
  EXPECT_EQ(device_in("device: devices/disk"), device_in("device: disk"));
  EXPECT_EQ(device_in("device: mine"), mine());
  EXPECT_EQ(device_in("device: elsewhere/other.yaml"), mine());
  EXPECT_EQ(device_in("device: {name: mine, queue_depth: 4, nr_requests: 16, read: 2ms, write: exponential 3ms, "
                      "transfer_page: 10us}"),
            mine());
}

TEST_F(DeviceFile, AScenarioReplacesSingleKeysOfANamedDevice) {
  write("mine.yaml", kDevice);
  models::DeviceSpec expected = mine();
  expected.name = "slower";
  expected.read = sim::Constant{5ms};
  EXPECT_EQ(device_in("device: {from: mine, name: slower, read: 5ms}"), expected);
}

TEST_F(DeviceFile, ADeviceMayWantStablePages) {
  EXPECT_FALSE(device_in("device: nvme").stable_pages);
  EXPECT_TRUE(device_in("device: {from: nvme, stable_pages: true}").stable_pages);
  EXPECT_THAT(mistakes(scenario_with("device: {from: nvme, stable_pages: yes please}")),
              ElementsAre(HasSubstr("device.stable_pages: expected true or false")));
}

TEST_F(DeviceFile, AScenarioThatNamesNoneHasTheDefault) {
  EXPECT_EQ(read(tests::kScenario).memory.device, device_in("device: nvme"));
  EXPECT_EQ(read(tests::kScenario).memory.device.name, "nvme");
}

// --- what is refused ----------------------------------------------------------------------------------------

TEST_F(DeviceFile, NamesAllThatIsMissing) {
  EXPECT_THAT(
      device_mistakes("schema: mlocksim/1\nname: mine\n"),
      ElementsAre("d.yaml:1:1: queue_depth: missing", "d.yaml:1:1: nr_requests: missing", "d.yaml:1:1: read: missing",
                  "d.yaml:1:1: write: missing", "d.yaml:1:1: transfer_page: missing"));
  EXPECT_THAT(
      device_mistakes("schema: mlocksim/1\nratio: 2\n"),
      ElementsAre("d.yaml:1:1: name: missing", "d.yaml:1:1: compress: missing", "d.yaml:1:1: decompress: missing"));
}

TEST_F(DeviceFile, RefusesImpossibleBlockDevices) {
  auto text = with("queue_depth: 4", "queue_depth: 0", kDevice);
  text = with("nr_requests: 16", "nr_request: 16", text);
  text = with("read: 2ms", "read: 2", text);
  text = with("transfer_page: 10us", "transfer_page: exponential 10us", text);
  EXPECT_THAT(device_mistakes(text),
              ElementsAre("d.yaml:1:1: nr_requests: missing",
                          "d.yaml:3:14: queue_depth: expected a whole number from 1 to 65536, found '0'",
                          "d.yaml:4:1: nr_request: unknown key (did you mean nr_requests?)",
                          StartsWith("d.yaml:5:7: read: expected a duration such as"),
                          StartsWith("d.yaml:7:16: transfer_page: expected a duration such as")));
}

TEST_F(DeviceFile, RefusesZramThatMakesPagesLarger) {
  EXPECT_THAT(device_mistakes(with("ratio: 2.5", "ratio: 0.5", kZram)),
              ElementsAre("d.yaml:5:8: ratio: expected a number from 1 to 4096, found '0.5'"));
  EXPECT_THAT(device_mistakes(with("ratio: 2.5", "ratio: 1", kZram)), IsEmpty());
}

TEST_F(DeviceFile, RefusesKeysOfTheOtherSort) {
  EXPECT_THAT(
      device_mistakes(std::string(kZram) + "queue_depth: 1\n"),
      ElementsAre("d.yaml:6:1: queue_depth: unknown key (known: schema, name, about, compress, decompress, ratio)"));
}

TEST_F(DeviceFile, RefusesAnUnknownDeviceWithTheNearest) {
  EXPECT_THAT(mistakes(scenario_with("device: nmve")),
              ElementsAre("s.yaml:4:30: memory.device: there is no device 'nmve' (did you mean nvme?)"));
}

TEST_F(DeviceFile, SaysSoWhereTheDefaultIsNotThere) {
  ::setenv("MLOCKSIM_CONFIGS", tests::folder().c_str(), 1);
  write("machines/epyc-zen4-linux-6.18.yaml", tests::shipped_machine());
  write("policies/downgrade.yaml", tests::kPolicy);
  EXPECT_THAT(mistakes(tests::kScenario),
              ElementsAre(StartsWith("s.yaml:4:9: memory.device: there is no device 'nvme'")));
}

TEST_F(DeviceFile, NamesTheDeviceFileForTheMistakesInIt) {
  write("broken.yaml", with("queue_depth: 4", "queue_depth: four", kDevice));
  EXPECT_THAT(mistakes(scenario_with("device: {from: broken, read: 5}")),
              ElementsAre("broken.yaml:3:14: queue_depth: expected a whole number from 1 to 65536, found 'four'",
                          HasSubstr("memory.device.read: expected a duration")));
}

TEST_F(DeviceFile, RefusesZramForFilesAndASecondBlockDeviceForSwap) {
  EXPECT_THAT(mistakes(scenario_with("device: zram")),
              ElementsAre("s.yaml:4:30: memory.device: zram has no room for files: it is for memory.swap.device only; "
                          "expected a block device such as nvme"));
  EXPECT_THAT(
      mistakes(scenario_with("swap: {size: 1GiB, device: disk}")),
      ElementsAre("s.yaml:4:49: memory.swap.device: expected zram, or no device: swap is then on memory.device, "
                  "and a second block device beside that is not modelled"));
}

}  // namespace
}  // namespace experiments::device_file_test
