#include "models/fork.h"

#include <cstdint>
#include <memory>

#include "models/kernel.h"
#include "models/mm/cow.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/pagewalk.h"
#include "models/mm/tlb.h"
#include "models/task.h"

namespace models {

namespace {

void copy_page_range(Task& current, const Mm& parent, const Vma& vma) {
  if (vma.flags.shared) return;  // vma_needs_copy: the child faults them in
  const Costs& costs = current.kernel().costs;
  look_at_page_range(current, parent, vma.start, vma.end, {.present = costs.fork_page, .huge = costs.fork_huge});
}

// A child that lives on, and for how long.
struct LivingChild {
  CowPages::Child& child;
  sim::Nanoseconds lives;
};

// Returns how many VMAs the child has. One that lives is known before anybody can write to what it shares.
std::int64_t dup_mmap(Task& current, Mm& parent, const std::optional<LivingChild>& living) {
  std::int64_t vmas = 0;
  mmap_write_lock(current, parent);
  for (VmaPointer vma = parent.find_vma(PageIndex(0)); vma != nullptr; vma = parent.next(*vma)) {
    vma_start_write(current, parent, *vma);
    if (vma->flags.dontfork) continue;
    current.work(current.kernel().costs.fork_vma);
    vm_area_alloc(current);
    ++vmas;
    copy_page_range(current, parent, *vma);
    if (!living) continue;
    current.settle();
    parent.cow->share(parent, *vma);
  }
  flush_tlb_mm(current, parent);
  if (living) CowPages::lives_until(living->child, current.settle() + living->lives, vmas);
  mmap_write_unlock(current, parent);
  return vmas;
}

}  // namespace

int sys_fork(Task& current, Mm& parent, std::optional<sim::Nanoseconds> lives) {
  Kernel& kernel = current.kernel();
  current.enter(Phase::fork);
  current.work(kernel.costs.system_call + kernel.costs.fork_process);
  std::optional<LivingChild> living;
  if (lives) {
    current.settle();  // whose last child exits until now shares nothing any more
    if (parent.cow == nullptr) parent.cow = std::make_shared<CowPages>(kernel);
    living.emplace(LivingChild{parent.cow->begin_fork(), *lives});
  }
  const std::int64_t vmas = dup_mmap(current, parent, living);
  if (lives) return 0;
  current.settle();
  vm_area_free(kernel, vmas);
  return 0;
}

int sys_vfork(Task& current) {
  const Costs& costs = current.kernel().costs;
  current.enter(Phase::fork);
  current.work(costs.system_call + costs.fork_process);
  return 0;
}

}  // namespace models
