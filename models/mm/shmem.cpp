#include "models/mm/shmem.h"

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/pagewalk.h"
#include "models/mm/rmap.h"
#include "models/mm/tlb.h"
#include "models/task.h"

namespace models {

namespace {

// unmap_mapping_range.
void unmap_mapping_range(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  if (walk_page_range(current, mm, start, end, zap_step(current.kernel().costs)) > PageCount(0))
    flush_tlb_mm(current, mm);
}

// shmem_truncate_range, of a page table at most. What a fault has mapped again meanwhile stays.
void truncate_range(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  Kernel& kernel = current.kernel();
  current.cond_resched();
  const PageCount absent = mm.page_table.count(start, end, PageState::absent);
  current.work(kernel.costs.remove_page * ((end - start) - absent).count());
  current.settle();
  change_pages(kernel, mm, start, end, PageState::cached, PageState::absent);
  change_pages(kernel, mm, start, end, PageState::swapped, PageState::absent);
}

}  // namespace

sim::Nanoseconds new_shmem_page(const Costs& costs, PageState to, sim::Stream& stream) {
  return to == PageState::mlocked ? costs.shmem_page + costs.mlock_page.sample(stream) : costs.shmem_page;
}

void shmem_punch_hole(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  unmap_mapping_range(current, mm, start, end);
  for_each_table(start, end, [&](PageIndex from, PageIndex to) { truncate_range(current, mm, from, to); });
}

}  // namespace models
