#include "models/mm/mincore.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/pagewalk.h"
#include "models/task.h"

namespace models {

namespace {

// mincore_pte_range and mincore_unmapped_range, a page table at a time, of which one look is enough if one entry maps
// it. The answers themselves are nobody's business.
void walk(Task& current, const Mm& mm, PageIndex start, PageIndex end) {
  for_each_table(start, end, [&](PageIndex from, PageIndex to) {
    const bool whole = mm.page_table.folios_at(from, to).folio.whole;
    current.work_on_pages(current.kernel().costs.mincore_page * (whole ? 1 : (to - from).count()));
    current.cond_resched();
  });
}

// Looks at the pages from `start` on, at most `pages`, up to the end of the VMA. Returns how many these are, 0 if there
// is no VMA. mmap_sem must be held for read.
PageCount do_mincore(Task& current, const Mm& mm, PageIndex start, PageCount pages) {
  assert(mm.mmap_sem.held_by(current, LockMode::read));
  current.work(current.kernel().costs.find_vma);
  current.settle();
  const VmaPointer vma = mm.find_vma(start);
  if (vma == nullptr || vma->start > start) return PageCount(0);
  const PageIndex end = std::min(vma->end, start + pages);
  walk(current, mm, start, end);
  return end - start;
}

}  // namespace

int sys_mincore(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  current.enter(Phase::mincore);
  current.work(current.kernel().costs.system_call);
  for (PageIndex page = start; page < start + pages;) {
    mm.mmap_sem.down_read(current);
    const PageCount done = do_mincore(current, mm, page, std::min(start + pages - page, kMincorePagesPerHold));
    mm.mmap_sem.up_read(current);
    if (done == PageCount(0)) return -ENOMEM;
    page = page + done;
  }
  return 0;
}

}  // namespace models
