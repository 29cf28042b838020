#include "models/measure/lock_stretches.h"

#include <algorithm>
#include <utility>

namespace models {

std::uint32_t LockStretches::Reasons::number(const LockBlame& blame) {
  const auto [entry, is_new] = numbers.emplace(blame, static_cast<std::uint32_t>(blames.size()));
  if (is_new) blames.push_back(blame);
  return entry->second;
}

void LockStretches::add_block() {
  if (reasons_ == nullptr) reasons_ = new Reasons;
  BlockPointer block = new Block;
  block->before = sums_;
  block->reasons = reasons_;
  blocks_.push_back(std::move(block));
}

void LockStretches::add(const LockWait& stretch, ClassId first_writer) {
  if (size_ % kStretches == 0) add_block();
  LockBlame of_reader = stretch.blame;
  if (of_reader.mode == LockMode::read) of_reader.convoy = first_writer;
  const std::uint32_t writer = reasons_->number(stretch.blame);
  const std::uint32_t reader = of_reader == stretch.blame ? writer : reasons_->number(of_reader);
  blocks_.back()->stretches[size_++ % kStretches] = {stretch.from, stretch.to, {reader, writer}};
  for (Sums& sums : sums_) sums.resize(reasons_->blames.size());
  sums_[static_cast<std::size_t>(LockMode::read)][reader] += stretch.to - stretch.from;
  sums_[static_cast<std::size_t>(LockMode::write)][writer] += stretch.to - stretch.from;
}

LockStretches::Wait LockStretches::since(Place began, LockMode mode) const {
  Wait wait(began % kStretches, size_ - began, mode);
  if (wait.empty()) return wait;
  const auto first = blocks_.begin() + static_cast<std::ptrdiff_t>(began / kStretches - forgotten_);
  wait.blocks_.assign(first, blocks_.end());
  return wait;
}

// But for the block that the next one goes into.
void LockStretches::forget_before(Place place) {
  for (; forgotten_ < place / kStretches; ++forgotten_) blocks_.pop_front();
}

LockWait LockStretches::Wait::Iterator::operator*() const {
  const Stretch& stretch = block().stretches[offset()];
  return {stretch.from, stretch.to, block().reasons->blames[stretch.reason[static_cast<std::size_t>(wait_->mode_)]]};
}

LockStretches::Wait::Iterator& LockStretches::Wait::Iterator::operator++() {
  ++number_;
  return *this;
}

LockStretches::Wait::Iterator LockStretches::Wait::first_after(sim::Time at) const {
  std::size_t block = 0;
  while (block + 1 < blocks_.size() && blocks_[block]->stretches.back().to <= at) ++block;
  Iterator stretch(this, std::max(first_, block * kStretches));
  while (stretch != end() && (*stretch).to <= at) ++stretch;
  return stretch;
}

const LockStretches::Reasons& LockStretches::Wait::sum_up(const Iterator& from, const Iterator& to) {
  const auto mode = static_cast<std::size_t>(from.wait_->mode_);
  Reasons& reasons = *from.block().reasons;
  reasons.sums.assign(reasons.blames.size(), {});
  const auto add = [&](Iterator stretch, std::size_t end) {
    for (; stretch.number_ < end; ++stretch) {
      const Stretch& each = stretch.block().stretches[stretch.offset()];
      reasons.sums[each.reason[mode]] += each.length();
    }
  };
  // What lies between two blocks' beginnings is the difference of what was before them.
  const Iterator whole(from.wait_, (from.number_ / kStretches + 1) * kStretches);
  const Iterator rest(from.wait_, (to.number_ - 1) / kStretches * kStretches);
  add(from, whole.number_);
  const Sums& until = rest.block().before[mode];
  const Sums& before = whole.block().before[mode];
  for (std::size_t number = 0; number < until.size(); ++number) reasons.sums[number] += until[number];
  for (std::size_t number = 0; number < before.size(); ++number) reasons.sums[number] -= before[number];
  add(rest, to.number_);
  return reasons;
}

}  // namespace models
