#include "models/mm/vma_modify.h"

#include <cassert>
#include <cerrno>
#include <cstdint>

#include "models/kernel.h"
#include "models/mm/huge_memory.h"
#include "models/mm/mmap_lock.h"
#include "models/task.h"

namespace models {

int split_vma(Task& current, Mm& mm, const VmaPointer& vma, PageIndex at, Mm::NewVma side) {
  if (!may_split(*vma, at)) return -EINVAL;
  current.settle();
  current.work(split_cost(current.kernel().costs, mm, at));
  current.settle();
  if (mm.map_count() >= mm.max_map_count) return -ENOMEM;
  vm_area_alloc(current);
  return mm.split_vma(vma, at, side);
}

VmaPointer merge_vma(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end,
                     const VmFlags& newflags) {
  current.settle();
  const std::size_t vmas = mm.map_count();
  const sim::Nanoseconds cost = merge_cost(current.kernel().costs, mm, start, end);
  const VmaPointer merged = mm.vma_merge(vma, start, end, newflags);
  if (merged == nullptr) return nullptr;
  vm_area_free(current.kernel(), static_cast<std::int64_t>(vmas - mm.map_count()));
  current.work(cost);
  return merged;
}

int vma_modify(Task& current, Mm& mm, VmaPointer& vma, PageIndex start, PageIndex end, const VmFlags& newflags) {
  assert(mm.mmap_sem.held_by(current, LockMode::write));
  assert(vma->start <= start && start < end && end <= vma->end);
  if (newflags == vma->flags) return 0;

  vma_start_write_to_merge(current, mm, *vma, start, end, newflags);
  if (const VmaPointer merged = merge_vma(current, mm, vma, start, end, newflags)) {
    vma = merged;
  } else {
    if (start != vma->start) {
      if (const int error = split_vma(current, mm, vma, start, Mm::NewVma::below)) return error;
    }
    if (end != vma->end) {
      if (const int error = split_vma(current, mm, vma, end, Mm::NewVma::above)) return error;
    }
  }
  vma->flags = newflags;
  return 0;
}

}  // namespace models
