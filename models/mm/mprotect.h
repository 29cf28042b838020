// mprotect: a writer that changes single pages of the map.
//
// Kernel. mm/mprotect.c of 2.6.28, sys_mprotect and mprotect_fixup: mmap_sem for write throughout; for each VMA of the
// range: nothing if its flags are right already, else merge with neighbours or split at the borders, then
// change_protection, which visits every present entry; the TLBs are flushed before the unlock (tlb_finish_mmu).
// Simplified. Of a protection only whether it allows writing; allowing it again visits the entries, too, though the
// kernel leaves most of them to the next fault. Nobody's access is refused. Validated by
// tests/models/mm/mprotect_test.cpp: for each branch the lock operations, map and return value.
#pragma once

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// change_protection: visits the entries of all present pages of [start, end); returns how many pages these are. The
/// TLBs are the caller's to flush.
PageCount change_protection(Task& current, const Mm& mm, PageIndex start, PageIndex end);

/// mprotect(2) of [start, start + pages): PROT_READ, with PROT_WRITE unless `readonly`. Returns 0 or -ENOMEM (a hole,
/// or a split beyond the map-count limit; what lies before is changed). Takes and releases mmap_sem.
int sys_mprotect(Task& current, Mm& mm, PageIndex start, PageCount pages, bool readonly);

}  // namespace models
