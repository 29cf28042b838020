#include "models/procfs.h"

#include "models/kernel.h"
#include "models/mm.h"
#include "models/pagewalk.h"
#include "models/task.h"

namespace models {

namespace {

// m_start, then one record after another, m_stop: one read(). Goes on at `address` and leaves it where the next read()
// has to. Returns false when there is nothing more.
template <class Show>
bool seq_read(Task& current, Mm& target, int records, PageIndex& address, Show show) {
  target.mmap_sem.down_read(current);
  current.work(current.kernel().costs.find_vma);
  current.settle();
  VmaPointer vma = target.find_vma(address);
  for (int record = 0; record < records && vma != nullptr; ++record) {
    show(*vma);
    address = vma->end;
    current.settle();
    vma = target.next(*vma);
  }
  target.mmap_sem.up_read(current);
  return vma != nullptr;
}

template <class Show>
void read_whole_file(Task& current, Mm& target, int records, Show show) {
  current.enter(Phase::proc_read);
  current.work(current.kernel().costs.proc_open, Purpose::calls);
  PageIndex address;
  while (seq_read(current, target, records, address, show)) {
    current.enter(Phase::user);  // between two read()s
    current.enter(Phase::proc_read);
  }
  current.enter(Phase::user);
}

}  // namespace

void proc_pid_cmdline(Task& current, Mm& target) {
  const Costs& costs = current.kernel().costs;
  current.enter(Phase::proc_read);
  current.work(costs.proc_open, Purpose::calls);
  target.mmap_sem.down_read(current);
  current.cond_resched();  // get_user_pages has one for each page, and reads one
  current.work(costs.proc_cmdline, Purpose::calls);
  target.mmap_sem.up_read(current);
  current.enter(Phase::user);
  current.settle();
}

void proc_pid_maps(Task& current, Mm& target) {
  const Costs& costs = current.kernel().costs;
  read_whole_file(current, target, kMapsPerBuffer, [&](const Vma&) { current.work(costs.proc_maps_vma); });
}

void proc_pid_smaps(Task& current, Mm& target) {
  const Costs& costs = current.kernel().costs;
  read_whole_file(current, target, kSmapsPerBuffer, [&](const Vma& vma) {
    current.work(costs.proc_smaps_vma);
    current.settle();  // a stack may grow under read mode
    look_at_page_range(current, target, vma.start, vma.end, {.entry = costs.proc_smaps_page});
  });
}

}  // namespace models
