#include "models/mmap.h"

#include <vector>

#include "models/kernel.h"
#include "models/mlock.h"
#include "models/mm.h"
#include "models/pagewalk.h"
#include "models/task.h"

namespace models {

namespace {

// Makes the borders of [start, end) borders of VMAs. mmap_sem must be held for write.
int split_at_borders(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  for (const PageIndex border : {start, end}) {
    const VmaPointer vma = mm.find_vma(border);
    if (vma == nullptr || vma->start >= border) continue;
    current.work(current.kernel().costs.vma_split);
    if (const int error = mm.split_vma(vma, border, Mm::NewVma::below)) return error;
  }
  return 0;
}

std::vector<VmaPointer> vmas_in(const Mm& mm, PageIndex start, PageIndex end) {
  std::vector<VmaPointer> vmas;
  for (VmaPointer vma = mm.find_vma(start); vma != nullptr && vma->start < end; vma = mm.next(*vma)) {
    vmas.push_back(vma);
  }
  return vmas;
}

// munlock_vma_pages_all for each locked VMA. mmap_sem must be held for write.
void munlock_vmas(Task& current, Mm& mm, const std::vector<VmaPointer>& vmas) {
  current.enter(Phase::munmap_munlock);
  for (const VmaPointer& vma : vmas) {
    if (!vma->flags.locked) continue;
    mm.locked_vm -= vma->pages();
    vma->flags.locked = false;
    munlock_vma_pages_range(current, mm, vma->start, vma->end);
  }
}

// unmap_region. mmap_sem must be held, in either mode: the VMAs are out of the map already.
void unmap_region(Task& current, Mm& mm, const std::vector<VmaPointer>& vmas) {
  current.enter(Phase::munmap_zap);
  for (const VmaPointer& vma : vmas) {
    walk_page_range(current, mm, vma->start, vma->end, PageState::absent, current.kernel().costs.zap_page);
  }
}

}  // namespace

void sys_mmap(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  const Costs& costs = current.kernel().costs;
  current.enter(Phase::mmap);
  current.work(costs.system_call);
  mm.mmap_sem.down_write(current);
  current.work(costs.mmap, Purpose::calls);
  mm.insert_vma(start, start + pages, VmFlags{});
  mm.mmap_sem.up_write(current);
}

int sys_munmap(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  const Costs& costs = current.kernel().costs;
  const PageIndex end = start + pages;
  current.enter(Phase::munmap);
  current.work(costs.system_call);
  mm.mmap_sem.down_write(current);
  current.work(costs.munmap, Purpose::calls);
  if (const int error = split_at_borders(current, mm, start, end)) {
    mm.mmap_sem.up_write(current);
    return error;
  }
  const std::vector<VmaPointer> vmas = vmas_in(mm, start, end);
  munlock_vmas(current, mm, vmas);
  for (const VmaPointer& vma : vmas) mm.detach_vma(vma);
  const bool downgrade = current.kernel().policy.munmap == HoldMode::downgrade;
  if (downgrade) mm.mmap_sem.downgrade_write(current);
  unmap_region(current, mm, vmas);
  current.enter(Phase::munmap);
  if (downgrade) {
    mm.mmap_sem.up_read(current);
  } else {
    mm.mmap_sem.up_write(current);
  }
  return 0;
}

}  // namespace models
