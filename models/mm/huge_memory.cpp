#include "models/mm/huge_memory.h"

#include <algorithm>
#include <cstdint>

#include "models/kernel.h"
#include "models/mm/clear_page.h"
#include "models/mm/mm.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

bool is_absent(const Mm& mm, PageIndex start, PageIndex end) {
  const PageTable::Run run = mm.page_table.run_at(start, end);
  return run.state == PageState::absent && run.end == end;
}

// clear_huge_page, and what is around it. `current` has settled before and after.
void clear(Task& current, Mm& mm, const Folio& folio, PageIndex start) {
  begin_clearing(current, mm, start, start + folio.pages());
  const sim::Nanoseconds least = current.kernel().clear_bandwidth.least_for_page() * folio.pages().count();
  current.work(std::max(least, populate_cost(current, folio.order)));
  end_clearing(current, mm, PageCount(1));
}

}  // namespace

// Clearing is most of it: by the 2 MiB from the PMD's order on, and between the two a page's fault with the clearing of
// the others.
sim::Nanoseconds populate_cost(Task& current, int order) {
  const Costs& costs = current.kernel().costs;
  sim::Stream& stream = current.stream(Purpose::pages);
  if (order < kPmdOrder) {
    const std::int64_t others = (std::int64_t{1} << order) - 1;
    return current.page_cost(costs.populate_page.sample(stream) +
                             costs.populate_huge.sample(stream) * others / kPagesPerTable.count());
  }
  sim::Nanoseconds sum{};
  for (std::int64_t left = std::int64_t{1} << (order - kPmdOrder); left > 0; --left)
    sum += costs.populate_huge.sample(stream);
  return current.page_cost(sum);
}

int folio_order_at(const Mm& mm, const Vma& vma, PageIndex page) {
  const int order = vma.flags.folio_order;
  if (order == 0 || vma.flags.hugetlb) return order;
  const Folio folio = folio_of(order);
  const bool fits = vma.start <= folio.start(page) && folio.end(page) <= vma.end;
  return fits && is_absent(mm, folio.start(page), folio.end(page)) ? order : 0;
}

PageIndex end_of_order(const Vma& vma, PageIndex page, int order, PageIndex end) {
  const int larger = std::max(order, vma.flags.folio_order);
  return larger == 0 ? end : std::min(end, folio_of(larger).end(page));
}

bool alloc_charge_folio(Task& current, const Mm& mm, PageCount pages, FolioReclaim reclaim) {
  if (!alloc_folio(current, pages, reclaim)) return false;
  if (mem_cgroup_charge_folio(current, mm, pages)) return true;
  current.kernel().zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, pages, current.now());
  return false;
}

bool map_folio(Task& current, Mm& mm, const Vma& vma, PageIndex page, int order, PageState to) {
  Kernel& kernel = current.kernel();
  const Folio folio = folio_of(order);
  const PageIndex start = folio.start(page);
  const PageIndex end = folio.end(page);
  current.settle();
  if (clearing_elsewhere(current, mm, start, end) != nullptr) {
    current.work(clearing_in_vain(populate_cost(current, order)));
    current.settle();
    return true;
  }
  const FolioReclaim reclaim = vma.flags.hugepage ? FolioReclaim::direct : FolioReclaim::none;
  const bool from_pool = kernel.zone.owner(mm.owner_of(start)).hugetlb;
  if (!from_pool && !alloc_charge_folio(current, mm, folio.pages(), reclaim)) return false;
  clear(current, mm, folio, start);
  if (is_absent(mm, start, end)) {
    change_pages(kernel, mm, start, end, PageState::absent, to);
    mm.page_table.put_in_folios(start, end, folio);
  } else if (!from_pool) {
    free_charged_pages(kernel, mm, folio.pages(), current.now());
  }
  return true;
}

bool may_split(const Vma& vma, PageIndex at) {
  return !vma.flags.hugetlb || folio_of(vma.flags.folio_order).start(at) == at;
}

sim::Nanoseconds merge_cost(const Costs& costs, const Mm& mm, PageIndex start, PageIndex end) {
  const int splits = (mm.page_table.is_mapped_across(start) ? 1 : 0) + (mm.page_table.is_mapped_across(end) ? 1 : 0);
  return costs.vma_merge + splits * costs.split_huge;
}

sim::Nanoseconds split_cost(const Costs& costs, const Mm& mm, PageIndex at) {
  return mm.page_table.is_mapped_across(at) ? costs.vma_split + costs.split_huge : costs.vma_split;
}

}  // namespace models
