#include "models/mm/mmap_lock.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/task.h"

namespace models {

namespace {

bool per_vma(Task& current) { return current.kernel().policy.fault == FaultLock::per_vma; }

// What a writer has waited for `reader` since `since`, by what that one did meanwhile: wait(LockWait), piece by piece.
template <class Wait>
void for_each_piece(const Task& reader, sim::Time since, sim::Time now, Wait wait) {
  const auto charge = [&](sim::Time from, sim::Time to, Cause doing) {
    const ClassId taken_by = doing == Cause::run_queue ? reader.cpu_taken_by() : -1;
    wait(LockWait{from, to, {reader.class_id(), reader.phase(), LockMode::read, -1, doing, taken_by, LockKind::vma}});
  };
  // Who makes no requests remembers only the present.
  if (!reader.ledger().knows(since)) return charge(since, now, Cause::cpu);
  reader.ledger().for_each_between(since, now, charge);
}

// The wait of `writer` is charged to the last reader to leave, the one that it really waited for.
void charge_wait(const Task& reader, Task& writer, sim::Time since, sim::Time now) {
  for_each_piece(reader, since, now, [&](const LockWait& wait) { writer.ledger().add(wait); });
}

// Newcomers get past a writer that spins.
bool refuses_readers(const Mm& mm, const Vma& vma) {
  return vma.detached || (vma.lock.sequence == mm.lock_sequence && !vma.lock.writer_spins);
}

// `current` has settled.
bool try_to_lock(Task& current, const Mm& mm, Vma& vma) {
  vma.lock.line.use(current);
  if (refuses_readers(mm, vma)) return false;
  vma.lock.readers.push_back(&current);
  return true;
}

// rwsem_rspin_threshold.
sim::Nanoseconds spin_limit(const VmaLock& lock) {
  return sim::Nanoseconds{std::chrono::microseconds{20 + std::min<std::size_t>(lock.readers.size(), 30)}} / 2;
}

// The optimistic spin of down_write. Returns whether the readers have left.
bool spin_on_readers(Task& current, VmaLock& lock) {
  const sim::Time since = current.now();
  lock.writer_spins = true;
  (void)current.spin(Cause::lock_wait, since + spin_limit(lock));
  lock.writer_spins = false;
  if (lock.writer == nullptr) return true;
  // Nobody has left who would be charged with it: those who are still there are.
  charge_wait(*lock.readers.back(), current, since, current.now());
  lock.writer_since = current.now();
  return false;
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
  current.settle();
  vma.lock.line.use(current);
  const sim::Time now = current.now();
  vma.lock.sequence = mm.lock_sequence;
  if (vma.lock.readers.empty()) return;
  assert(vma.lock.writer == nullptr && "two writers under one write hold");
  vma.lock.writer = &current;
  vma.lock.writer_since = now;
  if (current.kernel().policy.vma_lock == VmaLockKind::rwsem && spin_on_readers(current, vma.lock)) return;
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

bool lock_vma_under_rcu(Task& current, Mm& mm, Vma& vma, bool file) {
  if (!per_vma(current)) return false;
  const Policy& policy = current.kernel().policy;
  current.settle();
  if (file && policy.vma_lock_covers != VmaLockCovers::files) return false;
  if (vma.flags.userfaultfd != 0 && policy.vma_lock_covers == VmaLockCovers::anonymous) return false;
  const bool needs_mmap_sem = !file && vma.anon_vma == nullptr && policy.first_touch == FirstTouch::mmap_sem;
  return !needs_mmap_sem && try_to_lock(current, mm, vma);
}

bool vmf_anon_prepare(Task& current, Mm& mm, Vma& vma) {
  if (vma.anon_vma != nullptr) return true;
  if (!mm.mmap_sem.down_read_trylock(current)) return false;
  current.settle();
  mm.anon_vma_prepare(vma);
  mm.mmap_sem.up_read(current);
  return true;
}

void vma_end_read(Task& current, Vma& vma) {
  current.settle();
  vma.lock.line.use(current);
  const sim::Time now = current.now();
  std::erase(vma.lock.readers, &current);
  if (!vma.lock.readers.empty() || vma.lock.writer == nullptr) return;
  Task& writer = *vma.lock.writer;
  vma.lock.writer = nullptr;
  charge_wait(current, writer, vma.lock.writer_since, now);
  if (std::exchange(vma.lock.writer_spins, false)) return writer.end_spin();
  writer.recharge(Cause::wake_up);
  current.work(current.kernel().costs.rwsem_wake);
  current.settle();
  writer.wake(current);
}

void for_each_open_vma_wait(const Mm& mm, sim::Time now,
                            const std::function<void(const Task&, const LockWait&)>& wait) {
  for (VmaPointer vma = mm.find_vma(PageIndex(0)); vma != nullptr; vma = mm.find_vma(vma->end)) {
    const VmaLock& lock = vma->lock;
    if (lock.writer == nullptr) continue;
    for_each_piece(*lock.readers.back(), lock.writer_since, now,
                   [&](const LockWait& each) { wait(*lock.writer, each); });
  }
}

}  // namespace models
