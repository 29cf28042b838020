#include "models/mm/ksm.h"

#include <algorithm>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

// vma_ksm_compatible, of anonymous memory.
bool is_mergeable(const Kernel& kernel, const Mm& mm, const Vma& vma) {
  const VmFlags& flags = vma.flags;
  return !flags.shared && !flags.io_pfnmap && !flags.is_special() && !is_in_page_cache(kernel, mm, vma.start);
}

// From `address` on, which is absent, to the next page, the end of the VMA or that of the page table. Precondition:
// `current` has settled.
void pass_over_hole(Task& current, const PageTable::Run& hole, PageIndex& address) {
  const PageIndex end = std::min(hole.end, end_of_table(address));
  if (!current.kernel().policy.ksm_jumps_holes) {
    current.work(current.kernel().costs.mincore_page * (end - address).count());
  }
  address = end;
  current.cond_resched();
  current.settle();
}

// Leaves `address` behind the next page of `vma` and returns true, or at its end.
bool next_page_of(Task& current, const Mm& mm, const Vma& vma, PageIndex& address) {
  if (vma.anon_vma == nullptr) address = vma.end;
  while (address < vma.end) {
    const PageTable::Run run = mm.page_table.run_at(address, vma.end);
    if (is_present(run.state)) {
      current.work_on_pages(current.kernel().costs.gup_present);
      address = address + PageCount(1);
      return true;
    }
    pass_over_hole(current, run, address);
  }
  return false;
}

// Returns false at the end of the address space, and is back at its beginning.
bool scan_get_next_rmap_item(Task& current, Mm& mm, PageIndex& address) {
  mm.mmap_sem.down_read(current);
  current.settle();
  bool found = false;
  for (VmaPointer vma = mm.find_vma(address); vma != nullptr && !found; vma = mm.next(*vma)) {
    if (!is_mergeable(current.kernel(), mm, *vma)) continue;
    address = std::max(address, vma->start);
    found = next_page_of(current, mm, *vma, address);
  }
  if (!found) address = {};
  mm.mmap_sem.up_read(current);
  return found;
}

}  // namespace

void ksm_do_scan(Task& current, Mm& mm, const KsmSpec& settings, PageIndex& address) {
  current.enter(Phase::ksm);
  for (PageCount left = settings.pages_to_scan; left > PageCount(0); left -= PageCount(1)) {
    current.cond_resched();
    if (mm.exiting) break;  // ksm_test_exit
    if (!scan_get_next_rmap_item(current, mm, address)) break;
    current.work(settings.page, Purpose::demand);
  }
  current.enter(Phase::user);
}

}  // namespace models
