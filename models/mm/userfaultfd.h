// userfaultfd: pages that are missing are filled in by a program.
//
// Kernel. fs/userfaultfd.c and mm/userfaultfd.c of 6.1. UFFDIO_REGISTER (MISSING): mmap_lock for write, VMAs joined or
// cut at the borders. A fault on an absent page of such an area gives the lock that it holds up, queues, wakes the
// monitor and sleeps (handle_userfault); woken, it begins again. UFFDIO_COPY (mfill_atomic): mmap_lock for read, or
// since 6.9 (policy `userfault_copy_under_vma_lock`) the VMA's own; each page is allocated, copied and mapped under it;
// then those are woken whose page lies in the range. UFFDIO_MOVE (move_pages, 6.8) takes the page from another place of
// the address space instead, under the same lock (since 6.9 those of both VMAs), and flushes it out of the TLBs, page
// by page. -EEXIST where there is a page already; -ENOENT where the area is not registered (any more). khugepaged
// leaves ranges with absent pages alone. Faults under a VMA's lock go this way since 6.6; before, such areas need
// mmap_lock. Who may not give up its lock (access_process_vm) finds nothing there. Simplified. Missing pages only: no
// write-protect or minor faults, no UFFDIO_ZEROPAGE or CONTINUE; anonymous memory, in single pages; no events of fork,
// mremap or munmap. Of several idle monitors one is woken, not all. The first fault's look whether the page is still
// missing comes when its lock is given up, not before. Validated by tests/models/mm/userfaultfd_test.cpp.
#pragma once

#include <deque>
#include <optional>

#include "models/measure/blame.h"
#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

class Mm;
class Task;
struct Kernel;
struct Vma;

/// A descriptor: who waits for pages, and who fills them in.
class Userfaultfd {
 public:
  /// Of the monitors of class `owner`.
  explicit Userfaultfd(ClassId owner) : owner_(owner) {}

  [[nodiscard]] ClassId owner() const { return owner_; }
  /// read(2): the next page that somebody misses; waits for one, at most until `until`.
  [[nodiscard]] std::optional<PageIndex> read(Task& current, std::optional<sim::Time> until);
  /// userfaultfd_wake: all who wait for a page of [start, end).
  void wake(Task& current, PageIndex start, PageIndex end);
  /// Until `page` has been filled in, or everybody is woken.
  void wait(Task& current, PageIndex page);

 private:
  struct Fault {
    Task* task;
    PageIndex page;
    bool read = false;
    bool asleep = false;
  };

  ClassId owner_;
  std::deque<Fault> faults_;    // in the order in which they came
  std::deque<Task*> monitors_;  // idle
};

/// Whether a fault at `page` of `vma`, which covers it, is the monitor's business (userfaultfd_missing). Not when the
/// process exits: who waits then is woken to die.
[[nodiscard]] bool userfaultfd_missing(const Mm& mm, const Vma& vma, PageIndex page);

/// Waits until `page` has been filled in, if it is still missing. Precondition: `current` holds no lock of `mm`.
void handle_userfault(Task& current, Mm& mm, const Vma& vma, PageIndex page);

/// Registers [start, start + pages) with descriptor `number` of Mm::userfaultfds. Returns 0, -ENOMEM, -EINVAL where
/// there is no such mapping, or -EBUSY where another has some of it. Takes and releases mmap_sem.
int userfaultfd_register(Task& current, Mm& mm, PageIndex start, PageCount pages, int number);

/// UFFDIO_COPY of [start, start + pages). Returns 0, -ENOENT or -EEXIST. Takes and releases mmap_sem or the VMA's lock.
int userfaultfd_copy(Task& current, Mm& mm, PageIndex start, PageCount pages, int number);

/// UFFDIO_MOVE of [from, from + pages) to [start, start + pages). Returns 0; -ENOENT, also where nothing is to be
/// moved; -EEXIST; -EINVAL where one place is locked and the other is not, or `from` is no anonymous mapping; -EBUSY
/// where a child of fork shares the page. Locks as above.
int userfaultfd_move(Task& current, Mm& mm, PageIndex start, PageIndex from, PageCount pages, int number);

}  // namespace models
