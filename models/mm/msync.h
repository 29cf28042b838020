// msync: a reader that waits for a device, and not under the lock.
//
// Kernel. mm/msync.c of 6.1 and 6.12, sys_msync with MS_SYNC: mmap_sem for read while the VMA is looked up; of a shared
// mapping of a file it is given up, its part of the file written and waited for (vfs_fsync_range,
// file_write_and_wait_range: write_cache_pages with WB_SYNC_ALL, filemap_fdatawait_range), and taken again for the next
// VMA. Shared memory has nothing to write (noop_fsync), but gives the lock up, too. A hole is passed over and reported
// at the end. Simplified. MS_ASYNC, which does nothing since 2.6.19, and MS_INVALIDATE are left out; so is what the
// file system writes besides. Validated by tests/models/mm/msync_test.cpp.
#pragma once

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// msync(2) of [start, start + pages), MS_SYNC. Returns 0, or -ENOMEM where there was a hole. Takes and releases
/// mmap_sem.
int sys_msync(Task& current, Mm& mm, PageIndex start, PageCount pages);

}  // namespace models
