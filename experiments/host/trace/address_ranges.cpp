#include "experiments/host/trace/address_ranges.h"

#include <algorithm>
#include <iterator>

namespace experiments {

void AddressRanges::join(std::uint64_t start, std::uint64_t end) {
  auto next = ends_.upper_bound(start);
  if (next != ends_.begin() && std::prev(next)->second >= start) --next;
  while (next != ends_.end() && next->first <= end) {
    start = std::min(start, next->first);
    end = std::max(end, next->second);
    next = ends_.erase(next);
  }
  ends_.emplace(start, end);
}

std::optional<AddressRanges::Range> AddressRanges::around(std::uint64_t start, std::uint64_t end) const {
  const auto next = ends_.upper_bound(start);
  if (next == ends_.begin()) return std::nullopt;
  const auto range = std::prev(next);
  if (range->second < end) return std::nullopt;
  return Range{range->first, range->second};
}

bool AddressRanges::overlap(std::uint64_t start, std::uint64_t end) const {
  const auto next = ends_.lower_bound(end);
  return next != ends_.begin() && std::prev(next)->second > start;
}

}  // namespace experiments
