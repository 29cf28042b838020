#include "models/mm/vma_slab.h"

#include <cassert>

#include "models/kernel.h"
#include "models/task.h"

namespace models {

void vm_area_alloc(Task& current) {
  Kernel& kernel = current.kernel();
  current.settle();
  // Another task may take what this one's page brings while it is reclaimed for.
  while (kernel.vma_slab.free_objects == 0) {
    alloc_page(current);
    kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::slab, PageCount(1), current.now());
    kernel.vma_slab.free_objects += kVmasPerSlabPage;
  }
  --kernel.vma_slab.free_objects;
  call_rcu(kernel);  // of the node of the tree of VMAs that another one replaces
}

void vm_area_free(Kernel& kernel, std::int64_t count) {
  assert(count >= 0);
  kernel.vma_slab.free_objects += count;
  if (count > 0) call_rcu(kernel);
}

}  // namespace models
