#include "models/mm.h"

#include <cassert>
#include <cerrno>
#include <numeric>

namespace models {

VmaPointer Mm::find_vma(PageIndex page) const {
  auto after = vmas_.upper_bound(page);
  if (after != vmas_.begin()) {
    const VmaPointer& before = std::prev(after)->second;
    if (before->end > page) return before;
  }
  return after == vmas_.end() ? nullptr : after->second;
}

PageCount Mm::total_vm() const {
  return std::accumulate(vmas_.begin(), vmas_.end(), PageCount(0),
                         [](PageCount sum, const auto& entry) { return sum + entry.second->pages(); });
}

VmaPointer Mm::next(const Vma& vma) const {
  if (vma.detached) return vma.stale_next;
  const auto after = vmas_.upper_bound(vma.start);
  return after == vmas_.end() ? nullptr : after->second;
}

VmaPointer Mm::previous(const Vma& vma) const {
  const auto self = vmas_.find(vma.start);
  return self == vmas_.begin() ? nullptr : std::prev(self)->second;
}

VmaPointer Mm::insert_vma(PageIndex start, PageIndex end, VmFlags flags) {
  assert(start < end);
  assert([&] {
    const VmaPointer there = find_vma(start);
    return there == nullptr || there->start >= end;
  }());
  ++map_version_;
  return vmas_.emplace(start, std::make_shared<Vma>(Vma{start, end, flags})).first->second;
}

int Mm::split_vma(const VmaPointer& vma, PageIndex at, NewVma side) {
  assert(vma->start < at && at < vma->end);
  if (map_count() >= max_map_count) return -ENOMEM;
  const PageIndex start = vma->start;
  const PageIndex end = vma->end;
  VmaPointer added;
  if (side == NewVma::below) {
    resize(vma, at, end);
    added = insert_vma(start, at, vma->flags);
  } else {
    resize(vma, start, at);
    added = insert_vma(at, end, vma->flags);
  }
  added->has_anon_vma = vma->has_anon_vma;
  added->lock.sequence = vma->lock.sequence;
  return 0;
}

void Mm::resize(const VmaPointer& vma, PageIndex start, PageIndex end) {
  ++map_version_;
  if (start != vma->start) {
    auto node = vmas_.extract(vma->start);
    node.key() = start;
    vmas_.insert(std::move(node));
  }
  vma->start = start;
  vma->end = end;
}

void Mm::extend_vma(const VmaPointer& vma, PageIndex start, PageIndex end) {
  assert(!vma->detached && start <= vma->start && vma->end <= end);
  assert([&] {
    const VmaPointer before = previous(*vma);
    const VmaPointer after = next(*vma);
    return (before == nullptr || before->end <= start) && (after == nullptr || end <= after->start);
  }());
  resize(vma, start, end);
}

void Mm::detach_vma(const VmaPointer& vma) {
  ++map_version_;
  vma->stale_next = next(*vma);
  vma->detached = true;
  vmas_.erase(vma->start);
}

VmaPointer Mm::vma_merge(const VmaPointer& vma, PageIndex start, PageIndex end, VmFlags flags) {
  const VmaPointer before = start == vma->start ? previous(*vma) : nullptr;
  const VmaPointer after = end == vma->end ? next(*vma) : nullptr;
  const bool joins_before = before && before->end == start && before->flags == flags;
  const bool joins_after = after && after->start == end && after->flags == flags;
  if (!joins_before && !joins_after) return nullptr;

  const bool whole = start == vma->start && end == vma->end;
  const PageIndex old_start = vma->start;
  const PageIndex old_end = vma->end;
  if (whole) {
    detach_vma(vma);
  } else if (joins_before) {
    resize(vma, end, old_end);
  } else {
    resize(vma, old_start, start);
  }
  if (joins_before && joins_after) {
    const PageIndex last = after->end;
    detach_vma(after);
    resize(before, before->start, last);
    return before;
  }
  if (joins_before) {
    resize(before, before->start, end);
    return before;
  }
  resize(after, start, after->end);
  return after;
}

OwnerId Mm::owner_of(PageIndex page) const {
  const auto after = owners_.upper_bound(page);
  if (after == owners_.begin()) return anon_owner;
  const Owned& before = std::prev(after)->second;
  return page < before.end ? before.owner : anon_owner;
}

PageIndex Mm::get_unmapped_area(PageCount pages) {
  const PageIndex start = next_unmapped_;
  next_unmapped_ = start + pages + PageCount(1);
  return start;
}

}  // namespace models
