#include "models/mm/mempolicy.h"

#include <cassert>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm/gup.h"
#include "models/mm/mm.h"
#include "models/task.h"

namespace models {

namespace {

// vma_lookup. mmap_sem must be held for read.
VmaPointer vma_at(Task& current, const Mm& mm, PageIndex page) {
  assert(mm.mmap_sem.held_by(current, LockMode::read));
  current.settle();
  const VmaPointer vma = mm.find_vma(page);
  return vma != nullptr && vma->start <= page ? vma : nullptr;
}

// Makes `page` present, to see where it is. mmap_sem must be held for read; it is on return, but may have been given up
// in between.
int lookup_node(Task& current, Mm& mm, PageIndex page) {
  IoWait io = current.kernel().policy.retry_on_io ? IoWait::retry : IoWait::under_lock;
  for (;; io = IoWait::under_lock) {  // FAULT_FLAG_TRIED: once
    const VmaPointer vma = vma_at(current, mm, page);
    if (vma == nullptr || vma->flags.io_pfnmap) return -EFAULT;
    const PageIndex next = page + PageCount(1);
    if (get_user_pages(current, mm, *vma, page, next, io) == next) return 0;
    wait_without_mmap_sem(current, mm, *vma, page);
  }
}

// The same since mmap_sem is given up first: gup_fast finds a page that is there without it.
int lookup_node_unlocked(Task& current, Mm& mm, PageIndex page) {
  current.settle();
  if (is_present(mm.page_table.run_at(page, page + PageCount(1)).state)) {
    current.work(current.kernel().costs.gup_present);
    return 0;
  }
  mm.mmap_sem.down_read(current);
  const int error = lookup_node(current, mm, page);
  mm.mmap_sem.up_read(current);
  return error;
}

}  // namespace

int sys_get_mempolicy(Task& current, Mm& mm, PageIndex page, MempolicyFlags flags) {
  current.enter(Phase::mempolicy);
  current.work(current.kernel().costs.system_call);
  mm.mmap_sem.down_read(current);
  current.work(current.kernel().costs.get_mempolicy, KernelPath::get_mempolicy);
  int error = vma_at(current, mm, page) == nullptr ? -EFAULT : 0;
  const bool node = error == 0 && flags == MempolicyFlags::addr_and_node;
  const bool under_lock = current.kernel().policy.mempolicy_holds_lock;
  if (node && under_lock) error = lookup_node(current, mm, page);
  mm.mmap_sem.up_read(current);
  return node && !under_lock ? lookup_node_unlocked(current, mm, page) : error;
}

}  // namespace models
