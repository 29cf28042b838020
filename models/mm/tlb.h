// TLB shootdowns: whoever takes rights away from page table entries waits until no CPU uses the old ones.
//
// Models. An interrupt to each other CPU that runs a thread of the address space at that moment, and the wait for all
// of them, as CPU time of the one who asks (cost `tlb_flush_cpu` each), within the hold of whatever lock it has.
// Kernel. arch/x86/mm/tlb.c, flush_tlb_mm_range and native_flush_tlb_multi; called by tlb_finish_mmu (mm/mmu_gather.c)
// at the end of a zap and of change_protection, and by dup_mmap. Simplified. One flush a call: a long zap makes one
// more for each 10,000 pages, which is next to nothing beside what these cost. The CPUs that are interrupted lose no
// time; one that has just switched away from the process is not asked (the kernel asks it while it is lazy). The CPU's
// own flush is part of what a page or a call costs, or, where pages are taken away, of cost `mmu_gather`. Validated by
// tests/models/mm/tlb_test.cpp: closed forms, and in which hold it falls.
#pragma once

namespace models {

class Mm;
class Task;

/// flush_tlb_mm. Settles.
void flush_tlb_mm(Task& current, const Mm& mm);

/// The end of a call that has taken pages away. Settles.
void tlb_finish_mmu(Task& current, const Mm& mm);

}  // namespace models
