// Memory that is pinned for a device: RDMA, io_uring, VFIO.
//
// Kernel. mm/gup.c, pin_user_pages_fast: pages that are there are found without a lock; what is left of a batch goes
// through __get_user_pages with mmap_sem for read, under every kernel (gup takes no VMA's lock), one batch a hold,
// given up where a page has to be read. pin_user_pages_remote: all of a batch under mmap_sem for read.
//   rdma      __ib_umem_get (drivers/infiniband/core/umem.c): fast, in batches of 512 pages; counted in mm->pinned_vm,
//             without a lock (5.1)
//   io_uring  io_pin_pages (io_uring/rsrc.c): fast, all of a buffer in one batch; pinned_vm, too. Up to 6.4 it is
//             pin_user_pages under mmap_sem for read, here as well where the policy's faults take mmap_sem.
//   vfio      vfio_pin_pages_remote (drivers/vfio/vfio_iommu_type1.c): remote, in batches of 512 pages (5.12);
//             vfio_lock_acct adds each batch to locked_vm with mmap_sem for write (__account_locked_vm,
//             mm/util.c, 5.3), and takes the sum away likewise when all is unpinned. Beyond RLIMIT_MEMLOCK: -ENOMEM.
// Simplified. Reclaim does not know what is pinned. VFIO's batches end where pages do not follow on each other in
// memory as well; then there are more write holds than here. Unpinning costs as much as finding a page. pinned_vm's
// limit is not checked. Validated by tests/models/mm/pin_test.cpp.
#pragma once

#include "models/spec/page.h"
#include "models/spec/threads.h"

namespace models {

class Mm;
class Task;

/// Pins [start, start + pages). Returns 0, -EFAULT (a hole, an I/O mapping) or -ENOMEM; then nothing stays pinned.
/// Takes and releases mmap_sem where it needs it.
int pin_pages(Task& current, Mm& mm, PageIndex start, PageCount pages, PinnerSpec::By by);

/// Gives them back. Takes and releases mmap_sem for the account of VFIO.
void unpin_pages(Task& current, Mm& mm, PageIndex start, PageCount pages, PinnerSpec::By by);

}  // namespace models
