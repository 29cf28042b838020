// Where VMAs come from: objects of a slab, whose pages are allocated with mmap_sem held for write.
//
// Models. kmem_cache_alloc(vm_area_cachep): an object that is free, or else a page, cut into objects. So one new VMA in
// sixteen allocates a page, and when memory is short reclaims for it while everybody waits for the map.
// Kernel. kernel/fork.c, vm_area_alloc, vm_area_free; struct vm_area_struct is about 232 bytes with its lock [inf: 6.4
// to 6.14, 64 bit], 17 to a page. Simplified. One cache for all CPUs; pages never go back; anon_vmas, maple tree nodes
// and page tables are not counted. The VMAs that are there at the start have their objects already. Validated by
// tests/models/mm/vma_slab_test.cpp.
#pragma once

#include <cstdint>

namespace models {

struct Kernel;
class Task;

/// VMAs that a page of the slab has room for.
inline constexpr std::int64_t kVmasPerSlabPage = 16;

/// vm_area_cachep.
struct VmaSlab {
  std::int64_t free_objects = 0;
};

/// Takes an object for a new VMA, with a page for it if there is none.
void vm_area_alloc(Task& current);
/// Gives the objects of `count` VMAs back. Whoever calls it has settled.
void vm_area_free(Kernel& kernel, std::int64_t count);

}  // namespace models
