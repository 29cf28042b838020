#include "models/mm/gup.h"

#include <boost/container/static_vector.hpp>

#include <algorithm>
#include <cstdint>
#include <span>

#include "models/kernel.h"
#include "models/mm/clear_page.h"
#include "models/mm/huge_memory.h"
#include "models/mm/memory.h"
#include "models/mm/mm.h"
#include "models/mm/page_writeback.h"
#include "models/mm/rmap.h"
#include "models/mm/shmem.h"
#include "models/mm/userfaultfd.h"
#include "models/task.h"

namespace models {

namespace {

// Pages that are taken and mapped together, so that others see them at the same time: at most those of a page table.
PageIndex end_of_batch(PageIndex page, PageIndex end) { return std::min(end, end_of_table(page)); }

// What is next: pages that are alike up to `end`, and whether they are passed over. Absent ones are a batch at most: no
// more is taken at once.
struct Next {
  PageState state;
  PageIndex end;
  bool ready;
};

Next next_pages(const Kernel& kernel, const Mm& mm, const Vma& vma, PageIndex page, PageIndex end, Access access) {
  const PageIndex batch = end_of_batch(page, end);
  const auto [state, near] = mm.page_table.run_at(page, batch);
  if (!is_present(state)) return {state, near, false};
  const PageIndex stop = near == batch && batch < end ? mm.page_table.run_at(page, end).end : near;
  // A write has to ask for each clean page of a file (FOLL_WRITE).
  const AddressSpace* const mapping = file_to_write(kernel, mm, vma, page, access);
  if (mapping == nullptr) return {state, stop, true};
  const AddressSpace::Run alike = mapping->run_at(page, stop);
  return {state, alike.end, alike.tags.dirty};
}

// A page before each of these steps; where a group is charged for them, one after another.
void alloc_pages_for(Task& current, const Mm& mm, std::span<const sim::Nanoseconds> steps) {
  if (mm.memcg == 0) return alloc_pages(current, steps);
  for (const sim::Nanoseconds step : steps) {
    alloc_charge_page(current, mm);
    current.work(step);
  }
}

// Pages are cleared at the rate that is left when the clearing of so many begins.
void clear_pages(Task& current, const Mm& mm, PageCount pages, bool shmem, PageState to) {
  Kernel& kernel = current.kernel();
  constexpr std::size_t kAtOnce = 64;
  const bool alike = kernel.costs.populate_page.constant() && (!shmem || kernel.costs.mlock_page.constant());
  for (std::int64_t left = pages.count(); left > 0;) {
    current.settle();
    const sim::Nanoseconds least = kernel.clear_bandwidth.least_for_page();
    const auto next_cost = [&] {
      sim::Stream& stream = current.stream(Purpose::pages);
      const sim::Nanoseconds page = std::max(least, current.page_cost(kernel.costs.populate_page.sample(stream)));
      return shmem ? page + current.page_cost(new_shmem_page(kernel.costs, to, stream)) : page;
    };
    const std::size_t count = std::min<std::size_t>(kAtOnce, static_cast<std::size_t>(left));
    boost::container::static_vector<sim::Nanoseconds, kAtOnce> costs;
    if (alike) costs.assign(count, next_cost());
    while (costs.size() < count) costs.push_back(next_cost());
    left -= static_cast<std::int64_t>(count);
    alloc_pages_for(current, mm, {costs.data(), costs.size()});
  }
}

// Pages of anonymous or shared memory that nobody has touched yet, taken and mapped together. `current` has settled.
void populate_batch(Task& current, Mm& mm, PageIndex start, PageIndex end, PageState to) {
  Kernel& kernel = current.kernel();
  const PageCount pages = end - start;
  begin_clearing(current, mm, start, end);
  clear_pages(current, mm, pages, is_shmem(kernel, mm, start), to);
  end_clearing(current, mm, pages);
  // Where a fault of another thread was faster, do_anonymous_page finds the entry present and frees its page.
  const PageCount mapped = change_pages(kernel, mm, start, end, PageState::absent, to);
  free_charged_pages(kernel, mm, pages - mapped, current.now());
}

// The absent pages from `start` on, a batch of them. Returns up to where they have been populated; nothing if another
// task is clearing the first: this one has cleared a page as well, in vain. It is always the same one, as a CPU's list
// gives out first what it took last, so that it costs time and no memory. `current` has settled.
PageIndex populate_absent(Task& current, Mm& mm, PageIndex start, PageIndex end, PageState to) {
  PageIndex stop = end_of_batch(start, end);
  if (const Populating* const other = clearing_elsewhere(current, mm, start, stop)) {
    if (other->start <= start) {
      const Costs& costs = current.kernel().costs;
      current.work(clearing_in_vain(costs.populate_page.sample(current.stream(Purpose::pages))));
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

PageIndex end_of_gup_batch(const Vma& vma, PageIndex page, PageIndex end) {
  constexpr PageCount kPagesPerBatch{16};
  const PageIndex batch_end = std::min(end, page + kPagesPerBatch);
  if (vma.flags.folio_order == 0) return batch_end;
  return std::max(batch_end,
                  std::min(end, end_of_step(page, {folio_of(vma.flags.folio_order), end}, kClearedFoliosAtOnce)));
}

void pass_over(Task& current, const Mm& mm, PageIndex start, PageIndex end) {
  const Costs& costs = current.kernel().costs;
  for (PageIndex page = start; page < end;) {
    current.settle();  // without a lock others split them meanwhile
    const PageTable::FolioRun run = mm.page_table.folios_at(page, end);
    const bool whole = run.folio.whole;
    const PageIndex stop = whole ? end_of_step(page, run) : run.end;
    const std::int64_t steps = whole ? folios_in(run.folio, page, stop) : (stop - page).count();
    current.work_on_pages((whole ? costs.gup_huge : costs.gup_present) * steps);
    page = stop;
  }
}

PageIndex get_user_pages(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end, IoWait io, Access access) {
  const Kernel& kernel = current.kernel();
  const bool file = is_file_backed(kernel, mm, start);
  PageIndex known = start;  // up to here pages have cost what it takes to make them present
  for (PageIndex page = start; page < end;) {
    current.cond_resched();
    const Next next = next_pages(kernel, mm, vma, page, end, access);
    if (next.ready) {
      const PageIndex found = std::min(next.end, std::max(page, known));
      pass_over(current, mm, found, next.end);
      page = next.end;
    } else if (userfaultfd_missing(mm, vma, page)) {
      return page;
    } else if (next.state == PageState::absent && !file) {
      // And looks again: it may have been taken away meanwhile.
      known = populate(current, mm, vma, page, next.end, mapped_in(vma));
      mm.anon_vma_prepare(vma);
    } else {
      if (handle_mm_fault(current, mm, vma, page, io, kernel.costs.fault, access) == FaultOutcome::retry) return page;
      page = page + PageCount(1);
    }
  }
  return end;
}

}  // namespace models
