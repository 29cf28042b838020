// Reclaim: kswapd in the background, and tasks that must reclaim for their own allocation.
//
// Models reclaim as batches of SWAP_CLUSTER_MAX pages with a cost drawn from the machine's table: CPU time, and
// for a share of the batches a wait for write-back.
// Kernel. mm/vmscan.c of 2.6.28: kswapd, balance_pgdat (work until the high watermark), try_to_free_pages.
// Simplified. A first form: no lists, priorities or scan balance; every batch finds its pages until none is left.
// Validated by tests/vmscan_test.cpp.
#pragma once

#include "models/page.h"

namespace models {

class Task;
struct Kernel;

/// SWAP_CLUSTER_MAX (include/linux/swap.h).
inline constexpr PageCount kSwapClusterMax{32};

/// Wakes kswapd if it sleeps; `current` pays for the wake-up.
void wakeup_kswapd(Task& current);

/// Reclaims a batch for an allocation of `current`, and more batches while free pages are at the min watermark.
/// Charged to Cause::direct_reclaim, and Cause::device_io for write-back. Does not return when nothing is left to
/// reclaim: the run ends.
void try_to_free_pages(Task& current);

/// The body of the kswapd task: sleeps until woken, then reclaims up to the high watermark.
void kswapd(Task& current);

}  // namespace models
