#include "models/mm/rmap.h"

#include <cassert>

#include "models/kernel.h"
#include "models/mm/cow.h"
#include "models/mm/mm.h"
#include "models/mm/numa_balancing.h"

namespace models {

namespace {

bool on_a_list(PageState state) { return state == PageState::resident || state == PageState::cached; }
bool in_memory(PageState state) { return on_a_list(state) || state == PageState::mlocked; }

bool in_page_cache(const PageOwner& owner) { return owner.file || owner.shmem; }

// A cached page of an owner without a file is in the swap cache: it has a slot.
bool has_slot(PageState state, bool page_cache) {
  return state == PageState::swapped || (state == PageState::cached && !page_cache);
}

struct Pages {
  OwnerId owner;
  PageIndex start;
  PageIndex end;

  [[nodiscard]] PageCount count() const { return end - start; }
};

void take_from(Kernel& kernel, const Pages& pages, PageState state) {
  const sim::Time now = kernel.engine.now();
  if (on_a_list(state)) {
    const PageCount taken = kernel.zone.remove_from_lru(pages.owner, pages.start, pages.end, now);
    assert(taken == pages.count());
    (void)taken;
  } else if (state == PageState::mlocked) {
    kernel.zone.move(&ZoneCounts::unevictable, &ZoneCounts::in_flight, pages.count(), now);
  }
}

// One that was in memory comes from the unevictable list, or has changed its place.
LruList list_of_page(const Kernel& kernel, OwnerId owner, bool was_in_memory) {
  if (!kernel.lru_gen_enabled || !was_in_memory) return list_of_new_page(kernel, owner);
  return inactive_of(kernel.zone.owner(owner).file);
}

void put_to(Kernel& kernel, const Pages& pages, PageState state, bool was_in_memory) {
  const sim::Time now = kernel.engine.now();
  if (on_a_list(state)) {
    LruRun run{.owner = pages.owner, .addressed = true, .start = pages.start, .pages = pages.count(), .since = now};
    run.young = state == PageState::resident;
    kernel.zone.add_to_lru(list_of_page(kernel, pages.owner, was_in_memory), run, now);
  } else if (state == PageState::mlocked) {
    kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::unevictable, pages.count(), now);
  } else if (was_in_memory) {
    kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, pages.count(), now);
    mem_cgroup_uncharge(kernel, kernel.zone.owner(pages.owner).group, pages.count());
  }
}

}  // namespace

bool is_file_backed(const Kernel& kernel, const Mm& mm, PageIndex page) {
  return kernel.zone.owner(mm.owner_of(page)).file;
}

bool is_shmem(const Kernel& kernel, const Mm& mm, PageIndex page) { return kernel.zone.owner(mm.owner_of(page)).shmem; }

bool is_in_page_cache(const Kernel& kernel, const Mm& mm, PageIndex page) {
  return in_page_cache(kernel.zone.owner(mm.owner_of(page)));
}

AddressSpace* mapping_of(const Kernel& kernel, const Mm& mm, PageIndex page) {
  return kernel.zone.owner(mm.owner_of(page)).mapping.get();
}

LruList list_of_new_page(const Kernel& kernel, OwnerId owner) {
  const bool file = kernel.zone.owner(owner).file;
  if (kernel.lru_gen_enabled) return active_of(file);
  if (file) return LruList::inactive_file;
  return kernel.reclaim_rules.new_anon_starts_active ? LruList::active_anon : LruList::inactive_anon;
}

void move_pages(Kernel& kernel, Mm& mm, PageIndex start, PageIndex to, PageCount pages) {
  const PageIndex end = start + pages;
  const OwnerId owner = mm.owner_of(start);
  assert(mm.owner_of(to) == owner);
  for (PageIndex page = start; page < end;) {
    const PageTable::Run run = mm.page_table.run_at(page, end);
    const PageIndex place = to + (page - start);
    const Pages from{owner, page, run.end};
    const Pages moved{owner, place, place + from.count()};
    if (on_a_list(run.state)) {
      take_from(kernel, from, run.state);
      put_to(kernel, moved, run.state, true);
    }
    if (run.state != PageState::absent) {
      mm.page_table.set(moved.start, moved.end, run.state);
      mm.page_table.move_folios(from.start, from.end, moved.start);
      if (mm.cow != nullptr) mm.cow->moved(from.start, from.end, moved.start);
      if (mm.numa_hints != nullptr) mm.numa_hints->moved(from.start, from.end, moved.start);
      mm.page_table.set(from.start, from.end, PageState::absent);
    }
    page = run.end;
  }
}

void deactivate_pages(Kernel& kernel, Mm& mm, PageIndex start, PageIndex end, Fate fate) {
  const OwnerId owner = mm.owner_of(start);
  const bool file = is_file_backed(kernel, mm, start);
  const bool lazy = fate == Fate::lazy_free;
  const sim::Time now = kernel.engine.now();
  for (PageIndex page = start; page < end;) {
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (run.state == PageState::resident) {
      take_from(kernel, {owner, page, run.end}, run.state);
      const LruRun cold{
          .owner = owner, .addressed = true, .clean = lazy, .start = page, .pages = run.end - page, .since = now};
      kernel.zone.add_to_lru(inactive_of(file || lazy), cold, now);
    }
    page = run.end;
  }
}

void redirty_page(Kernel& kernel, Mm& mm, PageIndex page) {
  const Pages self{mm.owner_of(page), page, page + PageCount(1)};
  take_from(kernel, self, PageState::resident);
  put_to(kernel, self, PageState::resident, true);
}

PageCount change_pages(Kernel& kernel, Mm& mm, PageIndex start, PageIndex end, PageState from, PageState to) {
  const OwnerId owner = mm.owner_of(start);
  const bool page_cache = is_in_page_cache(kernel, mm, start);
  const bool hugetlb = kernel.zone.owner(owner).hugetlb;
  if (page_cache && to == PageState::absent && is_present(from)) to = PageState::cached;
  PageCount changed;
  for (PageIndex page = start; page < end;) {
    const PageTable::Run run = mm.page_table.run_at(page, end);
    if (run.state == from) {
      const Pages pages{owner, page, run.end};
      if (!hugetlb && (!on_a_list(from) || !on_a_list(to))) {
        take_from(kernel, pages, from);
        put_to(kernel, pages, to, in_memory(from));
      }
      mm.page_table.set(page, run.end, to);
      if (mm.cow != nullptr && !is_present(to)) mm.cow->unmapped(page, run.end);
      if (mm.numa_hints != nullptr && !is_present(to)) mm.numa_hints->unmapped(page, run.end);
      if (kernel.observer.pages) kernel.observer.pages(mm, page, run.end, from, to);
      if (has_slot(from, page_cache) && !has_slot(to, page_cache)) swap_free(kernel, pages.count());
      changed += pages.count();
    }
    page = run.end;
  }
  return changed;
}

}  // namespace models
