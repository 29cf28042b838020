// Reading the memory of another process: debuggers, profilers, checkpointers, and ps for the command line.
//
// Kernel. access_process_vm (mm/memory.c of 2.6.28; its core is called __access_remote_vm since 2.6.39): mmap_sem of
// the *target* for read, once for the whole request; page by page get_user_pages and copy; the first page that cannot
// be had ends it. Simplified. A page that is absent is populated, as a fault of the target would, also for reading
// (ZERO_PAGE, in use again since 2.6.32, would save the memory).
// Validated by tests/models/mm/access_remote_vm_test.cpp.
#pragma once

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// Reads [start, start + pages) of `target`. Returns how many pages it got. Takes and releases the target's mmap_sem.
PageCount access_process_vm(Task& current, Mm& target, PageIndex start, PageCount pages);

}  // namespace models
