// What the locks of a run went through, for people: who asked for them and waited, who held them, for how long.
#pragma once

#include <cstddef>
#include <string>

#include "models/measure/result.h"
#include "models/spec/policy.h"

namespace experiments {

/// A table of waits and one of holds for each lock of the run: each class by what it was doing and in which mode, the
/// waits with a histogram by powers of two; convoys, and holders that had no CPU. At most `width` characters in a line,
/// as far as names allow.
[[nodiscard]] std::string lock_report(const models::Result& result, std::size_t width);

/// What the kernel's own watchdog would have said: khungtaskd reports who has been in one uninterruptible sleep between
/// two of its rounds, 120 s apart (kernel/hung_task.c, hung_task_timeout_secs), so for 240 s at the latest; one that
/// can be killed it passes over (TASK_KILLABLE), which is how most system calls ask for mmap_lock since 4.7, those of
/// /proc since 5.3 and faults since 6.5. Empty where it would have said nothing.
[[nodiscard]] std::string watchdog_report(const models::Policy& policy, const models::Result& result);

}  // namespace experiments
