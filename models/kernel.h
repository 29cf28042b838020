// The kernel that the tasks of a run share: what every path needs besides its own arguments.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "models/block/block_device.h"
#include "models/measure/measurement.h"
#include "models/measure/observer.h"
#include "models/measure/result.h"
#include "models/mm/clear_page.h"
#include "models/mm/memcontrol.h"
#include "models/mm/page_alloc.h"
#include "models/mm/reclaim_rules.h"
#include "models/mm/swap.h"
#include "models/mm/vma_slab.h"
#include "models/mm/vmscan.h"
#include "models/sched/cpu.h"
#include "models/sched/rcu.h"
#include "models/spec/machine.h"
#include "models/spec/policy.h"
#include "sim/engine.h"

namespace models {

class AddressSpace;
class Mm;
class Task;

struct Kernel {
  /// A machine at rest: all of its memory is free (models/workload/background.h fills it).
  /// `groups`: the control groups of the tasks.
  Kernel(sim::Engine& the_engine, const Machine& machine, const Policy& the_policy, const MemorySpec& memory_spec,
         const std::vector<GroupSpec>& groups = {});

  sim::Engine& engine;
  const Costs& costs;
  const Policy& policy;
  const MemorySpec& memory;
  const Thp thp;
  const Bytes llc;
  const NoiseSpec& noise;
  const ReclaimRules& reclaim_rules;  ///< of the memory's era
  const bool lru_gen_enabled;         ///< MGLRU (models/mm/mglru.h)
  Cpus cpus;
  Rcu rcu;
  Zone zone;
  ClearBandwidth clear_bandwidth;
  VmaSlab vma_slab;
  BlockDevice device;
  Swap swap;
  Reclaim reclaim;
  Observer observer;
  Measurement measurement;
  Outcome outcome = Outcome::completed;
  std::function<void()> at_out_of_memory;  ///< called when that ends the run, while everybody is still where they are
  std::vector<std::shared_ptr<AddressSpace>> mappings;  ///< files that are written through a mapping: the flusher's

  // Owners of pages that have no address of their own.
  OwnerId streamed;      ///< what nobody will touch again: page cache read once, memory that its owner has done with
  OwnerId written_anon;  ///< swapped out, written, and not freed yet
  OwnerId written_file;

  std::vector<Mm*> mm_list;  ///< whose page tables ageing walks (lru_gen_mm_list)

  std::deque<MemCgroup> memcgs;  ///< the groups with a memory limit, by their lists from 1 on

  /// Ends the run with Outcome::out_of_memory; does not return.
  [[noreturn]] void out_of_memory(Task& current);
};

}  // namespace models
