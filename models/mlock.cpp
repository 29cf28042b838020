#include "models/mlock.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm.h"
#include "models/pagewalk.h"
#include "models/task.h"

namespace models {

namespace {

// mm/swap.c: a work item on every CPU, and the wait for all of them.
void lru_add_drain_all(Task& current) {
  const Kernel& kernel = current.kernel();
  current.work(kernel.costs.lru_add_drain_all * kernel.cpus.count());
}

// get_user_pages takes this many at a time in __mlock_vma_pages_range.
constexpr PageCount kPagesPerBatch{16};

// get_user_pages: the absent pages of [start, end) are allocated, cleared and mapped.
void get_user_pages(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  const Kernel& kernel = current.kernel();
  for (PageIndex page = start; page < end;) {
    const PageTable::Run run = mm.page_table.run_at(page, end);
    const PageCount pages = run.end - page;
    if (run.state == PageState::absent) {
      for (std::int64_t each = 0; each < pages.count(); ++each) {
        alloc_page(current);
        current.work(kernel.costs.populate_page, Purpose::pages);
      }
      current.settle();
      mm.page_table.set(page, run.end, PageState::resident);
      current.kernel().zone.move(&ZoneCounts::in_flight, &ZoneCounts::mapped, pages);
    }
    page = run.end;
  }
}

// __mlock_vma_pages_range, a name that C++ reserves. mmap_sem must be held, in either mode.
int populate_vma_pages_range(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  lru_add_drain_all(current);
  for (PageIndex page = start; page < end;) {
    const PageIndex batch_end = std::min(end, page + kPagesPerBatch);
    get_user_pages(current, mm, page, batch_end);
    walk_page_range(current, mm, page, batch_end, PageState::mlocked, current.kernel().costs.mlock_page);
    page = batch_end;
  }
  lru_add_drain_all(current);
  return 0;  // the whole VMA counts as locked, whatever became of its pages
}

// The window of the patch: read mode is given up, and write mode, which all callers expect, taken again. Only in
// between can anybody change the map; the check says -EAGAIN if the VMA at `start` no longer reaches to `end`.
int reacquire_write(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end) {
  const std::uint64_t version = mm.map_version();
  mm.mmap_sem.up_read(current);
  mm.mmap_sem.down_write(current);
  current.work(current.kernel().costs.find_vma);
  const VmaPointer found = mm.find_vma(start);
  // find_vma's answer may begin after start: then the range is gone and the check does not notice.
  const bool noticed = found == nullptr || end > found->end;
  const bool intact = !vma->detached && vma->start <= start && end <= vma->end;
  mm.vma_changed += mm.map_version() != version ? 1 : 0;
  mm.eagain += noticed ? 1 : 0;
  mm.vma_change_missed += !noticed && !intact ? 1 : 0;
  return noticed ? -EAGAIN : 0;
}

// Changes VM_LOCKED on [start, end) of `vma`. mmap_sem must be held for write; it is on return, but may have been given
// up in between. `prev` is left at the VMA that now covers the range, for the caller to go on from.
int mlock_fixup(Task& current, Mm& mm, VmaPointer vma, VmaPointer& prev, PageIndex start, PageIndex end,
                VmFlags newflags) {
  assert(mm.mmap_sem.held_by(current, LockMode::write));
  const Kernel& kernel = current.kernel();
  const bool lock = newflags.locked;
  int ret = 0;

  if (newflags == vma->flags || vma->flags.io_pfnmap) {
    prev = vma;
    return ret;  // don't set VM_LOCKED, don't count
  }

  if (vma->flags.dontexpand || vma->flags.hugetlb || vma->flags.gate) {
    if (lock) {
      current.enter(Phase::mlock_populate);
      get_user_pages(current, mm, start, end);  // make_pages_present
      current.enter(Phase::mlock);
    }
    prev = vma;
    return ret;  // don't set VM_LOCKED, don't count
  }

  if (const VmaPointer merged = mm.vma_merge(vma, start, end, newflags)) {
    current.work(kernel.costs.vma_merge);
    vma = merged;
  } else {
    prev = nullptr;  // as vma_merge returned it
    if (start != vma->start) {
      current.work(kernel.costs.vma_split);
      ret = mm.split_vma(vma, start, Mm::NewVma::below);
    }
    if (ret == 0 && end != vma->end) {
      current.work(kernel.costs.vma_split);
      ret = mm.split_vma(vma, end, Mm::NewVma::above);
    }
    if (ret != 0) {
      prev = vma;
      return ret;
    }
  }

  const PageCount pages = end - start;
  if (lock) {
    mm.locked_vm += pages;
  } else {
    mm.locked_vm -= pages;
  }
  vma->flags = newflags;

  const HoldMode mode = lock ? kernel.policy.populate : kernel.policy.munlock;
  if (mode == HoldMode::downgrade) mm.mmap_sem.downgrade_write(current);
  current.enter(lock ? Phase::mlock_populate : Phase::munlock_walk);
  if (lock) {
    ret = populate_vma_pages_range(current, mm, start, end);
  } else {
    munlock_vma_pages_range(current, mm, start, end);
  }
  current.enter(lock ? Phase::mlock : Phase::munlock);
  if (mode == HoldMode::downgrade) ret = reacquire_write(current, mm, vma, start, end);

  // Also after the window, when `vma` may be gone: the caller goes on from a stale pointer.
  prev = vma;
  return ret;
}

// mmap_sem must be held for write.
int do_mlock(Task& current, Mm& mm, PageIndex start, PageCount pages, bool on) {
  const PageIndex end = start + pages;
  if (end == start) return 0;
  current.work(current.kernel().costs.find_vma);
  VmaPointer vma = mm.find_vma(start);
  if (vma == nullptr || vma->start > start) return -ENOMEM;
  VmaPointer prev = start > vma->start ? vma : mm.previous(*vma);

  for (PageIndex nstart = start;;) {
    VmFlags newflags = vma->flags;
    newflags.locked = on;
    const PageIndex piece_end = std::min(vma->end, end);
    const int error = mlock_fixup(current, mm, vma, prev, nstart, piece_end, newflags);
    if (error != 0) return error;
    nstart = std::max(piece_end, prev->end);
    if (nstart >= end) return 0;
    vma = mm.next(*prev);
    if (vma == nullptr || vma->start != nstart) return -ENOMEM;
  }
}

// can_do_mlock: the right to lock anything at all.
bool can_do_mlock(const Mm& mm) {
  return mm.cap_ipc_lock || !mm.rlimit_memlock || mm.rlimit_memlock->count() != 0;
}

// Pages that are locked already count a second time here, as in the kernel.
bool within_limit(const Mm& mm, PageCount pages) {
  if (mm.cap_ipc_lock || !mm.rlimit_memlock) return true;
  return mm.locked_vm + pages <= PageCount(mm.rlimit_memlock->count() / kPageSize);
}

}  // namespace

void munlock_vma_pages_range(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  lru_add_drain_all(current);
  walk_page_range(current, mm, start, end, PageState::resident, current.kernel().costs.munlock_page);
  lru_add_drain_all(current);
}

int sys_mlock(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  current.enter(Phase::mlock);
  current.work(current.kernel().costs.system_call);
  int error = -EPERM;
  if (can_do_mlock(mm)) {
    mm.mmap_sem.down_write(current);
    error = within_limit(mm, pages) ? do_mlock(current, mm, start, pages, true) : -ENOMEM;
    mm.mmap_sem.up_write(current);
  }
  return error;
}

int sys_munlock(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  current.enter(Phase::munlock);
  current.work(current.kernel().costs.system_call);
  mm.mmap_sem.down_write(current);
  const int error = do_mlock(current, mm, start, pages, false);
  mm.mmap_sem.up_write(current);
  return error;
}

}  // namespace models
