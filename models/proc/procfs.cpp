#include "models/proc/procfs.h"

#include <algorithm>
#include <optional>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/pagewalk.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

// What a file says of a VMA.
struct Record {
  std::int64_t bytes;
  sim::Nanoseconds format;
  PageLook look;  // at its page tables; nothing: it does not
};

// Whether the struct pages of what is mapped, 64 bytes each, find room in the last-level cache. A huge page's is one.
bool struct_pages_fit(const Kernel& kernel, const Mm& mm) {
  constexpr std::int64_t kStructPageBytes = 64;
  if (kernel.llc == Bytes(0) || kernel.costs.struct_page_miss == sim::Nanoseconds{0}) return true;
  PageCount pages;
  for (VmaPointer vma = mm.find_vma(PageIndex(0)); vma != nullptr; vma = mm.next(*vma)) {
    for (const PageState state : {PageState::resident, PageState::mlocked})
      pages += mm.page_table.entries(vma->start, vma->end, state);
  }
  return pages.count() * kStructPageBytes <= kernel.llc.count();
}

// How smaps_pte_range looks at entries and at the pages behind them.
PageLook smaps_look(Task& current, const Mm& target) {
  const Kernel& kernel = current.kernel();
  current.settle();
  const sim::Nanoseconds miss = struct_pages_fit(kernel, target) ? sim::Nanoseconds{0} : kernel.costs.struct_page_miss;
  return {.entry = kernel.costs.proc_smaps_page + miss, .huge = kernel.costs.proc_smaps_huge + miss};
}

void show(Task& current, const Mm& target, const Vma& vma, const Record& record) {
  current.work(record.format);
  if (record.look.entry == sim::Nanoseconds{0}) return;
  current.settle();  // a stack may grow under read mode
  look_at_page_range(current, target, vma.start, vma.end, record.look);
}

// The buffer of one read().
class SeqBuffer {
 public:
  /// Puts a record in. Returns false if it does not fit: it has to be made again for the next read().
  bool put(const Record& record) {
    const std::int64_t used = used_ + record.bytes;
    if (used >= kSeqBufferBytes) return false;
    used_ = used;
    return true;
  }

 private:
  std::int64_t used_ = 0;
};

// --- mmap_sem -------------------------------------------------------------------------------------------------

// m_start, then one record after another, m_stop: one read(). Goes on at `address` and leaves it where the next read()
// has to. Returns false when there is nothing more.
template <class RecordOf>
bool seq_read(Task& current, Mm& target, PageIndex& address, RecordOf record_of) {
  target.mmap_sem.down_read(current);
  current.work(current.kernel().costs.find_vma);
  current.settle();
  SeqBuffer buffer;
  VmaPointer vma = target.find_vma(address);
  for (; vma != nullptr; vma = target.next(*vma)) {
    const Record record = record_of(*vma);
    show(current, target, *vma, record);
    if (!buffer.put(record)) break;
    address = vma->end;
  }
  target.mmap_sem.up_read(current);
  return vma != nullptr;
}

// --- per_vma --------------------------------------------------------------------------------------------------

// lock_next_vma: the first VMA that ends after `address`, locked; null when there is none.
VmaPointer lock_next_vma(Task& current, Mm& target, PageIndex address) {
  current.settle();
  VmaPointer vma = target.find_vma(address);
  if (vma == nullptr || vma_start_read(current, target, *vma)) return vma;
  // lock_next_vma_under_mmap_lock: nobody changes a VMA now.
  target.mmap_sem.down_read(current);
  vma = target.find_vma(address);
  if (vma != nullptr) (void)vma_start_read(current, target, *vma);
  target.mmap_sem.up_read(current);
  return vma;
}

// The same under the locks of the VMAs, one after another.
template <class RecordOf>
bool seq_read_per_vma(Task& current, Mm& target, PageIndex& address, RecordOf record_of) {
  current.work(current.kernel().costs.find_vma);
  SeqBuffer buffer;
  for (;;) {
    const VmaPointer vma = lock_next_vma(current, target, address);
    if (vma == nullptr) return false;
    const Record record = record_of(*vma);
    show(current, target, *vma, record);
    const bool fits = buffer.put(record);
    if (fits) address = vma->end;
    vma_end_read(current, *vma);
    if (!fits) return true;
  }
}

// --- rcu ------------------------------------------------------------------------------------------------------

