#include "models/kernel.h"

#include <cstdlib>

#include "models/task.h"

namespace models {

namespace {

std::optional<PageCount> pages_of(const std::optional<Bytes>& limit) {
  return limit ? std::optional(models::pages_of(*limit)) : std::nullopt;
}

// A group that has taken nothing yet, with lists of its own.
MemCgroup mem_cgroup_alloc(Zone& zone, const MemorySpec& memory, const GroupSpec& spec, int number) {
  MemCgroup group{.group = number,
                  .lruvec = zone.add_lruvec(),
                  .max = pages_of(spec.memory_max),
                  .high = pages_of(spec.memory_high)};
  group.streamed = zone.add_owner({.file = true, .group = group.lruvec, .dirty = memory.dirty});
  group.written_anon = zone.add_owner({.group = group.lruvec});
  group.written_file = zone.add_owner({.file = true, .group = group.lruvec});
  group.statistics.name = spec.name;
  return group;
}

}  // namespace

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
      lru_gen_enabled(machine.reclaim == ReclaimKind::mglru),
      cpus(engine, machine.cpus, machine.scheduler, groups, machine.llc_cpus, noise),
      rcu(*this),
      zone(memory, machine.cpus, machine.reclaim),
      clear_bandwidth(machine.clear_bandwidth),
      device(engine, memory.device),
      swap(memory.swap),
      streamed(zone.add_owner({.file = true, .dirty = memory.dirty})),
      written_anon(zone.add_owner({})),
      written_file(zone.add_owner({.file = true})) {
  for (std::size_t group = 0; group < groups.size(); ++group) {
    if (!limits_memory(groups[group])) continue;
    memcgs.push_back(mem_cgroup_alloc(zone, memory, groups[group], static_cast<int>(group)));
  }
}

void Kernel::out_of_memory(Task& current) {
  outcome = Outcome::out_of_memory;
  if (at_out_of_memory) at_out_of_memory();
  engine.stop();
  current.block(Cause::sleep);
  std::abort();  // nobody gets a turn after stop()
}

}  // namespace models
