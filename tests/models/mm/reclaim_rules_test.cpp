#include "models/mm/reclaim_rules.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace models::reclaim_rules_test {
namespace {

constexpr std::int64_t kKibibyte = 1024;

TEST(ReclaimRules, Of2628AreThoseOfItsSource) {
  EXPECT_EQ(reclaim_rules_of(ReclaimEra::linux_2_6_28), (ReclaimRules{
                                                            .most_min_free = Bytes(65536 * kKibibyte),
                                                            .most_per_cpu_batch = Bytes(512 * kKibibyte),
                                                            .watermarks_scale = false,
                                                            .drains_per_cpu_lists = false,
                                                            .forgiven_futile_rounds = 0,
                                                            .guards_reserve = false,
                                                            .new_anon_starts_active = true,
                                                            .fault_mlocks_cached = false,
                                                            .one_touch_activates = true,
                                                            .direct_writes_files = true,
                                                            .waits_for_congestion = true,
                                                            .stops_when_enough = false,
                                                            .refaults_deactivate = false,
                                                            .saves_up_scans = true,
                                                            .kswapd_stops_at_cluster = true,
                                                            .kswapd_always_deepens = true,
                                                        }));
}

// Whatever 2.6.28 does has been undone by 6.1, and what 6.1 does was not there yet; numbers have grown.
TEST(ReclaimRules, Of61AreTheOppositeInEveryOne) {
  const ReclaimRules& then = reclaim_rules_of(ReclaimEra::linux_2_6_28);
  const ReclaimRules& now = reclaim_rules_of(ReclaimEra::linux_6_1);
  EXPECT_EQ(now, (ReclaimRules{
                     .most_min_free = Bytes(262144 * kKibibyte),
                     .most_per_cpu_batch = Bytes(1024 * kKibibyte),
                     .watermarks_scale = !then.watermarks_scale,
                     .drains_per_cpu_lists = !then.drains_per_cpu_lists,
                     .forgiven_futile_rounds = 16,
                     .guards_reserve = !then.guards_reserve,
                     .new_anon_starts_active = !then.new_anon_starts_active,
                     .fault_mlocks_cached = !then.fault_mlocks_cached,
                     .one_touch_activates = !then.one_touch_activates,
                     .direct_writes_files = !then.direct_writes_files,
                     .waits_for_congestion = !then.waits_for_congestion,
                     .stops_when_enough = !then.stops_when_enough,
                     .refaults_deactivate = !then.refaults_deactivate,
                     .saves_up_scans = !then.saves_up_scans,
                     .kswapd_stops_at_cluster = !then.kswapd_stops_at_cluster,
                     .kswapd_always_deepens = !then.kswapd_always_deepens,
                 }));
}

}  // namespace
}  // namespace models::reclaim_rules_test
