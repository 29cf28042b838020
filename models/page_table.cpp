#include "models/page_table.h"

#include <algorithm>
#include <cassert>

namespace models {

namespace {

using Interval = boost::icl::interval<std::int64_t>;

}  // namespace

PageTable::Run PageTable::run_at(PageIndex page, PageIndex limit) const {
  assert(page < limit);
  const auto run = runs_.lower_bound(Interval::right_open(page.index(), page.index() + 1));
  if (run == runs_.end() || run->first.lower() >= limit.index()) return {PageState::absent, limit};
  if (run->first.lower() > page.index()) return {PageState::absent, PageIndex(run->first.lower())};
  return {run->second, std::min(limit, PageIndex(run->first.upper()))};
}

void PageTable::set(PageIndex start, PageIndex end, PageState state) {
  const auto range = Interval::right_open(start.index(), end.index());
  if (state == PageState::absent) {
    runs_.erase(range);
  } else {
    runs_.set({range, state});
  }
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
