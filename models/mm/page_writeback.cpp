#include "models/mm/page_writeback.h"

#include <algorithm>
#include <cassert>

#include "models/kernel.h"
#include "models/mm/page_runs.h"
#include "models/task.h"

namespace models {

namespace {

// Of one request: BIO_MAX_VECS; the wsize of NFS is as much.
constexpr PageCount kPagesPerRequest{256};

}  // namespace

struct AddressSpace::Tags {
  PageRuns<PageTags> pages;
};

AddressSpace::AddressSpace(Kernel& kernel, PageIndex start, PageIndex end)
    : kernel_(kernel), start_(start), end_(end), tags_(std::make_unique<Tags>()) {}

AddressSpace::~AddressSpace() = default;

AddressSpace::Run AddressSpace::run_at(PageIndex page, PageIndex limit) const {
  const auto run = tags_->pages.run_at(page, limit);
  return {run.value, run.end};
}

void AddressSpace::set(PageIndex start, PageIndex end, PageTags tags) {
  assert(start_ <= start && end <= end_);
  for (PageIndex page = start; page < end;) {
    const Run run = run_at(page, end);
    if (run.tags.dirty) dirty_ -= run.end - page;
    if (run.tags.writeback) writeback_ -= run.end - page;
    page = run.end;
  }
  tags_->pages.set(start, end, tags);
  if (tags.dirty) dirty_ += end - start;
  if (tags.writeback) writeback_ += end - start;
  if (dirty_ == PageCount(0)) dirtied_when_.reset();
}

void AddressSpace::mark_dirty(PageIndex page) {
  PageTags tags = tags_at(page);
  if (tags.dirty) return;
  tags.dirty = true;
  set(page, page + PageCount(1), tags);
  if (!dirtied_when_) dirtied_when_ = kernel_.engine.now();
}

void AddressSpace::start_writeback(PageIndex start, PageIndex end) {
  assert(run_at(start, end).end == end && (tags_at(start) == PageTags{.dirty = true, .writeback = false}));
  set(start, end, {.dirty = false, .writeback = true});
}

void AddressSpace::end_writeback(PageIndex start, PageIndex end) {
  for (PageIndex page = start; page < end;) {
    const Run run = run_at(page, end);
    assert(run.tags.writeback);
    set(page, run.end, {.dirty = run.tags.dirty, .writeback = false});
    page = run.end;
  }
  const auto woken = std::stable_partition(waiters_.begin(), waiters_.end(), [&](const Waiter& waiter) {
    return waiter.page < start || end <= waiter.page;
  });
  const std::vector<Waiter> awake(woken, waiters_.end());
  waiters_.erase(woken, waiters_.end());
  for (const Waiter& waiter : awake) waiter.task->wake();
}

void AddressSpace::forget(PageIndex start, PageIndex end) { set(start, end, {}); }

void AddressSpace::flushed() {
  if (dirtied_when_) dirtied_when_ = kernel_.engine.now();
}

void AddressSpace::sleep_on(Task& current, PageIndex page) {
  assert(tags_at(page).writeback);
  waiters_.push_back({&current, page});
  current.block(Cause::device_io);
}

void folio_wait_writeback(Task& current, AddressSpace& mapping, PageIndex page) {
  current.settle();
  while (mapping.tags_at(page).writeback) mapping.sleep_on(current, page);
}

void do_page_mkwrite(Task& current, AddressSpace& mapping, PageIndex page) {
  const Kernel& kernel = current.kernel();
  current.work(kernel.costs.page_mkwrite);
  current.settle();
  if (kernel.device.spec().stable_pages) folio_wait_writeback(current, mapping, page);
}

void write_cache_pages(Task& current, AddressSpace& mapping, PageIndex start, PageIndex end, WritebackSync sync) {
  Kernel& kernel = current.kernel();
  for (PageIndex page = start; page < end;) {
    current.cond_resched();  // others write to pages and wait for them meanwhile
    const AddressSpace::Run run = mapping.run_at(page, end);
    if (!run.tags.dirty || (run.tags.writeback && sync == WritebackSync::none)) {
      page = run.end;
      continue;
    }
    if (run.tags.writeback) {
      folio_wait_writeback(current, mapping, page);
      continue;
    }
    const PageIndex stop = std::min(run.end, page + kPagesPerRequest);
    const PageCount pages = stop - page;
    mapping.start_writeback(page, stop);
    current.work(kernel.costs.writeback_page * pages.count());
    kernel.device.write(current, pages, [&mapping, page, stop] { mapping.end_writeback(page, stop); });
    page = stop;
  }
}

void filemap_fdatawait_range(Task& current, AddressSpace& mapping, PageIndex start, PageIndex end) {
  for (PageIndex page = start; page < end;) {
    current.settle();
    const AddressSpace::Run run = mapping.run_at(page, end);
    if (run.tags.writeback) {
      folio_wait_writeback(current, mapping, page);
    } else {
      page = run.end;
    }
  }
}

void flusher(Task& current) {
  const Kernel& kernel = current.kernel();
  for (;;) {
    current.sleep_until(current.settle() + kernel.memory.dirty_writeback);
    for (const auto& mapping : kernel.mappings) {
      const auto since = mapping->dirtied_when();
      if (!since || *since + kernel.memory.dirty_expire > current.settle()) continue;
      write_cache_pages(current, *mapping, mapping->start(), mapping->end(), WritebackSync::none);
      current.settle();
      mapping->flushed();
    }
  }
}

}  // namespace models
