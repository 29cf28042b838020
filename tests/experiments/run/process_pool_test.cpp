#include "experiments/run/process_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>

namespace experiments::process_pool_test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::vector<ProcessPool::Finished> all_of(ProcessPool& pool) {
  std::vector<ProcessPool::Finished> all;
  while (pool.running() > 0) {
    for (auto& finished : pool.wait()) all.push_back(std::move(finished));
  }
  return all;
}

std::string reason_of(const ProcessPool::Finished& finished) {
  const auto* const failure = std::get_if<Failure>(&finished.outcome);
  return failure == nullptr ? "it has a result" : failure->reason;
}

TEST(ProcessPoolTest, HandsBackWhatTheWorkSays) {
  ProcessPool pool(2);
  pool.start(7, [] { return ProcessPool::Bytes(300'000, 42); });
  EXPECT_EQ(pool.room(), 1u);
  const auto all = all_of(pool);
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].id, 7u);
  EXPECT_EQ(std::get<ProcessPool::Bytes>(all[0].outcome), ProcessPool::Bytes(300'000, 42));
  EXPECT_GT(all[0].wall.count(), 0);
}

TEST(ProcessPoolTest, AFailureHasAReason) {
  ProcessPool pool(1);
  pool.start(0, []() -> ProcessPool::Bytes { throw std::runtime_error("it broke"); });
  EXPECT_EQ(reason_of(all_of(pool).front()), "it broke");
  pool.start(1, []() -> ProcessPool::Bytes {
    ::raise(SIGKILL);
    return {};
  });
  EXPECT_EQ(reason_of(all_of(pool).front()), "killed by signal 9 (Killed)");
  pool.start(2, []() -> ProcessPool::Bytes { ::_exit(3); });
  EXPECT_EQ(reason_of(all_of(pool).front()), "ended with code 3 and no result");
}

TEST(ProcessPoolTest, WhatTakesTooLongIsKilled) {
  ProcessPool pool(2, std::chrono::milliseconds(300));
  pool.start(0, []() -> ProcessPool::Bytes {
    std::this_thread::sleep_for(std::chrono::hours(1));
    return {};
  });
  pool.start(1, [] { return ProcessPool::Bytes{1}; });
  for (const auto& finished : all_of(pool)) {
    EXPECT_EQ(reason_of(finished), finished.id == 0 ? "timed out after 300 ms" : "it has a result");
  }
}

TEST(ProcessPoolTest, WaitsNoLongerThanItIsTold) {
  ProcessPool pool(1);
  pool.start(0, []() -> ProcessPool::Bytes {
    std::this_thread::sleep_for(std::chrono::hours(1));
    return {};
  });
  EXPECT_THAT(pool.wait(std::chrono::milliseconds(10)), SizeIs(0));
  EXPECT_EQ(pool.running(), 1u);
}

}  // namespace
}  // namespace experiments::process_pool_test
