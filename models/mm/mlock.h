// mlock and munlock: the paths that the patch of 2008 changed, function by function.
//
// Kernel. mm/mlock.c of 2.6.28-rc, to be read beside it: same functions, same order, same branches. The policy chooses
// the mode of mmap_sem over the two page walks, populate and munlock, as the eras since have done (Hold,
// models/spec/policy.h):
//   write_held     before the patch; downgrade  the patch, with its window and its check;
//   drop_and_read  since 2.6.38: do_mlock only sets flags, mm_populate walks the pages under read mode afterwards;
//   chunked_write  a what-if for munlock: write mode is given up and taken again every so often, and re-checked.
// Simplified. lock_page never waits (nobody else locks these pages); populate cannot fail (no file ends inside a
// region); migration entries do not occur.
// Of the pass under read mode: get_user_pages finds each page of the range, those that are mlocked already included
// (gup_present), so since 2.6.38 a second mlock of the same range is one read hold [6.1, mm/gup.c, __mm_populate]. What
// a range has locked already counts a second time against RLIMIT_MEMLOCK before 4.9 (policy `memlock`; commit
// 0cf2f6f6dc60).
// mlock2(MLOCK_ONFAULT) and mlockall(MCL_ONFAULT) of 4.4 (apply_vma_lock_flags; populate_vma_page_range returns at once
// for VM_LOCKONFAULT): VMAs are VM_LOCKED and counted, what is there is mlocked (from 5.18 on under write mode, as with
// mlock; before, by a get_user_pages without FOLL_POPULATE under read mode, which looks at absent pages, too), and the
// rest as it is faulted in (mlock_vma_newpage). A policy of an older kernel, which did not know them, makes them by its
// own modes. Between VM_LOCKED and VM_LOCKONFAULT only flags change [6.1]. MCL_ONFAULT with MCL_FUTURE is not there.
// Validated by tests/models/mm/mlock_test.cpp and tests/models/mm/mlock_onfault_test.cpp: for each branch the sequence
// of lock operations, pages and return value.
#pragma once

#include "models/mm/memory.h"
#include "models/mm/mm.h"
#include "models/spec/page.h"
#include "models/spec/policy.h"

namespace models {

class Task;

/// Which pages mlock makes present: all, or none of its own (MLOCK_ONFAULT).
enum class MlockWhat { all, on_fault };

/// mlock(2) on [start, start + pages), or mlock2(2). Returns 0, -EPERM, -ENOMEM or -EAGAIN as the kernel does.
/// Takes and releases mmap_sem.
int sys_mlock(Task& current, Mm& mm, PageIndex start, PageCount pages, MlockWhat what = MlockWhat::all);

/// munlock(2). Returns 0, -ENOMEM, or -EAGAIN where the policy opens a window. Takes and releases mmap_sem.
int sys_munlock(Task& current, Mm& mm, PageIndex start, PageCount pages);

/// mlockall(2): MCL_CURRENT locks all there is, MCL_FUTURE all that will come. Errors of single VMAs are ignored.
/// Returns 0, -EINVAL (neither), -EPERM or -ENOMEM (the limit is below total_vm). Takes and releases mmap_sem.
struct MlockallFlags {
  bool current = false;
  bool future = false;
  bool on_fault = false;  ///< MCL_ONFAULT; not with `future`
};
int sys_mlockall(Task& current, Mm& mm, MlockallFlags flags);

/// munlockall(2): the same loop without VM_LOCKED. Returns 0. Takes and releases mmap_sem.
int sys_munlockall(Task& current, Mm& mm);

/// mlock_vma_pages_range, for those who have added [start, end) of a VM_LOCKED `vma`: mmap(MAP_LOCKED), brk, stack
/// growth, remap_file_pages. Populates under the policy's `grow` mode. Returns the pages that turned out not to be
/// locked, or -EAGAIN if the range changed in the window. mmap_sem must be held for write; it is on return.
std::int64_t mlock_vma_pages_range(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end);

/// The end of a call whose policy populates after write mode was given up (drop_and_read): populates what is VM_LOCKED
/// in [start, end) under read mode. Takes and releases mmap_sem. Does nothing under other modes of `hold`.
void mm_populate(Task& current, Mm& mm, PageIndex start, PageIndex end, const Hold& hold);

/// __mlock_vma_pages_range, a name that C++ reserves: makes the pages of [start, end) in `vma` present and mlocks them.
/// mmap_sem must be held, in either mode. Returns `end`, or with IoWait::retry a page that must be read first
/// (wait_for_page, with mmap_sem given up).
PageIndex populate_vma_pages_range(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end, IoWait io);

/// The walk over the pages of [start, end) in `vma`: clears Mlocked and puts them back on their evictable lists.
/// mmap_sem must be held, in either mode.
void munlock_vma_pages_range(Task& current, Mm& mm, const Vma& vma, PageIndex start, PageIndex end);

/// Whether the caller may lock `more` pages on top of what is locked.
[[nodiscard]] bool within_memlock_limit(const Mm& mm, PageCount more);

}  // namespace models
