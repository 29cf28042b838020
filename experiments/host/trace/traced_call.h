// System calls of a trace, and what they are in the words of the reports.
#pragma once

#include <cstdint>
#include <string_view>

#include "models/measure/phase.h"

namespace experiments {

/// The name of x86-64's call of that number (arch/x86/entry/syscalls/syscall_64.tbl) if it may take mmap_lock; empty
/// for any other.
[[nodiscard]] std::string_view call_of_number(std::uint64_t number);

/// `mlock2` is mlock; what has no phase of its own is models::Phase::other.
[[nodiscard]] models::Phase phase_of_call(std::string_view name);

/// Whether it locks or unlocks memory: who calls it is a locker.
[[nodiscard]] bool is_of_a_locker(models::Phase call);

}  // namespace experiments
