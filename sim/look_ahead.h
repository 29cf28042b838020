// Look-ahead: how an actor gets past events of others without stopping at each of them.
//
// The contract. An actor may compute ahead of the clock what nobody else can tell from what it would have done step by
// step. There are two cases, and no others.
// - Up to its horizon, anything. The horizon is the next appointment of all others in the calendar: whatever could
//   interact (a writer, a watermark, a contended CPU, the end of the run) does so in a turn, and a turn has an
//   appointment. Actor::pass_time_until does this for every model code, unasked.
// - Past its horizon, steps that commute with whatever others do: this file. Whoever begins them says what each step
//   does when it begins (`begun`), which must touch only what nobody else looks at before calling cut(). Whoever could
//   see or disturb that (takes from it, makes a condition fail that the steps rely on, takes the CPU away, ends the
//   run) calls cut() first: the steps that have begun by now take effect, and the actor's turn comes at the end of the
//   present one, as if it had never looked ahead.
// So a promise is never guessed: it is made by state that is watched, and kept or cut by who changes that state.
// `--stepwise` runs one step at a time, and both give the same bytes.
#pragma once

#include <boost/container/vector.hpp>

#include <cstddef>
#include <functional>
#include <span>

#include "sim/engine.h"
#include "sim/time.h"

namespace sim {

class LookAhead {
 public:
  /// Called when `steps` further steps have begun; they follow those that it was called for before.
  using Begun = std::function<void(std::size_t steps)>;

  LookAhead(Engine& engine, Actor& actor) : engine_(engine), actor_(actor) {}
  LookAhead(const LookAhead&) = delete;
  LookAhead& operator=(const LookAhead&) = delete;

  /// Takes steps of these lengths (>= 0, at least one), in the turn of the actor; returns how many have ended when it
  /// goes on: all, or those up to the one that was under way when it was cut.
  std::size_t run(std::span<const Nanoseconds> steps, const Begun& begun);

  /// Ends the look-ahead at the present moment. Does nothing if there is none.
  void cut();

 private:
  void begin_up_to(std::size_t steps);
  [[nodiscard]] std::size_t ended() const;

  Engine& engine_;
  Actor& actor_;
  boost::container::vector<Time> ends_;  // of the steps; empty when there is no look-ahead
  std::size_t begun_ = 0;
  const Begun* tell_ = nullptr;
};

}  // namespace sim
