#include "models/mm/mmap.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "models/kernel.h"
#include "models/mm/gup.h"
#include "models/mm/huge_memory.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/pagewalk.h"
#include "models/mm/tlb.h"
#include "models/task.h"

namespace models {

namespace {

// Enters a part of munmap. Within other calls, which unmap what they replace, the call itself stays the phase.
void enter_part(Task& current, Phase part) {
  if (call_of(current.phase()) == Phase::munmap) current.enter(part);
}

bool is_free(const Mm& mm, PageIndex start, PageIndex end) {
  const VmaPointer vma = mm.find_vma(start);
  return vma == nullptr || vma->start >= end;
}

// Makes the borders of [start, end) borders of VMAs. Only a hole in a VMA is held against max_map_count: what cuts one
// off at an end takes none away in the end (__split_vma). mmap_sem must be held for write.
int split_at_borders(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  current.settle();
  const VmaPointer first = mm.find_vma(start);
  const bool hole = first != nullptr && first->start < start && end < first->end;
  if (hole && mm.map_count() >= mm.max_map_count) return -ENOMEM;
  for (const PageIndex border : {start, end}) {
    const VmaPointer vma = mm.find_vma(border);
    if (vma == nullptr || vma->start >= border) continue;
    if (!may_split(*vma, border)) return -EINVAL;
    current.settle();
    current.work(split_cost(current.kernel().costs, mm, border));
    vma_start_write(current, mm, *vma);
    vm_area_alloc(current);
    mm.split_beyond_limit(vma, border, border == start ? Mm::NewVma::above : Mm::NewVma::below);
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

// The locked VMAs' accounts and, unless the zap does it, their pages (munlock_vma_pages_all). mmap_sem must be held for
// write.
void munlock_vmas(Task& current, Mm& mm, const std::vector<VmaPointer>& vmas) {
  const bool walk = !current.kernel().policy.munlock_in_zap;
  if (walk) enter_part(current, Phase::munmap_munlock);
  for (const VmaPointer& vma : vmas) {
    if (!vma->flags.locked) continue;
    mm.locked_vm -= vma->pages();
    vma->flags.locked = false;
    if (walk) munlock_vma_pages_range(current, mm, *vma, vma->start, vma->end);
  }
}

// unmap_region. mmap_sem must be held, in either mode: the VMAs are out of the map already.
void unmap_region(Task& current, Mm& mm, const std::vector<VmaPointer>& vmas) {
  enter_part(current, Phase::munmap_zap);
  PageCount zapped;
  for (const VmaPointer& vma : vmas) {
    zapped += walk_page_range(current, mm, vma->start, vma->end, zap_step(current.kernel().costs));
  }
  if (zapped > PageCount(0)) tlb_finish_mmu(current, mm);
}

// vma_start_write and a store into the tree of what is detached, for each VMA but the first, which is part of the call.
sim::Nanoseconds detach_cost(const Costs& costs) { return costs.munmap_vma / 2; }

// Before 6.5 a stack above may grow under read mode, into what is being unmapped: then there is no downgrade.
bool may_downgrade(Task& current, const Mm& mm, PageIndex end) {
  if (!current.kernel().policy.munmap_exclusive_below_stack) return true;
  const VmaPointer next = mm.find_vma(end);
  return next == nullptr || !next->flags.growsdown;
}

}  // namespace

void remove_vmas(Task& current, std::int64_t count, std::int64_t paid_for) {
  const Costs& costs = current.kernel().costs;
  current.work((costs.munmap_vma - detach_cost(costs)) * paid_for);
  current.settle();
  vm_area_free(current.kernel(), count);
}

int do_munmap(Task& current, Mm& mm, PageIndex start, PageIndex end, bool downgrade) {
  if (is_free(mm, start, end)) {
    current.work(current.kernel().costs.find_vma);
    return 0;
  }
  current.work(current.kernel().costs.munmap, KernelPath::munmap);
  current.settle();
  if (const int error = split_at_borders(current, mm, start, end)) return error;
  const std::vector<VmaPointer> vmas = vmas_in(mm, start, end);
  for (const VmaPointer& vma : vmas) vma_start_write(current, mm, *vma);
  munlock_vmas(current, mm, vmas);
  current.work(detach_cost(current.kernel().costs) * static_cast<std::int64_t>(vmas.size() - 1));
  current.settle();
  for (const VmaPointer& vma : vmas) mm.detach_vma(vma);
  downgrade = downgrade && may_downgrade(current, mm, end);
  if (downgrade) mmap_write_downgrade(current, mm);
  unmap_region(current, mm, vmas);
  enter_part(current, Phase::munmap);
  const auto count = static_cast<std::int64_t>(vmas.size());
  remove_vmas(current, count, count - 1);
  return downgrade ? kDowngraded : 0;
}

namespace {

// do_mmap_pgoff: what is checked before anything is mapped. mmap_sem must be held for write.
int do_mmap_pgoff(Task& current, Mm& mm, PageIndex start, PageCount pages, VmFlags flags, MmapHow how) {
  if (flags.locked && !within_memlock_limit(mm, pages)) return -EAGAIN;
  if (!how.fixed && !is_free(mm, start, start + pages)) return -EEXIST;
  const int error = mmap_region(current, mm, start, pages, flags);
  return error == -EAGAIN ? 0 : error;  // only remap_file_pages cares when the range changed in the window
}

// A new mapping of what is free: joined with its neighbours, or a VMA of its own.
VmaPointer map(Task& current, Mm& mm, PageIndex start, PageIndex end, const VmFlags& flags, Linear linear) {
  const bool joins = linear == Linear::yes;
  const Mm::Neighbours near = joins ? mm.mergeable(start, end, flags, nullptr) : Mm::Neighbours{};
  for (const VmaPointer& neighbour : {near.before, near.after}) {
    if (neighbour != nullptr) vma_start_write(current, mm, *neighbour);
  }
  current.settle();
  const VmaPointer merged = joins ? mm.vma_merge_new(start, end, flags) : nullptr;
  if (merged != nullptr) {
    const bool three = near.before != nullptr && near.after != nullptr;
    if (three) vm_area_free(current.kernel(), 1);
    return merged;
  }
  vm_area_alloc(current);
  return mm.insert_vma(start, end, flags);
}

// make_pages_present. mmap_sem must be held, in either mode.
void make_pages_present(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  current.settle();
  const VmaPointer vma = mm.find_vma(start);
  if (vma == nullptr || vma->start > start || vma->flags.io_pfnmap) return;
  (void)get_user_pages(current, mm, *vma, start, std::min(end, vma->end));
}

bool populates_under_read(Task& current) { return current.kernel().policy.grow.mode == HoldMode::drop_and_read; }

// The end of mmap(MAP_POPULATE) since 3.9: __mm_populate.
void populate_under_read(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  mm.mmap_sem.down_read(current);
  current.work(current.kernel().costs.find_vma);
  make_pages_present(current, mm, start, end);
  mm.mmap_sem.up_read(current);
}

}  // namespace

int mmap_region(Task& current, Mm& mm, PageIndex start, PageCount pages, VmFlags flags, Linear linear) {
  assert(mm.mmap_sem.held_by(current, LockMode::write));
  const PageIndex end = start + pages;
  if (!is_free(mm, start, end)) {
    if (const int error = do_munmap(current, mm, start, end, false)) return error;
  }
  if (mm.map_count() > mm.max_map_count) return -ENOMEM;
  current.work(current.kernel().costs.mmap, KernelPath::mmap);
  const VmaPointer vma = map(current, mm, start, end, flags, linear);
  if (!flags.locked) return 0;
  // Counted before the window opens, so that an munmap in it finds them counted. The kernel adds them afterwards.
  mm.locked_vm += pages;
  const std::int64_t not_locked = mlock_vma_pages_range(current, mm, vma, start, end);
  if (not_locked > 0) mm.locked_vm -= PageCount(not_locked);
  return not_locked < 0 ? static_cast<int>(not_locked) : 0;
}

int sys_mmap(Task& current, Mm& mm, PageIndex start, PageCount pages, bool locked) {
  VmFlags flags;
  flags.locked = locked;
  return sys_mmap(current, mm, start, pages, flags);
}

int sys_mmap(Task& current, Mm& mm, PageIndex start, PageCount pages, VmFlags flags, MmapHow how) {
  current.enter(Phase::mmap);
  current.work(current.kernel().costs.system_call);
  mmap_write_lock(current, mm);
  flags.locked = flags.locked || mm.locks_future_mappings;
  const int error = do_mmap_pgoff(current, mm, start, pages, flags, how);
  const bool populate = error == 0 && how.populate && !flags.locked;
  if (populate && !populates_under_read(current)) make_pages_present(current, mm, start, start + pages);
  mmap_write_unlock(current, mm);
  if (populate && populates_under_read(current)) populate_under_read(current, mm, start, start + pages);
  if (error == 0 && flags.locked) mm_populate(current, mm, start, start + pages, current.kernel().policy.grow);
  return error;
}

bool munmap_downgrades(const Task& current) { return current.kernel().policy.munmap.mode == HoldMode::downgrade; }

int unlock_after_munmap(Task& current, Mm& mm, int result) {
  if (result == kDowngraded) {
    mm.mmap_sem.up_read(current);
    return 0;
  }
  mmap_write_unlock(current, mm);
  return result;
}

int sys_munmap(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  current.enter(Phase::munmap);
  current.work(current.kernel().costs.system_call);
  mmap_write_lock(current, mm);
  return unlock_after_munmap(current, mm, do_munmap(current, mm, start, start + pages, munmap_downgrades(current)));
}

}  // namespace models
