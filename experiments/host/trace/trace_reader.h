// The events of a trace, one after another, as perf script, /sys/kernel/tracing/trace and trace-cmd report print them.
//
// What is no event is passed over where it belongs there: comments, trace-cmd's heads, stacks below an event of perf,
// notes of lost events. Anything else is refused with its line, as are lines out of order: clocks of CPUs differ by
// microseconds, so time may go back by kClockSkew.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "experiments/host/trace/trace_event.h"
#include "experiments/host/trace/trace_input.h"
#include "experiments/host/trace/trace_line.h"

namespace experiments {

/// What was found in a trace, and so what its events can tell.
struct TraceContents {
  std::string form{};                                    ///< `perf script`
  int decimals = 0;                                      ///< of its times
  int cpus = 1;                                          ///< as many as the highest number tells
  std::array<std::uint64_t, kTraceEventKinds> events{};  ///< by TraceEvent::Kind
  std::uint64_t failed_tries = 0;
  std::uint64_t lost = 0;  ///< as far as told
  bool lost_any = false;
  sim::Nanoseconds first{};
  sim::Nanoseconds last{};

  [[nodiscard]] std::uint64_t count(TraceEvent::Kind kind) const { return events[static_cast<std::size_t>(kind)]; }
  /// Of all kinds.
  [[nodiscard]] std::uint64_t all() const;
  [[nodiscard]] sim::Nanoseconds length() const { return last - first; }
};

class TraceReader {
 public:
  /// By how much time may go back from one line to a later one.
  static constexpr sim::Nanoseconds kClockSkew = std::chrono::milliseconds{1};

  /// Throws UsageError as TraceInput does.
  explicit TraceReader(const std::string& path) : input_(path) {}

  /// The next event; its time never lies before that of the one before. Throws InputError.
  [[nodiscard]] std::optional<TraceEvent> next();

  [[nodiscard]] const TraceContents& contents() const { return contents_; }

 private:
  [[nodiscard]] std::optional<TraceEvent> event_of(std::string_view text);
  [[nodiscard]] bool is_no_event(std::string_view text);
  void note(TraceEvent& event, const TraceLine& line);
  [[noreturn]] void refuse(std::string_view text, const std::string& expected) const;

  TraceInput input_;
  TraceContents contents_;
  bool of_trace_cmd_ = false;
};

}  // namespace experiments
