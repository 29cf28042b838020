// Configuration files for tests: texts to write with one piece replaced, and what their readers have against them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/algorithm/string/replace.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/device_file.h"
#include "experiments/scenario/scenario_file.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace tests {

using Lines = std::vector<std::string>;

// The line numbers of the tests count in this text.
inline constexpr const char* kScenario = R"(schema: mlocksim/1
name: small
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 4}
memory: {size: 1GiB}
policy: downgrade
processes:
  - name: db
    regions: {heap: {size: 512MiB, kind: anon}}
    threads:
      locker: {run: locker, region: heap, script: [mlock, hold 100ms, munlock]}
      faulter: {run: faulter, count: 2, closed: {think: 50us}}
  - name: ps
    threads:
      ps: {run: proc_reader, file: cmdline, target: db, closed: {think: 10ms}}
)";

inline constexpr const char* kPolicy = R"(schema: mlocksim/1
name: mine
populate: {mode: downgrade}
munlock: {mode: downgrade}
munmap: {mode: write_held}
)";

inline constexpr const char* kDevice = R"(schema: mlocksim/1
name: mine
queue_depth: 4
nr_requests: 16
read: 2ms
write: exponential 3ms
transfer_page: 10us
)";

inline constexpr const char* kZram = R"(schema: mlocksim/1
name: mine
compress: 2us
decompress: 1us
ratio: 2.5
)";

/// The test's own folder, empty when it starts. (Processes that run tests side by side have one each.)
inline std::filesystem::path folder() {
  static const TemporaryFolder own;
  return own / "config_files";
}

/// Writes a file into the test's folder.
inline std::filesystem::path write(const std::string& name, const std::string& text) {
  const auto file = folder() / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
  return file;
}

/// `text` with one piece replaced, which must be there.
inline std::string with(const std::string& what, const std::string& by, std::string text = kScenario) {
  EXPECT_THAT(text, testing::HasSubstr(what));
  boost::algorithm::replace_first(text, what, by);
  return text;
}

/// The mistakes that `read` throws, without the test's folder in them.
template <typename Read>
inline Lines mistakes_of(Read read) {
  Lines lines;
  try {
    read();
  } catch (const experiments::InputError& error) {
    for (const experiments::Diagnostic& diagnostic : error.diagnostics()) {
      lines.push_back(boost::algorithm::replace_all_copy(to_text(diagnostic), folder().string() + "/", ""));
    }
  }
  return lines;
}

/// Reads `text` as s.yaml.
inline models::Scenario read(const std::string& text, const experiments::Overrides& overrides = {}) {
  return experiments::read_scenario(write("s.yaml", text), overrides);
}

/// What is wrong with `text` as s.yaml.
inline Lines mistakes(const std::string& text, const experiments::Overrides& overrides = {}) {
  return mistakes_of([&] { (void)read(text, overrides); });
}

/// What is wrong with `text` as p.yaml, a policy.
inline Lines policy_mistakes(const std::string& text) {
  return mistakes_of([&] { (void)experiments::read_policy(write("p.yaml", text)); });
}

/// The text of the machine that kScenario names.
inline std::string shipped_machine() {
  std::ifstream stream(source_configs() / "machines/epyc-zen4-linux-6.18.yaml");
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// What is wrong with `text` as m.yaml, a machine.
inline Lines machine_mistakes(const std::string& text) {
  return mistakes_of([&] { (void)experiments::read_machine(write("m.yaml", text)); });
}

/// What is wrong with `text` as d.yaml, a device.
inline Lines device_mistakes(const std::string& text) {
  return mistakes_of([&] { (void)experiments::read_device(write("d.yaml", text)); });
}

/// Starts each test with an empty folder and the shipped files of the source tree.
class ConfigFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder());
    use_source_configs();
  }
};

}  // namespace tests
