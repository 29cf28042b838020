#include "models/mm/exit_mmap.h"

#include <cassert>

#include "models/kernel.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap.h"
#include "models/mm/pagewalk.h"
#include "models/mm/userfaultfd.h"
#include "models/task.h"

namespace models {

namespace {

void munlock_all(Task& current, Mm& mm) {
  const bool walk = !current.kernel().policy.munlock_in_zap;
  for (VmaPointer vma = mm.find_vma(PageIndex(0)); vma != nullptr; vma = mm.next(*vma)) {
    if (!vma->flags.locked) continue;
    mm.locked_vm -= vma->pages();
    vma->flags.locked = false;
    if (walk) munlock_vma_pages_range(current, mm, *vma, vma->start, vma->end);  // munlock_vma_pages_all
  }
}

void unmap_vmas(Task& current, Mm& mm) {
  for (VmaPointer vma = mm.find_vma(PageIndex(0)); vma != nullptr; vma = mm.next(*vma))
    walk_page_range(current, mm, vma->start, vma->end, zap_step(current.kernel().costs));
}

void remove_all_vmas(Task& current, Mm& mm) {
  const auto count = static_cast<std::int64_t>(mm.map_count());
  remove_vmas(current, count, count);
  while (const VmaPointer vma = mm.find_vma(PageIndex(0))) mm.detach_vma(vma);
}

// Nobody else can reach the map: no lock is taken.
void exit_mmap(Task& current, Mm& mm) {
  assert(mm.users == 0 && mm.exiting && !mm.mmap_sem.is_contended());
  const Phase before = current.phase();
  current.enter(Phase::exit);
  if (mm.locked_vm > PageCount(0)) munlock_all(current, mm);
  unmap_vmas(current, mm);
  remove_all_vmas(current, mm);
  current.enter(before);
}

// kernel/exit.c.
void exit_mm(Task& current, Mm& mm) {
  mm.mmap_sem.down_read(current);
  mm.mmap_sem.up_read(current);
  mmput(current, mm);
}

}  // namespace

bool get_task_mm(Mm& mm) {
  if (mm.exiting) return false;
  ++mm.users;
  return true;
}

void mmput(Task& current, Mm& mm) {
  assert(mm.users > 0);
  if (--mm.users == 0) exit_mmap(current, mm);
}

void sys_exit(Task& current, Mm& mm) {
  current.enter(Phase::exit);
  assert(!mm.exiting);
  mm.exiting = true;
  current.work(current.kernel().costs.system_call);
  for (const auto& each : mm.userfaultfds) each->wake(current, PageIndex(0), kStackTop);  // zap_other_threads
  exit_mm(current, mm);
}

}  // namespace models
