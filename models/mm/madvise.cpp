#include "models/mm/madvise.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm/gup.h"
#include "models/mm/khugepaged.h"
#include "models/mm/memory.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/pagewalk.h"
#include "models/mm/rmap.h"
#include "models/mm/shmem.h"
#include "models/mm/tlb.h"
#include "models/mm/vma_modify.h"
#include "models/mm/vmscan.h"
#include "models/task.h"

namespace models {

namespace {

// mmap_sem or the lock of `vma` must be held, in either mode.
int madvise_dontneed(Task& current, Mm& mm, const Vma& vma, PageIndex start, PageIndex end, Advice advice) {
  assert(vma.start <= start && end <= vma.end);
  if ((vma.flags.locked && advice != Advice::dontneed_locked) || vma.flags.hugetlb || vma.flags.io_pfnmap)
    return -EINVAL;
  const Costs& costs = current.kernel().costs;
  PageStep step = zap_step(costs);
  step.more_cost = costs.dontneed_page;
  if (walk_page_range(current, mm, start, end, step) > PageCount(0)) tlb_finish_mmu(current, mm);
  return 0;
}

// can_madv_lru_vma.
bool can_madv_lru_vma(const Vma& vma) { return !vma.flags.locked && !vma.flags.hugetlb && !vma.flags.io_pfnmap; }

// madvise_free and madvise_cold. mmap_sem must be held for read.
int madvise_deactivate(Task& current, Mm& mm, const Vma& vma, PageIndex start, PageIndex end, Fate fate) {
  Kernel& kernel = current.kernel();
  if (!can_madv_lru_vma(vma)) return -EINVAL;
  const bool frees = fate == Fate::lazy_free;
  if (frees && is_in_page_cache(kernel, mm, start)) return -EINVAL;
  mm.has_lazy_free = mm.has_lazy_free || frees;
  for_each_table(start, end, [&](PageIndex from, PageIndex to) {
    current.cond_resched();
    const PageCount resident = mm.page_table.entries(from, to, PageState::resident);
    current.work_for_each(resident, kernel.costs.scan_page, Purpose::pages);
    current.settle();
    deactivate_pages(kernel, mm, from, to, fate);
    if (!frees) return;
    for (const PageState swap : {PageState::swapped, PageState::cached}) {
      change_pages(kernel, mm, from, to, swap, PageState::absent);
    }
  });
  return 0;
}

// mmap_sem must be held for read.
int madvise_pageout(Task& current, Mm& mm, const Vma& vma, PageIndex start, PageIndex end) {
  if (!can_madv_lru_vma(vma)) return -EINVAL;
  for_each_table(start, end, [&](PageIndex from, PageIndex to) {
    current.cond_resched();
    reclaim_pages(current, mm, from, to);
  });
  return 0;
}

// mmap_sem must be held for read. It is given up meanwhile, so `vma` may be gone on return.
int madvise_willneed(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  if (!is_file_backed(current.kernel(), mm, start)) return -EBADF;
  mm.mmap_sem.up_read(current);
  force_page_cache_readahead(current, mm, start, end);
  mm.mmap_sem.down_read(current);
  return 0;
}

// mmap_sem must be held for read. It is given up meanwhile, so `vma` may be gone on return.
int madvise_remove(Task& current, Mm& mm, const Vma& vma, PageIndex start, PageIndex end) {
  const Kernel& kernel = current.kernel();
  if (vma.flags.locked || !is_in_page_cache(kernel, mm, start)) return -EINVAL;
  if (!vma.flags.shared) return -EACCES;
  if (!is_shmem(kernel, mm, start)) return -EOPNOTSUPP;  // the file systems that can are not modelled
  mm.mmap_sem.up_read(current);
  shmem_punch_hole(current, mm, start, end);
  mm.mmap_sem.down_read(current);
  return 0;
}

VmFlags flags_after(VmFlags flags, Advice advice, Thp thp) {
  switch (advice) {
    case Advice::normal:
      flags.read_ahead = ReadAhead::normal;
      break;
    case Advice::random:
      flags.read_ahead = ReadAhead::random;
      break;
    case Advice::sequential:
      flags.read_ahead = ReadAhead::sequential;
      break;
    case Advice::dontfork:
      flags.dontfork = true;
      break;
    case Advice::dofork:
      flags.dontfork = false;
      break;
    case Advice::hugepage:
      flags.hugepage = true;
      flags.folio_order = thp == Thp::never ? 0 : kPmdOrder;
      break;
    case Advice::nohugepage:
      flags.hugepage = false;
      flags.folio_order = 0;
      break;
    default:
      assert(false && "changes no flags");
  }
  return flags;
}

// `vma` is left at the VMA that then covers the range. mmap_sem must be held for write.
int madvise_update_vma(Task& current, Mm& mm, VmaPointer& vma, PageIndex start, PageIndex end, Advice advice) {
  if (advice == Advice::dofork && vma->flags.io_pfnmap) return -EINVAL;
  const bool of_thp = advice == Advice::hugepage || advice == Advice::nohugepage;
  if (of_thp && (vma->flags.is_special() || vma->flags.io_pfnmap)) return -EINVAL;  // VM_NO_KHUGEPAGED
  const int error = vma_modify(current, mm, vma, start, end, flags_after(vma->flags, advice, current.kernel().thp));
  return error == -ENOMEM ? -EAGAIN : error;
}

// `vma` is left at the VMA to go on from. mmap_sem must be held, in the advice's mode.
int madvise_vma_behavior(Task& current, Mm& mm, VmaPointer& vma, PageIndex start, PageIndex end, Advice advice) {
  if (madvise_need_mmap_write(advice)) return madvise_update_vma(current, mm, vma, start, end, advice);
  if (advice == Advice::willneed) return madvise_willneed(current, mm, start, end);
  if (advice == Advice::free) return madvise_deactivate(current, mm, *vma, start, end, Fate::lazy_free);
  if (advice == Advice::cold) return madvise_deactivate(current, mm, *vma, start, end, Fate::cold);
  if (advice == Advice::pageout) return madvise_pageout(current, mm, *vma, start, end);
  if (advice == Advice::remove) return madvise_remove(current, mm, *vma, start, end);
  return madvise_dontneed(current, mm, *vma, start, end, advice);
}

// mmap_sem must be held, in the advice's mode.
int madvise_walk_vmas(Task& current, Mm& mm, PageIndex start, PageIndex end, Advice advice) {
  int unmapped_error = 0;
  current.settle();
  for (VmaPointer vma = mm.find_vma(start); start < end; vma = mm.find_vma(start)) {
    if (vma == nullptr) return -ENOMEM;
    if (start < vma->start) {
      unmapped_error = -ENOMEM;
      start = vma->start;
      if (start >= end) break;
    }
    const PageIndex tmp = std::min(vma->end, end);
    if (const int error = madvise_vma_behavior(current, mm, vma, start, tmp, advice)) return error;
    start = std::max(tmp, vma->end);
    current.settle();
  }
  return unmapped_error;
}

// try_vma_read_lock, and the zap. Returns false if the range needs mmap_sem: it is in no VMA or more than one, or that
// VMA is being changed.
bool zap_under_vma_lock(Task& current, Mm& mm, PageIndex start, PageIndex end, Advice advice, int& error) {
  current.settle();
  const VmaPointer vma = mm.find_vma(start);
  if (vma == nullptr || vma->start > start || vma->end < end || !vma_start_read(current, mm, *vma)) return false;
  current.work(current.kernel().costs.madvise, KernelPath::madvise);
  error = madvise_dontneed(current, mm, *vma, start, end, advice);
  vma_end_read(current, *vma);
  return true;
}

// faultin_vma_page_range: the pages of `vma` from `start` on, up to `end` or the first that must be read with mmap_sem
// given up.
PageIndex faultin_vma_page_range(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end, Access access) {
  const IoWait io = current.kernel().policy.retry_on_io ? IoWait::retry : IoWait::under_lock;
  for (PageIndex page = start; page < end;) {
    const PageIndex stop = end_of_gup_batch(vma, page, end);
    const PageIndex reached = get_user_pages(current, mm, vma, page, stop, io, access);
    if (reached < stop) return reached;
    page = stop;
  }
  return end;
}

bool may_be_populated(const Kernel& kernel, const Mm& mm, const Vma& vma, Advice advice) {
  const bool writable = !vma.flags.readonly && (vma.flags.shared || !is_file_backed(kernel, mm, vma.start));
  return !vma.flags.io_pfnmap && (advice == Advice::populate_read || writable);
}

// mmap_sem must be held for read; it is on return, but may have been given up in between.
int madvise_populate(Task& current, Mm& mm, PageIndex start, PageIndex end, Advice advice) {
  const Access access = advice == Advice::populate_write ? Access::write : Access::read;
  for (PageIndex page = start; page < end;) {
    current.settle();
    const VmaPointer vma = mm.find_vma(page);
    if (vma == nullptr || vma->start > page) return -ENOMEM;
    if (!may_be_populated(current.kernel(), mm, *vma, advice)) return -EINVAL;
    const PageIndex stop = std::min(vma->end, end);
    page = faultin_vma_page_range(current, mm, *vma, page, stop, access);
    if (page < stop) wait_without_mmap_sem(current, mm, *vma, page);
  }
  return 0;
}

// mmap_sem must be held, in the advice's mode.
int do_madvise(Task& current, Mm& mm, PageIndex start, PageIndex end, Advice advice) {
  current.work(current.kernel().costs.madvise, KernelPath::madvise);
  if (advice == Advice::collapse) return madvise_collapse(current, mm, start, end);
  const bool populates = advice == Advice::populate_read || advice == Advice::populate_write;
  return populates ? madvise_populate(current, mm, start, end, advice)
                   : madvise_walk_vmas(current, mm, start, end, advice);
}

}  // namespace

int sys_madvise(Task& current, Mm& mm, PageIndex start, PageCount pages, Advice advice) {
  current.enter(Phase::madvise);
  current.work(current.kernel().costs.system_call);
  if (pages == PageCount(0)) return 0;
  const PageIndex end = start + pages;
  int error = 0;
  if (madvise_need_mmap_write(advice)) {
    mmap_write_lock(current, mm);
    error = do_madvise(current, mm, start, end, advice);
    mmap_write_unlock(current, mm);
    return error;
  }
  const bool zaps = advice == Advice::dontneed || advice == Advice::dontneed_locked;
  const bool under_vma_lock = zaps && current.kernel().policy.zap_under_vma_lock;
  if (under_vma_lock && zap_under_vma_lock(current, mm, start, end, advice, error)) return error;
  mm.mmap_sem.down_read(current);
  error = do_madvise(current, mm, start, end, advice);
  mm.mmap_sem.up_read(current);
  return error;
}

}  // namespace models
