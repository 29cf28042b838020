#include "sim/context_switch.h"

#include <xbt/base.h>  // version.h needs it

#include <simgrid/version.h>
#include <xbt/config.hpp>

#include <string>

// src/kernel/context/Context.hpp and ContextSwapped.hpp of SimGrid 3.32 and 4.0, as far as it is called here. Weak, so
// that the program starts with a version that has none of it.
namespace simgrid::kernel::context {

class Context {
 public:
  [[gnu::weak]] static Context* self();
  [[gnu::weak]] static void set_current(Context* self);
};

class SwappedContext : public Context {
 public:
  [[gnu::weak]] void suspend();
  [[gnu::weak]] void swap_into(SwappedContext* to);
};

}  // namespace simgrid::kernel::context

namespace sim {

bool can_switch_contexts() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  sg_version_get(&major, &minor, &patch);
  return knows_contexts_of(major, minor) && simgrid::config::get_value<std::string>("contexts/factory") != "thread" &&
         simgrid::config::get_value<int>("contexts/nthreads") == 1;
}

Context& own_context() { return *static_cast<Context*>(Context::self()); }

void switch_context(Context& from, Context& to) {
  Context::set_current(&to);
  from.swap_into(&to);
}

void leave_context(Context& from) { from.suspend(); }

}  // namespace sim
