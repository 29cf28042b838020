// mremap to another place: a writer that moves the entries of every page.
//
// Kernel. mm/mremap.c, mremap_to and move_vma of 6.1: mmap_sem for write throughout; what is at the new place is
// unmapped; a VMA there with the flags and the anon_vma of the old one (copy_vma); move_page_tables, a page table at a
// time with cond_resched between; then the old range is unmapped (do_munmap), of which no page is left. Pages stay on
// the list that they are on: what is mlocked stays so, and is counted at both places until the old one is gone. With
// policy `mremap: {tables: whole}`, as since 5.0 (move_normal_pmd, commit 2c91bd4a4e2e; CONFIG_HAVE_MOVE_PMD on x86), a
// page table whose pages go to a page table's beginning is moved as one entry.
// Simplified. The size stays. One VMA at a time (6.17 moves several). Flushing the TLB is part of a page's cost. Page
// tables move one by one where 5.11 moves 512 at once (HAVE_MOVE_PUD). A new VMA costs as much as a split, and does not
// merge with neighbours. Reclaim takes a page that has moved for one that has just come. Validated by
// tests/models/mm/mremap_test.cpp: for each branch the lock operations, map, pages and return value.
#pragma once

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// mremap(2) of [start, start + pages) to `to`, MREMAP_FIXED. Returns 0, -EINVAL (the two overlap), -EFAULT (the range
/// is not in one VMA) or -ENOMEM (near the limit of the map). Takes and releases mmap_sem.
int sys_mremap(Task& current, Mm& mm, PageIndex start, PageCount pages, PageIndex to);

}  // namespace models
