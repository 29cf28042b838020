#include "models/mm/page_table.h"

#include "models/mm/page_runs.h"

namespace models {

PageTable::PageTable() : runs_(std::make_unique<PageRuns<PageState>>()) {}

PageTable::~PageTable() = default;

PageTable::Run PageTable::run_at(PageIndex page, PageIndex limit) const {
  const auto run = runs_->run_at(page, limit);
  return {run.value, run.end};
}

void PageTable::set(PageIndex start, PageIndex end, PageState state) { runs_->set(start, end, state); }

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
