// mprotect: a writer that changes single pages of the map.
//
// Kernel. mm/mprotect.c of 2.6.28, sys_mprotect and mprotect_fixup: mmap_sem for write throughout; for each VMA of the
// range: nothing if its flags are right already, else merge with neighbours or split at the borders, then
// change_protection, which visits every present entry; the TLBs are flushed before the unlock (tlb_finish_mmu). Since
// 4.2 (36f881883c57; mm/mprotect.c of 6.1) a private VMA that is VM_LOCKED, and not by MLOCK_ONFAULT, is populated once
// it becomes writable, still under write mode: what is absent is allocated there, and each page that is there looked
// at. Seen on 6.18.44, 128 MiB: nothing else that asks for mmap_lock is answered meanwhile; of pages that are there it
// adds what an mlock of locked pages takes (0.3 to 0.45 us of 1.3 to 1.4, beside a build; that one 0.27 to 0.47).
// Simplified. Of a protection only whether it allows writing; allowing it again costs what forbidding it does: 6.1 and
// later make the entries of exclusive anonymous pages writable as they pass, earlier ones left them to the next fault.
// Nobody's access is refused. Validated by tests/models/mm/mprotect_test.cpp: for each branch the lock operations, map
// and return value.
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
