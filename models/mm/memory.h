// What a page fault does once it has its VMA and its lock: where the page comes from.
//
// Kernel. mm/memory.c: handle_mm_fault with do_anonymous_page, do_swap_page (and swapin_readahead), do_wp_page (of a
// page that a child of fork shares: a write copies it), do_fault_around (of a fault that reads), do_shared_fault and
// wp_page_shared (a write to a clean page of a file that is mapped to be written: models/mm/page_writeback.h);
// mm/filemap.c: filemap_fault; mm/readahead.c: force_page_cache_readahead. A page that is on the device is read with
// its neighbours, while the caller holds its lock, or, where the policy's kernel knows VM_FAULT_RETRY, after having
// given it up (fault: retry_on_io): pages of files are taken and read after that (filemap_fault, since 5.1), those from
// swap are taken, with what that reclaims, and their read is submitted before (do_swap_page); a page in zram is read
// with the lock held in every kernel (do_swap_page, SWP_SYNCHRONOUS_IO, since 4.15; before that its read had ended by
// the time that the fault looked), and so is one of shared memory from any swap (models/mm/shmem.h). Simplified. Two
// tasks that need the same page from the device both read it; the slower one's copy is freed. Readahead does not adapt:
// a window of fixed size from the page on (files; the page alone where madvise has said MADV_RANDOM), or around it
// (swap). What is being read ahead counts as absent until it is there: a fault in it reads it a second time instead of
// waiting for the rest. Validated by tests/models/mm/memory_test.cpp.
#pragma once

#include "models/spec/page.h"
#include "sim/distribution.h"

namespace models {

class AddressSpace;
class Mm;
class Task;
struct Kernel;
struct Vma;

/// Gives up the lock that the fault is under, before it sleeps for the device.
enum class IoWait {
  under_lock,  ///< waits with the lock held
  retry,  ///< VM_FAULT_RETRY: returns with the page still to be read (wait_for_page); then it is to be called again
};

enum class FaultOutcome { done, retry };

/// FAULT_FLAG_WRITE. Where there is a file to be written it makes a difference.
enum class Access { read, write };

/// A write to `page`, or a read where the mapping allows no more, that goes through by itself. Returns false where it
/// is a fault. Takes no time. Precondition: who accesses it has settled.
[[nodiscard]] bool access_page(Kernel& kernel, Mm& mm, PageIndex page);

/// Makes `page` present. `cost` is what a fault costs in CPU time, drawn from `current`'s stream for faults.
/// Precondition: `vma` covers it, `current` has settled.
/// Returns `retry` also where userfaultfd's monitor has to fill it in, whatever `io` says.
FaultOutcome handle_mm_fault(Task& current, Mm& mm, Vma& vma, PageIndex page, IoWait io, const sim::Distribution& cost,
                             Access access = Access::write);

/// What a new page of `vma` becomes: mlocked from the beginning where that is VM_LOCKED and not VM_SPECIAL
/// (is_mlocked_vma of 2.6.28, lru_cache_add_inactive_or_unevictable, folio_add_lru_vma today).
[[nodiscard]] PageState mapped_in(const Vma& vma);

/// The file that has to be asked before `vma` may write to a clean page of it (vma_wants_writenotify); null: none.
[[nodiscard]] AddressSpace* file_to_write(const Kernel& kernel, const Mm& mm, const Vma& vma, PageIndex page,
                                          Access access);

/// What a fault that is to be retried does first, with no lock held: waits for `page` where its read has been
/// submitted, or where userfaultfd's monitor is to fill it in; otherwise reads it and its neighbours in `vma` into
/// memory, if nobody else has meanwhile.
void wait_for_page(Task& current, Mm& mm, const Vma& vma, PageIndex page);
/// The same for who holds mmap_sem for read: it is given up meanwhile.
void wait_without_mmap_sem(Task& current, Mm& mm, const Vma& vma, PageIndex page);

/// Begins to read what is absent of [start, end), a readahead window of it at most, and does not wait for it (only for
/// room in the device's queue). Precondition: the pages are a file's.
void force_page_cache_readahead(Task& current, Mm& mm, PageIndex start, PageIndex end);

}  // namespace models
