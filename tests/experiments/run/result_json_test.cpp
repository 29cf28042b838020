#include "experiments/run/result_json.h"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/synthetic_result.h"
#include "tests/support/tiny_scenario.h"

namespace experiments::result_json_test {
namespace {

using models::Phase;
using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::UnorderedElementsAre;
using tests::in_child;
using namespace std::chrono_literals;

// The JSON of a run of the tiny scenario in a process of its own.
std::string simulated_text(std::size_t policy, std::uint64_t seed, bool stepwise = false,
                           const std::function<void(models::Scenario&)>& change = {}) {
  models::Scenario scenario = tests::tiny_scenario();
  scenario.seed = seed;
  if (change) change(scenario);
  return in_child([&] {
    sim::Engine::Options options;
    options.stepwise = stepwise;
    return to_json(models::simulate(scenario, scenario.policies[policy], options)).dump();
  });
}

Json parsed(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << text;
  return json;
}

Json simulated(std::size_t policy, std::uint64_t seed = 1) { return parsed(simulated_text(policy, seed)); }

std::string without_wall_time(const std::string& text) {
  Json json = parsed(text);
  EXPECT_EQ(json.at("engine").erase("wall_ns"), 1u);
  return json.dump(1);
}

std::vector<std::string> keys_of(const Json& json) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  return keys;
}

// `total` and each phase of each class that has samples.
std::vector<Json> all_samples(const Json& result) {
  std::vector<Json> found;
  for (const auto& [name, each] : result.at("classes").items()) {
    if (each.at("total").at("count") > 0) found.push_back(each.at("total"));
    for (const auto& [phase, samples] : each.at("during").items()) found.push_back(samples);
  }
  return found;
}

std::int64_t sum_of_parts(const Json& blame) {
  std::int64_t sum = 0;
  for (const char* cause :
       {"cpu", "run_queue", "wake_up", "lock_wait", "direct_reclaim", "reclaim_throttle", "device_io"}) {
    sum += blame.at(cause).get<std::int64_t>();
  }
  return sum;
}

std::int64_t sum_of_waits(const Json& lock_wait_by) {
  std::int64_t sum = 0;
  for (const Json& wait : lock_wait_by) sum += wait.at("ns").get<std::int64_t>();
  return sum;
}

TEST(ResultJson, HasTheDocumentedKeysAtTheTop) {
  EXPECT_THAT(keys_of(simulated(0)),
              ElementsAre("schema", "scenario", "policy", "seed", "outcome", "sim_time_ns", "warm_up_ns",
                          "cool_down_ns", "classes", "locks", "syscalls", "memory", "engine"));
}

TEST(ResultJson, SaysWhatWasRun) {
  const Json json = simulated(1, 7);
  EXPECT_EQ(json.at("schema"), "mlocksim/1");
  EXPECT_EQ(json.at("scenario"), "tiny");
  EXPECT_EQ(json.at("policy"), "downgrade");
  EXPECT_EQ(json.at("seed"), 7);
  EXPECT_EQ(json.at("outcome"), "completed");
  EXPECT_GT(json.at("sim_time_ns"), 9'000'000) << "the holds of the script alone take 9 ms";
}

TEST(ResultJson, NamesTheClassesInTheOrderOfTheScenario) {
  const Json json = simulated(0);
  EXPECT_THAT(keys_of(json.at("classes")), ElementsAre("locker", "faulter", "open_faulter", "mapper", "ps"));
  EXPECT_EQ(json.at("classes").at("faulter").at("open_loop"), false);
  EXPECT_EQ(json.at("classes").at("open_faulter").at("open_loop"), true);
}

TEST(ResultJson, HasTheDocumentedKeysOfAClass) {
  const Json json = simulated(2);
  const Json& faulter = json.at("classes").at("faulter");
  EXPECT_THAT(keys_of(faulter), IsSupersetOf({"cpu_ns", "open_loop", "unfinished", "total", "during"}));
  EXPECT_THAT(keys_of(faulter.at("during")),
              IsSupersetOf({"idle", "mlock", "mlock.populate", "munlock", "munlock.walk", "munmap"}));
  for (const Json& samples : all_samples(json)) {
    EXPECT_THAT(keys_of(samples), ElementsAre("count", "mean_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns",
                                              "max_ns", "blame", "tail_blame", "p99_blame", "p999_blame"));
    EXPECT_THAT(keys_of(samples.at("blame")),
                ElementsAre("cpu", "run_queue", "throttled", "wake_up", "lock_wait", "direct_reclaim",
                            "reclaim_throttle", "device_io", "lock_wait_by"));
    EXPECT_THAT(keys_of(samples.at("tail_blame")),
                IsSupersetOf({"from_ns", "count", "cpu", "run_queue", "wake_up", "lock_wait", "lock_wait_by"}));
  }
}

TEST(ResultJson, HasTheDocumentedKeysOfTheLock) {
  const Json json = simulated(1);
  EXPECT_THAT(keys_of(json.at("locks")), ElementsAre("mmap_sem"));
  const Json& lock = json.at("locks").at("mmap_sem");
  EXPECT_THAT(keys_of(lock),
              IsSupersetOf({"process", "read", "write", "hold", "handoffs", "convoys", "queue", "window"}));
  EXPECT_EQ(lock.at("process"), "db");
  EXPECT_THAT(keys_of(lock.at("read")), ElementsAre("acquisitions", "contended", "wait"));
  EXPECT_THAT(keys_of(lock.at("hold")),
              IsSupersetOf({"locker write mlock", "locker read mlock", "faulter read fault", "ps read proc_read"}));
  EXPECT_THAT(keys_of(lock.at("convoys")), ElementsAre("count", "readers", "largest", "length"));
  EXPECT_THAT(keys_of(lock.at("window")), ElementsAre("vma_changed", "eagain", "vma_change_missed"));
}

TEST(ResultJson, HasTheDocumentedKeysOfTheCalls) {
  const Json calls = simulated(0).at("syscalls");
  EXPECT_THAT(keys_of(calls), UnorderedElementsAre("mmap", "mlock", "munlock", "munmap"));
  for (const auto& [name, call] : calls.items()) {
    EXPECT_THAT(keys_of(call), ElementsAre("calls", "mean_ns", "max_ns", "pages", "failed", "eagain")) << name;
  }
  EXPECT_EQ(calls.at("mlock").at("calls"), 3);
  EXPECT_EQ(calls.at("mlock").at("pages"), 3 * 1024);
  EXPECT_EQ(calls.at("mmap").at("calls"), 2) << "what was unmapped is mapped again, twice";
}

TEST(ResultJson, HasTheDocumentedKeysOfMemoryAndEngine) {
  const Json json = simulated(0);
  EXPECT_THAT(keys_of(json.at("memory")),
              ElementsAre("watermarks_pages", "pages_at_end", "lowest_free_pages", "allocated_pages", "swap_used_pages",
                          "kswapd", "direct", "throttled", "pages", "device", "series"));
  EXPECT_THAT(keys_of(json.at("memory").at("direct")),
              ElementsAre("scanned_pages", "reclaimed_pages", "stalls", "futile_rounds_before_oom"));
  EXPECT_THAT(keys_of(json.at("memory").at("series")), ElementsAre("free_pages", "anon_pages", "file_pages",
                                                                   "unevictable_pages", "kswapd_runs", "device_queue"));
  for (const auto& [name, series] : json.at("memory").at("series").items()) {
    if (name == "device_queue") continue;  // nobody has used it
    const std::size_t buckets = series.at("last").size();
    EXPECT_EQ(series.at("min").size(), buckets) << name;
    EXPECT_EQ(series.at("max").size(), buckets) << name;
    EXPECT_GE(static_cast<std::int64_t>(buckets) * series.at("every_ns").get<std::int64_t>(), json.at("sim_time_ns"))
        << name << " does not reach the end";
  }
  std::int64_t pages = 0;
  for (const auto& [where, count] : json.at("memory").at("pages_at_end").items()) pages += count.get<std::int64_t>();
  EXPECT_EQ(pages, 8192) << "32 MiB, wherever they are";
  EXPECT_THAT(keys_of(json.at("engine")), IsSupersetOf({"events", "wall_ns", "preemptions"}));
}

TEST(ResultJson, CountsAClassWithoutRequestsAsZero) {
  const Json json = to_json(tests::result_of({{"locker", {}}}));
  EXPECT_EQ(json.at("classes").at("locker").at("total").at("count"), 0);
  EXPECT_TRUE(json.at("classes").at("locker").at("during").empty());
}

TEST(ResultJson, GivesNoPercentileThatHasTooFewSamplesBehindIt) {
  const auto percentiles = [](std::uint64_t count) {
    const Json total =
        to_json(tests::result_of({{"ps", {{Phase::idle, tests::worked(count, 5us)}}}})).at("classes").at("ps");
    std::vector<std::string> known;
    for (const char* key : {"p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns"}) {
      if (total.at("total").at(key).is_null()) continue;
      EXPECT_EQ(total.at("total").at(key), 5000);
      known.emplace_back(key);
    }
    EXPECT_EQ(total.at("total").at("max_ns"), 5000);
    return known;
  };
  EXPECT_THAT(percentiles(19), ElementsAre());
  EXPECT_THAT(percentiles(20), ElementsAre("p50_ns"));
  EXPECT_THAT(percentiles(999), ElementsAre("p50_ns", "p90_ns"));
  EXPECT_THAT(percentiles(1000), ElementsAre("p50_ns", "p90_ns", "p99_ns"));
  EXPECT_THAT(percentiles(10'000), ElementsAre("p50_ns", "p90_ns", "p99_ns", "p999_ns"));
}

TEST(ResultJson, TellsPartsOfACallFromTheWholeCall) {
  const Json during = to_json(tests::result_of({{"ps",
                                                 {{Phase::mlock, tests::worked(2, 1us)},
                                                  {Phase::mlock_populate, tests::worked(3, 2us)},
                                                  {Phase::munmap_zap, tests::worked(4, 3us)}}}}))
                          .at("classes")
                          .at("ps")
                          .at("during");
  EXPECT_THAT(keys_of(during), UnorderedElementsAre("mlock", "mlock.populate", "munmap", "munmap.zap"));
  EXPECT_EQ(during.at("mlock").at("count"), 5);
  EXPECT_EQ(during.at("mlock.populate").at("count"), 3);
  EXPECT_EQ(during.at("munmap").at("count"), 4);
}

TEST(ResultJson, NamesWhoKeptAWaiterOut) {
  const std::vector<std::string> classes{"locker", "mapper"};
  using models::LockMode;
  EXPECT_EQ(to_text({0, Phase::munlock_walk, LockMode::write, -1}, classes), "locker write munlock.walk");
  EXPECT_EQ(to_text({0, Phase::mlock_populate, LockMode::read, 1}, classes),
            "locker read mlock.populate, behind mapper");
  EXPECT_EQ(to_text({-1, Phase::idle, LockMode::read, -1}, classes), "kernel read idle");
}

TEST(ResultJson, BlamesTheTailFromWhereItBegins) {
  const auto samples = tests::both(tests::worked(990, 1us), tests::waited(100, 1ms, {0, Phase::mlock}));
  const Json total = to_json(tests::result_of({{"ps", {{Phase::mlock, samples}}}})).at("classes").at("ps").at("total");
  EXPECT_EQ(total.at("tail_blame").at("from_ns"), total.at("p99_ns"));
  EXPECT_EQ(total.at("tail_blame").at("count"), 100);
  EXPECT_EQ(total.at("tail_blame").at("lock_wait"), 100'000'000);
  EXPECT_EQ(total.at("tail_blame").at("cpu"), 0);
  EXPECT_EQ(total.at("blame").at("cpu"), 990'000);
}

class EveryPolicy : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(ResultJson, EveryPolicy, testing::Values(0, 1, 2));

TEST_P(EveryPolicy, HasBlamePartsThatAddUpToTheSumOfAllLatencies) {
  tests::check_in_child([] {
    const models::Scenario scenario = tests::tiny_scenario();
    const models::Result result = models::simulate(scenario, scenario.policies[GetParam()], {});
    const Json json = to_json(result);
    std::uint64_t checked = 0;
    for (const models::ClassResult& each : result.classes) {
      for (const auto& [phase, samples] : each.during) {
        const auto call = models::call_of(phase);
        const Json& during = json.at("classes").at(each.name).at("during");
        if (call != phase) {
          const auto exact = static_cast<std::int64_t>(samples.latency().sparse().sum_low);
          EXPECT_EQ(sum_of_parts(during.at(to_string(phase)).at("blame")), exact) << each.name << to_string(phase);
        }
        const auto exact = static_cast<std::int64_t>(each.during_call(call).latency().sparse().sum_low);
        EXPECT_EQ(sum_of_parts(during.at(to_string(call)).at("blame")), exact) << each.name << to_string(call);
        checked += samples.latency().count();
      }
    }
    EXPECT_GT(checked, 500u);
  });
}

TEST_P(EveryPolicy, HasBlamePartsThatAgreeWithCountAndMean) {
  for (const Json& samples : all_samples(simulated(GetParam()))) {
    const double mean = static_cast<double>(sum_of_parts(samples.at("blame"))) / samples.at("count").get<double>();
    EXPECT_EQ(std::llround(mean), samples.at("mean_ns").get<std::int64_t>());
  }
}

TEST_P(EveryPolicy, HasLockWaitsByHolderThatAddUpToTheLockWait) {
  std::int64_t waits = 0;
  for (const Json& samples : all_samples(simulated(GetParam()))) {
    for (const char* blame : {"blame", "tail_blame"}) {
      EXPECT_EQ(sum_of_waits(samples.at(blame).at("lock_wait_by")), samples.at(blame).at("lock_wait"));
      waits += samples.at(blame).at("lock_wait").get<std::int64_t>();
    }
  }
  EXPECT_GT(waits, 0);
}

TEST_P(EveryPolicy, CountsEveryRequestInOneCall) {
  const Json json = simulated(GetParam());  // which outlives the loop over a part of it
  for (const auto& [name, each] : json.at("classes").items()) {
    std::int64_t sum = 0;
    for (const auto& [phase, samples] : each.at("during").items()) {
      if (phase.find('.') == std::string::npos) sum += samples.at("count").get<std::int64_t>();
    }
    EXPECT_EQ(sum, each.at("total").at("count")) << name;
  }
}

TEST_P(EveryPolicy, DiffersBetweenTwoRunsInNothingButWallTime) {
  EXPECT_EQ(without_wall_time(simulated_text(GetParam(), 3)), without_wall_time(simulated_text(GetParam(), 3)));
}

TEST_P(EveryPolicy, DiffersBetweenSeeds) {
  EXPECT_NE(without_wall_time(simulated_text(GetParam(), 3)), without_wall_time(simulated_text(GetParam(), 4)));
}

TEST_P(EveryPolicy, IsTheSameStepByStepAndRunAhead) {
  EXPECT_EQ(without_wall_time(simulated_text(GetParam(), 1, true)),
            without_wall_time(simulated_text(GetParam(), 1, false)));
}

TEST_P(EveryPolicy, IsTheSameStepByStepAndRunAheadUnderPressureWithOneCpu) {
  const auto change = [](models::Scenario& scenario) {
    scenario.machine.cpus = 1;
    scenario.memory.free = models::Bytes{1 << 20};
    scenario.memory.dirty = 0.1;
    scenario.memory.background = models::Bytes{400 << 20};
  };
  const std::string text = simulated_text(GetParam(), 1, true, change);
  EXPECT_EQ(without_wall_time(text), without_wall_time(simulated_text(GetParam(), 1, false, change)));
  const Json json = parsed(text);
  EXPECT_GT(json.at("memory").at("direct").at("stalls").at("count"), 0) << "or there was no pressure";
}

// No page is dirty, so direct reclaim is CPU time and nothing else.
TEST(ResultJson, CountsReclaimForOneselfAsCpuTime) {
  const auto short_of_memory = [](models::Scenario& scenario) {
    scenario.machine.costs.reclaim_page = sim::Constant{std::chrono::microseconds{20}};  // kswapd cannot keep up
    scenario.memory.free = models::Bytes{1 << 20};
    scenario.memory.background = models::Bytes{400 << 20};
    scenario.memory.dirty = 0;
  };
  const Json faulter = parsed(simulated_text(0, 1, false, short_of_memory)).at("classes").at("faulter");
  const Json& blame = faulter.at("total").at("blame");
  ASSERT_GT(blame.at("direct_reclaim"), 0);
  EXPECT_GE(faulter.at("cpu_ns").get<std::int64_t>(),
            blame.at("cpu").get<std::int64_t>() + blame.at("direct_reclaim").get<std::int64_t>());
}

}  // namespace
}  // namespace experiments::result_json_test
