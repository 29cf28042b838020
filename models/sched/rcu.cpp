#include "models/sched/rcu.h"

#include "models/kernel.h"
#include "models/task.h"

namespace models {

namespace {

sim::Time next_tick(const Kernel& kernel, sim::Time now) { return sim::next_multiple(kernel.cpus.spec().tick, now); }

// A step of a grace period: its beginning, a look at the CPUs, its end.
void step(Task& current) {
  current.work(current.kernel().noise.grace_periods->sample(current.stream(Purpose::demand)));
}

// rcu_gp_fqs_loop.
void await_quiescent_states(Task& current) {
  const sim::Time begin = current.settle();
  do {
    current.sleep_until(next_tick(current.kernel(), current.settle()));
    step(current);
    current.settle();
  } while (!current.kernel().cpus.all_quiescent_since(begin));
}

}  // namespace

Rcu::Rcu(Kernel& kernel) : tick(kernel.engine.calendar(), [this] { gp_kthread->wake(); }) {}

void call_rcu(Kernel& kernel) {
  Rcu& rcu = kernel.rcu;
  if (rcu.gp_kthread == nullptr) return;
  rcu.waiting = true;
  if (rcu.sleeps && !rcu.tick.due()) rcu.tick.schedule(next_tick(kernel, kernel.engine.now()));
}

void rcu_gp_kthread(Task& current) {
  Rcu& rcu = current.kernel().rcu;
  for (;;) {
    if (!rcu.waiting) {
      rcu.sleeps = true;
      current.block(Cause::sleep);
      rcu.sleeps = false;
      step(current);
      current.settle();
    }
    rcu.waiting = false;
    await_quiescent_states(current);
  }
}

}  // namespace models
