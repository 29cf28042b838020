// What a line of a trace tells, as a value.
//
// Source: the TP_printk of include/trace/events/{mmap_lock,lock,sched,syscalls}.h and arch/x86/include/asm/trace/
// exceptions.h, Linux 5.11 (where mmap_lock:* came) to 6.18, as perf script, ftrace and trace-cmd print them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "models/measure/blame.h"
#include "sim/time.h"

namespace experiments {

/// Texts in it are those of the line, and last as long as that one does.
struct TraceEvent {
  enum class Kind : std::uint8_t {
    other,  ///< of no interest
    start_locking,
    acquire_returned,
    released,
    contention_begin,
    contention_end,
    page_fault,
    sys_enter,
    sys_exit,
    sched_switch,
    sched_wakeup,
    lost,  ///< events that the recorder could not keep up with
  };

  Kind kind = Kind::other;
  sim::Nanoseconds time{};  ///< by the clock of the recording
  int tid = 0;
  std::string_view comm{};

  std::uint64_t address = 0;  ///< of the mm, of the lock (contention_*), or that faulted
  models::LockMode mode = models::LockMode::read;
  bool success = true;     ///< of acquire_returned
  bool semaphore = false;  ///< of contention_begin: an rwsem is waited for, and its waiter sleeps
  bool in_kernel = false;  ///< of page_fault: in kernel mode

  std::string_view call{};                   ///< of sys_enter and sys_exit: `mlock`; empty for one of no interest
  std::array<std::uint64_t, 4> arguments{};  ///< of sys_enter
  std::uint64_t returned = 0;                ///< of sys_exit

  int other_tid = 0;              ///< who runs next (sched_switch), or is woken
  std::string_view other_comm{};  ///< its name
  bool runnable = false;          ///< of sched_switch: who leaves could have gone on

  std::uint64_t lost = 0;  ///< how many; 0: not told
};

inline constexpr std::size_t kTraceEventKinds = 12;

}  // namespace experiments
