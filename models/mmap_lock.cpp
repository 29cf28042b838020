#include "models/mmap_lock.h"

#include <algorithm>
#include <cassert>

#include "models/kernel.h"
#include "models/mm.h"
#include "models/task.h"

namespace models {

namespace {

bool per_vma(Task& current) { return current.kernel().policy.fault == FaultLock::per_vma; }

// `current` has settled.
bool try_to_lock(Task& current, const Mm& mm, Vma& vma) {
  if (vma.lock.sequence == mm.lock_sequence || vma.detached) return false;
  vma.lock.readers.push_back(&current);
  return true;
}

}  // namespace

void mmap_write_lock(Task& current, Mm& mm) { mm.mmap_sem.down_write(current); }

void mmap_write_unlock(Task& current, Mm& mm) {
  current.settle();
  ++mm.lock_sequence;
  mm.mmap_sem.up_write(current);
}

void mmap_write_downgrade(Task& current, Mm& mm) {
  current.settle();
  ++mm.lock_sequence;
  mm.mmap_sem.downgrade_write(current);
}

void vma_start_write(Task& current, Mm& mm, Vma& vma) {
  assert(mm.mmap_sem.held_by(current, LockMode::write));
  if (!per_vma(current)) return;
  const sim::Time now = current.settle();
  vma.lock.sequence = mm.lock_sequence;
  if (vma.lock.readers.empty()) return;
  assert(vma.lock.writer == nullptr && "two writers under one write hold");
  vma.lock.writer = &current;
  vma.lock.writer_since = now;
  current.block(Cause::lock_wait);
}

void vma_start_write_to_merge(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end, const VmFlags& flags) {
  const VmaPointer before = start == vma.start ? mm.previous(vma) : nullptr;
  const VmaPointer after = end == vma.end ? mm.next(vma) : nullptr;
  vma_start_write(current, mm, vma);
  if (before != nullptr && before->end == start && before->flags == flags) vma_start_write(current, mm, *before);
  if (after != nullptr && after->start == end && after->flags == flags) vma_start_write(current, mm, *after);
}

bool vma_start_read(Task& current, Mm& mm, Vma& vma) {
  if (!per_vma(current)) return false;
  current.settle();
  return try_to_lock(current, mm, vma);
}

bool lock_vma_under_rcu(Task& current, Mm& mm, Vma& vma) {
  if (!per_vma(current)) return false;
  current.settle();
  return vma.has_anon_vma && try_to_lock(current, mm, vma);
}

void vma_end_read(Task& current, Vma& vma) {
  const sim::Time now = current.settle();
  std::erase(vma.lock.readers, &current);
  if (!vma.lock.readers.empty() || vma.lock.writer == nullptr) return;
  Task& writer = *vma.lock.writer;
  vma.lock.writer = nullptr;
  // Charged to the last fault to leave: the one that it really waited for.
  writer.ledger().add({vma.lock.writer_since, now, {current.class_id(), current.phase(), LockMode::read, -1}});
  writer.recharge(Cause::wake_up);
  current.work(current.kernel().costs.rwsem_wake);
  current.settle();
  writer.wake(current);
}

}  // namespace models
