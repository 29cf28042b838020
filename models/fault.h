// The page fault.
//
// Kernel. do_page_fault (arch/x86/mm/fault.c) and handle_mm_fault of 2.6.28: mmap_sem for read, find_vma, allocate, clear
// and map the page, all under the semaphore; an allocation may reclaim meanwhile.
// Simplified. Every fault is the first touch of an anonymous page; its cost is drawn as a whole.
// Validated by tests/fault_test.cpp.
#pragma once

namespace models {

class Mm;
class Task;

/// First touch of a fresh page that nobody else looks at. Takes and releases mmap_sem for read.
void do_anonymous_fault(Task& current, Mm& mm);

}  // namespace models
