// What threads of a real machine have asked of mmap_lock, one request after another: what `run: replay` repeats.
//
// experiments/scenario/recording_file.h reads and writes it; `mlocksim import` makes it of a trace. Times are those of
// the recording, its beginning being 0.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

/// How long it took to run, each time that it was woken.
using WakeUps = std::vector<sim::Nanoseconds>;

/// One request of a recorded thread.
struct RecordedRequest {
  enum class Call {
    fault,         ///< from user mode; without a region on pages that nobody else has
    kernel_fault,  ///< the same from a system call
    mmap,
    munmap,
    mprotect_read,   ///< writing is forbidden
    mprotect_write,  ///< and allowed
    mlock,
    munlock,
    dontneed,  ///< madvise(MADV_DONTNEED)
    dontneed_locked,
    hold,  ///< what has no model: mmap_lock is taken and held as long as it was, for write, downgraded, and for read
    hold_twice,  ///< the same, given up and taken again in between
  };
  static constexpr std::size_t kCallCount = 12;

  sim::Nanoseconds due{};    ///< when it was made
  sim::Nanoseconds think{};  ///< since the end of the one before, or the beginning of the recording
  sim::Nanoseconds write_hold{};
  sim::Nanoseconds read_hold{};
  Bytes offset{};            ///< in its region
  Bytes size{};              ///< of the call; 0: of a hold
  std::int32_t thread = 0;   ///< of its class, from 0
  std::int32_t region = -1;  ///< index of ReplaySpec::regions; -1: none, on an area of the thread's own
  Call call = Call::hold;
  WakeUps wake_ups{};  ///< while it waited for mmap_lock, behind nobody who asked for it, too

  bool operator==(const RecordedRequest&) const = default;
};

constexpr bool is_fault(RecordedRequest::Call call) {
  return call == RecordedRequest::Call::fault || call == RecordedRequest::Call::kernel_fault;
}

constexpr bool is_hold(RecordedRequest::Call call) {
  return call == RecordedRequest::Call::hold || call == RecordedRequest::Call::hold_twice;
}

constexpr std::string_view to_string(RecordedRequest::Call call) {
  constexpr std::array<std::string_view, RecordedRequest::kCallCount> names{
      "fault", "kernel_fault", "mmap",     "munmap",          "mprotect_read", "mprotect_write",
      "mlock", "munlock",      "dontneed", "dontneed_locked", "hold",          "hold_twice"};
  return names[static_cast<std::size_t>(call)];
}

/// The requests of one class, in the order of the time at which they were due.
using Recording = std::vector<RecordedRequest>;

}  // namespace models
