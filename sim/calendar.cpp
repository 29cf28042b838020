#include "sim/calendar.h"

#include <cassert>
#include <utility>

namespace sim {

Event::Event(Calendar& calendar, Callback callback)
    : calendar_(calendar), callback_(std::move(callback)), rank_(calendar.add(*this)) {}

Event::Event(Calendar& calendar, Actor& actor) : calendar_(calendar), actor_(&actor), rank_(calendar.add(*this)) {}

std::uint32_t Calendar::add(Event& event) {
  const auto rank = static_cast<std::uint32_t>(events_.size());
  events_.push_back(&event);
  if (events_.size() > leaves_) grow();
  tree_[leaves_ + rank] = {kNever, rank};
  return rank;
}

void Calendar::grow() {
  const std::vector<Entry> smaller = std::exchange(tree_, std::vector<Entry>(4 * leaves_));
  const std::size_t before = std::exchange(leaves_, 2 * leaves_);
  for (std::size_t rank = 0; rank < before; ++rank) tree_[leaves_ + rank] = {kNever, static_cast<std::uint32_t>(rank)};
  for (std::size_t rank = 0; rank < before; ++rank) set(static_cast<std::uint32_t>(rank), smaller[before + rank].at);
}

void Calendar::set(std::uint32_t rank, Time at) {
  std::size_t place = leaves_ + rank;
  tree_[place] = {at, rank};
  while (place > 1) {
    place /= 2;
    const Entry* const pair = &tree_[2 * place];
    // The left one has the lower ranks. Without a branch, which would be guessed wrong every other time.
    const Entry& earlier = pair[static_cast<std::size_t>(pair[1].at < pair[0].at)];
    Entry& winner = tree_[place];
    if (winner.rank == earlier.rank && winner.at == earlier.at) return;
    winner = earlier;
  }
}

}  // namespace sim
