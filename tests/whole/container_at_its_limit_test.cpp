// The shipped scenario `container_at_its_limit`: who waits for a group that reclaims within its own faults.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "experiments/scenario/scenario_file.h"
#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/places.h"

namespace experiments::container_at_its_limit_test {
namespace {

using sim::Nanoseconds;

models::Result run(const std::string& policy, std::vector<std::string> sets = {}) {
  tests::use_source_configs();
  Overrides overrides;
  overrides.sets = std::move(sets);
  overrides.sets.emplace_back("duration=500ms");
  overrides.policies = {policy};
  const auto file = tests::source_configs() / "scenarios/container_at_its_limit.yaml";
  const models::Scenario scenario = read_scenario(file, overrides);
  return models::simulate(scenario, scenario.policies.front(), {});
}

models::Samples samples(const models::Result& result, const std::string& name) {
  return result.find_class(name)->total();
}

Nanoseconds at(const models::Samples& samples, models::Cause cause) {
  return samples.blame().causes[static_cast<std::size_t>(cause)];
}

// What a class waits for while somebody of `holder` reclaims.
Nanoseconds waits_for_reclaim_of(const models::Result& result, const std::string& name, const std::string& holder) {
  Nanoseconds waits{};
  for (const auto& [lock, time] : samples(result, name).blame().lock_waits) {
    const bool of_it = lock.holder >= 0 && result.classes[static_cast<std::size_t>(lock.holder)].name == holder;
    if (of_it && lock.doing == models::Cause::direct_reclaim) waits += time;
  }
  return waits;
}

TEST(ContainerAtItsLimit, WhoSharesNothingWithItDoesNotNoticeIt) {
  tests::check_in_child([] {
    const models::Result limited = run("linux-5.18");
    const models::Result free = run("linux-5.18", {"groups.tenant.memory_max=60GiB"});
    EXPECT_GT(at(samples(limited, "worker"), models::Cause::direct_reclaim), Nanoseconds{0});
    for (const char* const outside : {"web_faulter", "web_mapper"}) {
      EXPECT_EQ(at(samples(limited, outside), models::Cause::direct_reclaim), Nanoseconds{0}) << outside;
      EXPECT_EQ(waits_for_reclaim_of(limited, outside, "worker"), Nanoseconds{0}) << outside;
      const auto p99 = [&](const models::Result& result) {
        return static_cast<double>(samples(result, outside).latency().percentile(0.99)->count());
      };
      EXPECT_NEAR(p99(limited), p99(free), 0.05 * p99(free)) << outside;
    }
  });
}

TEST(ContainerAtItsLimit, WhoReadsItsProcWaitsForItsReclaimUnlessFaultsHoldTheLocksOfVmas) {
  tests::check_in_child([] {
    const models::Result result = run("linux-5.18");
    EXPECT_GT(waits_for_reclaim_of(result, "ps", "worker"), Nanoseconds{0});
    EXPECT_GT(waits_for_reclaim_of(result, "mapper", "worker"), Nanoseconds{0});
    const models::Result free = run("linux-5.18", {"groups.tenant.memory_max=60GiB"});
    EXPECT_GT(samples(result, "ps").latency().max(), samples(free, "ps").latency().max());
  });
  tests::check_in_child([] { EXPECT_EQ(waits_for_reclaim_of(run("linux-6.18"), "ps", "worker"), Nanoseconds{0}); });
}

// The same with generations.
TEST(ContainerAtItsLimit, IsNoOtherUnderMglru) {
  tests::check_in_child([] {
    const models::Result result = run("linux-5.18", {"machine.reclaim=mglru"});
    EXPECT_GT(waits_for_reclaim_of(result, "ps", "worker"), Nanoseconds{0});
    EXPECT_EQ(waits_for_reclaim_of(result, "web_mapper", "worker"), Nanoseconds{0});
    const auto& group = result.memory.groups.front();
    EXPECT_LE(group.peak, models::pages_of(models::Bytes(std::int64_t{2} << 30)));
    EXPECT_GT(group.reclaimed, 0U);
  });
}

}  // namespace
}  // namespace experiments::container_at_its_limit_test
