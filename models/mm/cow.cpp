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
  Child(CowPages& pages, Kernel& kernel, sim::Time exit, std::int64_t vmas_of_it)
      : until(exit), vmas(vmas_of_it), event(kernel.engine.calendar(), [this, &pages] { pages.exits(*this); }) {
    event.schedule(exit);
  }

  sim::Time until;
  std::int64_t vmas;
  PageCount own{};
  bool lives = true;
  sim::Event event;
};

CowPages::CowPages(Kernel& kernel) : kernel_(kernel), shared_(std::make_unique<Shared>()) {}

CowPages::~CowPages() = default;

void CowPages::share(const Mm& parent, const Vma& vma) {
  if (is_file_backed(kernel_, parent, vma.start) || vma.flags.hugetlb) return;
  for (PageIndex page = vma.start; page < vma.end;) {
    const PageTable::Run run = parent.page_table.run_at(page, vma.end);
    if (is_present(run.state)) shared_->pages.set(page, run.end, true);
    page = run.end;
  }
}

void CowPages::child_lives_until(sim::Time exit, std::int64_t vmas) {
  --forks_;
  while (!children_.empty() && !children_.front().lives) children_.pop_front();
  children_.emplace_back(*this, kernel_, exit, vmas);
  children_.back().own = std::exchange(coming_own_, PageCount(0));
}

bool CowPages::is_shared(PageIndex page) const { return shared_->pages.run_at(page, page + PageCount(1)).value; }

void CowPages::copied(PageIndex page) {
  assert(is_shared(page));
  unmapped(page, page + PageCount(1));
  const auto keeps = std::max_element(children_.begin(), children_.end(), [](const Child& one, const Child& other) {
    return std::pair(one.lives, one.until) < std::pair(other.lives, other.until);
  });
  const bool lives = keeps != children_.end() && keeps->lives;
  assert(lives || forks_ > 0);
  (lives ? keeps->own : coming_own_) += PageCount(1);
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
  if (last && forks_ == 0) shared_->pages = PageRuns<bool>();
}

}  // namespace models
