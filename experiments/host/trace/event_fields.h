// What stands behind the name of an event, by event.
//
// mmap_lock:*     mm=HEX memcg_path=PATH (memcg_id=N since 6.14) write=BOOL [success=BOOL]
// contention_*    ADDRESS (flags=READ|WRITE|SPIN|...), ADDRESS (ret=N)
// page_fault_*    address=HEX ip=... error_code=HEX
// sys_enter_NAME  NAME: HEX, ... (perf); sys_NAME(NAME: HEX, ...) (ftrace); sys_enter: NR N (HEX, ...) (raw_syscalls)
// sched_switch    prev_comm=... prev_pid=... prev_state=R ==> next_comm=... next_pid=..., or as trace-cmd's plugin has
//                 it: comm:pid [prio] R ==> comm:pid [prio]
#pragma once

#include <optional>
#include <string>

#include "experiments/host/trace/trace_event.h"
#include "experiments/host/trace/trace_line.h"

namespace experiments {

/// The event of a line. Where it lacks what its event always has: nothing, and `expected` says what.
[[nodiscard]] std::optional<TraceEvent> read_event_of(const TraceLine& line, std::string& expected);

}  // namespace experiments
