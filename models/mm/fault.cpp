#include "models/mm/fault.h"

#include <cerrno>

#include "models/kernel.h"
#include "models/mm/brk.h"
#include "models/mm/memory.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

void fault_in_stream(Task& current, const Mm& mm) {
  Kernel& kernel = current.kernel();
  alloc_charge_page(current, mm);
  current.work(kernel.costs.fault, KernelPath::fault);
  const sim::Time now = current.settle();
  const MemCgroup* const group = mem_cgroup_of(kernel, mm.memcg);
  const OwnerId owner = group == nullptr ? kernel.streamed : group->streamed;
  const LruRun run{.owner = owner, .clean = true, .pages = PageCount(1), .since = now};
  kernel.zone.add_to_lru(list_of_new_page(kernel, owner), run, now);
}

FaultOutcome handle_fault(Task& current, Mm& mm, Vma& vma, PageIndex page, Backing backing, IoWait io) {
  if (backing == Backing::region) return handle_mm_fault(current, mm, vma, page, io, current.kernel().costs.fault);
  fault_in_stream(current, mm);
  return FaultOutcome::done;
}

VmaPointer vma_at(const Mm& mm, PageIndex page) {
  const VmaPointer vma = mm.find_vma(page);
  return vma != nullptr && vma->start <= page ? vma : nullptr;
}

// lock_mm_and_find_vma's way to let a stack grow: mmap_sem, held for read, is given up, taken for write and downgraded.
int expand_stack_under_write(Task& current, Mm& mm, PageIndex page, VmaPointer& vma) {
  mm.mmap_sem.up_read(current);
  mmap_write_lock(current, mm);
  vma = mm.find_vma(page);
  int error = -EFAULT;  // it has gone meanwhile
  if (vma != nullptr && vma->start <= page) {
    error = 0;
  } else if (vma != nullptr && vma->flags.growsdown) {
    vma_start_write(current, mm, *vma);
    error = expand_stack(current, mm, vma, page);
  }
  mmap_write_downgrade(current, mm);
  return error;
}

// find_vma, and expand_stack where the answer is a stack that begins above. mmap_sem must be held for read.
int find_good_area(Task& current, Mm& mm, PageIndex page, VmaPointer& vma) {
  vma = mm.find_vma(page);
  if (vma == nullptr) return -EFAULT;
  if (vma->start <= page) return 0;
  if (!vma->flags.growsdown) return -EFAULT;
  return current.kernel().policy.stack_grows_under_write ? expand_stack_under_write(current, mm, page, vma)
                                                         : expand_stack(current, mm, vma, page);
}

// Its entry is one of swap, whether or not the page is in the swap cache.
bool is_swap_entry(const Mm& mm, PageIndex page) {
  const PageState state = mm.page_table.run_at(page, page + PageCount(1)).state;
  return state == PageState::swapped || state == PageState::cached;
}

enum class UnderVmaLock {
  done,
  wait_for_page,  // then again under mmap_sem, for the last time
  take_mmap_sem,  // from the beginning
};

// The fault as far as the lock of its VMA carries it.
UnderVmaLock fault_under_vma_lock(Task& current, Mm& mm, Vma& vma, PageIndex page, bool file, Backing backing,
                                  IoWait io) {
  const bool swapped = backing == Backing::region && !file && is_swap_entry(mm, page);
  const bool covers_swap = current.kernel().policy.vma_lock_covers != VmaLockCovers::anonymous;
  if (swapped && !covers_swap) return UnderVmaLock::take_mmap_sem;
  if (!file && !vmf_anon_prepare(current, mm, vma)) return UnderVmaLock::take_mmap_sem;
  const FaultOutcome outcome = handle_fault(current, mm, vma, page, backing, io);
  return outcome == FaultOutcome::done ? UnderVmaLock::done : UnderVmaLock::wait_for_page;
}

}  // namespace

int do_user_addr_fault(Task& current, Mm& mm, PageIndex page, Backing backing, FaultMode mode) {
  const VmaPointer candidate = mode == FaultMode::user ? vma_at(mm, page) : nullptr;
  IoWait io = current.kernel().policy.retry_on_io ? IoWait::retry : IoWait::under_lock;
  const bool file = backing == Backing::region && is_in_page_cache(current.kernel(), mm, page);  // !vma_is_anonymous
  if (candidate != nullptr && lock_vma_under_rcu(current, mm, *candidate, file)) {
    const UnderVmaLock outcome = fault_under_vma_lock(current, mm, *candidate, page, file, backing, io);
    vma_end_read(current, *candidate);
    if (outcome == UnderVmaLock::done) return 0;
    if (outcome == UnderVmaLock::wait_for_page) {
      wait_for_page(current, mm, *candidate, page);
      io = IoWait::under_lock;
    }
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

void do_page_fault(Task& current, Mm& mm, PageIndex page, Backing backing, FaultMode mode) {
  current.enter(Phase::fault);
  (void)do_user_addr_fault(current, mm, page, backing, mode);
  current.enter(Phase::user);
}

}  // namespace models
