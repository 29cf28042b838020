#include "models/procfs.h"

#include "models/kernel.h"
#include "models/mm.h"
#include "models/task.h"

namespace models {

void proc_pid_cmdline(Task& current, Mm& target) {
  const Costs& costs = current.kernel().costs;
  current.enter(Phase::proc_read);
  current.work(costs.proc_open, Purpose::calls);
  target.mmap_sem.down_read(current);
  current.work(costs.proc_cmdline, Purpose::calls);
  target.mmap_sem.up_read(current);
  current.enter(Phase::user);
  current.settle();
}

}  // namespace models
