// The machine: its CPUs and what each step of the modelled kernel paths costs on it.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "models/spec/noise.h"
#include "models/spec/page.h"
#include "models/spec/sched.h"
#include "sim/distribution.h"
#include "sim/time.h"

namespace models {

/// What the steps cost, in CPU time of the task that takes them. Sources are in configs/machines/*.yaml.
struct Costs {
  // lib/rwsem.c
  sim::Nanoseconds rwsem_operation{};  ///< one uncontended down_*, up_* or downgrade_write
  sim::Nanoseconds rwsem_wake{};       ///< try_to_wake_up, paid by the waker for each task it wakes, one after another
  /// An atomic operation on a semaphore or a VMA's lock by another CPU than the last: its cache line comes over, one
  /// transfer at a time. 0 if not given.
  sim::Nanoseconds cache_line{};

  // mm/mmap.c
  sim::Nanoseconds system_call{};  ///< entry, exit and checks outside mmap_sem
  sim::Nanoseconds find_vma{};     ///< one look-up in the VMA tree
  sim::Nanoseconds vma_split{};    ///< one split_vma
  sim::Nanoseconds vma_merge{};    ///< one vma_merge that merges
  sim::Distribution mmap{};        ///< mmap of a small region: the part under mmap_sem
  sim::Distribution munmap{};      ///< munmap: the part under mmap_sem that does not depend on pages
  sim::Nanoseconds munmap_vma{};  ///< each further VMA of an munmap: half to detach it, half to free it; 0 if not given
  /// A flush of the TLBs, for each other CPU that runs a thread of the process at that moment: the interrupt, and the
  /// wait until it has been heard. 0 if not given.
  sim::Nanoseconds tlb_flush_cpu{};
  /// A call that takes pages away (munmap, MADV_DONTNEED): the flush of its own TLB, pages handed on to be freed; 0 if
  /// not given.
  sim::Nanoseconds mmu_gather{};

  // mm/mlock.c, mm/memory.c
  sim::Nanoseconds lru_add_drain_all{};  ///< for each CPU: queue the work item there and wait for it
  sim::Nanoseconds mlock_vma{};          ///< mlock_fixup of one VMA that becomes VM_LOCKED; 0 if not given
  sim::Nanoseconds munlock_vma{};        ///< of one that ceases to be; 0 if not given
  sim::Distribution populate_page{};     ///< absent page: allocate, clear, map (get_user_pages -> handle_mm_fault)
  sim::Distribution mlock_page{};        ///< present page: lock it, move it to the unevictable list
  sim::Nanoseconds gup_present{};        ///< present page: get_user_pages finds it and passes it over; 0 if not given
  sim::Distribution munlock_absent{};    ///< absent page, where the walk looks at every address (3.x to 5.17)
  sim::Distribution munlock_page{};      ///< present page: isolate, try_to_munlock, put back on its list
  sim::Nanoseconds rmap_vma{};           ///< one VMA of a page's anon_vma, where munlock asks them all (before 3.0)
  sim::Distribution zap_page{};          ///< present page: unmap and free
  sim::Distribution fault{};             ///< a first-touch fault from trap to return, less mmap_sem's operations
  sim::Nanoseconds cow_page{};           ///< a write fault copies its page, on top of `fault`; 0 if not given
  sim::Nanoseconds page_mkwrite{};       ///< a write fault on a clean page of a file: the file system; 0 if not given

  // mm/page-writeback.c, mm/shmem.c
  sim::Nanoseconds writeback_page{};  ///< write_cache_pages: find a dirty page, clean its entry, submit; 0 if not given
  sim::Nanoseconds shmem_page{};   ///< a new page of shared memory, on top of `fault` or populate_page; 0 if not given
  sim::Nanoseconds remove_page{};  ///< take a page that is not mapped out of shared memory; 0 if not given

  // mm/mprotect.c, mm/madvise.c, mm/mincore.c, mm/mempolicy.c, kernel/fork.c
  sim::Distribution mprotect{};       ///< the part under mmap_sem, splits and merges apart
  sim::Nanoseconds mprotect_page{};   ///< present page: change_protection; 0 if not given
  sim::Distribution madvise{};        ///< the part under mmap_sem that does not depend on pages
  sim::Nanoseconds remap_page{};      ///< mremap: move the entry of one page; 0 if not given
  sim::Nanoseconds dontneed_page{};   ///< present page, by MADV_DONTNEED: on top of zap_page; 0 if not given
  sim::Nanoseconds mincore_page{};    ///< mincore: look at one page, mapped or not
  sim::Distribution get_mempolicy{};  ///< get_mempolicy: the part under mmap_sem, a fault apart
  sim::Nanoseconds fork_process{};    ///< the new process, its address space apart: all that vfork does; 0 if not given
  sim::Nanoseconds fork_vma{};        ///< dup_mmap: copy one VMA
  sim::Nanoseconds fork_page{};       ///< dup_mmap: copy the entry of one present page

