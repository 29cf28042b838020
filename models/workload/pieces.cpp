#include "models/workload/pieces.h"

#include <boost/random/uniform_int_distribution.hpp>

#include <algorithm>

#include "sim/random.h"

namespace models {

namespace {

// Where the part of `member` begins, in pages.
PageCount part_of(PageCount pages, int member, int threads) { return PageCount(pages.count() * member / threads); }

}  // namespace

Pieces::Pieces(PageIndex start, PageCount pages, PageCount size, const Visits& visits, int member, int threads)
    : visits_(visits), start_(start), pages_(pages), size_(size) {
  if (!visits.share_each) return;
  const PageCount begin = part_of(pages, member, threads);
  start_ = start + begin;
  pages_ = part_of(pages, member + 1, threads) - begin;
}

Pieces::Piece Pieces::next(sim::Stream& chance) {
  const PageCount size = std::min(size_, pages_);
  switch (visits_.place) {
    case Visits::Place::in_turn:
      return next_in_turn();
    case Visits::Place::random: {
      const boost::random::uniform_int_distribution<std::int64_t> place(0, pages_.count() / size.count() - 1);
      return {start_ + PageCount(place(chance) * size.count()), size};
    }
    case Visits::Place::start:
      break;
  }
  return {start_, size};
}

Pieces::Piece Pieces::next_in_turn() {
  const Piece piece{start_ + offset_, std::min(size_, pages_ - offset_)};
  offset_ += piece.pages;
  if (offset_ < pages_) return piece;
  offset_ = PageCount(0);
  ++rounds_;
  return piece;
}

}  // namespace models
