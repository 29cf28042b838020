// mincore: which pages are in memory. A reader that comes often and walks page tables.
//
// Kernel. mm/mincore.c of 6.1, sys_mincore and do_mincore: mmap_sem for read, one VMA's part of the range or as many
// pages as fit into a page of answers, a byte each; given up to copy them out, and taken again for what is left. Every
// page is looked at, mapped or not, with a cond_resched for each page table. (Up to 2.6.33 a hold was one page table at
// most.) Simplified. Copying out is part of system_call; whether the page cache has the pages that are not mapped costs
// the same as looking at those that are. Validated by tests/models/mm/mincore_test.cpp.
#pragma once

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// Pages in one hold at most: one byte for each in a buffer of one page.
inline constexpr PageCount kMincorePagesPerHold{kPageSize};

/// mincore(2) of [start, start + pages). Returns 0, or -ENOMEM where it comes to a page that no VMA covers. Takes and
/// releases mmap_sem.
int sys_mincore(Task& current, Mm& mm, PageIndex start, PageCount pages);

}  // namespace models
