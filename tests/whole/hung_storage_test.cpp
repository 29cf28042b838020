// The shipped scenario of storage that hardly answers (aws/efs-utils 374): who waits for the write-back of a mapped
// file, by release, and for whom.
#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/scenario_file.h"
#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/places.h"

namespace experiments::hung_storage_test {
namespace {

using namespace std::chrono_literals;
using models::Cause;
using models::ClassResult;
using sim::Nanoseconds;

constexpr Nanoseconds kWrite = 20s;
// The flusher has a page a request to submit, 10 us each, before the last one's 20 s begin; cat comes once a second.
constexpr Nanoseconds kSlack = 1500ms;

const ClassResult& class_named(const models::Result& result, const std::string& name) {
  for (const ClassResult& each : result.classes) {
    if (each.name == name) return each;
  }
  throw std::logic_error("no class " + name);
}

Nanoseconds longest(const models::Result& result, const std::string& name) {
  return class_named(result, name).total().latency().max();
}

bool waits_for_the_write(const models::Result& result, const std::string& name) {
  const Nanoseconds max = longest(result, name);
  return kWrite - kSlack <= max && max <= kWrite + kSlack;
}

bool notices_nothing(const models::Result& result, const std::string& name) { return longest(result, name) < 1ms; }

// What the longest request of a class went into adds up to it.
void check_blame(const models::Result& result) {
  for (const ClassResult& each : result.classes) {
    for (const models::WorstRequest& request : each.worst) {
      Nanoseconds sum = std::accumulate(request.rest.begin(), request.rest.end(), Nanoseconds{0});
      for (const models::WorstStep& step : request.steps) sum += step.to - step.from;
      EXPECT_EQ(sum, request.latency) << each.name;
    }
  }
}

template <class Check>
void run(const std::string& policy, const std::vector<std::string>& sets, Check check) {
  tests::use_source_configs();
  Overrides overrides;
  overrides.sets = sets;
  overrides.policies = {policy};
  const models::Scenario scenario = read_scenario(*find_config(ConfigKind::scenarios, "hung_storage"), overrides);
  tests::check_in_child([&] {
    const models::Result result = models::simulate(scenario, scenario.policies.front(), {});
    check_blame(result);
    EXPECT_EQ(result.memory.at_end.total(), pages_of(scenario.memory.size));
    check(result);
  });
}

const std::string kProtector = "processes[0].threads.protector.count=1";

TEST(HungStorage, UpTo66TheWatchdogWaitsForAsLongAsTheWriteTakes) {
  for (const char* policy : {"linux-5.18", "linux-6.4", "linux-6.6"}) {
    run(policy, {}, [&](const models::Result& result) {
      for (const char* name : {"writer", "mapper", "cat"})
        EXPECT_TRUE(waits_for_the_write(result, name)) << policy << name;
      // It stands behind mapper, who waits for the fault, which waits for the device.
      const models::WorstRequest& worst = class_named(result, "cat").worst.front();
      ASSERT_EQ(worst.steps.size(), 1U);
      const models::LockBlame& blame = worst.steps.front().lock.value();
      EXPECT_EQ(blame.phase, models::Phase::fault);
      EXPECT_EQ(blame.mode, models::LockMode::read);
      EXPECT_EQ(blame.doing, Cause::device_io);
      EXPECT_EQ(blame.lock, models::LockKind::mmap_sem);
      EXPECT_EQ(result.classes.at(static_cast<std::size_t>(blame.holder)).name, "writer");
      EXPECT_EQ(result.classes.at(static_cast<std::size_t>(blame.convoy)).name, "mapper");
    });
  }
}

TEST(HungStorage, WithoutAWriterReadersGetPast) {
  run("linux-6.4", {"processes[0].threads.mapper.count=0"}, [](const models::Result& result) {
    EXPECT_TRUE(waits_for_the_write(result, "writer"));
    EXPECT_TRUE(notices_nothing(result, "cat"));
  });
}

TEST(HungStorage, From67OnTheFaultHoldsTheLockOfItsVmaAndTheWatchdogNoticesNothing) {
  for (const char* policy : {"linux-6.7", "linux-6.12", "linux-6.18"}) {
    run(policy, {}, [&](const models::Result& result) {
      EXPECT_TRUE(waits_for_the_write(result, "writer")) << policy;
      for (const char* name : {"mapper", "cat"}) EXPECT_TRUE(notices_nothing(result, name)) << policy << name;
    });
  }
}

TEST(HungStorage, UntilSomebodyChangesTheVmaOfTheFile) {
  run("linux-6.12", {kProtector}, [](const models::Result& result) {
    for (const char* name : {"writer", "protector", "mapper", "cat"})
      EXPECT_TRUE(waits_for_the_write(result, name)) << name;
    const models::LockBlame& blame = class_named(result, "protector").worst.front().steps.front().lock.value();
    EXPECT_EQ(blame.lock, models::LockKind::vma);
    EXPECT_EQ(blame.doing, Cause::device_io);
  });
}

TEST(HungStorage, OrTheKernelItselfWritesToTheFile) {
  run("linux-6.12", {"processes[0].threads.writer.by=kernel"},
      [](const models::Result& result) { EXPECT_TRUE(waits_for_the_write(result, "cat")); });
}

TEST(HungStorage, WithoutStablePagesNobodyWaits) {
  run("linux-6.4", {"memory.device.stable_pages=false"}, [](const models::Result& result) {
    for (const char* name : {"writer", "mapper", "cat"}) EXPECT_TRUE(notices_nothing(result, name)) << name;
    EXPECT_GT(result.memory.device.write.pages, 1000U);
  });
}

TEST(HungStorage, WithoutAFlusherNothingIsWritten) {
  run("linux-6.4", {"memory.dirty_writeback=0s"}, [](const models::Result& result) {
    EXPECT_TRUE(notices_nothing(result, "writer"));
    EXPECT_EQ(result.memory.device.write.requests(), 0U);
  });
}

}  // namespace
}  // namespace experiments::hung_storage_test
