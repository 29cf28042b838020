#include "models/pagewalk.h"

#include <algorithm>

#include "models/kernel.h"
#include "models/mm.h"
#include "models/task.h"

namespace models {

namespace {

constexpr std::int64_t kPagesPerTable = 512;  // PTRS_PER_PTE on x86-64

PageIndex end_of_table(PageIndex page) {
  return PageIndex((page.index() / kPagesPerTable + 1) * kPagesPerTable);
}

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

}  // namespace

void walk_page_range(Task& current, Mm& mm, PageIndex start, PageIndex end, PageState to,
                     const sim::Distribution& cost) {
  for (PageIndex page = start; page < end;) {
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (run.state == PageState::absent) {
      page = run.end;
      continue;
    }
    const PageIndex stop = std::min(run.end, end_of_table(page));
    const PageCount pages = stop - page;
    for (std::int64_t each = 0; each < pages.count(); ++each) current.work(cost, Purpose::pages);
    current.settle();
    mm.page_table.set(page, stop, to);
    current.kernel().zone.move(list_of(run.state), list_of(to), pages);
    page = stop;
  }
}

}  // namespace models
