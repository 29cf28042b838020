// Making a huge page of small ones, in place.
//
// Kernel. mm/khugepaged.c of 6.12: madvise_collapse (MADV_COLLAPSE, since 6.1), hpage_collapse_scan_pmd,
// collapse_huge_page. The page table is looked at under mmap_lock for read; then that is given up and a folio
// allocated; mmap_lock is taken for write, the VMA is found again and write-locked, and with both held the 2 MiB are
// copied. Simplified. A range with pages that are in swap, or in the page cache only, is passed over; what is absent is
// no hindrance, as with MADV_COLLAPSE. The second look under read mode that takes pages in from swap has nothing to do.
// Validated by tests/models/mm/khugepaged_test.cpp.
#pragma once

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// Collapses each aligned 2 MiB of [start, end) that lies within one VMA of anonymous pages, whether or not that VMA
/// may have huge pages. Returns 0, or the first error, when all have been tried:
///   -EINVAL  there is a page in swap or in the page cache, or none at all, or it is no anonymous memory
///   -ENOMEM  memory had no folio to give
/// mmap_sem must be held for read; it is on return, but is given up in between.
int madvise_collapse(Task& current, Mm& mm, PageIndex start, PageIndex end);

}  // namespace models
