#include "models/mm/userfaultfd.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "models/kernel.h"
#include "models/mm/cow.h"
#include "models/mm/memcontrol.h"
#include "models/mm/memory.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/rmap.h"
#include "models/mm/tlb.h"
#include "models/mm/vma_modify.h"
#include "models/task.h"

namespace models {

namespace {

bool is_absent(const Mm& mm, PageIndex page) {
  return mm.page_table.run_at(page, page + PageCount(1)).state == PageState::absent;
}

// `number`: from 1 on, as VMAs have it.
Userfaultfd& descriptor(const Mm& mm, int number) { return *mm.userfaultfds.at(static_cast<std::size_t>(number - 1)); }

// try_to_wake_up. `current` has settled on return.
void wake_up(Task& current, Task& sleeper) {
  current.work(current.kernel().costs.rwsem_wake);
  current.settle();
  sleeper.wake(current);
}

}  // namespace

std::optional<PageIndex> Userfaultfd::read(Task& current, std::optional<sim::Time> until) {
  current.work(current.kernel().costs.system_call);
  current.settle();
  for (;;) {
    const auto next = std::find_if(faults_.begin(), faults_.end(), [](const Fault& fault) { return !fault.read; });
    if (next != faults_.end()) {
      next->read = true;
      return next->page;
    }
    if (until && current.now() >= *until) return std::nullopt;
    monitors_.push_back(&current);
    current.block(Cause::sleep, until);
    std::erase(monitors_, &current);
  }
}

void Userfaultfd::wake(Task& current, PageIndex start, PageIndex end) {
  current.settle();
  std::vector<Task*> woken;
  std::erase_if(faults_, [&](const Fault& fault) {
    const bool filled_in = start <= fault.page && fault.page < end;
    if (filled_in && fault.asleep) woken.push_back(fault.task);
    return filled_in;
  });
  for (Task* const task : woken) task->recharge(Cause::wake_up);
  for (Task* const task : woken) wake_up(current, *task);
}

// The fault is queued first, so that a page that is filled in meanwhile is not waited for; and a monitor is woken only
// while it waits for one.
void Userfaultfd::wait(Task& current, PageIndex page) {
  faults_.push_back({&current, page});
  if (!monitors_.empty()) {
    current.work(current.kernel().costs.rwsem_wake);
    current.settle();
  }
  if (!monitors_.empty()) {
    Task& monitor = *monitors_.front();
    monitors_.pop_front();
    monitor.wake(current);
  }
  const auto own =
      std::find_if(faults_.begin(), faults_.end(), [&](const Fault& each) { return each.task == &current; });
  if (own == faults_.end()) return;
  own->asleep = true;
  current.block(Cause::userfault);
}

bool userfaultfd_missing(const Mm& mm, const Vma& vma, PageIndex page) {
  return vma.flags.userfaultfd != 0 && !mm.exiting && is_absent(mm, page);
}

void handle_userfault(Task& current, Mm& mm, const Vma& vma, PageIndex page) {
  current.settle();
  if (!userfaultfd_missing(mm, vma, page)) return;
  descriptor(mm, vma.flags.userfaultfd).wait(current, page);
}

namespace {

// Whether all of [start, end) is mapped, and nobody else's: 0, -EINVAL or -EBUSY.
int may_register(const Mm& mm, PageIndex start, PageIndex end, int number) {
  for (PageIndex next = start; next < end;) {
    const VmaPointer vma = mm.find_vma(next);
    if (vma == nullptr || vma->start > next) return -EINVAL;
    if (vma->flags.userfaultfd != 0 && vma->flags.userfaultfd != number) return -EBUSY;
    next = vma->end;
  }
  return 0;
}

}  // namespace

int userfaultfd_register(Task& current, Mm& mm, PageIndex start, PageCount pages, int number) {
  current.enter(Phase::userfault);
  current.work(current.kernel().costs.system_call);
  mmap_write_lock(current, mm);
  current.settle();
  const PageIndex end = start + pages;
  int error = may_register(mm, start, end, number);
  for (PageIndex next = start; next < end && error == 0;) {
    VmaPointer vma = mm.find_vma(next);
    VmFlags flags = vma->flags;
    flags.userfaultfd = number;
    const PageIndex stop = std::min(vma->end, end);
    error = vma_modify(current, mm, vma, next, stop, flags);
    current.settle();
    next = stop;
  }
  mmap_write_unlock(current, mm);
  return error;
}

namespace {

// uffd_mfill_lock and uffd_move_lock: the locks of the VMAs of one place or two; where these cannot be had at once, or
// the first has no anon_vma yet, mmap_sem for as long as it takes to get them. Without such locks mmap_sem.
class PlaceLock {
 public:
  PlaceLock(Task& current, Mm& mm, PageIndex start, std::optional<PageIndex> from = std::nullopt)
      : current_(current),
        mm_(mm),
        start_(start),
        from_page_(from),
        under_vma_locks_(current.kernel().policy.userfault_copy_under_vma_lock) {
    current.settle();
    if (under_vma_locks_ && lock_vmas() && vma_->anon_vma != nullptr) return;
    if (locked_) unlock_vmas();
    mm.mmap_sem.down_read(current);
    current.settle();
    if (!under_vma_locks_) {
      find();
      return;
    }
    if (lock_vmas()) mm.anon_vma_prepare(*vma_);
    mm.mmap_sem.up_read(current);
  }

