// Where the instruction that faults runs.
#pragma once

namespace models {

enum class FaultMode {
  user,    ///< in the program
  kernel,  ///< read(), recv() and the like into a fresh page (copy_to_user): mmap_sem, whatever the policy's faults do
};

}  // namespace models
