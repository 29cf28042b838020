#include "models/mm/vma_modify.h"

#include <cassert>

#include "models/kernel.h"
#include "models/mm/huge_memory.h"
#include "models/mm/mmap_lock.h"
#include "models/task.h"

namespace models {

namespace {

int split(Task& current, Mm& mm, const VmaPointer& vma, PageIndex at, Mm::NewVma side) {
  current.settle();
  current.work(split_cost(current.kernel().costs, mm, at));
  current.settle();
  return mm.split_vma(vma, at, side);
}

}  // namespace

int vma_modify(Task& current, Mm& mm, VmaPointer& vma, PageIndex start, PageIndex end, const VmFlags& newflags) {
  assert(mm.mmap_sem.held_by(current, LockMode::write));
  assert(vma->start <= start && start < end && end <= vma->end);
  if (newflags == vma->flags) return 0;

  vma_start_write_to_merge(current, mm, *vma, start, end, newflags);
  current.settle();
  if (const VmaPointer merged = mm.vma_merge(vma, start, end, newflags)) {
    current.work(current.kernel().costs.vma_merge);
    vma = merged;
  } else {
    if (start != vma->start) {
      if (const int error = split(current, mm, vma, start, Mm::NewVma::below)) return error;
    }
    if (end != vma->end) {
      if (const int error = split(current, mm, vma, end, Mm::NewVma::above)) return error;
    }
  }
  vma->flags = newflags;
  return 0;
}

}  // namespace models
