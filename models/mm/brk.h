// Growth of the heap and of the stack.
//
// Kernel. mm/mmap.c of 2.6.28. brk(2): sys_brk, do_brk (mmap_sem for write; with VM_LOCKED in def_flags the limit is
// checked; the heap's VMA is extended if its flags are those that new mappings get, else a new one begins; a locked one
// is populated by mlock_vma_pages_range). Stack: a fault below a VM_GROWSDOWN VMA, expand_stack -> acct_stack_growth,
// all under the faulter's mmap_sem for read; what was added to a locked stack is made present. Under drop_and_read
// (`grow`, since 3.9) brk populates after write mode has been given up.
// A heap that shrinks is unmapped as munmap does it, under write mode, and where the policy's munmap downgrades, as
// since 4.20 (commit 9bc8039e715d; do_brk_munmap and do_vmi_align_munmap of 6.x), zapped under read mode.
// Simplified. brk costs as much as mmap of a small region. The limits of the address space, of the
// data segment are not modelled: they end the call before it holds anything for long. Two faults that
// expand the same stack do not meet in anon_vma's lock: each sees what the other has done. 2.6.28 populates a stack
// that grows by get_user_pages (find_extend_vma) [m]; a fault's own growth is treated alike. Since 6.5 a stack grows
// under write mode [m], which no policy has. Validated by tests/models/mm/brk_test.cpp: for each branch the lock
// operations, map, pages and return value.
#pragma once

#include "models/mm/mm.h"

namespace models {

class Task;

/// brk(2): the heap grows by `pages`. Returns 0, -EAGAIN (beyond RLIMIT_MEMLOCK) or -ENOMEM (something is in the way,
/// or the map has max_map_count VMAs); libc makes ENOMEM of both. Takes and releases mmap_sem.
int sys_brk(Task& current, Mm& mm, PageCount pages);

/// RLIMIT_STACK, by default (_STK_LIM, include/linux/resource.h: 8 MiB).
inline constexpr PageCount kRlimitStack{2048};

/// brk(2): the heap shrinks by `pages`. Returns 0 or -ENOMEM (there is not that much of it; the map-count limit). Takes
/// and releases mmap_sem.
int sys_brk_shrink(Task& current, Mm& mm, PageCount pages);

/// Makes `vma`, a stack, begin at `address`, below its start. Returns 0 or -ENOMEM (RLIMIT_STACK, RLIMIT_MEMLOCK).
/// mmap_sem must be held, for read is enough.
int expand_stack(Task& current, Mm& mm, const VmaPointer& vma, PageIndex address);

/// A fault at the lowest page of `pages` pages below the stack. Returns as do_user_addr_fault does. Takes and releases
/// mmap_sem.
int stack_fault(Task& current, Mm& mm, PageCount pages);

}  // namespace models
