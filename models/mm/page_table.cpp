#include "models/mm/page_table.h"

#include <algorithm>
#include <cassert>

#include "models/mm/page_runs.h"

namespace models {

PageTable::PageTable() : runs_(std::make_unique<PageRuns<PageState>>()) {}

PageTable::~PageTable() = default;

PageTable::Run PageTable::run_at(PageIndex page, PageIndex limit) const {
  const auto run = runs_->run_at(page, limit);
  return {run.value, run.end};
}

void PageTable::set(PageIndex start, PageIndex end, PageState state) {
  runs_->set(start, end, state);
  if (has_folios() && !is_present(state)) leave_folios(start, end, state);
}

PageCount PageTable::entries(PageIndex start, PageIndex end, PageState state) const {
  if (!has_folios()) return count(start, end, state);
  PageCount total;
  for (PageIndex page = start; page < end;) {
    const Run run = run_at(page, end);
    const FolioRun folios = folios_at(page, run.end);
    const PageIndex stop = folios.folio.whole ? std::min(end, folios.folio.end(page)) : folios.end;
    if (run.state == state) total += folios.folio.whole ? PageCount(1) : stop - page;
    page = stop;
  }
  return total;
}

PageTable::FolioRun PageTable::folios_at(PageIndex page, PageIndex limit) const {
  if (!has_folios()) return {{}, limit};
  const auto run = folios_->run_at(page, limit);
  return {run.value, run.end};
}

void PageTable::put_in_folios(PageIndex start, PageIndex end, Folio folio) {
  assert(folio.start(start) == start && folio.start(end) == end);
  if (!has_folios()) folios_ = std::make_unique<PageRuns<Folio>>();
  folios_->set(start, end, folio);
}

void PageTable::move_folios(PageIndex start, PageIndex end, PageIndex to) {
  if (!has_folios()) return;
  for (PageIndex page = start; page < end;) {
    const auto run = folios_->run_at(page, end);
    const PageIndex place = to + (page - start);
    const bool whole_ones = run.value.start(page) == page && run.value.start(run.end) == run.end;
    if (run.value.order > 0 && whole_ones && run.value.start(place) == place)
      put_in_folios(place, place + (run.end - page), run.value);
    page = run.end;
  }
}

bool PageTable::is_mapped_across(PageIndex at) const {
  if (!has_folios()) return false;
  const Folio folio = folios_->run_at(at, at + PageCount(1)).value;
  return folio.whole && folio.start(at) < at;
}

bool PageTable::split(PageIndex at) {
  if (!is_mapped_across(at)) return false;
  break_up(at, false);
  return true;
}

bool PageTable::split_around(PageIndex page) {
  if (!has_folios() || !folios_->run_at(page, page + PageCount(1)).value.whole) return false;
  break_up(page, false);
  return true;
}

// Of the folio that `page` is in, each page has an entry, or is a folio.
void PageTable::break_up(PageIndex page, bool dissolve) {
  const Folio folio = folios_->run_at(page, page + PageCount(1)).value;
  const Folio left = dissolve ? Folio{} : Folio{folio.order, false};
  for (PageIndex next = folio.start(page); next < folio.end(page);) {
    const auto run = folios_->run_at(next, folio.end(page));
    if (run.value == folio) folios_->set(next, run.end, left);  // others have left it before
    next = run.end;
  }
}

void PageTable::leave_folios(PageIndex start, PageIndex end, PageState state) {
  const bool dissolve = state == PageState::swapped;
  for (const PageIndex page : {start, end - PageCount(1)}) {
    const Folio folio = folios_->run_at(page, page + PageCount(1)).value;
    const bool in_part = folio.start(page) < start || end < folio.end(page);
    if (in_part && (folio.whole || dissolve)) break_up(page, dissolve);
  }
  folios_->set(start, end, Folio{});
}

PageCount PageTable::change(PageIndex start, PageIndex end, PageState from, PageState to) {
  PageCount changed;
  for (PageIndex page = start; page < end;) {
    const Run run = run_at(page, end);
    if (run.state == from) {
      set(page, run.end, to);
      changed += run.end - page;
    }
    page = run.end;
  }
  return changed;
}

PageCount PageTable::count(PageIndex start, PageIndex end, PageState state) const {
  PageCount total;
  for (PageIndex page = start; page < end;) {
    const Run run = run_at(page, end);
    if (run.state == state) total += run.end - page;
    page = run.end;
  }
  return total;
}

}  // namespace models
