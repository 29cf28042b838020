// Making pages of an address space present from inside the kernel.
//
// Kernel. get_user_pages (mm/memory.c of 2.6.28, mm/gup.c today): what is absent goes through handle_mm_fault, with
// nobody's page fault around it; a page that is there has to be found (gup_present). Whoever comes to a page that
// another task is clearing clears one, too, finds the other's when it is done, and goes on. A new page of a VM_LOCKED
// VMA is mlocked from the beginning (mapped_in), at no price of its own; but one of shared memory is on a list by then,
// from which it has to be taken (mlock_page). Measured on 6.18.44, CPU time of mlock of 64 MiB that are absent by that
// of MADV_POPULATE_WRITE, medians of 41 pairs in three sittings: 1.03 (quartiles 0.98 to 1.07), shared memory 1.22 to
// 1.23 (1.17 to 1.29), 2 MiB pages 0.99 to 1.00 (0.96 to 1.03). Simplified. Pages become present a page table at a
// time, or as many as are asked for (16 by mlock and madvise); so one who comes second waits, in clearing, for all of
// these. Validated by tests/models/mm/gup_test.cpp, tests/models/mm/mlock_test.cpp,
// tests/models/mm/access_remote_vm_test.cpp and tests/models/mm/madvise_test.cpp.
#pragma once

#include <cstdint>

#include "models/mm/memory.h"
#include "models/mm/pagewalk.h"
#include "models/spec/page.h"

namespace models {

class Mm;
class Task;
struct Vma;

/// How get_user_pages passes over pages that are there.
[[nodiscard]] inline PageLook gup_look(const Costs& costs) {
  return {.present = costs.gup_present, .huge = costs.gup_huge};
}

/// Up to where the callers of get_user_pages ask for pages from `page` on at a time: 16 (a pagevec of 2.6.28's
/// __mlock_vma_pages_range; later kernels look at need_resched for each page), or that many folios.
[[nodiscard]] PageIndex end_of_gup_batch(const Vma& vma, PageIndex page, PageIndex end);

/// What it costs to pass over pages that are there, a folio that one entry maps at a time (follow_page_mask).
void pass_over(Task& current, const Mm& mm, PageIndex start, PageIndex end);

/// Pages of [start, end) in `vma` that are not present are allocated and cleared, or read, and mapped; with
/// Access::write (FOLL_WRITE) clean ones of a file that is written become dirty. Returns `end`,
/// or with IoWait::retry the page that has to be read first (wait_for_page, with mmap_sem given up). mmap_sem must be
/// held, in either mode.
PageIndex get_user_pages(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end,
                         IoWait io = IoWait::under_lock, Access access = Access::read);

/// The beginning of [start, end) in `vma`, in its first page table: absent pages that are populated and mlocked batch
/// by batch while `current` is undisturbed for as long as one takes. Nobody can have changed anything between them, so
/// there is nothing to look at again. Does what get_user_pages and mlock's walk would, and counts for each batch the
/// `looks` that they would have made. Returns up to where; `start` where that is not so.
PageIndex populate_undisturbed(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end, std::uint64_t looks);

}  // namespace models
