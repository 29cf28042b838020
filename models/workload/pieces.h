// Where in a region a thread makes its calls, one after another. Values only: the probe (tools/probe) visits the same
// places for real.
#pragma once

#include "models/spec/page.h"
#include "models/spec/threads.h"

namespace sim {
class Stream;
}  // namespace sim

namespace models {

/// The pieces of a region that a thread comes to, one a call: `size` pages each, but for the last one of its part.
class Pieces {
 public:
  /// `start`, `pages`: of the region; `member`: of `threads`. Precondition: with `share_each` there is a page for each
  /// of them.
  Pieces(PageIndex start, PageCount pages, PageCount size, const Visits& visits, int member, int threads);

  struct Piece {
    PageIndex start;
    PageCount pages;
  };
  /// The next one, in random places drawn from `chance`.
  [[nodiscard]] Piece next(sim::Stream& chance);
  /// How often it has been through its part, in turn.
  [[nodiscard]] int rounds() const { return rounds_; }
  /// Whether there is another one.
  [[nodiscard]] bool more() const { return !visits_.once || rounds_ == 0; }

 private:
  Piece next_in_turn();

  Visits visits_;
  PageIndex start_;
  PageCount pages_;
  PageCount size_;
  PageCount offset_;
  int rounds_ = 0;
};

}  // namespace models
