#include "experiments/host/probe_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "experiments/base/diagnostics.h"
#include "tests/support/probe_json.h"

namespace experiments::probe_reading_test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::ordered_json;

std::string complaint_about_text(const std::string& text) {
  try {
    (void)parse_probe(text, "probe.json");
    return "";
  } catch (const UsageError& error) {
    return error.what();
  }
}

std::string complaint_about(const Json& json) { return complaint_about_text(json.dump()); }

/// The probe's JSON with one value replaced, by its path.
Json with(const char* path, const Json& value) {
  Json json = tests::probe_json();
  json.at(Json::json_pointer(path)) = value;
  return json;
}

Json without(const char* map, const char* key) {
  Json json = tests::probe_json();
  json.at(Json::json_pointer(map)).erase(key);
  return json;
}

TEST(ProbeReading, HasAllThatTheProbeHasFoundOut) {
  const ProbeReading reading = parse_probe(tests::probe_json().dump(), "probe.json");
  EXPECT_EQ(reading.kernel, "6.12.43+deb13-amd64");
  EXPECT_EQ(reading.cpus, 8);
  EXPECT_EQ(reading.llc, models::Bytes(16 << 20));
  EXPECT_EQ(reading.llc_cpus, 4);
  EXPECT_EQ(reading.ticks_per_second, 1000);
  EXPECT_EQ(reading.noise.size(), 8u);
  EXPECT_EQ(reading.noise.front().max_ns, 30'000);
  EXPECT_EQ(reading.noise.front().interrupts.gaps, 480);
  EXPECT_EQ(reading.noise.front().interrupts.lengths_ns, (std::vector<double>{1'500, 2'500}));
  EXPECT_EQ(reading.noise.front().tasks.gaps, 20);
  EXPECT_EQ(reading.quantities.at("mmap_call").median, 1660);
  EXPECT_EQ(reading.quantities.at("mmap_call").p99, 5160);
  EXPECT_EQ(reading.quantities.at("munmap_call").p99, std::nullopt);
  EXPECT_EQ(reading.quantities.at("munmap_call").samples, 40);
}

TEST(ProbeReading, RefusesWhatIsNotTheProbes) {
  EXPECT_EQ(complaint_about_text(""), "'probe.json': is no JSON, or not all of it");
  const std::string whole = tests::probe_json().dump();
  EXPECT_EQ(complaint_about_text(whole.substr(0, whole.size() / 2)), "'probe.json': is no JSON, or not all of it");
  EXPECT_THAT(complaint_about_text("[1, 2]"), HasSubstr("has no 'schema'"));
  EXPECT_THAT(complaint_about_text(R"({"scenario": "tiny"})"), HasSubstr("has no 'schema'"));
  EXPECT_THAT(complaint_about(with("/schema", "mlocksim-probe/2")),
              HasSubstr(R"(expected schema "mlocksim-probe/1", found "mlocksim-probe/2")"));
  EXPECT_THAT(complaint_about(with("/schema", 7)), HasSubstr("found 7"));
}

TEST(ProbeReading, SaysWhatIsWrongWithAProbesJson) {
  EXPECT_THAT(complaint_about(without("/host", "cpus")),
              StartsWith("'probe.json': is no JSON that mlocksim-probe writes: 'cpus' is missing"));
  EXPECT_THAT(complaint_about(without("", "quantities")), HasSubstr("'quantities' is missing"));
  EXPECT_THAT(complaint_about(with("/quantities", 3)), HasSubstr("'quantities' is no map"));
  EXPECT_THAT(complaint_about(with("/host/cpus", 0)), HasSubstr("'cpus': expected a whole number from 1 to 4096"));
  EXPECT_THAT(complaint_about(with("/host/cpus", 100'000)), HasSubstr("found 100000"));
  EXPECT_THAT(complaint_about(with("/host/kernel", 6)), HasSubstr("'kernel': expected a text, found 6"));
  EXPECT_THAT(complaint_about(with("/host/hypervisor", "no")), HasSubstr("'hypervisor': expected true or false"));
  EXPECT_THAT(complaint_about(with("/host/caches", "big")), HasSubstr("'caches' is no list"));
  EXPECT_THAT(complaint_about(with("/host/caches/0", 3)), HasSubstr("'level' is missing"));
  EXPECT_THAT(complaint_about(with("/noise/0/lost", -1)), HasSubstr("'lost': expected a number of 0 or more"));
  EXPECT_THAT(complaint_about(with("/noise", Json())), HasSubstr("'noise' is no list"));
  EXPECT_THAT(complaint_about(with("/noise/0/tasks/lengths_ns", {-1})), HasSubstr("'lengths_ns': expected a number"));
  EXPECT_THAT(complaint_about(with("/noise/0/tasks/lengths_ns", Json::array())),
              HasSubstr("'lengths_ns': expected lengths where there are gaps"));
  EXPECT_THAT(complaint_about(with("/quantities/getppid/median", "fast")),
              HasSubstr("'getppid': 'median': expected a number"));
  EXPECT_THAT(complaint_about(with("/quantities/getppid/median", 1e300)), HasSubstr("'getppid'"));
  EXPECT_THAT(complaint_about(with("/quantities/getppid/p90", 1)), HasSubstr("'getppid': 'p90': expected a number of"));
  EXPECT_THAT(complaint_about(with("/quantities/getppid/median", 1)), HasSubstr("not between 'p10' and 'p90'"));
  const auto with_tenths = [](const Json& tenths) {
    Json json = tests::probe_json();
    json["quantities"]["getppid"]["tenths"] = tenths;
    return json;
  };
  EXPECT_EQ(complaint_about(with_tenths({1, 2, 3, 4, 5, 6, 7, 8, 9, 9})), "");
  EXPECT_THAT(complaint_about(with_tenths({1, 2, 3})), HasSubstr("'getppid': 'tenths' is no list of ten numbers"));
  EXPECT_THAT(complaint_about(with_tenths(3)), HasSubstr("'tenths' is no list of ten numbers"));
  EXPECT_THAT(complaint_about(with_tenths({1, 2, 3, 4, 5, 4, 7, 8, 9, 9})),
              HasSubstr("'tenths': expected a number of"));
  EXPECT_THAT(complaint_about(with_tenths({1, 2, 3, 4, 5, 6, 7, 8, 9, 1e300})), HasSubstr("more than 30 days"));
  EXPECT_THAT(complaint_about(with("/quantities/getppid/n", 0)), HasSubstr("'getppid': 'n': expected a whole number"));
  EXPECT_THAT(complaint_about(with("/quantities/getppid", 5)), HasSubstr("'getppid': 'median' is missing"));
  EXPECT_THAT(complaint_about(with("/not_measured", {{"mlock_4k", 3}})), HasSubstr("'mlock_4k': expected a text"));
}

TEST(ProbeReading, RefusesAFileThatCannotBeRead) {
  EXPECT_THROW((void)read_probe("/nonexistent/probe.json"), UsageError);
  EXPECT_THROW((void)read_probe("/"), UsageError);
}

}  // namespace
}  // namespace experiments::probe_reading_test
