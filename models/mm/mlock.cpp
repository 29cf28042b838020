#include "models/mm/mlock.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm/gup.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/pagewalk.h"
#include "models/mm/vma_modify.h"
#include "models/task.h"

namespace models {

namespace {

const Policy& policy_of(Task& current) { return current.kernel().policy; }

// mm/swap.c: a work item on every CPU, and the wait for all of them.
void lru_add_drain_all(Task& current) {
  const Kernel& kernel = current.kernel();
  current.work(kernel.costs.lru_add_drain_all * kernel.cpus.count());
}

void drain(Task& current, LruDrain place) {
  if (policy_of(current).lru_drain == place) lru_add_drain_all(current);
}

// mlock_vma_page for the pages of [start, end) that are there.
void mlock_present_pages(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  const Costs& costs = current.kernel().costs;
  walk_page_range(current, mm, start, end,
                  {.to = PageState::mlocked, .cost = &costs.mlock_page, .huge_cost = &costs.mlock_huge});
}

// get_user_pages of pages that are mlocked already: it finds each, and there is nothing more to do. Returns where they
// end.
PageIndex pass_over_mlocked(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  current.settle();
  // One page first: a run that is mixed table by table takes time to look at.
  if (mm.page_table.run_at(start, start + PageCount(1)).state != PageState::mlocked) return start;
  const PageTable::Run run = mm.page_table.run_at(start, end);
  look_at_page_range(current, mm, start, run.end, gup_look(current.kernel().costs));
  return run.end;
}

// After a window in which mmap_sem was not held for write: the check of the patch. -EAGAIN if the VMA at `start` no
// longer reaches to `end`. find_vma's answer may begin after `start`: then the range is gone and the check does not
// notice.
int recheck_vma(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end, std::uint64_t version) {
  current.work(current.kernel().costs.find_vma);
  current.settle();
  const VmaPointer found = mm.find_vma(start);
  const bool noticed = found == nullptr || end > found->end;
  const bool intact = !vma->detached && vma->start <= start && end <= vma->end;
  mm.vma_changed += mm.map_version() != version ? 1 : 0;
  mm.eagain += noticed ? 1 : 0;
  mm.vma_change_missed += !noticed && !intact ? 1 : 0;
  return noticed ? -EAGAIN : 0;
}

// The patch's window: read mode is given up and write mode, which all callers expect, taken again.
int reacquire_write(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end) {
  const std::uint64_t version = mm.map_version();
  mm.mmap_sem.up_read(current);
  mmap_write_lock(current, mm);
  return recheck_vma(current, mm, vma, start, end, version);
}

// Whether a chunked walk that began its hold at `since` and has done `done` pages since gives way now.
bool gives_way(Task& current, const Mm& mm, const Hold& hold, PageCount done, sim::Time since) {
  const bool by_pages = hold.batch > PageCount(0) && done >= hold.batch;
  const bool by_time = hold.max_hold > sim::Nanoseconds{0} && current.settle() - since >= hold.max_hold;
  if (!by_pages && !by_time) return false;
  return !hold.if_contended || mm.mmap_sem.is_contended();
}

// try_to_munlock before 3.0 (commit 3d470fc385de): asks all VMAs that share the page's anon_vma whether they have it
// mlocked, too. That of the page itself is part of munlock_page.
sim::Nanoseconds rmap_cost(Task& current, const Vma& vma) {
  if (!policy_of(current).munlock_walks_rmap || vma.anon_vma == nullptr) return {};
  return current.kernel().costs.rmap_vma * (vma.anon_vma->vmas - 1);
}

PageStep munlock_step(Task& current, const Vma& vma) {
  const Costs& costs = current.kernel().costs;
  return {.to = PageState::resident,
          .cost = &costs.munlock_page,
          .absent_cost = policy_of(current).munlock_visits_absent ? &costs.munlock_absent : nullptr,
          .more_cost = rmap_cost(current, vma),
          .huge_cost = &costs.munlock_huge};
}

// A what-if: who gives mmap_sem up to take it again at once has it before anybody who waits for it: one that spins has
// to see the release first, one that sleeps has to be woken. So it looks again and again (udelay) until somebody has it
// or nobody wants it; one that was woken may have to wait for a CPU, which bounds the patience.
void let_somebody_have_it(Task& current, Mm& mm) {
  constexpr sim::Nanoseconds kEvery{1'000};
  constexpr int kMost = 1'000;
  for (int looks = 0; looks < kMost && mm.mmap_sem.is_wanted(); ++looks) {
    current.work(kEvery);
    current.settle();
    if (!mm.mmap_sem.is_free()) return;
  }
}

// __munlock_vma_pages_range for chunked_write: looks up every so often, gives write mode away and takes it again.
int munlock_in_chunks(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end) {
  const Hold& hold = policy_of(current).munlock;
  // A bound in time is looked at as often as the kernel looks at need_resched: once for each page table.
  const PageCount chunk = hold.batch > PageCount(0) ? std::min(hold.batch, kPagesPerTable) : kPagesPerTable;
  drain(current, LruDrain::under_lock);
  PageCount done;
  sim::Time since = current.settle();
  for (PageIndex page = start; page < end;) {
    const PageIndex chunk_end = std::min(end, page + chunk);
    walk_page_range(current, mm, page, chunk_end, munlock_step(current, *vma));
    done += chunk_end - page;
    page = chunk_end;
    if (page == end || !gives_way(current, mm, hold, done, since)) continue;
    const std::uint64_t version = mm.map_version();
    mmap_write_unlock(current, mm);
    if (hold.hand_over) let_somebody_have_it(current, mm);
    mmap_write_lock(current, mm);
    if (const int error = recheck_vma(current, mm, vma, start, end, version)) return error;
    vma_start_write(current, mm, *vma);
    done = PageCount(0);
    since = current.settle();
  }
  drain(current, LruDrain::under_lock);
  return 0;
}

void mlock_present_now(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  current.enter(Phase::mlock_populate);
  mlock_present_pages(current, mm, start, end);
  current.enter(Phase::mlock);
}

// get_user_pages with FOLL_MLOCK and without FOLL_POPULATE, from 4.4 to 5.17: what is there is found and mlocked, what
// is absent is looked at in vain.
PageIndex mlock_what_is_there(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  if (policy_of(current).mlock_present_first) return end;  // under write mode, before
  const Costs& costs = current.kernel().costs;
  walk_page_range(current, mm, start, end,
                  {PageState::mlocked, &costs.mlock_page, nullptr, &costs.munlock_absent, costs.gup_present});
  return end;
}

// The lock branch of mlock_fixup, after the flags have been set.
int populate_locked(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end, HoldMode mode) {
  if (mode == HoldMode::drop_and_read || vma->flags.lock_on_fault) {
    const bool now = mode != HoldMode::drop_and_read || policy_of(current).mlock_present_first;
    if (now) mlock_present_now(current, mm, start, end);
    return 0;
  }
  if (mode == HoldMode::downgrade) mmap_write_downgrade(current, mm);
  current.enter(Phase::mlock_populate);
  populate_vma_pages_range(current, mm, *vma, start, end, IoWait::under_lock);
  current.enter(Phase::mlock);
  return mode == HoldMode::downgrade ? reacquire_write(current, mm, vma, start, end) : 0;
}

// The unlock branch: the patch's open question.
int walk_unlocked(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end) {
  const HoldMode mode = policy_of(current).munlock.mode;
  if (mode == HoldMode::drop_and_read) return 0;
  if (mode == HoldMode::downgrade) mmap_write_downgrade(current, mm);
  current.enter(Phase::munlock_walk);
  int ret = 0;
  if (mode == HoldMode::chunked_write) {
    ret = munlock_in_chunks(current, mm, vma, start, end);
  } else {
    munlock_vma_pages_range(current, mm, *vma, start, end);
  }
  current.enter(Phase::munlock);
  return mode == HoldMode::downgrade ? reacquire_write(current, mm, vma, start, end) : ret;
}

// Changes VM_LOCKED on [start, end) of `vma`. mmap_sem must be held for write; it is on return, but may have been given
// up in between. `prev` is left at the VMA that now covers the range, for the caller to go on from.
int mlock_fixup(Task& current, Mm& mm, VmaPointer vma, VmaPointer& prev, PageIndex start, PageIndex end,
                VmFlags newflags) {
  assert(mm.mmap_sem.held_by(current, LockMode::write));
  const Costs& costs = current.kernel().costs;
  const bool lock = newflags.locked;
  const bool was_locked = vma->flags.locked;
  int ret = 0;

  if (newflags == vma->flags || vma->flags.io_pfnmap) {
    prev = vma;
    return ret;  // don't set VM_LOCKED, don't count
  }

  if (vma->flags.is_special()) {
    // Since 2.6.38 the pass under read mode populates them with the others.
    if (lock && policy_of(current).populate.mode != HoldMode::drop_and_read) {
      current.enter(Phase::mlock_populate);
      get_user_pages(current, mm, *vma, start, end);  // make_pages_present
      current.enter(Phase::mlock);
    }
    prev = vma;
    return ret;  // don't set VM_LOCKED, don't count
  }

  current.work(lock ? costs.mlock_vma : costs.munlock_vma);
  vma_start_write_to_merge(current, mm, *vma, start, end, newflags);
  if (const VmaPointer merged = merge_vma(current, mm, vma, start, end, newflags)) {
    vma = merged;
  } else {
    prev = nullptr;  // as vma_merge returned it
    if (start != vma->start) ret = split_vma(current, mm, vma, start, Mm::NewVma::below);
    if (ret == 0 && end != vma->end) ret = split_vma(current, mm, vma, end, Mm::NewVma::above);
    if (ret != 0) {
      prev = vma;
      return ret;
    }
  }

  vma->flags = newflags;
  if (lock && was_locked) {  // only VM_LOCKONFAULT has changed
    prev = vma;
    return ret;
  }
  const PageCount pages = end - start;
  if (lock) {
    mm.locked_vm += pages;
  } else {
    mm.locked_vm -= pages;
  }

  ret = lock ? populate_locked(current, mm, vma, start, end, policy_of(current).populate.mode)
             : walk_unlocked(current, mm, vma, start, end);

  // Also after a window, when `vma` may be gone: the caller goes on from a stale pointer.
  prev = vma;
  return ret;
}

// prev->vm_next, for the caller to go on from. After a window `prev` may be stale, and the VMA it points to gone as
// well: the kernel then reads freed memory. Here that is the end of the map.
VmaPointer next_in_walk(const Mm& mm, const Vma& prev) {
  const VmaPointer next = mm.next(prev);
  return next == nullptr || next->detached ? nullptr : next;
}

enum class VmLock { off, on, on_fault };

VmFlags with_lock(VmFlags flags, VmLock lock) {
  flags.locked = lock != VmLock::off;
  flags.lock_on_fault = lock == VmLock::on_fault;
  return flags;
}

// mmap_sem must be held for write.
int do_mlock(Task& current, Mm& mm, PageIndex start, PageCount pages, VmLock lock) {
  const PageIndex end = start + pages;
  if (end == start) return 0;
  current.work(current.kernel().costs.find_vma);
  VmaPointer vma = mm.find_vma(start);
  if (vma == nullptr || vma->start > start) return -ENOMEM;
  VmaPointer prev = start > vma->start ? vma : mm.previous(*vma);

  for (PageIndex nstart = start;;) {
    const PageIndex piece_end = std::min(vma->end, end);
    const int error = mlock_fixup(current, mm, vma, prev, nstart, piece_end, with_lock(vma->flags, lock));
    if (error != 0) return error;
    nstart = std::max(piece_end, prev->end);
    if (nstart >= end) return 0;
    vma = next_in_walk(mm, *prev);
    if (vma == nullptr || vma->start != nstart) return -ENOMEM;
  }
}

// do_mlockall's loop. Errors of single VMAs are ignored. mmap_sem must be held for write.
void fixup_all(Task& current, Mm& mm, VmLock lock) {
  VmaPointer prev;
  for (VmaPointer vma = mm.find_vma(PageIndex(0)); vma != nullptr; vma = next_in_walk(mm, *prev)) {
    (void)mlock_fixup(current, mm, vma, prev, vma->start, vma->end, with_lock(vma->flags, lock));
  }
}

// can_do_mlock: the right to lock anything at all.
bool can_do_mlock(const Mm& mm) { return mm.cap_ipc_lock || !mm.rlimit_memlock || mm.rlimit_memlock->count() != 0; }

// Populates the VM_LOCKED VMAs of [start, end), or walks the others of them after munlock, under read mode that is
// given up and taken again every `hold.batch` pages, and where `walk` says that a page must be read first, by returning
// it instead of the end. mmap_sem must not be held.
template <class Walk>
void walk_under_read(Task& current, Mm& mm, PageIndex start, PageIndex end, const Hold& hold, bool locked, Walk walk) {
  mm.mmap_sem.down_read(current);
  PageCount done;
  for (PageIndex page = start; page < end;) {
    current.work(current.kernel().costs.find_vma);
    current.settle();
    const VmaPointer vma = mm.find_vma(page);
    if (vma == nullptr || vma->start >= end) break;
    page = std::max(page, vma->start);
    const PageIndex left = std::min(end, vma->end);
    const PageIndex stop = hold.batch > PageCount(0) ? std::min(left, page + (hold.batch - done)) : left;
    const bool meant = vma->flags.locked == locked || (locked && vma->flags.is_special());
    if (meant && !vma->flags.io_pfnmap) {
      const PageIndex reached = walk(*vma, page, stop);
      if (reached < stop) {  // a page has to be read: not under the lock
        wait_without_mmap_sem(current, mm, *vma, reached);
        done = PageCount(0);
        page = reached;
        continue;
      }
    }
    done += stop - page;
    page = stop;
    if (page >= end || hold.batch == PageCount(0) || done < hold.batch) continue;
    mm.mmap_sem.up_read(current);
    mm.mmap_sem.down_read(current);
    done = PageCount(0);
  }
  mm.mmap_sem.up_read(current);
}

// What is VM_LOCKED of [start, end).
PageCount count_mm_mlocked_page_nr(const Mm& mm, PageIndex start, PageIndex end) {
  PageCount locked;
  for (VmaPointer vma = mm.find_vma(start); vma != nullptr && vma->start < end; vma = mm.next(*vma)) {
    if (vma->flags.locked) locked += std::min(vma->end, end) - std::max(vma->start, start);
  }
  return locked;
}

void munlock_under_read(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  const Hold& hold = policy_of(current).munlock;
  if (hold.mode != HoldMode::drop_and_read) return;
  current.enter(Phase::munlock_walk);
  drain(current, LruDrain::under_lock);
  walk_under_read(current, mm, start, end, hold, false, [&](const Vma& vma, PageIndex from, PageIndex to) {
    walk_page_range(current, mm, from, to, munlock_step(current, vma));
    return to;
  });
  current.enter(Phase::munlock);
}

// The ends of an address space's map.
constexpr PageIndex kFirstPage{0};
constexpr PageIndex kLastPage{std::int64_t{1} << 51};  // 2^63 / PAGE_SIZE: beyond any address

}  // namespace

PageIndex populate_vma_pages_range(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end, IoWait io) {
  drain(current, LruDrain::under_lock);
  // Since 2.6.38 get_user_pages is asked for the whole range at once; before, batches begin where they begin.
  const bool passes_over = policy_of(current).populate.mode == HoldMode::drop_and_read;
  const std::uint64_t looks = passes_over ? 2 : 1;  // at a batch, beside those of get_user_pages
  PageIndex page = start;
  while (page < end) {
    if (const PageIndex ahead = populate_undisturbed(current, mm, vma, page, end, looks); ahead > page) {
      page = ahead;
      continue;
    }
    if (passes_over) page = pass_over_mlocked(current, mm, page, end);
    const PageIndex batch_end = end_of_gup_batch(vma, page, end);
    const PageIndex reached = get_user_pages(current, mm, vma, page, batch_end, io);
    mlock_present_pages(current, mm, page, reached);
    page = reached;
    if (reached < batch_end) break;
  }
  drain(current, LruDrain::under_lock);
  return page;
}

void mm_populate(Task& current, Mm& mm, PageIndex start, PageIndex end, const Hold& hold) {
  if (hold.mode != HoldMode::drop_and_read) return;
  const Phase before = current.phase();
  current.enter(before == Phase::mlock ? Phase::mlock_populate : before);
  const IoWait io = policy_of(current).retry_on_io ? IoWait::retry : IoWait::under_lock;
  walk_under_read(current, mm, start, end, hold, true, [&](Vma& vma, PageIndex from, PageIndex to) {
    if (vma.flags.lock_on_fault) return mlock_what_is_there(current, mm, from, to);
    // Special VMAs are made present, and never VM_LOCKED.
    return vma.flags.locked ? populate_vma_pages_range(current, mm, vma, from, to, io)
                            : get_user_pages(current, mm, vma, from, to, io);
  });
  current.enter(before);
}

void munlock_vma_pages_range(Task& current, Mm& mm, const Vma& vma, PageIndex start, PageIndex end) {
  drain(current, LruDrain::under_lock);
  walk_page_range(current, mm, start, end, munlock_step(current, vma));
  drain(current, LruDrain::under_lock);
}

bool within_memlock_limit(const Mm& mm, PageCount more) {
  if (mm.cap_ipc_lock || !mm.rlimit_memlock) return true;
  return mm.locked_vm + more <= PageCount(mm.rlimit_memlock->count() / kPageSize);
}

std::int64_t mlock_vma_pages_range(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end) {
  assert(mm.mmap_sem.held_by(current, LockMode::write) && vma->flags.locked);
  const std::int64_t pages = (end - start).count();
  if (vma->flags.io_pfnmap) {
    vma->flags.locked = false;
    return pages;
  }
  const HoldMode mode = policy_of(current).grow.mode;
  if (vma->flags.is_special()) {
    if (mode != HoldMode::drop_and_read) get_user_pages(current, mm, *vma, start, end);  // make_pages_present
    vma->flags.locked = false;
    return pages;
  }
  if (mode == HoldMode::drop_and_read) return 0;  // mm_populate, once the caller has given up write mode
  if (mode == HoldMode::downgrade) mmap_write_downgrade(current, mm);
  populate_vma_pages_range(current, mm, *vma, start, end, IoWait::under_lock);
  return mode == HoldMode::downgrade ? reacquire_write(current, mm, vma, start, end) : 0;
}

int sys_mlock(Task& current, Mm& mm, PageIndex start, PageCount pages, MlockWhat what) {
  current.enter(Phase::mlock);
  current.work(current.kernel().costs.system_call);
  if (!can_do_mlock(mm)) return -EPERM;
  drain(current, LruDrain::before_lock);
  mmap_write_lock(current, mm);
  const bool twice = policy_of(current).memlock_counts_twice;
  const PageCount more = twice ? pages : pages - count_mm_mlocked_page_nr(mm, start, start + pages);
  const VmLock lock = what == MlockWhat::on_fault ? VmLock::on_fault : VmLock::on;
  const int error = within_memlock_limit(mm, more) ? do_mlock(current, mm, start, pages, lock) : -ENOMEM;
  mmap_write_unlock(current, mm);
  if (error == 0) mm_populate(current, mm, start, start + pages, policy_of(current).populate);
  return error;
}

int sys_munlock(Task& current, Mm& mm, PageIndex start, PageCount pages) {
  current.enter(Phase::munlock);
  current.work(current.kernel().costs.system_call);
  mmap_write_lock(current, mm);
  const int error = do_mlock(current, mm, start, pages, VmLock::off);
  mmap_write_unlock(current, mm);
  if (error == 0) munlock_under_read(current, mm, start, start + pages);
  return error;
}

int sys_mlockall(Task& current, Mm& mm, MlockallFlags flags) {
  current.enter(Phase::mlock);
  current.work(current.kernel().costs.system_call);
  assert(!flags.future || !flags.on_fault);
  if (!flags.current && !flags.future) return -EINVAL;
  if (!can_do_mlock(mm)) return -EPERM;
  drain(current, LruDrain::before_lock);
  mmap_write_lock(current, mm);
  const bool limited = !mm.cap_ipc_lock && mm.rlimit_memlock;
  // MCL_FUTURE alone is not held against the limit: there is nothing to lock yet.
  const bool allowed = !limited || !flags.current || mm.total_vm() <= PageCount(mm.rlimit_memlock->count() / kPageSize);
  if (allowed) {
    mm.locks_future_mappings = flags.future;
    if (flags.current) fixup_all(current, mm, flags.on_fault ? VmLock::on_fault : VmLock::on);
  }
  mmap_write_unlock(current, mm);
  if (!allowed) return -ENOMEM;
  if (flags.current) mm_populate(current, mm, kFirstPage, kLastPage, policy_of(current).populate);
  return 0;
}

int sys_munlockall(Task& current, Mm& mm) {
  current.enter(Phase::munlock);
  current.work(current.kernel().costs.system_call);
  mmap_write_lock(current, mm);
  mm.locks_future_mappings = false;
  fixup_all(current, mm, VmLock::off);
  mmap_write_unlock(current, mm);
  munlock_under_read(current, mm, kFirstPage, kLastPage);
  return 0;
}

}  // namespace models
