// Making a huge page of small ones, in place: at once when a program asks for it, and khugepaged's rounds.
//
// Kernel. mm/khugepaged.c of 6.12: madvise_collapse (MADV_COLLAPSE, since 6.1), khugepaged_do_scan,
// khugepaged_scan_mm_slot, hpage_collapse_scan_pmd, collapse_huge_page. The page table is looked at under mmap_lock for
// read; then that is given up and a folio allocated; mmap_lock is taken for write, the VMA is found again and
// write-locked, and with both held the 2 MiB are copied. Simplified. A range with pages that are in swap, or in the
// page cache only, is passed over; what is absent is no hindrance to MADV_COLLAPSE. The second look under read mode
// that takes pages in from swap has nothing to do. khugepaged has one address space to look after, finds all pages
// young enough (SCAN_LACK_REFERENCED_PAGE), leaves files alone, and spends nothing on lru_add_drain_all. Validated by
// tests/models/mm/khugepaged_test.cpp.
#pragma once

#include "models/spec/page.h"
#include "models/spec/threads.h"

namespace models {

class Mm;
class Task;

/// Collapses each aligned 2 MiB of [start, end) that lies within one VMA of anonymous pages, whether or not that VMA
/// may have huge pages. Returns 0, or the first error, when all have been tried:
///   -EINVAL  there is a page in swap or in the page cache, or none at all, or it is no anonymous memory
///   -ENOMEM  memory had no folio to give
/// mmap_sem must be held for read; it is on return, but is given up in between.
int madvise_collapse(Task& current, Mm& mm, PageIndex start, PageIndex end);

/// Where khugepaged is in the address space (struct khugepaged_scan).
struct KhugepagedScan {
  bool under_way = false;
  PageIndex address{};
};

/// How long khugepaged lets memory be after it had no folio to give (alloc_sleep_millisecs as it comes).
inline constexpr sim::Nanoseconds kKhugepagedAllocSleep{60'000'000'000};

/// One turn of khugepaged: looks at `pages_to_scan` pages of VMAs that may have huge pages (THP is on for them), from
/// where it was, at most once through the address space, and collapses each aligned 2 MiB that has a page and at most
/// `max_ptes_none` absent ones. It only tries to get mmap_sem: if it is not free at once, it begins anew the next time.
/// Takes and releases mmap_sem.
void khugepaged_do_scan(Task& current, Mm& mm, const KhugepagedSpec& settings, KhugepagedScan& scan);

}  // namespace models
