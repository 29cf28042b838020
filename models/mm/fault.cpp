#include "models/mm/fault.h"

#include <cerrno>

#include "models/kernel.h"
#include "models/mm/brk.h"
#include "models/mm/memory.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/task.h"

namespace models {

namespace {

void fault_in_stream(Task& current) {
  Kernel& kernel = current.kernel();
  alloc_page(current);
  current.work(kernel.costs.fault, Purpose::fault);
  const sim::Time now = current.settle();
  const LruRun run{.owner = kernel.streamed, .clean = true, .pages = PageCount(1), .since = now};
  kernel.zone.add_to_lru(LruList::inactive_file, run, now);
}

FaultOutcome handle_fault(Task& current, Mm& mm, Vma& vma, PageIndex page, Backing backing, IoWait io) {
  if (backing == Backing::region) return handle_mm_fault(current, mm, vma, page, io, current.kernel().costs.fault);
  fault_in_stream(current);
  return FaultOutcome::done;
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
  IoWait io = current.kernel().policy.retry_on_io ? IoWait::retry : IoWait::under_lock;
  if (candidate != nullptr && lock_vma_under_rcu(current, mm, *candidate)) {
    const FaultOutcome outcome = handle_fault(current, mm, *candidate, page, backing, io);
    vma_end_read(current, *candidate);
    if (outcome == FaultOutcome::done) return 0;
    wait_for_page(current, mm, *candidate, page);
    io = IoWait::under_lock;
  }
  for (;; io = IoWait::under_lock) {  // FAULT_FLAG_TRIED: once
    mm.mmap_sem.down_read(current);
    VmaPointer vma;
    const int error = find_good_area(current, mm, page, vma);
    current.settle();
    const FaultOutcome outcome = error == 0 ? handle_fault(current, mm, *vma, page, backing, io) : FaultOutcome::done;
    mm.mmap_sem.up_read(current);
    if (outcome == FaultOutcome::done) return error;
    wait_for_page(current, mm, *vma, page);
  }
}

void do_page_fault(Task& current, Mm& mm, PageIndex page, Backing backing) {
  current.enter(Phase::fault);
  (void)do_user_addr_fault(current, mm, page, backing);
  current.enter(Phase::user);
}

}  // namespace models