  // No destructor: a run that ends unwinds those who are under way.
  void release() {
    if (!under_vma_locks_) return mm_.mmap_sem.up_read(current_);
    if (locked_) unlock_vmas();
  }

  // Null: there is none, or it is not locked.
  [[nodiscard]] const VmaPointer& vma() const { return vma_; }
  [[nodiscard]] const VmaPointer& from() const { return from_; }

 private:
  void find() {
    vma_ = mm_.find_vma(start_);
    from_ = from_page_ ? mm_.find_vma(*from_page_) : nullptr;
  }

  [[nodiscard]] bool has_other() const { return from_ != nullptr && from_ != vma_; }

  // All that there are, or none.
  bool lock_vmas() {
    find();
    locked_ = vma_ != nullptr && vma_start_read(current_, mm_, *vma_);
    if (locked_ && has_other() && !vma_start_read(current_, mm_, *from_)) {
      vma_end_read(current_, *vma_);
      locked_ = false;
    }
    if (!locked_) vma_ = from_ = nullptr;
    return locked_;
  }

  void unlock_vmas() {
    if (has_other()) vma_end_read(current_, *from_);
    vma_end_read(current_, *vma_);
    locked_ = false;
  }

  Task& current_;
  Mm& mm_;
  PageIndex start_;
  std::optional<PageIndex> from_page_;
  bool under_vma_locks_;
  VmaPointer vma_;
  VmaPointer from_;
  bool locked_ = false;  // the VMAs are
};

bool covers(const VmaPointer& vma, PageIndex start, PageIndex end) {
  return vma != nullptr && vma->start <= start && end <= vma->end;
}

// mfill_atomic_pte_copy: returns whether it has found its place.
bool fill_in(Task& current, Mm& mm, Vma& vma, PageIndex page) {
  Kernel& kernel = current.kernel();
  alloc_charge_page(current, mm);
  current.work(kernel.costs.populate_page, Purpose::pages);
  current.settle();
  mm.anon_vma_prepare(vma);
  const PageCount mapped = change_pages(kernel, mm, page, page + PageCount(1), PageState::absent, mapped_in(vma));
  free_charged_pages(kernel, mm, PageCount(1) - mapped, current.now());
  return mapped == PageCount(1);
}

// With the lock of the destination held.
int fill_in(Task& current, Mm& mm, const VmaPointer& vma, PageIndex start, PageIndex end, int number) {
  if (!covers(vma, start, end) || vma->flags.userfaultfd != number) return -ENOENT;
  for (PageIndex page = start; page < end; page = page + PageCount(1)) {
    current.cond_resched();
    current.settle();
    if (!is_absent(mm, page) || !fill_in(current, mm, *vma, page)) return -EEXIST;
  }
  return 0;
}

// move_pages_pte: of one page.
int move_page(Task& current, Mm& mm, PageIndex page, PageIndex from) {
  Kernel& kernel = current.kernel();
  const auto why_not = [&] {
    if (is_absent(mm, from)) return -ENOENT;
    if (mm.cow != nullptr && mm.cow->is_shared(from)) return -EBUSY;
    return is_absent(mm, page) ? 0 : -EEXIST;
  };
  if (const int error = why_not()) return error;
  if (mm.page_table.split_around(from)) current.work(kernel.costs.split_huge);
  current.work_on_pages(kernel.costs.remap_page);
  flush_tlb_mm(current, mm);
  current.settle();
  if (const int error = why_not()) return error;
  move_pages(kernel, mm, from, page, PageCount(1));
  return 0;
}

// move_pages. With the locks of both places held.
int move_range(Task& current, Mm& mm, const PlaceLock& places, PageIndex start, PageIndex from, PageCount pages,
               int number) {
  const VmaPointer& to_vma = places.vma();
  const VmaPointer& from_vma = places.from();
  if (!covers(to_vma, start, start + pages) || to_vma->flags.userfaultfd != number) return -ENOENT;
  if (!covers(from_vma, from, from + pages)) return -ENOENT;
  const bool anonymous = !from_vma->flags.shared && !is_in_page_cache(current.kernel(), mm, from);
  if (!anonymous || from_vma->flags.locked != to_vma->flags.locked) return -EINVAL;
  for (PageCount done; done < pages; done += PageCount(1)) {
    current.cond_resched();
    current.settle();
    mm.anon_vma_prepare(*to_vma);
    if (const int error = move_page(current, mm, start + done, from + done)) return error;
  }
  return 0;
}

}  // namespace

int userfaultfd_copy(Task& current, Mm& mm, PageIndex start, PageCount pages, int number) {
  current.enter(Phase::userfault);
  current.work(current.kernel().costs.system_call);
  const PageIndex end = start + pages;
  PlaceLock lock(current, mm, start);
  const int error = fill_in(current, mm, lock.vma(), start, end, number);
  lock.release();
  // Where there was nothing to do the monitor says UFFDIO_WAKE itself.
  descriptor(mm, number).wake(current, start, end);
  return error;
}

int userfaultfd_move(Task& current, Mm& mm, PageIndex start, PageIndex from, PageCount pages, int number) {
  current.enter(Phase::userfault);
  current.work(current.kernel().costs.system_call);
  PlaceLock places(current, mm, start, from);
  const int error = move_range(current, mm, places, start, from, pages, number);
  places.release();
  descriptor(mm, number).wake(current, start, start + pages);
  return error;
}

}  // namespace models
