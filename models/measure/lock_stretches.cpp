#include "models/measure/lock_stretches.h"

#include <utility>

namespace models {

std::uint32_t LockStretches::Reasons::number(const LockBlame& blame) {
  const auto [entry, is_new] = numbers.emplace(blame, static_cast<std::uint32_t>(blames.size()));
  if (is_new) blames.push_back(blame);
  return entry->second;
}

// One after another: a long row of them would not fit on a task's stack as nested calls.
void intrusive_ptr_release(LockStretches::Block* block) {
  while (block != nullptr && --block->users == 0) {
    LockStretches::Block* const next = block->next.detach();
    delete block;
    block = next;
  }
}

void LockStretches::add_block() {
  if (reasons_ == nullptr) reasons_ = new Reasons;
  boost::intrusive_ptr<Block> block = new Block;
  block->number = last_ == nullptr ? 0 : last_->number + last_->used;
  block->before = sums_;
  block->reasons = reasons_;
  if (last_ != nullptr) last_->next = block;
  last_ = std::move(block);
}

void LockStretches::add(const LockWait& stretch, ClassId first_writer) {
  if (last_ == nullptr || last_->used == kStretches) add_block();
  LockBlame of_reader = stretch.blame;
  if (of_reader.mode == LockMode::read) of_reader.convoy = first_writer;
  const std::uint32_t writer = reasons_->number(stretch.blame);
  const std::uint32_t reader = of_reader == stretch.blame ? writer : reasons_->number(of_reader);
  last_->stretches[last_->used++] = {stretch.from, stretch.to, {reader, writer}};
  for (Sums& sums : sums_) sums.resize(reasons_->blames.size());
  sums_[static_cast<std::size_t>(LockMode::read)][reader] += stretch.to - stretch.from;
  sums_[static_cast<std::size_t>(LockMode::write)][writer] += stretch.to - stretch.from;
}

LockStretches::Place LockStretches::end() {
  if (last_ == nullptr) add_block();
  Place place;
  place.block_ = last_;
  place.offset_ = last_->used;
  return place;
}

LockStretches::Wait LockStretches::since(Place began, LockMode mode) {
  if (began.offset_ == kStretches && began.block_->next != nullptr) {
    began.block_ = began.block_->next;
    began.offset_ = 0;
  }
  return {std::move(began), end(), mode};
}

LockWait LockStretches::Wait::Iterator::operator*() const {
  const Stretch& stretch = block_->stretches[offset_];
  return {stretch.from, stretch.to, block_->reasons->blames[stretch.reason[static_cast<std::size_t>(mode_)]]};
}

LockStretches::Wait::Iterator& LockStretches::Wait::Iterator::operator++() {
  ++offset_;
  if (offset_ == kStretches && block_->next != nullptr) *this = {block_->next.get(), 0, mode_};
  return *this;
}

LockStretches::Wait::Iterator LockStretches::Wait::first_after(sim::Time at) const {
  Iterator stretch = begin();
  while (stretch.block_ != last_.block_.get() && stretch.block_->stretches.back().to <= at) {
    stretch = {stretch.block_->next.get(), 0, mode_};
  }
  while (stretch != end() && (*stretch).to <= at) ++stretch;
  return stretch;
}

const LockStretches::Reasons& LockStretches::Wait::sum_up(const Iterator& from, const Iterator& to) {
  const auto mode = static_cast<std::size_t>(from.mode_);
  Reasons& reasons = *from.block_->reasons;
  reasons.sums.assign(reasons.blames.size(), {});
  const auto add = [&](const Block& block, std::size_t first, std::size_t end) {
    for (std::size_t offset = first; offset < end; ++offset) {
      const Stretch& stretch = block.stretches[offset];
      reasons.sums[stretch.reason[mode]] += stretch.length();
    }
  };
  add(*from.block_, from.offset_, kStretches);
  const Sums& until = to.block_->before[mode];
  const Sums& before = from.block_->next->before[mode];
  for (std::size_t number = 0; number < until.size(); ++number) reasons.sums[number] += until[number];
  for (std::size_t number = 0; number < before.size(); ++number) reasons.sums[number] -= before[number];
  add(*to.block_, 0, to.offset_);
  return reasons;
}

}  // namespace models
