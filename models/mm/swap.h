// Swap slots, and the memory that zram keeps them in.
//
// Kernel. mm/swapfile.c: get_swap_page, swap_free. A page that has been read back keeps its slot until it is mapped
// again. drivers/block/zram: the pages that the compressed data takes. Simplified. Where a slot lies on the device does
// not matter. Validated by tests/models/mm/swap_test.cpp.
#pragma once

#include <optional>

#include "models/spec/memory.h"
#include "models/spec/page.h"

namespace models {

struct Kernel;
class Task;

class Swap {
 public:
  explicit Swap(const std::optional<SwapSpec>& spec);

  [[nodiscard]] PageCount total() const { return total_; }
  [[nodiscard]] PageCount used() const { return used_; }
  [[nodiscard]] PageCount left() const { return total_ - used_; }
  [[nodiscard]] const std::optional<ZramSpec>& zram() const { return zram_; }

  /// Takes up to `wanted` slots; returns how many there were.
  PageCount get(PageCount wanted);
  /// Precondition: so many are in use.
  void put(PageCount slots);

  /// Pages of memory that the slots in use take; 0 without zram.
  [[nodiscard]] PageCount compressed() const;

 private:
  PageCount total_;
  PageCount used_;
  std::optional<ZramSpec> zram_;
};

/// swap_readpage: reads `pages` (>= 1) for `current`, from zram on its own CPU time or from the device, and settles.
void swap_readpage(Task& current, PageCount pages);

/// swap_free: so many slots are no longer in use. Precondition: they are.
void swap_free(Kernel& kernel, PageCount slots);

/// Brings what zram takes into line with the slots in use. To be called after these have changed.
void account_compressed(Kernel& kernel);

}  // namespace models
