#include "models/mm/numa_balancing.h"

#include <algorithm>

#include "models/kernel.h"
#include "models/mm/cow.h"
#include "models/mm/mm.h"
#include "models/mm/mprotect.h"
#include "models/mm/page_runs.h"
#include "models/mm/rmap.h"
#include "models/mm/tlb.h"
#include "models/task.h"

namespace models {

struct NumaHints::Hidden {
  PageRuns<bool> pages;
};

NumaHints::NumaHints() : hidden_(std::make_unique<Hidden>()) {}

NumaHints::~NumaHints() = default;

void NumaHints::hide(const Mm& mm, PageIndex start, PageIndex end) {
  for (PageIndex page = start; page < end;) {
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (is_present(run.state)) hide_unshared(mm, page, run.end);
    page = run.end;
  }
}

// change_pte_range leaves pages of copy-on-write alone that have another user.
void NumaHints::hide_unshared(const Mm& mm, PageIndex start, PageIndex end) {
  if (mm.cow == nullptr) return hidden_->pages.set(start, end, true);
  for (PageIndex page = start; page < end; page = page + PageCount(1)) {
    if (!mm.cow->is_shared(page)) hidden_->pages.set(page, page + PageCount(1), true);
  }
}

NumaHints::Run NumaHints::end_of_alike(PageIndex page, PageIndex limit) const {
  const auto run = hidden_->pages.run_at(page, limit);
  return {run.value, run.end};
}

void NumaHints::touched(const Mm& mm, PageIndex page) {
  if (!is_hidden(page)) return;
  const Folio folio = mm.page_table.folios_at(page, page + PageCount(1)).folio;
  if (folio.whole) return unmapped(folio.start(page), folio.end(page));
  unmapped(page, page + PageCount(1));
}

void NumaHints::moved(PageIndex start, PageIndex end, PageIndex to) {
  for (PageIndex page = start; page < end;) {
    const auto run = hidden_->pages.run_at(page, end);
    hidden_->pages.set(to + (page - start), to + (run.end - start), run.value);
    page = run.end;
  }
  unmapped(start, end);
}

void NumaHints::unmapped(PageIndex start, PageIndex end) { hidden_->pages.set(start, end, false); }

namespace {

// vma_migratable, but for what is mapped of a file to be read: programs and libraries, which all nodes share.
bool is_scanned(const Kernel& kernel, const Mm& mm, const Vma& vma) {
  const bool shared_file = is_file_backed(kernel, mm, vma.start) && !vma.flags.shared;
  return !vma.flags.io_pfnmap && !vma.flags.is_special() && !shared_file;
}

// change_protection of what is accessible in [start, end). Returns how many pages that was.
PageCount hide_pages(Task& current, const Mm& mm, NumaHints& hints, PageIndex start, PageIndex end) {
  PageCount changed;
  for (PageIndex page = start; page < end;) {
    current.settle();
    const NumaHints::Run run = hints.end_of_alike(page, end);
    if (!run.hidden) {
      changed += change_protection(current, mm, page, run.end);
      current.settle();
      hints.hide(mm, page, run.end);
    }
    page = run.end;
  }
  return changed;
}

// change_prot_numa. Returns whether there was anything to change.
bool change_prot_numa(Task& current, const Mm& mm, PageIndex start, PageIndex end, NumaHints* hints) {
  const PageCount changed =
      hints != nullptr ? hide_pages(current, mm, *hints, start, end) : change_protection(current, mm, start, end);
  if (changed == PageCount(0)) return false;
  flush_tlb_mm(current, mm);
  return true;
}

// How much may still be changed, and how much looked at for that.
struct Left {
  PageCount pages;
  PageCount addresses;

  [[nodiscard]] bool any() const { return pages > PageCount(0) && addresses > PageCount(0); }
};

// From `start` on. Returns up to where it has come.
PageIndex scan_vma(Task& current, const Mm& mm, const Vma& vma, PageIndex start, NumaHints* hints, Left& left) {
  constexpr Folio kHugePage = folio_of(kPmdOrder);
  while (start < vma.end && left.any()) {
    const PageIndex end = std::min(vma.end, kHugePage.first_from(start + left.pages));
    if (change_prot_numa(current, mm, start, end, hints)) left.pages -= end - start;
    left.addresses -= end - start;
    start = end;
    current.cond_resched();
  }
  return start;
}

// With mmap_sem held for read. Returns where the next scan begins.
PageIndex scan(Task& current, const Mm& mm, PageCount scan_size, PageIndex offset, NumaHints* hints) {
  constexpr int kAddressesForEach = 8;
  Left left{scan_size, PageCount(scan_size.count() * kAddressesForEach)};
  VmaPointer vma = mm.find_vma(offset);
  if (vma == nullptr) {  // reset_ptenuma_scan
    offset = {};
    vma = mm.find_vma(offset);
  }
  for (; vma != nullptr; vma = mm.next(*vma)) {
    if (!is_scanned(current.kernel(), mm, *vma)) continue;
    const PageIndex end = scan_vma(current, mm, *vma, std::max(offset, vma->start), hints, left);
    if (!left.any()) return end;
  }
  return {};
}

}  // namespace

void task_numa_work(Task& current, Mm& mm, PageCount scan_size, PageIndex& offset, bool hinting_faults) {
  current.enter(Phase::numa_balancing);
  if (mm.mmap_sem.down_read_trylock(current)) {
    current.settle();
    if (hinting_faults && mm.numa_hints == nullptr) mm.numa_hints = std::make_shared<NumaHints>();
    offset = scan(current, mm, scan_size, offset, hinting_faults ? mm.numa_hints.get() : nullptr);
    mm.mmap_sem.up_read(current);
  }
  current.enter(Phase::user);
}

}  // namespace models
