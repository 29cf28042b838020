// System calls as user space makes them: timed, and with the lock that it holds around them.
//
// Models a mutex of user space (`mutex` of a thread) that is held across a system call: an allocator's, a store's
// around its mapping, a runtime's. Kernel. glibc's nptl/lowlevellock.c: who finds it taken sleeps in the kernel
// (FUTEX_WAIT); who gives it up wakes the first of those (FUTEX_WAKE, one), and whoever comes by meanwhile may take it
// past them. These are the rules of a writer of lib/rwsem.c of 3.10 (RwsemFlavour::writer_steal), which it is made of.
// Simplified. One that was woken in vain stays the first, where a futex makes it the last; the two system calls cost
// what the semaphore's slow path does; nobody spins (PTHREAD_MUTEX_ADAPTIVE_NP, an allocator's own spinlock).
// Validated by tests/models/workload/calls_test.cpp.
#pragma once

#include "models/locking/rwsem.h"
#include "models/measure/result.h"
#include "models/mm/memcontrol.h"
#include "models/spec/page.h"
#include "models/task.h"

namespace models {

/// Calls `call` with the task's mutex held, if it has one, and goes back to user mode: where it has taken its group
/// beyond memory.high it waits before it can give up the mutex. No guard with a destructor: a run that ends unwinds
/// those who are under way, and nothing may happen to the model any more.
template <class Call>
void with_mutex(Task& current, Call call) {
  Rwsem* const mutex = current.mutex();
  if (mutex != nullptr) mutex->down_write(current);
  call();
  mem_cgroup_handle_over_high(current);
  if (mutex != nullptr) mutex->up_write(current);
}

/// Makes a `call` on `pages`, which returns 0 or -errno, and goes back to `after`, user mode: into `record`.
template <class Call>
int time_call(Task& current, CallRecord& record, PageCount pages, Phase after, Call call) {
  const sim::Time began = current.settle();
  const int error = call();
  current.enter(after);
  record.duration.record(current.settle() - began);
  record.pages += static_cast<std::uint64_t>(pages.count());
  if (error != 0) ++record.errors[-error];
  return error;
}

}  // namespace models
