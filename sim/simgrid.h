// SimGrid, as the engine uses it: contexts that run plain C++, a clock, and dates at which something is called.
//
// It stands behind an interface that names nothing of SimGrid's, and is in a module of its own that is loaded when it
// is wanted first. To load Debian's SimGrid takes 50 ms, most of it for ns-3, which it brings along: who asks for the
// version, checks a scenario or completes a command line does not wait for that.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/context_switch.h"
#include "sim/time.h"

// simgrid/s4u.hpp takes longer to read than everything else here: it is for the module alone.
namespace simgrid::s4u {
class Actor;
}

namespace sim {

/// One in a process, because SimGrid keeps its clock in globals. The actors are there as long as it is.
class SimGrid {
 public:
  virtual ~SimGrid() = default;

  /// Adds an actor, to be started by run().
  virtual simgrid::s4u::Actor& add(const std::string& name, const std::function<void()>& body) = 0;
  /// Returns when no actor is left.
  virtual void run() = 0;
  /// Calls `what` from its main loop at `at`, or as soon as possible if its clock has been rounded up past that.
  virtual void call_at(Time at, std::function<void()> what) = 0;

  /// The running actor waits until it is resumed.
  virtual void suspend() = 0;
  virtual void resume(simgrid::s4u::Actor& actor) = 0;
  /// Unwinds its stack, if it has not ended. Not for the running actor.
  virtual void kill(simgrid::s4u::Actor& actor) = 0;

  /// Whether what follows may be called (sim/context_switch.h).
  [[nodiscard]] virtual bool can_switch_contexts() const = 0;
  [[nodiscard]] virtual Context& own_context() const = 0;
  virtual void switch_context(Context& from, Context& to) const = 0;
  virtual void leave_context(Context& from) const = 0;
};

/// Loads it, if it has not been. Processes that are forked afterwards need not. Throws std::runtime_error where the
/// module or one of its libraries cannot be found.
void load_simgrid();

/// Loads and starts it, with these options of its own beside ours.
[[nodiscard]] std::unique_ptr<SimGrid> start_simgrid(const std::vector<std::string>& arguments);

/// That this program was built with, such as 3.32.
[[nodiscard]] std::string simgrid_version();

}  // namespace sim
