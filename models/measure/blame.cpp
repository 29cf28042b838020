#include "models/measure/blame.h"

namespace models {

void Blame::add(const Blame& other) {
  count += other.count;
  for (std::size_t cause = 0; cause < kCauseCount; ++cause) causes[cause] += other.causes[cause];
  for (const auto& [blame, wait] : other.lock_waits) lock_waits[blame] += wait;
}

}  // namespace models
