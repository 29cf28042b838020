// madvise(MADV_DONTNEED): how allocators give pages back, a reader that frees memory.
//
// Kernel. mm/madvise.c of 2.6.28, sys_madvise, madvise_dontneed: mmap_sem for read (since 2.6.23), zap_page_range of
// the range's part in each VMA; refused for VM_LOCKED, VM_HUGETLB and VM_PFNMAP; a hole is passed over and reported at
// the end. Simplified. Since 6.17 a range within one VMA takes only that VMA's lock [m]: no policy has that.
// Validated by tests/madvise_test.cpp: for each branch the lock operations, pages and return value.
#pragma once

#include "models/page.h"

namespace models {

class Mm;
class Task;

/// madvise(2) with MADV_DONTNEED on [start, start + pages). Returns 0, -EINVAL (a VMA that is locked, hugetlb or I/O;
/// what lies before is zapped) or -ENOMEM (there was a hole). Takes and releases mmap_sem.
int sys_madvise_dontneed(Task& current, Mm& mm, PageIndex start, PageCount pages);

}  // namespace models
