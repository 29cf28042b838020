// The shipped eras on one workload: they differ exactly where the kernel's history says they do.

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "experiments/run/execute.h"
#include "experiments/scenario/scenario_file.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace experiments::eras_test {
namespace {

using models::Phase;
using sim::Nanoseconds;
using namespace std::chrono_literals;

const std::vector<std::string> kEras{"write_held", "downgrade",  "linux-2.6.38", "linux-3.9",
                                     "linux-4.20", "linux-5.18", "linux-6.4"};

// 256 MiB: 65,536 pages at the shipped machine's costs, which are constant for these two.
constexpr Nanoseconds kMunlock = 65'536 * 114ns;
constexpr Nanoseconds kZap = 65'536 * 186ns;
// What comes on top of a walk: wake-ups, the call itself, and how late in it the first request falls due.
constexpr Nanoseconds kSlack = 500us;

class Eras : public testing::Test {
 protected:
  static void run(std::vector<std::string> more_sets) {
    Overrides overrides;
    overrides.sets = {"processes[0].regions.heap.size=256MiB", "memory.pressure=none",
                      "processes[1].threads.ps.closed.think=exponential 50us", "processes[1].threads.ps.count=4"};
    overrides.sets.insert(overrides.sets.end(), more_sets.begin(), more_sets.end());
    overrides.policies = kEras;
    const models::Scenario scenario = read_scenario(*find_config(ConfigKind::scenarios, "with_writer"), overrides);
    std::vector<Job> jobs;
    for (const models::Policy& policy : scenario.policies) jobs.push_back({&scenario, &policy, 1});
    auto outcomes = execute(jobs, 2, {}, [](std::size_t) {});
    results.clear();
    for (std::size_t era = 0; era < kEras.size(); ++era) {
      ASSERT_TRUE(std::holds_alternative<models::Result>(outcomes[era])) << kEras[era];
      results[kEras[era]] = std::get<models::Result>(std::move(outcomes[era]));
    }
  }

  // The mapper would make readers queue behind it: most of these histories are told without it.
  static void run_without_writer() { run({"processes[0].threads.mapper.closed.think=constant 1000s"}); }

  static Nanoseconds longest(const std::string& era, const std::string& class_name, Phase call) {
    for (const models::ClassResult& each : results.at(era).classes) {
      if (each.name == class_name) return each.during_call(call).latency().max();
    }
    throw std::logic_error("no class " + class_name);
  }

  // Says by how much if not.
  static testing::AssertionResult about(Nanoseconds measured, Nanoseconds expected, Nanoseconds slack = kSlack) {
    if (std::chrono::abs(measured - expected) <= slack) return testing::AssertionSuccess();
    return testing::AssertionFailure() << measured.count() << " ns, not about " << expected.count() << " ns";
  }

  static inline std::map<std::string, models::Result> results;
};

TEST_F(Eras, PsWaitsForTheZapOfMunmapBefore420AndNotAfter) {
  run_without_writer();
  for (const std::string era : {"write_held", "downgrade", "linux-2.6.38", "linux-3.9"}) {
    EXPECT_TRUE(about(longest(era, "ps", Phase::munmap), (kMunlock + kZap))) << era;
  }
  EXPECT_TRUE(about(longest("linux-4.20", "ps", Phase::munmap), kMunlock));
  EXPECT_LT(longest("linux-5.18", "ps", Phase::munmap), kSlack);
  EXPECT_LT(longest("linux-6.4", "ps", Phase::munmap), kSlack);
}

TEST_F(Eras, PsWaitsForTheWholeMunlockInEveryEra) {
  run_without_writer();
  for (const std::string& era : kEras) {
    EXPECT_TRUE(about(longest(era, "ps", Phase::munlock), kMunlock)) << era;
  }
}

TEST_F(Eras, AFaultInAnotherVmaWaitsForMunlockBefore64AndNotAfter) {
  run_without_writer();
  for (const std::string& era : kEras) {
    if (era == "linux-6.4") continue;
    EXPECT_TRUE(about(longest(era, "faulter", Phase::munlock), kMunlock)) << era;
  }
  EXPECT_LT(longest("linux-6.4", "faulter", Phase::munlock), kSlack);
}

TEST_F(Eras, AFaultInTheVmaThatIsUnlockedWaitsIn64Too) {
  run({"processes[0].threads.mapper.closed.think=constant 1000s", "processes[0].threads.faulter.region=heap"});
  EXPECT_TRUE(about(longest("linux-6.4", "faulter", Phase::munlock), kMunlock));
}

TEST_F(Eras, NobodyWaitsForThePopulateSinceThePatchIfThereIsNoWriter) {
  run_without_writer();
  for (const std::string era : {"downgrade", "linux-2.6.38", "linux-3.9", "linux-4.20"}) {
    EXPECT_LT(longest(era, "ps", Phase::mlock), kSlack) << era;
  }
  EXPECT_GT(longest("write_held", "ps", Phase::mlock), 65'536 * 1'100ns - kSlack);
}

// The first of its two passes; the other one is under read mode.
TEST_F(Eras, MlockOfAResidentRangeIsAWriteHeldWalkSince518) {
  run_without_writer();
  EXPECT_TRUE(about(longest("linux-5.18", "ps", Phase::mlock), (65'536 * 113ns)));
}

TEST_F(Eras, AMapperWaitsForTheWholeMunlockInEveryEra) {
  run({});
  for (const std::string& era : kEras) {
    EXPECT_TRUE(about(longest(era, "mapper", Phase::munlock), kMunlock, 1ms + kSlack)) << era;
  }
}

// --- who creates threads beside a crowd of mappers (antonblanchard/will-it-scale, mmap2_threads) -------------------

constexpr const char* kWillItScale = R"(schema: mlocksim/1
name: will_it_scale
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 16}
memory: {size: 64GiB, pressure: none}
policies: [linux-4.9, linux-5.10, linux-6.1]
duration: 1s
processes:
  - name: bench
    threads:
      worker: {run: mapper, count: 16, size: 128MiB, closed: {think: 0ns}}
      creator: {run: mapper, count: 1, size: 8MiB, closed: {think: 0ns, compute: 30us}}
)";

// One that has to give its CPU away once sleeps in the queue; from 3.16 to 5.2 there is always somebody who spins and
// is before it. The handoff ends that.
TEST(WillItScale, WhoHasToMapNowAndThenStarvesUnder4_9AndNotSince5_3) {
  tests::use_source_configs();
  const tests::TemporaryFolder folder;
  const models::Scenario scenario = read_scenario(folder.write("will_it_scale.yaml", kWillItScale));
  std::vector<Job> jobs;
  for (const models::Policy& policy : scenario.policies) jobs.push_back({&scenario, &policy, 1});
  const auto outcomes = execute(jobs, 2, {}, [](std::size_t) {});
  const auto creator = [&](std::size_t policy) -> const models::ClassResult& {
    return std::get<models::Result>(outcomes.at(policy)).classes.at(1);
  };
  EXPECT_LT(creator(0).total().latency().count(), 200U);
  EXPECT_GT(std::get<models::Result>(outcomes.at(0)).cool_down, 500ms) << "its last call is not done yet";
  for (const std::size_t later : {1U, 2U}) {
    EXPECT_GT(creator(later).total().latency().count(), 1000U);
    EXPECT_LT(creator(later).total().latency().max(), 20ms);
  }
}

}  // namespace
}  // namespace experiments::eras_test
