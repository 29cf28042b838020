#include "models/fork.h"

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/pagewalk.h"
#include "models/task.h"

namespace models {

namespace {

void copy_page_range(Task& current, const Mm& parent, const Vma& vma) {
  const Costs& costs = current.kernel().costs;
  look_at_page_range(current, parent, vma.start, vma.end, {.present = costs.fork_page, .huge = costs.fork_huge});
}

void dup_mmap(Task& current, Mm& parent) {
  mmap_write_lock(current, parent);
  for (VmaPointer vma = parent.find_vma(PageIndex(0)); vma != nullptr; vma = parent.next(*vma)) {
    vma_start_write(current, parent, *vma);
    if (vma->flags.dontfork) continue;
    current.work(current.kernel().costs.fork_vma);
    copy_page_range(current, parent, *vma);
  }
  mmap_write_unlock(current, parent);
}

}  // namespace

int sys_fork(Task& current, Mm& parent) {
  current.enter(Phase::fork);
  current.work(current.kernel().costs.system_call);
  dup_mmap(current, parent);
  return 0;
}

}  // namespace models
