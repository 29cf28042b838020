// What a task has waited for a semaphore, by whom it was kept out.
#pragma once

#include <vector>

#include "models/task.h"

namespace tests {

using Waits = models::LockTimes;

inline Waits lock_times_since(models::Ledger& ledger, sim::Time since) {
  Waits waits;
  ledger.add_lock_times_since(since, waits);
  ledger.settle_lock_times();
  return waits;
}

/// Those that it remembers, stretch by stretch.
inline std::vector<models::LockWait> lock_waits(const models::Ledger& ledger) {
  std::vector<models::LockWait> waits;
  for (auto wait = ledger.lock_waits_after(sim::Time::min()); !wait.at_end(); ++wait) waits.push_back(*wait);
  return waits;
}

inline Waits waits_by_blame(const models::Task& task) {
  Waits waits;
  for (const models::LockWait& wait : lock_waits(task.ledger())) waits[wait.blame] += wait.to - wait.from;
  return waits;
}

/// Whatever the holders were doing.
inline Waits waits_of(const models::Task& task) {
  Waits waits;
  for (const auto& [who, wait] : waits_by_blame(task)) {
    models::LockBlame blame = who;
    blame.doing = models::Cause::cpu;
    blame.cpu_taken_by = -1;
    waits[blame] += wait;
  }
  return waits;
}

}  // namespace tests
