// remap_file_pages: the caller of mlock_vma_pages_range that has to care for -EAGAIN.
//
// Kernel. mm/fremap.c of 2.6.28, sys_remap_file_pages: looks at the VMA under read mode, and again under write mode,
// which it needs; a shared mapping of a file system that counts its dirty pages is mapped anew by mmap_region, which
// unmaps what is there and, with VM_LOCKED, comes to mlock_vma_pages_range. If the map changed in that one's window,
// the result of mmap_region is no address: the caller must return it, or it would hit BUG_ON(addr != start).
// Simplified. Regions stand for shared mappings of such a file; the path of others (populate_range over page table
// entries) is not modelled: it populates under the same lock. Since 3.16 the call is deprecated, since 4.0 emulated by
// mmap_region as here [m].
// Validated by tests/models/mm/remap_file_pages_test.cpp: for each branch the lock operations, map, pages and return
// value.
#pragma once

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// remap_file_pages(2) on [start, start + pages). Returns 0, -EINVAL (nothing, or not within one VMA), -ENOMEM (too
/// many VMAs) or -EAGAIN (the range changed in the window). Takes and releases mmap_sem, in both modes.
int sys_remap_file_pages(Task& current, Mm& mm, PageIndex start, PageCount pages);

}  // namespace models
