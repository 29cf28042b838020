#include "models/mm/clear_page.h"

#include <vector>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/page_alloc.h"
#include "models/task.h"

namespace models {

void begin_clearing(Task& current, Mm& mm, PageIndex start, PageIndex end) {
  mm.populating.push_back({&current, start, end});
  current.kernel().clear_bandwidth.begin();
}

void end_clearing(Task& current, Mm& mm, PageCount to_lists) {
  current.settle();
  current.kernel().clear_bandwidth.end();
  lock_lruvec(current, to_lists);
  std::erase_if(mm.populating, [&](const Populating& each) { return each.task == &current; });
}

const Populating* clearing_elsewhere(const Task& current, const Mm& mm, PageIndex start, PageIndex end) {
  const Populating* first = nullptr;
  for (const Populating& each : mm.populating) {
    const bool meets = start < each.end && each.start < end;
    if (!meets || each.task == &current || !each.task->on_cpu()) continue;
    if (first == nullptr || each.start < first->start) first = &each;
  }
  return first;
}

}  // namespace models
