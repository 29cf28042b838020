#include "models/mm/pagewalk.h"

#include <algorithm>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

PageIndex start_of_table(PageIndex page) {
  const std::int64_t size = kPagesPerTable.count();
  return PageIndex(page.index() / size * size);
}

PageIndex end_of_table(PageIndex page) { return start_of_table(page) + kPagesPerTable; }

void work_for_each(Task& current, PageCount pages, const sim::Distribution* cost) {
  if (cost != nullptr) current.work_for_each(pages, *cost, Purpose::pages);
}

// zap_pte_range of what is not mapped: swap entries are freed, page cache stays.
void forget_swapped(Kernel& kernel, Mm& mm, PageIndex start, PageIndex end) {
  if (is_file_backed(kernel, mm, start)) return;
  change_pages(kernel, mm, start, end, PageState::swapped, PageState::absent);
  change_pages(kernel, mm, start, end, PageState::cached, PageState::absent);
}

}  // namespace

PageCount look_at_page_range(Task& current, const Mm& mm, PageIndex start, PageIndex end, const PageLook& look) {
  PageCount all;
  for (PageIndex page = start; page < end;) {
    current.cond_resched();
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (!is_present(run.state)) {
      page = run.end;
      continue;
    }
    const PageIndex first = std::max(start, start_of_table(page));
    const PageIndex stop = std::min(end, end_of_table(page));
    const PageCount present =
        mm.page_table.count(page, stop, PageState::resident) + mm.page_table.count(page, stop, PageState::mlocked);
    current.work(look.present * present.count() + look.entry * (stop - first).count());
    all += present;
    page = stop;
  }
  return all;
}

PageCount walk_page_range(Task& current, Mm& mm, PageIndex start, PageIndex end, const PageStep& step) {
  PageCount changed;
  for (PageIndex page = start; page < end;) {
    current.cond_resched();  // and under read mode others change the page table too
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (!is_present(run.state)) {
      work_for_each(current, run.end - page, step.absent_cost);
      if (step.to == PageState::absent) {
        current.settle();
        forget_swapped(current.kernel(), mm, page, run.end);
      }
      page = run.end;
      continue;
    }
    const PageIndex stop = std::min(run.end, end_of_table(page));
    if (run.state == step.to) {  // mlock: somebody was here before
      page = stop;
      continue;
    }
    work_for_each(current, stop - page, step.cost);
    if (step.more_cost > sim::Nanoseconds{0}) current.work(step.more_cost * (stop - page).count());
    if (run.state == PageState::mlocked) work_for_each(current, stop - page, step.mlocked_cost);
    current.settle();
    lock_lruvec(current, stop - page);
    // Under read mode another walk may have been there meanwhile: it was faster. So may reclaim: then there is a swap
    // entry to free.
    changed += change_pages(current.kernel(), mm, page, stop, run.state, step.to);
    if (step.to == PageState::absent) forget_swapped(current.kernel(), mm, page, stop);
    page = stop;
  }
  return changed;
}

}  // namespace models
