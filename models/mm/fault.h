// The page fault.
//
// Kernel. do_page_fault (arch/x86/mm/fault.c) and handle_mm_fault of 2.6.28: mmap_sem for read, find_vma, allocate,
// clear and map the page, all under the semaphore; an allocation may reclaim meanwhile, and a page may have to be read.
// Since 2.6.37 (policy `retry_on_io`) a fault that has to wait for the device gives the semaphore up meanwhile and
// begins again, once. With policy `fault: per_vma`,
// as since 6.4: lock_vma_under_rcu first, and mmap_sem only if the VMA's lock cannot be had, or the fault is one of
// kernel mode. A fault below a stack makes it grow first (expand_stack, models/mm/brk.h): since 6.5 (policy `fault:
// {stack: write}`) lock_mm_and_find_vma gives read mode up for that, takes write mode and downgrades. A page of swap
// under a VMA's lock before 6.6 is a fault to be tried again under mmap_sem; one in zram is read in place, with
// whatever lock the fault holds (do_swap_page, SWP_SYNCHRONOUS_IO). Simplified. The cost of a fault is drawn as a
// whole. A fault on a page that is there (a race, a protection or NUMA hint) costs as much as a first touch, without
// the allocation. Validated by tests/models/mm/fault_test.cpp.
#pragma once

#include "models/spec/fault_mode.h"
#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// What becomes of the page.
enum class Backing {
  region,    ///< it stays, and the page table knows it
  streamed,  ///< a fresh page of an endless stream that nobody looks at again: it can be reclaimed
};

/// A fault at `page`. Takes and releases the VMA's lock or mmap_sem for read. Outside any VMA nothing happens under the
/// lock: the kernel's SIGSEGV is nobody's business here.
void do_page_fault(Task& current, Mm& mm, PageIndex page, Backing backing, FaultMode mode = FaultMode::user);

/// The same as a part of another phase. Returns 0, -EFAULT outside any VMA, or -ENOMEM where a stack must not grow:
/// with these two the kernel sends SIGSEGV. `current` must have settled.
int do_user_addr_fault(Task& current, Mm& mm, PageIndex page, Backing backing, FaultMode mode = FaultMode::user);

}  // namespace models
