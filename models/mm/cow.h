// Pages that a process shares with the children that it has forked: copy on write.
//
// Models. At a fork the present pages of the parent's anonymous, private mappings become shared and write-protected;
// the first write to one of them copies it, and the old one is the child's. When the child exits it gives back what it
// has to itself, and where no child is left the parent's pages are its own again. Kernel. mm/memory.c: copy_page_range,
// do_wp_page, wp_page_copy, wp_page_reuse. Simplified. What a child has to itself is counted (ZoneCounts::children),
// not reclaimed. Of several children who share a page the one that lives longest keeps it. A page that the parent
// unmaps, or that is swapped out, is no longer shared, and costs the child nothing. Pages stay shared until the last
// child has exited, also those that only an earlier one had. hugetlb is not shared, and mlock after a fork copies
// nothing (the kernel populates what can be written for writing, which does). Validated by tests/models/fork_test.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

struct Kernel;
class Mm;
struct Vma;

class CowPages {
 public:
  explicit CowPages(Kernel& kernel);
  CowPages(const CowPages&) = delete;
  CowPages& operator=(const CowPages&) = delete;
  ~CowPages();

  /// The present pages of `vma` become shared with the child that is being forked. Precondition: nobody can fault in
  /// it.
  void share(const Mm& parent, const Vma& vma);
  struct Child;
  /// A fork begins: the child lives from now on, so that what it shares stays shared, whoever exits meanwhile.
  Child& begin_fork();
  /// The fork is done: `child`, with `vmas` VMAs, lives until `exit`.
  static void lives_until(Child& child, sim::Time exit, std::int64_t vmas);

  [[nodiscard]] bool is_shared(PageIndex page) const;
  /// `page` has been copied: the children keep the old one. Precondition: it is shared.
  void copied(PageIndex page);
  /// What was at [start, end) is at `to` now, and as it was: shared or not.
  void moved(PageIndex start, PageIndex end, PageIndex to);
  /// The parent has no pages in [start, end) any more.
  void unmapped(PageIndex start, PageIndex end);

 private:
  struct Shared;  // runs of pages: a header that is heavy

  void exits(Child& child);

  Kernel& kernel_;
  std::unique_ptr<Shared> shared_;
  std::deque<Child> children_;  // with those that have exited since the last fork began
};

}  // namespace models
