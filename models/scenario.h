// A scenario: everything that determines a run, as values.
//
// experiments/scenario_file.h reads it from YAML; models/simulation.h runs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "models/machine.h"
#include "models/page.h"
#include "models/policy.h"
#include "sim/distribution.h"
#include "sim/time.h"

namespace models {

/// The zone at the start and what keeps it busy.
struct MemorySpec {
  Bytes size{};                   ///< all of the machine's memory
  std::optional<Bytes> min_free;  ///< the min watermark; by default the kernel's formula (models/page_alloc.h)
  Bytes free{};                   ///< free at the start; the rest, less what is locked, can be reclaimed
  double dirty = 0;               ///< share of reclaim batches that wait for write-back, 0 .. 1
  Bytes background{};             ///< what other processes allocate in a second

  bool operator==(const MemorySpec&) const = default;
};

/// A mapping that a process makes before its threads start.
struct RegionSpec {
  /// What mlock finds there.
  enum class Kind {
    anon,
    special,  ///< VM_DONTEXPAND: a driver's pages; made present by mlock, never locked
    hugetlb,  ///< VM_HUGETLB: as special
    io,       ///< VM_IO | VM_PFNMAP: passed over by mlock
  };
  std::string name;
  Bytes size{};
  int vmas = 1;  ///< of equal size, the last one perhaps larger, alternately readonly so that they do not merge
  Kind kind = Kind::anon;

  bool operator==(const RegionSpec&) const = default;
};

/// Requests one after another: each `think` after the end of the one before. The task sleeps while it thinks.
struct ClosedLoop {
  sim::Distribution think;
  bool operator==(const ClosedLoop&) const = default;
};

/// Requests due at times of their own, whether or not the one before is done: latency counts from when it
/// was due, so a stall is charged to every request that it held up.
struct OpenLoop {
  sim::Distribution every;
  bool operator==(const OpenLoop&) const = default;
};

using Arrival = std::variant<ClosedLoop, OpenLoop>;

/// One step of a locker's script.
struct ScriptStep {
  enum class Call {
    mlock,
    munlock,
    munmap,
    hold,
    mlockall,         ///< MCL_CURRENT
    mlockall_future,  ///< MCL_FUTURE
    munlockall,
    mmap_locked,  ///< MAP_LOCKED: a fresh area of the region's size, which stays
    brk,          ///< the heap grows by `size`
    stack,        ///< a fault `size` below the stack
    remap_file_pages,
    exit,  ///< of the whole process: the last step
  };
  Call call;
  sim::Nanoseconds hold{};  ///< for `hold` only: how long it sleeps
  Bytes size{};             ///< for `brk` and `stack` only

  bool operator==(const ScriptStep&) const = default;
};

/// Walks through `script` on `region`, `repeat` times; maps the region (again) where a step needs it mapped. Ends early
/// when another locker's `exit` has ended the process.
struct LockerSpec {
  std::string region;
  std::vector<ScriptStep> script;
  int repeat = 1;
  bool operator==(const LockerSpec&) const = default;
};

/// One page fault a request: on fresh pages of an anonymous area of its own, or anywhere in a region of its process.
struct FaulterSpec {
  std::optional<std::string> region;
  Arrival arrival;
  bool operator==(const FaulterSpec&) const = default;
};

/// Reads /proc/PID/<file> of the process `target`, as ps does.
struct ProcReaderSpec {
  enum class File { cmdline, maps, smaps };
  File file = File::cmdline;
  std::string target;
  Arrival arrival;
  bool operator==(const ProcReaderSpec&) const = default;
};

/// Maps a small region and unmaps it again, in turn: one system call a request, each a writer.
struct MapperSpec {
  Bytes size{kPageSize};
  Arrival arrival;
  bool operator==(const MapperSpec&) const = default;
};

/// Gives `size` of `region` back with madvise(MADV_DONTNEED), one piece after another, round and round. A reader of
/// mmap_sem.
struct RecyclerSpec {
  std::string region;
  Bytes size{kPageSize};  ///< at most the region's
  Arrival arrival;
  bool operator==(const RecyclerSpec&) const = default;
};

/// Forbids and allows writing to the first `size` of `region`, in turn, with mprotect: a writer.
struct ProtectorSpec {
  std::string region;
  Bytes size{kPageSize};  ///< at most the region's
  Arrival arrival;
  bool operator==(const ProtectorSpec&) const = default;
};

/// Forks: a writer that holds mmap_sem for long.
struct ForkerSpec {
  Arrival arrival;
  bool operator==(const ForkerSpec&) const = default;
};

/// Reads `pages` pages in a row out of the first region of the process `target`, from anywhere in it.
struct RemoteReaderSpec {
  std::string target;
  PageCount pages{1};
  Arrival arrival;
  bool operator==(const RemoteReaderSpec&) const = default;
};

/// `count` threads that do the same, each with random streams of its own.
struct ThreadSpec {
  std::string name;  ///< also the name of the class that the results speak of
  int count = 1;
  std::variant<LockerSpec, FaulterSpec, ProcReaderSpec, MapperSpec, RecyclerSpec, ProtectorSpec, ForkerSpec,
               RemoteReaderSpec>
      run;

  bool operator==(const ThreadSpec&) const = default;
};

/// One address space and its threads.
struct ProcessSpec {
  std::string name;
  bool cap_ipc_lock = true;             ///< may lock beyond rlimit_memlock
  std::optional<Bytes> rlimit_memlock;  ///< none: unlimited
  std::vector<RegionSpec> regions;
  std::vector<ThreadSpec> threads;

  bool operator==(const ProcessSpec&) const = default;
};

struct Scenario {
  std::string name;
  std::string about;
  Machine machine;
  MemorySpec memory;
  std::vector<Policy> policies;  ///< at least one; `run` takes the first
  std::uint64_t seed = 1;
  std::optional<sim::Nanoseconds> duration;  ///< none: until every locker's script has ended
  std::vector<ProcessSpec> processes;

  bool operator==(const Scenario&) const = default;
};

}  // namespace models
