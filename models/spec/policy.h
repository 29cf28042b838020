// A lock policy: which mode of mmap_sem is held over which phase of which path.
//
// A policy is a composition, not a class: each path asks for the mode of its own phase. The kernels that
// stand behind the shipped compositions are named in configs/policies/*.yaml.
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

/// Which implementation of the semaphore (models/locking/rwsem.h).
enum class RwsemFlavour {
  fifo,          ///< Linux 2.6.28: one queue, nobody overtakes
  writer_steal,  ///< 3.10: writers that come steal what nobody holds
  writer_spin,   ///< 3.16: ... and spin on a writer; nothing bounds how often they get ahead of the queue
  reader_spin,   ///< 5.3: writers and readers spin, until the first in the queue has waited too long
  spin_handoff,  ///< 5.11: writers spin, newcomers may steal, until the first in the queue has waited too long
};

/// How a long page walk holds mmap_sem.
enum class HoldMode {
  write_held,     ///< for write from beginning to end
  downgrade,      ///< downgraded to read for the walk; then dropped, taken for write again and re-checked
  drop_and_read,  ///< flags under write for the whole call; then write is given up and the pages are walked under read
  chunked_write,  ///< for write, given up and taken again (and re-checked) every so often
};

/// The names of the modes, in their order.
inline constexpr std::array<std::string_view, 4> kHoldModes{"write_held", "downgrade", "drop_and_read",
                                                            "chunked_write"};

/// How one path holds it.
struct Hold {
  HoldMode mode = HoldMode::write_held;
  PageCount batch{};            ///< drop_and_read, chunked_write: pages from one release to the next; 0: no bound
  sim::Nanoseconds max_hold{};  ///< chunked_write: time from one release to the next; 0: no bound
  bool if_contended = false;    ///< chunked_write: give way only when somebody waits
  bool hand_over = false;       ///< chunked_write: when it gives way, wait until somebody else has it, if anybody waits

  bool operator==(const Hold&) const = default;
};

/// Which lock a page fault takes.
enum class FaultLock {
  mmap_sem,  ///< for read, up to Linux 6.3
  per_vma,   ///< the VMA's own, if nobody changes the VMA; otherwise mmap_sem as before (Linux 6.4)
};

/// Which faults come to their end under the lock of their VMA (`fault: {lock: per_vma}`); the others take mmap_sem.
enum class VmaLockCovers {
  anonymous,  ///< fresh pages of anonymous VMAs (Linux 6.4)
  swap,       ///< and those that are swapped out (6.6)
  files,      ///< and those of files (6.7)
};

/// What the first fault in an anonymous VMA, which has no anon_vma yet, does about mmap_sem where VMAs have locks.
enum class FirstTouch {
  mmap_sem,      ///< holds it for read for the whole fault
  try_mmap_sem,  ///< tries to take it for as long as it needs for the anon_vma (6.10)
};

/// What the lock of a VMA is made of.
enum class VmaLockKind {
  rwsem,     ///< a semaphore: a writer spins on the readers before it sleeps, and newcomers get past it meanwhile (6.4)
  refcount,  ///< a count: the writer sleeps, and newcomers are refused from the moment it asks (6.15)
};

/// Where mlock and munlock flush the per-CPU lists of pages on their way to the LRU lists.
enum class LruDrain {
  under_lock,   ///< on every CPU, under mmap_sem, before and after each walk (2.6.28)
  before_lock,  ///< on every CPU, once, before mmap_sem is taken
  local,        ///< on this CPU only: no cost to speak of (5.18)
};

/// Which lock a reader of a file in /proc/PID holds while it looks at a VMA.
enum class ProcLock {
  mmap_sem,  ///< for read, for as many VMAs as fit into seq_file's buffer
  rcu,       ///< none, as long as nobody changes the map: otherwise mmap_sem for read for a moment, and again
  per_vma,   ///< that VMA's own; mmap_sem for a moment where somebody changes the VMA
};

