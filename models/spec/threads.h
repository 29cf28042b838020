// What threads run: lockers, which walk through a script of system calls, and their competitors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/spec/advice.h"
#include "models/spec/fault_mode.h"
#include "models/spec/page.h"
#include "models/spec/recording.h"
#include "models/spec/sched.h"
#include "sim/distribution.h"
#include "sim/time.h"

namespace models {

/// Requests one after another: each `think` after the end of the one before. The task sleeps while it thinks.
struct ClosedLoop {
  sim::Distribution think;
  sim::Distribution compute{};  ///< work in user mode, after it has thought; no part of the request
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
    mlock_onfault,  ///< mlock2(MLOCK_ONFAULT)
    munlock,
    munmap,
    hold,
    mlockall,          ///< MCL_CURRENT
    mlockall_onfault,  ///< MCL_CURRENT | MCL_ONFAULT
    mlockall_future,   ///< MCL_FUTURE
    munlockall,
    mmap_locked,  ///< MAP_LOCKED: a fresh area of the region's size, which stays
    brk,          ///< the heap grows by `size`
    brk_shrink,   ///< the heap shrinks by `size`
    stack,        ///< a fault `size` below the stack
    remap_file_pages,
    msync,           ///< MS_SYNC
    mremap,          ///< the region to another place, where the script goes on with it; the next time back again
    mremap_aligned,  ///< the same to a place that lies alike in its page tables, so that tables can move as a whole
    exit,            ///< of the whole process: the last step
  };
  Call call;
  sim::Nanoseconds hold{};  ///< `hold`: how long it sleeps; of a call in pieces: how long between two of them
  Bytes size{};  ///< `brk`, `brk_shrink`, `stack`; calls on the region: of a piece, which is a call of its own; 0: all
  std::optional<Bytes> at{};  ///< calls on the region: only this piece of it, so far from its start

  bool operator==(const ScriptStep&) const = default;
};

/// Whether a call is one on the locker's region, which can be made in pieces.
constexpr bool is_on_region(ScriptStep::Call call) {
  using Call = ScriptStep::Call;
  return call == Call::mlock || call == Call::mlock_onfault || call == Call::munlock || call == Call::munmap ||
         call == Call::msync;
}

/// Whether it moves the region.
constexpr bool is_mremap(ScriptStep::Call call) {
  return call == ScriptStep::Call::mremap || call == ScriptStep::Call::mremap_aligned;
}

/// Walks through `script` on `region`, `repeat` times; maps the region (again) where a step needs it mapped. Ends early
/// when another locker's `exit` has ended the process.
struct LockerSpec {
  std::string region;
  std::vector<ScriptStep> script;
  int repeat = 1;
  bool operator==(const LockerSpec&) const = default;
};

/// One page fault a request: on fresh pages of an anonymous area of its own, or anywhere in a region of its process. It
/// writes, but to a file that is mapped to be read.
struct FaulterSpec {
  std::optional<std::string> region;
  Arrival arrival;
  FaultMode by = FaultMode::user;
  bool touch = false;  ///< with `region`: it only touches the page, which is a fault where that is not to be had
  bool operator==(const FaulterSpec&) const = default;
};

/// Where in its region a thread makes its calls, one after another.
struct Visits {
  enum class Place {
    in_turn,  ///< one piece after another, and then from the beginning
    random,   ///< in any of the pieces
    start,    ///< always in the first
  };
  Place place = Place::in_turn;
  bool once = false;        ///< in turn through the region, and then the thread ends
  bool share_each = false;  ///< each thread of the class has a part of the region of its own, all of one size

  bool operator==(const Visits&) const = default;
};

/// Reads /proc/PID/<file> of the process `target`, as ps does; of clear_refs: writes to it.
struct ProcReaderSpec {
  enum class File { cmdline, maps, smaps, smaps_rollup, numa_maps, clear_refs, pagemap };
  File file = File::cmdline;
  std::string target;
  Arrival arrival;
  /// Each read is that of a new process, as with `cat` in a loop of a shell. In closed loop only.
  bool new_process = false;
  bool operator==(const ProcReaderSpec&) const = default;
};

constexpr std::string_view to_string(ProcReaderSpec::File file) {
  constexpr std::array<std::string_view, 7> names{"cmdline",   "maps",       "smaps",  "smaps_rollup",
                                                  "numa_maps", "clear_refs", "pagemap"};
  return names[static_cast<std::size_t>(file)];
}

/// Maps a small region and unmaps it again, in turn: one system call a request, each a writer. With `region`: maps or
/// unmaps, by a coin, `size` anywhere in that region, whatever is there (MAP_FIXED), as in proc-mmap_sem-test; in turn:
/// one round maps, the next unmaps.
struct MapperSpec {
  Bytes size{kPageSize};
  Arrival arrival;
  std::optional<std::string> region{};
  bool populate = false;  ///< MAP_POPULATE
  Visits visits{.place = Visits::Place::random};
  bool operator==(const MapperSpec&) const = default;
};

