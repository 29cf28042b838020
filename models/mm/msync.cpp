#include "models/mm/msync.h"

#include <algorithm>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/page_writeback.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

// file_write_and_wait_range. mmap_sem is not held.
void vfs_fsync_range(Task& current, AddressSpace& mapping, PageIndex start, PageIndex end) {
  write_cache_pages(current, mapping, start, end, WritebackSync::all);
  filemap_fdatawait_range(current, mapping, start, end);
}

// The part of [start, end) in one VMA: mmap_sem, held for read, is given up for it. The file may outlive the mapping.
void sync_shared(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  AddressSpace* const mapping = mapping_of(current.kernel(), mm, start);
  mm.mmap_sem.up_read(current);
  if (mapping != nullptr) vfs_fsync_range(current, *mapping, start, end);
}

}  // namespace

int sys_msync(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  current.enter(Phase::msync);
  current.work(current.kernel().costs.system_call);
  if (pages == PageCount(0)) return 0;
  const PageIndex end = start + pages;
  int unmapped_error = 0;
  mm.mmap_sem.down_read(current);
  for (;;) {
    current.work(current.kernel().costs.find_vma);
    current.settle();
    const VmaPointer vma = mm.find_vma(start);
    if (vma == nullptr || vma->start > start) unmapped_error = -ENOMEM;
    if (vma == nullptr || vma->start >= end) break;
    const PageIndex from = std::max(start, vma->start);
    start = vma->end;
    if (vma->flags.shared) {
      sync_shared(current, mm, from, std::min(end, start));
      if (start >= end) return unmapped_error;
      mm.mmap_sem.down_read(current);
    } else if (start >= end) {
      break;
    }
  }
  mm.mmap_sem.up_read(current);
  return unmapped_error;
}

}  // namespace models
