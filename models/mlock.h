// mlock and munlock: the paths that the patch of 2008 changed, function by function.
//
// Kernel. mm/mlock.c of 2.6.28-rc, to be read beside it: same functions, same order, same branches. What the policy
// may change is the mode of mmap_sem over the two page walks, populate and munlock, and nothing else.
// Simplified. lock_page never waits (nobody else locks these pages); populate cannot fail (no file ends inside a
// region); migration entries do not occur.
// Validated by tests/mlock_test.cpp: for each branch the sequence of lock operations, pages and return value.
#pragma once

#include "models/page.h"

namespace models {

class Mm;
class Task;

/// mlock(2) on [start, start + pages). Returns 0, -EPERM, -ENOMEM or -EAGAIN as the kernel does.
/// Takes and releases mmap_sem.
int sys_mlock(Task& current, Mm& mm, PageIndex start, PageCount pages);

/// munlock(2). Returns 0, -ENOMEM, or -EAGAIN where the policy opens a window. Takes and releases mmap_sem.
int sys_munlock(Task& current, Mm& mm, PageIndex start, PageCount pages);

/// The walk over the pages of [start, end): clears Mlocked and puts them back on their evictable lists.
/// mmap_sem must be held, in either mode.
void munlock_vma_pages_range(Task& current, Mm& mm, PageIndex start, PageIndex end);

}  // namespace models
