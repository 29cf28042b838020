#include "models/mm/khugepaged.h"

#include <cerrno>

#include "models/kernel.h"
#include "models/mm/huge_memory.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

constexpr Folio kHugePage = folio_of(kPmdOrder);

struct HugeRange {
  PageIndex start;
  PageIndex end;
};

// hugepage_vma_revalidate.
VmaPointer vma_around(const Kernel& kernel, const Mm& mm, const HugeRange& range) {
  const VmaPointer vma = mm.find_vma(range.start);
  const bool around = vma != nullptr && vma->start <= range.start && range.end <= vma->end;
  const bool anonymous =
      around && !vma->flags.is_special() && !vma->flags.io_pfnmap && !is_in_page_cache(kernel, mm, range.start);
  return anonymous ? vma : nullptr;
}

bool is_huge(const Mm& mm, const HugeRange& range) {
  return mm.page_table.folios_at(range.start, range.end).folio.whole;
}

bool can_collapse(const Mm& mm, const HugeRange& range) {
  bool any = false;
  for (PageIndex page = range.start; page < range.end;) {
    const PageTable::Run run = mm.page_table.run_at(page, range.end);
    if (!is_present(run.state) && run.state != PageState::absent) return false;
    any = any || is_present(run.state);
    page = run.end;
  }
  return any;
}

// __collapse_huge_page_copy.
sim::Nanoseconds cost_of(const Costs& costs, const Mm& mm, const HugeRange& range) {
  const std::int64_t absent = mm.page_table.count(range.start, range.end, PageState::absent).count();
  return costs.collapse_page * (kHugePage.pages().count() - absent) + costs.collapse_absent * absent;
}

// What the small pages held is in the folio now, which is in flight; they are free.
void replace_pages(Kernel& kernel, Mm& mm, const HugeRange& range, PageState state) {
  for (const PageState from : {PageState::resident, PageState::mlocked})
    (void)change_pages(kernel, mm, range.start, range.end, from, PageState::absent);
  (void)change_pages(kernel, mm, range.start, range.end, PageState::absent, state);
  mm.page_table.put_in_folios(range.start, range.end, kHugePage);
}

// collapse_huge_page. mmap_sem must not be held.
int collapse_huge_page(Task& current, Mm& mm, const HugeRange& range) {
  Kernel& kernel = current.kernel();
  if (!alloc_charge_folio(current, mm, kHugePage.pages(), FolioReclaim::direct)) return -ENOMEM;
  mmap_write_lock(current, mm);
  current.settle();
  const VmaPointer vma = vma_around(kernel, mm, range);
  if (vma != nullptr) vma_start_write(current, mm, *vma);
  current.settle();
  const bool collapses = vma != nullptr && !is_huge(mm, range) && can_collapse(mm, range);
  if (collapses) {
    current.work_on_pages(cost_of(kernel.costs, mm, range));
    current.settle();
  }
  // Reclaim may have taken pages meanwhile: the kernel has isolated them from it.
  if (collapses && can_collapse(mm, range)) {
    replace_pages(kernel, mm, range, vma->flags.locked ? PageState::mlocked : PageState::resident);
  } else {
    free_charged_pages(kernel, mm, kHugePage.pages(), current.now());
  }
  mmap_write_unlock(current, mm);
  return collapses ? 0 : -EINVAL;
}

// hpage_collapse_scan_pmd, and the collapse. mmap_sem must be held for read; it is on return.
int collapse_range(Task& current, Mm& mm, const HugeRange& range) {
  current.cond_resched();
  const Kernel& kernel = current.kernel();
  if (vma_around(kernel, mm, range) == nullptr) return -EINVAL;
  if (is_huge(mm, range)) return 0;
  current.work(kernel.costs.batched_pte * kHugePage.pages().count());
  current.settle();
  if (!can_collapse(mm, range)) return -EINVAL;
  mm.mmap_sem.up_read(current);
  const int error = collapse_huge_page(current, mm, range);
  mm.mmap_sem.down_read(current);
  return error;
}

}  // namespace

int madvise_collapse(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  int first_error = 0;
  PageIndex next = kHugePage.first_from(start);
  for (; next + kHugePage.pages() <= end; next = next + kHugePage.pages()) {
    const int error = collapse_range(current, mm, {next, next + kHugePage.pages()});
    if (first_error == 0) first_error = error;
  }
  return first_error;
}

}  // namespace models
