// What takes CPUs away from those who run there, whoever they are: interrupts, a hypervisor, other people's threads.
//
// Models. Each CPU has its own sequence of each kind (NoiseSpec::interruptions), with a random stream of its own: when
// they are due and how long they last does not depend on what runs, so policies meet the same ones. An interrupt and a
// hypervisor make the CPU stand still (Cpus::stand_still): a holder still holds, a spinner goes on spinning behind it,
// and misses a release meanwhile. A task is one of class -1 that is bound to the CPU, wakes and works; who has the CPU
// then is the scheduler's decision.
//
// Kernel. What a spinner does: kernel/locking/rwsem.c, rwsem_spin_on_owner: it leaves on need_resched, and, since 4.10
// (05ffc951392d), on vcpu_is_preempted of its owner (models/locking/rwsem.h).
//
// Simplified. One that is due while another lasts, or while the CPU switches to a task, begins behind that. Interrupts
// come to all CPUs alike. The hypervisor is one that tells (KVM with steal time).
//
// Validated by tests/models/sched/interruptions_test.cpp: closed forms, conservation of CPU time.
#pragma once

#include <cstdint>
#include <deque>

#include "models/sched/cpu.h"
#include "models/spec/noise.h"
#include "sim/engine.h"
#include "sim/random.h"

namespace models {

class Task;

/// Those that make CPUs stand still: from the start of the run on, for ever.
class Interruptions {
 public:
  /// `noise` and `cpus` outlive it.
  Interruptions(sim::Engine& engine, Cpus& cpus, const NoiseSpec& noise, std::uint64_t seed);
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

 private:
  struct Source {
    Source(Interruptions& all, const Interruption& spec, int cpu, const sim::Stream& stream);
    const Interruption& spec;
    int cpu;
    sim::Stream stream;
    sim::Time due{};  // perhaps in the past, if it was held up
    sim::Event begin;
  };

  void await_next(Source& source);
  void begin(Source& source);

  sim::Engine& engine_;
  Cpus& cpus_;
  std::deque<Source> sources_;  // an event stays where it was made
};

/// The body of a thread that is such an interruption; it never ends.
[[noreturn]] void run_interrupting_task(Task& current, const Interruption& spec);

}  // namespace models
