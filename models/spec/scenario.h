// A scenario: everything that determines a run, as values.
//
// experiments/scenario/scenario_file.h reads it from YAML; models/simulation.h runs it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/spec/machine.h"
#include "models/spec/memory.h"
#include "models/spec/page.h"
#include "models/spec/policy.h"
#include "models/spec/sched.h"
#include "models/spec/threads.h"
#include "sim/time.h"

namespace models {

/// A mapping that a process makes before its threads start.
struct RegionSpec {
  /// What mlock finds there.
  enum class Kind {
    anon,
    special,  ///< VM_DONTEXPAND: a driver's pages; made present by mlock, never locked
    hugetlb,  ///< VM_HUGETLB: as special, of pages from a pool that is set aside for it
    io,       ///< VM_IO | VM_PFNMAP: passed over by mlock
    file,     ///< a file, mapped to be read, or to be written as well; its page cache outlives the mapping
    shmem,    ///< MAP_SHARED | MAP_ANONYMOUS, memfd, /dev/shm: a file that is backed by swap, and outlives the mapping
  };
  /// Where its pages are at the start.
  enum class Pages {
    absent,    ///< nowhere yet (anon), or in the file
    resident,  ///< mapped
    cached,    ///< in the page cache (file, shmem)
    swapped,   ///< swapped out (anon, shmem)
  };
  /// What its anonymous pages are: folios of 2^order pages, wherever one fits; none: as the machine's THP has it.
  using FolioOrder = std::optional<int>;
  std::string name;
  Bytes size{};
  int vmas = 1;  ///< of equal size, the last one perhaps larger, alternately readonly so that they do not merge
  Kind kind = Kind::anon;
  Pages pages = Pages::absent;
  bool shares_anon_vma = false;  ///< its VMAs were one that was mprotected after it had been faulted in
  bool locked = false;           ///< VM_LOCKED from the start; what is resident is mlocked
  std::string beside{};          ///< the region of this process where whose end it begins; none: far from all others
  bool joins_anon_vma = false;   ///< beside another: the two were one VMA when they were faulted in
  std::optional<sim::Nanoseconds>
      touched_every{};  ///< mean time between two touches of a page; none: only by the threads
  FolioOrder folio_order = 0;
  bool written = false;  ///< a file: MAP_SHARED, and whoever faults in it writes; otherwise it is mapped to be read

  bool operator==(const RegionSpec&) const = default;
};

/// The region of that name, or null.
inline const RegionSpec* find_region(const std::vector<RegionSpec>& regions, const std::string& name) {
  const auto found = std::find_if(regions.begin(), regions.end(), [&](const auto& each) { return each.name == name; });
  return found == regions.end() ? nullptr : &*found;
}

/// One address space and its threads.
struct ProcessSpec {
  std::string name;
  bool cap_ipc_lock = true;             ///< may lock beyond rlimit_memlock
  std::optional<Bytes> rlimit_memlock;  ///< none: unlimited
  std::vector<RegionSpec> regions;
  std::vector<ThreadSpec> threads;
  int group = -1;  ///< the control group that its memory is charged to, by number; -1: none

  bool operator==(const ProcessSpec&) const = default;
};

struct Scenario {
  std::string name;
  std::string about;
  Machine machine;
  MemorySpec memory;
  std::vector<GroupSpec> groups;  ///< control groups that threads may be in
  std::vector<Policy> policies;   ///< at least one; `run` takes the first
  std::uint64_t seed = 1;
  std::optional<sim::Nanoseconds> duration;  ///< none: until every locker's script has ended
  bool warm_up = true;  ///< what is due until everybody has been served once is left out (models/measure/measurement.h)
  std::vector<ProcessSpec> processes;

  bool operator==(const Scenario&) const = default;
};

}  // namespace models
