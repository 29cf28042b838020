// In what the eras of reclaim differ, rule by rule: another era is another row of reclaim_rules.cpp.
//
// Each rule names the function of the kernel that it is a branch of. Numbers that are the same in all eras are not here
// but with the code that uses them. Validated by tests/models/mm/reclaim_rules_test.cpp, and each rule's effect by the
// tests of the file that follows it.
#pragma once

#include "models/spec/memory.h"
#include "models/spec/page.h"

namespace models {

struct ReclaimRules {
  // mm/page_alloc.c
  Bytes most_min_free;         ///< init_per_zone_wmark_min (2.6.28: init_per_zone_pages_min): bound of min_free_kbytes
  Bytes most_per_cpu_batch;    ///< zone_batchsize: bound of a thousandth of the zone, before it is quartered
  bool watermarks_scale;       ///< __setup_per_zone_wmarks: by watermark_scale_factor (since 4.6)
  bool drains_per_cpu_lists;   ///< __alloc_pages_direct_reclaim: before a second look, for single pages too
  int forgiven_futile_rounds;  ///< should_reclaim_retry: rounds in a row that find nothing before it is OOM
  bool guards_reserve;         ///< throttle_direct_reclaim: while half of min is gone, only kswapd works (since 3.6)

  // mm/memory.c
  bool new_anon_starts_active;  ///< do_anonymous_page: lru_cache_add_active; on the inactive list since 5.9
  bool fault_mlocks_cached;     ///< mlock_vma_page as a cached page is mapped; otherwise mlock or reclaim finds it

  // mm/vmscan.c
  bool one_touch_activates;      ///< shrink_page_list, page_referenced; otherwise page_check_references asks for two
  bool direct_writes_files;      ///< pageout in direct reclaim; since 3.2 only kswapd writes pages of files
  bool waits_for_congestion;     ///< congestion_wait between rounds; otherwise reclaim_throttle
  bool stops_when_enough;        ///< shrink_zone, shrink_lruvec: scans no further with what it came for (since 2.6.29)
  bool refaults_deactivate;      ///< prepare_scan_count: active lists make room when pages come back (since 4.12)
  bool saves_up_scans;           ///< shrink_zone, nr_scan: a list has its turn when it comes to 32 pages
  bool kswapd_stops_at_cluster;  ///< balance_pgdat: begins anew when it has freed SWAP_CLUSTER_MAX pages
  bool kswapd_always_deepens;    ///< balance_pgdat: priority goes down after every round; otherwise if one fell short

  bool operator==(const ReclaimRules&) const = default;
};

/// Those of `era`. The reference stays valid.
[[nodiscard]] const ReclaimRules& reclaim_rules_of(ReclaimEra era);

}  // namespace models
