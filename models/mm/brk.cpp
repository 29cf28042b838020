#include "models/mm/brk.h"

#include <cassert>
#include <cerrno>
#include <cstdint>

#include "models/kernel.h"
#include "models/mm/fault.h"
#include "models/mm/mlock.h"
#include "models/mm/mmap.h"
#include "models/mm/mmap_lock.h"
#include "models/task.h"

namespace models {

namespace {

// vma_merge as do_brk asks for it: the VMA that ends where the new range begins, if it has the same flags.
VmaPointer extend_heap(Task& current, Mm& mm, PageIndex start, PageIndex end, VmFlags flags) {
  const VmaPointer heap = mm.find_vma(start - PageCount(1));
  if (heap == nullptr || heap->end != start || heap->flags != flags) return nullptr;
  vma_start_write(current, mm, *heap);
  current.work(current.kernel().costs.vma_merge);
  current.settle();
  mm.extend_vma(heap, heap->start, end);
  return heap;
}

// mmap_sem must be held for write.
int do_brk(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  assert(mm.mmap_sem.held_by(current, LockMode::write));
  VmFlags flags;
  flags.locked = mm.locks_future_mappings;
  const PageCount pages = end - start;
  if (flags.locked && !within_memlock_limit(mm, pages)) return -EAGAIN;
  if (mm.map_count() > mm.max_map_count) return -ENOMEM;
  current.work(current.kernel().costs.mmap, KernelPath::brk);
  current.settle();
  VmaPointer vma = extend_heap(current, mm, start, end, flags);
  if (vma == nullptr) {
    vm_area_alloc(current);
    vma = mm.insert_vma(start, end, flags);
  }
  if (!flags.locked) return 0;
  // Counted before the window opens, so that an munmap in it finds them counted. The kernel adds them afterwards.
  mm.locked_vm += pages;
  // What changed in the window is nobody's concern: "only sys_remap_file_pages() should actually care".
  const std::int64_t not_locked = mlock_vma_pages_range(current, mm, vma, start, end);
  if (not_locked > 0) mm.locked_vm -= PageCount(not_locked);
  return 0;
}

// find_vma_intersection, one page further than asked for: a heap keeps its distance.
bool in_the_way(const Mm& mm, PageIndex start, PageIndex end) {
  const VmaPointer vma = mm.find_vma(start);
  return vma != nullptr && vma->start < end + PageCount(1);
}

// The accounts of a stack that is about to grow by `grow`.
int acct_stack_growth(Mm& mm, const Vma& vma, PageCount grow) {
  if (vma.pages() + grow > kRlimitStack) return -ENOMEM;
  if (!vma.flags.locked) return 0;
  if (!within_memlock_limit(mm, grow)) return -ENOMEM;
  mm.locked_vm += grow;
  return 0;
}

}  // namespace

int sys_brk(Task& current, Mm& mm, PageCount pages) {
  current.enter(Phase::brk);
  current.work(current.kernel().costs.system_call);
  mmap_write_lock(current, mm);
  const PageIndex start = mm.brk;
  const PageIndex end = start + pages;
  const bool lock = mm.locks_future_mappings;
  int error = 0;
  if (end > start) {
    error = in_the_way(mm, start, end) ? -ENOMEM : do_brk(current, mm, start, end);
    if (error == 0) mm.brk = end;
  }
  mmap_write_unlock(current, mm);
  if (error == 0 && lock) mm_populate(current, mm, start, end, current.kernel().policy.grow);
  return error;
}

int sys_brk_shrink(Task& current, Mm& mm, PageCount pages) {
  current.enter(Phase::brk);
  current.work(current.kernel().costs.system_call);
  mmap_write_lock(current, mm);
  const PageIndex end = mm.brk;
  const PageIndex start = end - pages;
  int result = start < kStartBrk ? -ENOMEM : 0;
  if (result == 0 && pages > PageCount(0)) {
    result = do_munmap(current, mm, start, end, munmap_downgrades(current));
    if (result >= 0) mm.brk = start;  // under read mode, too: another brk would need write mode
  }
  return unlock_after_munmap(current, mm, result);
}

int expand_stack(Task& current, Mm& mm, const VmaPointer& vma, PageIndex address) {
  assert(mm.mmap_sem.held_by(current, LockMode::read) || mm.mmap_sem.held_by(current, LockMode::write));
  assert(vma->flags.growsdown);
  current.settle();
  const PageIndex start = vma->start;
  if (address >= start) return 0;  // another fault was faster
  if (const int error = acct_stack_growth(mm, *vma, start - address)) return error;
  mm.anon_vma_prepare(*vma);
  mm.extend_vma(vma, address, vma->end);
  if (vma->flags.locked) populate_vma_pages_range(current, mm, *vma, address, start, IoWait::under_lock);
  return 0;
}

int stack_fault(Task& current, Mm& mm, PageCount pages) {
  current.enter(Phase::stack);
  const VmaPointer stack = mm.find_vma(kStackTop - PageCount(1));
  if (stack == nullptr) return -EFAULT;
  return do_user_addr_fault(current, mm, stack->start - pages, Backing::region);
}

}  // namespace models
