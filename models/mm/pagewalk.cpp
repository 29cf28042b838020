#include "models/mm/pagewalk.h"

#include <algorithm>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

void work_for_each(Task& current, PageCount pages, const sim::Distribution* cost) {
  if (cost != nullptr) current.work_for_each(pages, *cost, Purpose::pages);
}

// zap_pte_range of what is not mapped: swap entries are freed, page cache stays, and so does what it has in swap.
void forget_swapped(Kernel& kernel, Mm& mm, PageIndex start, PageIndex end) {
  if (is_in_page_cache(kernel, mm, start)) return;
  change_pages(kernel, mm, start, end, PageState::swapped, PageState::absent);
  change_pages(kernel, mm, start, end, PageState::cached, PageState::absent);
}

// The run at `page`, up to the end of its table if it is present: no more is taken at once.
PageTable::Run run_to_take(const Mm& mm, PageIndex page, PageIndex end) {
  const PageTable::Run near = mm.page_table.run_at(page, std::min(end, end_of_table(page)));
  return is_present(near.state) || near.end == end ? near : mm.page_table.run_at(page, end);
}

// A part of a page table, all of it alike: what a walk does to it at once.
struct Stretch {
  PageIndex start;
  PageIndex end;
  Folio folio;
  PageState state;
};

class Walk {
 public:
  Walk(Task& current, Mm& mm, PageIndex start, PageIndex end, const PageStep& step)
      : current_(current), mm_(mm), start_(start), end_(end), step_(step) {}

  // Takes what is present from `page` on and alike, at most up to `limit`. Returns where it goes on.
  PageIndex take(PageIndex page, PageIndex limit, PageState state) {
    const PageTable::FolioRun folios = mm_.page_table.folios_at(page, limit);
    if (folios.folio.whole) return take_whole(page, folios.folio, state);
    const PageIndex stop = std::min(folios.end, end_of_table(page));
    if (state == step_.to) return stop;  // mlock: somebody was here before
    pay(page, stop, folios.folio, state);
    change({page, stop, folios.folio, state});
    return stop;
  }

  [[nodiscard]] PageCount changed() const { return changed_; }

 private:
  // A range that ends within a folio that is mapped as a whole does not tear it, except where pages go.
  PageIndex take_whole(PageIndex page, const Folio& folio, PageState state) {
    const bool torn = folio.start(page) < start_ || end_ < folio.end(page);
    const PageIndex end = torn ? folio.end(page) : end_of_whole_ones(page, folio);
    if (state == step_.to) return end;
    if (torn && step_.to == PageState::absent) {
      current_.work_on_pages(current_.kernel().costs.split_huge);
      current_.settle();
      mm_.page_table.split(folio.start(page) < start_ ? start_ : end_);
      return page;
    }
    const PageCount steps(folios_in(folio, page, end));
    work_for_each(current_, steps, step_.huge_cost);
    current_.work_on_pages(step_.more_cost * steps.count());
    if (state == PageState::mlocked) work_for_each(current_, steps, step_.huge_mlocked_cost);
    change({folio.start(page), end, folio, state});
    return end;
  }

  // Those behind the folio at `page` in this step that are like it.
  [[nodiscard]] PageIndex end_of_whole_ones(PageIndex page, const Folio& folio) const {
    const std::int64_t folios = step_.to == PageState::absent ? kClearedFoliosAtOnce : kFoliosAtOnce;
    const PageIndex most = std::min(end_, end_of_step(page, {folio, end_}, folios));
    return end_of_step(page, mm_.page_table.folios_at(page, mm_.page_table.run_at(page, most).end), folios);
  }

  void pay(PageIndex page, PageIndex stop, const Folio& folio, PageState state) {
    const PageCount steps(folios_in(folio, page, stop));
    work_for_each(current_, steps, step_.cost);
    if (step_.more_cost > sim::Nanoseconds{0}) current_.work_on_pages(step_.more_cost * steps.count());
    if (state == PageState::mlocked) work_for_each(current_, steps, step_.mlocked_cost);
    const std::int64_t others = (stop - page).count() - steps.count();
    if (others > 0) current_.work_on_pages(current_.kernel().costs.batched_pte * others);
  }

