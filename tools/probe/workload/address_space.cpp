#include "tools/probe/workload/address_space.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tools/probe/measuring.h"

namespace probe {

namespace {

using models::PageCount;
using models::PageIndex;
using models::RegionSpec;

bool has_huge_pages(const RegionSpec& spec) { return spec.folio_order.value_or(0) == models::kPmdOrder; }

// Its VMAs: of equal size, the last one perhaps larger, every second one readonly so that they do not merge
// (models/workload/workload.h, piece_of).
void protect_vmas(const Mapped& region) {
  const PageCount each(region.pages.count() / region.spec.vmas);
  for (int index = 1; index < region.spec.vmas; index += 2) {
    const PageIndex start = region.start + PageCount(each.count() * index);
    const bool last = index + 1 == region.spec.vmas;
    const PageIndex end = last ? region.start + region.pages : start + each;
    check(mprotect(address_of(start), size_of(end - start), PROT_READ), "mprotect");
  }
}

void map_at(const Mapped& region) {
  const int sharing = region.spec.kind == RegionSpec::Kind::shmem ? MAP_SHARED : MAP_PRIVATE;
  char* const address = address_of(region.start);
  const std::size_t size = size_of(region.pages);
  const int flags = sharing | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  if (mmap(address, size, kReadWrite, flags, -1, 0) == MAP_FAILED) fail_with_errno("mmap");
  if (region.spec.folio_order) {
    // An old kernel without transparent huge pages refuses the advice, and has small pages anyway.
    (void)madvise(address, size, has_huge_pages(region.spec) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  }
}

void touch(const Mapped& region) {
  char* const address = address_of(region.start);
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, 5.14
  if (madvise(address, size_of(region.pages), kPopulateWrite) == 0) return;
  for (std::size_t at = 0; at < size_of(region.pages); at += kPage) address[at] = 1;
}

// Neighbours that share an anon_vma merge, and a VMA that is faulted in takes its neighbour's. One that is to have its
// own is faulted in with flags by which it could not (VM_DONTCOPY; reusable_anon_vma, mm/vma.c), which it has before
// anything is faulted in.
bool is_apart(const RegionSpec& spec) {
  return !spec.beside.empty() && !spec.joins_anon_vma && spec.pages != RegionSpec::Pages::absent;
}

void tell_apart(const Mapped& region, int advice) {
  check(madvise(address_of(region.start), size_of(region.pages), advice), "madvise");
}

void set_up(const Mapped& region) {
  const RegionSpec& spec = region.spec;
  const bool resident = spec.pages == RegionSpec::Pages::resident || spec.pages == RegionSpec::Pages::cached;
  if (is_apart(spec)) {
    address_of(region.start)[0] = 1;
    tell_apart(region, MADV_DOFORK);
  }
  if (!spec.shares_anon_vma) protect_vmas(region);
  if (resident) touch(region);
  if (spec.shares_anon_vma) protect_vmas(region);
  if (spec.locked) check(mlock(address_of(region.start), size_of(region.pages)), "mlock");
}

// How many pages lie from its start to the end of the last one beside it.
PageCount with_neighbours(const std::vector<RegionSpec>& regions, const RegionSpec& first) {
  PageCount pages = models::pages_of(first.size);
  for (const RegionSpec* last = &first;;) {
    const auto next = std::find_if(regions.begin(), regions.end(),
                                   [&](const RegionSpec& region) { return region.beside == last->name; });
    if (next == regions.end()) return pages;
    pages += models::pages_of(next->size);
    last = &*next;
  }
}

}  // namespace

char* address_of(PageIndex page) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): that is what addresses are here
  return reinterpret_cast<char*>(static_cast<std::uintptr_t>(page.index()) * kPage);
}

std::size_t size_of(PageCount pages) { return static_cast<std::size_t>(pages.count()) * kPage; }

PageIndex page_of(const void* address) {
  return PageIndex(static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(address) / kPage));
}

std::map<std::string, Mapped> map_regions(const std::vector<RegionSpec>& regions) {
  std::map<std::string, Mapped> mapped;
  for (const RegionSpec& spec : regions) {
    const PageCount pages = models::pages_of(spec.size);
    const auto neighbour = mapped.find(spec.beside);
    const PageIndex start = neighbour == mapped.end() ? reserve(with_neighbours(regions, spec), PROT_NONE)
                                                      : neighbour->second.start + neighbour->second.pages;
    map_at(mapped.emplace(spec.name, Mapped{spec, start, pages}).first->second);
  }
  for (const RegionSpec& spec : regions) {
    if (is_apart(spec)) tell_apart(mapped.at(spec.name), MADV_DONTFORK);
  }
  for (const RegionSpec& spec : regions) set_up(mapped.at(spec.name));
  return mapped;
}

void map_again(const Mapped& region) {
  map_at(region);
  protect_vmas(region);
}

bool is_mapped(PageIndex page) {
  unsigned char state = 0;
  return mincore(address_of(page), kPage, &state) == 0;
}

PageIndex reserve(PageCount pages, int protection) {
  char* const start = reserve_range(size_of(pages));
  if (protection != PROT_NONE) {
    check(mprotect(start, size_of(pages), protection), "mprotect");
    (void)madvise(start, size_of(pages), MADV_NOHUGEPAGE);
  }
  return page_of(start);
}

}  // namespace probe
