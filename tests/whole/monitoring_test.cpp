// The shipped scenario `monitoring` against what was seen on a real machine (2 CPUs, Linux 6.18, built without
// preemption): one reader of smaps at nice 15 beside one busy thread makes the longest mmap 124 ms, beside eight a
// second.
#include <gtest/gtest.h>

#include "experiments/scenario/scenario_file.h"
#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/places.h"

namespace experiments::monitoring_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;

models::Result run(const std::vector<std::string>& sets) {
  tests::use_source_configs();
  Overrides overrides;
  overrides.sets = sets;
  overrides.sets.emplace_back("duration=20s");
  overrides.policies = {"linux-6.4"};
  const models::Scenario scenario = read_scenario(tests::source_configs() / "scenarios/monitoring.yaml", overrides);
  return models::simulate(scenario, scenario.policies.front(), {});
}

const models::ClassResult& mapper(const models::Result& result) { return result.classes.front(); }

double longest_mmap_in_ms(const models::Result& result) {
  return std::chrono::duration<double, std::milli>(mapper(result).total().latency().max()).count();
}

TEST(Monitoring, OneBusyThreadBesideTheReaderMakesTheLongestMmapWhatWasMeasured) {
  tests::check_in_child([] { EXPECT_NEAR(longest_mmap_in_ms(run({})), 124, 0.2 * 124); });
}

TEST(Monitoring, EightBusyThreadsMakeItASecond) {
  tests::check_in_child(
      [] { EXPECT_NEAR(longest_mmap_in_ms(run({"processes[1].threads.busy.count=8"})), 1000, 0.2 * 1000); });
}

TEST(Monitoring, WithoutTheBusyThreadOrWithAReaderAsGoodAsItNothingOfTheKindHappens) {
  tests::check_in_child([] {
    const std::string hardly_busy = "processes[1].threads.busy={run: busy, spin: 1us, sleep: 1s, cpus: [1]}";
    EXPECT_LT(longest_mmap_in_ms(run({hardly_busy})), 8);  // two ticks
  });
  tests::check_in_child([] { EXPECT_LT(longest_mmap_in_ms(run({"processes[1].threads.smaps.nice=0"})), 20); });
}

// Waiting for a reader that waits for the CPU that the busy thread has.
TEST(Monitoring, TheBlameNamesTheReaderAndWhoHasItsCpu) {
  tests::check_in_child([] {
    const models::Result result = run({});
    const models::Samples samples = mapper(result).total();
    const models::Blame slowest = samples.blame_from(*samples.latency().percentile(0.999));
    Nanoseconds all{};
    Nanoseconds of_the_chain{};
    for (const Nanoseconds time : slowest.causes) all += time;
    for (const auto& [lock, time] : slowest.lock_waits) {
      const bool chain = result.classes[static_cast<std::size_t>(lock.holder)].name == "smaps" &&
                         lock.doing == models::Cause::run_queue && lock.cpu_taken_by >= 0 &&
                         result.classes[static_cast<std::size_t>(lock.cpu_taken_by)].name == "busy";
      if (chain) of_the_chain += time;
    }
    EXPECT_GT(of_the_chain, all / 10 * 9);
  });
}

}  // namespace
}  // namespace experiments::monitoring_test
