// A lock policy: which mode of mmap_sem is held over which phase of which path.
//
// A policy is a composition, not a class: each path asks for the mode of its own phase. The kernels that
// stand behind the shipped compositions are named in configs/policies/*.yaml.
#pragma once

#include <string>

#include "models/page.h"

namespace models {

/// Which implementation of the semaphore (models/rwsem.h).
enum class RwsemFlavour {
  fifo,  ///< Linux 2.6.28: one queue, nobody overtakes
};

/// How a long page walk holds mmap_sem.
enum class HoldMode {
  write_held,  ///< for write from beginning to end
  downgrade,   ///< downgraded to read for the walk; then dropped, taken for write again and re-checked
};

/// Which lock a page fault takes.
enum class FaultLock {
  mmap_sem,  ///< for read, up to Linux 6.3
};

struct Policy {
  std::string name;
  std::string about;
  RwsemFlavour rwsem = RwsemFlavour::fifo;
  HoldMode populate = HoldMode::write_held;  ///< mlock: faulting the pages in
  HoldMode munlock = HoldMode::write_held;   ///< munlock: the walk over the pages
  HoldMode munmap = HoldMode::write_held;    ///< munmap: munlocking and zapping; `downgrade` as Linux 4.20 (zap only)
  FaultLock fault = FaultLock::mmap_sem;

  bool operator==(const Policy&) const = default;
};

}  // namespace models
