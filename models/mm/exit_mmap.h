// Who uses an address space, and its end.
//
// Kernel. 2.6.28: get_task_mm and mmput (kernel/fork.c), exit_mm (kernel/exit.c: mmap_sem for read for a moment,
// because of core dumps; then the process's own reference is given back), exit_mmap (mm/mmap.c: munlock_vma_pages_all
// of each locked VMA, unmap_vmas, remove_vma). exit_mmap takes no lock: mm_users is 0, so nobody can get at the map any
// more. Those who still can, a reader of /proc say, hold a reference from get_task_mm; then the last of them finds
// itself doing all of exit_mmap in its mmput. With `munlock_in_zap` (5.18) the zap munlocks as it goes. Simplified. All
// threads of a process end together with the one that exits, each after the call that it is in (exit_group). Page
// tables cost nothing to free. Since 2018 the unmapping takes mmap_sem for read for the OOM reaper's sake [m]; as
// nobody else is left, it never waits. Validated by tests/models/mm/exit_mmap_test.cpp.
#pragma once

namespace models {

class Mm;
class Task;

/// Takes a reference for the length of a call, or returns false if the process is gone. To be given back by mmput.
bool get_task_mm(Mm& mm);
/// Gives a reference back; the last one to do so unmaps everything. mmap_sem must not be held,
/// and `current` must have settled.
void mmput(Task& current, Mm& mm);

/// exit_group(2), as far as the address space goes. Precondition: the process has not exited yet.
void sys_exit(Task& current, Mm& mm);

}  // namespace models
