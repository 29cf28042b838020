#include "models/mm/memory.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "models/kernel.h"
#include "models/mm/cow.h"
#include "models/mm/huge_memory.h"
#include "models/mm/mm.h"
#include "models/mm/numa_balancing.h"
#include "models/mm/page_writeback.h"
#include "models/mm/rmap.h"
#include "models/mm/shmem.h"
#include "models/mm/userfaultfd.h"
#include "models/task.h"

namespace models {

namespace {

PageState state_of(const Mm& mm, PageIndex page) { return mm.page_table.run_at(page, page + PageCount(1)).state; }

struct PageRange {
  PageIndex start;
  PageIndex end;
};

// The aligned window of `size` pages around `page`, as far as it lies in [start, end).
PageRange window(PageIndex page, PageCount size, PageIndex start, PageIndex end) {
  const PageIndex aligned(page.index() / size.count() * size.count());
  return {std::max(start, aligned), std::min(end, aligned + size)};
}

PageCount size_of(std::span<const PageRange> ranges) {
  return std::accumulate(ranges.begin(), ranges.end(), PageCount(0),
                         [](PageCount sum, const PageRange& range) { return sum + (range.end - range.start); });
}

// Pages taken for `ranges` find their places there, where it is still in `from`; those that come too late are freed.
PageCount fill(Kernel& kernel, Mm& mm, std::span<const PageRange> ranges, PageState from, PageState to) {
  PageCount used;
  for (const PageRange& range : ranges) used += change_pages(kernel, mm, range.start, range.end, from, to);
  free_charged_pages(kernel, mm, size_of(ranges) - used, kernel.engine.now());
  return used;
}

void do_anonymous_page(Task& current, Mm& mm, Vma& vma, PageIndex page, const sim::Distribution& cost) {
  const int order = folio_order_at(mm, vma, page);
  if (order > 0 && map_folio(current, mm, vma, page, order, mapped_in(vma))) return;
  Kernel& kernel = current.kernel();
  alloc_charge_page(current, mm);
  current.work(cost, KernelPath::fault);
  if (is_shmem(kernel, mm, page))
    current.work(new_shmem_page(kernel.costs, mapped_in(vma), current.stream(Purpose::fault)));
  current.settle();
  const PageRange self{page, page + PageCount(1)};
  fill(kernel, mm, {&self, 1}, PageState::absent, mapped_in(vma));
}

// As mapped_in, for a page that is on a list already: mlock or reclaim may be left to find it there.
PageState mapped_from_cache(const Kernel& kernel, const Vma& vma) {
  return kernel.reclaim_rules.fault_mlocks_cached ? mapped_in(vma) : PageState::resident;
}

// Whether what is written goes to the file: do_shared_fault.
bool writes_to_file(const Vma& vma, Access access) {
  return vma.flags.shared && !vma.flags.readonly && access == Access::write;
}

// Where a fault maps what is in the page cache around its page, too: do_read_fault.
bool maps_around(const Kernel& kernel, const Mm& mm, const Vma& vma, PageIndex page, Access access) {
  return is_in_page_cache(kernel, mm, page) && !writes_to_file(vma, access);
}

// What is cached is mapped: of the page cache with its neighbours (do_fault_around), of swap alone.
void map_cached(Task& current, Mm& mm, const Vma& vma, PageIndex page, const sim::Distribution& cost, Access access) {
  Kernel& kernel = current.kernel();
  current.work(cost, KernelPath::fault);
  current.settle();
  const PageCount size = maps_around(kernel, mm, vma, page, access) ? kernel.memory.fault_around : PageCount(1);
  const PageRange around = window(page, size, vma.start, vma.end);
  change_pages(kernel, mm, around.start, around.end, PageState::cached, mapped_from_cache(kernel, vma));
}

// The pages to read together with `page`, which are where it is: in a file from there on, up to the first that is in
// memory; in swap all around it.
std::vector<PageRange> readahead(const Kernel& kernel, const Mm& mm, const Vma& vma, PageIndex page) {
  // Without the lock `vma` may have shrunk.
  const PageRange area{std::min(page, vma.start), std::max(page + PageCount(1), vma.end)};
  if (is_file_backed(kernel, mm, page)) {
    const bool alone = vma.flags.read_ahead == ReadAhead::random;
    const PageIndex last = std::min(area.end, page + (alone ? PageCount(1) : kernel.memory.readahead));
    return {{page, mm.page_table.run_at(page, last).end}};
  }
  const PageRange cluster = window(page, kernel.memory.swap->readahead, area.start, area.end);
  std::vector<PageRange> swapped;
  for (PageIndex next = cluster.start; next < cluster.end;) {
    const PageTable::Run run = mm.page_table.run_at(next, cluster.end);
    if (run.state == PageState::swapped) swapped.push_back({next, run.end});
    next = run.end;
  }
  return swapped;
}

bool needs_io(const Task& current, const Mm& mm, PageIndex page, PageState state) {
  return state == PageState::swapped || (state == PageState::absent && is_file_backed(current.kernel(), mm, page));
}

// SWP_SYNCHRONOUS_IO: zram decompresses the page in the fault, so there is nothing to wait for. For that of shared
// memory the fault waits with what it holds (folio_lock in shmem_swapin_folio).
bool is_read_in_place(const Kernel& kernel, const Mm& mm, PageIndex page, PageState state) {
  return state == PageState::swapped && (kernel.swap.zram().has_value() || is_shmem(kernel, mm, page));
}

// wp_page_copy: the children keep the page, and its copy is mapped instead. Another task may have been faster.
void do_wp_page(Task& current, Mm& mm, PageIndex page, const sim::Distribution& cost) {
  Kernel& kernel = current.kernel();
  if (mm.page_table.split_around(page)) current.work(kernel.costs.split_huge);  // do_huge_pmd_wp_page, since 5.8
  alloc_page(current);
  current.work(cost, KernelPath::fault);
  current.work(kernel.costs.cow_page);
  current.settle();
  const bool still = mm.cow->is_shared(page);
  if (still) mm.cow->copied(page);
  kernel.zone.move(&ZoneCounts::in_flight, still ? &ZoneCounts::children : &ZoneCounts::free, PageCount(1),
                   current.now());
}

bool is_write_protected(const Mm& mm, const Vma& vma, PageIndex page) {
  return mm.cow != nullptr && !vma.flags.readonly && mm.cow->is_shared(page);
}

void read_page(Task& current, Mm& mm, const Vma& vma, PageIndex page) {
  Kernel& kernel = current.kernel();
  const PageState from = state_of(mm, page);
  const bool file = from == PageState::absent;
  const std::vector<PageRange> ranges = readahead(kernel, mm, vma, page);
  const PageCount pages = size_of(ranges);
  for (PageCount taken; taken < pages; taken += PageCount(1)) alloc_charge_page(current, mm);
  if (file) {
    kernel.device.read(current, pages);
  } else {
    swap_readpage(current, pages);
  }
  const PageCount read = fill(kernel, mm, ranges, from, PageState::cached);
  auto& statistics = kernel.reclaim.statistics;
  (file ? statistics.files_read : statistics.swapped_in) += static_cast<std::uint64_t>(read.count());
}

// The read that brings `page` in, if there is one; null otherwise.
SwapRead* swap_read_of(Mm& mm, PageIndex page) {
  const auto found = std::find_if(mm.swap_reads.begin(), mm.swap_reads.end(), [&](const auto& read) {
    return std::any_of(read->pages.begin(), read->pages.end(),
                       [&](const auto& range) { return range.first <= page && page < range.second; });
  });
  return found == mm.swap_reads.end() ? nullptr : found->get();
}

// The pages are in the swap cache, unlocked.
void end_swap_read(Kernel& kernel, Mm& mm, const std::shared_ptr<SwapRead>& read) {
  std::vector<PageRange> ranges;
  for (const auto& [start, end] : read->pages) ranges.push_back({start, end});
  const PageCount filled = fill(kernel, mm, ranges, PageState::swapped, PageState::cached);
  kernel.reclaim.statistics.swapped_in += static_cast<std::uint64_t>(filled.count());
  std::erase(mm.swap_reads, read);
  for (Task* waiter : read->waiters) waiter->wake();
}

// The first half of do_swap_page, with the fault's lock held: takes the pages, reclaiming for them if need be, and
// submits their read (swapin_readahead), unless they are being read already.
void begin_swap_read(Task& current, Mm& mm, const Vma& vma, PageIndex page) {
  if (swap_read_of(mm, page) != nullptr) return;
  Kernel& kernel = current.kernel();
  const std::vector<PageRange> ranges = readahead(kernel, mm, vma, page);
  const PageCount pages = size_of(ranges);
  for (PageCount taken; taken < pages; taken += PageCount(1)) alloc_charge_page(current, mm);
  const auto read = std::make_shared<SwapRead>();
  for (const PageRange& range : ranges) read->pages.emplace_back(range.start, range.end);
  mm.swap_reads.push_back(read);
  kernel.device.read_ahead(current, pages, [&kernel, &mm, read] { end_swap_read(kernel, mm, read); });
}

// Neighbours that are absent, read in one request.
void read_ahead(Task& current, Mm& mm, const PageRange& range) {
  Kernel& kernel = current.kernel();
  const PageCount pages = range.end - range.start;
  for (PageCount taken; taken < pages; taken += PageCount(1)) alloc_charge_page(current, mm);
  kernel.device.read_ahead(current, pages, [&kernel, &mm, range] {
    const PageCount read = fill(kernel, mm, {&range, 1}, PageState::absent, PageState::cached);
    kernel.reclaim.statistics.files_read += static_cast<std::uint64_t>(read.count());
  });
}

}  // namespace

void force_page_cache_readahead(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  const PageIndex last = std::min(end, start + current.kernel().memory.readahead);
  for (PageIndex page = start; page < last;) {
    current.settle();
    const PageTable::Run run = mm.page_table.run_at(page, last);
    if (run.state == PageState::absent) read_ahead(current, mm, {page, run.end});
    page = run.end;
  }
}

PageState mapped_in(const Vma& vma) {
  return vma.flags.locked && !vma.flags.is_special() ? PageState::mlocked : PageState::resident;
}

void wait_for_page(Task& current, Mm& mm, const Vma& vma, PageIndex page) {
  current.settle();
  if (SwapRead* const read = swap_read_of(mm, page)) {
    read->waiters.push_back(&current);
    return current.block(Cause::device_io);
  }
  if (userfaultfd_missing(mm, vma, page)) return handle_userfault(current, mm, vma, page);
  if (!needs_io(current, mm, page, state_of(mm, page))) return;
  read_page(current, mm, vma, page);
}

void wait_without_mmap_sem(Task& current, Mm& mm, const Vma& vma, PageIndex page) {
  mm.mmap_sem.up_read(current);
  wait_for_page(current, mm, vma, page);
  mm.mmap_sem.down_read(current);
}

AddressSpace* file_to_write(const Kernel& kernel, const Mm& mm, const Vma& vma, PageIndex page, Access access) {
  return writes_to_file(vma, access) ? mapping_of(kernel, mm, page) : nullptr;
}

namespace {

// The second half of do_shared_fault and wp_page_shared, of a page that is mapped. Reclaim may take it meanwhile; the
// kernel has it locked.
void make_writable(Task& current, const Mm& mm, AddressSpace& mapping, PageIndex page) {
  if (mapping.tags_at(page).dirty) return;
  do_page_mkwrite(current, mapping, page);
  if (is_present(state_of(mm, page))) mapping.mark_dirty(page);
}

}  // namespace

namespace {

// A write to a page that may go without being written keeps it, by the dirty bit alone (MADV_FREE).
void keep_lazily_freed(Kernel& kernel, Mm& mm, const Vma& vma, PageIndex page) {
  if (mm.has_lazy_free && !vma.flags.hugetlb && state_of(mm, page) == PageState::resident)
    redirty_page(kernel, mm, page);
}

bool is_accessible(const Kernel& kernel, const Mm& mm, const Vma& vma, PageIndex page) {
  if (!is_present(state_of(mm, page))) return false;
  if (mm.numa_hints != nullptr && mm.numa_hints->is_hidden(page)) return false;
  if (is_write_protected(mm, vma, page)) return false;
  const AddressSpace* const file = file_to_write(kernel, mm, vma, page, Access::write);
  return file == nullptr || file->tags_at(page).dirty;
}

}  // namespace

bool access_page(Kernel& kernel, Mm& mm, PageIndex page) {
  const VmaPointer vma = mm.find_vma(page);
  if (vma == nullptr || vma->start > page || !is_accessible(kernel, mm, *vma, page)) return false;
  keep_lazily_freed(kernel, mm, *vma, page);
  return true;
}

namespace {

// do_numa_page: the page is accessible again. Returns whether it was not.
bool do_numa_page(Task& current, Mm& mm, PageIndex page, const sim::Distribution& cost) {
  if (mm.numa_hints == nullptr || !mm.numa_hints->is_hidden(page)) return false;
  current.work(cost, KernelPath::fault);
  current.settle();
  mm.numa_hints->touched(mm, page);
  return true;
}

void fault_on_present_page(Task& current, Mm& mm, const Vma& vma, PageIndex page, const sim::Distribution& cost) {
  const bool hinting = do_numa_page(current, mm, page, cost);
  if (is_write_protected(mm, vma, page)) return do_wp_page(current, mm, page, cost);
  if (!hinting) {
    current.work(cost, KernelPath::fault);
    current.settle();
  }
  keep_lazily_freed(current.kernel(), mm, vma, page);
}

}  // namespace

FaultOutcome handle_mm_fault(Task& current, Mm& mm, Vma& vma, PageIndex page, IoWait io, const sim::Distribution& cost,
                             Access access) {
  if (userfaultfd_missing(mm, vma, page)) return FaultOutcome::retry;
  PageState state = state_of(mm, page);
  do {
    for (; needs_io(current, mm, page, state); state = state_of(mm, page)) {
      if (io == IoWait::retry && !is_read_in_place(current.kernel(), mm, page, state)) {
        if (state == PageState::swapped) begin_swap_read(current, mm, vma, page);
        return FaultOutcome::retry;
      }
      read_page(current, mm, vma, page);
    }
    switch (state) {
      case PageState::absent:
        do_anonymous_page(current, mm, vma, page, cost);
        break;
      case PageState::cached:
        map_cached(current, mm, vma, page, cost, access);
        break;
      default:
        fault_on_present_page(current, mm, vma, page, cost);
    }
    AddressSpace* const mapping = file_to_write(current.kernel(), mm, vma, page, access);
    if (mapping != nullptr && is_present(state_of(mm, page))) make_writable(current, mm, *mapping, page);
    // Again where reclaim has taken it back before it was mapped: the kernel's reference to it would not have let it.
    state = state_of(mm, page);
  } while (!is_present(state));
  mm.anon_vma_prepare(vma);
  return FaultOutcome::done;
}

}  // namespace models