  // mm/huge_memory.c, mm/hugetlb.c: the same steps where one entry maps 2 MiB. A scenario with huge pages needs them.
  sim::Distribution populate_huge{};   ///< absent: allocate, clear, map; 512 times for 1 GiB
  sim::Distribution mlock_huge{};      ///< mlock_page
  sim::Nanoseconds gup_huge{};         ///< gup_present
  sim::Distribution munlock_huge{};    ///< munlock_page
  sim::Distribution zap_huge{};        ///< zap_page
  sim::Nanoseconds split_huge{};       ///< __split_huge_pmd: an entry for each of the 512 pages instead of the one
  sim::Nanoseconds fork_huge{};        ///< fork_page
  sim::Nanoseconds proc_smaps_huge{};  ///< proc_smaps_page
  sim::Nanoseconds collapse_page{};    ///< collapse_huge_page: copy one small page into the huge one, and free it
  sim::Nanoseconds collapse_absent{};  ///< ... or clear the place of one that is absent
  sim::Nanoseconds batched_pte{};      ///< one more entry of a folio that a walk takes together (folio_pte_batch)

  // fs/proc, mm/memory.c
  sim::Nanoseconds proc_maps_vma{};       ///< format one line of maps
  sim::Nanoseconds proc_smaps_vma{};      ///< format one record of smaps
  sim::Nanoseconds proc_smaps_page{};     ///< look at one page table entry for smaps, smaps_rollup or numa_maps
  sim::Nanoseconds struct_page_miss{};    ///< on top, where the process's struct pages do not fit into the cache
  sim::Nanoseconds proc_numa_maps_vma{};  ///< format one line of numa_maps
  sim::Nanoseconds proc_rollup_vma{};     ///< add one VMA up for smaps_rollup
  sim::Distribution access_page{};        ///< access_process_vm: find one present page, copy it
  sim::Distribution proc_cmdline{};       ///< access_process_vm under mmap_sem
  sim::Distribution proc_open{};          ///< open, copy and close around it, outside mmap_sem
  /// On top, for a file that is read VMA by VMA: its buffer, finding the mm. 0 if not given.
  sim::Nanoseconds proc_seq_file{};

  // mm/page_alloc.c, mm/vmscan.c
  sim::Nanoseconds zone_lock{};      ///< zone->lock: how long one refill of a per-CPU list holds it
  sim::Nanoseconds lruvec_lock{};    ///< lruvec->lru_lock: how long a page holds it on its way to or from a list; 0 if
                                     ///< not given
  sim::Distribution scan_page{};     ///< a page that reclaim looks at: isolate, page_referenced, put back
  sim::Distribution reclaim_page{};  ///< on top, for a page that it takes: try_to_unmap and free
  sim::Distribution pageout{};       ///< on top, for a page that it writes: add_to_swap, submit

