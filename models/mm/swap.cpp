#include "models/mm/swap.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "models/kernel.h"
#include "models/task.h"

namespace models {

Swap::Swap(const std::optional<SwapSpec>& spec)
    : total_(spec ? pages_of(spec->size) : PageCount(0)), zram_(spec ? spec->zram : std::nullopt) {}

PageCount Swap::get(PageCount wanted) {
  const PageCount got = std::min(wanted, left());
  used_ += got;
  return got;
}

void Swap::put(PageCount slots) {
  used_ -= slots;
  assert(used_ >= PageCount(0));
}

PageCount Swap::compressed() const {
  if (!zram_) return PageCount(0);
  return PageCount(static_cast<std::int64_t>(std::ceil(static_cast<double>(used_.count()) / zram_->ratio)));
}

void swap_readpage(Task& current, PageCount pages) {
  Kernel& kernel = current.kernel();
  if (!kernel.swap.zram()) return kernel.device.read(current, pages);
  current.work(kernel.swap.zram()->decompress * pages.count());
  current.settle();
}

void swap_free(Kernel& kernel, PageCount slots) {
  kernel.swap.put(slots);
  account_compressed(kernel);
}

void account_compressed(Kernel& kernel) {
  if (!kernel.swap.zram()) return;
  // What another task has a slot for and has not compressed yet is still in flight.
  const PageCount more =
      std::min(kernel.swap.compressed() - kernel.zone.counts().compressed, kernel.zone.counts().free);
  kernel.zone.move(&ZoneCounts::free, &ZoneCounts::compressed, more, kernel.engine.now());
}

}  // namespace models
