// What becomes of a page in memory when the page table says something else about it: its list and its swap slot.
//
// Kernel. The page-flag and list side of mm/rmap.c, mm/swap.c and mm/mlock.c: lru_cache_add_lru, mlock_vma_page,
// munlock_vma_page, page_remove_rmap with free_pages_and_swap_cache, swap_free. Simplified. A page has one mapping at
// most. Validated by tests/models/mm/rmap_test.cpp: for each pair of states, where the pages are afterwards.
#pragma once

#include "models/mm/lru.h"
#include "models/spec/page.h"

namespace models {

class AddressSpace;
class Mm;
struct Kernel;

/// Brings those pages of [start, end) that are in `from` to `to`; returns how many these were. Pages that were not in
/// memory (absent, swapped) must have been allocated before, and be in flight; those that go out of memory are free. A
/// mapped page of the page cache that is to be absent stays there. Precondition: one owner (Mm::owner_of) for all.
PageCount change_pages(Kernel& kernel, Mm& mm, PageIndex start, PageIndex end, PageState from, PageState to);

/// What [start, start + pages) has is at `to` from now on, and nothing is left where it was: the pages, swap entries,
/// and the page cache of a file. Preconditions: nothing is at `to`; one owner for all, there and here.
void move_pages(Kernel& kernel, Mm& mm, PageIndex start, PageIndex to, PageCount pages);

/// Marks those pages of [start, end) that are resident for reclaim: to the inactive list, accessed bits cleared. With
/// `lazy_free` (lru_lazyfree: anonymous pages go to the inactive list of files) they may go without being written.
enum class Fate { cold, lazy_free };
void deactivate_pages(Kernel& kernel, Mm& mm, PageIndex start, PageIndex end, Fate fate);

/// Somebody has written to `page`, which is resident: it can no longer go unwritten.
void redirty_page(Kernel& kernel, Mm& mm, PageIndex page);

/// Whether a page there is a file's on a device.
[[nodiscard]] bool is_file_backed(const Kernel& kernel, const Mm& mm, PageIndex page);
/// Whether it is shared memory's (models/mm/shmem.h).
[[nodiscard]] bool is_shmem(const Kernel& kernel, const Mm& mm, PageIndex page);
/// Whether it is one of the two: then it is in the page cache, and stays in memory when it is unmapped.
[[nodiscard]] bool is_in_page_cache(const Kernel& kernel, const Mm& mm, PageIndex page);
/// The file that it is of, if that is written through its mapping; otherwise null.
[[nodiscard]] AddressSpace* mapping_of(const Kernel& kernel, const Mm& mm, PageIndex page);

/// The list that a new page of an owner comes to: anonymous pages to the active list in 2.6.28, to the inactive one in
/// 6.1 (workingset protection for anonymous pages, 5.9); file pages to the inactive list. With MGLRU, as a fault brings
/// it, to the youngest generation (folio_add_lru).
[[nodiscard]] LruList list_of_new_page(const Kernel& kernel, OwnerId owner);

}  // namespace models
