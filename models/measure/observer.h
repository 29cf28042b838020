// Whoever looks on while a run happens: a trace, a test of the order of things. Nobody, by default, and then it costs
// next to nothing.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string_view>

#include "models/measure/blame.h"
#include "models/spec/page.h"

namespace models {

class Mm;
class Rwsem;
class Task;

/// An operation on a semaphore, in the kernel's words.
enum class LockOperation { down_read, down_write, up_read, up_write, downgrade_write };

constexpr std::string_view to_string(LockOperation operation) {
  constexpr std::array<std::string_view, 5> names{"down_read", "down_write", "up_read", "up_write", "downgrade_write"};
  return names[static_cast<std::size_t>(operation)];
}

/// Called at the time of the machine, in the turn of the task that makes it happen. What is called must not do anything
/// to the model.
struct Observer {
  /// A down_* when the task has the semaphore, which may have been granted to it in another's turn; the others when
  /// they are done but for waking others.
  std::function<void(const Task&, LockOperation, const Rwsem&)> lock;
  /// From `at` on, perhaps a little ahead of the machine's time, the task's time goes to `cause`; it may be the same as
  /// before.
  std::function<void(const Task&, Cause, sim::Time at)> cause;
  /// The task does something else from now on (Task::phase()), or the same once more.
  std::function<void(const Task&)> phase;
  /// `woken` has been made runnable by `waker`.
  std::function<void(const Task& waker, const Task& woken)> wake;
  /// From `at` on, perhaps a little ahead of the machine's time, the CPU of that number runs the task; null: nobody.
  std::function<void(int cpu, const Task*, sim::Time at)> cpu;
  /// Pages of an address space have changed their state.
  std::function<void(const Mm&, PageIndex start, PageIndex end, PageState from, PageState to)> pages;
};

}  // namespace models
