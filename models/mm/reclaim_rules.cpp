#include "models/mm/reclaim_rules.h"

#include <cstdint>
#include <cstdlib>

#include "models/mm/vmscan.h"

namespace models {

namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1024} * 1024;

constexpr ReclaimRules kLinux2628{
    .most_min_free = Bytes(64 * kMebibyte),
    .most_per_cpu_batch = Bytes(kMebibyte / 2),
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
};

constexpr ReclaimRules kLinux61{
    .most_min_free = Bytes(256 * kMebibyte),
    .most_per_cpu_batch = Bytes(kMebibyte),
    .watermarks_scale = true,
    .drains_per_cpu_lists = true,
    .forgiven_futile_rounds = kMaxReclaimRetries,
    .guards_reserve = true,
    .new_anon_starts_active = false,
    .fault_mlocks_cached = true,
    .one_touch_activates = false,
    .direct_writes_files = false,
    .waits_for_congestion = false,
    .stops_when_enough = true,
    .refaults_deactivate = true,
    .saves_up_scans = false,
    .kswapd_stops_at_cluster = false,
    .kswapd_always_deepens = false,
};

}  // namespace

const ReclaimRules& reclaim_rules_of(ReclaimEra era) {
  switch (era) {
    case ReclaimEra::linux_2_6_28:
      return kLinux2628;
    case ReclaimEra::linux_6_1:
      return kLinux61;
  }
  std::abort();
}

}  // namespace models
