#include "models/kernel.h"

#include <cstdlib>

#include "models/task.h"

namespace models {

void Kernel::out_of_memory(Task& current) {
  outcome = Outcome::out_of_memory;
  engine.stop();
  current.block(Cause::sleep);
  std::abort();  // nobody gets a turn after stop()
}

}  // namespace models
