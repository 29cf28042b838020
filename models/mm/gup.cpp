#include "models/mm/gup.h"

#include <boost/container/static_vector.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
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

constexpr PageCount kPagesPerGupBatch{16};

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

// A batch of new pages that all take the same: small ones, or folios of their own.
struct Batch {
  int order;
  PageIndex start;
  PageIndex end;
  sim::Nanoseconds each;

  [[nodiscard]] PageCount pages() const { return end - start; }
  [[nodiscard]] std::int64_t folios() const { return pages().count() >> order; }
};

// Where new pages are mlocked as they are mapped, and no monitor, group or observer has to hear of it.
bool mlocks_new_pages(const Kernel& kernel, const Mm& mm, const Vma& vma, PageIndex page) {
  return mapped_in(vma) == PageState::mlocked && !vma.flags.hugetlb && vma.flags.userfaultfd == 0 && mm.memcg == 0 &&
         !is_in_page_cache(kernel, mm, page) && !kernel.observer.pages;
}

// The batch that get_user_pages would be asked for at `page`; none if its pages may differ in what they take.
std::optional<Batch> batch_at(Task& current, const Vma& vma, PageIndex page, PageIndex end) {
  const Kernel& kernel = current.kernel();
  const Costs& costs = kernel.costs;
  const int order = vma.flags.folio_order;
  if (!costs.populate_page.constant() || (order > 0 && !costs.populate_huge.constant())) return {};
  const Folio folio = folio_of(order);
  const PageIndex stop = end_of_gup_batch(vma, page, end);
  if (folio.start(page) != page || folio.start(stop) != stop || (order == 0 && stop > end_of_table(page))) return {};
  const sim::Nanoseconds cost =
      order == 0 ? current.page_cost(*costs.populate_page.constant()) : populate_cost(current, order);
  return Batch{order, page, stop, std::max(cost, kernel.clear_bandwidth.least_for_page(1) * folio.pages().count())};
}

// Whether nobody else does anything while `current` takes `batch`, kswapd neither.
bool is_undisturbed(const Task& current, const Batch& batch) {
  const Kernel& kernel = current.kernel();
  const Zone& zone = kernel.zone;
  if (zone.counts().free <= zone.marks().low + zone.batch() + batch.pages()) return false;
  const sim::Time now = kernel.engine.now();
  const sim::Time free_at = std::max({zone.lock_free_at, zone.lru_lock_free_at, now});
  return current.is_undisturbed_for(free_at - now +
                                    (batch.each + kernel.costs.zone_lock + kernel.costs.lruvec_lock) * batch.folios());
}

// As populate_batch, or map_folio, without a look at the page table. `looks` at it are counted, each time.
void take_pages(Task& current, const Batch& batch, std::uint64_t looks) {
  Kernel& kernel = current.kernel();
  const PageCount pages = batch.order == 0 ? batch.pages() : folio_of(batch.order).pages();
  for (PageCount left = batch.pages(); left > PageCount(0); left -= pages) {
    kernel.engine.count_events(looks);
    if (batch.order == 0) {
      alloc_pages_undisturbed(current, pages, batch.each);
    } else {
      current.settle();
      kernel.zone.take_folio(pages, current.now());
      current.work(batch.each);
    }
    current.settle();
    lock_lruvec(current, batch.order == 0 ? pages : PageCount(1));
    kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::unevictable, pages, current.now());
  }
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
  const PageIndex batch_end = std::min(end, page + kPagesPerGupBatch);
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

PageIndex populate_undisturbed(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end, std::uint64_t looks) {
  Kernel& kernel = current.kernel();
  const auto batch = batch_at(current, vma, start, end);
  if (!batch || !is_undisturbed(current, *batch) || !mlocks_new_pages(kernel, mm, vma, start)) return start;
  const PageIndex most = batch->order == 0 ? std::min(end, end_of_table(start)) : batch->end;
  const auto [state, stop] = mm.page_table.run_at(start, most);
  if (state != PageState::absent || clearing_elsewhere(current, mm, start, stop) != nullptr) return start;
  constexpr std::uint64_t kLooks = 3;  // of get_user_pages: at what is there, before it is cleared, and after
  PageIndex page = start;
  for (; page + batch->pages() <= stop && is_undisturbed(current, *batch); page = page + batch->pages()) {
    kernel.engine.count_events(looks);
    take_pages(current, *batch, kLooks);
  }
  if (page == start) return start;
  mm.page_table.set(start, page, PageState::mlocked);  // as change_pages would, but all at once
  if (batch->order > 0) mm.page_table.put_in_folios(start, page, folio_of(batch->order));
  mm.anon_vma_prepare(vma);
  return page;
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
