// Which kernel functions ask for mmap_lock, on behalf of which call and in which mode: what a table that knows only
// functions tells of a lock.
//
// Functions of mm/, fs/, kernel/ and arch/ that call mmap_read_lock or mmap_write_lock in some version from 5.4 to
// 6.18, and those that have such a one inlined: 72 of the 91 are symbols of 6.18. Besides, the entries of system calls
// that do nothing else with a semaphore. What is not in the list is taken for another lock's, and named. A tool names
// the first function that it takes for the caller; where much is inlined, or frames are skipped (perf's --stack-skip),
// that is the entry of all system calls, and where too few are, the lock's own function: both tell nothing. Validated
// by tests/experiments/host/table/mmap_lock_caller_test.cpp.
#pragma once

#include <optional>
#include <string_view>

#include "experiments/host/table/attached_table.h"
#include "models/measure/blame.h"
#include "models/measure/phase.h"

namespace experiments {

struct MmapLockCaller {
  enum class Lock {
    mmap_lock,
    untold,  ///< functions that ask for any lock
    another,
  };
  Lock lock = Lock::untold;
  models::Phase call = models::Phase::other;  ///< of mmap_lock; other: a path that has no model
  std::optional<models::LockMode> mode{};     ///< that it asks in; nothing: in either
};

/// Of one function, `vm_mmap_pgoff+0xe9` or without the offset.
[[nodiscard]] MmapLockCaller mmap_lock_caller(std::string_view function);

/// Of a row by callers: what the first function of its stack tells that is not part of locking, or its caller.
[[nodiscard]] MmapLockCaller mmap_lock_caller(const LockRow& row);

/// The mode that perf's type of lock names: `rwsem:W`. Nothing where it is no semaphore with modes, or in either.
[[nodiscard]] std::optional<models::LockMode> mode_of_type(std::string_view type);
/// Whether the type can be that of mmap_lock; one that is not told can.
[[nodiscard]] bool may_be_mmap_lock(std::string_view type);

}  // namespace experiments
