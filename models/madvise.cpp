#include "models/madvise.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm.h"
#include "models/pagewalk.h"
#include "models/task.h"

namespace models {

namespace {

// mmap_sem must be held, in either mode.
int madvise_dontneed(Task& current, Mm& mm, const Vma& vma, PageIndex start, PageIndex end) {
  assert(vma.start <= start && end <= vma.end);
  if (vma.flags.locked || vma.flags.hugetlb || vma.flags.io_pfnmap) return -EINVAL;
  const Costs& costs = current.kernel().costs;
  walk_page_range(current, mm, start, end, {PageState::absent, &costs.zap_page, &costs.munlock_page});
  return 0;
}

// sys_madvise's loop. mmap_sem must be held for read.
int do_madvise(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  assert(mm.mmap_sem.held_by(current, LockMode::read));
  current.work(current.kernel().costs.madvise, Purpose::calls);
  current.settle();
  int unmapped_error = 0;
  VmaPointer vma = mm.find_vma(start);
  while (start < end) {
    if (vma == nullptr) return -ENOMEM;
    if (start < vma->start) {
      unmapped_error = -ENOMEM;
      start = vma->start;
      if (start >= end) break;
    }
    const PageIndex tmp = std::min(vma->end, end);
    if (const int error = madvise_dontneed(current, mm, *vma, start, tmp)) return error;
    start = tmp;
    vma = mm.next(*vma);
  }
  return unmapped_error;
}

}  // namespace

int sys_madvise_dontneed(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  current.enter(Phase::madvise);
  current.work(current.kernel().costs.system_call);
  if (pages == PageCount(0)) return 0;
  mm.mmap_sem.down_read(current);
  const int error = do_madvise(current, mm, start, start + pages);
  mm.mmap_sem.up_read(current);
  return error;
}

}  // namespace models
