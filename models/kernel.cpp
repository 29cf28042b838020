#include "models/kernel.h"

#include <cstdlib>

#include "models/task.h"

namespace models {

Kernel::Kernel(sim::Engine& the_engine, const Machine& machine, const Policy& the_policy, const MemorySpec& memory_spec,
               const std::vector<GroupSpec>& groups)
    : engine(the_engine),
      costs(machine.costs),
      policy(the_policy),
      memory(memory_spec),
      thp(machine.thp),
      llc(machine.llc),
      noise(machine.noise),
      reclaim_rules(reclaim_rules_of(memory.era)),
      cpus(engine, machine.cpus, machine.scheduler, groups, machine.llc_cpus, noise.wake_up),
      zone(memory, machine.cpus),
      clear_bandwidth(machine.clear_bandwidth),
      device(engine, memory.device),
      swap(memory.swap),
      streamed(zone.add_owner({.file = true, .dirty = memory.dirty})),
      written_anon(zone.add_owner({})),
      written_file(zone.add_owner({.file = true})) {}

void Kernel::out_of_memory(Task& current) {
  outcome = Outcome::out_of_memory;
  if (at_out_of_memory) at_out_of_memory();
  engine.stop();
  current.block(Cause::sleep);
  std::abort();  // nobody gets a turn after stop()
}

}  // namespace models
