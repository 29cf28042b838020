// Hands control from one of SimGrid's actors straight to another, without a round through SimGrid's main loop.
//
// An actor's stack is one of SimGrid's contexts. By the public interface control can only go by way of two simcalls and
// two rounds over all models and timers (80 ns at best, 150 ns and more in a run); swapping the contexts takes 5 ns.
// SimGrid 3.32 exports what that takes, but installs no header for it. Whoever is switched to in this way must not make
// a simcall: SimGrid thinks that another actor runs.
#pragma once

namespace simgrid::kernel::context {
class SwappedContext;
}

namespace sim {

using Context = simgrid::kernel::context::SwappedContext;

/// Whether the actors' stacks can be swapped: not if they are threads, or run in parallel. After SimGrid's start.
[[nodiscard]] bool can_switch_contexts();

/// That of the running actor.
[[nodiscard]] Context& own_context();

/// From the running actor, to which `from` belongs; returns when somebody switches back.
void switch_context(Context& from, Context& to);

/// The same, to whomever SimGrid would run next.
void leave_context(Context& from);

}  // namespace sim
