// The state of the pages of an address space, in runs: the cost of a region does not depend on its size.
//
// Models the page tables together with the page flags that the paths of mm/mlock.c look at (present, PG_mlocked), and
// with the page cache of the files in it: a region is the only mapping of its file. Kernel. pte_present and PageMlocked
// of the pages that get_user_pages and the walk of
// __munlock_vma_pages_range meet; the folio that a present page is a part of, and whether one entry maps all of that
// (pmd_trans_huge). Simplified: page tables themselves take no memory.
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

  /// Puts [start, end) into `state`. Precondition: start < end. Pages that are then not present leave their folios;
  /// what is left of a folio has an entry for each page, and if the others are swapped out it falls apart
  /// (split_folio).
  void set(PageIndex start, PageIndex end, PageState state);

  /// Puts those pages of [start, end) that are in `from` into `to`; returns how many these are.
  PageCount change(PageIndex start, PageIndex end, PageState from, PageState to);

  /// How many pages of [start, end) are in `state`.
  [[nodiscard]] PageCount count(PageIndex start, PageIndex end, PageState state) const;

  /// By how many entries those of [start, end) that are in `state` are mapped: a folio that one entry maps counts once.
  [[nodiscard]] PageCount entries(PageIndex start, PageIndex end, PageState state) const;

  /// Pages from the one that was asked for up to `end` are all in such folios.
  struct FolioRun {
    Folio folio;
    PageIndex end;
  };

  /// The same for folios. Pages that are not present are in none.
  [[nodiscard]] FolioRun folios_at(PageIndex page, PageIndex limit) const;
  /// Whether there has been any folio of more than one page: otherwise there is no need to ask.
  [[nodiscard]] bool has_folios() const { return folios_ != nullptr; }
  /// The pages of [start, end), which are present, are in folios like `folio` from now on. Precondition: whole ones.
  void put_in_folios(PageIndex start, PageIndex end, Folio folio);
  /// The pages of [start, end) are at `to` now: their folios are there, too, if they lie alike in their page tables;
  /// others fall apart, as each page would have an entry of its own (the folio stays whole in the kernel).
  void move_folios(PageIndex start, PageIndex end, PageIndex to);
  /// __split_huge_pmd: if one entry maps what is on both sides of `at`, each of these pages has an entry from now on.
  /// Returns whether there was one.
  bool split(PageIndex at);
  /// The same for the one that maps `page`, if it maps others besides.
  bool split_around(PageIndex page);
  /// Whether split(at) would find one.
  [[nodiscard]] bool is_mapped_across(PageIndex at) const;

 private:
  void leave_folios(PageIndex start, PageIndex end, PageState state);
  void break_up(PageIndex page, bool dissolve);

  std::unique_ptr<PageRuns<PageState>> runs_;
  std::unique_ptr<PageRuns<Folio>> folios_;  // null: no page has ever been in one
};

}  // namespace models
