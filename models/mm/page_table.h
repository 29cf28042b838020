// The state of the pages of an address space, in runs: the cost of a region does not depend on its size.
//
// Models the page tables together with the page flags that the paths of mm/mlock.c look at (present, PG_mlocked), and
// with the page cache of the files in it: a region is the only mapping of its file. Kernel. pte_present and PageMlocked
// of the pages that get_user_pages and the walk of
// __munlock_vma_pages_range meet. Simplified: page tables themselves take no memory.
#pragma once

#include <memory>

#include "models/spec/page.h"

namespace models {

template <class Value>
class PageRuns;  // its header is heavy

class PageTable {
 public:
  PageTable();
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;
  ~PageTable();

  /// Pages from the one that was asked for up to `end` are all in `state`.
  struct Run {
    PageState state;
    PageIndex end;
  };

  /// The run that begins at `page`, cut off at `limit`. Precondition: page < limit.
  [[nodiscard]] Run run_at(PageIndex page, PageIndex limit) const;

  /// Puts [start, end) into `state`. Precondition: start < end.
  void set(PageIndex start, PageIndex end, PageState state);

  /// Puts those pages of [start, end) that are in `from` into `to`; returns how many these are.
  PageCount change(PageIndex start, PageIndex end, PageState from, PageState to);

  /// How many pages of [start, end) are in `state`.
  [[nodiscard]] PageCount count(PageIndex start, PageIndex end, PageState state) const;

 private:
  std::unique_ptr<PageRuns<PageState>> runs_;
};

}  // namespace models
