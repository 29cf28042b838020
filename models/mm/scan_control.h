// What one who reclaims has set out to do and come to, and what becomes of the pages that he takes off a list: what the
// classic lists (models/mm/vmscan.h) and generations (models/mm/mglru.h) have in common.
//
// Kernel. struct scan_control and shrink_folio_list of mm/vmscan.c.
#pragma once

#include <array>
#include <vector>

#include "models/mm/lru.h"
#include "models/spec/page.h"

namespace models {

class Task;
struct Kernel;
struct MemCgroup;

/// DEF_PRIORITY (include/linux/mmzone.h): a round looks at size >> priority of each list.
inline constexpr int kDefPriority = 12;

struct ScanControl {
  bool by_kswapd = false;
  MemCgroup* group = nullptr;  ///< target_mem_cgroup; null: of the whole machine
  Lruvec lruvec = 0;           ///< whose lists are being scanned
  PageCount to_reclaim;
  int priority = kDefPriority;
  PageCount scanned{};
  PageCount reclaimed{};
  PageCount to_be_written{};          ///< of them, what went to the device
  std::array<bool, 2> deactivates{};  ///< may_deactivate, by whether it is the files' list
  bool forced = false;                ///< force_deactivate
  bool skipped = false;               ///< skipped_deactivate: an active list was left alone
};

/// Whether anonymous pages have somewhere to go.
[[nodiscard]] bool can_reclaim_anon(const Kernel& kernel);

/// shrink_folio_list, and move_folios_to_lru of what it keeps: what was `isolated` from a list of anonymous pages or of
/// files is freed, goes to the device or back to a list. Adds it up in `sc`. Returns how many pages are free at once.
PageCount shrink_folio_list(Task& current, ScanControl& sc, bool file, const std::vector<LruRun>& isolated);

}  // namespace models
