// Hands control from one of SimGrid's actors straight to another, without a round through SimGrid's main loop.
//
// An actor's stack is one of SimGrid's contexts. By the public interface control can only go by way of two simcalls and
// two rounds over all models and timers (80 ns at best, 150 ns and more in a run); swapping the contexts takes 5 ns.
// Whoever is switched to in this way must not make a simcall: SimGrid thinks that another actor runs.
//
// Needs SimGrid 3.32 or 4.0, which export what that takes but install no header for it, so that context_switch.cpp
// declares it once more. Whether another version's is the same nobody has checked: with any other, turns go by way of
// SimGrid's public interface, which takes longer and gives the same history to the byte.
#pragma once

namespace simgrid::kernel::context {
class SwappedContext;
}

namespace sim {

using Context = simgrid::kernel::context::SwappedContext;

/// Whether what is declared here is as it is in that version of SimGrid.
[[nodiscard]] constexpr bool knows_contexts_of(int major, int minor) {
  return (major == 3 && minor == 32) || (major == 4 && minor == 0);
}

/// Whether the actors' stacks can be swapped: only with a version that is known, and not if they are threads or run in
/// parallel. After SimGrid's start. Without that nothing below may be called.
[[nodiscard]] bool can_switch_contexts();

/// That of the running actor.
[[nodiscard]] Context& own_context();

/// From the running actor, to which `from` belongs; returns when somebody switches back.
void switch_context(Context& from, Context& to);

/// The same, to whomever SimGrid would run next.
void leave_context(Context& from);

}  // namespace sim
