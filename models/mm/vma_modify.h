// Other flags for a part of a VMA: joined with its neighbours, or cut at the part's borders.
//
// Kernel. What mprotect_fixup and madvise_update_vma do alike between the comparison of the flags and their change, a
// function of its own since 6.8: vma_modify, mm/mmap.c. With per-VMA locks every VMA that changes is write-locked
// before. Validated by tests/models/mm/vma_modify_test.cpp.
#pragma once

#include "models/mm/mm.h"
#include "models/spec/page.h"

namespace models {

class Task;

/// Gives [start, end), a part of `vma`, the flags `newflags`, and leaves `vma` at the VMA that then covers it. Does
/// nothing if it has them. Returns 0, or -ENOMEM when a split would go beyond max_map_count: the flags are as they
/// were, but the VMA may have been split already. Precondition: `current` holds mmap_sem for write.
int vma_modify(Task& current, Mm& mm, VmaPointer& vma, PageIndex start, PageIndex end, const VmFlags& newflags);

/// Mm::split_vma with what it costs, an object for the new VMA included (models/mm/vma_slab.h). Returns 0 or -ENOMEM.
/// Precondition: `current` holds mmap_sem for write.
int split_vma(Task& current, Mm& mm, const VmaPointer& vma, PageIndex at, Mm::NewVma side);
/// Mm::vma_merge with what it costs; what it joins gives its object back. Precondition: as above.
VmaPointer merge_vma(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end,
                     const VmFlags& newflags);

}  // namespace models
