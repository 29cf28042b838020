// fork: the longest write hold that has nothing to do with locking.
//
// Kernel. kernel/fork.c of 2.6.28, dup_mmap: the parent's mmap_sem for write while every VMA is copied and, by
// copy_page_range, the entry of every present page; at the end, still under it, the TLBs are flushed, as the parent's
// pages have become write-protected. With per-VMA locks each VMA of the parent is write-locked too (6.5). A VM_DONTCOPY
// VMA is passed over, and no entries are copied of a shared mapping (vma_needs_copy). The child's mappings are not
// VM_LOCKED. A child that lives on shares the parent's anonymous pages (models/mm/cow.h): whoever writes to one of them
// copies it. vfork and posix_spawn (CLONE_VM | CLONE_VFORK) copy no address space and take no mmap_sem; the parent goes
// on when the child has exec'ed, which is part of what it costs. Simplified. The child is not simulated further: it
// touches nothing, and its exit costs nobody anything. Without a time to live it execs at once. mlock of shared pages
// does not copy them (the kernel's populate does, as it asks for write). Validated by tests/models/fork_test.cpp.
#pragma once

#include <optional>

#include "sim/time.h"

namespace models {

class Mm;
class Task;

/// fork(2) by a thread of the process that owns `parent`. `lives`: for how long the child shares its pages; none: it
/// execs at once. Returns 0. Takes and releases mmap_sem.
int sys_fork(Task& current, Mm& parent, std::optional<sim::Nanoseconds> lives = std::nullopt);

/// vfork(2), up to the child's exec. Returns 0.
int sys_vfork(Task& current);

}  // namespace models
