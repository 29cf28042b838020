#include "models/mprotect.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm.h"
#include "models/mmap_lock.h"
#include "models/task.h"

namespace models {

namespace {

int split(Task& current, Mm& mm, const VmaPointer& vma, PageIndex at, Mm::NewVma side) {
  current.work(current.kernel().costs.vma_split);
  current.settle();
  return mm.split_vma(vma, at, side);
}

// Gives [start, end) of `vma` its new flags. `prev` is left at the VMA that then covers the range. mmap_sem must be
// held for write.
int mprotect_fixup(Task& current, Mm& mm, VmaPointer vma, VmaPointer& prev, PageIndex start, PageIndex end,
                   VmFlags newflags) {
  assert(mm.mmap_sem.held_by(current, LockMode::write));
  prev = vma;
  if (newflags == vma->flags) return 0;

  vma_start_write_to_merge(current, mm, *vma, start, end, newflags);
  current.settle();
  if (const VmaPointer merged = mm.vma_merge(vma, start, end, newflags)) {
    current.work(current.kernel().costs.vma_merge);
    vma = merged;
    prev = vma;
  } else {
    if (start != vma->start) {
      if (const int error = split(current, mm, vma, start, Mm::NewVma::below)) return error;
    }
    if (end != vma->end) {
      if (const int error = split(current, mm, vma, end, Mm::NewVma::above)) return error;
    }
  }
  vma->flags = newflags;
  return 0;
}

// sys_mprotect's loop. mmap_sem must be held for write.
int do_mprotect(Task& current, Mm& mm, PageIndex start, PageIndex end, bool readonly) {
  current.work(current.kernel().costs.mprotect, Purpose::calls);
  current.settle();
  VmaPointer vma = mm.find_vma(start);
  if (vma == nullptr || vma->start > start) return -ENOMEM;
  VmaPointer prev;
  for (PageIndex nstart = start;;) {
    VmFlags newflags = vma->flags;
    newflags.readonly = readonly;
    const PageIndex tmp = std::min(vma->end, end);
    if (const int error = mprotect_fixup(current, mm, vma, prev, nstart, tmp, newflags)) return error;
    nstart = std::max(tmp, prev->end);
    if (nstart >= end) return 0;
    vma = mm.next(*prev);
    if (vma == nullptr || vma->start != nstart) return -ENOMEM;
  }
}

}  // namespace

int sys_mprotect(Task& current, Mm& mm, PageIndex start, PageCount pages, bool readonly) {
  current.enter(Phase::mprotect);
  current.work(current.kernel().costs.system_call);
  if (pages == PageCount(0)) return 0;
  mmap_write_lock(current, mm);
  const int error = do_mprotect(current, mm, start, start + pages, readonly);
  mmap_write_unlock(current, mm);
  return error;
}

}  // namespace models
