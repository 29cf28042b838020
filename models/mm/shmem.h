// Shared memory: MAP_SHARED | MAP_ANONYMOUS, memfd, files in /dev/shm. What is of it alone; the rest is where any other
// page's is.
//
// Kernel. mm/shmem.c of 6.1 and 6.12. A page is one of a file in the page cache, and backed by swap: it is allocated by
// a fault (shmem_fault, shmem_get_folio), lies on the anonymous lists, and has a swap slot when reclaim takes it. As
// the file's it stays when the mapping goes: munmap and MADV_DONTNEED drop entries, a fault after them finds the page
// again, with its neighbours where it only reads (map_pages). MADV_REMOVE and fallocate's FALLOC_FL_PUNCH_HOLE take it
// out of the file. fork copies no entries of it (vma_needs_copy: no anon_vma; a test of copy_page_range before 5.18).
// Faults in it are those of a file: under the VMA's lock from 6.7 on. A page in swap is waited for with the lock held
// in every version (shmem_swapin_folio locks it): it is not given up. Simplified. The file outlives the process, as one
// in /dev/shm does, or as a memfd that another process has open: memory that was shared with a child only would go with
// its last mapping. It has one mapping, and its pages are known by where that is. A fault does not wait for a hole that
// is being punched. Huge pages (shmem_enabled, huge=) and khugepaged's collapse of it are not modelled: a scenario that
// asks for them is refused. Validated by tests/models/mm/shmem_test.cpp.
#pragma once

#include "models/spec/page.h"
#include "sim/time.h"

namespace sim {
class Stream;
}  // namespace sim

namespace models {

class Mm;
class Task;
struct Costs;

/// What a new page takes on top of `fault` or populate_page. One that becomes mlocked is on a list by the time that it
/// is mapped, from which it has to be taken (mlock_folio; of anonymous memory mlock_new_folio): mlock_page, drawn from
/// `stream`.
[[nodiscard]] sim::Nanoseconds new_shmem_page(const Costs& costs, PageState to, sim::Stream& stream);

/// shmem_fallocate(FALLOC_FL_PUNCH_HOLE) of what is mapped at [start, end): its pages, in memory or in swap, are free
/// afterwards. mmap_sem is not needed; its pages have one owner.
void shmem_punch_hole(Task& current, Mm& mm, PageIndex start, PageIndex end);

}  // namespace models
