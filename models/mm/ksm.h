// ksmd: looks at pages one after another for those that are the same.
//
// Kernel. mm/ksm.c of 6.1: ksm_do_scan, scan_get_next_rmap_item. For each of `pages_to_scan` pages mmap_lock is taken
// for read, the next anonymous page that is there is looked for from where the one before was, and mmap_lock is given
// up with that page in hand: its checksum and its place in the trees are found without it (cmp_and_merge_page). What is
// absent is looked at address by address in one hold, with a cond_resched() each: a large hole is a long hold.
// Since 6.18 (policy `ksm_jumps_holes`; f5548c318d65, which went into later releases of 6.1 and 6.12, too) page tables
// that have no page are passed over as a whole (walk_page_range_vma).
// Simplified. All anonymous memory is VM_MERGEABLE (MADV_MERGEABLE, or PR_SET_MEMORY_MERGE since 6.4), and there is one
// address space. No two pages are the same: nothing is merged, for which mmap_lock is taken for read once more
// (try_to_merge_with_ksm_page), and nobody writes to a merged page. In an exiting process ksmd goes no further, but may
// be who unmaps it, as it counts among its users. smart_scan (6.7), which leaves out what has been looked at in vain a
// few times, is not modelled. In a hole the CPU is given away at the end of a page table only; the entries of a table
// that has a page cost nothing where holes are jumped. Validated by tests/models/mm/ksm_test.cpp.
#pragma once

#include "models/spec/page.h"
#include "models/spec/threads.h"

namespace models {

class Mm;
class Task;

/// One round, from `address` on (ksm_scan.address), which is left where the next one begins: up to `pages_to_scan`
/// pages, or to the end of the address space. Takes and releases mmap_sem for each.
void ksm_do_scan(Task& current, Mm& mm, const KsmSpec& settings, PageIndex& address);

}  // namespace models
