#include "models/mm/pin.h"

#include <algorithm>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm/gup.h"
#include "models/mm/memory.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/task.h"

namespace models {

namespace {

using By = PinnerSpec::By;

// PAGE_SIZE / sizeof(struct page *): the pages that a page of pointers names.
constexpr PageCount kPagesPerBatch{512};

PageCount batch_of(By by, PageCount pages) { return by == By::io_uring ? pages : std::min(pages, kPagesPerBatch); }

bool is_fast(Task& current, By by) {
  if (by == By::io_uring) return current.kernel().policy.fault == FaultLock::per_vma;
  return by == By::rdma;
}

// gup_fast: the pages from `start` on that are there, found without a lock. Returns where they end.
PageIndex gup_fast(Task& current, const Mm& mm, PageIndex start, PageIndex end) {
  for (PageIndex page = start; page < end;) {
    current.settle();
    const PageTable::Run run = mm.page_table.run_at(page, std::min(end, page + kPagesPerBatch));
    if (!is_present(run.state)) return page;
    pass_over(current, mm, page, run.end);
    page = run.end;
  }
  return end;
}

// __get_user_pages, with mmap_sem held for read; it is on return, but may have been given up in between.
int gup_under_read(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  const IoWait io = current.kernel().policy.retry_on_io ? IoWait::retry : IoWait::under_lock;
  for (PageIndex page = start; page < end;) {
    current.settle();
    const VmaPointer vma = mm.find_vma(page);
    if (vma == nullptr || vma->start > page || vma->flags.io_pfnmap) return -EFAULT;
    const PageIndex stop = end_of_gup_batch(*vma, page, std::min(end, vma->end));
    page = get_user_pages(current, mm, *vma, page, stop, io);
    if (page < stop) wait_without_mmap_sem(current, mm, *vma, page);
  }
  return 0;
}

int pin_batch(Task& current, Mm& mm, PageIndex start, PageIndex end, By by) {
  if (is_fast(current, by)) start = gup_fast(current, mm, start, end);
  if (start == end) return 0;
  mm.mmap_sem.down_read(current);
  current.work(current.kernel().costs.find_vma);
  const int error = gup_under_read(current, mm, start, end);
  mm.mmap_sem.up_read(current);
  return error;
}

// vfio_lock_acct.
int account_locked_vm(Task& current, Mm& mm, PageCount pages) {
  mmap_write_lock(current, mm);
  const bool within = pages < PageCount(0) || within_memlock_limit(mm, pages);
  if (within) mm.locked_vm += pages;
  mmap_write_unlock(current, mm);
  return within ? 0 : -ENOMEM;
}

}  // namespace

int pin_pages(Task& current, Mm& mm, PageIndex start, PageCount pages, PinnerSpec::By by) {
  current.enter(Phase::pin);
  current.work(current.kernel().costs.system_call);
  const PageIndex end = start + pages;
  for (PageIndex page = start; page < end;) {
    current.cond_resched();
    const PageIndex stop = page + batch_of(by, end - page);
    int error = pin_batch(current, mm, page, stop, by);
    if (error == 0 && by == By::vfio) error = account_locked_vm(current, mm, stop - page);
    if (error != 0) {
      if (page > start) unpin_pages(current, mm, start, page - start, by);
      return error;
    }
    page = stop;
  }
  return 0;
}

void unpin_pages(Task& current, Mm& mm, PageIndex start, PageCount pages, PinnerSpec::By by) {
  current.enter(Phase::pin);
  current.work(current.kernel().costs.system_call);
  pass_over(current, mm, start, start + pages);
  if (by == By::vfio) (void)account_locked_vm(current, mm, PageCount(-pages.count()));
}

}  // namespace models
