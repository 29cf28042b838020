// mmap and munmap.
//
// Kernel. mm/mmap.c of 2.6.28: do_mmap_pgoff, do_munmap (split; for each locked VMA munlock_vma_pages_all; detach;
// unmap_region), all under mmap_sem for write. With munmap's policy `downgrade`, as since 4.20 (commit dd2283f2605e):
// munlock and detach under write, then the zap under read; nobody needs write mode back.
// Simplified. Anonymous mappings only; nothing is faulted in by mmap; freeing page tables is part of the fixed cost.
// Validated by tests/mmap_test.cpp.
#pragma once

#include "models/page.h"

namespace models {

class Mm;
class Task;

/// mmap(2) of an anonymous private region at a free place. Takes and releases mmap_sem.
void sys_mmap(Task& current, Mm& mm, PageIndex start, PageCount pages);

/// munmap(2). Returns 0 or -ENOMEM (a split beyond the map-count limit). Takes and releases mmap_sem.
int sys_munmap(Task& current, Mm& mm, PageIndex start, PageCount pages);

}  // namespace models