/// Gives `advice` on `size` of `region` with madvise, one piece after another, round and round. Advice that changes the
/// flags of VMAs alternates with its opposite from round to round, as fresh mappings would need it anew.
struct MadviserSpec {
  std::string region;  ///< of the process `target`
  Advice advice = Advice::dontneed;
  Bytes size{kPageSize};  ///< at most the region's
  Arrival arrival;
  Visits visits{};
  std::string target{};  ///< by process_madvise: can_come_from_outside(advice); empty: its own process, by madvise
  bool operator==(const MadviserSpec&) const = default;
};

/// Asks with mincore which pages are in memory: `size` of `region` at a time, from anywhere in it.
struct MincoreSpec {
  std::string region;
  Bytes size{kPageSize};  ///< at most the region's
  Arrival arrival;
  bool operator==(const MincoreSpec&) const = default;
};

/// Has `size` of `region` written back with msync(MS_SYNC), and waits for it, one piece after another, round and round.
struct MsyncSpec {
  std::string region;
  Bytes size{kPageSize};  ///< at most the region's
  Arrival arrival;
  Visits visits{};
  bool operator==(const MsyncSpec&) const = default;
};

/// Asks with get_mempolicy for the policy of any page of `region`, or for the node that it is on.
struct GetMempolicySpec {
  std::string region;
  bool node = true;  ///< MPOL_F_NODE
  Arrival arrival;
  bool operator==(const GetMempolicySpec&) const = default;
};

/// Forbids and allows writing to `size` of `region`, in turn, with mprotect: a writer. Where it goes through the region
/// in turn one round forbids and the next allows.
struct ProtectorSpec {
  std::string region;
  Bytes size{kPageSize};  ///< at most the region's
  Arrival arrival;
  Visits visits{.place = Visits::Place::start};
  bool operator==(const ProtectorSpec&) const = default;
};

/// Forks: a writer that holds mmap_sem for long.
struct ForkerSpec {
  Arrival arrival;
  bool vfork = false;  ///< vfork or posix_spawn: the child borrows the address space until it execs
  std::optional<sim::Distribution> child{};  ///< how long it lives, on its parent's pages; none: it execs at once
  bool operator==(const ForkerSpec&) const = default;
};

/// Reads `pages` pages in a row out of the first region of the process `target`, from anywhere in it.
struct RemoteReaderSpec {
  std::string target;
  PageCount pages{1};
  Arrival arrival;
  bool operator==(const RemoteReaderSpec&) const = default;
};

/// Moves the first `size` of `region` to another place with mremap, and with its next call back again: a writer. Who
/// else works on the region finds nothing there meanwhile.
struct MoverSpec {
  std::string region;
  Bytes size{kPageSize};  ///< at most the region's; of one VMA
  bool aligned = false;   ///< both places lie alike in their page tables, so that tables can move as a whole
  Arrival arrival;
  bool operator==(const MoverSpec&) const = default;
};

/// Pins `size` of `region` for a device to work on (models/mm/pin.h) and, if `unpin`, gives it back with its next
/// request.
struct PinnerSpec {
  enum class By { rdma, io_uring, vfio };
  std::string region;
  Bytes size{kPageSize};  ///< at most the region's
  By by = By::rdma;
  bool unpin = true;
  Arrival arrival;
  Visits visits{};
  bool operator==(const PinnerSpec&) const = default;
};

/// Takes mmap_sem of the process `target` and has it for `hold` of CPU time: for a path that has no model of its own,
/// of which it is known how often it comes and for how long (a driver, a collector of another process).
struct HolderSpec {
  enum class Mode { read, write };
  /// What it gives up on its way, each time that it has worked for kHolderStep.
  enum class Yields {
    never,  ///< nothing: no cond_resched(), as in a walk under a spinlock
    cpu,    ///< its CPU, and keeps the lock (cond_resched)
    lock,  ///< the lock too, where somebody queues for it, and takes it again (smaps_rollup, __munlock_vma_pages_range)
  };
  std::string target{};  ///< empty: its own process
  Mode mode = Mode::write;
  sim::Distribution hold;  ///< CPU time with the lock held, of all turns of one request together
  Yields yields = Yields::cpu;
  Arrival arrival;
  bool operator==(const HolderSpec&) const = default;
};

