#include "models/mm/cow.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/page_runs.h"
#include "models/mm/rmap.h"

namespace models {

struct CowPages::Shared {
  PageRuns<bool> pages;
};

struct CowPages::Child {
  Child(CowPages& pages, Kernel& kernel) : event(kernel.engine.calendar(), [this, &pages] { pages.exits(*this); }) {}

  sim::Time until{};  // 0: it is being forked
  std::int64_t vmas = 0;
  PageCount own{};
  bool lives = true;
  sim::Event event;
};

CowPages::CowPages(Kernel& kernel) : kernel_(kernel), shared_(std::make_unique<Shared>()) {}

CowPages::~CowPages() = default;

void CowPages::share(const Mm& parent, const Vma& vma) {
  if (is_file_backed(kernel_, parent, vma.start) || vma.flags.hugetlb || vma.flags.shared) return;
  for (PageIndex page = vma.start; page < vma.end;) {
    const PageTable::Run run = parent.page_table.run_at(page, vma.end);
    if (is_present(run.state)) shared_->pages.set(page, run.end, true);
    page = run.end;
  }
}

CowPages::Child& CowPages::begin_fork() {
  while (!children_.empty() && !children_.front().lives) children_.pop_front();
  return children_.emplace_back(*this, kernel_);
}

void CowPages::lives_until(Child& child, sim::Time exit, std::int64_t vmas) {
  child.until = exit;
  child.vmas = vmas;
  child.event.schedule(exit);
}

bool CowPages::is_shared(PageIndex page) const { return shared_->pages.run_at(page, page + PageCount(1)).value; }

void CowPages::copied(PageIndex page) {
  assert(is_shared(page));
  unmapped(page, page + PageCount(1));
  const auto keeps = std::max_element(children_.begin(), children_.end(), [](const Child& one, const Child& other) {
    return std::pair(one.lives, one.until) < std::pair(other.lives, other.until);
  });
  assert(keeps != children_.end() && keeps->lives);
  keeps->own += PageCount(1);
}

void CowPages::moved(PageIndex start, PageIndex end, PageIndex to) {
  for (PageIndex page = start; page < end;) {
    const auto run = shared_->pages.run_at(page, end);
    shared_->pages.set(to + (page - start), to + (run.end - start), run.value);
    page = run.end;
  }
  unmapped(start, end);
}

void CowPages::unmapped(PageIndex start, PageIndex end) { shared_->pages.set(start, end, false); }

void CowPages::exits(Child& child) {
  child.lives = false;
  kernel_.zone.move(&ZoneCounts::children, &ZoneCounts::free, std::exchange(child.own, PageCount(0)),
                    kernel_.engine.now());
  vm_area_free(kernel_, child.vmas);
  const bool last = std::none_of(children_.begin(), children_.end(), [](const Child& each) { return each.lives; });
  if (last) shared_->pages = PageRuns<bool>();
}

}  // namespace models
