#include "models/page_alloc.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "models/kernel.h"
#include "models/task.h"
#include "models/vmscan.h"

namespace models {

Bytes min_free(Bytes memory) {
  constexpr std::int64_t kKibibyte = 1024;
  const auto kilobytes = static_cast<double>(memory.count() / kKibibyte);
  const auto root = static_cast<std::int64_t>(std::sqrt(16.0 * kilobytes));
  return Bytes(std::clamp<std::int64_t>(root, 128, 65536) * kKibibyte);
}

Watermarks watermarks(Bytes min_free) {
  const std::int64_t min = min_free.count() / kPageSize;
  return {PageCount(min), PageCount(min + min / 4), PageCount(min + min / 2)};
}

Zone::Zone(const MemorySpec& memory)
    : marks_(watermarks(memory.min_free.value_or(min_free(memory.size)))), size_(pages_of(memory.size)) {
  counts_.free = pages_of(memory.free);
  counts_.evictable = size_ - counts_.free;
  statistics_.lowest_free = counts_.free;
}

void Zone::move(PageList from, PageList to, PageCount pages) {
  counts_.*from -= pages;
  counts_.*to += pages;
  assert(counts_.*from >= PageCount(0));
  assert(counts_.total() == size_);
  statistics_.lowest_free = std::min(statistics_.lowest_free, counts_.free);
}

void alloc_page(Task& current) {
  Kernel& kernel = current.kernel();
  current.settle();
  if (kernel.zone.below_low()) wakeup_kswapd(current);
  if (kernel.zone.at_min()) try_to_free_pages(current);
  kernel.zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(1));
  ++kernel.zone.statistics().allocated;
}

}  // namespace models
