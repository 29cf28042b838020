// fork: the longest write hold that has nothing to do with locking.
//
// Kernel. kernel/fork.c of 2.6.28, dup_mmap: the parent's mmap_sem for write while every VMA is copied and, by
// copy_page_range, the entry of every present page. With per-VMA locks each VMA of the parent is write-locked too,
// since its pages become write-protected (6.5). A VM_DONTCOPY VMA is passed over. The child's mappings are not
// VM_LOCKED. Simplified. The child is not simulated further: it takes no memory and exits at once. The parent's
// copy-on-write faults afterwards are not modelled; they are minor faults like others. Validated by
// tests/models/fork_test.cpp.
#pragma once

namespace models {

class Mm;
class Task;

/// fork(2) by a thread of the process that owns `parent`. Returns 0. Takes and releases mmap_sem.
int sys_fork(Task& current, Mm& parent);

}  // namespace models
