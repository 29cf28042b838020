#include "models/gup.h"

#include "models/kernel.h"
#include "models/mm.h"
#include "models/task.h"

namespace models {

void get_user_pages(Task& current, Mm& mm, Vma& vma, PageIndex start, PageIndex end) {
  Kernel& kernel = current.kernel();
  for (PageIndex page = start; page < end;) {
    current.settle();
    const PageTable::Run run = mm.page_table.run_at(page, end);
    const PageCount pages = run.end - page;
    if (run.state == PageState::absent) {
      for (std::int64_t each = 0; each < pages.count(); ++each) {
        alloc_page(current);
        current.work(kernel.costs.populate_page, Purpose::pages);
      }
      current.settle();
      vma.has_anon_vma = true;
      // Where a fault of another thread was faster, do_anonymous_page finds the entry present and frees its page.
      const PageCount mapped = mm.page_table.change(page, run.end, PageState::absent, PageState::resident);
      kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::mapped, mapped);
      kernel.zone.move(&ZoneCounts::in_flight, &ZoneCounts::free, pages - mapped);
    }
    page = run.end;
  }
}

}  // namespace models
