// Chains of waiting, from results that nobody simulated: who it ends with, and that nothing is lost on the way.
#include "experiments/explain/wait_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/support/synthetic_result.h"

namespace experiments::wait_chain_test {
namespace {

using namespace std::chrono_literals;
using models::Cause;
using models::ClassId;
using models::LockBlame;
using models::LockKind;
using models::LockMode;
using models::Phase;
using tests::both;
using tests::result_of;
using tests::waited;
using tests::worked;

constexpr ClassId kFaulter = 0;
constexpr ClassId kMapper = 1;
constexpr ClassId kMaps = 2;
constexpr ClassId kBusy = 3;

constexpr LockBlame kBehindMapper{kMaps, Phase::proc_read, LockMode::read, kMapper, Cause::run_queue, kBusy};
// The mapper holds mmap_sem for write and waits for a VMA's lock.
constexpr LockBlame kMapperStuck{kMapper, Phase::munmap, LockMode::write, -1, Cause::lock_wait};
constexpr LockBlame kVmaOfMaps{kMaps, Phase::proc_read, LockMode::read, -1, Cause::run_queue, kBusy, LockKind::vma};
constexpr LockBlame kVmaOfFaulter{kFaulter, Phase::fault, LockMode::read, -1, Cause::cpu, -1, LockKind::vma};

std::vector<models::Result> results_with(models::Samples faulter, models::Samples mapper) {
  return {result_of({{"faulter", {{Phase::idle, std::move(faulter)}}},
                     {"mapper", {{Phase::idle, std::move(mapper)}}},
                     {"maps", {{Phase::idle, worked(5, 1ms)}}},
                     {"busy", {}}})};
}

sim::Nanoseconds sum(const WaitChains& waits) {
  auto all = std::accumulate(waits.own.begin(), waits.own.end(), sim::Nanoseconds{0});
  for (const WaitChain& chain : waits.chains) all += chain.time;
  return all;
}

TEST(WaitChain, GoesFromTheVictimByWayOfTheQueuedWriterToTheHolder) {
  const auto waits = wait_chains(results_with(waited(30, 2ms, kBehindMapper), worked(30, 1us)), kFaulter);
  ASSERT_EQ(waits.chains.size(), 1U);
  LockBlame root = kBehindMapper;
  root.convoy = -1;
  EXPECT_EQ(waits.chains.front(), (WaitChain{{kMapper}, root, waits.total}));
  EXPECT_EQ(waits.share(waits.chains.front().time), 1);
}

TEST(WaitChain, FollowsAHolderThatWaitsForAnotherLockToThoseThatItWaitsFor) {
  const auto waits = wait_chains(results_with(waited(30, 2ms, kMapperStuck), waited(30, 5ms, kVmaOfMaps)), kFaulter);
  ASSERT_EQ(waits.chains.size(), 1U);
  EXPECT_EQ(waits.chains.front().through, std::vector<ClassId>{kMapper});
  EXPECT_EQ(waits.chains.front().root, kVmaOfMaps);
}

TEST(WaitChain, HandsTimeOnInTheProportionOfTheHoldersOwnWaits) {
  const auto mapper = both(waited(30, 3ms, kVmaOfMaps), waited(30, 1ms, kVmaOfFaulter));
  const auto waits = wait_chains(results_with(waited(40, 4ms, kMapperStuck), mapper), kFaulter);
  ASSERT_EQ(waits.chains.size(), 2U);
  EXPECT_EQ(waits.chains[0].root, kVmaOfMaps);
  EXPECT_EQ(waits.chains[0].time, waits.total * 3 / 4);
  EXPECT_EQ(waits.chains[1].time, waits.total / 4);
}

TEST(WaitChain, AWaitOnWhichTheVictimDoesNotDependCountsForNothing) {
  // The mapper waits for long; the faulter never waits for the mapper.
  const auto waits = wait_chains(results_with(worked(30, 3us), waited(30, 5s, kVmaOfMaps)), kFaulter);
  EXPECT_TRUE(waits.chains.empty());
  EXPECT_EQ(waits.own[static_cast<std::size_t>(Cause::cpu)], waits.total);
}

TEST(WaitChain, EndsWithAHolderThatKeepsNoAccount) {
  constexpr LockBlame kLocker{kBusy, Phase::munlock, LockMode::write, -1, Cause::lock_wait};
  const auto waits = wait_chains(results_with(waited(30, 2ms, kLocker), worked(30, 1us)), kFaulter);
  ASSERT_EQ(waits.chains.size(), 1U);
  EXPECT_EQ(waits.chains.front().root, kLocker);
}

TEST(WaitChain, ACircleIsNotFollowedRoundAndRound) {
  // The mapper waits for the faulter, who waits for the mapper.
  const auto waits = wait_chains(
      results_with(waited(30, 2ms, kMapperStuck),
                   waited(30, 5ms, {kFaulter, Phase::fault, LockMode::read, -1, Cause::lock_wait, -1, LockKind::vma})),
      kFaulter);
  EXPECT_EQ(sum(waits), waits.total);
}

TEST(WaitChain, NothingIsLostOnTheWay) {
  const auto mapper = both(waited(31, 3ms + 1ns, kVmaOfMaps), waited(17, 1ms + 7ns, kVmaOfFaulter));
  const auto faulter = both(both(waited(33, 4ms + 3ns, kMapperStuck), waited(29, 5ms + 1ns, kBehindMapper)),
                            tests::spent(31, 6ms, Cause::run_queue));
  const auto waits = wait_chains(results_with(faulter, mapper), kFaulter);
  EXPECT_EQ(sum(waits), waits.total);
}

TEST(WaitChain, IsTakenFromTheSlowestRequestsOnly) {
  const auto waits = wait_chains(results_with(both(worked(9000, 1us), waited(1000, 2ms, kBehindMapper)), {}), kFaulter);
  EXPECT_EQ(waits.requests, 1000U);
  EXPECT_GE(waits.from, 1998us);
}

TEST(WaitChain, IsToldFromTheRootToTheVictim) {
  models::Scenario scenario;
  models::ProcessSpec db;
  db.name = "monitoring";
  models::ProcReaderSpec reader;
  reader.file = models::ProcReaderSpec::File::maps;
  reader.target = "db";
  models::ThreadSpec thread;
  thread.name = "maps";
  thread.run = reader;
  db.threads = {thread};
  scenario.processes = {db};
  const std::vector<std::string> classes{"faulter", "mapper", "maps", "busy"};
  LockBlame root = kBehindMapper;
  root.convoy = -1;
  EXPECT_EQ(
      in_words({{kMapper}, root, 1ms}, "faulter", scenario, classes),
      "maps (/proc/db/maps), who waits for the CPU that busy has taken, holds mmap_sem for read; mapper waits for "
      "maps; faulter queues behind mapper");
  EXPECT_EQ(in_words({{}, {kMapper, Phase::munmap_zap, LockMode::write, -1}, 1ms}, "faulter", scenario, classes),
            "mapper (munmap.zap) holds mmap_sem for write; faulter waits for mapper");
}

// A request that went to thousands of short waits has kept none of them; the class has kept what they come to.
TEST(WaitChain, OfALongestRequestInPiecesIsThatOfAllItsWaits) {
  auto results = results_with(waited(30, 2ms, kBehindMapper), worked(30, 1us));
  models::WorstRequest longest;
  longest.latency = 1s;
  longest.rest[static_cast<std::size_t>(Cause::lock_wait)] = 990ms;
  results.front().classes[kFaulter].worst = {longest};
  const auto waits = wait_chains(results, kFaulter, Loss::longest);
  ASSERT_EQ(waits.chains.size(), 1U);
  EXPECT_EQ(waits.chains.front().root.holder, kMaps);
  EXPECT_EQ(waits.requests, 0U);
  EXPECT_EQ(waits.total, 60ms);
}

TEST(WaitChain, OfALongestRequestIsItsOwn) {
  auto results = results_with(waited(30, 2ms, kBehindMapper), worked(30, 1us));
  models::WorstRequest longest;
  longest.latency = 1s;
  longest.steps = {{sim::Time{}, sim::Time{1s}, Cause::lock_wait, kVmaOfMaps}};
  results.front().classes[kFaulter].longest_warm_up = longest;
  const auto waits = wait_chains(results, kFaulter, Loss::longest);
  ASSERT_EQ(waits.chains.size(), 1U);
  EXPECT_EQ(waits.chains.front().root, kVmaOfMaps);
  EXPECT_EQ(waits.requests, 1U);
  EXPECT_EQ(waits.from, 1s);
}

}  // namespace
}  // namespace experiments::wait_chain_test