/// The same for each file. rcu: maps only.
struct ProcLocks {
  ProcLock maps = ProcLock::mmap_sem;
  ProcLock smaps = ProcLock::mmap_sem;
  ProcLock numa_maps = ProcLock::mmap_sem;
  ProcLock smaps_rollup = ProcLock::mmap_sem;
  bool clear_refs_writes = false;  ///< who writes to clear_refs holds mmap_sem for write, not for read (5.11)
  bool rollup_gives_way = false;   ///< smaps_rollup gives mmap_sem up after a VMA if somebody waits (5.11)

  bool operator==(const ProcLocks&) const = default;
};

/// The version of a kernel as its Makefile has it: VERSION.PATCHLEVEL, and .SUBLEVEL unless it is 0.
struct KernelVersion {
  int version = 0;
  int patchlevel = 0;
  int sublevel = 0;

  auto operator<=>(const KernelVersion&) const = default;
};

struct Policy {
  std::string name;
  std::string about;
  std::vector<std::string> notes{};       ///< what is assumed in it, for whoever reads its results; changes nothing
  std::optional<KernelVersion> kernel{};  ///< that holds it so, or that it was derived from; changes nothing
  RwsemFlavour rwsem = RwsemFlavour::fifo;
  Hold populate;  ///< mlock: faulting the pages in. Not chunked_write.
  bool mlock_present_first =
      false;                        ///< populate with drop_and_read: pages already there are mlocked under write (5.18)
  Hold munlock;                     ///< munlock: the walk over the pages
  bool munlock_walks_rmap = false;  ///< the walk asks all VMAs of a page's anon_vma (before 3.0)
  bool munlock_visits_absent = false;  ///< the walk looks at every address, populated or not (3.x to 5.17)
  Hold munmap;                         ///< munmap: write_held, or downgrade for the zap (4.20)
  bool munlock_in_zap = false;         ///< munmap: pages are munlocked as they are zapped, not in a walk before (5.18)
  bool munmap_exclusive_below_stack = false;  ///< munmap: no downgrade if the next VMA is a stack (5.8 to 6.4)
  Hold grow;  ///< populating what brk, stack growth, mmap(MAP_LOCKED) and remap_file_pages add: not chunked_write
  FaultLock fault = FaultLock::mmap_sem;
  VmaLockCovers vma_lock_covers = VmaLockCovers::files;
  FirstTouch first_touch = FirstTouch::mmap_sem;
  VmaLockKind vma_lock = VmaLockKind::refcount;
  bool stack_grows_under_write = false;  ///< a fault below a stack takes mmap_sem for write to let it grow (6.5)
  bool retry_on_io = false;  ///< a fault that has to wait for the device gives its lock up and begins again (2.6.37)
  ProcLocks proc;
  LruDrain lru_drain = LruDrain::under_lock;
  bool memlock_counts_twice =
      true;               ///< what a range has locked already counts again against RLIMIT_MEMLOCK (before 4.9)
  int cmdline_holds = 1;  ///< how often a reader of /proc/PID/cmdline takes mmap_sem: 1 .. 3
  bool mempolicy_holds_lock = true;  ///< get_mempolicy looks for the page's node with mmap_sem held
  bool zap_under_vma_lock = false;   ///< madvise(DONTNEED) within one VMA: under that VMA's lock (6.17); needs per_vma

  bool mprotect_populates_locked = false;  ///< mprotect populates locked private memory that it makes writable (4.2)
  bool mremap_moves_tables = false;        ///< mremap moves page tables as a whole where they lie alike (5.0)
  bool userfault_copy_under_vma_lock = false;  ///< UFFDIO_COPY: under its VMA's lock (6.9); needs per_vma
  bool ksm_jumps_holes = false;  ///< ksmd goes over what is absent by page tables, not page by page (6.18)

  bool operator==(const Policy&) const = default;
};

}  // namespace models