// mmap_lock_speculate_try_begin: the number of the last change; nothing while one is being made.
std::optional<std::uint64_t> try_begin_speculation(const Mm& target) {
  return target.mmap_sem.write_held() ? std::nullopt : std::optional(target.lock_sequence);
}

// Waits until nobody changes the map.
std::uint64_t begin_speculation_under_mmap_lock(Task& current, Mm& target) {
  target.mmap_sem.down_read(current);
  const std::uint64_t sequence = target.lock_sequence;
  target.mmap_sem.up_read(current);
  return sequence;
}

// The same from copies of the VMAs, made under RCU.
template <class RecordOf>
bool seq_read_rcu(Task& current, Mm& target, PageIndex& address, RecordOf record_of) {
  current.settle();
  std::optional<std::uint64_t> sequence = try_begin_speculation(target);
  current.work(current.kernel().costs.find_vma);
  SeqBuffer buffer;
  for (;;) {
    current.settle();
    // mmap_lock_speculate_retry
    if (!sequence || try_begin_speculation(target) != sequence) {
      sequence = begin_speculation_under_mmap_lock(current, target);
      continue;
    }
    const VmaPointer vma = target.find_vma(address);
    if (vma == nullptr) return false;
    const PageIndex end = vma->end;
    const Record record = record_of(*vma);
    show(current, target, *vma, record);
    if (!buffer.put(record)) return true;
    address = end;
  }
}

template <class RecordOf>
void read_whole_file(Task& current, Mm& target, ProcLock lock, RecordOf record_of) {
  const Costs& costs = current.kernel().costs;
  current.enter(Phase::proc_read);
  current.work(costs.proc_open, KernelPath::proc_file);
  current.work(costs.proc_seq_file);
  PageIndex address;
  for (bool more = true; more;) {
    current.work(costs.system_call);
    switch (lock) {
      case ProcLock::mmap_sem:
        more = seq_read(current, target, address, record_of);
        break;
      case ProcLock::rcu:
        more = seq_read_rcu(current, target, address, record_of);
        break;
      case ProcLock::per_vma:
        more = seq_read_per_vma(current, target, address, record_of);
        break;
    }
    current.enter(Phase::user);  // between two read()s
    if (more) current.enter(Phase::proc_read);
  }
}

// show_smaps_rollup. mmap_sem is given up in between where the kernel does so.
void add_up_under_mmap_lock(Task& current, Mm& target, const Record& record) {
  const bool gives_way = current.kernel().policy.proc.rollup_gives_way;
  target.mmap_sem.down_read(current);
  current.work(current.kernel().costs.find_vma);
  current.settle();
  PageIndex address;
  while (const VmaPointer vma = target.find_vma(address)) {
    show(current, target, *vma, record);
    current.settle();
    address = vma->end;
    if (!gives_way || !target.mmap_sem.is_contended()) continue;
    target.mmap_sem.up_read(current);
    target.mmap_sem.down_read(current);
  }
  target.mmap_sem.up_read(current);
}

void add_up_per_vma(Task& current, Mm& target, const Record& record) {
  PageIndex address;
  while (const VmaPointer vma = lock_next_vma(current, target, address)) {
    show(current, target, *vma, record);
    address = vma->end;
    vma_end_read(current, *vma);
  }
}

// clear_refs_test_walk, and no hugetlb_entry.
bool clears_refs_of(const Vma& vma) { return !vma.flags.io_pfnmap && !vma.flags.hugetlb; }

// walk_page_range of all there is. mmap_sem must be held, in the policy's mode.
void clear_refs(Task& current, Mm& target) {
  const Kernel& kernel = current.kernel();
  current.settle();
  PageIndex address;
  while (const VmaPointer vma = target.find_vma(address)) {
    address = vma->end;
    if (!clears_refs_of(*vma)) continue;
    if (kernel.policy.proc.clear_refs_writes) vma_start_write(current, target, *vma);
    look_at_page_range(current, target, vma->start, vma->end,
                       {.present = kernel.costs.proc_smaps_page, .huge = kernel.costs.proc_smaps_huge});
    current.settle();
  }
}

