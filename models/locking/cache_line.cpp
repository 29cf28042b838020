#include "models/locking/cache_line.h"

#include <algorithm>
#include <utility>

#include "models/kernel.h"
#include "models/task.h"

namespace models {

void CacheLine::use(Task& current) {
  const sim::Nanoseconds transfer = current.kernel().costs.cache_line;
  if (transfer == sim::Nanoseconds{0}) return;
  const int before = std::exchange(cpu_, current.cpu());
  if (before == cpu_ || before == -1) return;
  const sim::Time now = current.now();
  free_at_ = std::max(now, free_at_) + transfer;
  current.work(free_at_ - now);
  current.settle();
}

}  // namespace models
