#include "models/mm/tlb.h"

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/task.h"

namespace models {

void flush_tlb_mm(Task& current, const Mm& mm) {
  const Kernel& kernel = current.kernel();
  if (kernel.costs.tlb_flush_cpu == sim::Nanoseconds{0}) return;
  current.settle();
  current.work(kernel.costs.tlb_flush_cpu * kernel.cpus.others_running(mm, current));
}

void tlb_finish_mmu(Task& current, const Mm& mm) {
  current.work(current.kernel().costs.mmu_gather);
  flush_tlb_mm(current, mm);
}

}  // namespace models
