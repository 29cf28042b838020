// mmap_sem and the locks of single VMAs, taken together as a path needs them.
//
// Models how the write mode of mmap_sem and the per-VMA locks belong together, and which lock a fault takes; readers of
// /proc take the same ones (models/proc/procfs.h).
// Kernel. include/linux/mmap_lock.h, vma_start_write, lock_vma_under_rcu (include/linux/mm.h, mm/memory.c) of 6.4 and
// later: whoever changes a VMA under mmap_sem marks it with the mm's sequence number, after the faults in it have left;
// giving up write mode, downgrading included, moves the sequence number on and so unmarks all VMAs at once. Policies
// without per-VMA locks pass through to mmap_sem.
// Which faults may stay under a VMA's lock came in steps (policy `fault`): anonymous VMAs that have an anon_vma (6.4),
// pages from swap (6.6), files, whose read faults need no anon_vma (6.7); since 6.10 the first fault of an anonymous
// VMA only tries mmap_lock for its anon_vma (vmf_anon_prepare). Faults from kernel mode go to mmap_lock at once in
// every kernel (arch/x86/mm/fault.c asks for FAULT_FLAG_USER). Up to 6.14 a VMA's lock is a little rwsem: its writer
// spins on the readers for (20 + readers) / 2 us before it queues, and readers that come meanwhile get past it;
// since 6.15 it is a count that refuses them from the moment that the writer asks. Simplified. Taking and giving up a
// VMA's lock costs nothing of its own next to the fault but for its cache line (models/locking/cache_line.h); readers
// of one VMA's lock never block each other. Validated by tests/models/mm/mmap_lock_test.cpp.
#pragma once

#include <functional>

#include "models/measure/ledger.h"
#include "models/spec/page.h"

namespace models {

class Mm;
class Task;
struct Vma;
struct VmFlags;

void mmap_write_lock(Task& current, Mm& mm);
/// Unmarks every VMA. Precondition: `current` holds mmap_sem for write.
void mmap_write_unlock(Task& current, Mm& mm);
/// Unmarks every VMA. Precondition: as above; afterwards `current` holds it for read.
void mmap_write_downgrade(Task& current, Mm& mm);

/// Waits until no fault uses `vma` and keeps new ones out until write mode is given up. Does nothing if faults take
/// mmap_sem. Precondition: `current` holds mmap_sem for write.
void vma_start_write(Task& current, Mm& mm, Vma& vma);

/// vma_start_write of all that Mm::vma_merge with these arguments is going to change: `vma`, and the neighbours that it
/// joins (vma_prepare, mm/mmap.c). Precondition: as vma_start_write.
void vma_start_write_to_merge(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end, const VmFlags& flags);

/// Takes the lock of `vma`, or returns false if somebody is changing it, it is no longer in the map, or there are no
/// such locks: then mmap_sem it is.
bool vma_start_read(Task& current, Mm& mm, Vma& vma);
/// The same for a fault in user mode (lock_vma_under_rcu), which has to take mmap_sem also where the kernel's version
/// knows no better. `file`: the page is a file's.
bool lock_vma_under_rcu(Task& current, Mm& mm, Vma& vma, bool file);
/// vmf_anon_prepare: gives `vma` its anon_vma if it needs one, under mmap_sem if that can be had at once. Returns false
/// if not: the fault has to be tried again under mmap_sem. Precondition: the VMA's lock is held.
bool vmf_anon_prepare(Task& current, Mm& mm, Vma& vma);
void vma_end_read(Task& current, Vma& vma);

/// Calls wait(task, LockWait) for each task that waits for the readers of a VMA at this moment, for what is not in its
/// ledger yet: charged to who would be charged if they left now.
void for_each_open_vma_wait(const Mm& mm, sim::Time now, const std::function<void(const Task&, const LockWait&)>& wait);

}  // namespace models
