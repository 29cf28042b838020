#include "models/mm/khugepaged.h"

#include <algorithm>
#include <cerrno>
#include <utility>

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

bool is_anonymous(const Kernel& kernel, const Mm& mm, const Vma& vma) {
  return !vma.flags.is_special() && !vma.flags.io_pfnmap && !is_in_page_cache(kernel, mm, vma.start);
}

// hugepage_vma_revalidate.
VmaPointer vma_around(const Kernel& kernel, const Mm& mm, const HugeRange& range) {
  const VmaPointer vma = mm.find_vma(range.start);
  const bool around = vma != nullptr && vma->start <= range.start && range.end <= vma->end;
  return around && is_anonymous(kernel, mm, *vma) ? vma : nullptr;
}

bool is_huge(const Mm& mm, const HugeRange& range) {
  return mm.page_table.folios_at(range.start, range.end).folio.whole;
}

bool can_collapse(const Mm& mm, const HugeRange& range, PageCount most_absent) {
  PageCount present;
  for (PageIndex page = range.start; page < range.end;) {
    const PageTable::Run run = mm.page_table.run_at(page, range.end);
    if (!is_present(run.state) && run.state != PageState::absent) return false;
    if (is_present(run.state)) present += run.end - page;
    page = run.end;
  }
  return present > PageCount(0) && kHugePage.pages() - present <= most_absent;
}

// What is absent of an area of userfaultfd is its monitor's to fill in.
PageCount most_absent_in(const Vma& vma, PageCount most_absent) {
  return vma.flags.userfaultfd != 0 ? PageCount(0) : most_absent;
}

// MADV_COLLAPSE asks for it whatever there is.
constexpr PageCount kAnyAbsent = kHugePage.pages();

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
int collapse_huge_page(Task& current, Mm& mm, const HugeRange& range, PageCount most_absent) {
  Kernel& kernel = current.kernel();
  if (!alloc_charge_folio(current, mm, kHugePage.pages(), FolioReclaim::direct)) return -ENOMEM;
  mmap_write_lock(current, mm);
  current.settle();
  const VmaPointer vma = vma_around(kernel, mm, range);
  if (vma != nullptr) vma_start_write(current, mm, *vma);
  current.settle();
  const bool collapses =
      vma != nullptr && !is_huge(mm, range) && can_collapse(mm, range, most_absent_in(*vma, most_absent));
  if (collapses) {
    current.work_on_pages(cost_of(kernel.costs, mm, range));
    current.settle();
  }
  // Reclaim may have taken pages meanwhile: the kernel has isolated them from it.
  if (collapses && can_collapse(mm, range, kAnyAbsent)) {
    replace_pages(kernel, mm, range, vma->flags.locked ? PageState::mlocked : PageState::resident);
  } else {
    free_charged_pages(kernel, mm, kHugePage.pages(), current.now());
  }
  mmap_write_unlock(current, mm);
  return collapses ? 0 : -EINVAL;
}

enum class Scan { failed, huge, succeeded };

// hpage_collapse_scan_pmd. mmap_sem must be held for read.
Scan scan_pmd(Task& current, const Mm& mm, const HugeRange& range, PageCount most_absent) {
  const Kernel& kernel = current.kernel();
  const VmaPointer vma = vma_around(kernel, mm, range);
  if (vma == nullptr) return Scan::failed;
  if (is_huge(mm, range)) return Scan::huge;
  current.work(kernel.costs.batched_pte * kHugePage.pages().count());
  current.settle();
  return can_collapse(mm, range, most_absent_in(*vma, most_absent)) ? Scan::succeeded : Scan::failed;
}

// mmap_sem must be held for read; it is on return.
int collapse_range(Task& current, Mm& mm, const HugeRange& range) {
  current.cond_resched();
  const Scan found = scan_pmd(current, mm, range, kAnyAbsent);
  if (found != Scan::succeeded) return found == Scan::huge ? 0 : -EINVAL;
  mm.mmap_sem.up_read(current);
  const int error = collapse_huge_page(current, mm, range, kAnyAbsent);
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

namespace {

// thp_vma_allowable_order.
bool may_be_huge(const Kernel& kernel, const Mm& mm, const Vma& vma) {
  return vma.flags.folio_order == kPmdOrder && is_anonymous(kernel, mm, vma);
}

// khugepaged's way through the address space, with mmap_sem held for read.
class MmSlot {
 public:
  MmSlot(Task& current, Mm& mm, const KhugepagedSpec& settings, KhugepagedScan& scan)
      : current_(current), mm_(mm), settings_(settings), scan_(scan) {}

  // khugepaged_scan_mm_slot: up to `pages`, or until it has given mmap_sem up to collapse. Returns how far it has come.
  PageCount scan(PageCount pages) {
    scan_.under_way = true;
    error_ = 0;
    if (!mm_.mmap_sem.down_read_trylock(current_)) {
      scan_ = {};
      return PageCount(0);
    }
    current_.settle();
    PageCount progress{1};
    for (VmaPointer vma = mm_.find_vma(scan_.address); vma != nullptr; vma = mm_.next(*vma)) {
      current_.cond_resched();
      if (scan_vma(*vma, pages, progress)) return progress;
    }
    scan_ = {};
    mm_.mmap_sem.up_read(current_);
    return progress;
  }

  // Of the collapse that it ended with, if any.
  [[nodiscard]] int error() const { return error_; }

 private:
  // Returns whether it has given mmap_sem up.
  bool scan_vma(const Vma& vma, PageCount pages, PageCount& progress) {
    const PageIndex end = kHugePage.start(vma.end);
    scan_.address = std::max(scan_.address, kHugePage.first_from(vma.start));
    if (!may_be_huge(current_.kernel(), mm_, vma) || end <= scan_.address) {
      progress += PageCount(1);
      return false;
    }
    while (scan_.address < end) {
      current_.cond_resched();
      const HugeRange range{scan_.address, scan_.address + kHugePage.pages()};
      const Scan found = scan_pmd(current_, mm_, range, settings_.max_ptes_none);
      scan_.address = range.end;
      progress += kHugePage.pages();
      if (found != Scan::succeeded && progress < pages) continue;
      mm_.mmap_sem.up_read(current_);
      if (found == Scan::succeeded) error_ = collapse_huge_page(current_, mm_, range, settings_.max_ptes_none);
      return true;
    }
    return false;
  }

  Task& current_;
  Mm& mm_;
  const KhugepagedSpec& settings_;
  KhugepagedScan& scan_;
  int error_ = 0;
};

}  // namespace

void khugepaged_do_scan(Task& current, Mm& mm, const KhugepagedSpec& settings, KhugepagedScan& scan) {
  current.enter(Phase::khugepaged);
  MmSlot slot(current, mm, settings, scan);
  bool waits = true;  // for memory, once in a turn
  PageCount progress;
  for (int begun = 0; progress < settings.pages_to_scan;) {
    current.cond_resched();
    begun += scan.under_way ? 0 : 1;
    if (begun == 2) break;  // it has come round
    progress += slot.scan(settings.pages_to_scan - progress);
    if (slot.error() != -ENOMEM) continue;
    if (!std::exchange(waits, false)) break;
    current.sleep_until(current.settle() + kKhugepagedAllocSleep);
  }
  current.enter(Phase::user);
}

}  // namespace models
