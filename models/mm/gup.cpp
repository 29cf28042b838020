#include "models/mm/gup.h"

#include <boost/container/static_vector.hpp>

#include <algorithm>
#include <vector>

#include "models/kernel.h"
#include "models/mm/huge_memory.h"
#include "models/mm/memory.h"
#include "models/mm/mm.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

// Pages that are taken and mapped together: others see them at the end of the batch.
constexpr PageCount kAtOnce{64};

// Anonymous pages that nobody has touched yet, taken and mapped together. `current` has settled.
void populate_batch(Task& current, Mm& mm, PageIndex start, PageIndex end, PageState to) {
  Kernel& kernel = current.kernel();
  const PageCount pages = end - start;
  boost::container::static_vector<sim::Nanoseconds, static_cast<std::size_t>(kAtOnce.count())> costs;
  kernel.clear_bandwidth.begin();
  const sim::Nanoseconds least = kernel.clear_bandwidth.least_for_page();
  for (std::int64_t page = 0; page < pages.count(); ++page) {
    costs.push_back(std::max(least, kernel.costs.populate_page.sample(current.stream(Purpose::pages))));
  }
  mm.populating.push_back({&current, start, end});
  alloc_pages(current, {costs.data(), costs.size()});
  current.settle();
  kernel.clear_bandwidth.end();
  lock_lruvec(current, pages);
  std::erase_if(mm.populating, [&](const Populating& each) { return each.task == &current; });
  // Where a fault of another thread was faster, do_anonymous_page finds the entry present and frees its page.
  const PageCount mapped = change_pages(kernel, mm, start, end, PageState::absent, to);
  kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, pages - mapped, current.now());
}

// The absent pages from `start` on, a batch of them. Returns up to where they have been populated; nothing if another
// task is clearing the first: this one has cleared a page as well, in vain. It is always the same one, as a CPU's list
// gives out first what it took last, so that it costs time and no memory. `current` has settled.
PageIndex populate_absent(Task& current, Mm& mm, PageIndex start, PageIndex end, PageState to) {
  PageIndex stop = std::min(end, start + kAtOnce);
  if (const Populating* const other = clearing_elsewhere(current, mm, start, stop)) {
    if (other->start <= start) {
      current.work(current.kernel().costs.populate_page, Purpose::pages);
      return start;
    }
    stop = other->start;
  }
  populate_batch(current, mm, start, stop, to);
  return stop;
}

// What is absent from `page` on, in a folio or not. Returns up to where it has been populated.
PageIndex populate(Task& current, Mm& mm, Vma& vma, PageIndex page, PageIndex end, PageState to) {
  const int order = folio_order_at(mm, vma, page);
  const PageIndex stop = end_of_order(vma, page, order, end);
  if (order == 0 || !map_folio(current, mm, vma, page, order, to)) return populate_absent(current, mm, page, stop, to);
  return stop;
}

}  // namespace

const Populating* clearing_elsewhere(const Task& current, const Mm& mm, PageIndex start, PageIndex end) {
  const Populating* first = nullptr;
  for (const Populating& each : mm.populating) {
    const bool meets = start < each.end && each.start < end;
    if (!meets || each.task == &current || !each.task->on_cpu()) continue;
    if (first == nullptr || each.start < first->start) first = &each;
  }
  return first;
}

PageIndex end_of_gup_batch(const Vma& vma, PageIndex page, PageIndex end) {
  constexpr PageCount kPagesPerBatch{16};
  const PageIndex batch_end = std::min(end, page + kPagesPerBatch);
  return vma.flags.folio_order == 0 ? batch_end : std::max(batch_end, end_of_order(vma, page, 0, end));
}

void pass_over(Task& current, const Mm& mm, PageIndex start, PageIndex end) {
  const Costs& costs = current.kernel().costs;
  for (PageIndex page = start; page < end;) {
    const PageTable::FolioRun run = mm.page_table.folios_at(page, end);
    const bool whole = run.folio.whole;
    const PageIndex stop = whole ? run.folio.end(page) : run.end;
    current.work(whole ? costs.gup_huge : costs.gup_present * (stop - page).count());
    page = stop;
  }
}

PageIndex get_user_pages(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end, IoWait io,
                         NewPages new_pages) {
  const Kernel& kernel = current.kernel();
  const bool file = is_file_backed(kernel, mm, start);
  const bool mlocks = vma.flags.locked && new_pages == NewPages::as_vma_has_it;
  PageIndex known = start;  // up to here pages have cost what it takes to make them present
  for (PageIndex page = start; page < end;) {
    current.cond_resched();
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (is_present(run.state)) {
      const PageIndex found = std::min(run.end, std::max(page, known));
      pass_over(current, mm, found, run.end);
      page = run.end;
    } else if (run.state == PageState::absent && !file) {
      // And looks again: it may have been taken away meanwhile.
      known = populate(current, mm, vma, page, run.end, mlocks ? PageState::mlocked : PageState::resident);
      mm.anon_vma_prepare(vma);
    } else {
      if (handle_mm_fault(current, mm, vma, page, io, kernel.costs.fault) == FaultOutcome::retry) return page;
      page = page + PageCount(1);
    }
  }
  return end;
}

}  // namespace models
