// An address space: its VMAs, its pages, its locks and its accounts.
//
// Kernel. struct mm_struct, struct vm_area_struct; mm/mmap.c of 2.6.28: find_vma, split_vma, vma_merge, do_munmap's
// detaching. A VMA that has been taken out of the map lives on as long as somebody points to it, and keeps what its
// fields said: that is what a kernel path sees that uses a stale pointer before the memory is reused.
// anon_vma: mm/rmap.c, anon_vma_prepare, anon_vma_clone on a split, unlink_anon_vmas; is_mergeable_anon_vma: two VMAs
// merge only if theirs are the same or one of them has none.
// Simplified. Addresses are page numbers; VMAs have no file of their own, and of a protection only whether
// it allows writing, which keeps VMAs from merging and nobody from touching them. A child's VMAs do not join its
// parent's anon_vma (models/fork.h has no child). A VMA leaves its anon_vma when it leaves the map, not when it is
// freed after the zap. Validated by tests/models/mm/mm_test.cpp.
#pragma once

#include <boost/smart_ptr/local_shared_ptr.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/locking/cache_line.h"
#include "models/locking/rwsem.h"
#include "models/measure/phase_log.h"
#include "models/mm/lru.h"
#include "models/mm/page_table.h"
#include "models/spec/page.h"

namespace models {

class Task;

/// What madvise has said of how a mapping is read: neither, VM_RAND_READ or VM_SEQ_READ.
enum class ReadAhead { normal, random, sequential };

/// vm_flags, as far as the modelled paths look at them.
struct VmFlags {
  bool locked = false;         ///< VM_LOCKED
  bool lock_on_fault = false;  ///< VM_LOCKONFAULT, besides VM_LOCKED: nobody populates it
  bool io_pfnmap = false;      ///< VM_IO | VM_PFNMAP
  bool dontexpand = false;     ///< VM_DONTEXPAND | VM_RESERVED
  bool hugetlb = false;
  bool gate = false;       ///< get_gate_vma: the vsyscall page
  bool readonly = false;   ///< not VM_WRITE
  bool growsdown = false;  ///< VM_GROWSDOWN: a stack
  ReadAhead read_ahead = ReadAhead::normal;
  bool dontfork = false;  ///< VM_DONTCOPY
  bool hugepage = false;  ///< VM_HUGEPAGE: a fault reclaims for a folio (defrag: madvise, the default)
  int folio_order = 0;    ///< a fault maps a folio of 2^folio_order pages where one fits: THP is on, or hugetlb's size
  bool shared = false;    ///< VM_SHARED, with VM_MAYWRITE: shared memory, or a file that is written
  int userfaultfd = 0;    ///< VM_UFFD_MISSING: number of its descriptor among Mm::userfaultfds, from 1; 0: none

  /// Made present by mlock, never VM_LOCKED and never counted (VM_SPECIAL less I/O, hugetlb, gate).
  [[nodiscard]] bool is_special() const { return dontexpand || hugetlb || gate; }
  bool operator==(const VmFlags&) const = default;
};

/// vma->vm_lock of Linux 6.4 and later (models/mm/mmap_lock.h).
struct VmaLock {
  std::uint64_t sequence = 0;  ///< equal to the mm's: somebody has it for write
  std::vector<Task*> readers{};
  Task* writer = nullptr;  ///< waits for the readers
  bool writer_spins = false;
  sim::Time writer_since{};
  CacheLine line{};
};

/// What the VMAs whose pages may be the same share (struct anon_vma): those that reverse mapping has to look at.
struct AnonVma {
  int vmas = 1;
};

struct Vma {
  PageIndex start;
  PageIndex end;  ///< first page beyond
  VmFlags flags;
  bool detached = false;                ///< no longer in the map
  std::shared_ptr<AnonVma> anon_vma{};  ///< null: no page has been faulted in yet, and a fault needs mmap_sem
  VmaLock lock{};
  boost::local_shared_ptr<Vma> stale_next{};  ///< vm_next as it was when it was detached

