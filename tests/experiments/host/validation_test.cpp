#include "experiments/host/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

namespace experiments::validation_test {
namespace {

using namespace std::chrono_literals;
using models::Phase;
using testing::DoubleNear;
using testing::HasSubstr;
using testing::Not;

sim::Histogram times(std::size_t count, sim::Nanoseconds each) {
  sim::Histogram histogram;
  for (std::size_t i = 0; i < count; ++i) histogram.record(each);
  return histogram;
}

models::Samples samples(const sim::Histogram& latency) { return models::Samples::restore(latency, {}); }

RealResult real_with(const RealClass& competitor, std::size_t calls, sim::Nanoseconds each, int sittings = 1) {
  RealClass locker{.name = "locker", .threads = 1};
  locker.calls["mlock"].duration = times(calls, each);
  RealResult real{{}, "6.12.1", 2, {}};
  for (int i = 0; i < sittings; ++i) real.sittings.push_back({.length = 1s, .classes = {competitor, locker}});
  return real;
}

models::Result simulated_with(const std::string& name, const std::map<Phase, sim::Histogram>& during, std::size_t calls,
                              sim::Nanoseconds each) {
  models::Result result;
  models::ClassResult& competitor = result.classes.emplace_back();
  competitor.name = name;
  for (const auto& [phase, latency] : during) competitor.during[phase] = samples(latency);
  models::ClassResult& locker = result.classes.emplace_back();
  locker.name = "locker";
  locker.locker = true;
  locker.calls["mlock"].duration = times(calls, each);
  return result;
}

const ComparedTimes& of(const Validation& validation, const std::string& name, std::optional<Phase> phase) {
  for (const ComparedTimes& each : validation.times) {
    if (each.name == name && each.phase == phase) return each;
  }
  ADD_FAILURE() << name;
  return validation.times.front();
}

TEST(Validation, ComparesClassesByCallAndTheCallsThemselves) {
  RealClass mapper{.name = "mapper", .threads = 1};
  mapper.during[Phase::idle] = times(100, 10us);
  mapper.during[Phase::mlock] = times(20, 40ms);
  // The parts of a call are not seen from outside: they are one.
  const models::Result simulated = simulated_with(
      "mapper",
      {{Phase::idle, times(100, 5us)}, {Phase::mlock, times(10, 40ms)}, {Phase::mlock_populate, times(10, 40ms)}}, 20,
      50ms);
  const Validation validation = compare_with_real(real_with(mapper, 20, 40ms), {simulated});
  EXPECT_THAT(*ratio_of(of(validation, "mapper", Phase::idle), "p50"), DoubleNear(0.5, 0.001));
  EXPECT_EQ(of(validation, "mapper", Phase::mlock).simulated.count(), 20U);
  EXPECT_THAT(*ratio_of(of(validation, "mlock", std::nullopt), "max"), DoubleNear(1.25, 0.001));
}

TEST(Validation, SaysNothingOfWhatHasTooFewSamples) {
  RealClass mapper{.name = "mapper", .threads = 1};
  mapper.during[Phase::idle] = times(19, 10us);
  const Validation validation = compare_with_real(
      real_with(mapper, 1, 40ms), {simulated_with("mapper", {{Phase::idle, times(1000, 10us)}}, 1, 40ms)});
  for (const std::string_view statistic : kComparedStatistics) {
    EXPECT_FALSE(ratio_of(of(validation, "mapper", Phase::idle), statistic)) << statistic;
  }
  EXPECT_EQ(validation.score.figures, 0U);
  EXPECT_THAT(to_text(validation), HasSubstr("No score"));
}

// Of twenty calls of 40 ms one request each waits for all of it, or for half; others go on at 10 us each.
TEST(Validation, TellsWhoWaitsFromWhoDoesNot) {
  const auto share_of = [](const sim::Histogram& during) {
    RealClass reader{.name = "reader", .threads = 1};
    reader.during[Phase::idle] = times(100, 10us);
    reader.during[Phase::mlock] = during;
    return compare_with_real(real_with(reader, 20, 40ms),
                             {simulated_with("reader", {{Phase::mlock, times(20, 40ms)}}, 20, 40ms)});
  };
  const Validation all = share_of(times(20, 40ms));
  ASSERT_EQ(all.waits.size(), 1U);
  EXPECT_THAT(all.waits[0].real, DoubleNear(1, 0.01));
  EXPECT_THAT(all.waits[0].simulated, DoubleNear(1, 0.01));
  EXPECT_TRUE(all.waits[0].agrees());
  sim::Histogram half = times(20, 20ms);
  half.merge(times(10000, 10us));
  EXPECT_THAT(share_of(half).waits[0].real, DoubleNear(0.5, 0.01));
  const Validation none = share_of(times(20000, 12us));
  EXPECT_THAT(none.waits[0].real, DoubleNear(0.05, 0.01));
  EXPECT_FALSE(none.waits[0].agrees());
  EXPECT_THAT(to_text(none), HasSubstr("DIFFERS"));
}

TEST(Validation, DoesNotJudgeWaitsForCallsThatAreShort) {
  RealClass reader{.name = "reader", .threads = 1};
  reader.during[Phase::mlock] = times(20, 40us);
  const Validation validation = compare_with_real(
      real_with(reader, 20, 40us), {simulated_with("reader", {{Phase::mlock, times(20, 40us)}}, 20, 40us)});
  EXPECT_TRUE(validation.waits.empty());
}

TEST(Validation, ScoresFiguresByTheirFactor) {
  RealClass mapper{.name = "mapper", .threads = 1};
  mapper.during[Phase::idle] = times(50, 10us);  // p50 and the longest
  const Validation validation = compare_with_real(
      real_with(mapper, 50, 10ms), {simulated_with("mapper", {{Phase::idle, times(50, 5us)}}, 50, 11ms)});
  const ValidationScore& score = validation.score;
  EXPECT_EQ(score.figures, 4U);
  EXPECT_THAT(score.worst, DoubleNear(2, 0.001));
  EXPECT_THAT(score.worst_of, HasSubstr("mapper, idle"));
  EXPECT_THAT(score.within_25, DoubleNear(0.5, 1e-9));
  EXPECT_THAT(score.within_50, DoubleNear(1, 1e-9));
}

TEST(Validation, PrintsTheSpreadOfSittingsWithinEightyColumns) {
  RealClass mapper{.name = "mapper", .threads = 1};
  mapper.during[Phase::idle] = times(100'000, 10us);
  RealResult real = real_with(mapper, 20, 40ms, 2);
  real.sittings[1].classes[0].during[Phase::idle] = times(100'000, 30us);
  const std::string text =
      to_text(compare_with_real(real, {simulated_with("mapper", {{Phase::idle, times(200'000, 20us)}}, 20, 40ms)}));
  EXPECT_THAT(text, HasSubstr("sittings"));
  EXPECT_THAT(text, HasSubstr("30.0 us"));
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = text.find('\n', from);
    EXPECT_LE(end - from, 80U) << text.substr(from, end - from);
    from = end + 1;
  }
}

TEST(Validation, IsJsonAsWell) {
  RealClass mapper{.name = "mapper", .threads = 1};
  mapper.during[Phase::idle] = times(50, 10us);
  const auto json = nlohmann::json::parse(
      to_json_text(compare_with_real(real_with(mapper, 20, 40ms),
                                     {simulated_with("mapper", {{Phase::idle, times(50, 10us)}}, 20, 40ms)}),
                   {.scenario = "s", .kernel = "6.18.0"}));
  EXPECT_EQ(json.at("schema"), "mlocksim-validation/1");
  EXPECT_EQ(json.at("ran").at("kernel"), "6.18.0");
  EXPECT_EQ(json.at("times").at(0).at("distribution").at("real").at("max"), 10'000);
  EXPECT_EQ(json.at("times").at(0).at("class"), "mapper");
  EXPECT_EQ(json.at("times").at(0).at("real").at("p99_ns"), nullptr);
  EXPECT_NEAR(json.at("times").at(0).at("ratio").at("p50").get<double>(), 1, 1e-9);
}

}  // namespace
}  // namespace experiments::validation_test
