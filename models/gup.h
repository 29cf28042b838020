// Making pages of an address space present from inside the kernel.
//
// Kernel. get_user_pages (mm/memory.c of 2.6.28, mm/gup.c today): what is absent goes through handle_mm_fault, with
// nobody's page fault around it. Simplified. Pages of a VM_LOCKED VMA come as resident; who wants them mlocked says so.
// A page that is there costs nothing: the callers' own costs for a page include finding it.
// Validated by tests/mlock_test.cpp and tests/access_remote_vm_test.cpp.
#pragma once

#include "models/page.h"

namespace models {

class Mm;
class Task;
struct Vma;

/// The absent pages of [start, end) in `vma` are allocated, cleared and mapped. mmap_sem must be held, in either mode.
void get_user_pages(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end);

}  // namespace models