  /// A chain of those that nobody else knows goes one by one: a long one would go too deep.
  ~Vma() {
    for (auto next = std::move(stale_next); next.local_use_count() == 1;)
      next = std::exchange(next->stale_next, nullptr);
  }

  [[nodiscard]] PageCount pages() const { return end - start; }
};

/// Counted without atomic instructions: a run is one thread's.
using VmaPointer = boost::local_shared_ptr<Vma>;

/// Where an address space has its heap and its stack: far from what get_unmapped_area gives out, and below the end of
/// user space (TASK_SIZE of 2^47 bytes).
inline constexpr PageIndex kStartBrk{std::int64_t{1} << 33U};
inline constexpr PageIndex kStackTop{(std::int64_t{1} << 35U) - 1};

/// sysctl_max_map_count's default (DEFAULT_MAX_MAP_COUNT).
inline constexpr std::size_t kDefaultMaxMapCount = 65530;

class CowPages;
class NumaHints;
class Userfaultfd;

/// Swapped pages that are being read: in the swap cache, locked (models/mm/memory.cpp).
struct SwapRead {
  std::vector<std::pair<PageIndex, PageIndex>> pages{};  ///< stretches: start, and the first page beyond
  std::vector<Task*> waiters{};
};

/// Absent pages that `task` is clearing at this moment, to be mapped together (models/mm/gup.cpp).
struct Populating {
  const Task* task;
  PageIndex start;
  PageIndex end;
};

class Mm {
 public:
  /// `tick`: of the machine, 1/HZ. `seed`: of the run.
  Mm(std::string name, const Costs& costs, RwsemFlavour flavour = RwsemFlavour::fifo,
     sim::Nanoseconds tick = SchedulerSpec{}.tick, std::uint64_t seed = 1)
      : mmap_sem("mmap_sem", costs, {flavour, tick, seed, name}), name_(std::move(name)) {}

  Rwsem mmap_sem;
  PageTable page_table;
  PageCount locked_vm;
  std::optional<Bytes> rlimit_memlock;  ///< none: RLIM_INFINITY
  bool cap_ipc_lock = true;
  bool locks_future_mappings = false;  ///< VM_LOCKED in def_flags: after mlockall(MCL_FUTURE)
  PageIndex brk = kStartBrk;           ///< the end of the heap, which begins at kStartBrk
  int users = 1;                       ///< mm_users: the process itself, and everybody inside a call on it
  bool exiting = false;                ///< the process has given its own reference back
  std::size_t max_map_count = kDefaultMaxMapCount;
  std::uint64_t lock_sequence = 1;  ///< mm_lock_seq: counts the releases of mmap_sem from write mode
  PhaseLog locker_phases;
  bool has_lazy_free = false;  ///< madvise(MADV_FREE) has marked pages of it
  std::vector<Populating> populating;
  std::vector<std::shared_ptr<SwapRead>> swap_reads;
  std::shared_ptr<CowPages> cow;          ///< what its children share with it; null: it never had one that lived
  std::shared_ptr<NumaHints> numa_hints;  ///< what NUMA balancing has made inaccessible; null: nothing, ever
  std::vector<std::shared_ptr<Userfaultfd>> userfaultfds;  ///< those that have areas of it (VmFlags::userfaultfd)
  Lruvec memcg = 0;                                        ///< the group that its pages are charged to; 0: none
  OwnerId anon_owner = 0;  ///< of the pages that belong to no region with an owner of its own

  // What the window between up_read and down_write did (counted by models/mm/mlock.cpp).
  std::uint64_t vma_changed = 0;        ///< the map had changed
  std::uint64_t eagain = 0;             ///< ... and the check noticed
  std::uint64_t vma_change_missed = 0;  ///< ... and the range was affected, and the check did not notice

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Counts every change of the map.
  [[nodiscard]] std::uint64_t map_version() const { return map_version_; }
  [[nodiscard]] std::size_t map_count() const { return vmas_.size(); }
  /// The pages of all mappings.
  [[nodiscard]] PageCount total_vm() const;

