#include "models/mm/mremap.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/mmap.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

// move_vma wants room for the new VMA and for what is left at both ends of the old one.
constexpr std::size_t kRoomInMap = 3;

// The pages from `from` on that are moved under one page table's locks, at either place (get_extent).
PageCount extent(PageIndex from, PageIndex to, PageCount left) {
  return std::min({left, end_of_table(from) - from, end_of_table(to) - to});
}

// Entries that are not empty: pages that are there, and swap entries.
PageCount entries(const Mm& mm, PageIndex start, PageIndex end) {
  return (end - start) - mm.page_table.count(start, end, PageState::absent);
}

// mmap_sem must be held for write.
void move_page_tables(Task& current, Mm& mm, PageIndex from, PageIndex to, PageCount pages) {
  const Kernel& kernel = current.kernel();
  for (PageCount done; done < pages;) {
    current.cond_resched();
    const PageIndex old_place = from + done;
    const PageCount size = extent(old_place, to + done, pages - done);
    const PageCount moved = entries(mm, old_place, old_place + size);
    const bool huge = mm.page_table.folios_at(old_place, old_place + size).folio.whole;
    const bool alike = size == kPagesPerTable && moved > PageCount(0);
    const bool whole = alike && (huge || kernel.policy.mremap_moves_tables);  // move_huge_pmd, move_normal_pmd
    if (huge && !whole) current.work(kernel.costs.split_huge);
    current.work_on_pages(kernel.costs.remap_page * (whole ? 1 : moved.count()));
    current.settle();  // faults under the VMA's lock are kept out, reclaim is not
    move_pages(current.kernel(), mm, old_place, to + done, size);
    done += size;
  }
}

// vma_to_resize, for a size that stays.
int check_vma(const VmaPointer& vma, PageIndex start, PageIndex end) {
  return vma == nullptr || vma->start > start || vma->end < end ? -EFAULT : 0;
}

// mmap_sem must be held for write, and the new place be free.
int move_vma(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end, PageIndex to) {
  if (mm.map_count() + kRoomInMap >= mm.max_map_count) return -ENOMEM;
  const PageCount pages = end - start;
  vma_start_write(current, mm, *vma);
  current.work(current.kernel().costs.vma_split);
  current.settle();
  VmFlags flags = vma->flags;
  flags.userfaultfd = 0;  // mremap_userfaultfd_prep, whose monitor has not asked for events
  const VmaPointer moved = mm.insert_vma(to, to + pages, flags);
  moved->anon_vma = vma->anon_vma;
  if (moved->anon_vma != nullptr) ++moved->anon_vma->vmas;
  vma_start_write(current, mm, *moved);
  if (moved->flags.locked) mm.locked_vm += pages;
  move_page_tables(current, mm, start, to, pages);
  return do_munmap(current, mm, start, end, false);
}

// mremap_to. mmap_sem must be held for write.
int mremap_to(Task& current, Mm& mm, PageIndex start, PageIndex end, PageIndex to) {
  const PageCount pages = end - start;
  if (to < end && start < to + pages) return -EINVAL;
  if (const int error = do_munmap(current, mm, to, to + pages, false)) return error;
  current.work(current.kernel().costs.find_vma);
  current.settle();
  const VmaPointer vma = mm.find_vma(start);
  if (const int error = check_vma(vma, start, end)) return error;
  return move_vma(current, mm, vma, start, end, to);
}

}  // namespace

int sys_mremap(Task& current, Mm& mm, PageIndex start, PageCount pages, PageIndex to) {
  assert(pages > PageCount(0));
  current.enter(Phase::mremap);
  current.work(current.kernel().costs.system_call);
  mmap_write_lock(current, mm);
  const int error = mremap_to(current, mm, start, start + pages, to);
  mmap_write_unlock(current, mm);
  return error;
}

}  // namespace models
