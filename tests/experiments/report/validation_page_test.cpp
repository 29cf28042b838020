#include "experiments/report/validation_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/host/validation.h"
#include "tests/support/config_files.h"
#include "tests/support/run_commands.h"

namespace experiments::validation_page_test {
namespace {

using models::Phase;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using tests::mlocksim;
using tests::Outcome;
using namespace std::chrono_literals;

sim::Histogram times(int count, sim::Nanoseconds length) {
  sim::Histogram histogram;
  for (int number = 0; number < count; ++number) histogram.record(length);
  return histogram;
}

/// A mapper that really waits for munlock and does not in the simulation, and a call that was made too seldom for a
/// curve.
std::string json_of(bool calibrated) {
  Validation validation;
  validation.times = {
      {"mapper", Phase::munlock, times(200, 10us), times(300, 20us), {times(120, 9us), times(80, 11us)}},
      {"munlock", std::nullopt, times(5, 1ms), times(5, 1ms)}};
  validation.waits = {{"mapper", Phase::munlock, 0.9, 0.05}};
  validation.score = {4, 1.5, 2, "mapper, munlock, p50", 0.25, 0.5, 0.75};
  return to_json_text(validation, {"database <&>", "linux-6.18", "my machine", calibrated, "6.18.0", 4, 2, 3s});
}

class ValidationPage : public testing::Test {
 protected:
  std::string page_of(const std::string& json) {
    const Outcome outcome = mlocksim({"report", folder_.write("v.json", json), "-o", folder_ / "page"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return tests::text_of(folder_ / "page/report.html");
  }

  const tests::TemporaryFolder folder_;
};

TEST_F(ValidationPage, DrawsRealOverSimulatedAndTellsWhoWaits) {
  const std::string page = page_of(json_of(true));
  EXPECT_THAT(page, HasSubstr("How far off is the simulation of database &lt;&amp;&gt;?"));
  EXPECT_THAT(page, HasSubstr("Of 4 figures 50 % are within 25 %"));
  EXPECT_THAT(page,
              HasSubstr("Who waits for whom is the same in 0 of 1 cases.</strong> mapper during munlock: for 0.90 "
                        "of it really, 0.05 simulated."));
  EXPECT_THAT(page, HasSubstr("mapper, munlock: 200 real and 300 simulated."));
  EXPECT_THAT(page, HasSubstr("1 others"));
  EXPECT_THAT(page, HasSubstr("Simulated: linux-6.18 on my machine, as many replications."));
  EXPECT_THAT(page, ContainsRegex("<td class=w>p50<td data-v=10000>[^<]*<td data-v=9000>[^<]*<td data-v=11000>[^<]*"
                                  "<td data-v=20000>[^<]*<td data-v=2>2.00"));
  const std::string data = tests::text_of(folder_ / "page/figures/validated_mapper__munlock.csv");
  EXPECT_THAT(data, HasSubstr("side,latency_ns,share_longer,requests_longer\nreal,"));
  EXPECT_THAT(data, HasSubstr("\nsimulated,"));
}

TEST_F(ValidationPage, SaysThatCostsWereNotMeasured) {
  EXPECT_THAT(page_of(json_of(false)), HasSubstr("were not measured on that machine"));
  EXPECT_THAT(page_of(json_of(true)), Not(HasSubstr("were not measured")));
}

TEST_F(ValidationPage, RefusesWhatValidateHasNotWritten) {
  const auto refused = [&](const nlohmann::json& json) {
    const Outcome outcome = mlocksim({"report", folder_.write("x.json", json.dump()), "-o", folder_ / "none"});
    EXPECT_EQ(outcome.code, 2) << json;
    EXPECT_THAT(outcome.err, Not(HasSubstr("json.exception"))) << json;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "none")) << json;
    return outcome.err;
  };
  const nlohmann::json good = nlohmann::json::parse(json_of(true));
  nlohmann::json older = good;
  older.erase("ran");
  EXPECT_THAT(refused(older),
              HasSubstr("x.json: this is no file that `mlocksim validate --json` has written: it is of an "
                        "older mlocksim"));
  const nlohmann::json flat = good.flatten();
  const auto is_of = [](const std::string& path, const std::vector<std::string>& parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](const std::string& part) { return path.find(part) != std::string::npos; });
  };
  for (const auto& [path, value] : flat.items()) {
    if (value.is_null() || is_of(path, {"/schema", "/ratio/", "/distribution/", "/count", "/p9999_ns"})) continue;
    nlohmann::json other = good;
    other[nlohmann::json::json_pointer(path)] = nlohmann::json::array({-1, nullptr});
    (void)refused(other);
  }
  for (const auto& counts :
       {nlohmann::json("many"), nlohmann::json::array({nlohmann::json::array({4'000'000'000, 100})})}) {
    nlohmann::json other = good;
    other["times"][0]["distribution"]["real"]["counts"] = counts;
    (void)refused(other);
  }
}

}  // namespace
}  // namespace experiments::validation_page_test
