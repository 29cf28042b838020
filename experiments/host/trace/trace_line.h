// The frame of a trace's line, which is the same for all events: who, where, when, and which event.
//
// `          locker  2927 [001]  2643.249616217:    mmap_lock:mmap_lock_released: mm=...` as perf script has it;
// `          locker-85    (     85) [001] d..2.     2.508873: mmap_lock_released: mm=...` as ftrace and trace-cmd do,
// where the group's number and the flags may be missing. perf without `[001]` (not recorded by CPU) is read as well. A
// name may have blanks, brackets and colons: the frame is what has the digits in their places behind it.
#pragma once

#include <optional>
#include <string_view>

#include "sim/time.h"

namespace experiments {

/// Who printed it.
enum class TraceForm { perf_script, ftrace };

struct TraceLine {
  TraceForm form = TraceForm::perf_script;
  std::string_view comm{};
  int tid = 0;
  int cpu = -1;  ///< -1: not told
  sim::Nanoseconds time{};
  int decimals = 0;              ///< of the time: 6, or 9
  std::string_view event{};      ///< without its subsystem: `mmap_lock_released`
  std::string_view arguments{};  ///< what follows
};

/// Nothing where the line is no event.
[[nodiscard]] std::optional<TraceLine> parse_trace_line(std::string_view text);

}  // namespace experiments
