// NUMA balancing's scan: makes pages of an address space inaccessible, so that the next touch of each tells by a fault
// where it is used from.
//
// Kernel. task_numa_work (kernel/sched/fair.c) and change_prot_numa (mm/mempolicy.c) of 6.1: task work of whichever
// thread comes back to user mode first when a scan is due. mmap_lock is tried for read and held for the whole scan, in
// which the CPU may be given away but not the lock: entries of `scan_size`, or eight times that of addresses with
// nothing to change, VMA by VMA, each stretch with its flush of the TLBs. The next scan goes on where this one ended.
// With `hinting_faults` an entry that is inaccessible already is left as it is (change_pte_range), and whoever touches
// its page has a fault (do_numa_page): under the lock of its VMA or mmap_lock like any other, at its price.
// Simplified. The scan is a thread of its own, not the work of others; without `hinting_faults` all pages have been
// touched since the last scan, by nobody, so that each entry is changed again (as change_protection does it for
// mprotect); no page moves to another node; a fault makes one entry accessible, not those of its folio besides (since
// 6.9); the period is fixed (the kernel's follows what the faults tell, and slows down to keep within 3 % of a CPU); a
// VMA is not skipped because this thread has not been there (since 6.4). Validated by
// tests/models/mm/numa_balancing_test.cpp: closed forms.
#pragma once

#include <memory>

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

/// Which pages of an address space are present and inaccessible (pte_protnone).
class NumaHints {
 public:
  NumaHints();
  NumaHints(const NumaHints&) = delete;
  NumaHints& operator=(const NumaHints&) = delete;
  ~NumaHints();

  /// The present pages of [start, end) are, from now on.
  void hide(const Mm& mm, PageIndex start, PageIndex end);
  [[nodiscard]] bool is_hidden(PageIndex page) const { return end_of_alike(page, page + PageCount(1)).hidden; }
  struct Run {
    bool hidden;
    PageIndex end;
  };
  /// Up to where from `page` on it is the same with all pages, `limit` at most.
  [[nodiscard]] Run end_of_alike(PageIndex page, PageIndex limit) const;
  /// What one entry maps around `page` is accessible again.
  void touched(const Mm& mm, PageIndex page);
  /// What was at [start, end) is at `to` now, and as it was.
  void moved(PageIndex start, PageIndex end, PageIndex to);
  /// Nothing is present in [start, end) any more, or all of it is accessible again.
  void unmapped(PageIndex start, PageIndex end);

 private:
  void hide_unshared(const Mm& mm, PageIndex start, PageIndex end);

  struct Hidden;  // runs of pages: a header that is heavy

  std::unique_ptr<Hidden> hidden_;
};

/// One scan from `offset` on (mm->numa_scan_offset), which is left where the next one begins. Does nothing if mmap_sem
/// is not free for a reader at once. Takes and releases mmap_sem.
void task_numa_work(Task& current, Mm& mm, PageCount scan_size, PageIndex& offset, bool hinting_faults = false);

}  // namespace models
