// Write-back of files that are written through a mapping: which of their pages are dirty, and which are on their way.
//
// Kernel. mm/page-writeback.c: write_cache_pages, folio_clear_dirty_for_io, which write-protects the page's entry again
// (page_mkclean, 2.6.19), folio_wait_writeback and folio_wait_stable (3.9, 1d1d1a767206;
// from 3.0 to 3.8 file systems waited whatever the device, and NFS does, nfs_vm_page_mkwrite of 6.12); mm/memory.c:
// do_page_mkwrite; mm/filemap.c: filemap_fdatawait_range, folio_end_writeback; fs/fs-writeback.c: wb_workfn with
// wb_check_old_data_flush. A write fault asks the file system (page_mkwrite), which waits for a page that is being
// written where that must not change meanwhile (the device's `stable_pages`). That wait, unlike one for a page to be
// read, is never given up: whoever waits keeps what the fault is under, mmap_sem for read or, from 6.7 on, the VMA's
// lock (vmf_can_call_fault). A file whose first page became dirty `dirty_expire` ago is written by the flusher, all of
// it, when it next looks; or by msync (models/mm/msync.h). Simplified. A file has one mapping, and its pages are known
// by where that is. Whoever dirties pages is not throttled (balance_dirty_pages, for which a fault gives its lock up
// since 5.5 and from 5.5 to 5.19 comes again), there is no background threshold, and the flusher looks at regular times
// instead of `dirty_writeback` after the first write. A page that was unmapped while it was dirty can be written at
// once when it is mapped again. Pages that are being written stay on their lists and are counted there; up to 256
// neighbours are one request, whose pages are done together. What the file system writes besides (its journal) is not
// modelled. Dirty pages that reclaim takes are written as those of any other file (models/mm/vmscan.h). Validated by
// tests/models/mm/page_writeback_test.cpp.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

class Task;
struct Kernel;

/// What the page cache of a file knows of a page: PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK.
struct PageTags {
  bool dirty = false;      ///< its entry, if it has one, allows writing
  bool writeback = false;  ///< on its way to the device
  bool operator==(const PageTags&) const = default;
};

/// struct address_space of such a file.
class AddressSpace {
 public:
  /// Of a file that is mapped at [start, end).
  AddressSpace(Kernel& kernel, PageIndex start, PageIndex end);
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;
  ~AddressSpace();

  [[nodiscard]] PageIndex start() const { return start_; }
  [[nodiscard]] PageIndex end() const { return end_; }
  /// Pages from the one that was asked for up to `end` have these tags.
  struct Run {
    PageTags tags;
    PageIndex end;
  };
  /// The run that begins at `page`, cut off at `limit`. Precondition: page < limit.
  [[nodiscard]] Run run_at(PageIndex page, PageIndex limit) const;
  [[nodiscard]] PageTags tags_at(PageIndex page) const { return run_at(page, page + PageCount(1)).tags; }
  /// How many of its pages are dirty, and how many are on their way.
  [[nodiscard]] PageCount dirty() const { return dirty_; }
  [[nodiscard]] PageCount writeback() const { return writeback_; }
  /// Since when it has had dirty pages (inode->dirtied_when); none: it has none.
  [[nodiscard]] std::optional<sim::Time> dirtied_when() const { return dirtied_when_; }

  /// __folio_mark_dirty.
  void mark_dirty(PageIndex page);
  /// What is dirty of [start, end) is clean and on its way. Precondition: all of it is dirty, none is on its way.
  void start_writeback(PageIndex start, PageIndex end);
  /// folio_end_writeback: it has arrived; who waits for one of these pages is woken.
  void end_writeback(PageIndex start, PageIndex end);
  /// Reclaim has taken these pages, and writes them itself. Precondition: none is on its way.
  void forget(PageIndex start, PageIndex end);
  /// The flusher has been through it: what is dirty now is dirty from now on (redirty_tail).
  void flushed();

  /// Sleeps until somebody's write-back of `page` ends. Precondition: it is on its way, `current` has settled.
  void sleep_on(Task& current, PageIndex page);

 private:
  struct Tags;  // runs of pages: a header that is heavy
  struct Waiter {
    Task* task;
    PageIndex page;
  };

  void set(PageIndex start, PageIndex end, PageTags tags);

  Kernel& kernel_;
  PageIndex start_;
  PageIndex end_;
  std::unique_ptr<Tags> tags_;
  PageCount dirty_;
  PageCount writeback_;
  std::optional<sim::Time> dirtied_when_;
  std::vector<Waiter> waiters_;
};

/// Returns when `page` is not on its way to the device. Whatever `current` holds it keeps.
void folio_wait_writeback(Task& current, AddressSpace& mapping, PageIndex page);

/// The file system's part of a write fault on `page`, which is mapped and clean: waits for it where it must not change
/// while it is written. What the fault is under stays held.
void do_page_mkwrite(Task& current, AddressSpace& mapping, PageIndex page);

/// What becomes of a page that is dirty and still on its way.
enum class WritebackSync {
  none,  ///< WB_SYNC_NONE: it is left for the next time
  all,   ///< WB_SYNC_ALL: waits for it first
};

/// Submits what is dirty of [start, end). Waits only for room in the device's queue.
void write_cache_pages(Task& current, AddressSpace& mapping, PageIndex start, PageIndex end, WritebackSync sync);

/// Waits for what is on its way of [start, end).
void filemap_fdatawait_range(Task& current, AddressSpace& mapping, PageIndex start, PageIndex end);

/// The body of the flusher's task, for all files of the kernel; does not return.
void flusher(Task& current);

}  // namespace models