  /// The first VMA that ends after `page`, which may begin after it too; null when there is none.
  [[nodiscard]] VmaPointer find_vma(PageIndex page) const;
  /// vma->vm_next: of a detached VMA, what it was then.
  [[nodiscard]] VmaPointer next(const Vma& vma) const;
  /// The VMA before `vma` in the map, or null.
  [[nodiscard]] VmaPointer previous(const Vma& vma) const;

  /// Adds a mapping. Precondition: the range is free.
  VmaPointer insert_vma(PageIndex start, PageIndex end, VmFlags flags);
  enum class NewVma { below, above };
  /// Cuts `vma` at `at`; the part named by `side` becomes a new VMA. Precondition: start < at < end.
  /// Returns 0, or -ENOMEM when the map has max_map_count VMAs already.
  int split_vma(const VmaPointer& vma, PageIndex at, NewVma side);
  /// __split_vma: the same whatever max_map_count says.
  void split_beyond_limit(const VmaPointer& vma, PageIndex at, NewVma side);
  /// Moves the ends of `vma` outwards, to `start` and `end`. Precondition: what it gains is free.
  void extend_vma(const VmaPointer& vma, PageIndex start, PageIndex end);
  /// Takes `vma` out of the map.
  void detach_vma(const VmaPointer& vma);
  /// anon_vma_prepare (mm/rmap.c), before the first page is faulted in: takes that of a neighbour with which `vma`
  /// could merge, or else one of its own. A shared mapping never has one: its pages are a file's.
  void anon_vma_prepare(Vma& vma) const;

  /// The VMAs that [start, end) could be joined with if it had these flags, and those of its pages that have been
  /// faulted in this anon_vma (can_vma_merge_before, can_vma_merge_after). Where both could but not with each other,
  /// the one before.
  struct Neighbours {
    VmaPointer before;
    VmaPointer after;
  };
  [[nodiscard]] Neighbours mergeable(PageIndex start, PageIndex end, const VmFlags& flags,
                                     const std::shared_ptr<AnonVma>& anon_vma) const;
  /// vma_merge for a new mapping of [start, end), which is free. Returns the VMA that then covers it, or null.
  VmaPointer vma_merge_new(PageIndex start, PageIndex end, const VmFlags& flags);
  /// vma_merge for [start, end), a part of `vma` that is about to have `flags`: joins it with neighbours that touch it
  /// and have these flags already. Returns the VMA that then covers it, or null if there is no such neighbour.
  VmaPointer vma_merge(const VmaPointer& vma, PageIndex start, PageIndex end, VmFlags flags);

  /// Pages of [start, end) are `owner`'s, however they are mapped.
  void set_owner(PageIndex start, PageIndex end, OwnerId owner) { owners_[start] = {end, owner}; }
  [[nodiscard]] OwnerId owner_of(PageIndex page) const;
  /// Up to where from `page` on pages have its owner, as far as `limit`.
  [[nodiscard]] PageIndex end_of_owner(PageIndex page, PageIndex limit) const;

  /// A free range of `pages`, with a hole before and behind it, so that neighbours never merge. It begins where a folio
  /// of 2^order pages can (thp_get_unmapped_area, for anonymous memory since 6.7).
  [[nodiscard]] PageIndex get_unmapped_area(PageCount pages, int order = 0);

 private:
  std::string name_;
  void resize(const VmaPointer& vma, PageIndex start, PageIndex end);

  struct Owned {
    PageIndex end;
    OwnerId owner = 0;
  };

  using Vmas = std::map<PageIndex, VmaPointer>;  // by start
  [[nodiscard]] Vmas::const_iterator first_beyond(PageIndex page) const;
  [[nodiscard]] Vmas::const_iterator place_of(const Vma& vma) const;
  VmaPointer look_from(Vmas::const_iterator place) const;

  Vmas vmas_;
  // Where somebody looked last: as a rule the next one looks there, or right behind it.
  mutable Vmas::const_iterator looked_at_ = vmas_.end();
  std::map<PageIndex, Owned> owners_;  // by start
  std::uint64_t map_version_ = 0;
  PageIndex next_unmapped_{0x10000};
};

}  // namespace models
