#include "sim/context_switch.h"

#include <xbt/config.hpp>

#include <string>

// src/kernel/context/Context.hpp and ContextSwapped.hpp of SimGrid 3.32, as far as it is called here.
namespace simgrid::kernel::context {

class Context {
 public:
  static Context* self();
  static void set_current(Context* self);
};

class SwappedContext : public Context {
 public:
  void suspend();
  void swap_into(SwappedContext* to);
};

}  // namespace simgrid::kernel::context

namespace sim {

bool can_switch_contexts() {
  return simgrid::config::get_value<std::string>("contexts/factory") != "thread" &&
         simgrid::config::get_value<int>("contexts/nthreads") == 1;
}

Context& own_context() { return *static_cast<Context*>(Context::self()); }

void switch_context(Context& from, Context& to) {
  Context::set_current(&to);
  from.swap_into(&to);
}

void leave_context(Context& from) { from.suspend(); }

}  // namespace sim
