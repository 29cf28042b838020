#include "models/pagewalk.h"

#include <algorithm>

#include "models/kernel.h"
#include "models/mm.h"
#include "models/task.h"

namespace models {

namespace {

PageIndex start_of_table(PageIndex page) {
  const std::int64_t size = kPagesPerTable.count();
  return PageIndex(page.index() / size * size);
}

PageIndex end_of_table(PageIndex page) { return start_of_table(page) + kPagesPerTable; }

PageList list_of(PageState state) {
  switch (state) {
    case PageState::resident:
      return &ZoneCounts::mapped;
    case PageState::mlocked:
      return &ZoneCounts::unevictable;
    case PageState::absent:
      break;
  }
  return &ZoneCounts::free;
}

void work_for_each(Task& current, PageCount pages, const sim::Distribution* cost) {
  if (cost == nullptr) return;
  for (std::int64_t page = 0; page < pages.count(); ++page) current.work(*cost, Purpose::pages);
}

}  // namespace

void look_at_page_range(Task& current, const Mm& mm, PageIndex start, PageIndex end, const PageLook& look) {
  for (PageIndex page = start; page < end;) {
    current.settle();
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (run.state == PageState::absent) {
      page = run.end;
      continue;
    }
    const PageIndex first = std::max(start, start_of_table(page));
    const PageIndex stop = std::min(end, end_of_table(page));
    const PageCount absent = mm.page_table.count(page, stop, PageState::absent);
    current.work(look.present * ((stop - page) - absent).count() + look.entry * (stop - first).count());
    page = stop;
  }
}

void walk_page_range(Task& current, Mm& mm, PageIndex start, PageIndex end, const PageStep& step) {
  for (PageIndex page = start; page < end;) {
    current.settle();  // under read mode others change the page table too
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (run.state == PageState::absent) {
      work_for_each(current, run.end - page, step.absent_cost);
      page = run.end;
      continue;
    }
    const PageIndex stop = std::min(run.end, end_of_table(page));
    work_for_each(current, stop - page, step.cost);
    if (run.state == PageState::mlocked) work_for_each(current, stop - page, step.mlocked_cost);
    current.settle();
    // Under read mode another walk may have been there meanwhile: it was faster.
    const PageCount changed = mm.page_table.change(page, stop, run.state, step.to);
    current.kernel().zone.move(list_of(run.state), list_of(step.to), changed);
    page = stop;
  }
}

}  // namespace models
