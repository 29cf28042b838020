#include "models/measure/lock_stretches.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "sim/random.h"
#include "tests/support/small_machine.h"

namespace models::lock_stretches_test {
namespace {

using namespace std::chrono_literals;
using tests::at;

LockTimes sums_of(const LockStretches::Wait& wait) {
  LockTimes sums;
  wait.for_each_sum([&](const LockBlame& blame, sim::Nanoseconds time) { sums[blame] += time; });
  return sums;
}

TEST(LockStretches, AWaitThatEndsBeforeTheFirstIsEmpty) {
  LockStretches stretches;
  const LockStretches::Wait wait = stretches.since(stretches.end(), LockMode::read);
  EXPECT_TRUE(wait.empty());
  EXPECT_EQ(wait.length(), 0ns);
  EXPECT_EQ(sums_of(wait), LockTimes{});
}

TEST(LockStretches, OnlyAReaderThatReadersKeepOutStandsBehindAWriter) {
  const LockBlame reader{0, Phase::fault, LockMode::read};
  const LockBlame writer{1, Phase::mmap, LockMode::write};
  LockStretches stretches;
  const LockStretches::Place began = stretches.end();
  stretches.add({at(0), at(10), reader}, 2);
  stretches.add({at(10), at(15), writer}, 2);
  LockBlame convoy = reader;
  convoy.convoy = 2;
  EXPECT_EQ(sums_of(stretches.since(began, LockMode::read)), (LockTimes{{convoy, 10ns}, {writer, 5ns}}));
  EXPECT_EQ(sums_of(stretches.since(began, LockMode::write)), (LockTimes{{reader, 10ns}, {writer, 5ns}}));
}

struct Walked {
  std::vector<LockWait> stretches;
  std::size_t first;
  LockMode mode;
  LockStretches::Place began;
};

LockTimes walk(const Walked& waiter, const std::vector<ClassId>& writers) {
  LockTimes sums;
  for (std::size_t number = waiter.first; number < waiter.stretches.size(); ++number) {
    LockWait stretch = waiter.stretches[number];
    if (waiter.mode == LockMode::read && stretch.blame.mode == LockMode::read) stretch.blame.convoy = writers[number];
    sums[stretch.blame] += stretch.to - stretch.from;
  }
  return sums;
}

// Waits of one stretch and of thousands, each begun and ended anywhere: sums, lengths and places within them are those
// of walking all stretches one by one. What has ended is asked after the stretches of others have gone on.
TEST(LockStretches, RandomWaitsComeToWhatWalkingThemGives) {
  sim::Stream chance(1, "stretches", "test");
  LockStretches stretches;
  std::vector<LockWait> all;
  std::vector<ClassId> writers;
  std::vector<Walked> waiting;
  std::vector<std::pair<LockStretches::Wait, LockTimes>> ended;
  for (int step = 0; step < 6000; ++step) {
    const std::uint64_t what = chance() % 8;
    if (what == 0) {
      waiting.push_back({{}, all.size(), chance() % 2 == 0 ? LockMode::read : LockMode::write, stretches.end()});
    } else if (what == 1 && !waiting.empty()) {
      std::swap(waiting[chance() % waiting.size()], waiting.back());
      Walked waiter = std::move(waiting.back());
      waiting.pop_back();
      waiter.stretches = all;
      const LockStretches::Wait wait = stretches.since(waiter.began, waiter.mode);
      ASSERT_EQ(wait.size(), all.size() - waiter.first);
      if (wait.empty()) continue;
      ASSERT_EQ(wait.to(), all.back().to);
      ASSERT_EQ(wait.length(), all.back().to - all[waiter.first].from);
      const std::size_t number = waiter.first + chance() % wait.size();
      const auto place = wait.first_after(all[number].from);
      ASSERT_EQ(wait.before(place), number - waiter.first);
      ASSERT_EQ((*place).to, all[number].to);
      ended.emplace_back(wait, walk(waiter, writers));
    } else {
      const sim::Time from = all.empty() ? at(0) : all.back().to;
      const auto holder = static_cast<ClassId>(chance() % 3);
      const LockMode mode = chance() % 2 == 0 ? LockMode::read : LockMode::write;
      all.push_back({from, from + sim::Nanoseconds(1 + chance() % 50), {holder, Phase::fault, mode}});
      writers.push_back(static_cast<ClassId>(chance() % 3) - 1);
      stretches.add(all.back(), writers.back());
    }
    if (chance() % 64 != 0) continue;
    for (const auto& [wait, sums] : ended) ASSERT_EQ(sums_of(wait), sums);
    if (chance() % 8 == 0) ended.clear();
  }
  EXPECT_GT(ended.size(), 10U);
}

// What has ended has what it needs, whatever the lock forgets.
TEST(LockStretches, AWaitOutlivesWhatTheLockForgets) {
  LockStretches stretches;
  const LockStretches::Place began = stretches.end();
  for (std::int64_t number = 0; number < 1000; ++number) {
    stretches.add({at(number), at(number + 1), {static_cast<ClassId>(number % 2)}});
  }
  const LockStretches::Wait wait = stretches.since(began, LockMode::write);
  const LockStretches::Place later = stretches.end();
  stretches.forget_before(later);
  stretches.add({at(1000), at(1010), LockBlame{3}});
  EXPECT_EQ(sums_of(wait), (LockTimes{{LockBlame{0}, 500ns}, {LockBlame{1}, 500ns}}));
  EXPECT_EQ(sums_of(stretches.since(later, LockMode::read)), (LockTimes{{LockBlame{3}, 10ns}}));
}

}  // namespace
}  // namespace models::lock_stretches_test