  bool operator==(const Costs&) const = default;
};

/// A cost by its name.
struct CostRow {
  std::string_view name;
  std::variant<sim::Nanoseconds Costs::*, sim::Distribution Costs::*> member;
  bool required = true;  ///< a machine that is written out has to have it; otherwise it is 0 where it is not given
};

/// All costs, in the order of the struct.
inline constexpr auto kCosts = std::to_array<CostRow>({
    {"rwsem_operation", &Costs::rwsem_operation},
    {"rwsem_wake", &Costs::rwsem_wake},
    {"cache_line", &Costs::cache_line, false},
    {"system_call", &Costs::system_call},
    {"find_vma", &Costs::find_vma},
    {"vma_split", &Costs::vma_split},
    {"vma_merge", &Costs::vma_merge},
    {"mmap", &Costs::mmap},
    {"munmap", &Costs::munmap},
    {"munmap_vma", &Costs::munmap_vma, false},
    {"tlb_flush_cpu", &Costs::tlb_flush_cpu, false},
    {"mmu_gather", &Costs::mmu_gather, false},
    {"lru_add_drain_all", &Costs::lru_add_drain_all},
    {"mlock_vma", &Costs::mlock_vma, false},
    {"munlock_vma", &Costs::munlock_vma, false},
    {"populate_page", &Costs::populate_page},
    {"mlock_page", &Costs::mlock_page},
    {"gup_present", &Costs::gup_present, false},
    {"munlock_absent", &Costs::munlock_absent},
    {"munlock_page", &Costs::munlock_page},
    {"rmap_vma", &Costs::rmap_vma},
    {"zap_page", &Costs::zap_page},
    {"fault", &Costs::fault},
    {"cow_page", &Costs::cow_page, false},
    {"page_mkwrite", &Costs::page_mkwrite, false},
    {"writeback_page", &Costs::writeback_page, false},
    {"shmem_page", &Costs::shmem_page, false},
    {"remove_page", &Costs::remove_page, false},
    {"mprotect", &Costs::mprotect},
    {"mprotect_page", &Costs::mprotect_page, false},
    {"madvise", &Costs::madvise},
    {"remap_page", &Costs::remap_page, false},
    {"dontneed_page", &Costs::dontneed_page, false},
    {"mincore_page", &Costs::mincore_page},
    {"get_mempolicy", &Costs::get_mempolicy},
    {"fork_process", &Costs::fork_process, false},
    {"fork_vma", &Costs::fork_vma},
    {"fork_page", &Costs::fork_page},
    {"populate_huge", &Costs::populate_huge, false},
    {"mlock_huge", &Costs::mlock_huge, false},
    {"gup_huge", &Costs::gup_huge, false},
    {"munlock_huge", &Costs::munlock_huge, false},
    {"zap_huge", &Costs::zap_huge, false},
    {"split_huge", &Costs::split_huge, false},
    {"fork_huge", &Costs::fork_huge, false},
    {"proc_smaps_huge", &Costs::proc_smaps_huge, false},
    {"collapse_page", &Costs::collapse_page, false},
    {"collapse_absent", &Costs::collapse_absent, false},
    {"batched_pte", &Costs::batched_pte, false},
    {"proc_maps_vma", &Costs::proc_maps_vma},
    {"proc_smaps_vma", &Costs::proc_smaps_vma},
    {"proc_smaps_page", &Costs::proc_smaps_page},
    {"struct_page_miss", &Costs::struct_page_miss, false},
    {"proc_numa_maps_vma", &Costs::proc_numa_maps_vma},
    {"proc_rollup_vma", &Costs::proc_rollup_vma},
    {"access_page", &Costs::access_page},
    {"proc_cmdline", &Costs::proc_cmdline},
    {"proc_open", &Costs::proc_open},
    {"proc_seq_file", &Costs::proc_seq_file, false},
    {"zone_lock", &Costs::zone_lock},
    {"lruvec_lock", &Costs::lruvec_lock, false},
    {"scan_page", &Costs::scan_page},
    {"reclaim_page", &Costs::reclaim_page},
    {"pageout", &Costs::pageout},
});

/// How much of Costs the rows are.
constexpr std::size_t size_of_rows() {
  std::size_t size = 0;
  for (const CostRow& row : kCosts)
    size += row.member.index() == 0 ? sizeof(sim::Nanoseconds) : sizeof(sim::Distribution);
  return size;
}
static_assert(size_of_rows() == sizeof(Costs), "each cost has a row");

/// /sys/kernel/mm/transparent_hugepage/enabled.
enum class Thp { always, madvise, never };

/// In which order reclaim comes to the pages.
enum class ReclaimKind {
  classic,  ///< active and inactive lists
  mglru,    ///< generations (CONFIG_LRU_GEN, /sys/kernel/mm/lru_gen/enabled)
};

struct Machine {
  std::string name;
  std::string about;
  int cpus = 1;  ///< 1 .. 4096
  SchedulerSpec scheduler;
  Costs costs;
  int llc_cpus = 0;       ///< how many CPUs, counted from 0, share a last-level cache; 0: all
  Bytes llc{};            ///< the size of the last-level cache; 0: everything fits
  Thp thp = Thp::always;  ///< the default of mm/Kconfig; only regions that leave their page size to it are affected
  /// What all CPUs together can clear in a second; none: as much as they like.
  std::optional<Bytes> clear_bandwidth{};
  NoiseSpec noise{};
  ReclaimKind reclaim = ReclaimKind::classic;

  bool operator==(const Machine&) const = default;
};

}  // namespace models