// The entries of one VMA's pages up to the end of a page table, in one hold, or of the first VMA beyond. Leaves
// `address` where the next hold goes on. Returns false when there is nothing more; `next_vma`: it has come to a VMA's
// end.
bool pagemap_chunk(Task& current, Mm& target, PageIndex& address, bool& next_vma) {
  const Costs& costs = current.kernel().costs;
  target.mmap_sem.down_read(current);
  current.work(costs.find_vma);
  current.settle();
  const VmaPointer vma = target.find_vma(address);
  if (vma != nullptr) {
    const PageIndex start = std::max(address, vma->start);
    const PageIndex end = std::min(vma->end, end_of_table(start));
    const sim::Nanoseconds table = costs.batched_pte * kPagesPerTable.count();  // an entry of the file for each page
    look_at_page_range(current, target, start, end,
                       {.entry = costs.proc_smaps_page, .huge = costs.proc_smaps_huge + table});
    current.settle();
    next_vma = end >= vma->end;
    address = end;
  }
  target.mmap_sem.up_read(current);
  return vma != nullptr;
}

}  // namespace

void proc_pid_clear_refs(Task& current, Mm& target) {
  const Kernel& kernel = current.kernel();
  current.enter(Phase::proc_read);
  current.work(kernel.costs.proc_open, KernelPath::proc_file);
  if (kernel.policy.proc.clear_refs_writes) {
    mmap_write_lock(current, target);
    clear_refs(current, target);
    mmap_write_unlock(current, target);
  } else {
    target.mmap_sem.down_read(current);
    clear_refs(current, target);
    target.mmap_sem.up_read(current);
  }
  current.enter(Phase::user);
}

void proc_pid_pagemap(Task& current, Mm& target) {
  const Costs& costs = current.kernel().costs;
  current.enter(Phase::proc_read);
  current.work(costs.proc_open, KernelPath::proc_file);
  PageIndex address;
  bool next_vma = true;
  do {
    if (next_vma) current.work(costs.system_call);
  } while (pagemap_chunk(current, target, address, next_vma));
  current.enter(Phase::user);
}

void proc_pid_cmdline(Task& current, Mm& target) {
  const Costs& costs = current.kernel().costs;
  current.enter(Phase::proc_read);
  current.work(costs.proc_open, KernelPath::proc_file);
  // The last look takes the arguments; those before it see where they are, and whether they end as they should.
  for (int holds = current.kernel().policy.cmdline_holds; holds > 0; --holds) {
    target.mmap_sem.down_read(current);
    current.cond_resched();  // get_user_pages has one for each page, and reads one
    if (holds == 1) {
      current.work(costs.proc_cmdline, Purpose::calls);
    } else {
      current.work(costs.find_vma + costs.gup_present);
    }
    target.mmap_sem.up_read(current);
  }
  current.enter(Phase::user);
  current.settle();
}

void proc_pid_maps(Task& current, Mm& target) {
  const Kernel& kernel = current.kernel();
  read_whole_file(current, target, kernel.policy.proc.maps, [&](const Vma& vma) {
    const bool file = is_in_page_cache(kernel, target, vma.start);
    return Record{file ? kMapsOfFileBytes : kMapsBytes, kernel.costs.proc_maps_vma, {}};
  });
}

void proc_pid_smaps(Task& current, Mm& target) {
  const Kernel& kernel = current.kernel();
  const Record record{kSmapsBytes, kernel.costs.proc_smaps_vma, smaps_look(current, target)};
  read_whole_file(current, target, kernel.policy.proc.smaps, [&](const Vma&) { return record; });
}

void proc_pid_numa_maps(Task& current, Mm& target) {
  const Kernel& kernel = current.kernel();
  const Record record{kNumaMapsBytes, kernel.costs.proc_numa_maps_vma, smaps_look(current, target)};
  read_whole_file(current, target, kernel.policy.proc.numa_maps, [&](const Vma&) { return record; });
}

void proc_pid_smaps_rollup(Task& current, Mm& target) {
  const Kernel& kernel = current.kernel();
  const Record record{kSmapsBytes, kernel.costs.proc_rollup_vma, smaps_look(current, target)};
  current.enter(Phase::proc_read);
  current.work(kernel.costs.proc_open, KernelPath::proc_file);
  if (kernel.policy.proc.smaps_rollup == ProcLock::per_vma) {
    add_up_per_vma(current, target, record);
  } else {
    add_up_under_mmap_lock(current, target, record);
  }
  current.work(kernel.costs.proc_smaps_vma);  // the one record
  current.enter(Phase::user);
}

}  // namespace models