  // What of a folio goes with the pages that the range has of it.
  [[nodiscard]] Stretch widened(Stretch stretch) const {
    if (stretch.folio.order == 0 || step_.to == PageState::absent) return stretch;
    const Folio& folio = stretch.folio;
    if (step_.to == PageState::resident) {
      stretch.end = folio.end(stretch.end - PageCount(1));
      stretch.start = folio.start(stretch.start);
    } else {
      if (folio.start(stretch.start) < start_) stretch.start = std::min(stretch.end, folio.end(stretch.start));
      if (folio.end(stretch.end - PageCount(1)) > end_)
        stretch.end = std::max(stretch.start, folio.start(stretch.end - PageCount(1)));
    }
    return stretch;
  }

  // Under read mode another walk may have been there meanwhile: it was faster. So may reclaim: then there is a swap
  // entry to free.
  void change(const Stretch& taken) {
    current_.settle();
    lock_lruvec(current_, PageCount(folios_in(taken.folio, taken.start, taken.end)));
    // free_pcppages_bulk; a huge page goes back as one.
    if (step_.to == PageState::absent && taken.folio.order == 0) lock_zone_to_free(current_, taken.end - taken.start);
    const Stretch all = widened(taken);
    if (all.start < all.end)
      changed_ += change_pages(current_.kernel(), mm_, all.start, all.end, taken.state, step_.to);
    if (step_.to == PageState::absent) forget_swapped(current_.kernel(), mm_, taken.start, taken.end);
  }

  Task& current_;
  Mm& mm_;
  PageIndex start_;
  PageIndex end_;
  const PageStep& step_;
  PageCount changed_;
};

}  // namespace

PageIndex end_of_step(PageIndex page, const PageTable::FolioRun& run, std::int64_t folios) {
  const Folio& folio = run.folio;
  const PageIndex most = folio.start(page) + PageCount(folio.pages().count() * folios);
  return std::max(folio.end(page), folio.start(std::min(run.end, most)));
}

std::int64_t folios_in(const Folio& folio, PageIndex start, PageIndex end) {
  return (folio.end(end - PageCount(1)) - folio.start(start)).count() >> folio.order;
}

PageStep zap_step(const Costs& costs) {
  return {.to = PageState::absent,
          .cost = &costs.zap_page,
          .mlocked_cost = &costs.munlock_page,
          .huge_cost = &costs.zap_huge,
          .huge_mlocked_cost = &costs.munlock_huge};
}

PageCount look_at_page_range(Task& current, const Mm& mm, PageIndex start, PageIndex end, const PageLook& look) {
  PageCount all;
  for (PageIndex page = start; page < end;) {
    current.cond_resched();
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (!is_present(run.state)) {
      page = run.end;
      continue;
    }
    if (const PageTable::FolioRun folios = mm.page_table.folios_at(page, run.end); folios.folio.whole) {
      const PageIndex stop = end_of_step(page, folios);
      const std::int64_t steps = folios_in(folios.folio, page, stop);
      current.work_on_pages(look.huge * steps);
      all += PageCount(folios.folio.pages().count() * steps);
      page = stop;
      continue;
    }
    const PageIndex first = std::max(start, start_of_table(page));
    const PageIndex stop = std::min(end, end_of_table(page));
    const PageCount present =
        mm.page_table.count(page, stop, PageState::resident) + mm.page_table.count(page, stop, PageState::mlocked);
    current.work_on_pages(look.present * present.count() + look.entry * (stop - first).count());
    all += present;
    page = stop;
  }
  return all;
}

PageCount walk_page_range(Task& current, Mm& mm, PageIndex start, PageIndex end, const PageStep& step) {
  Walk walk(current, mm, start, end, step);
  for (PageIndex page = start; page < end;) {
    current.cond_resched();  // and under read mode others change the page table too
    const PageTable::Run run = run_to_take(mm, page, end);
    if (!is_present(run.state)) {
      work_for_each(current, run.end - page, step.absent_cost);
      if (step.to == PageState::absent) {
        current.settle();
        forget_swapped(current.kernel(), mm, page, run.end);
      }
      page = run.end;
      continue;
    }
    page = walk.take(page, run.end, run.state);
  }
  return walk.changed();
}

}  // namespace models
