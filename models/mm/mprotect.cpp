#include "models/mm/mprotect.h"

#include <algorithm>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/numa_balancing.h"
#include "models/mm/pagewalk.h"
#include "models/mm/tlb.h"
#include "models/mm/vma_modify.h"
#include "models/task.h"

namespace models {

PageCount change_protection(Task& current, const Mm& mm, PageIndex start, PageIndex end) {
  const sim::Nanoseconds cost = current.kernel().costs.mprotect_page;  // an entry, whatever it maps
  return look_at_page_range(current, mm, start, end, {.present = cost, .huge = cost});
}

namespace {

// Private memory that is locked is to have no major faults, also once it can be written.
bool is_populated(const Policy& policy, const VmFlags& oldflags, const VmFlags& newflags) {
  return policy.mprotect_populates_locked && oldflags.locked && !oldflags.lock_on_fault && !oldflags.shared &&
         oldflags.readonly && !newflags.readonly;
}

// sys_mprotect's loop. Adds up in `changed` the entries for which TLBs have to be flushed. mmap_sem must be held for
// write.
int do_mprotect(Task& current, Mm& mm, PageIndex start, PageIndex end, bool readonly, PageCount& changed) {
  current.settle();
  VmaPointer vma = mm.find_vma(start);
  if (vma == nullptr || vma->start > start) {
    current.work(current.kernel().costs.mprotect, KernelPath::mprotect);
    return -ENOMEM;
  }
  for (PageIndex nstart = start;;) {
    const VmFlags oldflags = vma->flags;
    VmFlags newflags = oldflags;
    newflags.readonly = readonly;
    const PageIndex tmp = std::min(vma->end, end);
    const bool other = newflags != oldflags;
    const int error = vma_modify(current, mm, vma, nstart, tmp, newflags);
    if (nstart == start) current.work(current.kernel().costs.mprotect, KernelPath::mprotect);
    if (error != 0) return error;
    if (other) changed += change_protection(current, mm, nstart, tmp);
    if (other && mm.numa_hints != nullptr) {  // pte_modify: accessible again
      current.settle();
      mm.numa_hints->unmapped(nstart, tmp);
    }
    if (is_populated(current.kernel().policy, oldflags, newflags))
      populate_vma_pages_range(current, mm, *vma, nstart, tmp, IoWait::under_lock);
    nstart = std::max(tmp, vma->end);
    if (nstart >= end) return 0;
    vma = mm.next(*vma);
    if (vma == nullptr || vma->start != nstart) return -ENOMEM;
  }
}

}  // namespace

int sys_mprotect(Task& current, Mm& mm, PageIndex start, PageCount pages, bool readonly) {
  current.enter(Phase::mprotect);
  current.work(current.kernel().costs.system_call);
  if (pages == PageCount(0)) return 0;
  mmap_write_lock(current, mm);
  PageCount changed;
  const int error = do_mprotect(current, mm, start, start + pages, readonly, changed);
  if (changed > PageCount(0)) flush_tlb_mm(current, mm);
  mmap_write_unlock(current, mm);
  return error;
}

}  // namespace models
