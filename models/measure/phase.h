// What a task is doing, in the words of the reports: the name of the system call and of the part of it.
//
// Two uses of one vocabulary: the phase of an address space ("what the locker was doing when this fault was
// due") and the place of a lock holder ("held for write by locker in munlock.walk").
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace models {

enum class Phase {
  idle,  ///< the locker holds, or has not begun
  mmap,
  mlock,           ///< the call outside its page walk: waiting for the lock, VMA work, re-check
  mlock_populate,  ///< __mlock_vma_pages_range
  munlock,
  munlock_walk,  ///< __munlock_vma_pages_range
  munmap,
  munmap_munlock,  ///< munlock_vma_pages_all within munmap
  munmap_zap,      ///< unmap_region
  brk,
  stack,  ///< a fault that makes the stack grow
  remap_file_pages,
  exit,  ///< the last mmput included
  mprotect,
  madvise,
  mincore,
  mempolicy,  ///< get_mempolicy
  mremap,
  pin,  ///< pin_user_pages, and unpinning
  fork,
  fault,
  proc_read,
  remote_read,  ///< access_process_vm of another process
  msync,        ///< results are stored by number: what is new stands behind what there was
  other,        ///< a path that has no model, or that a recording does not tell
  hold,         ///< a path that a scenario has a thread stand for (`run: holder`)
  khugepaged,
  numa_balancing,  ///< task_numa_work
  aging,           ///< MGLRU's walk of page tables (try_to_inc_max_seq)
  ksm,             ///< ksmd's scan_get_next_rmap_item
  userfault,       ///< UFFDIO_REGISTER, UFFDIO_COPY
  user,            ///< outside the kernel; always the last one: a new phase comes before it
};

/// What there is to say of a phase.
struct PhaseRow {
  Phase phase;
  std::string_view name;
  Phase call;  ///< the system call that it is a part of; the phase itself if it is not a part
};

/// Each phase, in the order of the enum.
inline constexpr auto kPhases = std::to_array<PhaseRow>({
    {Phase::idle, "idle", Phase::idle},
    {Phase::mmap, "mmap", Phase::mmap},
    {Phase::mlock, "mlock", Phase::mlock},
    {Phase::mlock_populate, "mlock.populate", Phase::mlock},
    {Phase::munlock, "munlock", Phase::munlock},
    {Phase::munlock_walk, "munlock.walk", Phase::munlock},
    {Phase::munmap, "munmap", Phase::munmap},
    {Phase::munmap_munlock, "munmap.munlock", Phase::munmap},
    {Phase::munmap_zap, "munmap.zap", Phase::munmap},
    {Phase::brk, "brk", Phase::brk},
    {Phase::stack, "stack", Phase::stack},
    {Phase::remap_file_pages, "remap_file_pages", Phase::remap_file_pages},
    {Phase::exit, "exit", Phase::exit},
    {Phase::mprotect, "mprotect", Phase::mprotect},
    {Phase::madvise, "madvise", Phase::madvise},
    {Phase::mincore, "mincore", Phase::mincore},
    {Phase::mempolicy, "mempolicy", Phase::mempolicy},
    {Phase::mremap, "mremap", Phase::mremap},
    {Phase::pin, "pin", Phase::pin},
    {Phase::fork, "fork", Phase::fork},
    {Phase::fault, "fault", Phase::fault},
    {Phase::proc_read, "proc_read", Phase::proc_read},
    {Phase::remote_read, "remote_read", Phase::remote_read},
    {Phase::msync, "msync", Phase::msync},
    {Phase::other, "other", Phase::other},
    {Phase::hold, "hold", Phase::hold},
    {Phase::khugepaged, "khugepaged", Phase::khugepaged},
    {Phase::numa_balancing, "numa_balancing", Phase::numa_balancing},
    {Phase::aging, "aging", Phase::aging},
    {Phase::ksm, "ksm", Phase::ksm},
    {Phase::userfault, "userfault", Phase::userfault},
    {Phase::user, "user", Phase::user},
});

inline constexpr std::size_t kPhaseCount = kPhases.size();

constexpr const PhaseRow& phase_row(Phase phase) { return kPhases[static_cast<std::size_t>(phase)]; }

static_assert(std::all_of(kPhases.begin(), kPhases.end(),
                          [](const PhaseRow& row) { return &phase_row(row.phase) == &row; }),
              "the rows stand in the order of the enum");
static_assert(static_cast<std::size_t>(Phase::user) + 1 == kPhaseCount, "each phase has a row");

constexpr std::string_view to_string(Phase phase) { return phase_row(phase).name; }

/// The system call that a part belongs to; the phase itself if it is not a part.
constexpr Phase call_of(Phase phase) { return phase_row(phase).call; }

}  // namespace models
