#include "experiments/run/execute.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "experiments/run/result_json.h"
#include "experiments/run/result_pack.h"
#include "tests/support/in_child.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::execute_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tests::check_in_child;

const Failure& failure(const JobOutcome& outcome) {
  static const Failure none{"it has a result"};
  const auto* found = std::get_if<Failure>(&outcome);
  return found == nullptr ? none : *found;
}

bool has_result(const JobOutcome& outcome) { return std::holds_alternative<models::Result>(outcome); }

void ignore(std::size_t) {}

// What happens around each fork of this process. Handlers cannot be taken back: only for use in a child.
struct Forks {
  static inline int count = 0;
  static inline std::function<void()> before;
  static inline std::function<void(int)> in_child;  // told which fork it is, from 1

  static void watch() {
    pthread_atfork(
        [] {
          ++count;
          if (before) before();
        },
        nullptr,
        [] {
          if (in_child) in_child(count);
        });
  }
};

class Execute : public testing::Test {
 protected:
  [[nodiscard]] std::vector<Job> jobs(std::size_t count) const {
    std::vector<Job> all;
    for (std::size_t job = 0; job < count; ++job) all.push_back({&scenario_, &scenario_.policies[job % 3], job + 1});
    return all;
  }

  models::Scenario scenario_ = tests::tiny_scenario();
};

TEST_F(Execute, ReturnsNothingForNoJobs) { EXPECT_TRUE(execute({}, 4, {}, ignore).empty()); }

TEST_F(Execute, ReturnsResultsInTheOrderOfTheJobsWhateverFinishesFirst) {
  models::Scenario longer = scenario_;
  std::get<models::LockerSpec>(longer.processes[0].threads[0].run).repeat = 40;
  std::vector<Job> all = jobs(4);
  all[0].scenario = &longer;
  const auto outcomes = execute(all, 4, {}, ignore);
  ASSERT_EQ(outcomes.size(), 4u);
  for (std::size_t job = 0; job < 4; ++job) {
    ASSERT_TRUE(has_result(outcomes[job])) << failure(outcomes[job]).reason;
    const auto& result = std::get<models::Result>(outcomes[job]);
    EXPECT_EQ(result.seed, job + 1);
    EXPECT_EQ(result.policy, all[job].policy->name);
    EXPECT_EQ(result.scenario, "tiny");
  }
}

TEST_F(Execute, TakesTheSeedFromTheJobAndLeavesTheScenarioAlone) {
  scenario_.seed = 99;
  const auto outcomes = execute({{&scenario_, &scenario_.policies[0], 5}}, 1, {}, ignore);
  EXPECT_EQ(std::get<models::Result>(outcomes[0]).seed, 5u);
  EXPECT_EQ(scenario_.seed, 99u);
}

TEST_F(Execute, RunsMoreJobsThanWorkersToTheEnd) {
  const auto outcomes = execute(jobs(7), 2, {}, ignore);
  EXPECT_EQ(std::count_if(outcomes.begin(), outcomes.end(), has_result), 7);
}

TEST_F(Execute, TakesMoreWorkersThanJobs) {
  const auto outcomes = execute(jobs(2), 100, {}, ignore);
  EXPECT_EQ(std::count_if(outcomes.begin(), outcomes.end(), has_result), 2);
}

TEST_F(Execute, GivesEqualResultsWithOneWorkerAndWithMany) {
  const auto texts = [&](int workers) {
    std::vector<std::string> all;
    for (const JobOutcome& outcome : execute(jobs(4), workers, {}, ignore)) {
      auto result = std::get<models::Result>(outcome);
      result.wall = {};
      const auto bytes = pack(result);
      all.emplace_back(bytes.begin(), bytes.end());
    }
    return all;
  };
  EXPECT_TRUE(texts(1) == texts(4));
}

TEST_F(Execute, TellsAfterEachJobHowManyAreDone) {
  std::vector<std::size_t> told;
  const auto outcomes = execute(jobs(3), 2, {}, [&](std::size_t done) { told.push_back(done); });
  EXPECT_THAT(told, ElementsAre(1, 2, 3));
  EXPECT_EQ(outcomes.size(), 3u);
}

