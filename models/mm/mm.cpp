#include "models/mm/mm.h"

#include <boost/smart_ptr/make_local_shared.hpp>

#include <cassert>
#include <cerrno>
#include <numeric>

namespace models {

// The first VMA that ends beyond the page.
Mm::Vmas::const_iterator Mm::first_beyond(PageIndex page) const {
  if (looked_at_ != vmas_.end() && looked_at_->first <= page) {
    if (page < looked_at_->second->end) return looked_at_;
    const auto behind = std::next(looked_at_);
    if (behind == vmas_.end() || page < behind->second->end) return behind;
  }
  const auto after = vmas_.upper_bound(page);
  if (after == vmas_.begin()) return after;
  const auto before = std::prev(after);
  return page < before->second->end ? before : after;
}

Mm::Vmas::const_iterator Mm::place_of(const Vma& vma) const {
  const bool looked_at = looked_at_ != vmas_.end() && looked_at_->second.get() == &vma;
  return looked_at ? looked_at_ : vmas_.find(vma.start);
}

VmaPointer Mm::look_from(Vmas::const_iterator place) const {
  if (place == vmas_.end()) return nullptr;
  looked_at_ = place;
  return place->second;
}

VmaPointer Mm::find_vma(PageIndex page) const { return look_from(first_beyond(page)); }

PageCount Mm::total_vm() const {
  return std::accumulate(vmas_.begin(), vmas_.end(), PageCount(0),
                         [](PageCount sum, const auto& entry) { return sum + entry.second->pages(); });
}

VmaPointer Mm::next(const Vma& vma) const {
  return vma.detached ? vma.stale_next : look_from(std::next(place_of(vma)));
}

VmaPointer Mm::previous(const Vma& vma) const {
  const auto self = place_of(vma);
  return self == vmas_.begin() ? nullptr : look_from(std::prev(self));
}

VmaPointer Mm::insert_vma(PageIndex start, PageIndex end, VmFlags flags) {
  assert(start < end);
  assert([&] {
    const VmaPointer there = find_vma(start);
    return there == nullptr || there->start >= end;
  }());
  ++map_version_;
  return vmas_.emplace(start, boost::make_local_shared<Vma>(Vma{start, end, flags})).first->second;
}

int Mm::split_vma(const VmaPointer& vma, PageIndex at, NewVma side) {
  if (map_count() >= max_map_count) return -ENOMEM;
  split_beyond_limit(vma, at, side);
  return 0;
}

void Mm::split_beyond_limit(const VmaPointer& vma, PageIndex at, NewVma side) {
  assert(vma->start < at && at < vma->end);
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
  added->anon_vma = vma->anon_vma;
  if (added->anon_vma != nullptr) ++added->anon_vma->vmas;
  added->lock.sequence = vma->lock.sequence;
}

void Mm::resize(const VmaPointer& vma, PageIndex start, PageIndex end) {
  ++map_version_;
  if (start != vma->start) {
    looked_at_ = vmas_.end();
    auto node = vmas_.extract(vma->start);
    node.key() = start;
    vmas_.insert(std::move(node));
  }
  vma->start = start;
  vma->end = end;
  // vma_adjust_trans_huge: an entry does not reach beyond its VMA.
  page_table.split(start);
  page_table.split(end);
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
  if (vma->anon_vma != nullptr) --vma->anon_vma->vmas;
  looked_at_ = vmas_.end();
  vmas_.erase(vma->start);
}

namespace {

bool is_mergeable_anon_vma(const std::shared_ptr<AnonVma>& a, const std::shared_ptr<AnonVma>& b) {
  return a == nullptr || b == nullptr || a == b;
}

// What has been joined to `vma` may have brought pages with it.
void take_over_anon_vma(Vma& vma, const std::shared_ptr<AnonVma>& joined) {
  if (vma.anon_vma != nullptr || joined == nullptr) return;
  vma.anon_vma = joined;
  ++joined->vmas;
}

// Joins neighbours over what is between them, which is free; with one of them only, over [start, end). Returns the VMA
// that then covers it, or null without any.
VmaPointer join(Mm& mm, const Mm::Neighbours& near, PageIndex start, PageIndex end) {
  const auto& [before, after] = near;
  if (before == nullptr) {
    if (after != nullptr) mm.extend_vma(after, start, after->end);
    return after;
  }
  PageIndex last = end;
  if (after != nullptr) {
    last = after->end;
    take_over_anon_vma(*before, after->anon_vma);
    mm.detach_vma(after);
  }
  mm.extend_vma(before, before->start, last);
  return before;
}

}  // namespace

void Mm::anon_vma_prepare(Vma& vma) const {
  if (vma.anon_vma != nullptr || vma.flags.shared) return;
  const Neighbours near = mergeable(vma.start, vma.end, vma.flags, nullptr);
  // find_mergeable_anon_vma: the next one first.
  for (const VmaPointer& neighbour : {near.after, near.before}) {
    if (neighbour == nullptr || neighbour->anon_vma == nullptr) continue;
    return take_over_anon_vma(vma, neighbour->anon_vma);
  }
  vma.anon_vma = std::make_shared<AnonVma>();
}

Mm::Neighbours Mm::mergeable(PageIndex start, PageIndex end, const VmFlags& flags,
                             const std::shared_ptr<AnonVma>& anon_vma) const {
  Neighbours near;
  const auto fits = [&](const Vma& vma) { return vma.flags == flags && is_mergeable_anon_vma(vma.anon_vma, anon_vma); };
  const auto first = vmas_.lower_bound(start);
  if (first != vmas_.begin()) {
    const VmaPointer& before = std::prev(first)->second;
    if (before->end == start && fits(*before)) near.before = before;
  }
  const auto found = vmas_.find(end);
  if (found != vmas_.end() && fits(*found->second)) near.after = found->second;
  const bool both = near.before != nullptr && near.after != nullptr;
  if (both && !is_mergeable_anon_vma(near.before->anon_vma, near.after->anon_vma)) near.after = nullptr;
  return near;
}

VmaPointer Mm::vma_merge_new(PageIndex start, PageIndex end, const VmFlags& flags) {
  return join(*this, mergeable(start, end, flags, nullptr), start, end);
}

VmaPointer Mm::vma_merge(const VmaPointer& vma, PageIndex start, PageIndex end, VmFlags flags) {
  Neighbours near = mergeable(start, end, flags, vma->anon_vma);
  if (start != vma->start) near.before = nullptr;
  if (end != vma->end) near.after = nullptr;
  if (near.before == nullptr && near.after == nullptr) return nullptr;

  const std::shared_ptr<AnonVma> anon_vma = vma->anon_vma;
  const bool whole = start == vma->start && end == vma->end;
  if (whole) {
    detach_vma(vma);
  } else if (near.before != nullptr) {
    resize(vma, end, vma->end);
  } else {
    resize(vma, vma->start, start);
  }
  take_over_anon_vma(near.before != nullptr ? *near.before : *near.after, anon_vma);
  return join(*this, near, start, end);
}

OwnerId Mm::owner_of(PageIndex page) const {
  const auto after = owners_.upper_bound(page);
  if (after == owners_.begin()) return anon_owner;
  const Owned& before = std::prev(after)->second;
  return page < before.end ? before.owner : anon_owner;
}

PageIndex Mm::end_of_owner(PageIndex page, PageIndex limit) const {
  const auto after = owners_.upper_bound(page);
  if (after != owners_.end()) limit = std::min(limit, after->first);
  if (after == owners_.begin()) return limit;
  const PageIndex end = std::prev(after)->second.end;
  return page < end ? std::min(limit, end) : limit;
}

PageIndex Mm::get_unmapped_area(PageCount pages, int order) {
  const PageIndex start = folio_of(order).first_from(next_unmapped_);
  next_unmapped_ = start + pages + PageCount(1);
  return start;
}

}  // namespace models
