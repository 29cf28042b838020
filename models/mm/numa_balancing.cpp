#include "models/mm/numa_balancing.h"

#include <algorithm>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/mprotect.h"
#include "models/mm/rmap.h"
#include "models/mm/tlb.h"
#include "models/task.h"

namespace models {

namespace {

// vma_migratable, but for what is mapped of a file to be read: programs and libraries, which all nodes share.
bool is_scanned(const Kernel& kernel, const Mm& mm, const Vma& vma) {
  const bool shared_file = is_file_backed(kernel, mm, vma.start) && !vma.flags.shared;
  return !vma.flags.io_pfnmap && !vma.flags.is_special() && !shared_file;
}

// change_prot_numa. Returns whether there was anything to change.
bool change_prot_numa(Task& current, const Mm& mm, PageIndex start, PageIndex end) {
  if (change_protection(current, mm, start, end) == PageCount(0)) return false;
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
PageIndex scan_vma(Task& current, const Mm& mm, const Vma& vma, PageIndex start, Left& left) {
  constexpr Folio kHugePage = folio_of(kPmdOrder);
  while (start < vma.end && left.any()) {
    const PageIndex end = std::min(vma.end, kHugePage.first_from(start + left.pages));
    if (change_prot_numa(current, mm, start, end)) left.pages -= end - start;
    left.addresses -= end - start;
    start = end;
    current.cond_resched();
  }
  return start;
}

// With mmap_sem held for read. Returns where the next scan begins.
PageIndex scan(Task& current, const Mm& mm, PageCount scan_size, PageIndex offset) {
  constexpr int kAddressesForEach = 8;
  Left left{scan_size, PageCount(scan_size.count() * kAddressesForEach)};
  VmaPointer vma = mm.find_vma(offset);
  if (vma == nullptr) {  // reset_ptenuma_scan
    offset = {};
    vma = mm.find_vma(offset);
  }
  for (; vma != nullptr; vma = mm.next(*vma)) {
    if (!is_scanned(current.kernel(), mm, *vma)) continue;
    const PageIndex end = scan_vma(current, mm, *vma, std::max(offset, vma->start), left);
    if (!left.any()) return end;
  }
  return {};
}

}  // namespace

void task_numa_work(Task& current, Mm& mm, PageCount scan_size, PageIndex& offset) {
  current.enter(Phase::numa_balancing);
  if (mm.mmap_sem.down_read_trylock(current)) {
    current.settle();
    offset = scan(current, mm, scan_size, offset);
    mm.mmap_sem.up_read(current);
  }
  current.enter(Phase::user);
}

}  // namespace models