TEST_F(Execute, NeverRunsMoreJobsAtATimeThanThereAreWorkers) {
  check_in_child([&] {
    int done = 0;
    int most = 0;
    Forks::before = [&] { most = std::max(most, Forks::count - done); };
    Forks::watch();
    const auto outcomes = execute(jobs(8), 3, {}, [&](std::size_t) { ++done; });
    EXPECT_EQ(Forks::count, 8) << "a process for each job";
    EXPECT_EQ(most, 3);
    EXPECT_EQ(done, 8);
    EXPECT_EQ(outcomes.size(), 8u);
  });
}

TEST_F(Execute, GivesAJobThatThrowsAsAFailureWithItsWordsAndLeavesTheOthersAlone) {
  models::Scenario haunted = scenario_;
  std::get<models::ProcReaderSpec>(haunted.processes[1].threads[0].run).target = "ghost";
  std::vector<Job> all = jobs(3);
  all[1].scenario = &haunted;
  const auto outcomes = execute(all, 2, {}, ignore);
  EXPECT_TRUE(has_result(outcomes[0]));
  EXPECT_EQ(failure(outcomes[1]).reason, "no process named ghost");
  EXPECT_TRUE(has_result(outcomes[2]));
}

TEST_F(Execute, GivesAJobThatIsKilledAsAFailureThatNamesTheSignalAndLeavesTheOthersAlone) {
  check_in_child([&] {
    Forks::in_child = [](int fork) {
      if (fork == 2) raise(SIGKILL);
    };
    Forks::watch();
    const auto outcomes = execute(jobs(4), 2, {}, ignore);
    EXPECT_TRUE(has_result(outcomes[0]));
    EXPECT_THAT(failure(outcomes[1]).reason, HasSubstr("killed by signal 9 (Killed)"));
    EXPECT_TRUE(has_result(outcomes[2]));
    EXPECT_TRUE(has_result(outcomes[3]));
  });
}

TEST_F(Execute, GivesAJobThatExitsAsAFailureThatNamesTheCodeAndLeavesTheOthersAlone) {
  check_in_child([&] {
    Forks::in_child = [](int fork) {
      if (fork == 1) _exit(7);
      if (fork == 3) _exit(0);
    };
    Forks::watch();
    const auto outcomes = execute(jobs(4), 4, {}, ignore);
    EXPECT_EQ(failure(outcomes[0]).reason, "ended with code 7 and no result");
    EXPECT_TRUE(has_result(outcomes[1]));
    EXPECT_EQ(failure(outcomes[2]).reason, "ended with code 0 and no result");
    EXPECT_TRUE(has_result(outcomes[3]));
  });
}

TEST_F(Execute, LeavesNoProcessBehind) {
  check_in_child([&] {
    const auto outcomes = execute(jobs(3), 2, {}, ignore);
    EXPECT_EQ(outcomes.size(), 3u);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child that nobody has waited for";
  });
}

TEST_F(Execute, PrintsOnceWhatThisProcessHasInItsBuffers) {
  const tests::TemporaryFolder folder;
  const std::string file = folder / "printed";
  check_in_child([&] {
    ASSERT_NE(std::freopen(file.c_str(), "w", stdout), nullptr);
    std::printf("once\n");
    const auto outcomes = execute(jobs(3), 2, {}, ignore);
    EXPECT_EQ(outcomes.size(), 3u);
    std::fflush(stdout);
  });
  EXPECT_EQ(tests::text_of(file), "once\n");
}

TEST_F(Execute, PassesTheEngineItsOptions) {
  sim::Engine::Options options;
  options.simgrid_arguments = {"--cfg=no/such/key:1"};
  EXPECT_THAT(failure(execute(jobs(1), 1, options, ignore)[0]).reason, HasSubstr("no/such/key"));
}

}  // namespace
}  // namespace experiments::execute_test
