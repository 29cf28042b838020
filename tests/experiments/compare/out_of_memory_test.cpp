// That runs ran out of memory, in words and in JSON.
#include "experiments/compare/out_of_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/synthetic_result.h"

namespace experiments::out_of_memory_test {
namespace {

using namespace std::chrono_literals;

models::Result ended(sim::Nanoseconds after) {
  models::Result result = tests::result_of({});
  result.outcome = models::Outcome::out_of_memory;
  result.sim_time = after;
  return result;
}

TEST(OutOfMemoryTest, ThereIsNothingToSayOfRunsThatCompleted) {
  EXPECT_EQ(memory_end(tests::result_of({})), std::nullopt);
  EXPECT_EQ(out_of_memory("downgrade", std::vector{tests::result_of({}), tests::result_of({})}), std::nullopt);
}

TEST(OutOfMemoryTest, SaysWhoAndWhenAndInHowManyRuns) {
  const auto one = out_of_memory("downgrade", std::vector{ended(213ms)});
  ASSERT_TRUE(one);
  EXPECT_EQ(to_text(*one), "downgrade ran out of memory after 213 ms");
  const auto two = out_of_memory("downgrade", std::vector{ended(213ms), tests::result_of({}), ended(45ms)});
  ASSERT_TRUE(two);
  EXPECT_EQ(to_text(*two), "downgrade ran out of memory in 2 of 3 runs, first after 45.0 ms");
  EXPECT_EQ(to_json(*two).dump(), R"({"who":"downgrade","runs":2,"of":3,"first_after_ns":45000000})");
}

}  // namespace
}  // namespace experiments::out_of_memory_test
