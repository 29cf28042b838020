#include "models/fault.h"

#include "models/kernel.h"
#include "models/mm.h"
#include "models/task.h"

namespace models {

void do_anonymous_fault(Task& current, Mm& mm) {
  Kernel& kernel = current.kernel();
  current.enter(Phase::fault);
  mm.mmap_sem.down_read(current);
  alloc_page(current);
  current.work(kernel.costs.fault, Purpose::fault);
  current.settle();
  kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::evictable, PageCount(1));
  mm.mmap_sem.up_read(current);
  current.enter(Phase::user);
}

}  // namespace models
