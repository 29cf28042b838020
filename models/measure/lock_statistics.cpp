#include "models/measure/lock_statistics.h"

namespace models {

void RwsemStatistics::Waits::add(const Waits& other) {
  acquisitions += other.acquisitions;
  wait.merge(other.wait);
  waiting += other.waiting;
  longest_waiting = std::max(longest_waiting, other.longest_waiting);
  lock_wait += other.lock_wait;
}

RwsemStatistics::Waits RwsemStatistics::all(LockMode mode) const {
  Waits all;
  for (const auto& [asker, waits] : asked) {
    if (asker.mode == mode) all.add(waits);
  }
  return all;
}

}  // namespace models
