#include "models/mm/mmap_lock.h"

#include <algorithm>
#include <cassert>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/task.h"

namespace models {

namespace {

bool per_vma(Task& current) { return current.kernel().policy.fault == FaultLock::per_vma; }

// The wait of `writer` is charged to the last reader to leave, the one that it really waited for, by what that one did
// meanwhile.
void charge_wait(const Task& reader, Task& writer, sim::Time since, sim::Time now) {
  const auto charge = [&](sim::Time from, sim::Time to, Cause doing) {
    const ClassId taken_by = doing == Cause::run_queue ? reader.cpu_taken_by() : -1;
    writer.ledger().add(
        {from, to, {reader.class_id(), reader.phase(), LockMode::read, -1, doing, taken_by, LockKind::vma}});
  };
  // Who makes no requests remembers only the present.
  if (!reader.ledger().knows(since)) return charge(since, now, Cause::cpu);
  reader.ledger().for_each_between(since, now, charge);
}

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
  vma_start_write(current, mm, vma);
  const Mm::Neighbours near = mm.mergeable(start, end, flags, vma.anon_vma);
  if (near.before != nullptr && start == vma.start) vma_start_write(current, mm, *near.before);
  if (near.after != nullptr && end == vma.end) vma_start_write(current, mm, *near.after);
}

bool vma_start_read(Task& current, Mm& mm, Vma& vma) {
  if (!per_vma(current)) return false;
  current.settle();
  return try_to_lock(current, mm, vma);
}

bool lock_vma_under_rcu(Task& current, Mm& mm, Vma& vma) {
  if (!per_vma(current)) return false;
  current.settle();
  return vma.anon_vma != nullptr && try_to_lock(current, mm, vma);
}

void vma_end_read(Task& current, Vma& vma) {
  const sim::Time now = current.settle();
  std::erase(vma.lock.readers, &current);
  if (!vma.lock.readers.empty() || vma.lock.writer == nullptr) return;
  Task& writer = *vma.lock.writer;
  vma.lock.writer = nullptr;
  charge_wait(current, writer, vma.lock.writer_since, now);
  writer.recharge(Cause::wake_up);
  current.work(current.kernel().costs.rwsem_wake);
  current.settle();
  writer.wake(current);
}

}  // namespace models
