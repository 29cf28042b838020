#include "models/mm/remap_file_pages.h"

#include <cerrno>

#include "models/kernel.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap.h"
#include "models/mm/mmap_lock.h"
#include "models/task.h"

namespace models {

namespace {

// The VMA that has all of [start, end), or null. mmap_sem must be held.
VmaPointer vma_with(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  current.work(current.kernel().costs.find_vma);
  current.settle();
  const VmaPointer vma = mm.find_vma(start);
  return vma != nullptr && vma->start <= start && end <= vma->end ? vma : nullptr;
}

}  // namespace

int sys_remap_file_pages(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  current.enter(Phase::remap_file_pages);
  current.work(current.kernel().costs.system_call);
  const PageIndex end = start + pages;
  if (end <= start) return -EINVAL;

  mm.mmap_sem.down_read(current);
  const bool good = vma_with(current, mm, start, end) != nullptr;
  mm.mmap_sem.up_read(current);
  if (!good) return -EINVAL;

  mmap_write_lock(current, mm);
  int error = -EINVAL;
  bool locked = false;
  if (const VmaPointer vma = vma_with(current, mm, start, end)) {
    const VmFlags flags = vma->flags;
    locked = flags.locked;
    error = mmap_region(current, mm, start, pages, flags, Linear::no);
  }
  mmap_write_unlock(current, mm);
  if (error == 0 && locked) mm_populate(current, mm, start, end, current.kernel().policy.grow);
  return error;
}

}  // namespace models
