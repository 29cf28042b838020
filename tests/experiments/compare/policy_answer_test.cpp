#include "experiments/compare/policy_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "tests/support/synthetic_result.h"

namespace experiments::policy_answer_test {
namespace {

using models::Phase;
using testing::SizeIs;
using tests::result_of;
using tests::worked;
using namespace std::chrono_literals;

/// Of two seeds, on write_held and downgrade.
PolicyAnswer answer_of_two_seeds() {
  const auto result = [](sim::Nanoseconds latency, std::uint64_t seed) {
    return result_of({{"ps", {{Phase::mlock, worked(5, latency)}, {Phase::idle, worked(5, 1us)}}}}, seed);
  };
  const Comparison comparison(tests::scenario_of({tests::write_held(), tests::downgrade()}),
                              {{result(3000ms, 1), result(2999ms, 2)}, {result(2ms, 1), result(1ms, 2)}});
  return answers_of(comparison).at(0);
}

TEST(PolicyAnswer, IsOfTheRequestsOfAllSeedsDuringThePath) {
  const PolicyAnswer answer = answer_of_two_seeds();
  EXPECT_EQ(answer.in_words(), "Yes, for everybody who competes here.");
  ASSERT_THAT(answer.effects, SizeIs(1));
  EXPECT_EQ(to_text(answer.effects[0].measure), "max(ps.mlock)");
  EXPECT_EQ(answer.effects[0].before, 3s);
  EXPECT_EQ(answer.effects[0].after, 2ms);
  EXPECT_EQ(answer.effects[0].change, Change::shorter);
}

TEST(PolicyAnswer, IsTheSameAfterItWasWrittenAndRead) {
  const PolicyAnswer answer = answer_of_two_seeds();
  const PolicyAnswer again = answer_from(Json::parse(to_json(answer).dump()));
  EXPECT_EQ(again, answer);
  EXPECT_EQ(again.in_words(), answer.in_words());
}

TEST(PolicyAnswer, IsNotReadWhereAWordIsNone) {
  for (const char* const key : {"during", "statistic", "change"}) {
    Json json = to_json(answer_of_two_seeds());
    json["effects"][0][key] = "nonsense";
    EXPECT_THROW((void)answer_from(json), Json::exception) << key;
  }
  Json json = to_json(answer_of_two_seeds());
  json.erase("effects");
  EXPECT_THROW((void)answer_from(json), Json::exception);
}

}  // namespace
}  // namespace experiments::policy_answer_test
