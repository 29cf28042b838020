// madvise: how allocators give pages back, a reader; and how databases say in which order they read, a writer.
//
// Kernel. mm/madvise.c, do_madvise with madvise_walk_vmas: madvise_need_mmap_write says which advice takes mmap_sem for
// write (that which changes vm_flags), which for read. madvise_dontneed (2.6.28; a reader since 2.6.23):
// zap_page_range of the range's part in each VMA (dontneed_locked, 5.18: of locked VMAs, too, which stay locked); with
// the policy's zap_under_vma_lock a range within one VMA is zapped under that VMA's lock instead of mmap_sem
// (try_vma_read_lock of 6.17). madvise_update_vma (6.1): merge or split, then the flags. madvise_willneed (5.4):
// mmap_sem is given up while the reads are submitted; at most one readahead window of each VMA's part is read
// (force_page_cache_ra), and nobody waits. madvise_populate (5.14, as a loop of its own since 6.9): get_user_pages. A
// hole is passed over and reported at the end, but for populate, which ends there. madvise_free_single_vma (4.5, with
// the inactive list of files since 4.12): the pages of an anonymous VMA are clean, and may go without swap until
// somebody writes to them again. madvise_cold, madvise_pageout (5.4): the pages are the next to be reclaimed, or are
// reclaimed within the hold, a page table at a time (reclaim_pages); zram compresses them there. All three under read
// mode, in every version. hugepage and
// nohugepage (2.6.38): what later faults map; collapse: models/mm/khugepaged.h. madvise_remove (2.6.16): mmap_sem is
// given up while the file loses the pages (models/mm/shmem.h). Simplified. A page costs free and cold
// what reclaim pays to look at it (scan_page). That a page was written to after MADV_FREE is known of faults and of
// what reclaim finds touched. Willneed of anonymous memory is -EBADF, as until 3.8, instead of reading ahead from swap.
// Populating for reading takes memory as for writing (ZERO_PAGE would save it); populate_write of a file that is mapped
// to be read is refused, and remove of files other than shared memory. Kernels before 5.4 submit the reads under
// mmap_sem. Validated by tests/models/mm/madvise_test.cpp: for each branch the lock operations, pages and return value.
#pragma once

#include "models/spec/advice.h"
#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// madvise_need_mmap_write: whether it changes the flags of VMAs.
[[nodiscard]] constexpr bool madvise_need_mmap_write(Advice advice) { return advice <= Advice::nohugepage; }

/// madvise(2) on [start, start + pages). Returns 0 or the first error, what lies before being done:
///   -ENOMEM  there was a hole
///   -EINVAL  dontneed, free, cold or pageout of a VMA that is locked, hugetlb or I/O; free of a file; dofork of I/O;
///            populate of I/O, or of what cannot be written for writing; hugepage and nohugepage of what is special
///   -ENOMEM  collapse, too, where memory had no folio; -EINVAL where there was nothing to collapse
///   -EBADF   willneed of what is no file's
///   -EAGAIN  a VMA could not be split: the map has max_map_count already
///   -EINVAL  remove of what is locked, or no file's
///   -EACCES  remove of a file that is mapped to be read; -EOPNOTSUPP of any other that is not shared memory
/// Takes and releases mmap_sem, or the lock of a VMA.
int sys_madvise(Task& current, Mm& mm, PageIndex start, PageCount pages, Advice advice);

}  // namespace models