/// How far a walk of the kernel comes between two cond_resched(): about a page table of 512 entries.
inline constexpr sim::Nanoseconds kHolderStep{50'000};

/// khugepaged, as it goes through the address space of the process `target` (models/mm/khugepaged.h): one of its turns
/// a request. By default with the settings of /sys/kernel/mm/transparent_hugepage/khugepaged as they come.
struct KhugepagedSpec {
  std::string target{};           ///< empty: its own process
  PageCount pages_to_scan{4096};  ///< in a turn
  PageCount max_ptes_none{511};   ///< a range with more absent pages is left as it is: 0 .. 511
  Arrival arrival = ClosedLoop{sim::Constant{sim::Nanoseconds{10'000'000'000}}};  ///< scan_sleep_millisecs
  bool operator==(const KhugepagedSpec&) const = default;
};

/// NUMA balancing's look through the address space of the process `target` (models/mm/numa_balancing.h), one scan a
/// request. By default with the settings of /sys/kernel/debug/sched/numa_balancing as they come.
struct NumaBalancingSpec {
  std::string target{};                                                          ///< empty: its own process
  Bytes scan_size{std::int64_t{256} << 20};                                      ///< whole pages
  Arrival arrival = ClosedLoop{sim::Constant{sim::Nanoseconds{1'000'000'000}}};  ///< scan_period_min_ms
  /// Pages stay inaccessible until a thread of the scenario faults on them (`run: faulter`); otherwise all have been
  /// touched by the time that a scan comes to them again, by nobody.
  bool hinting_faults = false;
  bool operator==(const NumaBalancingSpec&) const = default;
};

/// ksmd, as it goes through the address space of the process `target` (models/mm/ksm.h): one of its rounds a request.
/// By default with the settings of /sys/kernel/mm/ksm as they come.
struct KsmSpec {
  std::string target{};          ///< empty: its own process
  PageCount pages_to_scan{100};  ///< in a round
  /// What it does with each page when mmap_sem has been given up: its checksum, its place in the trees. By default as
  /// ksmd of 6.18 was measured: 3.1 to 3.7 us a page in all, of 32,768 pages that differ (18 stretches of 2 s).
  sim::Distribution page = sim::Constant{sim::Nanoseconds{3'000}};
  Arrival arrival = ClosedLoop{sim::Constant{sim::Nanoseconds{20'000'000}}};  ///< sleep_millisecs
  bool operator==(const KsmSpec&) const = default;
};

/// Fills `region` of the process `target` in as its pages are missed, by userfaultfd (models/mm/userfaultfd.h): the
/// monitor of a machine that has migrated before its memory has (post-copy), or of a process that is restored lazily.
/// The threads of a class share one descriptor. It makes no requests: its calls are timed.
struct UserfaultSpec {
  std::string target{};   ///< empty: its own process
  std::string region;     ///< of the process `target`, anonymous
  Bytes size{kPageSize};  ///< filled in by each UFFDIO_COPY; whole pages, at most the region's
  /// How long it takes to get the contents of what is missed, asleep: from the network, from a file.
  sim::Distribution fetch = sim::Constant{sim::Nanoseconds{0}};
  /// What nobody has missed yet is filled in, too, from the region's start on, as it comes in: so long after the one
  /// before. None: not.
  std::optional<sim::Distribution> push{};
  /// A region of the process `target`, anonymous: what is there at the same place is moved (UFFDIO_MOVE), as a
  /// collector does. Empty: all is copied.
  std::string move_from{};
  bool operator==(const UserfaultSpec&) const = default;
};

/// Repeats what threads of a real machine have asked for, each request as long after the end of the one before as it
/// was, and ends with the last one.
struct ReplaySpec {
  std::shared_ptr<const Recording> recording = std::make_shared<Recording>();  ///< shared by the copies of a scenario
  std::vector<std::string> regions{};                                          ///< those that its requests are about

  bool operator==(const ReplaySpec& other) const { return *recording == *other.recording && regions == other.regions; }
};

/// Runs in user mode for `spin`, sleeps, and so on: competes for nothing but CPUs, and makes no requests.
struct BusySpec {
  sim::Distribution spin = sim::Constant{sim::Nanoseconds{1'000'000}};  ///< of CPU time; mean > 0
  std::optional<sim::Distribution> sleep;                               ///< none: always runs
  bool operator==(const BusySpec&) const = default;
};

/// `count` threads that do the same, each with random streams of its own. None is allowed: a class without samples.
struct ThreadSpec {
  std::string name;  ///< also the name of the class that the results speak of
  int count = 1;
  std::variant<LockerSpec, FaulterSpec, ProcReaderSpec, MapperSpec, MadviserSpec, MincoreSpec, GetMempolicySpec,
               ProtectorSpec, ForkerSpec, RemoteReaderSpec, MoverSpec, PinnerSpec, MsyncSpec, HolderSpec,
               KhugepagedSpec, NumaBalancingSpec, KsmSpec, UserfaultSpec, ReplaySpec, BusySpec>
      run;
  SchedSpec sched{};
  bool pinned = false;  ///< each thread to one of sched.cpus, in turn, instead of to all of them
  /// A lock of user space that it holds across each of its requests or calls; those of its process that name the same
  /// share it. Empty: none.
  std::string mutex{};

  bool operator==(const ThreadSpec&) const = default;
};

}  // namespace models
