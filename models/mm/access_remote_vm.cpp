#include "models/mm/access_remote_vm.h"

#include <cassert>

#include "models/kernel.h"
#include "models/mm/gup.h"
#include "models/mm/mm.h"
#include "models/mm/rmap.h"
#include "models/task.h"

namespace models {

namespace {

// get_user_pages of one page and the copy. mmap_sem must be held for read. Returns false if there is no page to be had.
bool access_page(Task& current, Mm& target, PageIndex page) {
  assert(target.mmap_sem.held_by(current, LockMode::read));
  Kernel& kernel = current.kernel();
  current.settle();
  const VmaPointer vma = target.find_vma(page);
  if (vma == nullptr || vma->start > page || vma->flags.io_pfnmap) return false;
  const PageIndex next = page + PageCount(1);
  const bool present = is_present(target.page_table.run_at(page, next).state);
  get_user_pages(current, target, *vma, page, next);
  // The same for one that comes from a device.
  if (!present && vma->flags.locked) change_pages(kernel, target, page, next, PageState::resident, PageState::mlocked);
  current.work(kernel.costs.access_page, Purpose::calls);
  return true;
}

}  // namespace

PageCount access_process_vm(Task& current, Mm& target, PageIndex start, PageCount pages) {
  current.enter(Phase::remote_read);
  current.work(current.kernel().costs.system_call);
  target.mmap_sem.down_read(current);
  PageCount done;
  while (done < pages && access_page(current, target, start + done)) done += PageCount(1);
  target.mmap_sem.up_read(current);
  return done;
}

}  // namespace models
