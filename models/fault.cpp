#include "models/fault.h"

#include <cerrno>

#include "models/brk.h"
#include "models/kernel.h"
#include "models/mm.h"
#include "models/mmap_lock.h"
#include "models/task.h"

namespace models {

namespace {

void fault_in_stream(Task& current) {
  Kernel& kernel = current.kernel();
  alloc_page(current);
  current.work(kernel.costs.fault, Purpose::fault);
  current.settle();
  kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::evictable, PageCount(1));
}

void fault_in_region(Task& current, Mm& mm, Vma& vma, PageIndex page) {
  Kernel& kernel = current.kernel();
  const PageIndex next = page + PageCount(1);
  current.settle();
  const bool absent = mm.page_table.run_at(page, next).state == PageState::absent;
  if (absent) alloc_page(current);
  current.work(kernel.costs.fault, Purpose::fault);
  current.settle();
  if (!absent) return;
  vma.has_anon_vma = true;
  const bool mapped = mm.page_table.change(page, next, PageState::absent, PageState::resident) == PageCount(1);
  kernel.zone.move(&ZoneCounts::in_flight, mapped ? &ZoneCounts::mapped : &ZoneCounts::free, PageCount(1));
  if (mapped && vma.flags.locked) {
    mm.page_table.set(page, next, PageState::mlocked);
    kernel.zone.move(&ZoneCounts::mapped, &ZoneCounts::unevictable, PageCount(1));
  }
}

void handle_mm_fault(Task& current, Mm& mm, Vma& vma, PageIndex page, Backing backing) {
  if (backing == Backing::streamed) {
    fault_in_stream(current);
  } else {
    fault_in_region(current, mm, vma, page);
  }
}

VmaPointer vma_at(const Mm& mm, PageIndex page) {
  const VmaPointer vma = mm.find_vma(page);
  return vma != nullptr && vma->start <= page ? vma : nullptr;
}

// find_vma, and expand_stack where the answer is a stack that begins above. mmap_sem must be held for read.
int find_good_area(Task& current, Mm& mm, PageIndex page, VmaPointer& vma) {
  vma = mm.find_vma(page);
  if (vma == nullptr) return -EFAULT;
  if (vma->start <= page) return 0;
  return vma->flags.growsdown ? expand_stack(current, mm, vma, page) : -EFAULT;
}

}  // namespace

int do_user_addr_fault(Task& current, Mm& mm, PageIndex page, Backing backing) {
  const VmaPointer candidate = vma_at(mm, page);
  if (candidate != nullptr && vma_start_read(current, mm, *candidate)) {
    handle_mm_fault(current, mm, *candidate, page, backing);
    vma_end_read(current, *candidate);
    return 0;
  }
  mm.mmap_sem.down_read(current);
  VmaPointer vma;
  const int error = find_good_area(current, mm, page, vma);
  if (error == 0) handle_mm_fault(current, mm, *vma, page, backing);
  mm.mmap_sem.up_read(current);
  return error;
}

void do_page_fault(Task& current, Mm& mm, PageIndex page, Backing backing) {
  current.enter(Phase::fault);
  (void)do_user_addr_fault(current, mm, page, backing);
  current.enter(Phase::user);
}

}  // namespace models
