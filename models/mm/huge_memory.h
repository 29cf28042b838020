// Pages that come in folios: which order a fault takes, what that costs, and when a mapping falls apart.
//
// Kernel. mm/huge_memory.c: do_huge_pmd_anonymous_page, __split_huge_pmd; mm/memory.c: alloc_anon_folio (mTHP, 6.8);
// mm/hugetlb.c: hugetlb_no_page. A fault takes the order of its VMA where the folio around the page lies within the VMA
// and none of its pages is there yet (thp_vma_suitable_order, pmd_none); otherwise a single page. Where memory has no
// folio to give above the min watermark it is a single page, too (thp_fault_fallback): at once, or, where a region's
// page size has been asked for (MADV_HUGEPAGE), when direct reclaim finds nothing (vma_thp_gfp_mask with defrag at
// madvise, the default). Fragmentation and compaction are not modelled. hugetlb takes its folios from a pool that is as
// large as its regions. Simplified. Page tables, and the one that is kept for each huge page to be split, cost nothing.
// The pages of a folio that are zapped alone are free at once: the kernel keeps them until the others have gone, too,
// or reclaim splits the folio (deferred_split_folio). Reclaim takes a folio apart, page by page, as before 4.14
// (THP_SWAP). Heap, stack, files, mappers' areas and faulters' arenas are of single pages. Validated by
// tests/models/mm/huge_memory_test.cpp.
#pragma once

#include "models/spec/machine.h"
#include "models/spec/page.h"

namespace models {

class Mm;
class Task;
enum class FolioReclaim;
struct Vma;

/// The order of the folio that a fault at `page`, which is absent, maps. Precondition: `vma` covers it.
[[nodiscard]] int folio_order_at(const Mm& mm, const Vma& vma, PageIndex page);

/// The first page from `page` on, at most `end`, at which a fault may take another order than at `page`.
[[nodiscard]] PageIndex end_of_order(const Vma& vma, PageIndex page, int order, PageIndex end);

/// alloc_folio, charged to the group of `mm`. Returns false if there is none, or no room in the group.
[[nodiscard]] bool alloc_charge_folio(Task& current, const Mm& mm, PageCount pages, FolioReclaim reclaim);

/// What it takes to make a new folio of 2^order pages (order > 0) present, but for its allocation.
[[nodiscard]] sim::Nanoseconds populate_cost(Task& current, int order);

/// Allocates, clears and maps the folio of 2^order pages around `page` as `to`. Returns false, without doing anything,
/// if memory has none. Where a fault of another thread was faster, or is about to be, the folio has been
/// cleared in vain. `current` has settled on return.
[[nodiscard]] bool map_folio(Task& current, Mm& mm, const Vma& vma, PageIndex page, int order, PageState to);

/// hugetlb_vm_op_split: whether `vma` can be cut at `at`. Huge pages of hugetlb cannot.
[[nodiscard]] bool may_split(const Vma& vma, PageIndex at);

/// What joining [start, end), a part of a VMA, with a neighbour costs: vma_merge, and the splits of the huge pages that
/// are mapped across the new border.
[[nodiscard]] sim::Nanoseconds merge_cost(const Costs& costs, const Mm& mm, PageIndex start, PageIndex end);

/// What cutting a VMA at `at` costs: split_vma, and the split of the huge page that is mapped across.
[[nodiscard]] sim::Nanoseconds split_cost(const Costs& costs, const Mm& mm, PageIndex at);

}  // namespace models
