// The cache line of a lock: what an atomic operation costs when another CPU had the last one.
//
// Models. The word that all who take a lock change: the count of a semaphore, the lock of a VMA. One CPU has it at a
// time, exclusively; for another it has to come over, and while it does so nobody else gets it. So a lock that many
// CPUs take only for read is a queue all the same, one transfer (cost `cache_line`) for each operation: with N CPUs
// that do nothing else an operation takes N transfers. Whoever had it last pays nothing. Kernel.
// atomic_long_try_cmpxchg and friends of lib/rwsem.c (kernel/locking/rwsem.c), of a VMA's vm_lock (6.4) or vm_refcnt
// (6.15). Simplified. Transfers are served first come, first served, and take equally long between any two CPUs. What
// spins on a lock only reads, and does not slow down the others. Validated by tests/models/locking/cache_line_test.cpp:
// closed forms.
#pragma once

#include "sim/time.h"

namespace models {

class Task;

class CacheLine {
 public:
  /// An operation of `current`: returns when it has the line. Precondition: `current` has settled; it has on return.
  void use(Task& current);

 private:
  int cpu_ = -1;  // that had the last operation, or waits for it; -1: none yet
  sim::Time free_at_{};
};

}  // namespace models
