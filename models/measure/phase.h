// What a task is doing, in the words of the reports: the name of the system call and of the part of it.
//
// Two uses of one vocabulary: the phase of an address space ("what the locker was doing when this fault was
// due") and the place of a lock holder ("held for write by locker in munlock.walk").
#pragma once

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
  fork,
  fault,
  proc_read,
  remote_read,  ///< access_process_vm of another process
  user,         ///< outside the kernel
};

inline constexpr std::size_t kPhaseCount = 22;

constexpr std::string_view to_string(Phase phase) {
  constexpr std::array<std::string_view, kPhaseCount> names{
      "idle",       "mmap", "mlock", "mlock.populate",   "munlock",     "munlock.walk", "munmap",  "munmap.munlock",
      "munmap.zap", "brk",  "stack", "remap_file_pages", "exit",        "mprotect",     "madvise", "mincore",
      "mempolicy",  "fork", "fault", "proc_read",        "remote_read", "user"};
  return names[static_cast<std::size_t>(phase)];
}

/// The system call that a part belongs to; the phase itself if it is not a part.
constexpr Phase call_of(Phase phase) {
  switch (phase) {
    case Phase::mlock_populate:
      return Phase::mlock;
    case Phase::munlock_walk:
      return Phase::munlock;
    case Phase::munmap_munlock:
    case Phase::munmap_zap:
      return Phase::munmap;
    default:
      return phase;
  }
}

}  // namespace models
