// NUMA balancing's scan: makes pages of an address space inaccessible, so that the next touch of each tells by a fault
// where it is used from.
//
// Kernel. task_numa_work (kernel/sched/fair.c) and change_prot_numa (mm/mempolicy.c) of 6.1: task work of whichever
// thread comes back to user mode first when a scan is due. mmap_lock is tried for read and held for the whole scan, in
// which the CPU may be given away but not the lock: entries of `scan_size`, or eight times that of addresses with
// nothing to change, VMA by VMA, each stretch with its flush of the TLBs. The next scan goes on where this one ended.
// Simplified. The scan is a thread of its own, not the work of others; all pages have been touched since the last scan,
// so that each entry is changed again (as change_protection does it for mprotect); the hinting faults are nobody's; the
// period is fixed (the kernel's follows what the faults tell, and slows down to keep within 3 % of a CPU); a VMA is not
// skipped because this thread has not been there (since 6.4). Validated by tests/models/mm/numa_balancing_test.cpp:
// closed forms.
#pragma once

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// One scan from `offset` on (mm->numa_scan_offset), which is left where the next one begins. Does nothing if mmap_sem
/// is not free for a reader at once. Takes and releases mmap_sem.
void task_numa_work(Task& current, Mm& mm, PageCount scan_size, PageIndex& offset);

}  // namespace models
