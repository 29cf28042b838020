// RCU's grace periods, as far as others notice them: its thread wants a CPU at each tick while there are any.
//
// Models. Whoever maps and unmaps leaves memory behind that is freed after a grace period. At the next tick
// rcu_gp_kthread begins one, sleeps for a tick, and looks whether all CPUs have been in user mode, idle, or switched;
// if not it sleeps again, and if so and there is something new it begins the next. It runs where it ran last or on an
// idle CPU, as all who wake up: beside a mapper that is never idle it takes one CPU away 250 times a second, and
// whoever spins on mmap_lock there has to stop and queue. Kernel. kernel/rcu/tree.c of 6.1 and 6.12: call_rcu,
// rcu_gp_kthread, rcu_gp_fqs_loop (jiffies_till_first_fqs and jiffies_till_next_fqs are one tick up to HZ 250). Who
// calls it: mm/maple_tree.c (ma_free_rcu, since 6.1) and, from 6.4 on, vm_area_free. Measured, involuntary switches a
// second of a thread that spins for 4 s, HZ 250, two CPUs, while the other one is idle or spins / maps and unmaps all
// the time / does so every millisecond: 6.18.44 1 to 2 / 251 / 2; Debian's 6.12.117 under qemu 2 / 243 / 2; 6.1.0-57 2
// to 3 / 91 / 3, and 183 of the mapper. Guessed before: as few as beside one that spins. Simplified. Who has been in
// the kernel for HZ / 10 is not asked to switch (rcu_urgent_qs). Callbacks take no time. Nothing but VMAs is freed so.
// Machines that were measured under such a kernel have it under all policies. Validated by
// tests/models/sched/rcu_test.cpp.
#pragma once

#include "models/spec/noise.h"
#include "sim/engine.h"

namespace models {

class Task;
struct Kernel;

struct Rcu {
  explicit Rcu(Kernel& kernel);

  Task* gp_kthread = nullptr;  ///< null: nobody notices
  bool waiting = false;        ///< something has been left behind that no grace period has begun for
  bool sleeps = false;         ///< the thread, as there was nothing
  sim::Event tick;             ///< at which it is woken
};

/// Something is to be freed after a grace period. Whoever calls it has settled.
void call_rcu(Kernel& kernel);

/// The body of its thread. Precondition: the machine's noise has grace periods.
[[noreturn]] void rcu_gp_kthread(Task& current);

}  // namespace models
