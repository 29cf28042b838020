// mmap and munmap.
//
// Kernel. mm/mmap.c of 2.6.28: do_mmap_pgoff and mmap_region (what is there is unmapped; the new mapping joins its
// neighbours where it can; with MAP_LOCKED, or after mlockall(MCL_FUTURE), the limit is checked and
// mlock_vma_pages_range populates; with MAP_POPULATE make_pages_present does, under write mode whatever the policy, and
// since 3.9, where `grow` is drop_and_read, mm_populate after write mode has been given up), do_munmap (split; for each
// locked VMA munlock_vma_pages_all; detach; unmap_region), all under mmap_sem for write. What the policy changes:
// munmap's `downgrade` zaps under read mode, as since 4.20 (commit dd2283f2605e), and nobody needs write mode back;
// with `munlock_in_zap` the pages are munlocked as they are zapped, as since 5.18. The TLBs are flushed behind the zap,
// and each VMA costs something to detach (under write) and to free (behind the zap: remove_vma_list). Simplified.
// Anonymous mappings only; freeing page tables is part of the fixed cost. Validated by tests/models/mm/mmap_test.cpp.
#pragma once

#include <cstdint>

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;
struct VmFlags;

/// How mmap is asked, besides the kind of mapping.
struct MmapHow {
  bool fixed = false;     ///< MAP_FIXED: what is there is unmapped first
  bool populate = false;  ///< MAP_POPULATE: faults the pages in, under write mode until 3.8, then under read mode
};

/// mmap(2) of an anonymous private region at a free place, MAP_LOCKED if `locked`. Takes and releases mmap_sem.
/// Returns 0, -EAGAIN (beyond RLIMIT_MEMLOCK), -ENOMEM (the map has max_map_count VMAs), or -EEXIST (the range is not
/// free, as by MAP_FIXED_NOREPLACE).
int sys_mmap(Task& current, Mm& mm, PageIndex start, PageCount pages, bool locked = false);
/// The same for a mapping of another kind: a driver's, hugetlbfs's, one that cannot be written. MAP_LOCKED if
/// `flags.locked`.
int sys_mmap(Task& current, Mm& mm, PageIndex start, PageCount pages, VmFlags flags, MmapHow how = {});

/// munmap(2). Returns 0 or -ENOMEM (a split beyond the map-count limit). Takes and releases mmap_sem.
int sys_munmap(Task& current, Mm& mm, PageIndex start, PageCount pages);

/// The same for calls that hold mmap_sem for write already. Returns 0 or -ENOMEM with mmap_sem held for write as
/// before, or, if `downgrade` and there was anything to unmap, kDowngraded with it held for read.
inline constexpr int kDowngraded = 1;
int do_munmap(Task& current, Mm& mm, PageIndex start, PageIndex end, bool downgrade);
/// remove_vma, behind the zap: anon_vma, policy, file and the object of each of `count` VMAs; what that takes is
/// charged for `paid_for` of them. Settles.
void remove_vmas(Task& current, std::int64_t count, std::int64_t paid_for);
/// Whether munmap and brk ask for that under the policy.
[[nodiscard]] bool munmap_downgrades(const Task& current);
/// Gives up what do_munmap has left held. Returns what the call does.
int unlock_after_munmap(Task& current, Mm& mm, int result);

/// Unmaps what is mapped in the range and maps it anew; a VM_LOCKED mapping is populated under the policy's `grow`
/// mode. Returns 0, -ENOMEM (too many VMAs), or -EAGAIN: the range changed in the window. mmap_sem must be held for
/// write; it is on return. `current` must have settled. `linear`: the pages are those of the object that follow on the
/// neighbours' (vm_pgoff), so that it can be joined with them.
enum class Linear { yes, no };
int mmap_region(Task& current, Mm& mm, PageIndex start, PageCount pages, VmFlags flags, Linear linear = Linear::yes);

}  // namespace models
